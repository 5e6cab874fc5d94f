//! HTTP/2 from clients in bad faith: what would be another request in HTTP/1.1 behind us, and floods.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::cases::Case;
use crate::clusters::mailboxes::NORTH;
use crate::clusters::web_servers::in_clear;
use crate::servers::{ScriptedWeb, Then, Waypost, wait_for};
use crate::talk::http1::{ask, get, get_as_user3};
use crate::talk::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Http2Talk, Outcome, PING,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, fields, frame, push_text,
};

pub(crate) const CASES: &[Case] = &[
    ("webmail::http2::what_would_be_two_requests_behind_us_is_refused", refused),
    ("webmail::http2::a_body_is_as_long_as_was_announced", lengths),
    ("webmail::http2::floods_end_and_hold_up_nobody", floods),
    ("webmail::http2::there_are_as_many_streams_as_there_may_be", streams),
    ("webmail::http2::one_user_has_as_many_requests_as_one_may", one_user),
    ("webmail::http2::who_says_nothing_is_closed", silent),
];

const BASIC: (&str, &str) = ("authorization", "Basic dXNlcjFAbG9jYWxkb21haW4udGVzdDp1c2VyMQ==");
/// What an error of the protocol is called (RFC 9113 section 7).
const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;
const WHOLE: u8 = END_HEADERS | END_STREAM;
/// Within this another client must be served, whatever else happens.
const SOON: Duration = Duration::from_secs(4);

/// A Waypost before one back end.
struct Doors {
    back_end: ScriptedWeb,
    waypost: Waypost,
    https: u16,
    http: u16,
}

impl Doors {
    fn open(settings: &str) -> Self {
        let back_end = ScriptedWeb::start(NORTH, |asked, stream| {
            if asked.target() == "/slow" {
                thread::sleep(Duration::from_secs(2));
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            Then::Next
        });
        let (waypost, https, http) = in_clear(back_end.address.port(), settings);
        Self { back_end, waypost, https, http }
    }

    fn ca(&self) -> PathBuf {
        self.waypost.file("ca.pem")
    }

    fn connect(&self) -> Http2Talk {
        Http2Talk::connect(self.https, &self.ca())
    }
}

/// The fields of a request of user1, with some more, and those of the same name replaced.
fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let usual = [
        (":method", method),
        (":scheme", "https"),
        (":path", path),
        (":authority", "localhost"),
        BASIC,
    ];
    let is_replaced = |name: &str| name.starts_with(':') && more.iter().any(|(n, _)| *n == name);
    let mut all: Vec<_> = usual.into_iter().filter(|(name, _)| !is_replaced(name)).collect();
    // Pseudo-fields stand in front of the others.
    let (pseudo, others): (Vec<_>, Vec<_>) =
        more.iter().partition(|(name, _)| name.starts_with(':'));
    all.splice(0..0, pseudo);
    all.extend(others);
    fields(&all)
}

