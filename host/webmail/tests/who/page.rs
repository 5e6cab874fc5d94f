use http::StatusCode;
use proptest::prelude::*;
use waypost_webmail::page::{Language, Page, PageError, Problem, View};

use crate::fields;

fn shown(view: &View<'_>) -> (StatusCode, String) {
    let answer = Page::embedded().answer(view);
    (answer.status(), String::from_utf8(answer.body().to_vec()).unwrap())
}

#[test]
fn it_asks_for_the_address_and_nothing_else() {
    let view = View { host: "mail.example.test", way_back: "/?a=b", ..View::default() };
    let (status, html) = shown(&view);
    assert_eq!(status, StatusCode::OK);
    for part in [
        "<html lang=\"en\">",
        "<title>Your mail – mail.example.test</title>",
        "<label for=\"address\">E-mail address</label>",
        "name=\"address\" value=\"\"",
        "autocomplete=\"username\"",
        "name=\"to\" value=\"&#x2f;?a=b\"",
        "prefers-color-scheme: dark",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    for part in ["password\"", "<script", "http", "forget"] {
        assert!(!html.contains(part), "{part}: {html}");
    }
}

#[test]
fn whoever_is_remembered_can_be_forgotten() {
    let address = "user1@example.test";
    let (_, html) = shown(&View { address, is_remembered: true, ..View::default() });
    assert!(html.contains("value=\"user1@example.test\""), "{html}");
    assert!(html.contains("<a href=\"&#x2f;.waypost&#x2f;forget\">Not you?"), "{html}");
}

#[test]
fn what_is_wrong_is_said_to_everybody() {
    for (problem, status, text) in [
        (Problem::Empty, 422, "enter your e-mail address"),
        (Problem::Invalid, 422, "complete e-mail address"),
        (Problem::Unknown, 422, "no mailbox"),
        (Problem::Unavailable, 503, "cannot be reached"),
        (Problem::Foreign, 403, "another site"),
        (Problem::Rejected, 422, "address or the password is wrong"),
        (Problem::Denied, 403, "may not log in"),
        (Problem::TooMany, 429, "too many attempts"),
    ] {
        let view = View { problem: Some(problem), ..View::default() };
        let answer = Page::embedded().answer(&view);
        assert_eq!(answer.headers().contains_key("retry-after"), matches!(status, 429 | 503));
        let (said, html) = shown(&view);
        assert_eq!(said.as_u16(), status);
        assert!(html.contains("<title>Error: "), "{html}");
        assert!(html.contains("role=\"alert\"") && html.contains(text), "{html}");
        assert!(html.contains("aria-invalid=\"true\" aria-describedby=\"problem hint\""), "{html}");
    }
}

#[test]
fn nothing_that_was_typed_becomes_part_of_the_page() {
    let rubbish = "\"><script>alert(1)</script>{{ 1 }}";
    let view = View { address: rubbish, host: rubbish, way_back: rubbish, ..View::default() };
    let (_, html) = shown(&view);
    assert!(!html.contains("<script") && !html.contains("\">{{"), "{html}");
    assert!(html.contains("&lt;script&gt;"), "{html}");
}

#[test]
fn nothing_runs_on_it_and_nobody_keeps_it() {
    let [first, second] = [(); 2].map(|()| Page::embedded().answer(&View::default()));
    let policy = |answer: &http::Response<bytes::Bytes>| {
        answer.headers()["content-security-policy"].to_str().unwrap().to_owned()
    };
    let said = policy(&first);
    for part in ["default-src 'none'", "style-src 'nonce-", "frame-ancestors 'none'"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("unsafe") && !said.contains("script"), "{said}");
    assert_ne!(said, policy(&second), "a nonce is used once");
    let nonce = said.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    let html = String::from_utf8(first.body().to_vec()).unwrap();
    let unescaped = html.replace("&#x2f;", "/");
    assert!(unescaped.contains(&format!("<style nonce=\"{nonce}\">")), "{nonce}: {html}");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("content-language", "en"),
    ] {
        assert_eq!(first.headers()[name], value);
    }
}

#[test]
fn it_speaks_the_language_that_is_liked_best() {
    for (accepted, language) in [
        ("de", Language::German),
        ("de-AT, en;q=0.9", Language::German),
        ("en;q=0.5, fr-CH;q=0.9, de;q=0.1", Language::French),
        ("es-419,es;q=0.9", Language::Spanish),
        ("pt-BR, es;q=0.5", Language::Spanish),
        ("fr;q=0, es;q=0.1", Language::Spanish),
        ("ja", Language::English),
        ("*", Language::English),
        ("", Language::English),
        ("de;q=x, ;;, fr;q=2, \u{e4}", Language::English),
    ] {
        let found = Language::of(&fields(&[("accept-language", accepted)]));
        assert_eq!(found, language, "{accepted}");
    }
    assert_eq!(Language::of(&fields(&[])), Language::English);
}

#[test]
fn every_language_says_everything() {
    for language in Language::ALL {
        let (_, html) = shown(&View { language, ..View::default() });
        assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
        let texts = serde_json::to_value(language.texts()).unwrap();
        for (name, text) in texts.as_object().unwrap() {
            let text = text.as_str().unwrap();
            assert!(!text.is_empty() && !text.contains("  "), "{language:?} {name}: {text}");
            let english = serde_json::to_value(Language::English.texts()).unwrap();
            let is_same = english[name] == text && name != "error";
            assert!(language == Language::English || !is_same, "{language:?} {name}: {text}");
        }
    }
}

#[test]
fn an_operator_may_write_another_one() {
    let page = Page::from_template(
        "<form method=post action={{ action }}>{{ text.address }} <input name=\"address\" \
         value=\"{{ address }}\"><input type=hidden name=to value=\"{{ to }}\">{{ problem }}",
    );
    let answer = page.unwrap().answer(&View { language: Language::German, ..View::default() });
    assert!(String::from_utf8_lossy(answer.body()).contains("E-Mail-Adresse"));
    let wrong = |template: &str| Page::from_template(template).unwrap_err();
    assert!(matches!(wrong("<form></form>"), PageError::NoField));
    let error = wrong("<p>\n{{ adress }}").to_string();
    assert!(error.starts_with("line 2: undefined value"), "{error}");
    let error = wrong("{% if problem %}").to_string();
    assert!(error.starts_with("line 1: syntax error"), "{error}");
}

proptest! {
    #[test]
    fn nothing_panics(accepted in "[ -~]{0,80}", address in any::<String>()) {
        let language = Language::of(&fields(&[("accept-language", &accepted)]));
        let (_, html) = shown(&View { language, address: &address, ..View::default() });
        prop_assert!(!html.contains("<script"));
    }
}
