use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use waypost_model::Secret;
use waypost_webmail::basic::{Basic, BasicError};

use crate::fields;

fn read(field: &str) -> Result<Option<(String, String)>, BasicError> {
    let basic = Basic::read(&fields(&[("authorization", field)]))?;
    let text =
        |basic: Basic| (basic.user, String::from_utf8_lossy(basic.password.expose()).into_owned());
    Ok(basic.map(text))
}

fn encoded(pair: &[u8]) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[test]
fn name_and_password_are_read() {
    let expected = Ok(Some(("Aladdin".into(), "open sesame".into())));
    assert_eq!(read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), expected, "RFC 7617 section 2");
    assert_eq!(read("bAsIc   QWxhZGRpbjpvcGVuIHNlc2FtZQ"), expected, "case, spaces, no padding");
    assert_eq!(read(&encoded(b"a:b:c")), Ok(Some(("a".into(), "b:c".into()))));
    assert_eq!(read(&encoded(b"a:")), Ok(Some(("a".into(), String::new()))));
    let umlaut = Ok(Some(("jörg".into(), "x".into())));
    assert_eq!(read(&encoded("jörg:x".as_bytes())), umlaut);
    assert_eq!(read(&encoded(b"j\xf6rg:x")), umlaut, "ISO 8859-1");
}

#[test]
fn other_credentials_are_for_the_back_end() {
    for field in ["Bearer abc", "Negotiate abc", "Basically abc", "B", ""] {
        assert_eq!(read(field), Ok(None), "{field}");
    }
    assert_eq!(Basic::read(&fields(&[])), Ok(None));
}

#[test]
fn malformed_credentials_are_none() {
    let long = encoded(&[b'a'; 10_000]);
    let more = ["Basic", "Basic ", "Basic !", "Basic YQ", "Basic a b", &long].map(str::to_owned);
    let control = [&b"a\0b:c"[..], b"a:b\r\n", b"a\x7f:b"].map(encoded);
    for field in more.into_iter().chain(control) {
        // A line end cannot stand in a field, and others are trimmed by HTTP.
        assert_eq!(read(&field), Err(BasicError::Malformed), "{field}");
    }
}

#[test]
fn two_fields_are_refused() {
    let twice = fields(&[("authorization", "Basic YTpi"), ("authorization", "Basic Yzpk")]);
    assert_eq!(Basic::read(&twice), Err(BasicError::Twice));
}

#[test]
fn a_name_with_a_domain_of_windows_is_read() {
    let login_name = |user: &str| {
        let fields = fields(&[("authorization", &encoded(format!("{user}:x").as_bytes()))]);
        Basic::read(&fields).unwrap().unwrap().login_name()
    };
    assert_eq!(login_name("user1@example.test"), "user1@example.test");
    assert_eq!(login_name("EXAMPLE\\user1"), "user1");
    assert_eq!(login_name("\\user1"), "user1");
    assert_eq!(login_name("example.test\\user1"), "user1@example.test");
    assert_eq!(login_name("EXAMPLE\\user1@example.test"), "user1@example.test");
}

#[test]
fn credentials_are_written() {
    let field = |name, password: &str| Basic::field(name, &Secret::from(password));
    let written = field("user1", "b:c").unwrap();
    assert!(written.is_sensitive());
    assert_eq!(read(written.to_str().unwrap()), Ok(Some(("user1".into(), "b:c".into()))));
    assert_eq!(field("a:b", "x"), None);
    assert_eq!(field("a\nb", "x"), None);
    assert_eq!(field("a", "x\r"), None);
}

proptest! {
    #[test]
    fn nothing_panics(field in "(?i)basic [ -~]{0,60}") {
        let _ = read(&field);
    }
}
