//! The fields of a line for people, in logfmt, so that programs can read it as well.
//!
//! A value is quoted exactly when it is empty or has white space, a quote, `=` or a control character;
//! then it is a JSON string. So is the message, which comes first, unless it is plain words. No value
//! breaks a line, whoever has chosen it.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Writes a line's fields.
pub(crate) struct LogFmt;

impl<'writer> FormatFields<'writer> for LogFmt {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line { writer, is_empty: true, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'writer> {
    writer: Writer<'writer>,
    is_empty: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn add(&mut self, name: &str, value: &str) {
        self.result = self.result.and_then(|()| self.write(name, value));
        self.is_empty = false;
    }

    fn write(&mut self, name: &str, value: &str) -> fmt::Result {
        if !self.is_empty {
            self.writer.write_char(' ')?;
        }
        let is_plain = if name == "message" {
            !value.is_empty() && !value.contains(|c| matches!(c, '"' | '=') || is_unseen(c))
        } else {
            write!(self.writer, "{name}=")?;
            let is_special = |c: char| matches!(c, '"' | '=') || c.is_whitespace() || is_unseen(c);
            !value.is_empty() && !value.contains(is_special)
        };
        if is_plain { self.writer.write_str(value) } else { write_quoted(&mut self.writer, value) }
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value);
    }

    /// Numbers, truth, and what is shown by its `Display`.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field.name(), &format!("{value:?}"));
    }
}

/// What moves the cursor, or ends the line for some reader (U+2028, U+2029).
fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn write_quoted(writer: &mut impl Write, value: &str) -> fmt::Result {
    writer.write_char('"')?;
    for c in value.chars() {
        match c {
            '"' | '\\' => write!(writer, "\\{c}")?,
            '\n' => writer.write_str("\\n")?,
            c if is_unseen(c) => write!(writer, "\\u{:04x}", u32::from(c))?,
            c => writer.write_char(c)?,
        }
    }
    writer.write_char('"')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tracing_subscriber::fmt::format::Writer;

    use super::Line;

    fn written(fields: &[(&str, &str)]) -> String {
        let mut text = String::new();
        let mut line = Line { writer: Writer::new(&mut text), is_empty: true, result: Ok(()) };
        fields.iter().for_each(|(name, value)| line.add(name, value));
        line.result.unwrap();
        text
    }

    /// What a reader makes of the text behind `name=`, and what follows it.
    fn read(text: &str) -> (String, &str) {
        let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
        match text.starts_with('"').then(|| strings.next()).flatten() {
            Some(value) => (value.unwrap(), &text[strings.byte_offset()..]),
            None => {
                let end = text.find(' ').unwrap_or(text.len());
                (text[..end].to_owned(), &text[end..])
            }
        }
    }

    proptest! {
        #[test]
        fn any_value_comes_back_from_its_line(
            one in any::<String>(), other in "[ -~\n\r\t\u{85}\u{2028}]*"
        ) {
            let text = written(&[("message", "a word"), ("one", &one), ("other", &other)]);
            prop_assert!(!text.contains(super::is_unseen), "{text:?}");
            let (value, rest) = read(text.strip_prefix("a word one=").unwrap());
            prop_assert_eq!(value, one);
            let (value, rest) = read(rest.strip_prefix(" other=").unwrap());
            prop_assert_eq!((value, rest), (other, ""));
        }

        #[test]
        fn no_message_is_taken_for_a_field(message in any::<String>()) {
            let text = written(&[("message", &message), ("one", "1")]);
            let said = text.strip_suffix(" one=1").unwrap();
            prop_assert!(said.starts_with('"') || said == message && !said.contains('='));
        }
    }

    #[test]
    fn a_value_is_quoted_exactly_when_it_must_be() {
        let fields = [
            ("message", "a target failed"),
            ("id", "1f"),
            ("detail", "it was closed"),
            ("user", ""),
            ("address", "[::1]:143"),
            ("said", "a\"b\\c"),
        ];
        assert_eq!(
            written(&fields),
            r#"a target failed id=1f detail="it was closed" user="" address=[::1]:143 said="a\"b\\c""#
        );
    }
}
