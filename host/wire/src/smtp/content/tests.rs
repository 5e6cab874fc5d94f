use proptest::prelude::*;

use super::{Decoded, Decoder, Encoder, Found, Normalizer, Scan};

mod exhaustive;

/// The content, and what stands behind the end if it has come. The input comes in `pieces`, and what
/// is not consumed comes again with the next.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<Vec<u8>>) {
    let (mut decoder, mut content, mut unread) = (Decoder::new(), Vec::new(), Vec::new());
    let mut over = false;
    for piece in pieces {
        unread.extend_from_slice(piece);
        while !over {
            let consumed = match decoder.take(&unread) {
                Decoded::Incomplete => {
                    assert!(unread.len() <= 2, "waits for more than it needs: {unread:?}");
                    break;
                }
                Decoded::Content { octets, consumed } => {
                    assert!(!octets.is_empty() && octets.len() <= consumed);
                    content.extend_from_slice(octets);
                    consumed
                }
                Decoded::End { consumed } => {
                    over = true;
                    consumed
                }
            };
            unread.drain(..consumed);
        }
    }
    (content, over.then_some(unread))
}

/// With the CRLF that may be missing, and the dot.
fn encode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    for piece in pieces {
        encoder.push(piece, &mut out);
    }
    encoder.end(&mut out);
    out.extend_from_slice(b".\r\n");
    out
}

fn normalize<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut normalizer, mut out) = (Normalizer::new(), Vec::new());
    for piece in pieces {
        normalizer.push(piece, &mut out);
    }
    normalizer.end(&mut out);
    out
}

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Found {
    let mut scan = Scan::new("mx.example.test".into());
    for piece in pieces {
        scan.push(piece);
    }
    scan.end()
}

/// What RFC 5321 section 4.5.2 says, word by word, of octets that have all come.
fn reference(wire: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let (mut content, mut rest) = (Vec::new(), wire);
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let (line, behind) = (&rest[..end], &rest[end + 2..]);
        if line == b"." {
            return (content, Some(behind.to_vec()));
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        content.extend_from_slice(b"\r\n");
        rest = behind;
    }
    content.extend_from_slice(rest.strip_prefix(b".").unwrap_or(rest));
    (content, None)
}

/// As [`decode`] leaves it: what may still become the end is not content yet.
fn without_tail(
    (mut content, behind): (Vec<u8>, Option<Vec<u8>>),
    wire: &[u8],
) -> (Vec<u8>, Option<Vec<u8>>) {
    if behind.is_none() {
        let at_start =
            |len: usize| len == wire.len() || wire[..wire.len() - len].ends_with(b"\r\n");
        if wire.ends_with(b".\r") && at_start(2) {
            content.pop();
        }
    }
    (content, behind)
}

#[test]
fn dots_are_taken_off_and_the_end_is_found() {
    let (content, behind) = decode([&b"a\r\n..b\r\n.c\r\n...\r\n.\r\nQUIT\r\n"[..]]);
    assert_eq!(content, b"a\r\n.b\r\nc\r\n..\r\n");
    assert_eq!(behind.as_deref(), Some(&b"QUIT\r\n"[..]));
    assert_eq!(decode([&b".\r\n"[..]]), (Vec::new(), Some(Vec::new())));
}

#[test]
fn nothing_else_is_the_end() {
    for disguise in [
        "\n.\n",
        "\r.\r",
        "\n.\r\n",
        "\r\n.\n",
        "\r\n.\r",
        "\r.\r\n",
        "\r\n.\r\r\n",
        "\r\n.\0\r\n",
        "\r\n. \r\n",
        "\r\n..\r\n",
        "\r\r\n.\n",
        "\n\r.\r\n",
        "\r\n\n.\r\n",
        "\r\n\r.\r\n",
    ] {
        let wire = format!("a{disguise}MAIL FROM:<eve@evil.test>\r\n.\r\n");
        let (content, behind) = decode([wire.as_bytes()]);
        assert_eq!(behind.as_deref(), Some(&b""[..]), "{disguise:?}");
        assert!(content.ends_with(b"MAIL FROM:<eve@evil.test>\r\n"), "{disguise:?}");
    }
}

