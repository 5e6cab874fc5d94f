use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A configuration file's text and where its lines begin.
pub(crate) struct Source {
    path: Arc<Path>,
    text: String,
    /// The offset of each line's first octet.
    lines: Vec<usize>,
}

/// A place in a configuration file, as editors and compilers write it: `waypost.toml:7:1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named to Waypost.
    pub file: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// One line of the source and the part of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) line: String,
    /// Characters before the part.
    pub(crate) indent: usize,
    /// Characters of the part, at least one.
    pub(crate) width: usize,
}

impl Source {
    pub(crate) fn new(path: impl Into<PathBuf>, text: String) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Self { path: Arc::from(path.into()), text, lines }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn place(&self, offset: usize) -> Place {
        let (number, start) = self.line_at(offset);
        let before = self.text.get(start..offset).unwrap_or_default();
        Place { file: self.path.clone(), line: number + 1, column: before.chars().count() + 1 }
    }

    /// The line in which a span begins, with what of the span lies in it.
    ///
    /// A line that assigns a password is shown without its value: a reader who wrote one where a
    /// file's name belongs shall not find it in a log.
    pub(crate) fn excerpt(&self, span: &Range<usize>) -> Excerpt {
        let (number, start) = self.line_at(span.start);
        let end = self.lines.get(number + 1).map_or(self.text.len(), |next| next - 1);
        let line = self.text.get(start..end).unwrap_or_default().trim_end_matches('\r');
        let within = |offset: usize| {
            let offset = offset.saturating_sub(start).min(line.len());
            line.get(..offset).map_or(0, |before| before.chars().count())
        };
        let indent = within(span.start);
        let width = within(span.end).saturating_sub(indent).max(1);
        let shown = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        without_secret(Excerpt { line: shown, indent, width })
    }

    fn line_at(&self, offset: usize) -> (usize, usize) {
        let number = self.lines.partition_point(|start| *start <= offset).saturating_sub(1);
        (number, self.lines.get(number).copied().unwrap_or_default())
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.path.display())
    }
}

/// Cuts a line off where a value begins that could be a password.
fn without_secret(excerpt: Excerpt) -> Excerpt {
    let assignments = excerpt.line.match_indices('=').map(|(at, _)| excerpt.line.split_at(at + 1));
    let secret = assignments.into_iter().find(|(before, value)| {
        let key = before.trim_end_matches('=').trim_end().trim_end_matches(['"', '\'']);
        let key = key.to_ascii_lowercase();
        let names_secret = key.ends_with("password") || key.ends_with("secret");
        names_secret && !value.trim_start().starts_with('{')
    });
    let Some((before, _)) = secret else { return excerpt };
    let line = format!("{before} …");
    let last = line.chars().count().saturating_sub(1);
    let indent = excerpt.indent.min(last);
    let width = excerpt.width.min(last - indent + 1);
    Excerpt { line, indent, width }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn places_are_counted_in_lines_and_characters_from_one() {
        let source = Source::new("a.toml", "one\nzwö = 3\n\nend".into());
        let place = |offset| source.place(offset).to_string();
        assert_eq!(place(0), "a.toml:1:1");
        assert_eq!(place(3), "a.toml:1:4");
        assert_eq!(place(4), "a.toml:2:1");
        assert_eq!(place(source.text().find('3').unwrap()), "a.toml:2:7");
        assert_eq!(place(source.text().len()), "a.toml:4:4");
    }

    #[test]
    fn an_excerpt_is_one_line() {
        let source = Source::new("a.toml", "a = [\r\n\t1,\r\n]\n".into());
        let excerpt = source.excerpt(&(4..13));
        assert_eq!((&*excerpt.line, excerpt.indent, excerpt.width), ("a = [", 4, 1));
        let excerpt = source.excerpt(&(8..9));
        assert_eq!((&*excerpt.line, excerpt.indent, excerpt.width), (" 1,", 1, 1));
        assert_eq!(source.excerpt(&(1000..2000)).width, 1);
    }

    #[test]
    fn an_excerpt_shows_no_password() {
        let shown = |text: &str| Source::new("a.toml", text.into()).excerpt(&(10..30)).line;
        assert_eq!(shown("bind-password = \"hunter2\" # the usual"), "bind-password = …");
        assert_eq!(shown("d = { 'bind-password'='hunter2' }"), "d = { 'bind-password'= …");
        assert_eq!(shown("bind-secret = [\"hunter2\"]"), "bind-secret = …");
        let by_reference = "bind-password = { file = \"ldap.secret\" }";
        assert_eq!(shown(by_reference), by_reference);
        assert_eq!(shown("password-field = \"userPassword\""), "password-field = \"userPassword\"");
    }

    #[test]
    fn what_is_underlined_lies_in_the_line() {
        let source = Source::new("a.toml", "bind-password = \"a very long password\"".into());
        let excerpt = source.excerpt(&(16..38));
        assert!(excerpt.indent + excerpt.width <= excerpt.line.chars().count());
    }
}
