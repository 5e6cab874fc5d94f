//! Clients that take their time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::cases::Case;
use crate::clusters::mailboxes::NORTH;
use crate::clusters::web_servers::in_clear;
use crate::servers::{ScriptedWeb, Then, wait_for};
use crate::talk::Talk;
use crate::talk::http1::{USER1, answer, ask, get};

pub(crate) const CASES: &[Case] = &[
    ("webmail::slow::a_head_that_trickles_is_answered_with_408", trickled_head),
    ("webmail::slow::who_says_nothing_is_closed", silent),
    ("webmail::slow::a_head_behind_a_slow_answer_has_its_own_time", pipelined_head),
    ("webmail::slow::a_body_that_stalls_is_answered_with_408", stalled_body),
    ("webmail::slow::a_body_that_trickles_passes_and_holds_up_nobody", trickled_body),
    ("webmail::slow::who_takes_no_answer_is_left", slow_reader),
    ("webmail::slow::who_sends_first_and_reads_later_hears_why_it_was_too_much", too_much),
];

const SETTINGS: &str = "[webmail]\nheader-timeout = \"1s\"\nstall-timeout = \"1s\"\n\
                        keep-alive = \"3s\"\nmax-body-size = \"64MiB\"\n";
/// How long a limit of one second may take on a machine that is busy with other things.
const AT_MOST: Duration = Duration::from_secs(8);

/// The body of the answer at `/large`.
const LARGE: usize = 64 << 20;

fn back_end() -> ScriptedWeb {
    ScriptedWeb::start(NORTH, |asked, stream| {
        let answer = match asked.target() {
            "/large" => {
                format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n{}", "x".repeat(LARGE))
            }
            target => {
                if target == "/slow" {
                    thread::sleep(Duration::from_secs(3));
                }
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned()
            }
        };
        match stream.write_all(answer.as_bytes()) {
            Ok(()) => Then::Next,
            Err(_) => Then::Close,
        }
    })
}

