//! What the log tells an operator, and what it keeps to itself.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::Case;
use crate::servers::{Waypost, free_port, free_port_on, program, run, wait_for};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("log::hashes_hide_users_whom_a_back_end_quotes_as_well", quoting),
    ("log::a_dead_back_end_is_warned_of_once", dead),
    ("log::the_operator_s_faults_are_warnings_and_who_is_in_is_said_at_once", levels),
];

const SOON: Duration = Duration::from_secs(20);

/// A door for IMAP, and users whom a file takes to `hosts`: `user1` to the first, and so on.
fn start(port: u16, server: &str, listener: &str, hosts: &[&str]) -> Waypost {
    let mut users = String::new();
    for (number, host) in hosts.iter().enumerate() {
        let user = format!("user{}", number + 1);
        let _ = write!(users, "dn: uid={user},dc=example,dc=test\nmail: {user}@example.test\n");
        if !host.is_empty() {
            let _ = writeln!(users, "mailHost: {host}");
        }
        users.push('\n');
    }
    let configuration = format!(
        r#"[server]
hostname = "mail.example.test"
{server}

[login]
retry-for = "1s"
auth-failure-delay = "0s"

[listener.door]
protocol = "imap"
bind = ["127.0.0.1:{port}"]
tls = "none"
allow-plaintext-login = true
{listener}

[directory.main]
ldif = "users.ldif"

[policy.ldap]
plugin = "builtin:ldap-routing"
directories = {{ main = ["mail", "mailHost"] }}
targets = ["127.0.0.2"]
settings = {{ directory = "main", search-base = "%s", search-pattern = "mail=%e", host-field = "mailHost" }}

[domain."example.test"]
policies = ["ldap"]

[backend."*"]
imap = {{ tls = "none" }}
"#
    );
    Waypost::start(&configuration, &[("users.ldif", &users)])
}

/// Answers every login with `reply`, in which `%` stands for the user. It lives as
/// long as the process of all tests; where it listens.
fn back_end(reply: &'static str) -> String {
    let host = [127, 0, 0, 2].into();
    let address = SocketAddr::new(host, free_port_on(&[host]));
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || converse(stream, reply));
        }
    });
    address.to_string()
}

fn converse(stream: TcpStream, reply: &str) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    writer.write_all(b"* OK [CAPABILITY IMAP4rev1] scripted\r\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let (tag, command) = line.split_once(' ').unwrap_or(("*", &line));
        let is_login = command.starts_with("LOGIN");
        let user = command.split(' ').nth(1).unwrap_or_default().trim_matches('"');
        let said = if is_login { reply.replace('%', user) } else { "OK".to_owned() };
        writer.write_all(format!("{tag} {said}\r\n").as_bytes())?;
    }
    Ok(())
}

fn log_in(port: u16, user: &str) -> String {
    Talk::greeted(port).imap("a", &format!("LOGIN {user} secret"))
}

/// The one line that has all of `parts`.
#[track_caller]
fn line(log: &str, parts: &[&str]) -> String {
    let lines = log.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 1, "{parts:?}: {lines:#?}\n{log}");
    lines[0].to_owned()
}

fn quoting() {
    let port = free_port();
    let hosts = [
        back_end("NO [UNAVAILABLE] the mailbox of % is locked"),
        back_end("NO [ALERT] who is %"),
        back_end("BAD what is %"),
    ];
    let hosts = hosts.each_ref().map(String::as_str);
    let server = "log-addresses = \"hash\"\nlog-level = \"trace\"\n";
    let mut waypost = start(port, server, "", &hosts);
    for user in ["user1@example.test", "user2@example.test", "user3@example.test"] {
        assert!(log_in(port, user).starts_with("a NO"));
    }
    waypost.stop();
    let log = waypost.log();
    let shown = |line: &&str| (1..=3).any(|number| line.contains(&format!("user{number}")));
    assert_eq!(log.lines().find(shown), None);
    assert!(log.contains("the back end is temporarily unavailable"), "{log}");
    assert!(log.contains("the back end does not understand the login"), "{log}");
}

fn dead() {
    let port = free_port();
    let host = [127, 0, 0, 2].into();
    let dead = SocketAddr::new(host, free_port_on(&[host])).to_string();
    let mut waypost = start(port, "", "", &[&dead, &dead]);
    for _ in 0..3 {
        let said = log_in(port, "user1@example.test");
        assert!(said.starts_with("a NO [UNAVAILABLE]"), "{said}\n{}", waypost.log());
    }
    waypost.stop();
    let log = waypost.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains(" WARN waypost::")).collect();
    let of_health = warnings.iter().filter(|line| line.contains("is down and skipped")).count();
    assert_eq!((of_health, warnings.iter().filter(|line| line.contains(&dead)).count()), (1, 1));
    assert!(!log.contains("a target failed"), "{log}");
    let put_off: Vec<_> = log.lines().filter(|line| line.contains("login put off")).collect();
    assert_eq!(put_off.len(), 3, "{log}");
    // With each repetition within the second that it is tried for, and not for those without one.
    assert!(put_off.iter().all(|line| line.contains(" INFO ")), "{log}");
    assert!(put_off[0].contains("tries=2") || put_off[0].contains("tries=3"), "{log}");
}

fn levels() {
    let port = free_port();
    let answers = [
        back_end("OK [CAPABILITY IMAP4rev1] in"),
        back_end("NO [AUTHENTICATIONFAILED] no"),
        "127.0.0.3".to_owned(),
        String::new(),
    ];
    let hosts = answers.each_ref().map(String::as_str);
    let mut waypost = start(port, "", "default-domain = \"example.test\"", &hosts);
    let mut talk = Talk::greeted(port);
    assert!(talk.imap("a", "LOGIN user1 secret").starts_with("a OK"));
    // It is written when the client has been told.
    wait_for("the line", SOON, || waypost.log().contains("logged in").then_some(()));
    let log = waypost.log().replace('"', "");
    let logged_in = line(&log, &["logged in", "user=user1@example.test"]);
    for part in [" INFO ", "passed_on_as=user1", "tls=none", "enter=client", "listener=door"] {
        assert!(logged_in.contains(part), "{part}: {logged_in}");
    }
    let at = format!("addresses=127.0.0.1:{port}");
    line(&log, &[" INFO ", "listening", "listener=door", "protocol=imap", &at]);
    let mut route = Command::new(program());
    route.args(["route", "--config"]).arg(waypost.configuration()).args([
        "--protocol",
        "imap",
        "user1",
    ]);
    let said = run(&mut route).stdout;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("name     passed on as user1\n"), "{said}");
    for user in ["user2", "user3", "user4", "user4"] {
        assert!(log_in(port, user).starts_with("a NO"));
    }
    drop(talk);
    waypost.stop();
    let log = waypost.log().replace('"', "");
    let refused = line(&log, &["login refused", "user=user2@example.test", "outcome=rejected"]);
    for part in [" INFO ", "tries=1", "passed_on_as=user2"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    line(&log, &[" WARN ", "login put off", "user=user3@example.test", "outcome=target-denied"]);
    // Twice within a minute it is a warning once.
    line(&log, &[" WARN ", "login put off", "user=user4@example.test", "outcome=bad-data"]);
    line(&log, &[" INFO ", "login put off", "user=user4@example.test", "outcome=bad-data"]);
}
