use super::{Framing, UNREADABLE};

/// What hyper is shown, with the octets given in pieces of each size: `passed` whole, and where
/// that is not all, what nobody can read instead of the head behind it.
#[track_caller]
fn shown(input: &str, passed: &str) {
    for size in 1..=input.len() {
        let mut framing = Framing::default();
        let mut shown = Vec::new();
        for piece in input.as_bytes().chunks(size) {
            if let Some(place) = framing.look_through(piece) {
                shown.extend_from_slice(&piece[..place]);
                shown.extend_from_slice(UNREADABLE);
                break;
            }
            shown.extend_from_slice(piece);
        }
        assert_eq!(framing.refused, passed.len() < input.len(), "in pieces of {size}");
        if !framing.refused {
            assert_eq!(shown, input.as_bytes());
            continue;
        }
        // How much of the head goes out before depends on the pieces; that it has no end does not.
        assert_eq!(framing.look_through(b"GET / HTTP/1.1\r\n\r\n"), Some(0));
        let before = shown.strip_suffix(UNREADABLE).unwrap();
        assert!(before.starts_with(passed.as_bytes()), "{}", before.escape_ascii());
        assert!(input.as_bytes().starts_with(before), "{}", before.escape_ascii());
    }
}

#[track_caller]
fn passes(input: &str) {
    shown(input, input);
}

#[track_caller]
fn refuses(good: &str, bad: &str) {
    shown(&format!("{good}{bad}GET /hidden HTTP/1.1\r\n\r\n"), good);
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn ordinary_requests_pass() {
    passes(&format!("{GET}{GET}"));
    passes(&format!("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /{GET}"));
    passes(&format!(
        "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n\
         5;x=y\r\nGET /\r\n0\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{GET}"
    ));
}

#[test]
fn two_lengths_are_refused() {
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nCONTENT-LENGTH: 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Content-Length: 0x5",
        "Content-Length:",
    ] {
        refuses("", &format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n0\r\n\r\n"));
        refuses(GET, &format!("POST / HTTP/1.1\r\nA: b\r\n{fields}\r\n\r\n0\r\n\r\n"));
    }
}

#[test]
fn a_chunk_has_a_size() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for size in ["", "-1", "+1", "0x5", "5 5", "x", "fffffffffffffffff"] {
        refuses(head, &format!("{size}\r\n"));
    }
}

#[test]
fn a_line_ends_with_both() {
    for head in ["GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\n\r\n"] {
        refuses("", head);
        refuses(GET, head);
    }
    refuses("GET / HTTP/1.1\r\nHost: a\r\n", "\n");
    refuses(GET, "\n");
    let long = "x".repeat(300);
    refuses("", &format!("GET /{long} HTTP/1.1\n\r\n"));
    passes(&format!("GET /{long} HTTP/1.1\r\n\r\n{GET}"));
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    refuses(head, "5\nhello\r\n");
    refuses(&format!("{head}0\r\n"), "A: b\n\r\n");
}

#[test]
fn a_length_that_is_lost_in_space_is_refused() {
    let spaces = " ".repeat(250);
    refuses("", &format!("POST / HTTP/1.1\r\nContent-Length: {spaces}12\r\n\r\n"));
    let zeros = "0".repeat(300);
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    refuses(head, &format!("{zeros}5\r\n"));
}

#[test]
fn a_line_without_end_takes_no_memory() {
    let mut framing = Framing::default();
    for _ in 0..1000 {
        assert_eq!(framing.look_through(&[b'x'; 1024]), None);
    }
    assert!(framing.line.capacity() <= 2 * super::LINE);
}
