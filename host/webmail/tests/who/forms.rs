use bytes::Bytes;
use http::Method;
use proptest::prelude::*;
use waypost_webmail::form::{Fields, FormError, FormRule, Kind, KindError, MAX_FORM};

fn rule() -> FormRule {
    FormRule {
        place: "/?_task=login".parse().unwrap(),
        user: "_user".into(),
        password: Some("_pass".into()),
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Who logs in with a form of this media type.
fn user(media_type: &str, form: impl Into<Bytes>) -> Result<Option<String>, FormError> {
    let kind = Kind::of(media_type).unwrap().unwrap();
    let fields = wait(Fields::read(&kind, &form.into()))?;
    rule().user(&fields)
}

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=\"-x-\"";

fn part(name: &str, text: &str) -> String {
    format!("---x-\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
}

#[test]
fn every_kind_of_form_says_who_logs_in() {
    let someone = Ok(Some("user1@example.test".to_owned()));
    assert_eq!(user(URLENCODED, "_user=user1%40example.test&_pass=a%26b&_token=x"), someone);
    let multipart = part("_user", " user1@example.test ") + &part("_pass", "x") + "---x---\r\n";
    assert_eq!(user(MULTIPART, multipart), someone);
    let json = r#"{"_user": "user1@example.test", "_pass": "x", "more": [1, {"_user": "y"}]}"#;
    assert_eq!(user("Application/JSON; charset=utf-8", json), someone);
}

#[test]
fn a_file_is_no_field() {
    let file = "---x-\r\nContent-Disposition: form-data; name=\"_user\"; filename=\"f\"\r\n\r\n\
                \u{fffd}\r\n";
    assert_eq!(user(MULTIPART, file.to_owned() + &part("_pass", "x") + "---x---"), Ok(None));
}

#[test]
fn another_form_is_not_this_one() {
    assert_eq!(user(URLENCODED, "_user=user1"), Ok(None), "no password");
    assert_eq!(user(URLENCODED, "_pass=x"), Ok(None));
    assert_eq!(user(URLENCODED, "_user=+&_pass=x"), Ok(None), "nobody");
    assert_eq!(user(URLENCODED, ""), Ok(None));
    assert_eq!(user("application/json", r#"{"_user": 1, "_pass": "x"}"#), Ok(None));
    let bare = FormRule { password: None, ..rule() };
    let fields = wait(Fields::read(&Kind::Urlencoded, &Bytes::from("_user=user1"))).unwrap();
    assert_eq!(bare.user(&fields), Ok(Some("user1".into())));
}

#[test]
fn what_two_readers_may_read_differently_is_refused() {
    let twice = Err(FormError::Twice);
    assert_eq!(user(URLENCODED, "_user=a&_user=b&_pass=x"), twice);
    assert_eq!(user(URLENCODED, "_user=a&%5fuser=a&_pass=x"), twice);
    assert_eq!(user("application/json", r#"{"_user":"a","_user":"b","_pass":"x"}"#), twice);
    let parts = part("_user", "a") + &part("_user", "b") + &part("_pass", "x") + "---x---\r\n";
    assert_eq!(user(MULTIPART, parts), twice);
}

#[test]
fn a_malformed_form_is_refused() {
    let malformed = Err(FormError::Malformed);
    assert_eq!(user(URLENCODED, "_user=\u{e4}&_pass=x"), malformed);
    for json in ["", "{", "[]", "\"_user\"", r#"{"_user":"a"} x"#, "{\"_user\":\"\u{1}\"}"] {
        assert_eq!(user("application/json", json), malformed, "{json}");
    }
    let deep = "[".repeat(60_000);
    assert_eq!(user("application/json", format!("{{\"a\":{deep}")), malformed);
    let cut = part("_user", "a");
    assert_eq!(user(MULTIPART, cut.clone()), malformed, "no end");
    assert_eq!(user(MULTIPART, cut[..20].to_owned()), malformed, "cut");
    assert_eq!(user(MULTIPART, Bytes::from_static(b"rubbish")), malformed);
    assert_eq!(Kind::of("multipart/form-data"), Err(KindError), "no boundary");
}

#[test]
fn a_form_has_a_limit() {
    let form = |length: usize| format!("_user=a&_pass={}", "x".repeat(length - 14));
    assert_eq!(user(URLENCODED, form(MAX_FORM)), Ok(Some("a".into())));
    assert_eq!(user(URLENCODED, form(MAX_FORM + 1)), Err(FormError::TooLong));
}

#[test]
fn what_is_no_form_is_not_read() {
    for media_type in ["text/plain", "application/octet-stream", "", "text/x-json"] {
        assert_eq!(Kind::of(media_type), Ok(None), "{media_type}");
    }
}

#[test]
fn a_rule_is_for_one_place() {
    let rule = rule();
    let is_for = |method: &Method, path, query| rule.is_for(method, path, query);
    assert!(is_for(&Method::POST, "/", Some("_task=login")));
    assert!(is_for(&Method::POST, "/", Some("x=1&_task=login")));
    assert!(!is_for(&Method::GET, "/", Some("_task=login")));
    assert!(!is_for(&Method::POST, "/", Some("_task=mail")));
    assert!(!is_for(&Method::POST, "/", None));
    assert!(!is_for(&Method::POST, "/x", Some("_task=login")));
}

proptest! {
    #[test]
    fn nothing_panics(form in any::<Vec<u8>>(), text in "[ -~]{0,200}") {
        for kind in [URLENCODED, MULTIPART, "application/json"] {
            let _ = user(kind, form.clone());
            let _ = user(kind, text.clone());
        }
        let _ = Kind::of(&text);
        let _ = Kind::of(&format!("multipart/form-data; {text}"));
    }
}
