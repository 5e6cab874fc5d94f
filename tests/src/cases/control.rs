//! What an operator's commands do over the control socket.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use super::Case;
use crate::servers::{Authority, Waypost, free_port, program, run};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("control::a_reload_says_at_the_terminal_what_came_of_it", reload),
    ("control::a_reload_is_of_the_file_that_serves_and_tells_of_what_it_names", files),
    ("control::nobody_to_command_is_said", nobody),
];

/// One door, and users whom a file takes to a back end that is not there.
fn configuration(port: u16) -> String {
    format!(
        r#"[server]
hostname = "mail.localdomain.test"
control = "control"

[login]

[listener.imap]
protocol = "imap"
bind = ["127.0.0.1:{port}"]
tls = "none"
allow-plaintext-login = true

[directory.main]
ldif = "users.ldif"

[policy.ldap]
plugin = "builtin:ldap-routing"
directories = {{ main = ["mail", "mailHost"] }}
targets = ["127.0.0.2"]
settings = {{ directory = "main", search-base = "%s", search-pattern = "mail=%e", host-field = "mailHost" }}

[domain."localdomain.test"]
policies = ["ldap"]
"#
    )
}

const USERS: &str = "dn: uid=user1,dc=localdomain,dc=test\nmail: user1@localdomain.test\n";

/// Waypost's command with the configuration in `file`, and what it said on both ends.
fn command(file: &Path) -> (Output, String, String) {
    let mut command = Command::new(program());
    command.args(["reload", "--patience", "30", "--config"]).arg(file);
    let output = run(&mut command);
    let text = |said: &[u8]| String::from_utf8_lossy(said).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

fn reload() {
    let port = free_port();
    let good = configuration(port);
    let waypost = Waypost::start(&good, &[("users.ldif", USERS)]);
    let mode = fs::metadata(waypost.file("control")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else's business");
    let file = waypost.configuration();
    let nothing_new = (format!("{} was loaded anew\n", file.display()), String::new());
    let (output, out, err) = command(&file);
    assert!(output.status.success(), "{err}");
    assert_eq!((out, err), nothing_new);

    // What waits for the next start, and what is probably not meant.
    fs::write(&file, good.replacen("[login]\n", "[login]\nretry-for = \"7s\"\n", 1)).unwrap();
    let (output, _, err) = command(&file);
    assert!(output.status.success(), "{err}");
    assert!(err.contains("[login] takes effect at the next start"), "{err}");

    let mut held = Talk::greeted(port);
    for (from, to, told) in [
        ("[login]\n", "[login]\nretry-fro = \"1s\"\n", ["login.retry-fro", "waypost.toml:6:"]),
        ("[login]\n", "[login\n", ["waypost.toml:5:", "not loaded"]),
        ("mail=%e", "mail=%q", ["policy.ldap.settings.search-pattern", "%q"]),
        ("users.ldif", "nobody.ldif", ["directory.main.ldif", "nobody.ldif"]),
    ] {
        fs::write(&file, good.replacen(from, to, 1)).unwrap();
        let (output, out, err) = command(&file);
        assert_eq!(output.status.code(), Some(1), "{to}: {out}{err}");
        assert_eq!(out, "", "{to}");
        for told in told.into_iter().chain(["the one before stays in force"]) {
            assert!(err.contains(told), "{to}: {told} is missing in\n{err}");
        }
        let said = held.imap("n", "NOOP");
        assert!(said.starts_with("n OK"), "whoever is connected notices nothing: {said}");
    }
    fs::write(&file, good).unwrap();
    let (_, out, err) = command(&file);
    assert_eq!((out, err), nothing_new);
}

fn files() {
    let authority = Authority::new();
    let (chain, key) = authority.issue(&["localhost"]);
    let text = configuration(free_port()).replace(
        "[directory.main]",
        "[tls]\ncertificates = [{ chain = \"chain.pem\", key = \"key.pem\" }]\n\n[directory.main]",
    );
    let files = [("users.ldif", USERS), ("chain.pem", &chain), ("key.pem", &key)];
    let waypost = Waypost::start(&text, &files);
    let other = waypost.file("other.toml");
    fs::write(&other, &text).unwrap();
    let (output, out, err) = command(&other);
    assert_eq!((output.status.code(), &*out), (Some(1), ""), "{err}");
    for told in ["other.toml", "this process serves", "waypost.toml"] {
        assert!(err.contains(told), "{told} is missing in {err}");
    }
    // The same file by another name.
    let link = waypost.file("link.toml");
    std::os::unix::fs::symlink(waypost.configuration(), &link).unwrap();
    let (output, _, err) = command(&link);
    assert!(output.status.success(), "{err}");

    fs::write(waypost.file("chain.pem"), "garbage").unwrap();
    // However often it is tried.
    for _ in 0..2 {
        let (output, out, err) = command(&waypost.configuration());
        assert_eq!(output.status.code(), Some(1), "{out}{err}");
        assert!(err.contains("chain.pem") && err.contains("stays in force"), "{err}");
    }
    fs::write(waypost.file("chain.pem"), &chain).unwrap();
    let (output, _, err) = command(&waypost.configuration());
    assert!(output.status.success(), "{err}");
}

fn nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waypost.toml");
    let good = configuration(free_port());
    fs::write(&file, &good).unwrap();
    let (output, _, err) = command(&file);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("nobody listens at") && err.contains("control"), "{err}");
    fs::write(&file, good.replacen("control = \"control\"\n", "", 1)).unwrap();
    let (output, _, err) = command(&file);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("set `control` in [server]"), "{err}");
}
