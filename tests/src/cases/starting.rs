//! What stands against a start, and that `check` says so before.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use super::Case;
use crate::servers::{Authority, folder, free_port, program, run};

pub(crate) const CASES: &[Case] = &[
    ("starting::check_refuses_what_run_refuses", refused),
    ("starting::check_asks_policies_whether_their_settings_fit", misconfigured),
    ("starting::a_fallback_is_judged_as_the_plugin_decides", fallback),
    ("starting::files_are_read_as_who_serves", as_who_serves),
];

/// Mail and logins, a spool and a control socket; `{SERVER}` and `{LISTENER}` may be more.
const CONFIGURATION: &str = r#"[server]
hostname = "mail.localdomain.test"
control = "control"
#SERVER
[listener.imap]
protocol = "imap"
bind = ["127.0.0.1:PORT"]
tls = "starttls"
#LISTENER
[listener.mx]
protocol = "smtp"
bind = ["127.0.0.1:MX"]
tls = "none"

[smtp]
postmaster = "postmaster@localdomain.test"

[spool]
folder = "spool"

[tls]
certificates = [{ chain = "chain.pem", key = "key.pem" }]

[policy.shard]
plugin = "builtin:shard"
targets = ["127.0.0.2"]
settings = { shards = { one = { hosts = "127.0.0.2" } } }

[domain."localdomain.test"]
policies = ["shard"]
"#;

fn configuration() -> String {
    let text = CONFIGURATION.replace("PORT", &free_port().to_string());
    text.replace("MX", &free_port().to_string())
}

/// What a command says to a configuration that it does not like.
fn refusal(arguments: &[&str], file: &Path) -> String {
    let mut command = Command::new("timeout");
    command.arg("20").arg(program()).args(arguments).arg("--config").arg(file);
    let output = run(&mut command);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    said
}

fn refused() {
    let authority = Authority::new();
    let (chain, key) = authority.issue(&["localhost"]);
    let text = configuration();
    let folder = folder(&text, &[("chain.pem", &chain), ("key.pem", &key), ("file", "")]);
    let file = folder.path().join("waypost.toml");
    let check = run(Command::new(program()).args(["check", "--offline", "--config"]).arg(&file));
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    for (from, to, told) in [
        ("\"spool\"", "\"file\"", "is no folder"),
        ("\"spool\"", "\"/proc/spool\"", "/proc/spool"),
        ("\"spool\"", "\"missing/spool\"", "missing/spool"),
        ("\"control\"", "\"missing/control\"", "missing/control cannot be bound"),
        ("\"control\"", "\"file\"", "file exists and is no socket"),
        ("#LISTENER", "max-connections = 100000000", "raise LimitNOFILE to"),
        ("#SERVER", "user = \"nosuchuser\"", "there is no user `nosuchuser`"),
        ("#SERVER", "user = \"nobody\"\ngroup = \"nosuchgroup\"", "no group `nosuchgroup`"),
    ] {
        if to.contains("user") && !rustix::process::geteuid().is_root() {
            continue;
        }
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        for command in [&["check", "--offline"][..], &["run"]] {
            let said = refusal(command, &file);
            assert!(said.contains(told), "{command:?}, {to}: {told} is missing in\n{said}");
        }
    }
    // Larger messages than it may hold would be put off for ever, though it starts.
    fs::write(&file, text.replace("\"spool\"", "\"spool\"\nmax-bytes = \"1MiB\"")).unwrap();
    fs::create_dir(folder.path().join("spool")).unwrap();
    fs::set_permissions(folder.path().join("spool"), fs::Permissions::from_mode(0o700)).unwrap();
    let said = refusal(&["check", "--offline"], &file);
    assert!(said.contains("max-bytes of [spool] allows 1048576"), "{said}");
}

/// Root may read a key that the user of the configuration may not.
fn as_who_serves() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let authority = Authority::new();
    let (chain, key) = authority.issue(&["localhost"]);
    let text = configuration().replace("#SERVER", "user = \"nobody\"");
    let folder = folder(&text, &[("chain.pem", &chain), ("key.pem", &key)]);
    let file = folder.path().join("waypost.toml");
    let nobody = 65534;
    chown(folder.path(), Some(nobody), None).unwrap();
    fs::set_permissions(folder.path().join("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    for command in [&["check", "--offline"][..], &["run"]] {
        let said = refusal(command, &file);
        for told in ["key.pem", "Permission denied", "nobody"] {
            assert!(said.contains(told), "{command:?}: {told} is missing in\n{said}");
        }
    }
    chown(folder.path().join("key.pem"), Some(nobody), None).unwrap();
    let check = run(Command::new(program()).args(["check", "--offline", "--config"]).arg(&file));
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success() && said.contains("ok     user: nobody"), "{said}");
}

