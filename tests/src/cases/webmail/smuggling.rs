//! Requests that two servers could read in two ways: what one takes for a body the other takes for
//! the next request (RFC 9112 section 11.2).

use crate::cases::Case;
use crate::clusters::mailboxes::NORTH;
use crate::clusters::web_servers::in_clear;
use crate::servers::{ScriptedWeb, Then};
use crate::talk::Talk;
use crate::talk::http1::{USER1, answer, ask, get};

pub(crate) const CASES: &[Case] = &[
    ("webmail::smuggling::what_can_be_read_in_two_ways_is_refused", refused),
    ("webmail::smuggling::heads_that_are_none_are_refused", malformed),
    ("webmail::smuggling::chunks_that_are_none_never_make_a_whole_body", chunks),
    ("webmail::smuggling::what_is_written_unusually_is_read_in_one_way", unusual),
    ("webmail::smuggling::trailers_say_nothing_of_the_message", trailers),
    ("webmail::smuggling::a_body_that_breaks_off_never_comes_to_its_end", broken_off),
];

/// Stands behind every request that is refused: nobody may ever serve it.
const HIDDEN: &str = "/hidden";

/// A back end that is content with everything.
fn content() -> ScriptedWeb {
    ScriptedWeb::start(NORTH, |_, stream| {
        use std::io::Write as _;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Then::Next
    })
}

/// Sends what is to be refused with another request behind it. One answer comes, with this status,
/// and the connection ends.
#[track_caller]
fn refuses(port: u16, status: u16, request: &[u8]) {
    let mut talk = Talk::connect(port);
    talk.send(&[request, get(HIDDEN).as_bytes()].concat());
    let heard = [answer(&mut talk), answer(&mut talk)];
    let statuses = heard.each_ref().map(|answer| answer.status);
    assert_eq!(statuses, [status, 0], "{}: {heard:?}", request.escape_ascii());
}

fn refused() {
    let back_end = content();
    let (_waypost, _, port) = in_clear(back_end.address.port(), "");
    let post = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{USER1}\r\n");
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5 5",
        "Content-Length: 0x5",
        "Content-Length: 5.0",
        "Content-Length: 18446744073709551616",
        "Content-Length: 99999999999999999999999999999999999999",
        "Content-Length:",
        "Content_Length: 5",
        "Content-Length : 5",
        "Content-Length\t: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding:",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: \x0cchunked",
        "Transfer-Encoding: chunked\0",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "Transfer_Encoding: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\r\n\tTransfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "X: y\rTransfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "Content-Length: 5\nX: y",
        "Content-Length: 5\n\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAA",
    ] {
        refuses(port, 400, format!("{post}{framing}\r\n\r\n0\r\n\r\n").as_bytes());
    }
    let old = format!("POST / HTTP/1.0\r\nHost: localhost\r\n{USER1}\r\n");
    refuses(port, 400, format!("{old}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").as_bytes());
    assert_eq!(back_end.seen().len(), 0, "{:?}", back_end.seen());
}

