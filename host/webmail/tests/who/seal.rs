use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use waypost_model::{Address, MAX_LOCAL_PART, Principal, Verification};
use waypost_webmail::home::{Home, Past};
use waypost_webmail::proof::Proof;
use waypost_webmail::seal::{
    KeyRing, MARK_LENGTH, MAX_KEYS, MAX_SEALED, Mark, OpenError, Refreshed, RouteCookie, SealKeys,
    SealKeysError,
};

const FIRST: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SECOND: &str = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn keys(lines: &[&str]) -> SealKeys {
    SealKeys::parse(lines.join("\n").as_bytes()).unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn address(text: &str) -> Address {
    Address::new(text, None).unwrap()
}

fn cookie(user: &str) -> RouteCookie {
    let address = address(user);
    let past = Past::default().at(Home::of(&address, "north.example.test"), now()).mixed(now());
    let principal = Principal { directory: "main".into(), dn: "cn=user1".into() };
    let proof = Proof::of(&Verification::ByBind(principal));
    RouteCookie { past, proof, ..RouteCookie::new(address, now()) }
}

#[test]
fn a_sealed_cookie_opens_to_what_was_sealed() {
    let keys = keys(&[FIRST]);
    let full = cookie("user1@example.test");
    for cookie in [RouteCookie::new(address("ü@b.test"), now()), full] {
        let sealed = cookie.seal(&keys).unwrap();
        assert_eq!(RouteCookie::open(sealed.as_bytes(), &keys, now(), DAY), Ok(cookie));
    }
}

#[test]
fn nothing_shows_through_and_no_two_are_alike() {
    let keys = keys(&[FIRST]);
    let cookie = cookie("user1@example.test");
    let [one, other] = [(); 2].map(|()| cookie.seal(&keys).unwrap());
    assert_ne!(one, other);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    assert!(one.chars().all(is_plain), "{one}");
    assert!(!format!("{keys:?}").contains("AAEC"));
}

#[test]
fn the_first_key_seals_and_every_key_opens() {
    let old = keys(&[FIRST]);
    let rotated = keys(&[SECOND, FIRST]);
    let new = keys(&[SECOND]);
    let cookie = cookie("user1@example.test");
    let (before, after) = (cookie.seal(&old).unwrap(), cookie.seal(&rotated).unwrap());
    let open = |sealed: &str, keys: &SealKeys| {
        RouteCookie::open(sealed.as_bytes(), keys, now(), DAY).map(|_| ())
    };
    assert_eq!(open(&before, &rotated), Ok(()));
    assert_eq!(open(&after, &rotated), Ok(()));
    assert_eq!(open(&after, &new), Ok(()));
    assert_eq!(open(&before, &new), Err(OpenError::Key));
    assert_eq!(open(&after, &old), Err(OpenError::Key));
}

#[test]
fn a_cookie_ends_with_its_time() {
    let keys = keys(&[FIRST]);
    let sealed = cookie("user1@example.test").seal(&keys).unwrap();
    let open = |now| RouteCookie::open(sealed.as_bytes(), &keys, now, DAY).map(|_| ());
    assert_eq!(open(now() + DAY - Duration::from_secs(1)), Ok(()));
    assert_eq!(open(now() + DAY), Err(OpenError::Expired));
    assert_eq!(open(now() - DAY), Ok(()), "another node's clock is ahead");
}

#[test]
fn what_was_changed_or_cut_does_not_open() {
    let keys = keys(&[FIRST]);
    let sealed = cookie("user1@example.test").seal(&keys).unwrap();
    let open = |text: &[u8]| RouteCookie::open(text, &keys, now(), DAY);
    for end in 0..sealed.len() {
        assert!(open(&sealed.as_bytes()[..end]).is_err(), "cut at {end}");
    }
    for at in 0..sealed.len() {
        let mut changed = sealed.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(open(&changed).is_err(), "changed at {at}");
    }
    assert!(open(format!("{sealed}A").as_bytes()).is_err());
    assert_eq!(open(b"").map(|_| ()), Err(OpenError::Malformed));
    assert_eq!(open("x".repeat(MAX_SEALED + 1).as_bytes()).map(|_| ()), Err(OpenError::Malformed));
    for version in [b"AgAAAAAA", b"BAAAAAAA"] {
        assert_eq!(open(version).map(|_| ()), Err(OpenError::Version));
    }
    let forged = cookie("admin@example.test").seal(&SealKeys::random()).unwrap();
    assert_eq!(open(forged.as_bytes()).map(|_| ()), Err(OpenError::Key));
    // With the name of a key that is known, in the place of the forger's own.
    let named = format!("{}{}", &sealed[..7], &forged[7..]);
    assert_eq!(open(named.as_bytes()).map(|_| ()), Err(OpenError::Seal));
}

#[test]
fn the_longest_fits_a_browser() {
    let keys = keys(&[FIRST]);
    let labels = [(); 4].map(|()| "d".repeat(60)).join(".");
    let longest = format!("{}@{labels}", "u".repeat(MAX_LOCAL_PART));
    let cookie = cookie(&longest);
    let sealed = cookie.seal(&keys).unwrap();
    assert!(sealed.len() <= MAX_SEALED && MAX_SEALED < 800, "{} {MAX_SEALED}", sealed.len());
    assert_eq!(RouteCookie::open(sealed.as_bytes(), &keys, now(), DAY), Ok(cookie));
}

#[test]
fn keys_are_read_line_by_line() {
    let parse = |text: &str| SealKeys::parse(text.as_bytes()).map(|keys| keys.count());
    assert_eq!(parse(&format!("# of today\n{SECOND}\r\n\n  {FIRST}\n")), Ok(2));
    assert_eq!(parse("# nothing\n\n"), Err(SealKeysError::Empty));
    assert_eq!(parse(&format!("{FIRST}\nshort\n")), Err(SealKeysError::NotAKey { line: 2 }));
    assert_eq!(parse("AAECAw==\n"), Err(SealKeysError::NotAKey { line: 1 }), "four octets");
    let long = FIRST.replace('=', "") + FIRST;
    assert_eq!(parse(&long), Err(SealKeysError::NotAKey { line: 1 }));
    assert_eq!(parse(&format!("{FIRST}\n{FIRST}\n")), Err(SealKeysError::Twice { line: 2 }));
    let many: String = (0..=MAX_KEYS)
        .map(|n| FIRST.replacen("AA", &format!("A{}", letter(n)), 1) + "\n")
        .collect();
    assert_eq!(parse(&many), Err(SealKeysError::TooMany));
    assert!(!SealKeysError::NotAKey { line: 1 }.to_string().contains("AAEC"));
}

fn letter(number: usize) -> char {
    char::from(b'A' + u8::try_from(number).unwrap())
}

#[test]
fn a_changed_file_is_read_anew_and_a_broken_one_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    fs::write(&path, FIRST).unwrap();
    let ring = KeyRing::load(&path).unwrap();
    assert!(matches!(ring.refresh(), Refreshed::Unchanged));
    fs::write(&path, format!("{SECOND}\n{FIRST}\n")).unwrap();
    assert!(matches!(ring.refresh(), Refreshed::Renewed));
    assert_eq!(ring.keys().count(), 2);
    fs::write(&path, "rubbish").unwrap();
    assert!(matches!(ring.refresh(), Refreshed::Failed(_)));
    assert_eq!(ring.keys().count(), 2);
    assert!(matches!(ring.refresh(), Refreshed::Unchanged), "it is told once");
    fs::remove_file(&path).unwrap();
    assert!(matches!(ring.refresh(), Refreshed::Failed(_)));
    assert_eq!(ring.keys().count(), 2);
    let error = KeyRing::load(&path).unwrap_err().to_string();
    assert!(error.contains("keys") && error.contains("cannot read"), "{error}");
}