fn trickled_head() {
    let back_end = back_end();
    let (mut waypost, _, port) = in_clear(back_end.address.port(), SETTINGS);
    let request = get("/trickled");
    // As the first request of a connection, and as a later one.
    for before in [false, true] {
        let mut talk = Talk::connect(port);
        if before {
            talk.send(get("/before").as_bytes());
            assert_eq!(answer(&mut talk).status, 200);
        }
        let began = Instant::now();
        for octet in request.as_bytes().chunks(1) {
            talk.send(octet);
            thread::sleep(Duration::from_millis(50));
            if began.elapsed() > Duration::from_secs(3) {
                break;
            }
        }
        let late = answer(&mut talk);
        assert_eq!((late.status, late.field("connection")), (408, Some("close")), "{late:?}");
        assert_eq!(answer(&mut talk).status, 0, "the connection ends");
        assert!(began.elapsed() < AT_MOST, "{:?}", began.elapsed());
    }
    assert_eq!(back_end.seen_for("/trickled").len(), 0);
    // One that is slow and still in time.
    let mut talk = Talk::connect(port);
    for part in request.as_bytes().chunks(request.len() / 4) {
        talk.send(part);
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(answer(&mut talk).status, 200);
    waypost.stop();
    assert_eq!(waypost.log().matches("reason=timeout").count(), 2, "{}", waypost.log());
}

/// A connection on which nothing comes, or nothing more, is closed without a word.
fn silent() {
    let back_end = back_end();
    let (_waypost, https, port) = in_clear(back_end.address.port(), SETTINGS);
    let began = Instant::now();
    let mut fresh = Talk::connect(port);
    let mut without_tls = Talk::connect(https);
    let mut used = Talk::connect(port);
    used.send(get("/").as_bytes());
    assert_eq!(answer(&mut used).status, 200);
    assert_eq!(fresh.rest(), "");
    assert_eq!(without_tls.rest(), "");
    assert!(began.elapsed() < AT_MOST, "{:?}", began.elapsed());
    used.send(get("/again").as_bytes());
    assert_eq!(answer(&mut used).status, 200, "keep-alive is longer");
    assert_eq!(used.rest(), "");
}

/// The time of a head begins when it is waited for, and not while the request before is answered.
fn pipelined_head() {
    let back_end = back_end();
    let (_waypost, _, port) = in_clear(back_end.address.port(), SETTINGS);
    let mut talk = Talk::connect(port);
    let next = get("/next");
    let (first, rest) = next.split_at(20);
    talk.send(format!("{}{first}", get("/slow")).as_bytes());
    assert_eq!(answer(&mut talk).status, 200);
    thread::sleep(Duration::from_millis(100));
    talk.send(rest.as_bytes());
    assert_eq!(answer(&mut talk).status, 200);
    talk.send(first.as_bytes());
    assert_eq!(answer(&mut talk).status, 408);
}

fn stalled_body() {
    let back_end = back_end();
    let (_waypost, _, port) = in_clear(back_end.address.port(), SETTINGS);
    for (target, framing, body) in [
        ("/length", "Content-Length: 10", "hello"),
        ("/chunks", "Transfer-Encoding: chunked", "5\r\nhello\r\n"),
        ("/size", "Transfer-Encoding: chunked", "5"),
        ("/trailers", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\nX: y\r\n"),
    ] {
        let began = Instant::now();
        let mut talk = Talk::connect(port);
        let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{USER1}\r\n{framing}");
        talk.send(format!("{head}\r\n\r\n{body}").as_bytes());
        assert_eq!(answer(&mut talk).status, 408, "{target}");
        assert_eq!(answer(&mut talk).status, 0, "{target}");
        assert!(began.elapsed() < AT_MOST, "{target}: {:?}", began.elapsed());
        let seen = back_end.seen_for(target);
        assert!(seen.iter().all(|asked| !asked.is_whole), "{seen:?}");
    }
}

fn trickled_body() {
    let back_end = back_end();
    let (_waypost, _, port) = in_clear(back_end.address.port(), SETTINGS);
    let mut talk = Talk::connect(port);
    let head = "POST /trickled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n";
    talk.send(format!("{head}{USER1}\r\n\r\n").as_bytes());
    for number in 0..20 {
        talk.send(b"x");
        thread::sleep(Duration::from_millis(150));
        if number % 5 == 0 {
            assert_eq!(ask(port, &get("/other")).status, 200);
        }
    }
    assert_eq!(
        answer(&mut talk).status,
        200,
        "it has taken three times as long as it may stand still"
    );
    let seen = back_end.seen_for("/trickled");
    assert!(seen.len() == 1 && seen[0].is_whole, "{seen:?}");
}

fn slow_reader() {
    let back_end = back_end();
    let (waypost, _, port) = in_clear(back_end.address.port(), SETTINGS);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(get("/large").as_bytes()).unwrap();
    let mut first = [0; 100];
    stream.read_exact(&mut first).unwrap();
    wait_for("the answer's end", Duration::from_secs(20), || {
        waypost.log().contains("reason=timeout").then_some(())
    });
    assert_eq!(ask(port, &get("/other")).status, 200);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < LARGE, "what nobody took was not kept");
}

/// RFC 9112 section 9.6: a connection that is closed at once takes the answer with it.
fn too_much() {
    let back_end = back_end();
    let settings = SETTINGS.replace("64MiB", "1KiB");
    let (_waypost, _, port) = in_clear(back_end.address.port(), &settings);
    for (framing, body) in [
        ("Content-Length: 500000", "x".repeat(500_000)),
        ("Transfer-Encoding: chunked", format!("7a120\r\n{}\r\n0\r\n\r\n", "x".repeat(500_000))),
    ] {
        let mut talk = Talk::connect(port);
        let head =
            format!("POST /much HTTP/1.1\r\nHost: localhost\r\n{USER1}\r\n{framing}\r\n\r\n");
        talk.send(head.as_bytes());
        talk.send(body.as_bytes());
        thread::sleep(Duration::from_millis(200));
        assert_eq!(answer(&mut talk).status, 413, "{framing}");
    }
    let seen = back_end.seen();
    assert!(seen.iter().all(|asked| !asked.is_whole), "{seen:?}");
}
