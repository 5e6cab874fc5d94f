//! The same questions to an LDIF directory and to a real slapd: both give the same answers.

use std::collections::BTreeMap;

use waypost_directory::{Directory, LdapDirectory, LdapSettings, Metrics, Page, Scope};

use crate::support::{Ask, BASE, PEOPLE, ldif, slapd};

const ANNA: &str = "uid=anna,ou=people,dc=example,dc=test";
const BERT: &str = "uid=bert,ou=people,dc=example,dc=test";
const CLARA: &str = "uid=clara,ou=people,dc=example,dc=test";
const DEEP: &str = "ou=deep,ou=people,dc=example,dc=test";
const DORA: &str = "uid=dora,ou=deep,ou=people,dc=example,dc=test";
const JOHN: &str = "cn=doe\\2c john\\2b,ou=people,dc=example,dc=test";
const PEOPLE_DN: &str = "ou=people,dc=example,dc=test";

/// Entries by name; values by attribute, in order.
type Answer = BTreeMap<String, BTreeMap<String, Vec<String>>>;

fn answer(page: Page) -> Answer {
    let text = |value: &Vec<u8>| value.escape_ascii().to_string();
    let entry = |entry: waypost_directory::Entry| {
        let attributes = entry.attributes.iter().map(|(name, values)| {
            let mut values: Vec<String> = values.iter().map(text).collect();
            values.sort();
            (name.clone(), values)
        });
        // Servers differ in how they write a name.
        let dn = waypost_directory::Dn::parse(&entry.dn).unwrap().to_string().to_lowercase();
        (dn, attributes.collect())
    };
    page.entries.into_iter().map(entry).collect()
}

/// The names of the entries found, which must be complete.
async fn names(directory: &Directory, ask: &Ask<'_>) -> Vec<String> {
    let page = ask.of(directory).await.unwrap_or_else(|e| panic!("{}: {e}", ask.filter));
    assert!(page.complete, "{}", ask.filter);
    answer(page).into_keys().collect()
}

/// Runs a test against both.
async fn with_both(content: &str, test: impl AsyncFn(&Directory)) {
    test(&ldif(content)).await;
    let slapd = slapd::with(content).start();
    let settings = LdapSettings::new("slapd", vec![slapd.url().parse().unwrap()], BASE);
    let directory = LdapDirectory::new(settings, &Metrics::default()).unwrap();
    test(&Directory::Ldap(directory)).await;
}

