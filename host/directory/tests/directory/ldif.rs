//! What is particular to the LDIF directory: how a file is read, its limits, its speed.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use waypost_directory::{
    Directory, Dn, LdifDirectory, LdifError, LdifLoadError, LdifProblem, LdifSettings, LdifSource,
    Limits, Metrics, SearchError,
};

use crate::support::{Ask, BASE, PEOPLE, ldif, look_up};

fn load(content: &[u8]) -> Result<LdifDirectory, LdifLoadError> {
    load_with(content, |_| {})
}

fn load_with(
    content: &[u8],
    change: impl FnOnce(&mut LdifSettings),
) -> Result<LdifDirectory, LdifLoadError> {
    let mut settings = LdifSettings::new("ldif", LdifSource::Content(Arc::from(content)));
    change(&mut settings);
    LdifDirectory::load(settings, &Metrics::default())
}

#[track_caller]
fn problem(content: &str) -> (usize, LdifProblem) {
    match load(content.as_bytes()) {
        Err(LdifLoadError::Content(LdifError { line, problem })) => (line, problem),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{content:?} is read"),
    }
}

#[test]
fn every_fault_has_its_line() {
    use LdifProblem::*;
    let entry = "version: 1\n\ndn: dc=a\ndc: a\n";
    for (rest, line, expected) in [
        ("x\n", 5, NoColon),
        (": x\n", 5, Attribute),
        ("a b: x\n", 5, Attribute),
        ("a_b: x\n", 5, Attribute),
        ("o:: %%%\n", 5, Base64),
        ("o:: Y\n", 5, Base64),
        ("jpegPhoto:< file:///etc/passwd\n", 5, Url),
        ("o: a\0b\n", 5, Character),
        ("o: a\rb\n", 5, Character),
        ("-\n", 5, Change),
        ("dn: dc=b\n", 5, SecondDn),
        ("# comment\n folded\no\n", 7, NoColon),
        ("\n x: y\n", 6, Continuation),
        ("\no: x\n", 6, NoDn),
        ("\nversion: 1\n", 6, NoDn),
        ("\ndn: dc=a\nchangetype: delete\n", 7, Change),
        ("\ndn: dc=a\ncontrol: 1.2.3 true\n", 7, Change),
        ("\ndn:: /w==\n", 6, DnNotUtf8),
        ("\n\ndn: DC=A\ndc: a\n", 7, Duplicate),
    ] {
        let content = format!("{entry}{rest}");
        assert_eq!(problem(&content), (line, expected), "{rest:?}");
        // Lines may end in CR LF.
        if !rest.contains('\r') {
            assert_eq!(problem(&content.replace('\n', "\r\n")).0, line, "{rest:?}");
        }
    }
    assert_eq!(problem("version: 2\n"), (1, Version));
    assert_eq!(problem(" x"), (1, Continuation));
    assert!(matches!(problem("dn: x\n"), (1, Dn(_))));
    let long = format!("dn: dc=a\no: {}\n", "x".repeat(waypost_directory::MAX_LINE));
    assert_eq!(problem(&long), (2, LineTooLong));
    let folded = format!("dn: dc=a\no: x\n{}", " xxxxxxxxxxxxxxx\n".repeat(300_000));
    assert_eq!(problem(&folded), (2, LineTooLong));
}

#[test]
fn entries_lie_below_the_base() {
    let two = "dn: ou=a,dc=x,dc=test\nou: a\n\ndn: ou=b,dc=x,dc=test\nou: b\n";
    let directory = Directory::Ldif(load(two.as_bytes()).unwrap());
    assert_eq!(directory.base(), "dc=x,dc=test");
    let other = load_with(two.as_bytes(), |settings| settings.base = Some("dc=y".into()));
    let Err(LdifLoadError::Content(error)) = other else { panic!() };
    assert_eq!(error.to_string(), "line 1: the entry is not at or below the base \"dc=y\"");
    assert_eq!(Directory::Ldif(load(b"").unwrap()).base(), "");
    let apart = "dn: dc=a\ndc: a\n\ndn: dc=b\ndc: b\n";
    assert_eq!(Directory::Ldif(load(apart.as_bytes()).unwrap()).base(), "");
}

#[test]
fn settings_that_make_no_sense() {
    let base = load_with(b"", |settings| settings.base = Some("example.test".into()));
    assert!(matches!(base, Err(LdifLoadError::Base(_))));
    let field = load_with(b"", |settings| settings.password_field = Some("*".into()));
    assert!(matches!(field, Err(LdifLoadError::PasswordField(_))));
    let source = LdifSource::File("/nowhere/directory.ldif".into());
    let file = LdifDirectory::load(LdifSettings::new("ldif", source), &Metrics::default());
    let error = file.err().unwrap().to_string();
    assert!(error.starts_with("/nowhere/directory.ldif cannot be read: "), "{error}");
}

