//! Long texts in short lines.

/// The text in lines of about `width` octets where its words allow it; `between` ends one and begins
/// the next. Spaces in a row become one, so that no line is empty, and what cannot be printed
/// becomes `?`, so that no line is begun by the text itself.
pub(super) fn fold(text: &str, width: usize, between: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut column = 0usize;
    for word in text.split(char::is_whitespace).filter(|word| !word.is_empty()) {
        if column > 0 {
            if column.saturating_add(word.len()) >= width {
                folded.push_str(between);
                column = 0;
            } else {
                folded.push(' ');
                column = column.saturating_add(1);
            }
        }
        folded.extend(word.chars().map(|c| if c.is_control() { '?' } else { c }));
        column = column.saturating_add(word.len());
    }
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fold;

    #[test]
    fn words_stay_whole() {
        assert_eq!(fold("a bc  def g", 6, "|"), "a bc|def g");
        assert_eq!(fold("abcdefgh i", 4, "|"), "abcdefgh|i");
        assert_eq!(fold("  a\r\nX: b\0 ", 80, "|"), "a X: b?");
    }

    proptest! {
        #[test]
        fn no_line_is_empty_or_begun_by_the_text(text in any::<String>()) {
            let folded = fold(&text, 10, "\r\n ");
            for line in folded.replace("\r\n ", "\n").split('\n').filter(|_| !folded.is_empty()) {
                prop_assert!(!line.is_empty() && !line.contains(char::is_control));
            }
        }
    }
}
