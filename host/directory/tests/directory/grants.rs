//! A policy reads and tests what it was granted, and no spelling reaches a secret attribute.

use proptest::prelude::*;
use waypost_directory::{
    BoundQuery, DeniedReason, Dn, Entry, Grant, GrantError, Part, Query, Scope,
};

const BASE: &str = "dc=example,dc=test";

fn grant(readable: &[&str]) -> Grant {
    Grant::new(readable.iter().copied(), &["x-Secret".to_owned()]).unwrap()
}

/// What becomes of a query: refused when it is bound, refused by the grant, or let through.
fn ask(
    grant: &Grant,
    base: &str,
    filter: &str,
    attributes: &[&str],
) -> Result<(), Option<(Part, DeniedReason)>> {
    let attributes: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
    let query = Query {
        base,
        scope: Scope::Subtree,
        filter,
        parameters: &[],
        attributes: &attributes,
        size_limit: 1,
    };
    let bound = BoundQuery::bind(&query, &Dn::parse(BASE).unwrap()).map_err(|_| None)?;
    grant.check(&bound).map_err(|denied| Some((denied.part, denied.reason)))
}

#[test]
fn what_is_granted_may_be_read_and_tested() {
    let grant = grant(&["mail", "mailHost", "2.5.4.42"]);
    for (filter, attributes) in [
        ("(mail=x)", &["mail"][..]),
        ("(MAIL=x)", &["MAILHOST", "Mail;lang-en"]),
        ("(mail;lang-en=x)", &[]),
        ("(&(mail=x)(|(mailHost=*)(!(mail>=x))(mail~=y)(mail=a*b)))", &["mail"]),
        ("(mail:caseExactMatch:=x)", &[]),
        ("(mail:dn:=x)", &[]),
        ("(2.5.4.42=x)", &["2.5.4.42"]),
        ("(objectClass=*)", &["mail"]),
        ("(OBJECTCLASS=*)", &[]),
        ("(&)", &[]),
    ] {
        assert_eq!(ask(&grant, BASE, filter, attributes), Ok(()), "{filter} {attributes:?}");
    }
    assert_eq!(ask(&grant, "uid=a,ou=people,dc=example,dc=test", "(mail=x)", &[]), Ok(()));
}

#[test]
fn what_is_not_granted_is_refused_wherever_it_stands() {
    let grant = grant(&["mail"]);
    let denied = |name: &str| DeniedReason::NotGranted(name.to_owned());
    for (filter, name) in [
        ("(cn=x)", "cn"),
        ("(cn=*)", "cn"),
        ("(cn=a*)", "cn"),
        ("(cn>=a)", "cn"),
        ("(cn<=a)", "cn"),
        ("(cn~=a)", "cn"),
        ("(cn:=a)", "cn"),
        ("(cn;lang-en=a)", "cn;lang-en"),
        ("(!(cn=x))", "cn"),
        ("(&(mail=x)(cn=x))", "cn"),
        ("(|(mail=x)(&(!(cn=x))))", "cn"),
        ("(objectClass=person)", "objectClass"),
        ("(2.5.4.0=*)", "2.5.4.0"),
        // The same attribute as one that is granted, by another name.
        ("(rfc822Mailbox=x)", "rfc822Mailbox"),
        ("(0.9.2342.19200300.100.1.3=x)", "0.9.2342.19200300.100.1.3"),
        ("(1.2.3.4=x)", "1.2.3.4"),
    ] {
        assert_eq!(ask(&grant, BASE, filter, &[]), Err(Some((Part::Filter, denied(name)))));
    }
    for name in ["cn", "CN", "cn;x", "2.5.4.3", "1.1", "objectClass", "dn", "entryDN"] {
        let expected = Err(Some((Part::Attributes, denied(name))));
        assert_eq!(ask(&grant, BASE, "(mail=x)", &["mail", name]), expected);
    }
    for name in ["*", "+", "@person", "mail,cn", " cn", "OID.2.5.4.3", "cn=", ""] {
        assert_eq!(ask(&grant, BASE, "(mail=x)", &[name]), Err(None), "{name:?}");
    }
}

#[test]
fn an_extensible_match_names_its_attribute() {
    let grant = grant(&["mail"]);
    for filter in [
        "(:caseExactMatch:=x)",
        "(:dn:caseExactMatch:=x)",
        "(:2.5.13.5:=x)",
        "(!(:octetStringMatch:=x))",
    ] {
        let expected = Err(Some((Part::Filter, DeniedReason::AnyAttribute)));
        assert_eq!(ask(&grant, BASE, filter, &[]), expected, "{filter}");
    }
}

/// Spellings of attributes that hold secrets, whether the configuration says so or not.
const SECRETS: [&str; 14] = [
    "userPassword",
    "USERPASSWORD",
    "userpassword;lang-en",
    "UserPassword;binary;x-y",
    "2.5.4.35",
    "2.5.4.35;lang-en",
    "x-Secret",
    "X-SECRET;a",
    "unicodePwd",
    "sambaNTPassword",
    "1.3.6.1.4.1.7165.2.1.25",
    "authPassword",
    "krbPrincipalKey",
    "userPKCS12",
];

