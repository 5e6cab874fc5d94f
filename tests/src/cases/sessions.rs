//! Sessions go where the directory says, with every client, in clear, over STARTTLS and over TLS,
//! IPv4 and IPv6.

use std::net::SocketAddr;

use super::Case;
use crate::clients::{self, Account, Read, Tls};
use crate::clusters::mailboxes::{Cluster, Plan};

pub(crate) const CASES: &[Case] = &[
    ("sessions::every_client_reads_the_right_mailbox", every_client_reads_the_right_mailbox),
    ("sessions::ipv6_clients_are_served", ipv6_clients_are_served),
    ("sessions::back_ends_over_implicit_tls", back_ends_over_implicit_tls),
    ("sessions::back_ends_in_clear_where_the_operator_says_so", back_ends_in_clear),
    ("sessions::the_back_end_learns_who_the_client_is", the_back_end_learns_who_the_client_is),
];

type Client = fn(&Account<'_>) -> Read;

const IMAP_CLIENTS: [(&str, Client); 4] = [
    ("curl", clients::curl_imap),
    ("imaplib", clients::imaplib),
    ("mbsync", clients::mbsync),
    ("fetchmail", |account| clients::fetchmail(account, "imap")),
];
const POP3_CLIENTS: [(&str, Client); 3] = [
    ("curl", clients::curl_pop3),
    ("poplib", clients::poplib),
    ("fetchmail", |account| clients::fetchmail(account, "pop3")),
];
const USERS: [(&str, &str); 4] =
    [("user1", "north"), ("user2", "north"), ("user3", "south"), ("user4", "south")];

fn every_client_reads_the_right_mailbox() {
    let cluster = Cluster::start(&Plan::default());
    let ca = cluster.ca();
    for tls in [Tls::None, Tls::Start, Tls::Implicit] {
        for (number, (user, host)) in USERS.into_iter().enumerate() {
            let address = format!("{user}@localdomain.test");
            let expected = Ok(vec![format!("Welcome to {host}")]);
            // Each user with one of the clients, and all clients with all kinds of TLS.
            let (name, client) = IMAP_CLIENTS[number % IMAP_CLIENTS.len()];
            let account = cluster.imap(tls, &address, user, &ca);
            assert_eq!(client(&account), expected, "IMAP, {name}, {tls:?}, {user}");
            let (name, client) = POP3_CLIENTS[number % POP3_CLIENTS.len()];
            let account = cluster.pop3(tls, &address, user, &ca);
            assert_eq!(client(&account), expected, "POP3, {name}, {tls:?}, {user}");
        }
    }
    let bare = cluster.imap(Tls::Implicit, "user3", "user3", &ca);
    assert!(clients::imaplib(&bare).is_err(), "the back ends know whole addresses only");
}

fn ipv6_clients_are_served() {
    let cluster = Cluster::start(&Plan::default());
    let ca = cluster.ca();
    for tls in [Tls::None, Tls::Start, Tls::Implicit] {
        let mut account = cluster.imap(tls, "user1@localdomain.test", "user1", &ca);
        account.server = SocketAddr::new("::1".parse().unwrap(), account.server.port());
        assert_eq!(clients::imaplib(&account), Ok(vec!["Welcome to north".to_owned()]), "{tls:?}");
        let mut account = cluster.pop3(tls, "user3@localdomain.test", "user3", &ca);
        account.server = SocketAddr::new("::1".parse().unwrap(), account.server.port());
        assert_eq!(clients::poplib(&account), Ok(vec!["Welcome to south".to_owned()]), "{tls:?}");
    }
}

fn reads_both(cluster: &Cluster) {
    let ca = cluster.ca();
    let account = cluster.imap(Tls::Implicit, "user1@localdomain.test", "user1", &ca);
    assert_eq!(clients::imaplib(&account), Ok(vec!["Welcome to north".to_owned()]));
    let account = cluster.pop3(Tls::Implicit, "user4@localdomain.test", "user4", &ca);
    assert_eq!(clients::poplib(&account), Ok(vec!["Welcome to south".to_owned()]));
}

fn back_ends_over_implicit_tls() {
    reads_both(&Cluster::start(&Plan { backend_tls: "implicit", ..Plan::default() }));
}

fn back_ends_in_clear() {
    reads_both(&Cluster::start(&Plan { backend_tls: "none", ..Plan::default() }));
}

/// Dovecot takes the client's address from IMAP's ID and POP3's XCLIENT, since it trusts the
/// networks of the test (`login_trusted_networks`), and writes it to its log as `rip`. XCLIENT
/// carries no local address.
fn the_back_end_learns_who_the_client_is() {
    let backend = "client-identity = \"id\"\n".to_owned();
    let cluster = Cluster::start(&Plan { backend, ..Plan::default() });
    let ca = cluster.ca();
    let mut account = cluster.imap(Tls::Implicit, "user1@localdomain.test", "user1", &ca);
    account.server = SocketAddr::new("::1".parse().unwrap(), account.server.port());
    assert_eq!(clients::imaplib(&account), Ok(vec!["Welcome to north".to_owned()]));
    let log = cluster.north.log();
    assert!(log.contains("rip=::1, lip=::1"), "{log}");
    let mut account = cluster.pop3(Tls::Implicit, "user2@localdomain.test", "user2", &ca);
    account.server = SocketAddr::new("::1".parse().unwrap(), account.server.port());
    assert_eq!(clients::poplib(&account), Ok(vec!["Welcome to north".to_owned()]));
    let log = cluster.north.log();
    let pop3 = log.lines().rfind(|line| line.contains("pop3-login: Info: Login"));
    assert!(pop3.is_some_and(|line| line.contains("rip=::1")), "{log}");
}
