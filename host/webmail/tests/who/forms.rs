use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;
use waypost_model::Secret;
use waypost_webmail::form::{
    FailedAnswer, Fields, FormError, FormRule, Kind, KindError, MAX_FORM, Replacement, Unwritable,
    Watch,
};

use crate::fields;

fn rule() -> FormRule {
    FormRule {
        place: None,
        user: "_user".into(),
        password: Some("_pass".into()),
        failed: FailedAnswer::default(),
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Who logs in with a form of this media type.
fn user(media_type: &str, form: impl Into<Bytes>) -> Result<Option<String>, FormError> {
    let kind = Kind::of(media_type).unwrap().unwrap();
    let fields = wait(Fields::read(&kind, &form.into()))?;
    rule().user(&fields, None)
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
fn a_file_by_the_name_of_a_field_is_refused() {
    let file = "---x-\r\nContent-Disposition: form-data; name=\"_user\"; filename=\"f\"\r\n\r\n\
                \u{fffd}\r\n";
    let form = file.to_owned() + &part("_pass", "x") + "---x---";
    assert_eq!(user(MULTIPART, form), Err(FormError::Twice));
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
    assert_eq!(bare.user(&fields, None), Ok(Some("user1".into())));
}

#[test]
fn what_two_readers_may_read_differently_is_refused() {
    let twice = Err(FormError::Twice);
    assert_eq!(user(URLENCODED, "_user=a&_user=b&_pass=x"), twice);
    assert_eq!(user(URLENCODED, "_user=a&%5fuser=a&_pass=x"), twice);
    assert_eq!(user("application/json", r#"{"_user":"a","_user":"b","_pass":"x"}"#), twice);
    let parts = part("_user", "a") + &part("_user", "b") + &part("_pass", "x") + "---x---\r\n";
    assert_eq!(user(MULTIPART, parts), twice);
    // What a back end takes for the same name: other cases, and PHP's own reading of names.
    for other in ["_USER", "+_user", "_user%00x", "_user%5b%5d", ".user"] {
        assert_eq!(user(URLENCODED, format!("_user=a&_pass=x&{other}=b")), twice, "{other}");
    }
    assert_eq!(user("application/json", r#"{"_user":"a","_User":1,"_pass":"x"}"#), twice);
    let someone = Ok(Some("a".to_owned()));
    assert_eq!(user(URLENCODED, "_user=a&_pass=x&_user2=b&user=c&_user%5bx%5d=d"), someone);
}

#[test]
fn names_with_brackets_are_told_apart() {
    let rule =
        FormRule { user: "login[user]".into(), password: Some("login[password]".into()), ..rule() };
    let form = Bytes::from("login%5Buser%5D=a&login%5Bpassword%5D=x");
    let fields = wait(Fields::read(&Kind::Urlencoded, &form)).unwrap();
    assert_eq!(rule.user(&fields, None), Ok(Some("a".into())));
    assert_eq!(rule.password(&fields), Ok(Some(Secret::from("x"))));
}

#[test]
fn a_path_that_says_something_else_is_refused() {
    let rule = rule();
    let form = Bytes::from("_user=user1%40a.test&_pass=x");
    let fields = wait(Fields::read(&Kind::Urlencoded, &form)).unwrap();
    for query in [None, Some("_task=login"), Some("_task=login&_user=+user1%40a.test")] {
        let read = rule.user(&fields, query);
        assert_eq!(read, Ok(Some("user1@a.test".into())), "{query:?}");
    }
    for query in ["_user=user2%40a.test", "_USER=user2%40a.test", "_user", "_pass=x", "+_pass=x"] {
        assert_eq!(rule.user(&fields, Some(query)), Err(FormError::Twice), "{query}");
    }
    let form = Bytes::from("_pass=x");
    let fields = wait(Fields::read(&Kind::Urlencoded, &form)).unwrap();
    assert_eq!(rule.user(&fields, Some("_user=a")), Err(FormError::Twice), "half of it there");
    assert_eq!(rule.user(&fields, Some("user=a")), Ok(None));
    assert!(rule.is_password_in("a=b&_PASS=x"));
    assert!(!rule.is_password_in("a=b&_user=x"));
}

#[test]
fn what_a_failed_login_looks_like() {
    let answer = |status: u16, location: Option<&str>| {
        let headers = location.map(|location| fields(&[("location", location)]));
        (StatusCode::from_u16(status).unwrap(), headers.unwrap_or_default())
    };
    let is = |failed: &FailedAnswer, (status, headers): (StatusCode, HeaderMap)| {
        failed.is(status, &headers)
    };
    let nothing = FailedAnswer::default();
    assert!(!is(&nothing, answer(401, None)));
    let by_status = FailedAnswer { status: Some(401), location: None };
    assert!(is(&by_status, answer(401, None)));
    assert!(!is(&by_status, answer(200, None)));
    let by_location =
        FailedAnswer { status: None, location: Some("/login?error=1".parse().unwrap()) };
    for location in ["/login?error=1", "login?x&error=1", "https://other.test/login?error=1#top"] {
        assert!(is(&by_location, answer(302, Some(location))), "{location}");
    }
    for location in ["/login", "/login?error=2", "/", ""] {
        assert!(!is(&by_location, answer(302, Some(location))), "{location}");
    }
    assert!(!is(&by_location, answer(200, Some("/login?error=1"))), "it sends nobody there");
}

/// A form as it is written anew, with another name and password.
fn written(media_type: &str, form: impl Into<Bytes>) -> Result<String, Unwritable> {
    let kind = Kind::of(media_type).unwrap().unwrap();
    let fields = wait(Fields::read(&kind, &form.into())).unwrap();
    let (name, password) = (Secret::from("ann*root"), Secret::from("a&\"=b %"));
    let replacements = [
        Replacement { name: "_user", text: &name },
        Replacement { name: "_pass", text: &password },
    ];
    let form = fields.write(&kind, &replacements)?;
    Ok(String::from_utf8(form.to_vec()).unwrap())
}

#[test]
fn a_form_is_written_anew() {
    assert_eq!(
        written(URLENCODED, "_token=a;_user=b%00&_user=x&&%5fpass=y&empty").unwrap(),
        "_token=a%3B_user%3Db%00&_user=ann*root&_pass=a%26%22%3Db+%25&empty="
    );
    let head = "Content-Disposition: form-data; name=\"other\"; name=\"_user\"\r\nX-More: y";
    let parts = part("_user", "x")
        + &format!("---x-\r\n{head}\r\n\r\nz\r\n")
        + &part("_pass", "y")
        + "---x---\r\nbehind it";
    let parts = parts.replace("name=\"other\"; name=\"_user\"", "name=\"other\"");
    assert_eq!(
        written(MULTIPART, parts).unwrap(),
        part("_user", "ann*root")
            + &part("other", "z")
            + &part("_pass", "a&\"=b %")
            + "---x---\r\n"
    );
    assert_eq!(
        written("application/json", r#"{"_user":"x","n":[1,{"_pass":2}], "_pass":"y"}"#).unwrap(),
        r#"{"_user":"ann*root","n":[1,{"_pass":2}],"_pass":"a&\"=b %"}"#
    );
}

#[test]
fn what_cannot_be_written_is_not() {
    let file = "---x-\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n\r\n";
    assert_eq!(written(MULTIPART, file.to_owned() + "---x---\r\n"), Err(Unwritable::File));
    let write = |kind: &str, form: &str, text: &[u8]| {
        let kind = Kind::of(kind).unwrap().unwrap();
        let fields = wait(Fields::read(&kind, &Bytes::from(form.to_owned()))).unwrap();
        let text = Secret::from(text);
        fields.write(&kind, &[Replacement { name: "_user", text: &text }]).map(|_| ())
    };
    assert_eq!(write(URLENCODED, "_user=x", b"a\0"), Err(Unwritable::Text));
    assert_eq!(write(URLENCODED, "_user=x", b"\xff"), Err(Unwritable::Text));
    let parts = part("_user", "x") + "---x---\r\n";
    assert_eq!(write(MULTIPART, &parts, b"---x-"), Err(Unwritable::Text), "the boundary");
    assert_eq!(write(MULTIPART, &parts, "ä".as_bytes()), Ok(()));
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
fn a_rule_is_for_one_place_or_for_all() {
    let everywhere = rule();
    for path in ["/", "/index.php", "/x/y"] {
        assert!(everywhere.is_for(&Method::POST, path), "{path}");
        assert!(!everywhere.is_for(&Method::GET, path), "{path}");
    }
    let rule = FormRule { place: Some("/?_task=login".parse().unwrap()), ..rule() };
    assert!(rule.is_for(&Method::POST, "/") && rule.is_for(&Method::POST, "//"));
    assert!(!rule.is_for(&Method::GET, "/") && !rule.is_for(&Method::POST, "/x"));
    // What stands behind the ? may stand in the form, where PHP reads both alike.
    let user = |query, form: &'static str| {
        let fields = wait(Fields::read(&Kind::Urlencoded, &Bytes::from(form))).unwrap();
        rule.user(&fields, query)
    };
    let someone = Ok(Some("a".to_owned()));
    assert_eq!(user(Some("x=1&_task=login"), "_user=a&_pass=x"), someone);
    assert_eq!(user(None, "_task=login&_user=a&_pass=x"), someone);
    assert_eq!(user(Some("_task=mail"), "_task=login&_user=a&_pass=x"), someone);
    assert_eq!(user(Some("_task=mail"), "_user=a&_pass=x"), Ok(None));
    assert_eq!(user(None, "_user=a&_pass=x"), Ok(None));
}

/// PHP ends a media type at each of these, and reads the form.
#[test]
fn a_media_type_is_read_as_php_reads_it() {
    for behind in ["", ";x", " ;x", ",x", " ,x", " x", "\t", "; charset=\u{fffd}"] {
        let read = Kind::of(&format!("Application/X-WWW-Form-Urlencoded{behind}"));
        assert_eq!(read, Ok(Some(Kind::Urlencoded)), "{behind:?}");
    }
    for parameters in [
        "; xboundary=a; boundary=b",
        "; boundary=a; boundary=b",
        "; boundary=\"a,b\"",
        "; boundary=\"a b\"",
        ", boundary=a",
    ] {
        let read = Kind::of(&format!("multipart/form-data{parameters}"));
        assert_eq!(read, Err(KindError), "{parameters}");
    }
}

#[test]
fn a_password_that_may_be_read_as_one_is_one() {
    let rule = rule();
    for (media_type, form) in [
        (URLENCODED, "_user=a&_PASS=x"),
        (URLENCODED, "_user=a&+_pass=x"),
        (URLENCODED, "_user=a&_pass%5b%5d=x"),
        ("application/json", r#"{"_user": "a", "_pass": 1234}"#),
    ] {
        let kind = Kind::of(media_type).unwrap().unwrap();
        let fields = wait(Fields::read(&kind, &Bytes::from(form))).unwrap();
        assert_eq!(rule.user(&fields, None), Ok(Some("a".into())), "{form}");
        assert_eq!(rule.password(&fields), Err(FormError::Twice), "{form}");
    }
}

/// Whether a form that is too long to be read is seen to have a `_pass`, in pieces of this length.
fn watched(media_type: Option<&str>, form: &[u8], length: usize) -> bool {
    let kind = media_type.map(|it| Kind::of(it).unwrap().unwrap());
    let mut watch = Watch::new(kind.as_ref(), vec!["_pass".to_owned()]);
    form.chunks(length).any(|piece| watch.finds(piece))
}

#[test]
fn a_password_shows_in_a_long_form_however_it_is_written() {
    let head = |name: &str| {
        format!("---x-\r\nX: y\r\nContent-Disposition: form-data; {name}\r\n\r\nx\r\n---x---\r\n")
    };
    let padding = "x".repeat(5000);
    let found = [
        (Some(URLENCODED), format!("a={padding}&_pass=x")),
        (Some(URLENCODED), format!("a={padding}&_user=b&%5fpass&b=c")),
        (Some(URLENCODED), format!("_PASS=x&a={padding}")),
        (Some(URLENCODED), format!("a=b&{}_pass=x", "+".repeat(5000))),
        (None, format!("a={padding}&_pass=x")),
        (None, format!(" \r\n{{\"a\": [\"{padding}\"], \"_pass\": 1}}")),
        (
            Some("application/json"),
            format!("{{\"a\": \"{padding}\\\"\", \"_\\u0070ass\" : \"x\"}}"),
        ),
        (Some(MULTIPART), padding.clone() + "\r\n" + &head("name=\"_pass\"")),
        (Some(MULTIPART), head("name='_pass'")),
        (Some(MULTIPART), head("name = _pass")),
        (Some(MULTIPART), head("name=\"_p\\ass\"; x=y")),
        (Some(MULTIPART), head("name*=utf-8''%5fpass")),
        (Some(MULTIPART), head("filename=f; NAME=_pass")),
        (Some(MULTIPART), head("name=\"_pass\"").replace("\r\n", "\n")),
        (Some(MULTIPART), head(&format!("x={}", padding.repeat(4)))),
    ];
    for length in [1, 7, 100_000] {
        for (media_type, form) in &found {
            let is_found = watched(*media_type, form.as_bytes(), length);
            assert!(is_found, "{media_type:?} {}", form.replace(&padding, "…"));
        }
    }
}

#[test]
fn a_long_form_without_a_password_passes() {
    let padding = "x".repeat(5000);
    let file = "---x-\r\nContent-Disposition: form-data; name=\"f\"; filename=\"my_pass.eml\"\r\n\r\n\
                To: x\r\n\r\n<input name=\"_pass\">&_pass=x\r\n---x---\r\n";
    for (media_type, form) in [
        (Some(URLENCODED), format!("_message={padding}&a==_pass=x&_passw=y&_user=z")),
        (None, format!("{padding}_pass=x&b={padding}")),
        (
            None,
            format!(
                "{{\"a\": {{\"_pass\": 1}}, \"b\": \"_pass\", \"c\": \"\\\":_pass\", \"d\": \"{padding}\"}}"
            ),
        ),
        (Some(MULTIPART), file.to_owned()),
    ] {
        for length in [1, 7, 100_000] {
            assert!(!watched(media_type, form.as_bytes(), length), "{media_type:?} {form}");
        }
    }
}

proptest! {
    /// A second reader of what was written finds what the first one has found.
    #[test]
    fn what_is_written_reads_the_same(
        names in prop::collection::vec("[a-z\"&=;%+\\[\\] ]{1,8}", 1..5),
        text in "\\PC{0,20}",
    ) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(names.iter().map(|name| (name, &text)));
        let form = Bytes::from(form.finish());
        let fields = wait(Fields::read(&Kind::Urlencoded, &form)).unwrap();
        let multipart = Kind::of(MULTIPART).unwrap().unwrap();
        for kind in [Kind::Urlencoded, multipart, Kind::Json] {
            let Ok(written) = fields.write(&kind, &[]) else { continue };
            let again = wait(Fields::read(&kind, &Bytes::from(written.to_vec()))).unwrap();
            for name in &names {
                // Browsers write a quote as %22 in multipart names, and nobody reads it back.
                if kind == Kind::Urlencoded || !name.contains('"') {
                    prop_assert_eq!(again.only(name), fields.only(name), "{:?}", kind);
                }
            }
        }
    }

    #[test]
    fn nothing_panics(form in any::<Vec<u8>>(), text in "[ -~]{0,200}") {
        for kind in [URLENCODED, MULTIPART, "application/json"] {
            let _ = user(kind, form.clone());
            let _ = user(kind, text.clone());
            for length in [1, 9] {
                watched(Some(kind), &form, length);
                watched(None, text.as_bytes(), length);
            }
        }
        let _ = Kind::of(&text);
        let _ = Kind::of(&format!("multipart/form-data; {text}"));
    }
}
