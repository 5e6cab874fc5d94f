//! What still works while something does not.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Case;
use crate::clients::{self, Tls};
use crate::clusters::mailboxes::{Cluster, Plan};

pub(crate) const CASES: &[Case] = &[
    ("outages::known_users_go_by_stale_routes_while_slapd_is_down", slapd_stops),
    ("outages::known_users_go_by_stale_routes_while_slapd_hangs", slapd_hangs),
    ("outages::one_back_end_down_leaves_the_others_users_untouched", one_back_end_stops),
    ("outages::a_host_list_fails_over", a_host_list_fails_over),
];

fn welcome(host: &str) -> clients::Read {
    Ok(vec![format!("Welcome to {host}")])
}

fn slapd_stops() {
    outage(|cluster| cluster.slapd.stop(), |cluster| cluster.slapd.resume());
}

/// A slapd that hangs accepts connections, since the kernel does, and never answers.
fn slapd_hangs() {
    outage(|cluster| cluster.slapd.process().freeze(), |cluster| cluster.slapd.process().thaw());
}

fn outage(begin: impl FnOnce(&mut Cluster), end: impl FnOnce(&mut Cluster)) {
    let directory = "search-timeout = \"1s\"\n".to_owned();
    let mut cluster = Cluster::start(&Plan { directory, ..Plan::default() });
    let ca = cluster.ca();
    let known = cluster.imap(Tls::Implicit, "user1@localdomain.test", "user1", &ca);
    let unknown = cluster.imap(Tls::Implicit, "user3@localdomain.test", "user3", &ca);
    assert_eq!(clients::imaplib(&known), welcome("north"));
    begin(&mut cluster);
    sleep(Duration::from_millis(1300));
    for _ in 0..3 {
        let began = Instant::now();
        assert_eq!(clients::imaplib(&known), welcome("north"));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    assert!(cluster.waypost.log().contains("stale"), "{}", cluster.waypost.log());
    let said = clients::imaplib(&unknown).unwrap_err();
    assert!(said.contains("UNAVAILABLE"), "{said}");
    let pop3 = cluster.pop3(Tls::Implicit, "user3@localdomain.test", "user3", &ca);
    let said = clients::poplib(&pop3).unwrap_err();
    assert!(said.contains("SYS/TEMP"), "{said}");
    end(&mut cluster);
    let deadline = Instant::now() + Duration::from_secs(20);
    while clients::imaplib(&unknown).is_err() {
        assert!(Instant::now() < deadline, "slapd is back and nobody noticed");
        sleep(Duration::from_millis(200));
    }
}

fn one_back_end_stops() {
    let mut cluster = Cluster::start(&Plan::default());
    let ca = cluster.ca();
    let north = cluster.imap(Tls::Implicit, "user1@localdomain.test", "user1", &ca);
    let south = cluster.imap(Tls::Implicit, "user3@localdomain.test", "user3", &ca);
    assert_eq!(clients::imaplib(&south), welcome("south"));
    cluster.south.stop();
    let said = clients::imaplib(&south).unwrap_err();
    assert!(said.contains("UNAVAILABLE"), "{said}");
    assert_eq!(clients::imaplib(&north), welcome("north"));
    cluster.south.resume();
    let deadline = Instant::now() + Duration::from_secs(20);
    while clients::imaplib(&south) != welcome("south") {
        assert!(Instant::now() < deadline, "south is back and nobody noticed");
        sleep(Duration::from_millis(200));
    }
}

fn a_host_list_fails_over() {
    let mut cluster = Cluster::start(&Plan::default());
    let ca = cluster.ca();
    cluster.slapd.add_user("both", "127.0.0.3,127.0.0.2");
    cluster.south.add_user("both@localdomain.test", "both", "From south");
    cluster.north.add_user("both@localdomain.test", "both", "From north");
    let account = cluster.imap(Tls::Implicit, "both@localdomain.test", "both", &ca);
    assert_eq!(clients::imaplib(&account), Ok(vec!["From south".to_owned()]));
    cluster.south.stop();
    assert_eq!(clients::imaplib(&account), Ok(vec!["From north".to_owned()]));
}
