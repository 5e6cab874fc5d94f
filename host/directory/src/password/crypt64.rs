//! The base64 of crypt(3): another alphabet, and the lowest six bits first.

/// Decodes `text`; `None` where it is not of this kind. Bits that are left over must be zero.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len().div_ceil(4).saturating_mul(3));
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for (digit, place) in group.iter().zip([0, 6, 12, 18]) {
            bits |= value(*digit)? << place;
        }
        let count = match group.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        if bits >> (8 * count) != 0 {
            return None;
        }
        octets.extend(bits.to_le_bytes().into_iter().take(count));
    }
    Some(octets)
}

/// The six bits that a digit stands for.
pub(super) fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'.' => 0,
        b'/' => 1,
        b'0'..=b'9' => digit - b'0' + 2,
        b'A'..=b'Z' => digit - b'A' + 12,
        b'a'..=b'z' => digit - b'a' + 38,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn lowest_bits_first() {
        assert_eq!(decode(""), Some(vec![]));
        assert_eq!(decode("/..."), Some(vec![1, 0, 0]));
        assert_eq!(decode("zzzz"), Some(vec![255, 255, 255]));
        assert_eq!(decode("z1"), Some(vec![0xff]));
        for text in ["z", "zzzzz", "zz", "a-", "a b."] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
