//! The document that this project follows, step by step, with a real slapd. Where the steps as
//! printed do not work, the deviation stands beside the test.

use std::thread::sleep;
use std::time::Duration;

use super::Case;
use crate::clients::{self, Tls};
use crate::cluster::{Cluster, Plan, SOUTH};

pub(crate) const CASES: &[Case] = &[
    ("directory::a_moved_user_is_followed_after_the_caches_time", a_moved_user_is_followed),
    ("directory::a_deleted_user_is_refused", a_deleted_user_is_refused),
    ("directory::two_hosts_are_taken_by_use_first_with_a_warning", two_hosts),
];

/// The document's `ldapmodify` lacks `replace: mailHost`, so that it does not parse; here the
/// change is spelt out. Its users' addresses (`user1@localdomain`) are not under the base's domain
/// (`dc=localdomain,dc=test`), so that the recommended base `%s` would never find them; here the
/// addresses end in `localdomain.test`. Its hosts are 127.0.0.1 and 10.10.247.5; here 127.0.0.2
/// and 127.0.0.3, which every machine has. `inetLocalMailRecipient` is not in the schemas that
/// slapd loads of itself; here misc.schema is included.
fn a_moved_user_is_followed() {
    let cluster = Cluster::start(&Plan::default());
    let ca = cluster.ca();
    let account = cluster.imap(Tls::Implicit, "user1@localdomain.test", "user1", &ca);
    assert_eq!(clients::imaplib(&account), Ok(vec!["Welcome to north".to_owned()]));
    cluster.south.add_user("user1@localdomain.test", "user1", "Moved to south");
    cluster.slapd.move_user("user1", SOUTH);
    // The cache's time is one second in these tests.
    sleep(Duration::from_millis(1300));
    assert_eq!(clients::imaplib(&account), Ok(vec!["Moved to south".to_owned()]));
}

fn a_deleted_user_is_refused() {
    let cluster = Cluster::start(&Plan::default());
    let ca = cluster.ca();
    let imap = cluster.imap(Tls::Implicit, "user2@localdomain.test", "user2", &ca);
    let pop3 = cluster.pop3(Tls::Implicit, "user2@localdomain.test", "user2", &ca);
    assert_eq!(clients::imaplib(&imap), Ok(vec!["Welcome to north".to_owned()]));
    cluster.slapd.delete_user("user2");
    sleep(Duration::from_millis(1300));
    let said = clients::imaplib(&imap).unwrap_err();
    assert!(said.contains("AUTHENTICATIONFAILED"), "{said}");
    let said = clients::poplib(&pop3).unwrap_err();
    assert!(said.contains("-ERR [AUTH]"), "{said}");
}

fn two_hosts() {
    let plan = Plan::default();
    let cluster = Cluster::start(&plan);
    cluster.slapd.add_user("twice", "127.0.0.2");
    cluster.slapd.add(
        "dn: cn=again,dc=localdomain,dc=test\nobjectClass: inetOrgPerson\n\
         objectClass: inetLocalMailRecipient\ncn: again\nsn: again\n\
         mail: twice@localdomain.test\nmailHost: 127.0.0.3\n",
    );
    cluster.north.add_user("twice@localdomain.test", "twice", "First");
    cluster.south.add_user("twice@localdomain.test", "twice", "First");
    let ca = cluster.ca();
    let account = cluster.imap(Tls::Implicit, "twice@localdomain.test", "twice", &ca);
    assert_eq!(clients::imaplib(&account), Ok(vec!["First".to_owned()]), "use-first takes one");
    let log = cluster.waypost.log();
    assert!(log.contains("waypost::plugin"), "and the log says that there were two: {log}");
}
