//! The document that this project follows, step by step, with a real slapd. Where the steps as
//! printed do not work, the deviation stands beside the test.

use std::thread::sleep;
use std::time::Duration;

use super::Case;
use crate::clients::{self, Tls};
use crate::clusters::mailboxes::{Cluster, Plan, SOUTH};
use crate::servers::wait_for;

pub(crate) const CASES: &[Case] = &[
    ("directory::a_moved_user_is_followed_after_the_caches_time", a_moved_user_is_followed),
    ("directory::a_mailbox_that_is_being_moved_is_at_neither_host", a_mailbox_is_moved),
    ("directory::a_deleted_user_is_refused", a_deleted_user_is_refused),
    ("directory::two_hosts_are_taken_by_use_first_with_a_warning", two_hosts),
    ("directory::tags_aliases_and_a_catch_all_find_their_mailbox", other_names),
    ("directory::fallback_hosts_answer_where_the_directory_names_none", fallback),
    (
        "directory::fallback_hosts_answer_for_a_dead_directory_only_where_it_is_written",
        fallback_dead,
    ),
    ("directory::slapd_over_starttls_and_ldaps_with_a_private_authority", slapd_over_tls),
    ("directory::a_slapd_that_the_authority_does_not_vouch_for_gets_no_password", slapd_unknown),
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

/// While it is moved nobody gets to it, not even by what was known before and with the directory
/// down; afterwards everybody does.
fn a_mailbox_is_moved() {
    let mut cluster = Cluster::start(&Plan {
        attributes: "\"mail\", \"mailHost\", \"employeeType\"",
        settings: "defer-field = \"employeeType\"\n".to_owned(),
        ..Plan::default()
    });
    let ca = cluster.ca();
    let imap = cluster.imap(Tls::Implicit, "user1@localdomain.test", "user1", &ca);
    let pop3 = cluster.pop3(Tls::Implicit, "user1@localdomain.test", "user1", &ca);
    assert_eq!(clients::imaplib(&imap), Ok(vec!["Welcome to north".to_owned()]));
    cluster.south.add_user("user1@localdomain.test", "user1", "Moved to south");
    cluster.slapd.replace("user1", "employeeType", "TRUE");
    sleep(Duration::from_millis(1300));
    let put_off = || {
        let said = clients::imaplib(&imap).unwrap_err();
        assert!(said.contains("UNAVAILABLE"), "{said}");
        let said = clients::poplib(&pop3).unwrap_err();
        assert!(said.contains("-ERR [SYS/TEMP]"), "{said}");
    };
    put_off();
    cluster.slapd.stop();
    sleep(Duration::from_millis(1300));
    put_off();
    cluster.slapd.resume();
    cluster.slapd.move_user("user1", SOUTH);
    cluster.slapd.replace("user1", "employeeType", "FALSE");
    // Waypost has to find first that the directory can be asked again.
    let moved = wait_for("the mailbox in the south", Duration::from_secs(15), || {
        clients::imaplib(&imap).ok()
    });
    assert_eq!(moved, ["Moved to south"]);
    let log = cluster.waypost.log();
    assert!(log.contains("outcome=deferred"), "{log}");
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

fn other_names() {
    let settings = "catch-all = true\nalias-domains = { \"alias.test\" = \"localdomain.test\" }\n";
    let more = "[domain.\"alias.test\"]\npolicies = [\"ldap\"]\n".to_owned();
    let cluster = Cluster::start(&Plan { settings: settings.to_owned(), more, ..Plan::default() });
    let ca = cluster.ca();
    // The tag stays in the name that the back end gets.
    cluster.north.add_user("user1+lists@localdomain.test", "tagged", "For a tag");
    cluster.south.add_user("anybody@localdomain.test", "anybody", "For everybody else");
    cluster.slapd.add(
        "dn: cn=everybody,dc=localdomain,dc=test\nobjectClass: inetOrgPerson\n\
         objectClass: inetLocalMailRecipient\ncn: everybody\nsn: everybody\n\
         mail: @localdomain.test\nmailHost: 127.0.0.3\n",
    );
    for (user, password, subject) in [
        ("user1@localdomain.test", "user1", "Welcome to north"),
        ("user1+lists@localdomain.test", "tagged", "For a tag"),
        ("USER1@Alias.Test", "user1", "Welcome to north"),
        ("anybody@localdomain.test", "anybody", "For everybody else"),
        ("anybody@alias.test", "anybody", "For everybody else"),
    ] {
        let expected = Ok(vec![subject.to_owned()]);
        let account = cluster.imap(Tls::Implicit, user, password, &ca);
        assert_eq!(clients::imaplib(&account), expected, "{user}");
        let account = cluster.pop3(Tls::Implicit, user, password, &ca);
        assert_eq!(clients::poplib(&account), expected, "{user}");
    }
}

fn fallback_to_south(on: &str) -> Cluster {
    let settings = format!("fallback-hosts = [\"127.0.0.3\"]\n{on}");
    let cluster = Cluster::start(&Plan { settings, ..Plan::default() });
    cluster.south.add_user("guest@localdomain.test", "guest", "For a guest");
    cluster
}

fn fallback() {
    let cluster = fallback_to_south("");
    let ca = cluster.ca();
    cluster.south.add_user("hostless@localdomain.test", "hostless", "For the hostless");
    cluster.slapd.add(
        "dn: cn=hostless,dc=localdomain,dc=test\nobjectClass: inetOrgPerson\n\
         cn: hostless\nsn: hostless\nmail: hostless@localdomain.test\n",
    );
    for (user, subject) in
        [("guest", "For a guest"), ("hostless", "For the hostless"), ("user1", "Welcome to north")]
    {
        let address = format!("{user}@localdomain.test");
        let account = cluster.imap(Tls::Implicit, &address, user, &ca);
        assert_eq!(clients::imaplib(&account), Ok(vec![subject.to_owned()]), "{user}");
    }
}

fn fallback_dead() {
    let user = "guest@localdomain.test";
    let mut cluster = fallback_to_south("");
    cluster.slapd.stop();
    let ca = cluster.ca();
    let said = clients::imaplib(&cluster.imap(Tls::Implicit, user, "guest", &ca)).unwrap_err();
    assert!(said.contains("UNAVAILABLE"), "{said}");
    let mut cluster = fallback_to_south("fallback-on = [\"directory-unavailable\"]\n");
    let ca = cluster.ca();
    let account = cluster.imap(Tls::Implicit, user, "guest", &ca);
    let said = clients::imaplib(&account).unwrap_err();
    assert!(said.contains("AUTHENTICATIONFAILED"), "the directory says that there is none: {said}");
    cluster.slapd.stop();
    let user = "stranger@localdomain.test";
    cluster.south.add_user(user, "stranger", "For a stranger");
    let account = cluster.imap(Tls::Implicit, user, "stranger", &ca);
    assert_eq!(clients::imaplib(&account), Ok(vec!["For a stranger".to_owned()]));
}

fn slapd_over_tls() {
    for directory_tls in [Tls::Start, Tls::Implicit] {
        let cluster = Cluster::start(&Plan { directory_tls, ..Plan::default() });
        let ca = cluster.ca();
        let account = cluster.imap(Tls::Implicit, "user3@localdomain.test", "user3", &ca);
        assert_eq!(clients::imaplib(&account), Ok(vec!["Welcome to south".to_owned()]));
        let log = cluster.slapd.process().log();
        assert!(log.contains("TLS established"), "{directory_tls:?}: {log}");
    }
}

/// Without `ca` the authorities of the system are believed, which do not know this slapd.
fn slapd_unknown() {
    let directory = "starttls = true\n".to_owned();
    let cluster = Cluster::start(&Plan { directory, ..Plan::default() });
    let ca = cluster.ca();
    let binds = || cluster.slapd.process().log().matches(" BIND dn=").count();
    let before = binds();
    let account = cluster.imap(Tls::Implicit, "user3@localdomain.test", "user3", &ca);
    let said = clients::imaplib(&account).unwrap_err();
    assert!(said.contains("UNAVAILABLE"), "{said}");
    assert_eq!(binds(), before, "{}", cluster.slapd.process().log());
}
