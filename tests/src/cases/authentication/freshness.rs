//! For how long a password that was right is taken for right.

use std::thread::sleep;
use std::time::Duration;

use super::{add_person, checked_by, output};
use crate::cases::Case;
use crate::clusters::mailboxes::{Cluster, MASTER_PASSWORD, Plan, SOUTH};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("authentication::a_changed_password_counts_with_a_changed_answer", changed_answer),
    ("authentication::a_changed_password_counts_when_its_time_is_over", time_is_over),
    ("authentication::a_changed_hash_counts_at_once", changed_hash),
];

const ANN: &str = "ann@localdomain.test";
/// The cache of routes keeps its answers for a second.
const ROUTES_TIME: Duration = Duration::from_millis(1300);

/// Ann, whom both back ends let in with a password of their own.
fn cluster(way: &str, verified_for: &str, stored: &str) -> Cluster {
    let enter = "enter = { with = \"password\", password = { file = \"master.secret\" } }\n";
    let cluster = Cluster::start(&Plan {
        backend: enter.to_owned(),
        more: format!("[verification]\nverified-for = \"{verified_for}\"\n"),
        ..checked_by(way)
    });
    add_person(&cluster, "ann", Some(stored));
    cluster.north.add_user(ANN, MASTER_PASSWORD, "In the north");
    cluster.south.add_user(ANN, MASTER_PASSWORD, "In the south");
    cluster
}

/// Whether Ann gets in; what is not a wrong password then fails the test.
fn is_let_in(cluster: &Cluster, password: &str) -> bool {
    let said = Talk::greeted(cluster.doors.imap).imap("a", &format!("LOGIN {ANN} {password}"));
    let is_in = said.starts_with("a OK");
    assert!(is_in || said.starts_with("a NO [AUTHENTICATIONFAILED]"), "{said}");
    is_in
}

fn binds(cluster: &Cluster) -> usize {
    cluster.slapd.process().log().matches(" BIND dn=\"cn=ann,").count()
}

fn changed_answer() {
    let cluster = cluster("bind", "1h", "first");
    assert!(is_let_in(&cluster, "first"));
    let before = binds(&cluster);
    assert!(before > 0, "{}", cluster.slapd.process().log());
    cluster.slapd.replace("ann", "userPassword", "second");
    assert!(is_let_in(&cluster, "first"), "as the book says");
    assert_eq!(binds(&cluster), before, "nobody was asked");
    assert!(is_let_in(&cluster, "second"), "the new one counts at once");
    assert!(!is_let_in(&cluster, "first"), "and ends the time of the old one");
    cluster.slapd.replace("ann", "userPassword", "third");
    cluster.slapd.move_user("ann", SOUTH);
    sleep(ROUTES_TIME);
    assert!(!is_let_in(&cluster, "second"), "it was right for another answer of the policy");
    assert!(is_let_in(&cluster, "third"));
}

fn time_is_over() {
    let cluster = cluster("bind", "2s", "first");
    assert!(is_let_in(&cluster, "first"));
    cluster.slapd.replace("ann", "userPassword", "second");
    sleep(Duration::from_millis(2300));
    assert!(!is_let_in(&cluster, "first"));
    assert!(is_let_in(&cluster, "second"));
}

/// By `password` the stored value is read each time; the computing of its hash is what is spared.
fn changed_hash() {
    let hash =
        |password| format!("{{CRYPT}}{}", output("/usr/bin/openssl", &["passwd", "-6", password]));
    let cluster = cluster("password", "1h", &hash("first"));
    assert!(is_let_in(&cluster, "first"));
    assert!(is_let_in(&cluster, "first"));
    cluster.slapd.replace("ann", "userPassword", &hash("second"));
    assert!(!is_let_in(&cluster, "first"));
    assert!(is_let_in(&cluster, "second"));
    // Another hash of another password, in clear and back.
    cluster.slapd.replace("ann", "userPassword", "third");
    assert!(!is_let_in(&cluster, "second"));
    assert!(is_let_in(&cluster, "third"));
}