fn refused() {
    let doors = Doors::open("");
    let mut blocks: Vec<(String, Vec<u8>)> = [
        // RFC 9113 section 8.2.2: what belongs to a connection of HTTP/1.1.
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("connection", "content-length"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        // Section 8.2.1: names and values.
        ("X-Upper", "x"),
        ("x name", "x"),
        ("x:y", "x"),
        ("", "x"),
        ("x", "a\r\nTransfer-Encoding: chunked"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        // Sections 8.3 and 8.3.1: pseudo-fields.
        (":path", ""),
        (":path", "x"),
        (":path", "*"),
        (":path", "/ HTTP/1.1\r\nHost: other.test\r\n\r\nGET /hidden"),
        (":path", "/a b"),
        (":path", "/\0"),
        (":method", "GET / HTTP/1.1\r\nX:"),
        (":method", "G T"),
        (":method", ""),
        (":method", "TRACE"),
        (":authority", ""),
        (":authority", "localhost\r\nX: y"),
        (":authority", "user@localhost"),
        (":authority", "localhost:port"),
        (":status", "200"),
        (":other", "x"),
        (":protocol", "websocket"),
        ("host", "other.test"),
        ("content_length", "5"),
        ("transfer_encoding", "chunked"),
        ("content-length", "5, 5"),
        ("content-length", "+5"),
        ("content-length", "x"),
    ]
    .into_iter()
    .map(|(name, value)| (format!("{name}: {value}"), request("GET", "/bad", &[(name, value)])))
    .collect();
    let twice = [("content-length", "0"), ("content-length", "0")];
    blocks.push(("two lengths".into(), request("GET", "/bad", &twice)));
    let hosts = [("host", "localhost"), ("host", "localhost")];
    blocks.push(("two hosts".into(), request("GET", "/bad", &hosts)));
    let late = [request("GET", "/bad", &[]), fields(&[(":path", "/bad")])].concat();
    blocks.push(("a second path, behind the fields".into(), late));
    let methods = [(":method", "GET"), (":method", "POST")];
    blocks.push(("two methods".into(), request("GET", "/bad", &methods)));
    let without = |name: &str| {
        fields(
            &[(":method", "GET"), (":scheme", "https"), (":path", "/bad"), BASIC]
                .into_iter()
                .filter(|(other, _)| *other != name)
                .collect::<Vec<_>>(),
        )
    };
    blocks.push(("no host".into(), without("")));
    blocks.push((
        "no method".into(),
        [without(":method"), fields(&[("host", "localhost")])].concat(),
    ));
    for (what, block) in blocks {
        let mut talk = doors.connect();
        talk.frame(HEADERS, WHOLE, 1, &block);
        let outcome = talk.outcome(1);
        let is_refused = matches!(
            outcome,
            Outcome::Answered(400 | 405) | Outcome::Reset(PROTOCOL_ERROR) | Outcome::Closed
        );
        assert!(is_refused, "{}: {outcome:?}", what.escape_debug());
    }
    let seen = doors.back_end.seen();
    assert_eq!(seen.len(), 0, "{seen:?}");
    // What is only unusual passes.
    for more in
        [&[][..], &[("te", "trailers")], &[("host", "localhost")], &[(":authority", "LOCALHOST")]]
    {
        let mut talk = doors.connect();
        talk.frame(HEADERS, WHOLE, 1, &request("GET", "/good", more));
        assert_eq!(talk.outcome(1), Outcome::Answered(200), "{more:?}");
    }
}

/// RFC 9113 section 8.1.1: a request whose length is another is malformed. Behind us the rest of it
/// would be the next request.
fn lengths() {
    let doors = Doors::open("");
    for (target, announced, sent) in
        [("/short", "10", &b"hello"[..]), ("/long", "2", b"hello"), ("/none", "5", b"")]
    {
        let mut talk = doors.connect();
        let block = request("POST", target, &[("content-length", announced)]);
        talk.frame(HEADERS, END_HEADERS, 1, &block);
        talk.frame(DATA, END_STREAM, 1, sent);
        let outcome = talk.outcome(1);
        let is_refused = matches!(outcome, Outcome::Answered(400) | Outcome::Reset(PROTOCOL_ERROR));
        assert!(is_refused, "{target}: {outcome:?}");
    }
    let mut talk = doors.connect();
    talk.frame(HEADERS, END_HEADERS, 1, &request("POST", "/reset", &[]));
    talk.frame(DATA, 0, 1, b"hello");
    talk.frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes());
    let mut talk = doors.connect();
    talk.frame(HEADERS, END_HEADERS, 1, &request("POST", "/good", &[("content-length", "5")]));
    talk.frame(DATA, END_STREAM, 1, b"hello");
    assert_eq!(talk.outcome(1), Outcome::Answered(200));
    thread::sleep(Duration::from_millis(300));
    let seen = doors.back_end.seen();
    let whole = seen.iter().filter(|asked| asked.is_whole);
    let whole: Vec<_> = whole.map(|asked| (asked.target(), &*asked.body)).collect();
    assert_eq!(whole, [("/good", "hello")], "{seen:?}");
}

/// What is sent again and again, by its number.
type Octets = fn(u32) -> Vec<u8>;

/// Floods, and whether they must bring their own connection to its end. Who sends them reads none of
/// the answers.
const FLOODS: [(&str, bool, Octets); 10] = [
    // CVE-2023-44487.
    ("requests that are reset at once", true, |number| {
        [opening(number, WHOLE), frame(RST_STREAM, 0, stream(number), &[0, 0, 0, 8])].concat()
    }),
    // CVE-2025-8671: the server is brought to reset.
    ("streams that we must reset", true, |number| {
        let zero = frame(WINDOW_UPDATE, 0, stream(number), &[0; 4]);
        [opening(number, END_HEADERS), zero].concat()
    }),
    ("requests beyond the limit", true, |number| opening(number, END_HEADERS)),
    // CVE-2024-27316 and its like.
    ("a head without an end", true, |number| match number {
        0 => opening(0, END_STREAM),
        _ => frame(CONTINUATION, 0, 1, &fields(&[("x", &"y".repeat(10_000))])),
    }),
    ("empty continuations", true, |number| match number {
        0 => opening(0, END_STREAM),
        _ => frame(CONTINUATION, 0, 1, &[]),
    }),
    ("long heads", false, |number| {
        let more = |flags| {
            frame(CONTINUATION, flags, stream(number), &fields(&[("x", &"y".repeat(15_000))]))
        };
        [opening(number, END_STREAM), more(0), more(0), more(END_HEADERS)].concat()
    }),
    // A field in the dynamic table (RFC 7541 section 6.2.1), and the same named ten thousand times:
    // four thousand octets for each one.
    ("heads that unfold", true, |number| {
        let mut block = request("GET", "/flood", &[]);
        block.extend_from_slice(&[0x40, 1, b'x']);
        push_text(&mut block, &"y".repeat(4000));
        block.extend_from_slice(&[0x80 | 62; 10_000]);
        frame(HEADERS, WHOLE, stream(number), &block)
    }),
    ("empty data", true, |number| match number {
        0 => opening(0, END_HEADERS),
        _ => frame(DATA, 0, 1, &[]),
    }),
    ("settings", true, |_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255])),
    ("pings", true, |_| frame(PING, 0, 0, &[0; 8])),
];

