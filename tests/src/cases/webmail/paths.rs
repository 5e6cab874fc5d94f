//! Paths that back ends read as others than they are written.

use std::io::Write as _;

use crate::cases::Case;
use crate::clusters::mailboxes::NORTH;
use crate::clusters::web_servers::in_clear;
use crate::servers::{ScriptedWeb, Then};
use crate::talk::http1::{Answer, ask};

pub(crate) const CASES: &[Case] = &[
    ("webmail::paths::a_login_form_is_one_however_its_path_is_written", forms),
    ("webmail::paths::each_form_of_a_path_is_tried", several_forms),
    ("webmail::paths::who_logs_out_is_forgotten_however_the_path_is_written", log_out),
    ("webmail::paths::the_page_is_at_its_own_path_alone", page),
];

/// Ways to write `/in`: as servers read them that decode, merge slashes, go up, cut parameters, or
/// do not tell cases apart (RFC 3986 section 6.2.2).
const WRITTEN: [&str; 19] = [
    "/in",
    "/in/",
    "/%69n",
    "/i%6E",
    "/%69%6e",
    "//in",
    "/in//",
    "/./in",
    "/%2e/in",
    "/x/../in",
    "/x/%2e%2e/in",
    "/x/.%2E/in",
    "/../in",
    "/in;x=y",
    "/x/..;/in",
    "/in%2f",
    "/%2fin",
    "/x%5c..%5cin",
    "/IN",
];
const OTHERS: [&str; 6] = ["/inn", "/x/in", "/in/x", "/in/..", "/%2569n", "/i/n"];

const SETTINGS: &str = "[webmail]\nlogin-forms = [{ path = \"/in\", user = \"u\", password = \"p\" }]\n\
                        log-out = [\"/in\"]\n";

fn back_end() -> ScriptedWeb {
    ScriptedWeb::start(NORTH, |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Then::Next
    })
}

fn post(port: u16, target: &str, form: &str) -> Answer {
    let length = form.len();
    ask(
        port,
        &format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
        ),
    )
}

/// The cookie of a browser that has given user1's address.
fn remembered(port: u16) -> String {
    let answer = post(port, "/.waypost/", "address=user1@localdomain.test");
    let field = answer.field("set-cookie").unwrap();
    field.split(';').next().unwrap().to_owned()
}

fn open(port: u16, target: &str, cookie: &str) -> Answer {
    ask(port, &format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"))
}

/// What the browser is told to forget.
fn forgets(answer: &Answer) -> bool {
    let mut set = answer.fields.lines().filter(|line| line.contains("Max-Age=0"));
    set.any(|line| line.contains(" waypost=;"))
}

fn forms() {
    let back_end = back_end();
    let (_waypost, _, port) = in_clear(back_end.address.port(), SETTINGS);
    for target in WRITTEN {
        let answer = post(port, target, "u=user1@localdomain.test&p=x");
        assert_eq!((answer.status, &*answer.body), (200, "ok"), "{target}: {answer:?}");
        assert_eq!(back_end.seen_for(target).len(), 1, "{target} goes on as it was written");
    }
    let before = back_end.seen().len();
    for target in OTHERS {
        let answer = post(port, target, "u=user1@localdomain.test&p=x");
        assert_eq!(answer.status, 303, "{target}: {answer:?}");
    }
    assert_eq!(back_end.seen().len(), before);
}

/// The second of two entries for one path, and what stands behind a `?` in the form itself.
fn several_forms() {
    let back_end = back_end();
    let forms = "[webmail]\nlogin-forms = [{ path = \"/in?t=a\", user = \"u\", password = \"p\" }, \
                 { path = \"/in\", user = \"v\", password = \"q\" }]\n";
    let (_waypost, _, port) = in_clear(back_end.address.port(), forms);
    for (target, form, status) in [
        ("/in?t=a", "u=user1@localdomain.test&p=x", 200),
        ("/in", "t=a&u=user1@localdomain.test&p=x", 200),
        ("/in", "u=user1@localdomain.test&p=x", 303),
        ("/in", "v=user1@localdomain.test&q=x", 200),
        ("/in?t=a", "v=user1@localdomain.test&q=x", 200),
        ("/in?v=user1@localdomain.test", "q=x", 400),
        ("/out", "v=user1@localdomain.test&q=x", 303),
    ] {
        let answer = post(port, target, form);
        assert_eq!(answer.status, status, "{target} {form}: {answer:?}");
    }
    // At the path of a form JSON is nothing else, and what says nothing of itself may be it.
    let json = "{\"v\": \"user1@localdomain.test\", \"q\": \"x\"}";
    for (media_type, form, status) in [
        ("application/json", json, 200),
        ("text/plain", json, 200),
        ("application/json", "{\"v\": ", 400),
        ("application/json", "[]", 400),
        ("text/plain", "{\"v\": ", 303),
    ] {
        let length = form.len();
        let request = format!(
            "POST /in HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\
             Content-Type: {media_type}\r\n\r\n{form}"
        );
        assert_eq!(ask(port, &request).status, status, "{media_type} {form}");
    }
}

fn log_out() {
    let back_end = back_end();
    let (_waypost, _, port) = in_clear(back_end.address.port(), SETTINGS);
    let cookie = remembered(port);
    for target in WRITTEN {
        let answer = open(port, target, &cookie);
        assert!(answer.status == 303 && forgets(&answer), "{target}: {answer:?}");
        assert_eq!(back_end.seen_for(target).len(), 1, "{target} goes on as it was written");
    }
    for target in OTHERS {
        let answer = open(port, target, &cookie);
        assert!(answer.status == 200 && !forgets(&answer), "{target}: {answer:?}");
    }
}

/// Nobody but Waypost may answer there, and nothing else is answered as if it were there.
fn page() {
    let back_end = back_end();
    let (_waypost, _, port) = in_clear(back_end.address.port(), SETTINGS);
    let cookie = remembered(port);
    for target in ["/.waypost/", "/.waypost/x", "/.waypost/../in", "/.waypost/%66orget"] {
        let answer = open(port, target, &cookie);
        assert!(!forgets(&answer), "{target}: {answer:?}");
        assert_eq!(answer.body.contains("<form"), target == "/.waypost/", "{target}: {answer:?}");
    }
    assert_eq!(back_end.seen().len(), 0, "{:?}", back_end.seen());
    for target in [
        "/%2ewaypost/forget",
        "//.waypost/forget",
        "/./.waypost/forget",
        "/x/../.waypost/forget",
        "/x/..;/.waypost/forget",
        "/.WAYPOST/forget",
        "/.waypost%2fforget",
        "/.waypost",
    ] {
        let answer = open(port, target, &cookie);
        assert_eq!((answer.status, &*answer.body), (200, "ok"), "{target}: {answer:?}");
        assert!(!forgets(&answer), "{target}: {answer:?}");
        assert_eq!(back_end.seen_for(target).len(), 1, "{target} goes on as it was written");
    }
    assert!(forgets(&open(port, "/.waypost/forget", &cookie)));
}
