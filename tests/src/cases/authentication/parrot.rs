//! Back ends that repeat what they have heard.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::traces::shows;
use super::typed::{Typed, Way, is_in};
use crate::cases::Case;
use crate::clusters::logins::{LoginCluster, PASSWORD, Protocol};
use crate::clusters::mailboxes::MASTER_PASSWORD;
use crate::servers::free_port_on;

pub(crate) const CASES: &[Case] =
    &[("authentication::a_back_end_that_quotes_passwords_is_not_quoted", parrots)];

/// Says no to every login and quotes it, by IMAP. It lives as long as the process of all tests.
fn parrot(address: SocketAddr, no: &'static str) {
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || repeat(stream, no));
        }
    });
}

fn repeat(stream: TcpStream, no: &str) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    writer
        .write_all(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=OAUTHBEARER] parrot\r\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let tag = line.split(' ').next().unwrap_or("*");
        let is_login = ["LOGIN", "AUTHENTICATE"].iter().any(|verb| line.contains(verb));
        let reply =
            if is_login { format!("{tag} {no} {line}\r\n") } else { format!("{tag} OK\r\n") };
        writer.write_all(reply.as_bytes())?;
    }
    Ok(())
}

/// Neither in the log at its loudest, nor to a client that never knew it.
fn parrots() {
    let master = "enter = { with = \"master-user\", name = \"waypost\", \
                  password = { file = \"master.secret\" } }\n";
    let mut more = String::new();
    let mut people = Vec::new();
    let words = ["BAD what is", "NO [ALERT] who is", "NO [UNAVAILABLE] not now:"];
    // Beside the usual password one that IMAP has to quote.
    for (number, (password, enter, no)) in [PASSWORD, "tan\"staaf\\43"]
        .into_iter()
        .flat_map(|password| ["", master].map(|enter| (password, enter)))
        .flat_map(|(password, enter)| words.map(|no| (password, enter, no)))
        .enumerate()
    {
        let ip = format!("127.0.0.{}", 20 + number);
        let address = SocketAddr::new(ip.parse().unwrap(), free_port_on(&[ip.parse().unwrap()]));
        parrot(address, no);
        more += &format!("[backend.\"{ip}\"]\nimap = {{ tls = \"none\" }}\n{enter}\n");
        people.push((format!("user{number}"), password, address));
    }
    let mut cluster = LoginCluster::start("log-level = \"trace\"\n", &more);
    for (name, password, address) in &people {
        cluster.slapd.add(&format!(
            "dn: cn={name},dc=localdomain,dc=test\nobjectClass: inetOrgPerson\n\
             objectClass: inetLocalMailRecipient\ncn: {name}\nsn: {name}\n\
             mail: {name}@password.test\nuserPassword: {password}\nmailHost: {address}\n"
        ));
        for way in Way::ALL {
            let mut typed = Typed::greeted(&cluster, Protocol::Imap);
            let user = format!("{name}@password.test");
            let said = typed.log_in(way, user.as_bytes(), password.as_bytes());
            assert!(!is_in(&said), "{user}: {said}");
            assert!(!shows(said.as_bytes(), MASTER_PASSWORD), "{user}: {said}");
        }
    }
    cluster.waypost.stop();
    let log = cluster.waypost.log();
    assert!(log.contains("(withheld)"), "{log}");
    for secret in [PASSWORD, MASTER_PASSWORD, "staaf"] {
        let line = log.lines().find(|line| shows(line.as_bytes(), secret));
        assert_eq!(line, None, "{secret} is shown");
    }
}