/// The head of the request of this number.
fn opening(number: u32, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags, stream(number), &request("GET", "/flood", &[]))
}

/// The streams of a client are odd.
fn stream(number: u32) -> u32 {
    2 * number + 1
}

fn floods() {
    let doors = Doors::open("[webmail]\nstall-timeout = \"1s\"\n");
    assert_eq!(ask(doors.http, &get("/before")).status, 200);
    let before = own_memory(doors.waypost.id());
    for (what, must_end, octets) in FLOODS {
        let stop = AtomicBool::new(false);
        let mut talk = doors.connect();
        thread::scope(|scope| {
            let flood = scope.spawn(|| {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) && talk.send(&octets(sent)) {
                    sent += 1;
                }
                (sent, !stop.load(Ordering::Relaxed))
            });
            // On a busy machine it takes a while until the answers that nobody reads are too many.
            let patience = if must_end { 40 } else { 3 };
            let until = Instant::now() + Duration::from_secs(patience);
            while Instant::now() < until && !flood.is_finished() {
                let began = Instant::now();
                // The flood may hold all requests that its own user may have under way.
                let other = ask(doors.http, &get_as_user3("/other"));
                assert_eq!(other.status, 200, "beside {what}");
                assert!(began.elapsed() < SOON, "beside {what}: {:?}", began.elapsed());
            }
            stop.store(true, Ordering::Relaxed);
            let (sent, has_ended) = flood.join().unwrap();
            println!("{what}: {sent} sent, ended: {has_ended}");
            assert!(has_ended || !must_end, "{what} went on: {sent}");
        });
    }
    let after = own_memory(doors.waypost.id());
    println!("{before} KiB before, {after} KiB after");
    assert!(after < before + (32 << 10), "{before} KiB before, {after} KiB after");
}