#[test]
fn a_home_is_a_user_on_a_target() {
    let home = |user: &str, at: &str| Home::of(&address(user), at);
    let home1 = home("user1@example.test", "north.test");
    assert_eq!(home1, home("user1@example.test", "north.test"));
    assert_ne!(home1, home("user2@example.test", "north.test"));
    assert_ne!(home1, home("user1@example.test", "south.test"));
    assert_ne!(home1, home("user1@example.test", "north.test:8080"));
}

#[test]
fn a_past_is_sealed_when_its_user_is_forgotten() {
    let keys = keys(&[FIRST]);
    for past in [Past::default(), cookie("user1@example.test").past] {
        let sealed = past.seal(&keys).unwrap();
        assert_eq!(Past::open(sealed.as_bytes(), &keys), Some(past));
        assert_eq!(Past::open(sealed.as_bytes(), &SealKeys::random()), None);
        let as_route = RouteCookie::open(sealed.as_bytes(), &keys, now(), DAY);
        assert!(as_route.is_err(), "nobody is in it");
    }
}

#[test]
fn a_past_is_mixed_for_its_time() {
    let [north, south] = ["n.test", "s.test"].map(|at| Home::of(&address("a@x.test"), at));
    let past = Past::default();
    assert!(past.is_only(north, now(), DAY));
    let past = past.at(north, now());
    assert!(past.is_only(north, now(), DAY) && !past.is_only(south, now(), DAY));
    assert_eq!(past.at(north, now() + DAY), past, "nothing is new");
    let past = past.at(south, now());
    assert!(!past.is_only(south, now(), DAY));
    assert!(past.is_only(south, now() + DAY, DAY) && !past.is_only(north, now() + DAY, DAY));
}

