//! Clients behind a load balancer: PROXY headers in, from those who are trusted, and out.

use std::net::{Ipv6Addr, SocketAddr};

use super::Case;
use crate::clusters::mailboxes::{Cluster, Door, Plan};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("proxy_protocol::the_log_and_the_back_end_show_the_headers_address", headers_in),
    ("proxy_protocol::a_header_from_elsewhere_is_rubbish", header_from_elsewhere),
    ("proxy_protocol::a_trusted_peer_without_header_is_closed_upon", no_header),
    ("proxy_protocol::a_back_end_gets_a_header_where_it_wants_one", header_out),
];

/// In clear, since the header comes before everything else and what follows does not matter. Only
/// 127.0.0.1 is trusted: ::1 reaches the same listener from elsewhere.
const TRUSTED: &str = "allow-plaintext-login = true\nproxy-protocol-from = [\"127.0.0.1\"]\n";

/// RFC 5737 and RFC 3849: addresses that nobody has.
const V1: &[u8] = b"PROXY TCP4 198.51.100.7 203.0.113.9 40001 143\r\n";
const V1_OF_IPV6: &[u8] = b"PROXY TCP6 2001:db8::7 2001:db8::9 40002 143\r\n";
/// 198.51.100.8 port 40003 to 203.0.113.9 port 143, with a TLV that nobody needs to know.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x10\xc6\x33\x64\x08\xcb\x00\x71\x09\x9c\x43\
                    \x00\x8f\xe0\x00\x01\x00";

fn headers_in() {
    let imap = Door::imap("balanced-imap", TRUSTED);
    let pop3 = Door::pop3("balanced-pop3", TRUSTED);
    let more = imap.text.clone() + &pop3.text;
    let backend = "client-identity = \"id\"\n".to_owned();
    let mut cluster = Cluster::start(&Plan { more, backend, ..Plan::default() });
    for (header, rip, lip) in [
        (V1, "rip=198.51.100.7", "lip=203.0.113.9"),
        (V1_OF_IPV6, "rip=2001:db8::7", "lip=2001:db8::9"),
        (V2, "rip=198.51.100.8", "lip=203.0.113.9"),
    ] {
        let mut talk = Talk::connect(imap.port);
        talk.send(header);
        let greeting = talk.line();
        assert!(greeting.starts_with("* OK"), "{greeting}");
        let said = talk.imap("a", "LOGIN user1@localdomain.test user1");
        assert!(said.starts_with("a OK"), "{said}");
        talk.imap("b", "LOGOUT");
        let log = cluster.north.log();
        let told = format!("{rip}, {lip}");
        let mut lines = log.lines().filter(|line| line.contains("imap-login: Info: Login"));
        assert!(lines.any(|line| line.contains(&told)), "{told}: {log}");
        // The header and what follows it in one write.
        let mut talk = Talk::connect(pop3.port);
        talk.send(&[header, b"USER user4@localdomain.test\r\nPASS user4\r\nQUIT\r\n"].concat());
        let said = talk.rest();
        assert_eq!(said.lines().filter(|line| line.starts_with("+OK")).count(), 4, "{said}");
        // POP3's XCLIENT has no word for where the client wanted to go.
        let log = cluster.south.log();
        let mut lines = log.lines().filter(|line| line.contains("pop3-login: Info: Login"));
        assert!(lines.any(|line| line.contains(&format!("{rip},"))), "{rip}: {log}");
    }
    cluster.waypost.stop();
    let log = cluster.waypost.log();
    for client in ["198.51.100.7:40001", "[2001:db8::7]:40002", "198.51.100.8:40003"] {
        let told = format!("client={client} ");
        let lines = log.lines().filter(|line| line.contains("session ended"));
        assert_eq!(lines.filter(|line| line.contains(&told)).count(), 2, "{told}: {log}");
    }
}

fn header_from_elsewhere() {
    let imap = Door::imap("balanced-imap", TRUSTED);
    let pop3 = Door::pop3("balanced-pop3", TRUSTED);
    let more = imap.text.clone() + &pop3.text;
    let cluster = Cluster::start(&Plan { more, ..Plan::default() });
    for (header, told) in [(V1, "198.51.100.7"), (V2, "198.51.100.8")] {
        for (port, rubbish) in [(imap.port, " BAD"), (pop3.port, "-ERR")] {
            let mut talk = Talk::connect_to(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
            talk.line();
            talk.send(header);
            talk.send(b"\r\n");
            let answer = talk.line();
            assert!(answer.contains(rubbish), "{answer}");
        }
        // Where nobody is trusted at all.
        let mut talk = Talk::greeted(cluster.doors.imap);
        talk.send(header);
        talk.send(b"\r\n");
        let answer = talk.line();
        assert!(answer.contains(" BAD"), "{answer}");
        let log = cluster.waypost.log();
        assert!(!log.contains(&format!("client={told}")), "{log}");
    }
}

fn no_header() {
    let imap = Door::imap("balanced-imap", TRUSTED);
    let cluster = Cluster::start(&Plan { more: imap.text.clone(), ..Plan::default() });
    for instead in [
        &b"a LOGIN user1@localdomain.test user1\r\n"[..],
        b"PROXY TCP4 nobody 203.0.113.9 40001 143\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x0c\xc6\x33\x64\x08\xcb\x00\x71\x09\x9c\x43\x00\x8f",
    ] {
        let mut talk = Talk::connect(imap.port);
        talk.send(instead);
        assert_eq!(talk.rest(), "", "not even a greeting");
    }
    let log = cluster.waypost.log();
    let told = log.lines().any(|line| line.contains("balanced-imap") && line.contains("PROXY"));
    assert!(told, "the operator hears of it: {log}");
}

fn header_out() {
    let cluster = Cluster::start(&Plan { backend_proxied: true, ..Plan::default() });
    for door in [cluster.doors.imap, cluster.doors.pop3] {
        let mut talk = Talk::connect_to(SocketAddr::from((Ipv6Addr::LOCALHOST, door)));
        if talk.line().starts_with("* OK") {
            let said = talk.imap("a", "LOGIN user1@localdomain.test user1");
            assert!(said.starts_with("a OK"), "{said}");
        } else {
            let said = talk.pop3_login("user1@localdomain.test", "user1");
            assert!(said.starts_with("+OK"), "{said}");
        }
    }
    let log = cluster.north.log();
    for service in ["imap-login: Info: Login", "pop3-login: Info: Login"] {
        let line = log.lines().rfind(|line| line.contains(service));
        assert!(line.is_some_and(|line| line.contains("rip=::1, lip=::1")), "{service}: {log}");
    }
}
