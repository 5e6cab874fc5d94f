/// The words of a command: atoms, quoted strings without their quotes, and what stands in
/// brackets or parentheses kept together (`BODY[HEADER.FIELDS (SUBJECT)]`).
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut was_quoted = false;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' if quoted => word.extend(chars.next()),
            '"' if depth == 0 => {
                quoted = !quoted;
                was_quoted = true;
            }
            ' ' if depth == 0 && !quoted => {
                if was_quoted || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                was_quoted = false;
            }
            _ => {
                match char {
                    '[' | '(' if !quoted => depth += 1,
                    ']' | ')' if !quoted => depth = depth.saturating_sub(1),
                    _ => {}
                }
                word.push(char);
            }
        }
    }
    if was_quoted || !word.is_empty() {
        words.push(word);
    }
    words
}

/// A literal that the line ends with (RFC 3501 section 4.3, RFC 7888): what stands before it, its
/// length, and whether the client waits for a go-ahead.
pub(super) fn literal(line: &str) -> Option<(&str, usize, bool)> {
    let (before, count) = line.strip_suffix('}')?.rsplit_once('{')?;
    match count.strip_suffix('+') {
        Some(count) => Some((before, count.parse().ok()?, false)),
        None => Some((before, count.parse().ok()?, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::{literal, words};

    #[test]
    fn quotes_and_brackets_keep_a_word_together() {
        assert_eq!(words(r#"LOGIN "a b" "c\"d" """#), ["LOGIN", "a b", "c\"d", ""]);
        assert_eq!(
            words("FETCH 1 (UID BODY.PEEK[HEADER.FIELDS (SUBJECT TO)])"),
            ["FETCH", "1", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT TO)])"]
        );
    }

    #[test]
    fn literals_of_both_kinds() {
        assert_eq!(literal("LOGIN {5}"), Some(("LOGIN ", 5, true)));
        assert_eq!(literal("LOGIN {5+}"), Some(("LOGIN ", 5, false)));
        assert_eq!(literal("LOGIN a b"), None);
    }
}