#[tokio::test]
async fn filters() {
    let cases: &[(&str, &[&[u8]], &[&str])] = &[
        // Equality ignores case and insignificant spaces.
        ("(mail={0})", &[b"anna@example.test"], &[ANNA]),
        ("(mail={0})", &[b"ANNA@EXAMPLE.TEST"], &[ANNA]),
        ("(MAIL={0})", &[b"anna.alias@example.test"], &[ANNA]),
        ("(rfc822Mailbox={0})", &[b"bert@example.test"], &[BERT]),
        ("(0.9.2342.19200300.100.1.3={0})", &[b"bert@example.test"], &[BERT]),
        ("(cn={0})", &[b"  bert van BUREN "], &[BERT]),
        ("(cn={0})", &["anna ångström".as_bytes()], &[ANNA]),
        ("(cn=anna \\c3\\85ngstr\\c3\\b6m)", &[], &[ANNA]),
        ("(mail={0})", &[b"anna@example"], &[]),
        ("(mail={0})", &[b"nobody@example.test"], &[]),
        ("(mail={0})", &[b"*"], &[]),
        ("(mail={0})", &[b""], &[]),
        ("(mail={0})", &[b"*)(uid=*"], &[]),
        ("(cn={0})", &[b"clara (the * one) \\ {0}"], &[CLARA]),
        ("(cn=Clara \\28the \\2a one\\29 \\5c \\7b0\\7d)", &[], &[CLARA]),
        ("(cn={0})", &[b"\xff\xfe"], &[]),
        // Presence.
        ("(mailHost=*)", &[], &[ANNA, BERT]),
        ("(mail;lang-en=*)", &[], &[]),
        // Substrings.
        ("(mail={0}*)", &[b"ANNA"], &[ANNA]),
        ("(mail=*{0})", &[b".Alias@example.test"], &[ANNA]),
        ("(mail=*{0}*)", &[b"@"], &[ANNA, BERT, JOHN, DORA]),
        ("(mail={0}*e*{1})", &[b"b", b"test"], &[BERT]),
        ("(mail=b*{0}*{0})", &[b"test"], &[]),
        ("(cn={0}*)", &[b"bert van"], &[BERT]),
        ("(cn=*{0}*)", &[b"*"], &[CLARA]),
        ("(cn=*\\2a*)", &[], &[CLARA]),
        // Approximation: equality at the least.
        ("(mail~={0})", &[b"bert@example.test"], &[BERT]),
        // Order.
        ("(uidNumber>=10)", &[], &[BERT]),
        ("(uidNumber<=9)", &[], &[ANNA]),
        ("(uidNumber>=9)", &[], &[ANNA, BERT]),
        ("(uidNumber<=-1)", &[], &[]),
        // And, or, not.
        ("(&(objectClass=inetOrgPerson)(mail={0}))", &[b"bert@example.test"], &[BERT]),
        ("(&(mail={0})(mailHost=*))", &[b"john@example.test"], &[]),
        ("(|(uid=anna)(uid=CLARA)(uid=nobody))", &[], &[ANNA, CLARA]),
        ("(&(objectClass=inetOrgPerson)(!(mail=*)))", &[], &[CLARA]),
        ("(&(uid=*)(!(|(uid=anna)(uid=bert))))", &[], &[CLARA, DORA]),
        ("(!(objectClass=inetOrgPerson))", &[], &[BASE, PEOPLE_DN, DEEP]),
        ("(&(uid=anna)(!(!(mail=*))))", &[], &[ANNA]),
        ("(&(ou=*)(&))", &[], &[PEOPLE_DN, DEEP]),
        ("(&(ou=deep)(|))", &[], &[]),
        // What cannot be told is no match, negated or not.
        ("(noSuchAttribute=x)", &[], &[]),
        ("(!(noSuchAttribute=x))", &[], &[]),
        ("(!(noSuchAttribute=*))", &[], &[]),
        ("(|(uid=anna)(noSuchAttribute=x))", &[], &[ANNA]),
        ("(&(uid=anna)(!(noSuchAttribute=x)))", &[], &[]),
        ("(&(uid=anna)(!(mail={0})))", &[b""], &[ANNA]),
        ("(mail>=a)", &[], &[]),
        ("(&(uid=anna)(!(mail>=a)))", &[], &[]),
        ("(&(uid=anna)(!(mailRoutingAddress=x)))", &[], &[ANNA]),
        // Options.
        ("(description=english)", &[], &[ANNA]),
        ("(description;lang-en=english)", &[], &[ANNA]),
        ("(description;lang-en=plain)", &[], &[]),
        ("(description;lang-fr=english)", &[], &[]),
        // Extensible match.
        ("(cn:=bert van buren)", &[], &[BERT]),
        ("(cn:caseIgnoreMatch:=dora)", &[], &[DORA]),
        ("(cn:caseExactMatch:=dora)", &[], &[]),
        ("(cn:caseExactMatch:=Dora)", &[], &[DORA]),
        ("(&(mail=*)(ou:dn:=deep))", &[], &[DORA]),
        ("(cn:1.2.3.4:=dora)", &[], &[]),
        ("(&(cn=dora)(!(cn:1.2.3.4:=dora)))", &[], &[]),
    ];
    with_both(PEOPLE, async |directory| {
        for (filter, parameters, expected) in cases {
            let ask = Ask { filter, parameters, ..Ask::default() };
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            let found = names(directory, &ask).await;
            assert_eq!(found, expected, "{}: {filter} {parameters:?}", directory.name());
        }
    })
    .await;
}

