use proptest::prelude::*;
use waypost_model::Address;

use super::{ForwardPath, Mailbox, PathError, ReversePath};

/// The halves of a recipient's mailbox, and how it is written.
#[track_caller]
fn mailbox(text: &str) -> (String, String, String) {
    let (path, rest) = ForwardPath::parse(text.as_bytes()).unwrap();
    assert_eq!(rest, b"", "{text}");
    let mailbox = path.mailbox().unwrap();
    (mailbox.local_part().into(), mailbox.domain().into(), path.to_string())
}

#[track_caller]
fn refused(text: &str, error: PathError) {
    assert_eq!(ForwardPath::parse(text.as_bytes()), Err(error), "{text}");
    let sender = match error {
        PathError::Missing => Ok((ReversePath::Null, &b""[..])),
        error => Err(error),
    };
    assert_eq!(ReversePath::parse(text.as_bytes()), sender, "{text}");
}

fn parts(local_part: &str, domain: &str, written: &str) -> (String, String, String) {
    (local_part.into(), domain.into(), written.into())
}

#[test]
fn ordinary_paths() {
    assert_eq!(
        mailbox("<Ann.Lee+x@Example.test>"),
        parts("Ann.Lee+x", "Example.test", "<Ann.Lee+x@Example.test>")
    );
    assert_eq!(mailbox("<a@localdomain>"), parts("a", "localdomain", "<a@localdomain>"));
    assert_eq!(mailbox("<a@b.test.>"), parts("a", "b.test", "<a@b.test>"));
    assert_eq!(mailbox("<a@b_c.test>"), parts("a", "b_c.test", "<a@b_c.test>"));
    assert_eq!(ReversePath::parse(b"<> SIZE=1"), Ok((ReversePath::Null, &b" SIZE=1"[..])));
}

#[test]
fn source_routes_are_stripped() {
    assert_eq!(mailbox("<@a.test,@b.test:c@d.test>"), parts("c", "d.test", "<c@d.test>"));
    assert_eq!(mailbox("<@[192.0.2.1]:c@d.test>"), parts("c", "d.test", "<c@d.test>"));
    refused("<@a.test>", PathError::Syntax);
    refused("<@a.test,b.test:c@d.test>", PathError::Syntax);
    refused("<@a test:c@d.test>", PathError::Syntax);
    refused("<@a.test:@d.test>", PathError::Empty);
}

