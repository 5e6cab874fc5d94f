//! Quoted-printable (RFC 2045 section 6.7).

/// The longest line, in octets, before the sign that it goes on.
const MAX_LINE: usize = 75;

/// Encodes octets of which CRLF ends the lines.
pub(super) fn encode(octets: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().unwrap_or(b'0');
    let mut out = Vec::with_capacity(octets.len().saturating_add(octets.len() / 8));
    let mut column = 0;
    let mut rest = octets;
    while let [octet, behind @ ..] = rest {
        if let Some(behind) = rest.strip_prefix(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            (column, rest) = (0, behind);
            continue;
        }
        let ends_line = behind.is_empty() || behind.starts_with(b"\r\n");
        let is_plain = match octet {
            b'=' => false,
            b' ' | b'\t' => !ends_line,
            octet => octet.is_ascii_graphic(),
        };
        let length = if is_plain { 1 } else { 3 };
        if column + length > MAX_LINE {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if is_plain {
            out.push(*octet);
        } else {
            out.extend([b'=', digit(octet >> 4), digit(*octet)]);
        }
        (column, rest) = (column + length, behind);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::encode;

    fn encoded(octets: &[u8]) -> String {
        String::from_utf8(encode(octets)).unwrap()
    }

    /// As a reader does it.
    fn decode(text: &str) -> Vec<u8> {
        let mut octets = Vec::new();
        let text = text.replace("=\r\n", "");
        let mut rest = text.as_bytes();
        while let [octet, behind @ ..] = rest {
            if *octet == b'=' {
                let digits = str::from_utf8(&behind[..2]).unwrap();
                octets.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &behind[2..];
            } else {
                octets.push(*octet);
                rest = behind;
            }
        }
        octets
    }

    #[test]
    fn what_is_encoded() {
        assert_eq!(encoded(b"a=b \r\n\tc\t"), "a=3Db=20\r\n\tc=09");
        assert_eq!(encoded("\u{e9}\0\r\n".as_bytes()), "=C3=A9=00\r\n");
        assert_eq!(encoded(b"a\rb\nc"), "a=0Db=0Ac");
        let long = encoded(&[b'x'; 200]);
        assert_eq!(long.lines().map(str::len).collect::<Vec<_>>(), [76, 76, 50]);
    }

    proptest! {
        #[test]
        fn it_comes_back(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = encoded(&octets);
            prop_assert!(text.split("\r\n").all(|line| line.len() <= 76 && !line.ends_with([' ', '\t'])));
            prop_assert!(text.replace("\r\n", "").bytes().all(|it| it == b'\t' || (b' '..=b'~').contains(&it)));
            prop_assert!(!text.contains("=_"));
            prop_assert_eq!(decode(&text), octets);
        }
    }
}
