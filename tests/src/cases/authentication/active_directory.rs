//! A slapd that looks like an Active Directory.

use super::checked_by;
use crate::cases::Case;
use crate::clients::{self, Tls};
use crate::cluster::{Cluster, Plan};

pub(crate) const CASES: &[Case] =
    &[("authentication::an_active_directory_and_its_accounts", active_directory)];

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

/// A slapd that looks like it: names by every attribute, disabled and expired accounts.
fn active_directory() {
    let plan = Plan {
        settings: "verify = \"bind\"\nactive-directory = true\n".to_owned(),
        search_pattern: "(|(proxyAddresses=smtp:%e)(userPrincipalName=%e)(sAMAccountName=%u))",
        attributes: "\"proxyAddresses\", \"userPrincipalName\", \"sAMAccountName\", \"mailHost\", \
                     \"userAccountControl\", \"accountExpires\"",
        schema: AD_SCHEMA,
        ..checked_by("bind")
    };
    let cluster = Cluster::start(&plan);
    let ca = cluster.ca();
    let never = "9223372036854775807";
    for (name, control, expires) in [
        ("ann", "512", never),
        ("bob", "514", never),
        // The first day of 2020.
        ("cid", "512", "132223104000000000"),
    ] {
        cluster.slapd.add(&format!(
            "dn: cn={name},dc=localdomain,dc=test\nobjectClass: user\n\
             objectClass: inetLocalMailRecipient\ncn: {name}\nsn: {name}\n\
             sAMAccountName: {name}\nuserPrincipalName: {name}.upn@localdomain.test\n\
             proxyAddresses: SMTP:{name}.mail@localdomain.test\nproxyAddresses: x500:/o=x/cn={name}\n\
             userAccountControl: {control}\naccountExpires: {expires}\n\
             userPassword: {name}\nmailHost: 127.0.0.2\n"
        ));
    }
    let log_in = |user: &str, password: &str| {
        clients::imaplib(&cluster.imap(Tls::Implicit, user, password, &ca))
    };
    let addresses = ["ann", "ann.upn", "ann.mail"].map(|user| format!("{user}@localdomain.test"));
    // All at once: Dovecot does not look at its file twice in a second.
    addresses.iter().for_each(|address| cluster.north.add_user(address, "ann", "For Ann"));
    let by_domain = "EXAMPLE\\ann@localdomain.test".to_owned();
    for address in addresses.iter().chain([&by_domain]) {
        assert_eq!(log_in(address, "ann"), Ok(vec!["For Ann".to_owned()]), "{address}");
    }
    for (user, password) in [("bob", "bob"), ("cid", "cid"), ("ann", "wrong")] {
        let said = log_in(&format!("{user}@localdomain.test"), password).unwrap_err();
        assert!(said.contains("AUTHENTICATIONFAILED"), "{user}: {said}");
    }
    let log = cluster.slapd.process().log();
    assert!(!log.contains("BIND dn=\"cn=bob"), "a disabled account is not even bound as: {log}");
}
