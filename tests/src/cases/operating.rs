//! What an operator does: reload, renew certificates, check, ask for a route, stop.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Case;
use crate::clusters::mailboxes::{Cluster, Plan, local};
use crate::servers::{free_port, program, run, wait_for};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("operating::a_reload_takes_effect_and_touches_no_session", reload),
    ("operating::a_broken_configuration_leaves_the_one_before_in_force", broken_reload),
    ("operating::a_renewed_certificate_is_served_without_restart", renewed_certificate),
    ("operating::check_names_the_place_of_what_is_wrong", check),
    ("operating::route_says_where_and_why", route),
    ("operating::sigterm_lets_sessions_go_on_for_the_grace", drain),
    ("operating::a_drained_waypost_does_not_wait_for_the_grace", drained_early),
];

/// Above every request of a reload to be seen in the log.
const SOON: Duration = Duration::from_secs(10);

fn change(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

fn login(cluster: &Cluster, user: &str) -> (Talk, String) {
    let mut talk = Talk::greeted(cluster.doors.imap);
    let said = talk.imap("a", &format!("LOGIN {user}@localdomain.test {user}"));
    (talk, said)
}

fn still_answers(session: &mut Talk) {
    let said = session.imap("n", "NOOP");
    assert!(said.starts_with("n OK"), "the session that was open goes on: {said}");
}

fn reload() {
    let cluster = Cluster::start(&Plan::default());
    cluster.south.add_user("guest@localdomain.test", "guest", "Welcome to south");
    let (mut held, said) = login(&cluster, "user1");
    assert!(said.starts_with("a OK"), "{said}");
    let (_, said) = login(&cluster, "guest");
    assert!(said.starts_with("a NO [AUTHENTICATIONFAILED]"), "the directory has no guest: {said}");
    let setting = "use-first = true\n";
    let fallback = format!("{setting}fallback-hosts = [\"127.0.0.3\"]\n");
    change(&cluster.waypost.configuration(), setting, &fallback);
    cluster.waypost.reload();
    wait_for("the reload", SOON, || cluster.waypost.log().contains("loaded anew").then_some(()));
    // What the policy decided under the old setting is not kept.
    let (_, said) = login(&cluster, "guest");
    assert!(said.starts_with("a OK"), "{said}");
    still_answers(&mut held);
}

fn broken_reload() {
    let cluster = Cluster::start(&Plan::default());
    let (mut held, said) = login(&cluster, "user1");
    assert!(said.starts_with("a OK"), "{said}");
    let file = cluster.waypost.configuration();
    let good = fs::read_to_string(&file).unwrap();
    let mut wrong = Vec::new();
    for (from, to, key) in [
        ("[login]\n", "[login]\nretry-fro = \"1s\"\n", "login.retry-fro"),
        ("search-pattern = \"mail=%e\"", "search-pattern = \"mail=%q\"", "search-pattern"),
        ("host-field = \"mailHost\"", "host-field = 7", "host-field"),
    ] {
        let line = line_of(&good, from) + usize::from(to.contains("retry-fro"));
        let before = cluster.waypost.log().len();
        change(&file, from, to);
        cluster.waypost.reload();
        let said = wait_for("the refusal", SOON, || {
            let log = cluster.waypost.log();
            let said = log.get(before..).unwrap_or_default().to_owned();
            (said.contains("was not loaded") && said.contains(" error")).then_some(said)
        });
        wrong.push(said.clone());
        assert!(said.contains(key), "{key}: {said}");
        assert!(said.contains(&format!("waypost.toml:{line}:")), "line {line}: {said}");
        let (_, said) = login(&cluster, "user3");
        assert!(said.starts_with("a OK"), "the configuration before serves on: {said}");
        still_answers(&mut held);
        fs::write(&file, &good).unwrap();
    }
    for said in wrong {
        assert!(
            said.contains("1 error"),
            "what is wrong, and nothing that follows from it: {said}"
        );
    }
}

/// The number of the line in which `part` begins.
fn line_of(text: &str, part: &str) -> usize {
    let at = text.find(part).unwrap();
    text[..at].lines().count() + usize::from(text[..at].ends_with('\n'))
}

fn renewed_certificate() {
    let cluster = Cluster::start(&Plan::default());
    assert!(!served_names(&cluster).contains("renewed"), "{}", served_names(&cluster));
    // Nobody says anything: the files are looked at.
    renew(&cluster, "renewed.localdomain.test");
    wait_for("the renewed certificate", Duration::from_secs(15), || {
        served_names(&cluster).contains("renewed.localdomain.test").then_some(())
    });
    // SIGHUP is faster.
    renew(&cluster, "again.localdomain.test");
    cluster.waypost.reload();
    wait_for("the certificate after SIGHUP", Duration::from_secs(4), || {
        served_names(&cluster).contains("again.localdomain.test").then_some(())
    });
}

fn renew(cluster: &Cluster, name: &str) {
    let (chain, key) = cluster.authority.issue(&["localhost", "127.0.0.1", "::1", name]);
    for (file, content) in [("key.pem", key), ("chain.pem", chain)] {
        let new = cluster.waypost.file("new.pem");
        fs::write(&new, content).unwrap();
        fs::rename(&new, cluster.waypost.file(file)).unwrap();
    }
}

/// The names in the certificate that a client at the IMAPS door gets, and believes.
fn served_names(cluster: &Cluster) -> String {
    let script = "import socket, ssl, sys\n\
                  context = ssl.create_default_context(cafile=sys.argv[2])\n\
                  with socket.create_connection(('127.0.0.1', int(sys.argv[1])), 10) as s:\n    \
                  with context.wrap_socket(s, server_hostname='localhost') as tls:\n        \
                  print(tls.getpeercert()['subjectAltName'])\n";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(cluster.doors.imaps.to_string()).arg(cluster.ca());
    let output = run(&mut command);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn command(name: &str, configuration: &Path, arguments: &[&str]) -> (Output, String) {
    let mut command = Command::new(program());
    command.arg(name).arg("--config").arg(configuration).args(arguments);
    let output = run(&mut command);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output, said)
}

fn check() {
    let cluster = Cluster::start(&Plan::default());
    let file = cluster.waypost.configuration();
    let (output, said) = command("check", &file, &[]);
    assert!(output.status.success(), "{said}");
    let good = fs::read_to_string(&file).unwrap();
    let broken = cluster.waypost.file("broken.toml");
    let nobody = format!("ldap://127.0.0.1:{}", free_port());
    let url = cluster.slapd.url();
    for (from, to, told) in [
        ("hostname = ", "hostnaem = ", ["server.hostnaem", "broken.toml:2:", "hostname"]),
        ("builtin:ldap-routing", "chain.pem", ["policy.ldap.plugin", "broken.toml:", "chain.pem"]),
        ("builtin:ldap-routing", "no.wasm", ["policy.ldap.plugin", "broken.toml:", "no.wasm"]),
        ("mail=%e", "mail=%q", ["policy.ldap.settings.search-pattern", "broken.toml:", "%q"]),
        (&url, &nobody, ["directory main", &nobody, "WRONG"]),
        ("ldap.secret", "key.pem", ["directory main", &url, "WRONG"]),
    ] {
        fs::write(&broken, good.replacen(from, to, 1)).unwrap();
        let (output, said) = command("check", &broken, &[]);
        assert_eq!(output.status.code(), Some(1), "{to}: {said}");
        for told in told {
            assert!(said.contains(told), "{to}: {told} is missing in\n{said}");
        }
        let once = said.matches(&format!("error: {}", told[0])).count() <= 1;
        assert!(once, "{to}: everything is said once\n{said}");
    }
    // A directory that does not answer is no mistake of the file.
    fs::write(&broken, good.replacen(&url, &nobody, 1)).unwrap();
    let (output, said) = command("check", &broken, &["--offline"]);
    assert!(output.status.success(), "{said}");
}

fn route() {
    let mut cluster = Cluster::start(&Plan::default());
    let file = cluster.waypost.configuration();
    // A bare name gets the listener's domain.
    for address in ["user3@localdomain.test", "user3"] {
        let (output, said) = command("route", &file, &[address]);
        assert!(output.status.success(), "{said}");
        let north = cluster.north.ports().imap;
        for told in [
            "address  user3@localdomain.test",
            "policy   ldap",
            "search main",
            "dc=localdomain,dc=test",
            "(mail=user3@localdomain.test)",
            "1 found",
            &format!("127.0.0.3 port {north}"),
        ] {
            assert!(said.contains(told), "{told} is missing in\n{said}");
        }
    }
    for (address, told) in [
        ("nobody@localdomain.test", "unknown-user"),
        ("user3@elsewhere.test", "not served"),
        ("two@at@signs", "waypost: "),
    ] {
        let (output, said) = command("route", &file, &[address]);
        assert_eq!(output.status.code(), Some(1), "{address}: {said}");
        assert!(said.contains(told), "{told} is missing in\n{said}");
    }
    cluster.slapd.stop();
    let (output, said) = command("route", &file, &["user3"]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the directory cannot be asked"), "{said}");
}

fn drain() {
    let server = "shutdown-grace = \"2s\"\n".to_owned();
    let mut cluster = Cluster::start(&Plan { server, ..Plan::default() });
    let (mut held, said) = login(&cluster, "user1");
    assert!(said.starts_with("a OK"), "{said}");
    let mut waiting = Talk::greeted(cluster.doors.pop3);
    let began = Instant::now();
    cluster.waypost.process().signal(Signal::TERM);
    cluster.waypost.process().wait_for_log("draining");
    wait_for("closed doors", Duration::from_secs(1), || {
        let doors = [cluster.doors.imap, cluster.doors.imaps, cluster.doors.pop3];
        doors.iter().all(|door| TcpStream::connect(local(*door)).is_err()).then_some(())
    });
    still_answers(&mut held);
    let code = cluster.waypost.process().wait(SOON);
    let took = began.elapsed();
    assert_eq!(code, Some(0), "{}", cluster.waypost.log());
    assert!((1900..5000).contains(&took.as_millis()), "{took:?}");
    held.rest();
    let said = waiting.rest();
    assert!(said.starts_with("-ERR [SYS/TEMP]"), "who has not logged in is told: {said}");
    let log = cluster.waypost.log();
    let line = log.lines().find(|line| line.contains("user1@") && line.contains("session ended"));
    assert!(line.is_some(), "a session that is cut off has its line too: {log}");
}

fn drained_early() {
    let mut cluster = Cluster::start(&Plan::default());
    let (mut held, said) = login(&cluster, "user1");
    assert!(said.starts_with("a OK"), "{said}");
    cluster.waypost.process().signal(Signal::TERM);
    cluster.waypost.process().wait_for_log("draining");
    let said = held.imap("b", "LOGOUT");
    assert!(said.starts_with("b OK") || said.starts_with("* BYE"), "{said}");
    drop(held);
    // The usual grace is 30 seconds.
    assert_eq!(cluster.waypost.process().wait(SOON), Some(0), "{}", cluster.waypost.log());
}