#[tokio::test]
async fn bases_and_scopes() {
    use Scope::{Base, OneLevel, Subtree};
    let people = [CLARA, ANNA, BERT, DEEP, JOHN];
    let cases: &[(&str, &[&[u8]], Scope, &[&str])] = &[
        ("dc=example,dc=test", &[], Base, &[BASE]),
        ("DC = Example , dc=TEST", &[], Base, &[BASE]),
        ("dc={0},dc={1}", &[b"example", b"test"], Base, &[BASE]),
        ("dc=example,dc=test", &[], OneLevel, &[PEOPLE_DN]),
        (PEOPLE_DN, &[], OneLevel, &people),
        (DEEP, &[], Subtree, &[DEEP, DORA]),
        ("uid={0},ou=people,dc=example,dc=test", &[b"Anna"], Base, &[ANNA]),
        ("uid={0},ou=people,dc=example,dc=test", &[b"anna"], OneLevel, &[]),
        ("userid={0},ou=people,dc=example,dc=test", &[b"anna"], Subtree, &[ANNA]),
        ("cn={0},ou=people,dc=example,dc=test", &[b"doe, john+"], Base, &[JOHN]),
        ("cn=Doe\\, John\\+,ou=people,dc=example,dc=test", &[], Base, &[JOHN]),
        // What does not exist is empty, and so is what would be injected.
        ("ou=nowhere,dc=example,dc=test", &[], Subtree, &[]),
        ("ou=nowhere,dc=example,dc=test", &[], Base, &[]),
        ("ou=x,ou=nowhere,dc=example,dc=test", &[], OneLevel, &[]),
        ("ou={0},dc=example,dc=test", &[b"people,dc=example"], Subtree, &[]),
        ("uid={0},ou=people,dc=example,dc=test", &[b"anna+uid=bert"], Base, &[]),
    ];
    with_both(PEOPLE, async |directory| {
        for (base, parameters, scope, expected) in cases {
            let ask = Ask { base, parameters, scope: *scope, ..Ask::default() };
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            let found = names(directory, &ask).await;
            assert_eq!(found, expected, "{}: {base:?} {scope:?}", directory.name());
        }
    })
    .await;
}

#[tokio::test]
async fn attributes_come_under_the_name_that_asked_for_them() {
    let cases: &[(&[&str], &[(&str, &[&str])])] = &[
        (&[], &[]),
        (&["uid"], &[("uid", &["anna"])]),
        (&["MAILHOST", "UiD"], &[("MAILHOST", &["north.example.test"]), ("UiD", &["anna"])]),
        (&["mail"], &[("mail", &["Anna@Example.test", "anna.alias@example.test"])]),
        (
            &["mail", "Mail"],
            &[
                ("Mail", &["Anna@Example.test", "anna.alias@example.test"]),
                ("mail", &["Anna@Example.test", "anna.alias@example.test"]),
            ],
        ),
        (
            &["rfc822Mailbox"],
            &[("rfc822Mailbox", &["Anna@Example.test", "anna.alias@example.test"])],
        ),
        (&["2.5.4.13"], &[("2.5.4.13", &["English", "plain"])]),
        (&["description"], &[("description", &["English", "plain"])]),
        (&["description;lang-en"], &[("description;lang-en", &["English"])]),
        (&["description;lang-fr", "noSuchAttribute", "mailRoutingAddress"], &[]),
        (&["jpegPhoto"], &[("jpegPhoto", &["\\xff\\xfe\\x00\\x01"])]),
        (&["sn"], &[("sn", &["\\xc3\\x85ngstr\\xc3\\xb6m"])]),
    ];
    with_both(PEOPLE, async |directory| {
        for (attributes, expected) in cases {
            let ask = Ask { filter: "(uid=anna)", attributes, ..Ask::default() };
            let found = answer(ask.of(directory).await.unwrap());
            let expected: BTreeMap<String, Vec<String>> = expected
                .iter()
                .map(|(name, values)| {
                    ((*name).to_owned(), values.iter().map(|v| (*v).to_owned()).collect())
                })
                .collect();
            assert_eq!(found[ANNA], expected, "{}: {attributes:?}", directory.name());
        }
    })
    .await;
}

#[tokio::test]
async fn folded_values_are_put_together() {
    with_both(PEOPLE, async |directory| {
        let attributes = &["mailHost"];
        let ask = Ask { filter: "(uid=bert)", attributes, ..Ask::default() };
        let page = ask.of(directory).await.unwrap();
        let value = b"south.example.test,north.example.test".to_vec();
        assert_eq!(page.entries[0].attributes, [("mailHost".to_owned(), vec![value])]);
    })
    .await;
}

#[tokio::test]
async fn more_than_the_size_limit_makes_a_page_incomplete() {
    with_both(PEOPLE, async |directory| {
        for (size_limit, complete) in
            [(1, false), (3, false), (4, true), (5, true), (u32::MAX, true)]
        {
            let ask = Ask { filter: "(mail=*)", size_limit, ..Ask::default() };
            let page = ask.of(directory).await.unwrap();
            assert_eq!(page.complete, complete, "{}: {size_limit}", directory.name());
            assert_eq!(page.entries.len(), size_limit.min(4) as usize);
        }
    })
    .await;
}
