//! Every text of up to eight octets of those that matter, each at every cut.

use super::{decode, encode, normalize, reference, scan, without_tail};

const ALPHABET: &[u8; 4] = b"\r\n.a";
const LONGEST: u32 = 8;

fn every_text(check: impl Fn(&[u8])) {
    for len in 0..=LONGEST {
        for number in 0..4_usize.pow(len) {
            let octet = |place: u32| ALPHABET[number >> (2 * place) & 3];
            check(&(0..len).map(octet).collect::<Vec<_>>());
        }
    }
}

/// The text whole, in two pieces at every cut, and octet by octet.
fn every_cut(text: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    (0..text.len()).map(|cut| vec![&text[..cut], &text[cut..]]).chain([text.chunks(1).collect()])
}

/// A server that takes whatever it can for the end of a line.
fn lenient_lines(wire: &[u8]) -> Vec<&[u8]> {
    wire.split(|octet| b"\r\n".contains(octet)).filter(|line| !line.is_empty()).collect()
}

#[test]
fn the_end_is_crlf_dot_crlf_and_nothing_else() {
    every_text(|wire| {
        let expected = without_tail(reference(wire), wire);
        for pieces in every_cut(wire) {
            assert_eq!(decode(pieces), expected, "{}", wire.escape_ascii());
        }
        let framed = [b"\r\n", wire].concat();
        let has_end = framed.windows(5).any(|window| window == b"\r\n.\r\n");
        assert_eq!(expected.1.is_some(), has_end, "{}", wire.escape_ascii());
    });
}

#[test]
fn no_content_ends_its_message() {
    every_text(|content| {
        let wire = encode([content]);
        for pieces in every_cut(content) {
            assert_eq!(encode(pieces), wire, "{}", content.escape_ascii());
        }
        let whole = content.is_empty() || content.ends_with(b"\r\n");
        let expected = [content, if whole { b"" } else { b"\r\n" }].concat();
        assert_eq!(decode([&wire[..]]), (expected, Some(Vec::new())), "{}", content.escape_ascii());
        // What is passed on holds no end for the most lenient of servers either.
        if !scan([content]).has_bare_newline() {
            let lone_dots = lenient_lines(&wire).iter().filter(|line| **line == b".").count();
            assert_eq!(lone_dots, 1, "{}", content.escape_ascii());
        }
    });
}

#[test]
fn every_bare_newline_is_found_and_can_be_made_good() {
    every_text(|content| {
        let text = str::from_utf8(content).unwrap();
        let whole_lines = text.replace("\r\n", "");
        let found = scan([content]);
        assert_eq!(found.bare_cr, whole_lines.contains('\r'), "{text:?}");
        assert_eq!(found.bare_lf, whole_lines.contains('\n'), "{text:?}");
        assert_eq!(found.open_line, !text.is_empty() && !text.ends_with("\r\n"), "{text:?}");

        let normal = normalize([content]);
        let lines = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
        assert_eq!(normal, lines.as_bytes(), "{text:?}");
        let lone_dots =
            lenient_lines(&encode([&normal[..]])).iter().filter(|line| **line == b".").count();
        assert_eq!(lone_dots, 1, "{text:?}");
        for pieces in every_cut(content) {
            assert_eq!(scan(pieces.iter().copied()), found, "{text:?}");
            assert_eq!(normalize(pieces), normal, "{text:?}");
        }
    });
}