/// What is its own alone, in KiB.
fn own_memory(process: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn streams() {
    let doors = Doors::open("[webmail]\nmax-streams = 10\n");
    let mut talk = doors.connect();
    let count = 30;
    for number in 0..count {
        talk.frame(HEADERS, WHOLE, 2 * number + 1, &request("GET", "/slow", &[]));
    }
    let mut outcomes = Vec::new();
    while outcomes.len() < count as usize {
        let Some(frame) = talk.next() else { break };
        match frame.kind {
            HEADERS => outcomes.push("answered"),
            RST_STREAM if frame.payload == REFUSED_STREAM.to_be_bytes() => outcomes.push("refused"),
            RST_STREAM | GOAWAY => panic!("{frame:?}"),
            _ => {}
        }
    }
    let answered = outcomes.iter().filter(|outcome| **outcome == "answered").count();
    assert_eq!((answered, outcomes.len()), (10, 30), "{outcomes:?}");
    assert_eq!(doors.back_end.seen_for("/slow").len(), 10);
}

/// Over connections of their own, too.
fn one_user() {
    let doors = Doors::open("[webmail]\nmax-requests-per-user = 3\n");
    let answers: Vec<_> = thread::scope(|scope| {
        let asking: Vec<_> =
            (0..8).map(|_| scope.spawn(|| ask(doors.http, &get("/slow")))).collect();
        wait_for("as many as may be", SOON, || {
            (doors.back_end.seen_for("/slow").len() == 3).then_some(())
        });
        assert_eq!(ask(doors.http, &get_as_user3("/other")).status, 200, "another user");
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    let (served, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((served.len(), refused.len()), (3, 5), "{answers:?}");
    for answer in refused {
        assert_eq!(answer.status, 429, "{answer:?}");
        assert!(answer.field("retry-after").is_some(), "{answer:?}");
    }
    assert_eq!(ask(doors.http, &get("/after")).status, 200);
}

/// Who does not begin, and who does nothing more; a request that is under way is waited for.
fn silent() {
    let settings = "[webmail]\nheader-timeout = \"1s\"\nkeep-alive = \"1s\"\n";
    let doors = Doors::open(settings);
    for beginning in [&b""[..], b"PRI * HTTP/2.0\r\n"] {
        let began = Instant::now();
        let mut talk = Http2Talk::silent(doors.https, &doors.ca());
        talk.send(beginning);
        // It says its own settings, and nothing else.
        assert!(talk.rest().iter().all(|frame| frame.kind != HEADERS));
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    }
    // In the middle of a head nothing else may be said (RFC 9113 section 6.10).
    let began = Instant::now();
    let mut talk = doors.connect();
    talk.frame(HEADERS, END_STREAM, 1, &request("GET", "/never", &[]));
    talk.rest();
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    // Somebody who answers every ping, and asks for nothing.
    let began = Instant::now();
    let mut talk = doors.connect();
    talk.frame(HEADERS, WHOLE, 1, &request("GET", "/slow", &[]));
    let mut said = Vec::new();
    while let Some(frame) = talk.next() {
        if frame.kind == PING {
            talk.frame(PING, 1, 0, &frame.payload);
        }
        said.push(frame);
    }
    assert!(said.iter().any(|frame| frame.kind == HEADERS), "{said:?}");
    assert!(said.iter().any(|frame| frame.kind == GOAWAY), "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert_eq!(doors.back_end.seen_for("/never").len(), 0);
}