#[test]
fn quoted_strings_mean_what_is_in_them() {
    assert_eq!(mailbox(r#"<"ann"@b.test>"#), parts("ann", "b.test", "<ann@b.test>"));
    assert_eq!(
        mailbox(r#"<"a \" b\\> c"@d.test>"#),
        parts(r#"a " b\> c"#, "d.test", r#"<"a \" b\\> c"@d.test>"#)
    );
    assert_eq!(mailbox(r#"<"\a\n\n"@b.test>"#), parts("ann", "b.test", "<ann@b.test>"));
    assert_eq!(mailbox("<a..b.@c.test>"), parts("a..b.", "c.test", "<\"a..b.\"@c.test>"));
    refused("<\"\"@x>", PathError::Empty);
    refused("<\"a@b.test>", PathError::Syntax);
    refused("<\"a\"b@c.test>", PathError::Syntax);
    refused("<\"a\tb\"@c.test>", PathError::Syntax);
    refused("<\"a\\\tb\"@c.test>", PathError::Syntax);
    refused("<\"a\u{85}b\"@c.test>", PathError::Syntax);
    refused("<a\\@b@c.test>", PathError::Syntax);
}

#[test]
fn address_literals() {
    for domain in ["[192.0.2.1]", "[IPv6:2001:db8::1]", "[ipv6:::1]"] {
        let written = format!("<ann@{domain}>");
        assert_eq!(mailbox(&written), parts("ann", domain, &written));
        let (path, _) = ForwardPath::parse(written.as_bytes()).unwrap();
        assert!(path.mailbox().unwrap().address().is_err());
    }
    for literal in
        ["[]", "[192.0.2]", "[2001:db8::1]", "[IPv6:x]", "[x-y:z]", "[192.0.2.1", "[é::]"]
    {
        refused(&format!("<ann@{literal}>"), PathError::Syntax);
    }
}

#[test]
fn the_postmaster_needs_no_domain() {
    for text in ["<Postmaster>", "<postmaster>", "<POSTMASTER>", "<\"Postmaster\">"] {
        let (path, rest) = ForwardPath::parse(text.as_bytes()).unwrap();
        assert_eq!((&path, rest), (&ForwardPath::Postmaster, &b""[..]));
        assert_eq!(path.to_string(), "<Postmaster>");
    }
    assert_eq!(ReversePath::parse(b"<postmaster>"), Err(PathError::NoDomain));
    refused("<ann>", PathError::NoDomain);
    assert_eq!(mailbox("<postmaster@a.test>").0, "postmaster");
}

#[test]
fn what_is_no_path() {
    for text in ["", "a@b.test", "a@b.test>", "<a@b.test", "<a", " <a@b.test>"] {
        refused(text, PathError::Brackets);
    }
    refused("<>", PathError::Missing);
    for text in
        ["<", "< >", "<a@>", "<a@b..c>", "<a@.b>", "<a@b c>", "<a b@c>", "<a,b@c>", "<a@b@c>"]
    {
        refused(text, PathError::Syntax);
    }
    for octet in (0..b' ').chain([0x7F]) {
        for place in 1..9 {
            let mut text = b"<ann@b.test>".to_vec();
            text.insert(place, octet);
            assert_eq!(ForwardPath::parse(&text), Err(PathError::Syntax), "{octet} at {place}");
        }
    }
    assert_eq!(ForwardPath::parse(b"<\xFF@b.test>"), Err(PathError::Syntax));
    assert_eq!(ForwardPath::parse(b"<a@\xFF.test>"), Err(PathError::Syntax));
}

#[test]
fn what_stands_behind_a_path_is_left() {
    assert_eq!(ForwardPath::parse(b"<a@b>c>x").unwrap().1, b"c>x");
    assert_eq!(ReversePath::parse(b"<\"a>b\"@c> X").unwrap().1, b" X");
    assert_eq!("<a@b> ".parse::<ForwardPath>(), Err(PathError::Syntax));
}

#[test]
fn addresses_have_their_lengths() {
    let path = |local_part: usize, domain: usize| {
        let labels = "x.".repeat(domain / 2) + &"x".repeat(domain % 2);
        let text = format!("<{}@{labels}>", "a".repeat(local_part));
        ForwardPath::parse(text.as_bytes()).map(|_| ())
    };
    assert_eq!(path(256, 255), Ok(()));
    assert_eq!(path(257, 255), Err(PathError::TooLong));
    assert_eq!(path(256, 257), Err(PathError::TooLong));
    let text = format!("<\"{}\"@a>", "\\a".repeat(256));
    assert!(ForwardPath::parse(text.as_bytes()).is_ok());
}

#[test]
fn international_addresses() {
    assert_eq!(
        mailbox("<jürgen@Bücher.example>"),
        parts("jürgen", "xn--bcher-kva.example", "<jürgen@xn--bcher-kva.example>")
    );
    let is_ascii = |text: &str| ForwardPath::parse(text.as_bytes()).unwrap().0.is_ascii();
    assert!(!is_ascii("<jürgen@a.test>"));
    assert!(is_ascii("<a@bücher.example>"));
    assert!(is_ascii("<Postmaster>"));
    refused("<a@\u{200B}.example>", PathError::Syntax);
}

#[test]
fn local_parts_that_may_relay() {
    for (text, relays) in [
        ("<a%b@c.test>", true),
        ("<b!a@c.test>", true),
        ("<\"a@b\"@c.test>", true),
        ("<a+b@c.test>", false),
        ("<\"a b\"@c.test>", false),
    ] {
        let (path, _) = ForwardPath::parse(text.as_bytes()).unwrap();
        assert_eq!(path.mailbox().unwrap().may_relay(), relays, "{text}");
    }
}

#[test]
fn an_address_is_normal_and_a_mailbox_again() {
    let (path, _) = ForwardPath::parse(b"<\"A b\"@Example.TEST>").unwrap();
    let address = path.mailbox().unwrap().address().unwrap();
    assert_eq!(address.as_str(), "A b@example.test");
    assert_eq!(Mailbox::from(&address).to_string(), "\"A b\"@example.test");
    let (path, _) = ForwardPath::parse(b"<a@b_c.test>").unwrap();
    assert!(path.mailbox().unwrap().address().is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read(local_part in "\\PC{1,40}", domain in "[a-z]{1,9}(\\.[a-z]{1,9}){0,2}") {
        let address = Address::from_parts(&local_part, waypost_model::Domain::new(&domain).unwrap());
        let path = ForwardPath::Mailbox(Mailbox::from(&address.unwrap()));
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn nothing_breaks_out_of_its_brackets(text in "<?[ -~é\r\n\0\t\u{85}]{0,20}@?[a-c.\\[\\]:1]{0,9}>?") {
        for path in [
            ForwardPath::parse(text.as_bytes()).map(|(path, _)| path.to_string()),
            ReversePath::parse(text.as_bytes()).map(|(path, _)| path.to_string()),
        ].into_iter().flatten() {
            check_written(&path);
        }
    }

    #[test]
    fn nothing_breaks_out_of_an_address(local_part in any::<String>()) {
        let address = Address::from_parts(&local_part, waypost_model::Domain::new("a.test").unwrap());
        if let Ok(address) = address {
            check_written(&ForwardPath::Mailbox(Mailbox::from(&address)).to_string());
        }
    }

    #[test]
    fn any_octets_are_a_path_or_an_error(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = ForwardPath::parse(&[b"<", &octets[..]].concat());
        let _ = ReversePath::parse(&octets);
    }
}

/// A reader that knows quoted strings and nothing else finds one path.
fn check_written(path: &str) {
    assert!(!path.contains(char::is_control), "{path:?}");
    let inside = path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap();
    let (mut quoted, mut escaped) = (false, false);
    for c in inside.chars() {
        assert!(quoted || !matches!(c, '<' | '>' | ' '), "{path:?}");
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    assert!(!quoted && !escaped, "{path:?}");
}