#[test]
fn a_mark_is_of_one_cookie() {
    let keys = keys(&[FIRST]);
    let home = |at: &str| Home::of(&address("a@x.test"), at);
    let mark = Mark::new(home("n.test"), b"1");
    let sealed = mark.seal(b"waypost.s", &keys).unwrap();
    assert_eq!(sealed.len(), MARK_LENGTH);
    assert_ne!(mark.seal(b"waypost.s", &keys).unwrap(), sealed, "no two are alike");
    let open = |name: &[u8], keys: &SealKeys| Mark::open(sealed.as_bytes(), name, keys);
    assert_eq!(open(b"waypost.s", &keys), Some(mark));
    assert_eq!(open(b"waypost.t", &keys), None);
    assert_eq!(open(b"waypost.s", &SealKeys::random()), None);
    assert!(mark.is_of(home("n.test")) && !mark.is_of(home("s.test")));
    assert!(mark.is_for(b"1") && !mark.is_for(b"2"));
}

#[test]
fn a_proof_is_of_an_entry_and_of_how_it_was_checked() {
    let principal = |dn: &str| Principal { directory: "main".into(), dn: dn.into() };
    let bind = Proof::of(&Verification::ByBind(principal("cn=a")));
    assert_eq!(bind, Proof::of(&Verification::ByBind(principal("cn=a"))));
    assert_ne!(bind, Proof::of(&Verification::ByBind(principal("cn=b"))));
    assert_ne!(bind, Proof::of(&Verification::ByPassword(principal("cn=a"))));
    assert_eq!(Proof::of(&Verification::ByBackend), None, "the front knows nothing then");
}

proptest! {
    #[test]
    fn nothing_opens_that_was_not_sealed(text in any::<Vec<u8>>(), tail in "[A-Za-z0-9_-]{0,1200}") {
        let keys = keys(&[FIRST]);
        prop_assert!(RouteCookie::open(&text, &keys, now(), DAY).is_err());
        prop_assert!(RouteCookie::open(tail.as_bytes(), &keys, now(), DAY).is_err());
    }
}
