//! What the log tells an operator, and what it keeps to itself.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::Case;
use crate::servers::{Waypost, free_port, free_port_on};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] =
    &[("log::hashes_hide_users_whom_a_back_end_quotes_as_well", quoting)];

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