#[tokio::test]
async fn a_file_is_probed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("directory.ldif");
    std::fs::write(&path, PEOPLE).unwrap();
    let settings = LdifSettings::new("ldif", LdifSource::File(path.clone()));
    let directory = LdifDirectory::load(settings, &Metrics::default()).unwrap();
    let findings = Directory::Ldif(directory).probe().await;
    assert_eq!(findings[0].subject, path.display().to_string());
    assert_eq!(findings[0].result, Ok("8 entries at or below \"dc=example,dc=test\"".to_owned()));
}

#[tokio::test]
async fn parents_may_be_missing_and_naming_values_too() {
    let directory = ldif("dn: uid=a+cn=b,ou=x,dc=example,dc=test\nmail: a@example.test\n");
    for (base, filter) in [
        ("ou=x,dc=example,dc=test", "(uid=a)"),
        (BASE, "(cn=B)"),
        ("cn=B+uid=A,ou=x,dc=example,dc=test", "(&(uid=a)(cn=b))"),
    ] {
        let page = Ask { base, filter, ..Ask::default() }.of(&directory).await.unwrap();
        assert_eq!(page.entries.len(), 1, "{base} {filter}");
    }
}

#[tokio::test]
async fn more_than_the_operator_allows_is_too_large() {
    let limited = |limits: Limits| {
        Directory::Ldif(load_with(PEOPLE.as_bytes(), |settings| settings.limits = limits).unwrap())
    };
    let everybody = Ask { filter: "(mail=*)", attributes: &["cn"], ..Ask::default() };
    let directory = limited(Limits { entries: 3, ..Limits::default() });
    assert_eq!(everybody.of(&directory).await, Err(SearchError::TooLarge));
    let three = Ask { size_limit: 3, ..everybody };
    assert!(!three.of(&directory).await.unwrap().complete);
    let directory = limited(Limits { octets: 300, ..Limits::default() });
    assert_eq!(three.of(&directory).await, Err(SearchError::TooLarge));
    assert_eq!(look_up(&directory).await.unwrap().entries.len(), 1);
}

/// `count` people, each with an address of their own.
fn many(count: usize) -> String {
    let mut content = format!("dn: {BASE}\nobjectClass: dcObject\ndc: example\n");
    for n in 0..count {
        write!(
            content,
            "\ndn: uid=user{n},{BASE}\nobjectClass: inetOrgPerson\nuid: user{n}\ncn: User {n}\n\
             mail: user{n}@example.test\nmailHost: host{}.example.test\n",
            n % 8
        )
        .unwrap();
    }
    content
}

#[tokio::test]
async fn a_search_that_looks_at_every_entry_lets_others_run_and_ends_in_time() {
    let directory = ldif(&many(3000));
    let ask = Ask { filter: "(cn=*nobody*)", ..Ask::default() };
    let query = ask.bind(&directory);
    let other = tokio::spawn(async {
        for turn in 0.. {
            tokio::task::yield_now().await;
            if turn == 3 {
                return;
            }
        }
    });
    let far = Instant::now() + Duration::from_secs(60);
    let found = directory.search(&query, far).await.unwrap();
    assert!(found.entries.is_empty() && other.is_finished());
    assert_eq!(directory.search(&query, Instant::now()).await, Err(SearchError::Timeout));
}

/// A search by index touches the entries that it finds and no others. The bound is a hundred times
/// what it takes, since tests are built for debugging and run beside each other.
#[tokio::test]
async fn searches_by_value_do_not_depend_on_the_number_of_entries() {
    let directory = ldif(&many(20_000));
    let ask = Ask {
        filter: "(&(objectClass=inetOrgPerson)(|(mail={0})(mailLocalAddress={0})))",
        parameters: &[b"User19999@example.test"],
        attributes: &["mailHost"],
        ..Ask::default()
    };
    let query = ask.bind(&directory);
    let far = Instant::now() + Duration::from_secs(60);
    let start = Instant::now();
    for _ in 0..1000 {
        let page = directory.search(&query, far).await.unwrap();
        assert_eq!(page.entries[0].attributes[0].1, [b"host7.example.test"]);
    }
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn a_name_in_a_file_may_hold_braces() {
    let directory = load(b"dn: olcDatabase={1}mdb,cn=config\ncn: x\n").unwrap();
    assert_eq!(directory.entries(), 1);
    assert!(Dn::parse("olcDatabase={1}mdb,cn=config").is_ok());
}