fn malformed() {
    let back_end = content();
    let (_waypost, _, port) = in_clear(back_end.address.port(), "");
    let head = |line: &str, fields: &str| format!("{line}\r\n{fields}{USER1}\r\n\r\n");
    for (line, fields) in [
        // RFC 9112 section 3.2: one host, the same in both places.
        ("GET / HTTP/1.1", ""),
        ("GET / HTTP/1.0", ""),
        ("GET / HTTP/1.1", "Host: localhost\r\nHost: localhost\r\n"),
        ("GET / HTTP/1.1", "Host: localhost\r\nhost: other.test\r\n"),
        ("GET http://other.test/ HTTP/1.1", "Host: localhost\r\n"),
        ("GET http://localhost@other.test/ HTTP/1.1", "Host: localhost@other.test\r\n"),
        ("GET http://other.test/ HTTP/1.1", ""),
        ("GET / HTTP/1.1", "Host:\r\n"),
        ("POST / HTTP/1.1", "Host: localhost\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n"),
        // Names that to some servers are the same as with `-`.
        ("POST / HTTP/1.1", "Host: localhost\r\nContent_Type: a/b\r\n"),
        ("POST / HTTP/1.1", "Host: localhost\r\nX_HTTP_Method_Override: PUT\r\n"),
        ("POST / HTTP/1.1", "Host: localhost\r\nX.HTTP.Method: PUT\r\n"),
        ("GET / HTTP/1.1", "Host: local host\r\n"),
        ("GET / HTTP/1.1", "Host: localhost/x\r\n"),
        ("GET / HTTP/1.1", "Host: user@localhost\r\n"),
        ("GET / HTTP/1.1", "Host: localhost:port\r\n"),
        ("GET / HTTP/1.1", "Host: [::1\r\n"),
        // RFC 9112 section 2.2: whitespace before the first field, lines that are not ended.
        ("GET / HTTP/1.1", " Host: localhost\r\n"),
        ("GET / HTTP/1.1", "Host: localhost\r\nX: a\0b\r\n"),
        ("GET / HTTP/1.1", "Host: localhost\r\nX: a\rb\r\n"),
        ("GET / HTTP/1.1", "Host: localhost\r\nX: a\r\n b\r\n"),
        ("GET / HTTP/1.1", "Host: localhost\r\nX: a\nY: b\r\n"),
        ("GET / HTTP/1.1", "Host: localhost\r\nX\r\n"),
        ("GET / HTTP/1.1", "Host: localhost\r\n: x\r\n"),
        ("GET / HTTP/1.1", "Host: localhost\r\nX y: x\r\n"),
        ("GET / HTTP/1.1\n", "Host: localhost\r\n"),
        ("GET /a b HTTP/1.1", "Host: localhost\r\n"),
        ("GET /\0 HTTP/1.1", "Host: localhost\r\n"),
        ("GET /\r HTTP/1.1", "Host: localhost\r\n"),
        ("GET  / HTTP/1.1", "Host: localhost\r\n"),
        ("GET / HTTP/1.1 ", "Host: localhost\r\n"),
        ("GET x HTTP/1.1", "Host: localhost\r\n"),
        ("GET * HTTP/1.1", "Host: localhost\r\n"),
        ("G@T / HTTP/1.1", "Host: localhost\r\n"),
        ("GET / HTTP/2.0", "Host: localhost\r\n"),
        ("GET / http/1.1", "Host: localhost\r\n"),
        ("GET /", "Host: localhost\r\n"),
    ] {
        refuses(port, 400, head(line, fields).as_bytes());
    }
    let host = "Host: localhost\r\n";
    refuses(port, 405, head("CONNECT localhost:80 HTTP/1.1", host).as_bytes());
    refuses(port, 405, head("TRACE / HTTP/1.1", host).as_bytes());
    let long = format!("{host}X: {}\r\n", "x".repeat(40 << 10));
    refuses(port, 431, head("GET / HTTP/1.1", &long).as_bytes());
    let many = format!("{host}{}", "X: y\r\n".repeat(200));
    refuses(port, 431, head("GET / HTTP/1.1", &many).as_bytes());
    assert_eq!(back_end.seen().len(), 0, "{:?}", back_end.seen());
}

fn chunks() {
    let back_end = content();
    let (_waypost, _, port) = in_clear(back_end.address.port(), "");
    let long = format!("5;x={}\r\nhello\r\n", "y".repeat(20_000));
    for chunk in [
        "\r\n",
        "-1\r\n",
        "+5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "5 5\r\nhello\r\n",
        "5,5\r\nhello\r\n",
        "ffffffffffffffff0\r\nhello\r\n",
        "10000000000000005\r\nhello\r\n",
        "5\nhello\r\n",
        "5\rhello\r\n",
        "5;x\nhello\r\n",
        "5;x\ry\r\nhello\r\n",
        "5\r\nhello\n",
        "5\r\nhello",
        "5\r\nhello world\r\n",
        &long,
    ] {
        refuses(
            port,
            400,
            format!(
                "POST / HTTP/1.1\r\nHost: localhost\r\n{USER1}\r\nTransfer-Encoding: chunked\r\n\r\n\
                 {chunk}0\r\n\r\n"
            )
            .as_bytes(),
        );
    }
    let seen = back_end.seen();
    assert!(seen.iter().all(|asked| !asked.is_whole), "{seen:?}");
}

