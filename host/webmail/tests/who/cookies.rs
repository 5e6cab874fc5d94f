use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use waypost_webmail::cookie;

use crate::fields;

fn onward(request: &HeaderMap) -> Option<String> {
    let field = cookie::onward(request, |_, _| true)?;
    Some(String::from_utf8_lossy(field.as_bytes()).into_owned())
}

#[test]
fn ours_is_taken_out_and_the_others_pass_in_one_field() {
    let request = fields(&[
        ("cookie", "a=1; __Host-waypost=sealed; b=x=y"),
        ("cookie", "WAYPOST=sealed; c=\"q\";d=;lonely"),
    ]);
    assert_eq!(cookie::ours(&request, true), Some(&b"sealed"[..]));
    let passed = onward(&request);
    assert_eq!(passed.as_deref(), Some("a=1; b=x=y; c=\"q\"; d=; lonely"));
    let some = cookie::onward(&request, |name, value| name == b"d" || value == b"lonely").unwrap();
    assert_eq!(some, "d=; lonely");
    assert_eq!(cookie::onward(&request, |_, _| false), None);
    let only_ours = fields(&[("cookie", "waypost=sealed")]);
    assert_eq!(onward(&only_ours), None, "no empty field");
    assert_eq!(onward(&HeaderMap::new()), None);
}

#[test]
fn octets_that_are_no_text_pass_unchanged() {
    let mut request = HeaderMap::new();
    request.insert("cookie", HeaderValue::from_bytes(b"a=\xe4\xff; waypost=x").unwrap());
    let passed = cookie::onward(&request, |_, _| true).unwrap();
    assert_eq!(passed.as_bytes(), b"a=\xe4\xff");
}

#[test]
fn the_name_with_the_prefix_counts_over_tls_and_only_there() {
    let request = fields(&[("cookie", "waypost=plain; __Host-waypost=secure")]);
    assert_eq!(cookie::ours(&request, true), Some(&b"secure"[..]));
    assert_eq!(cookie::ours(&request, false), Some(&b"plain"[..]));
}

#[test]
fn of_two_of_our_name_none_is_ours() {
    let request = fields(&[("cookie", "waypost=planted; waypost=sealed")]);
    assert_eq!(cookie::ours(&request, false), None);
}

#[test]
fn the_attributes_keep_it_to_this_host_and_from_scripts() {
    let set = |encrypted| cookie::set("sealed".into(), Duration::from_secs(60), encrypted).unwrap();
    assert_eq!(
        set(true),
        "__Host-waypost=sealed; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"
    );
    assert_eq!(set(false), "waypost=sealed; HttpOnly; SameSite=Lax; Path=/; Max-Age=60");
    let forgotten = cookie::forget(true).unwrap();
    assert_eq!(forgotten, "__Host-waypost=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
}

#[test]
fn a_back_end_cannot_set_it() {
    for field in [
        "waypost=x; Path=/",
        "__Host-waypost=",
        " WayPost = x",
        "waypost",
        "waypost;",
        "__host-waypost-past=x",
        "Waypost.session=x",
        "__Secure-waypost.session=x",
    ] {
        assert!(cookie::is_ours(&HeaderValue::from_static(field)), "{field}");
    }
    for field in ["waypost2=x", "session=waypost=x", "__Host-way=x", "", "=waypost"] {
        assert!(!cookie::is_ours(&HeaderValue::from_static(field)), "{field}");
    }
}

proptest! {
    #[test]
    fn ours_never_passes(field in "[ -~]{0,80}") {
        let request = fields(&[("cookie", &format!("{field}; waypost=SEALED; waypost.z=SEALED; z=1"))]);
        let passed = onward(&request).unwrap_or_default();
        prop_assert!(!passed.contains("SEALED"), "{}", passed);
        prop_assert!(passed.ends_with("z=1"), "{}", passed);
    }
}