#[test]
fn every_octet_passes() {
    let content: Vec<u8> = (0..=u8::MAX).filter(|octet| !b"\r\n".contains(octet)).collect();
    let long = [content.repeat(100), b"\r\n".to_vec()].concat();
    assert_eq!(decode([&encode([&long[..]])[..]]), (long, Some(Vec::new())));
}

#[test]
fn a_line_without_end_gets_one() {
    assert_eq!(encode([&b"a"[..]]), b"a\r\n.\r\n");
    assert_eq!(encode([&b"a\r"[..], b"\n"]), b"a\r\n.\r\n");
    assert_eq!(encode([&b"."[..]]), b"..\r\n.\r\n");
    assert_eq!(encode([&b"a\r"[..]]), b"a\r\r\n.\r\n");
    assert_eq!(encode([&b""[..]]), b".\r\n");
    assert_eq!(encode([]), b".\r\n");
}

#[test]
fn bare_newlines_become_line_ends() {
    assert_eq!(normalize([&b"a\nb\rc\r\nd\r\r\n\n"[..]]), b"a\r\nb\r\nc\r\nd\r\n\r\n\r\n");
    assert_eq!(normalize([&b"a\r"[..], b"\nb\r"]), b"a\r\nb\r\n");
    // A lone dot between bare newlines is a line of the message, and is sent on as one.
    let content = normalize([&b"a\n.\nb\n"[..]]);
    assert_eq!(content, b"a\r\n.\r\nb\r\n");
    assert_eq!(encode([&content[..]]), b"a\r\n..\r\nb\r\n.\r\n");
}

#[test]
fn what_is_found() {
    let content =
        "Received: from x by mx.example.test; now\r\nA: b\u{fc}\r\n\r\nlonger than all\r\nx";
    let found = scan([content.as_bytes()]);
    let expected = Found {
        size: u64::try_from(content.len()).unwrap(),
        eight_bit: true,
        longest_line: 40,
        received: 1,
        received_here: 1,
        open_line: true,
        ..Found::default()
    };
    assert_eq!(found, expected);
    assert!(!found.has_bare_newline());
}

#[test]
fn a_carriage_return_is_bare_once_what_follows_is_known() {
    let mut scan = Scan::new("mx".into());
    assert!(!scan.push(b"a\r").has_bare_newline());
    assert!(!scan.push(b"").has_bare_newline());
    assert!(!scan.push(b"\nb\r").has_bare_newline());
    assert!(scan.clone().end().bare_cr);
    assert!(scan.clone().push(b"\r").bare_cr);
    assert!(scan.clone().push(b"x").bare_cr);
    let found = scan.push(b"\n");
    assert!(!found.bare_cr && !found.bare_lf && !found.open_line);
    assert!(scan.push(b"\n").bare_lf);
}

