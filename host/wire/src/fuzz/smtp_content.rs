use crate::smtp::content::{Decoded, Decoder, Encoder, Found, Normalizer, Scan};

/// The octets of a message, behind DATA and as content. The first octet of `data` says how long the
/// pieces are into which the rest is cut.
///
/// Pieces do not matter. No content ends its message or changes on its way through encoder and
/// decoder. What holds no bare CR or LF, and what the normaliser has made of anything, is sent on as
/// octets in which the most lenient of servers finds no lone dot but the last.
pub fn smtp_content(data: &[u8]) {
    let Some((&length, octets)) = data.split_first() else { return };
    let length = usize::from(length) + 1;

    let decoded = decode([octets]);
    assert_eq!(decode(octets.chunks(length)), decoded, "decoded in pieces");
    assert_eq!(decode(octets.chunks(1)), decoded, "decoded octet by octet");
    assert!(decoded.content.len() + decoded.behind.as_ref().map_or(0, Vec::len) <= octets.len());

    let wire = encode([octets]);
    assert_eq!(encode(octets.chunks(length)), wire, "encoded in pieces");
    let Read { content, behind } = decode([&wire[..]]);
    assert_eq!(behind.as_deref(), Some(&b""[..]), "content ends its message");
    assert!(content.starts_with(octets), "content is changed on its way");
    assert!([&b""[..], b"\r\n"].contains(&&content[octets.len()..]));

    let found = scan([octets]);
    assert_eq!(scan(octets.chunks(length)), found, "scanned in pieces");
    assert_eq!(scan(octets.chunks(1)), found, "scanned octet by octet");
    assert_eq!(found.open_line, content.len() != octets.len());
    assert!(found.received_here <= found.received);
    assert!(found.longest_line <= found.size);
    if !found.has_bare_newline() {
        check_lone_dots(&wire);
    }

    let normal = normalize([octets]);
    assert_eq!(normalize(octets.chunks(length)), normal, "normalised in pieces");
    assert_eq!(normalize([&normal[..]]), normal, "normalised twice");
    assert!(!scan([&normal[..]]).has_bare_newline());
    if !found.has_bare_newline() {
        assert_eq!(normal, octets, "changed although it is normal");
    }
    check_lone_dots(&encode([&normal[..]]));
}

#[derive(Debug, PartialEq)]
struct Read {
    content: Vec<u8>,
    /// What stands behind the end, if it has come.
    behind: Option<Vec<u8>>,
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let (mut decoder, mut content, mut unread) = (Decoder::new(), Vec::new(), Vec::new());
    let mut over = false;
    for piece in pieces {
        unread.extend_from_slice(piece);
        while !over {
            let consumed = match decoder.take(&unread) {
                Decoded::Incomplete => break,
                Decoded::Content { octets, consumed } => {
                    content.extend_from_slice(octets);
                    consumed
                }
                Decoded::End { consumed } => {
                    over = true;
                    consumed
                }
            };
            assert!((1..=unread.len()).contains(&consumed));
            unread.drain(..consumed);
        }
        assert!(over || unread.len() <= 2, "waits for more than it needs");
    }
    Read { content, behind: over.then_some(unread) }
}

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

fn check_lone_dots(wire: &[u8]) {
    let lines = wire.split(|octet| b"\r\n".contains(octet));
    assert_eq!(lines.filter(|line| *line == b".").count(), 1, "more than one end");
}
