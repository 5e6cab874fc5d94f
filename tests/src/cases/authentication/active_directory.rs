//! A slapd that looks like an Active Directory.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread::sleep;
use std::time::Duration;

use super::checked_by;
use crate::cases::Case;
use crate::clients::{self, Tls};
use crate::clusters::mailboxes::{Cluster, Plan};

pub(crate) const CASES: &[Case] = &[
    ("authentication::an_active_directory_and_its_accounts", accounts),
    ("authentication::an_active_directorys_referrals_are_not_followed", referrals),
];

const EXAMPLE: &str = include_str!("../../../../config/active-directory/waypost.toml");

/// What Active Directory's schema has of accounts, under OIDs that are its own.
const AD_SCHEMA: &str = "\
    attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch \
     SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n\
    attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch \
     SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n\
    attributetype ( 1.2.840.113556.1.2.210 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch \
     SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n\
    attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch \
     SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )\n\
    attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch \
     SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )\n\
    objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL \
     MAY ( sAMAccountName $ userPrincipalName $ proxyAddresses $ userAccountControl $ \
     accountExpires ) )\n";

/// What the example asks for.
fn search_pattern() -> &'static str {
    let line = EXAMPLE.lines().find_map(|line| line.strip_prefix("search-pattern = \"")).unwrap();
    line.strip_suffix('"').unwrap()
}

/// A cluster as the example has it, at the port of the domain or at that of the forest.
fn cluster(global_catalog: bool) -> Cluster {
    let cluster = Cluster::start(&Plan {
        settings: "verify = \"bind\"\nactive-directory = true\n".to_owned(),
        search_pattern: search_pattern(),
        attributes: "\"objectClass\", \"proxyAddresses\", \"userPrincipalName\", \
                     \"sAMAccountName\", \"mailHost\", \"userAccountControl\", \
                     \"accountExpires\"",
        schema: AD_SCHEMA,
        directory_tls: Tls::Implicit,
        global_catalog,
        directory: String::new(),
        more: "[domain.\"child.localdomain.test\"]\npolicies = [\"ldap\"]\n".to_owned(),
        ..checked_by("bind")
    });
    let never = "9223372036854775807";
    for (name, control, expires) in [
        ("ann", "512", never),
        ("dan", "66048", "0"),
        ("bob", "514", never),
        // The first day of 2020.
        ("cid", "512", "132223104000000000"),
    ] {
        cluster.slapd.add(&format!(
            "dn: cn={name},dc=localdomain,dc=test\nobjectClass: user\n\
             objectClass: inetLocalMailRecipient\ncn: {name}\nsn: {name}\n\
             sAMAccountName: {name}\nuserPrincipalName: {name}.upn@localdomain.test\n\
             proxyAddresses: SMTP:{name}.mail@localdomain.test\n\
             proxyAddresses: smtp:{name}.other@localdomain.test\n\
             proxyAddresses: x500:/o=x/cn={name}.ex\n\
             userAccountControl: {control}\naccountExpires: {expires}\n\
             userPassword: {name}\nmailHost: 127.0.0.2\n"
        ));
    }
    cluster
}

const ANNS: [&str; 5] = ["ann", "ann.upn", "ann.mail", "ann.other", "EXAMPLE\\ann"];

/// Names by every attribute, disabled and expired accounts, over LDAPS at both ports.
fn accounts() {
    for global_catalog in [false, true] {
        let cluster = cluster(global_catalog);
        let ca = cluster.ca();
        let log_in = |user: &str, password: &str| {
            let user = format!("{user}@localdomain.test");
            clients::imaplib(&cluster.imap(Tls::Implicit, &user, password, &ca))
        };
        // All at once: Dovecot does not look at its file twice in a second.
        for user in &ANNS[..4] {
            cluster.north.add_user(&format!("{user}@localdomain.test"), "ann", "For Ann");
        }
        cluster.north.add_user("dan@localdomain.test", "dan", "For Dan");
        for user in ANNS {
            assert_eq!(log_in(user, "ann"), Ok(vec!["For Ann".to_owned()]), "{user}");
        }
        assert_eq!(log_in("dan", "dan"), Ok(vec!["For Dan".to_owned()]));
        for (user, password) in
            [("bob", "bob"), ("cid", "cid"), ("ann", "wrong"), ("ann.ex", "ann"), ("*", "ann")]
        {
            let said = log_in(user, password).unwrap_err();
            assert!(said.contains("AUTHENTICATIONFAILED"), "{user}: {said}");
        }
        let bound = |name: &str| {
            let log = cluster.slapd.process().log();
            log.matches(&format!("BIND dn=\"cn={name},dc=localdomain,dc=test\" method")).count()
        };
        assert_eq!(bound("bob") + bound("cid"), 0, "they are not even bound as");
        // Somebody disables an account that has just logged in.
        let before = bound("ann");
        assert!(before > 0);
        cluster.slapd.replace("ann", "userAccountControl", "514");
        sleep(Duration::from_millis(1300));
        let said = log_in("ann", "ann").unwrap_err();
        assert!(said.contains("AUTHENTICATIONFAILED"), "{said}");
        assert_eq!(bound("ann"), before);
        let log = cluster.slapd.process().log();
        assert!(log.contains("TLS established"), "{log}");
    }
}

/// Another server that the directory names is not asked, whatever it would say.
fn referrals() {
    let cluster = cluster(false);
    let elsewhere = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let address = elsewhere.local_addr().unwrap();
    cluster.slapd.add(&format!(
        "dn: dc=child,dc=localdomain,dc=test\nobjectClass: referral\n\
         objectClass: extensibleObject\ndc: child\n\
         ref: ldap://{address}/dc=child,dc=localdomain,dc=test\n"
    ));
    cluster.north.add_user("ann@localdomain.test", "ann", "For Ann");
    let ca = cluster.ca();
    let log_in =
        |user, password| clients::imaplib(&cluster.imap(Tls::Implicit, user, password, &ca));
    // What is found beside the reference counts; what would be found behind it does not.
    assert_eq!(log_in("ann@localdomain.test", "ann"), Ok(vec!["For Ann".to_owned()]));
    let said = log_in("eve@localdomain.test", "eve").unwrap_err();
    assert!(said.contains("AUTHENTICATIONFAILED"), "{said}");
    // All that is asked for lies elsewhere: the operator has to name that server.
    let said = log_in("eve@child.localdomain.test", "eve").unwrap_err();
    assert!(said.contains("UNAVAILABLE"), "{said}");
    let log = cluster.slapd.process().log();
    assert!(log.contains("err=10 "), "slapd has referred somebody: {log}");
    let asked = elsewhere.accept().unwrap_err();
    assert_eq!(asked.kind(), ErrorKind::WouldBlock);
}
