//! Hosts and lists of hosts, as directories and settings write them.

use proptest::prelude::*;
use waypost_sdk::{HostError, HostList, HostPort, MAX_TARGETS};

#[test]
fn every_form_of_host() {
    for (text, spelt, host, port) in [
        ("mail1", "mail1", "mail1", None),
        ("Mail1.Example.TEST.", "mail1.example.test", "mail1.example.test", None),
        (" mail1 ", "mail1", "mail1", None),
        ("mail1:143", "mail1:143", "mail1", Some(143)),
        ("10.0.0.1", "10.0.0.1", "10.0.0.1", None),
        ("10.0.0.1:143", "10.0.0.1:143", "10.0.0.1", Some(143)),
        ("2001:DB8::1", "2001:db8::1", "2001:db8::1", None),
        ("[2001:db8:0::1]", "2001:db8::1", "2001:db8::1", None),
        ("[2001:db8::1]:993", "[2001:db8::1]:993", "2001:db8::1", Some(993)),
        ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1", None),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", "xn--bcher-kva.example", None),
        ("a:65535", "a:65535", "a", Some(65535)),
    ] {
        let parsed: HostPort = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parsed.to_string(), spelt);
        assert_eq!((parsed.target().host.as_str(), parsed.target().port), (host, port), "{text}");
    }
}

#[test]
fn what_is_no_host() {
    for (text, error) in [
        ("", HostError::Empty),
        ("  ", HostError::Empty),
        ("a b", HostError::Host),
        ("a_b", HostError::Host),
        ("a..b", HostError::Host),
        ("-a", HostError::Host),
        ("user@host", HostError::Host),
        ("imap://host", HostError::Port),
        ("10.0.0.256", HostError::Host),
        ("10.0.0.1.", HostError::Host),
        ("10", HostError::Host),
        ("[10.0.0.1]", HostError::Host),
        ("[::1", HostError::Host),
        ("[::1]x", HostError::Host),
        ("::1]", HostError::Host),
        ("a\0b", HostError::Host),
        ("a\r\nb", HostError::Host),
        ("bücher.example", HostError::NotAscii),
        ("a:", HostError::Port),
        ("a:0", HostError::Port),
        ("a:65536", HostError::Port),
        ("a:+1", HostError::Port),
        ("[::1]:", HostError::Port),
        ("[::1]:x", HostError::Port),
        (":143", HostError::Host),
    ] {
        assert_eq!(text.parse::<HostPort>(), Err(error), "{text:?}");
    }
}

#[test]
fn lists() {
    let list = |text: &str| text.parse::<HostList>().map(|list| list.to_string());
    assert_eq!(list("a").unwrap(), "a");
    assert_eq!(list("b:143, A ,[::1]:993").unwrap(), "b:143,a,[::1]:993");
    assert_eq!(list("a,b,A.,a").unwrap(), "a,b");
    assert_eq!(list("a,a:143").unwrap(), "a,a:143");
    assert_eq!(list("a,,b"), Err(HostError::Empty));
    assert_eq!(list("a,"), Err(HostError::Empty));
    assert_eq!(list(""), Err(HostError::Empty));
    let many = |count: usize| (0..count).map(|n| format!("m{n}")).collect::<Vec<_>>().join(",");
    assert!(list(&many(MAX_TARGETS)).is_ok());
    assert_eq!(list(&many(MAX_TARGETS + 1)), Err(HostError::TooMany));
}

proptest! {
    #[test]
    fn nothing_panics(text in any::<String>()) {
        let _ = text.parse::<HostList>();
    }

    #[test]
    fn spelling_a_list_and_reading_it_again_changes_nothing(text in "[a-zA-Z0-9.:,\\[\\] -]{0,40}") {
        if let Ok(list) = text.parse::<HostList>() {
            prop_assert_eq!(list.to_string().parse::<HostList>(), Ok(list.clone()));
            prop_assert!((1..=MAX_TARGETS).contains(&list.targets().len()));
        }
    }
}
