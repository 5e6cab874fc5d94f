//! What `--record` writes of a real cluster, and that it replays.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Case;
use crate::clusters::mailboxes::{Cluster, Plan};
use crate::servers::{Waypost, folder, program, run, wait_for};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("record::what_a_directory_answered_is_replayed_without_it", route),
    ("record::logins_are_recorded_while_they_are_served", serve),
];

/// Runs the program; whether it is well, and both ends.
fn waypost(arguments: &[&str], path: Option<&Path>) -> (bool, String) {
    let mut command = Command::new(program());
    command.args(arguments).args(path);
    let output = run(&mut command);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn recording(cluster: &Cluster, name: &str, user: &str, more: &[&str]) -> PathBuf {
    let folder = cluster.waypost.file(name);
    let configuration = cluster.waypost.configuration();
    let [folder_text, configuration] = [&folder, &configuration].map(|p| p.to_str().unwrap());
    let mut arguments = vec!["route", "--config", configuration, "--record", folder_text];
    arguments.extend(more);
    arguments.push(user);
    let (_, said) = waypost(&arguments, None);
    assert!(said.contains("policy   ldap"), "{said}");
    folder
}

fn route() {
    let mut cluster = Cluster::start(&Plan::default());
    let user = "user3@localdomain.test";
    let covered = recording(&cluster, "covered", user, &[]).join("ldap.toml");
    let clear = recording(&cluster, "clear", user, &["--record-clear"]).join("ldap.toml");
    let nobody = recording(&cluster, "nobody", "nobody@localdomain.test", &[]).join("ldap.toml");
    // The directory is not there any more.
    cluster.slapd.stop();
    for file in [&covered, &clear, &nobody] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o7777, 0o600);
        let (is_well, said) = waypost(&["plugin", "test"], Some(file));
        assert!(is_well && said.contains("1 case, 0 failed"), "{said}");
    }
    let text = fs::read_to_string(&covered).unwrap();
    for named in ["user3", "localdomain", "127.0.0.3"] {
        assert!(!text.contains(named), "{named} in\n{text}");
    }
    let text = fs::read_to_string(&clear).unwrap();
    for named in [user, "127.0.0.3", "(mail=user3@localdomain.test)"] {
        assert!(text.contains(named), "{named} is missing in\n{text}");
    }
    for text in [&covered, &clear, &nobody].map(|file| fs::read_to_string(file).unwrap()) {
        assert!(!text.contains("userPassword") && !text.contains("secret"), "{text}");
    }
    let (is_well, said) =
        waypost(&["route", "--record-clear", "user3", "--config"], Some(Path::new("/dev/null")));
    assert!(!is_well && said.contains("--record <FOLDER>"), "{said}");
}

fn serve() {
    let cluster = Cluster::start(&Plan::default());
    let text = fs::read_to_string(cluster.waypost.configuration()).unwrap();
    // The same once more, at other doors, with a recorder.
    let port = crate::servers::free_port();
    let listeners = text.find("[listener.").unwrap()..text.find("[tls]").unwrap();
    let listener = format!(
        "[listener.imap]\nprotocol = \"imap\"\nbind = [\"127.0.0.1:{port}\"]\ntls = \"starttls\"\n\
         allow-plaintext-login = true\n\n"
    );
    let mut other = text.clone();
    other.replace_range(listeners, &listener);
    let names = ["chain.pem", "key.pem", "ca.pem", "ldap.secret"];
    let files = names.map(|name| fs::read_to_string(cluster.waypost.file(name)).unwrap());
    let files: Vec<_> = names.iter().copied().zip(files.iter().map(String::as_str)).collect();
    let place = folder(&other, &files);
    let records = place.path().join("records");
    let mut recorder = Waypost::start_recording(place, &records);
    let login = |user: &str, password: &str| {
        let mut talk = Talk::greeted(port);
        talk.imap("a", &format!("LOGIN {user} {password}"))
    };
    assert!(login("user1@localdomain.test", "user1").starts_with("a OK"));
    assert!(login("user3@localdomain.test", "user3").starts_with("a OK"));
    assert!(login("nobody@localdomain.test", "hunter2").starts_with("a NO"));
    // A reload goes on in the same file.
    recorder.reload();
    wait_for("the reload", Duration::from_secs(10), || {
        recorder.log().contains("loaded anew").then_some(())
    });
    assert!(login("user2@localdomain.test", "user2").starts_with("a OK"));
    assert_eq!(recorder.stop(), Some(0), "{}", recorder.log());
    let entries = fs::read_dir(&records).unwrap();
    let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["ldap.toml"]);
    let file = records.join("ldap.toml");
    let (is_well, said) = waypost(&["plugin", "test"], Some(&file));
    let text = fs::read_to_string(&file).unwrap();
    assert!(is_well && said.contains("4 cases, 0 failed"), "{said}\n{text}");
    for named in ["user1", "user2", "user3", "nobody", "hunter2", "localdomain", "127.0.0."] {
        assert!(!text.contains(named), "{named} in\n{text}");
    }
}