fn unusual() {
    let back_end = content();
    let (_waypost, _, port) = in_clear(back_end.address.port(), "");
    for (framing, body) in [
        ("Content-Length: 0005", "hello"),
        ("Content-Length:\t5\t", "hello"),
        ("CONTENT-LENGTH:5", "hello"),
        ("Transfer-Encoding:\tChunked ", "5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding:chunked", "0005;a=\"b\"\r\nhello\r\n000\r\n\r\n"),
    ] {
        let mut talk = Talk::connect(port);
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{USER1}\r\n{framing}\r\n\r\n");
        talk.send(format!("\r\n{head}{body}{}", get("/next")).as_bytes());
        assert_eq!(answer(&mut talk).status, 200, "{framing}");
        assert_eq!(answer(&mut talk).status, 200, "{framing}");
        let seen = back_end.seen();
        let [.., asked, next] = &seen[..] else { panic!("{framing}: {seen:?}") };
        let body = asked.body.replace("5\r\nhello\r\n0\r\n\r\n", "hello");
        assert_eq!((&*body, asked.is_whole, next.target()), ("hello", true, "/next"), "{asked:?}");
    }
    // RFC 9112 section 3.2.2: what goes on is in origin form, with the host of the target.
    let absolute = ask(
        port,
        &format!("GET http://localhost/x?y HTTP/1.1\r\nHost: localhost\r\n{USER1}\r\n\r\n"),
    );
    assert_eq!(absolute.status, 200);
    let seen = back_end.seen_for("/x?y");
    assert!(seen.len() == 1 && seen[0].field("host") == Some("localhost"), "{seen:?}");
}

/// RFC 9110 section 6.5.1.
fn trailers() {
    let back_end = content();
    let (_waypost, _, port) = in_clear(back_end.address.port(), "");
    let mut talk = Talk::connect(port);
    let names = "Content-Length, Transfer-Encoding, Host, Authorization, Cookie, X-Forwarded-For, \
                 X_Forwarded_For, Connection, X-Sum";
    talk.send(
        format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\n{USER1}\r\nTransfer-Encoding: chunked\r\n\
             TE: trailers\r\nTrailer: {names}\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 50\r\n\
             Transfer-Encoding: identity\r\nHost: other.test\r\nAuthorization: Basic eDp5\r\n\
             Cookie: a=b\r\nX-Forwarded-For: 192.0.2.1\r\nX_Forwarded_For: 192.0.2.1\r\n\
             Connection: close\r\nX-Sum: 1\r\n\r\n{}",
            get("/next")
        )
        .as_bytes(),
    );
    assert_eq!(answer(&mut talk).status, 200);
    assert_eq!(answer(&mut talk).status, 200);
    let seen = back_end.seen();
    let [asked, next] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(asked.body.to_lowercase(), "5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n");
    assert_eq!((asked.field("host"), next.target()), (Some("localhost"), "/next"));
}

/// A client that leaves in the middle has not sent a shorter body.
fn broken_off() {
    let back_end = content();
    let (_waypost, _, port) = in_clear(back_end.address.port(), "");
    for (target, framing, body) in [
        ("/length", "Content-Length: 10", "hello"),
        ("/chunk", "Transfer-Encoding: chunked", "a\r\nhello"),
        ("/chunks", "Transfer-Encoding: chunked", "5\r\nhello\r\n"),
        ("/last", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n"),
    ] {
        let mut talk = Talk::connect(port);
        let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{USER1}\r\n{framing}");
        talk.send(format!("{head}\r\n\r\n{body}").as_bytes());
        crate::servers::wait_for("the head", std::time::Duration::from_secs(10), || {
            (!back_end.seen_for(target).is_empty()).then_some(())
        });
        drop(talk);
    }
    // Whatever was to come of them has come before this is answered.
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(ask(port, &get("/next")).status, 200);
    let seen = back_end.seen();
    let whole: Vec<&str> =
        seen.iter().filter(|asked| asked.is_whole).map(|asked| asked.target()).collect();
    assert_eq!(whole, ["/next"], "{seen:?}");
}
