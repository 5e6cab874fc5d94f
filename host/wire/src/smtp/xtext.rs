//! xtext (RFC 3461 section 4): how a parameter's value carries any octets.

/// Appends `octets` as xtext.
pub(super) fn encode(octets: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().map_or('0', char::from);
    for &octet in octets {
        if octet.is_ascii_graphic() && !matches!(octet, b'+' | b'=') {
            out.push(char::from(octet));
        } else {
            out.extend(['+', digit(octet >> 4), digit(octet)]);
        }
    }
}

/// The octets that `xtext` means; `None` where it is none. A bare `=` and hexadecimal digits in
/// lower case are taken as well: clients send them.
pub(super) fn decode(xtext: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(xtext.len());
    let mut rest = xtext;
    loop {
        rest = match rest {
            [] => return Some(octets),
            [b'+', high, low, behind @ ..] => {
                octets.push((hexadecimal(*high)? << 4) | hexadecimal(*low)?);
                behind
            }
            [b'+', ..] => return None,
            [octet, behind @ ..] if octet.is_ascii_graphic() => {
                octets.push(*octet);
                behind
            }
            _ => return None,
        }
    }
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode, encode};

    #[test]
    fn signs_and_octets_are_encoded() {
        let mut out = String::new();
        encode(b"a+b=c d\n\xFF", &mut out);
        assert_eq!(out, "a+2Bb+3Dc+20d+0A+FF");
        assert_eq!(decode(b"a+2bb=c").as_deref(), Some(&b"a+b=c"[..]));
        for text in [&b"+"[..], b"+2", b"+2G", b"+ 2", b"++2", b"a b", b"\xC3\xBC", b"\x7F"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(octets in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut out = String::new();
            encode(&octets, &mut out);
            prop_assert!(out.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'='));
            prop_assert_eq!(decode(out.as_bytes()), Some(octets));
        }
    }
}
