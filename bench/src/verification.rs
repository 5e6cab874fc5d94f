//! Logins whose password the back end, the directory or Waypost itself checks, with a real slapd
//! (Debian: `slapd`).

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::client::USERS;
use crate::process::{Process, free, part};
use crate::report::Report;
use crate::usage::ProcessorTime;
use crate::waypost::Setup;

const FULL: usize = 5_000;
const QUICK: usize = 200;
/// How many clients log in at once.
const CLIENTS: usize = 8;

/// Of `secret`: by `slappasswd -h {SSHA}`, and by `openssl passwd -6`.
const SSHA: &str = "{SSHA}8PKd8aWjdrMZYbw0M/TO/CaZ0rfFzBOS";
const CRYPT: &str = concat!(
    "{CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQ",
    "SpT0Y77vwPZN.Pq.H91p5hVO1"
);

pub(crate) fn measure(report: &mut Report, quick: bool) -> anyhow::Result<()> {
    report.begin("");
    let count = if quick { QUICK } else { FULL };
    let backend = free("127.0.0.2")?;
    let _backend = Process::start(&mut part(&["backend", &backend.to_string()])?, "ready")?;
    for (what, verify, stored, kept) in [
        ("by the back end", "backend", SSHA, "0s"),
        ("by bind", "bind", SSHA, "0s"),
        ("by bind, kept for 30 s", "bind", SSHA, "30s"),
        ("by password, {SSHA}", "password", SSHA, "0s"),
        ("by password, SHA-512 crypt", "password", CRYPT, "0s"),
        ("by password, SHA-512 crypt, kept for 30 s", "password", CRYPT, "30s"),
    ] {
        // A hash of five thousand rounds takes milliseconds, and there are four for each figure.
        let count = if stored == CRYPT && kept == "0s" { count / 10 } else { count };
        let folder = tempfile::tempdir()?;
        let (directory, _slapd) = slapd(folder.path(), &backend, stored)?;
        let plain = free("127.0.0.1")?;
        let waypost = start(folder.path(), backend, plain, directory, verify, kept)?;
        // Each user once, so that decisions are cached, and what is kept is.
        log_in(plain, 1000)?;
        let (before, began) = (ProcessorTime::of(waypost.id())?, Instant::now());
        log_in(plain, count)?;
        let took = began.elapsed();
        let used = ProcessorTime::since(waypost.id(), &before)?;
        let each = used.as_secs_f64() * 1e6 / count as f64;
        report.add(format!("a login, password {what}"), each, "µs", None, None);
        let rate = count as f64 / took.as_secs_f64();
        report.add("  logins a second", rate, "", None, None);
    }
    Ok(())
}

fn log_in(address: SocketAddr, count: usize) -> anyhow::Result<()> {
    let load = ["client", &address.to_string(), "logins", &count.to_string(), &CLIENTS.to_string()]
        .map(str::to_owned);
    let load: Vec<&str> = load.iter().map(String::as_str).collect();
    Process::start(&mut part(&load)?, "started")?.finish()
}

/// A directory server with every user, all of whom have this password.
fn slapd(
    folder: &Path,
    backend: &SocketAddr,
    stored: &str,
) -> anyhow::Result<(SocketAddr, Process)> {
    std::fs::create_dir(folder.join("data"))?;
    let shown = folder.display();
    let configuration = format!(
        "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/inetorgperson.schema\ninclude /etc/ldap/schema/misc.schema\n\
         modulepath /usr/lib/ldap\nmoduleload back_mdb\n\
         database mdb\nsuffix dc=bench,dc=test\ndirectory {shown}/data\nmaxsize 67108864\n\
         rootdn cn=admin,dc=bench,dc=test\nrootpw secret\nindex mail eq\n"
    );
    let file = folder.join("slapd.conf");
    std::fs::write(&file, configuration)?;
    let more = format!("objectClass: inetLocalMailRecipient\nuserPassword: {stored}\nuid: ");
    let ldif = crate::decision::ldif(USERS, &[&backend.ip().to_string()]);
    // slapadd takes the version of LDIF for an entry.
    let ldif = ldif.trim_start_matches("version: 1\n\n").replace("\nuid: ", &format!("\n{more}"));
    std::fs::write(folder.join("all.ldif"), ldif)?;
    let added = Command::new("/usr/sbin/slapadd")
        .args(["-q", "-f"])
        .arg(&file)
        .arg("-l")
        .arg(folder.join("all.ldif"))
        .output()
        .context("slapadd; Debian: slapd")?;
    ensure!(added.status.success(), "slapadd: {}", String::from_utf8_lossy(&added.stderr));
    let address = free("127.0.0.1")?;
    let mut command = Command::new("/usr/sbin/slapd");
    command.args(["-d", "0", "-h", &format!("ldap://{address}"), "-f"]).arg(&file);
    Ok((address, Process::start_server(&mut command, address)?))
}

fn start(
    folder: &Path,
    backend: SocketAddr,
    plain: SocketAddr,
    directory: SocketAddr,
    verify: &str,
    kept: &str,
) -> anyhow::Result<Process> {
    std::fs::write(folder.join("ldap.secret"), "secret")?;
    let listeners = format!(
        r#"[listener.plain]
protocol = "imap"
bind = ["{plain}"]
tls = "none"
allow-plaintext-login = true
max-connections-per-address = 1000000
max-connections-per-user = 1000000

[verification]
verified-for = "{kept}"

[cache]
cache-for = "10m""#
    );
    let directory = format!(
        r#"url = ["ldap://{directory}"]
bind-dn = "cn=admin,dc=bench,dc=test"
bind-password = {{ file = "ldap.secret" }}
password-field = "userPassword"
clear-binds-to = ["127.0.0.1"]"#
    );
    let back_ends = format!("imap = {{ port = {}, tls = \"none\" }}", backend.port());
    let setup =
        Setup { listeners: &listeners, directory: &directory, verify, back_ends: &back_ends };
    let process = setup.start(folder, plain)?;
    // Its connections to the directory.
    std::thread::sleep(Duration::from_millis(300));
    Ok(process)
}
