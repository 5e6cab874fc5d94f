//! A whole cluster on loopback: an LDIF directory, two small back ends, and the real proxy with the
//! real policy in front.

mod cluster;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tempfile::TempDir;
use waypost_demo::{Addresses, BackEnd};

use self::cluster::{DOMAIN, MEMBERS};
use crate::cli::DemoArgs;
use crate::run;

const IMAP: u16 = 1143;
const POP3: u16 = 1110;

/// Runs the demo until somebody ends it.
pub(crate) fn run(arguments: &DemoArgs) -> anyhow::Result<()> {
    let (imap, pop3) = match arguments.ports.as_deref() {
        Some([imap, pop3]) => (*imap, *pop3),
        _ => (IMAP, POP3),
    };
    // The back ends of a cluster share their ports, as the back-end table wants it.
    let folder = TempDir::with_prefix("waypost-demo-")?;
    let back_ends = BackEnds::start(imap, pop3)?;
    let configuration = folder.path().join("waypost.toml");
    std::fs::write(folder.path().join("directory.ldif"), cluster::ldif())?;
    std::fs::write(&configuration, configuration_text(imap, pop3, back_ends.ports))?;
    run::serve(&configuration, || introduce(imap, pop3, &configuration))
}

/// The back ends on a thread of their own: they are no part of Waypost.
struct BackEnds {
    ports: (u16, u16),
    _runtime: tokio::runtime::Runtime,
    _running: Vec<BackEnd>,
}

impl BackEnds {
    fn start(imap: u16, pop3: u16) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("back-ends")
            .enable_all()
            .build()?;
        let mut running = Vec::new();
        for member in &MEMBERS {
            let address: Ipv4Addr = member.address.parse()?;
            let wanted = Addresses {
                imap: SocketAddr::from((address, imap)),
                pop3: SocketAddr::from((address, pop3)),
            };
            let started = runtime.block_on(BackEnd::start(wanted, Arc::new(member.mailboxes())));
            let context = || format!("{} cannot listen on {} and {pop3}", member.name, wanted.imap);
            running.push(started.with_context(context)?);
        }
        Ok(Self { ports: (imap, pop3), _runtime: runtime, _running: running })
    }
}

/// What an operator would write for this cluster.
fn configuration_text(imap: u16, pop3: u16, back_ends: (u16, u16)) -> String {
    format!(
        r#"# The demo's configuration. Passwords travel in clear here, since nothing leaves this machine.

[server]
hostname = "waypost.{DOMAIN}"

[listener.imap]
protocol = "imap"
bind = ["127.0.0.1:{imap}"]
tls = "none"
allow-plaintext-login = true
default-domain = "{DOMAIN}"

[listener.pop3]
protocol = "pop3"
bind = ["127.0.0.1:{pop3}"]
tls = "none"
allow-plaintext-login = true
default-domain = "{DOMAIN}"

[login]
# The two small back ends know no tokens.
mechanisms = ["plain"]

[directory.main]
ldif = "directory.ldif"
base = "dc=localdomain,dc=test"
password-field = "userPassword"

[policy.ldap]
plugin = "builtin:ldap-routing"
directories = {{ main = ["mail", "mailHost"] }}
targets = ["127.0.0.2", "127.0.0.3"]

[policy.ldap.settings]
directory = "main"
search-base = "%s"
search-pattern = "mail=%e"
host-field = "mailHost"
use-first = true

[domain."{DOMAIN}"]
policies = ["ldap"]

[backend."*"]
imap = {{ port = {}, tls = "none" }}
pop3 = {{ port = {}, tls = "none" }}
"#,
        back_ends.0, back_ends.1
    )
}

fn introduce(imap: u16, pop3: u16, configuration: &Path) {
    println!("\nWaypost is in front of two back ends, and this is who lives where:\n");
    for member in &MEMBERS {
        let users = member.users.map(|user| format!("{user}@{DOMAIN}")).join(", ");
        println!("  {:<6} {:<10} {users}", member.name, member.address);
    }
    println!(
        "\nEach password is the user's name. Try, in another terminal:\n\n\
         \x20 curl 'imap://127.0.0.1:{imap}/INBOX;MAILINDEX=1' -u user1@{DOMAIN}:user1\n\
         \x20 curl 'imap://127.0.0.1:{imap}/INBOX;MAILINDEX=1' -u user3@{DOMAIN}:user3\n\
         \x20 curl 'pop3://127.0.0.1:{pop3}/1' -u user4@{DOMAIN}:user4\n\
         \x20 {program} route --config {configuration} user2@{DOMAIN}\n\n\
         The configuration and the directory are in {folder}.\n\
         Change a mailHost in directory.ldif, send SIGHUP to process {process}, and see the user \
         move.\n\nCtrl-C ends the demo.\n",
        program = std::env::current_exe()
            .map_or_else(|_| "waypost".into(), |path| path.display().to_string()),
        configuration = configuration.display(),
        folder = configuration.parent().unwrap_or(configuration).display(),
        process = std::process::id(),
    );
}