#[test]
fn received_fields_are_counted() {
    let counts = |header: &str| {
        let found = scan([header.as_bytes()]);
        let octets: Vec<&[u8]> = header.as_bytes().chunks(1).collect();
        assert_eq!(scan(octets), found, "{header:?}");
        (found.received, found.received_here)
    };
    for (header, expected) in [
        ("", (0, 0)),
        ("Received: by mx.example.test\r\n", (1, 1)),
        ("RECEIVED: BY MX.Example.TEST.; x\r\n", (1, 1)),
        ("Received : from a\r\n\tby\r\n mx.example.test (x)\r\n", (1, 1)),
        ("Received: from mx.example.test by other.test\r\n", (1, 0)),
        ("Received: from by (by mx.example.test) by other.test\r\n", (1, 0)),
        ("Received: from \"by mx.example.test\" by other.test\r\n", (1, 0)),
        ("Received: from a (\") by mx.example.test (\")\r\n", (1, 1)),
        ("Received: from a (\\) by b) by mx.example.test\r\n", (1, 1)),
        ("Received: by mx.example.test2\r\n", (1, 0)),
        ("Received: by mx.example.test by mx.example.test\r\n", (1, 1)),
        ("Received: a\r\nReceived: b\r\nX-Received: c\r\nReceivedX: d\r\nReceived: e\r\n", (3, 0)),
        // Folded lines of another field.
        ("Subject: a\r\n Received: by mx.example.test\r\n", (0, 0)),
        // The body, and what ends a header without an empty line.
        ("A: b\r\n\r\nReceived: by mx.example.test\r\n", (0, 0)),
        ("Received: a\r\nnot a field\r\nReceived: b\r\n", (1, 0)),
        ("From x Mon\r\nReceived: b\r\n", (0, 0)),
        (": x\r\nReceived: b\r\n", (0, 0)),
        ("\r\nReceived: b\r\n", (0, 0)),
    ] {
        assert_eq!(counts(header), expected, "{header:?}");
    }
}

#[test]
fn a_header_is_made_of_fields() {
    let received = |name: usize| {
        let header = format!("{}: a\r\nReceived: b\r\n", "x".repeat(name));
        scan([header.as_bytes()]).received
    };
    assert_eq!((received(998), received(999)), (1, 0));
}

#[test]
fn a_word_without_end_takes_no_memory() {
    let mut scan = Scan::new("mx.example.test".into());
    scan.push(b"Received: by ");
    for _ in 0..1000 {
        scan.push(&[b'x'; 1000]);
    }
    let found = scan.push(b" by mx.example.test;");
    assert_eq!((found.received, found.received_here), (1, 1));
}

/// Cuts a text in pieces of the given lengths, and the rest.
fn cut<'a>(text: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    for &length in lengths {
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop::sample::select(b"\r\n.a".to_vec());
    let run = prop_oneof![
        3 => octet.prop_map(|octet| vec![octet]),
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r\n.".to_vec()),
        1 => any::<u8>().prop_map(|octet| vec![octet; 70]),
    ];
    prop::collection::vec(run, 0..60).prop_map(|runs| runs.concat())
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..9, 0..30)
}

proptest! {
    #[test]
    fn a_decoder_does_what_is_written(wire in octets(), lengths in lengths()) {
        let expected = without_tail(reference(&wire), &wire);
        prop_assert_eq!(decode(cut(&wire, &lengths)), expected);
    }

    #[test]
    fn what_is_encoded_is_decoded(content in octets(), lengths in lengths()) {
        let wire = encode(cut(&content, &lengths));
        prop_assert_eq!(&wire, &encode([&content[..]]));
        let (decoded, behind) = decode([&wire[..]]);
        prop_assert_eq!(behind, Some(Vec::new()));
        let whole = content.is_empty() || content.ends_with(b"\r\n");
        let end = if whole { &b""[..] } else { b"\r\n" };
        prop_assert_eq!(decoded, [&content[..], end].concat());
    }

    #[test]
    fn pieces_do_not_matter(content in octets(), lengths in lengths()) {
        let pieces = || cut(&content, &lengths);
        prop_assert_eq!(scan(pieces()), scan([&content[..]]));
        prop_assert_eq!(normalize(pieces()), normalize([&content[..]]));
        prop_assert!(!scan([&normalize(pieces())[..]]).has_bare_newline());
    }

    #[test]
    fn pieces_of_a_header_do_not_matter(
        header in "(Received: (from [a(\"]{0,4} |by |mx.example.test|[();\"\\\\ ]|\r\n )*\r\n|[A-z]{1,9}:a?\r\n){0,5}(\r\n)?",
        lengths in lengths(),
    ) {
        prop_assert_eq!(scan(cut(header.as_bytes(), &lengths)), scan([header.as_bytes()]));
    }
}
