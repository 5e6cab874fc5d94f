//! How two values are compared when case does not matter: RFC 4518's string preparation without
//! its rarer mappings. Letters are put in lower case, spaces at either end do not count, and
//! several inside count as one. What is not UTF-8 is compared octet by octet, ASCII letters apart.

/// The form in which a value is compared.
pub(crate) fn fold(value: &[u8]) -> Vec<u8> {
    let mut folded = fold_part(value);
    let end = folded.iter().rposition(|b| *b != b' ').map_or(0, |last| last + 1);
    folded.truncate(end);
    let start = folded.iter().position(|b| *b != b' ').unwrap_or(0);
    folded.drain(..start);
    folded
}

/// The form in which a part of a substring assertion is compared: a space at its edge stands
/// inside the whole and counts.
pub(crate) fn fold_part(value: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(value.len());
    match std::str::from_utf8(value) {
        Ok(text) if !text.is_ascii() => {
            let mut utf8 = [0; 4];
            for lower in text.chars().flat_map(char::to_lowercase) {
                for b in lower.encode_utf8(&mut utf8).bytes() {
                    push(&mut folded, b);
                }
            }
        }
        _ => value.iter().for_each(|b| push(&mut folded, b.to_ascii_lowercase())),
    }
    folded
}

/// Appends an octet unless it is a space behind a space.
fn push(folded: &mut Vec<u8>, b: u8) {
    if b != b' ' || folded.last() != Some(&b' ') {
        folded.push(b);
    }
}

/// Whether `value` folds to `folded`. Allocates only where the value is not plain ASCII or has
/// spaces that do not count.
pub(crate) fn folds_to(value: &[u8], folded: &[u8]) -> bool {
    if value.len() == folded.len() && value.is_ascii() {
        let same = |(v, f): (&u8, &u8)| v.to_ascii_lowercase() == *f;
        // As long as its folded form: no space was dropped.
        return value.iter().zip(folded).all(same);
    }
    // In ASCII, folding drops spaces and changes no other octet's number.
    if value.is_ascii() && (value.len() < folded.len() || !value.contains(&b' ')) {
        return false;
    }
    fold(value) == folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{fold, folds_to};

    #[test]
    fn case_and_spaces() {
        assert_eq!(fold(b"  John   Q.  DOE "), b"john q. doe");
        assert_eq!(fold("ÄRGER".as_bytes()), "ärger".as_bytes());
        assert_eq!(fold(b"\xff  A"), b"\xff a");
        assert_eq!(fold(b"   "), b"");
    }

    proptest! {
        #[test]
        fn folding_is_done_once(value in any::<Vec<u8>>()) {
            let folded = fold(&value);
            prop_assert_eq!(fold(&folded), folded.clone());
            prop_assert!(folds_to(&value, &folded));
        }

        #[test]
        fn comparing_in_place_is_comparing_the_folded(
            one in "[ aAbBäÄ]{0,6}", other in "[ aAbBäÄ]{0,6}",
        ) {
            let folded = fold(other.as_bytes());
            prop_assert_eq!(folds_to(one.as_bytes(), &folded), fold(one.as_bytes()) == folded);
        }
    }
}
