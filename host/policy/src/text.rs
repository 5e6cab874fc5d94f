//! What a plugin says, made fit for a log line.

/// Cuts `text` at `limit` octets, on a character's edge, and puts U+FFFD in the place of what
/// could start a new line, move a cursor or turn the reading direction.
pub(crate) fn tame(mut text: String, limit: usize) -> String {
    let cut = text.floor_char_boundary(limit);
    if cut < text.len() {
        text.truncate(cut);
        text.push('…');
    }
    if text.chars().any(misleads) {
        text = text.chars().map(|c| if misleads(c) { '\u{fffd}' } else { c }).collect();
    }
    text
}

/// Whether a character has no business in a log line: controls, line and paragraph separators,
/// and the bidirectional controls of Unicode TR #9.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::tame;

    #[test]
    fn harmless_text_stays() {
        assert_eq!(tame("two hosts for ü".into(), 100), "two hosts for ü");
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(tame("a\r\nWARN b\u{1b}[2J\u{85}".into(), 100), "a��WARN b�[2J�");
        assert_eq!(tame("a\u{2028}b\u{202e}c".into(), 100), "a�b�c");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(tame("aaüü".into(), 3), "aa…");
        assert_eq!(tame("aaüü".into(), 6), "aaüü");
    }

    proptest! {
        #[test]
        fn bounded_whatever_comes(text in any::<String>(), limit in 0_usize..64) {
            let tamed = tame(text, limit);
            prop_assert!(tamed.chars().count() <= limit + 1);
            prop_assert!(!tamed.chars().any(char::is_control));
        }
    }
}