#[test]
fn secrets_are_refused_under_every_spelling() {
    // Even with an attribute granted whose OID or name comes near.
    let grant = grant(&["mail", "2.5.4.3", "uid"]);
    for name in SECRETS {
        for test in [
            "=x",
            "=*",
            "=a*",
            "=*a*",
            ">=a",
            "<=a",
            "~=a",
            ":=a",
            ":dn:=a",
            ":caseExactMatch:=a",
            ":dn:2.5.13.5:=a",
        ] {
            for filter in [
                format!("({name}{test})"),
                format!("(!({name}{test}))"),
                format!("(&(mail=x)(|(uid=x)({name}{test})))"),
            ] {
                let refused = ask(&grant, BASE, &filter, &[]);
                assert!(matches!(refused, Err(Some((Part::Filter, _)))), "{filter}: {refused:?}");
            }
        }
        let refused = ask(&grant, BASE, "(mail=x)", &["mail", name]);
        assert!(matches!(refused, Err(Some((Part::Attributes, _)))), "{name}: {refused:?}");
        if !name.contains(';') {
            for rdn in [format!("{name}=x"), format!("uid=a+{name}=x"), format!("uid=a,{name}=x")] {
                let refused = ask(&grant, &format!("{rdn},{BASE}"), "(mail=x)", &[]);
                assert!(matches!(refused, Err(Some((Part::Base, _)))), "{rdn}: {refused:?}");
            }
        }
    }
}

#[test]
fn an_oid_in_a_base_must_be_granted() {
    let grant = grant(&["2.5.4.11"]);
    assert_eq!(ask(&grant, "2.5.4.11=x,dc=example,dc=test", "(objectClass=*)", &[]), Ok(()));
    let refused = ask(&grant, "1.2.3.4=x,dc=example,dc=test", "(objectClass=*)", &[]);
    assert!(matches!(refused, Err(Some((Part::Base, _)))));
    // The directory's own components are the operator's.
    let own = "0.9.2342.19200300.100.1.25=example,dc=test";
    assert_eq!(ask(&grant, own, "(objectClass=*)", &[]), Ok(()));
}

#[test]
fn a_secret_cannot_be_granted() {
    for name in SECRETS {
        let result = Grant::new(["mail", name], &["x-secret".to_owned()]);
        assert_eq!(result.unwrap_err(), GrantError::Secret(name.to_owned()));
    }
    for name in ["*", "+", "", "a b", "@person"] {
        let result = Grant::new([name], &[]);
        assert_eq!(result.unwrap_err(), GrantError::Attribute(name.to_owned()));
        assert!(Grant::new([], &[name.to_owned()]).is_err());
    }
}

#[test]
fn a_password_field_is_secret_by_all_its_names() {
    // Somebody keeps passwords in `description`.
    let secret = ["Description".to_owned()];
    assert!(Grant::new(["2.5.4.13"], &secret).is_err());
    let grant = Grant::new(["mail"], &secret).unwrap();
    for name in ["description", "2.5.4.13", "DESCRIPTION;x"] {
        let denied = ask(&grant, BASE, &format!("({name}=x)"), &[]);
        let expected = DeniedReason::Secret(name.to_owned());
        assert_eq!(denied, Err(Some((Part::Filter, expected))));
    }
}

#[test]
fn entries_are_restricted_to_what_is_granted() {
    let attribute = |name: &str| (name.to_owned(), vec![b"x".to_vec()]);
    let mut entry = Entry {
        dn: "uid=a".to_owned(),
        attributes: ["mail", "MAIL;x", "userPassword", "cn", "2.5.4.35", "?"].map(attribute).into(),
    };
    grant(&["mail"]).restrict(&mut entry);
    let left: Vec<&str> = entry.attributes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(left, ["mail", "MAIL;x"]);
}

proptest! {
    /// Whatever stands in place of an attribute and is let through is the granted attribute, in
    /// some case, with or without options.
    #[test]
    fn only_what_is_granted_gets_through(
        name in "[uU]ser[pP]assword(;[a-z]{0,3})?|2\\.5\\.4\\.[0-9]{1,2}|[mM]ail(;[a-zA-Z-]{0,4}){0,2}|\\PC{0,8}",
    ) {
        let grant = grant(&["mail"]);
        let granted = |name: &str| {
            name.split(';').next().is_some_and(|name| name.eq_ignore_ascii_case("mail"))
        };
        if ask(&grant, BASE, "(mail=x)", &[&name]).is_ok() {
            prop_assert!(granted(&name), "{name}");
        }
        // In a filter the name may end early, but never as another attribute.
        if ask(&grant, BASE, &format!("({name}=x)"), &[]).is_ok() {
            let end = name.find([':', '=', '~', '<', '>']).unwrap_or(name.len());
            prop_assert!(granted(&name[..end]), "{name}");
        }
    }
}
