//! Back ends that break the rules, or break down.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::cases::Case;
use crate::clusters::mailboxes::NORTH;
use crate::clusters::web_servers::in_clear;
use crate::servers::{ScriptedWeb, Then};
use crate::talk::Talk;
use crate::talk::http1::{Answer, USER1, answer, ask, get};

pub(crate) const CASES: &[Case] = &[
    ("webmail::broken::who_does_not_answer_in_time_is_left", silent),
    ("webmail::broken::a_head_that_is_none_is_a_bad_gateway", heads),
    ("webmail::broken::an_answer_that_breaks_off_never_comes_to_its_end", broken_off),
    ("webmail::broken::a_request_that_nobody_answered_is_sent_again_if_it_may_be", closed),
    ("webmail::broken::what_comes_behind_an_answer_is_in_no_other", leftover),
    ("webmail::broken::an_answer_has_one_length", lengths),
];

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What a client hears, of each of these, from a back end that says it and closes. What nobody knows
/// the end of is not asked for again.
fn heard(texts: &[&'static str]) -> Vec<(&'static str, Answer)> {
    let said = texts.to_vec();
    let back_end = ScriptedWeb::start(NORTH, move |asked, stream| {
        let number: usize = asked.target().trim_start_matches('/').parse().unwrap();
        let _ = stream.write_all(said[number].as_bytes());
        Then::Close
    });
    let (_waypost, _, port) = in_clear(back_end.address.port(), "");
    let hear = |(number, text): (usize, &&'static str)| {
        let target = format!("/{number}");
        let answer = ask(port, &get(&target));
        assert_eq!(back_end.seen_for(&target).len(), 1, "{text}");
        (*text, answer)
    };
    texts.iter().enumerate().map(hear).collect()
}

fn silent() {
    let back_end = ScriptedWeb::start(NORTH, |asked, stream| {
        match asked.target() {
            "/never" => thread::sleep(Duration::from_secs(20)),
            "/half" => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le");
                thread::sleep(Duration::from_secs(20));
            }
            "/continue" => {
                let until = Instant::now() + Duration::from_secs(20);
                while Instant::now() < until
                    && stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_ok()
                {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            "/stall" => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
                thread::sleep(Duration::from_secs(20));
            }
            _ => drop(stream.write_all(OK.as_bytes())),
        }
        Then::Close
    });
    let settings = "[webmail]\nanswer-timeout = \"1s\"\nstall-timeout = \"1s\"\n";
    let (_waypost, _, port) = in_clear(back_end.address.port(), settings);
    for target in ["/never", "/half", "/continue"] {
        let began = Instant::now();
        let late = ask(port, &get(target));
        assert_eq!(late.status, 504, "{target}: {late:?}");
        assert!(began.elapsed() < Duration::from_secs(8), "{target}: {:?}", began.elapsed());
        assert_eq!(ask(port, &get("/other")).status, 200, "behind {target}");
        assert_eq!(back_end.seen_for(target).len(), 1, "{target} was sent again");
    }
    let stalled = ask(port, &get("/stall"));
    assert_eq!((stalled.status, &*stalled.body, stalled.is_whole), (200, "he", false));
}

fn heads() {
    let long: &str = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\nok", "x".repeat(200 << 10)).leak();
    let many: &str = format!("HTTP/1.1 200 OK\r\n{}\r\nok", "X: y\r\n".repeat(1000)).leak();
    for (text, answer) in heard(&[
        long,
        many,
        "",
        "HTTP/1.1 ",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
        "220 mail.example.test ESMTP\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokx",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nokx",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\0b\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
        // RFC 9112 section 6.1: in a coding that we do not know there is no telling what it is.
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ]) {
        assert_eq!(answer.status, 502, "{text}: {answer:?}");
        assert!(!answer.body.contains("ok"), "{text}: {answer:?}");
    }
}

/// The client of an answer that breaks off must see that it has.
fn broken_off() {
    for (text, answer) in heard(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n-1\r\n",
    ]) {
        let told = (answer.status, &*answer.body, answer.is_whole);
        assert_eq!(told, (200, "hello", false), "{text}: {answer:?}");
    }
}

/// A kept connection that the back end closes when the next request comes.
fn closed() {
    let count = AtomicUsize::new(0);
    // Every second request finds the connection closed without an answer.
    let back_end = ScriptedWeb::start(NORTH, move |_, stream| {
        if !count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            return Then::Close;
        }
        let _ = stream.write_all(OK.as_bytes());
        Then::Next
    });
    let (_waypost, _, port) = in_clear(back_end.address.port(), "");
    let request = |method: &str, target: &str, more: &str| {
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{USER1}\r\n{more}\r\n")
    };
    let mut talk = Talk::connect(port);
    talk.send(get("/first").as_bytes());
    assert_eq!(answer(&mut talk).status, 200);
    talk.send(get("/again").as_bytes());
    assert_eq!(answer(&mut talk).status, 200, "a GET may be sent again");
    assert_eq!(back_end.seen_for("/again").len(), 2);
    talk.send(request("POST", "/post", "Content-Length: 0\r\n").as_bytes());
    assert_eq!(answer(&mut talk).status, 502, "a POST may not");
    assert_eq!(back_end.seen_for("/post").len(), 1);
    talk.send(get("/first").as_bytes());
    assert_eq!(answer(&mut talk).status, 200);
    talk.send((request("PUT", "/put", "Content-Length: 5\r\n") + "hello").as_bytes());
    assert_eq!(answer(&mut talk).status, 502, "the body is gone");
    assert_eq!(back_end.seen_for("/put").len(), 1);
}

/// More than was announced is not the beginning of the next answer.
fn leftover() {
    for end in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        let back_end = ScriptedWeb::start(NORTH, move |asked, stream| {
            let stray = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray";
            let answer = match asked.target() {
                "/first" => format!("{end}{stray}"),
                _ => OK.to_owned(),
            };
            match stream.write_all(answer.as_bytes()) {
                Ok(()) => Then::Next,
                Err(_) => Then::Close,
            }
        });
        let (_waypost, _, port) = in_clear(back_end.address.port(), "");
        let mut talk = Talk::connect(port);
        for _ in 0..20 {
            talk.send(format!("{}{}", get("/first"), get("/next")).as_bytes());
            let first = answer(&mut talk);
            assert!(!first.body.contains("stray"), "{end}: {first:?}");
            let next = answer(&mut talk);
            assert_eq!((next.status, &*next.body), (200, "ok"), "{end}: {next:?}");
        }
    }
}

/// RFC 9110 section 8.6: what says the same twice goes on as one.
fn lengths() {
    for (text, answer) in heard(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 02\r\n\r\nok",
    ]) {
        assert_eq!(answer.field("content-length"), Some("2"), "{text}: {answer:?}");
        assert_eq!((&*answer.body, answer.is_whole), ("ok", true), "{text}: {answer:?}");
    }
    // RFC 9112 section 6.3: the coding stands above the length.
    let chunked = "2\r\nok\r\n0\r\n\r\n";
    let both: &str = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"
    )
    .leak();
    for (text, answer) in heard(&[both]) {
        assert_eq!(answer.field("content-length"), None, "{text}: {answer:?}");
        assert_eq!((&*answer.body, answer.is_whole), ("ok", true), "{text}: {answer:?}");
    }
}