/// A policy over a file, by which everybody in any domain may log in.
const LDAP: &str = r#"[server]
hostname = "mail.localdomain.test"

[listener.imap]
protocol = "imap"
bind = ["127.0.0.1:PORT"]
tls = "none"
allow-plaintext-login = true

[listener.lmtp]
protocol = "lmtp"
bind = ["127.0.0.1:MX"]
tls = "none"

[smtp]
postmaster = "postmaster@localdomain.test"

[directory.main]
ldif = "users.ldif"
base = "dc=localdomain,dc=test"
password-field = "userPassword"

[policy.ldap]
plugin = "builtin:ldap-routing"
directories = { main = ["mail", "mailHost"] }
targets = ["127.0.0.2"]
verification = ["backend", "password"]

[policy.ldap.settings]
directory = "main"
search-base = "dc=localdomain,dc=test"
search-pattern = "mail=%e"
host-field = "mailHost"
#SETTINGS

[policy.other]
plugin = "builtin:shard"
targets = ["127.0.0.2"]
settings = { shards = { one = { hosts = "127.0.0.2" } } }

[domain."localdomain.test"]
policies = ["other"]

[domain."*"]
policies = ["ldap"]
"#;
const LDIF: &str = "dn: uid=user1,dc=localdomain,dc=test\nmail: user1@localdomain.test\n";

fn misconfigured() {
    let text = LDAP.replace("PORT", &free_port().to_string());
    let text = text.replace("MX", &free_port().to_string());
    let folder = folder(&text, &[("users.ldif", LDIF)]);
    let file = folder.path().join("waypost.toml");
    let check = run(Command::new(program()).args(["check", "--offline", "--config"]).arg(&file));
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    for (from, to, told) in [
        ("\"mailHost\"\n", "\"mailHots\"\n", "\"mailHots\" is not among"),
        ("directory = \"main\"", "directory = \"mian\"", "mian"),
        (
            "search-base = \"dc=localdomain",
            "search-base = \"dc=elsewhere",
            "not at or below the directory",
        ),
    ] {
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let said = refusal(&["check", "--offline"], &file);
        let line = said.lines().find(|line| line.starts_with("WRONG  policy ldap, domain *"));
        assert!(line.is_some_and(|line| line.contains(told)), "{to}: {told} is missing in\n{said}");
    }
}

/// The configuration's judgement of what the plugin does with whom it does not know, against what
/// it does.
fn fallback() {
    let text = LDAP.replace("PORT", &free_port().to_string());
    let text = text.replace("MX", &free_port().to_string());
    let folder = folder(&text, &[("users.ldif", LDIF)]);
    let file = folder.path().join("waypost.toml");
    for verify in ["backend", "password"] {
        for on in ["", "fallback-on = [\"no-host-field\"]", "fallback-on = [\"no-entry\"]"] {
            if verify == "password" && on.contains("no-entry") {
                // The plugin itself refuses that.
                continue;
            }
            let settings = format!("verify = {verify:?}\nfallback-hosts = [\"127.0.0.2\"]\n{on}");
            let with_mail = text.replace("#SETTINGS", &settings);
            let (login, rest) = with_mail.split_once("[listener.lmtp]").unwrap();
            let rest = rest.split_once("[directory").unwrap().1;
            fs::write(&file, format!("{login}[directory{rest}")).unwrap();
            let mut route = Command::new(program());
            let route = route.args(["route", "nobody@elsewhere.test", "--config"]).arg(&file);
            let falls_back = run(route).status.success();
            fs::write(&file, &with_mail).unwrap();
            let check = ["check", "--offline", "--config"];
            let check = run(Command::new(program()).args(check).arg(&file));
            let said = String::from_utf8_lossy(&check.stderr).into_owned();
            assert_eq!(
                said.contains("must not fall back for no-entry"),
                falls_back,
                "{settings}: {said}"
            );
        }
    }
}
