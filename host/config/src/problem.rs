use std::fmt;

use thiserror::Error;

use crate::source::{Excerpt, Place};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, and is probably not what was meant.
    Warning,
    /// It cannot work.
    Error,
}

/// Something that is wrong with a configuration. Displayed like a compiler's message, over
/// several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// The setting, as a dotted key; empty where the text is not TOML.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
    /// What to do, where that can be guessed.
    pub help: Option<String>,
    pub(crate) excerpt: Excerpt,
}

impl Problem {
    /// All of it in one line.
    pub fn one_line(&self) -> String {
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}: {}{help}", self.place, self.what())
    }

    fn what(&self) -> String {
        if self.key.is_empty() {
            return self.message.clone();
        }
        format!("{}: {}", self.key, self.message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let number = self.place.line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(self.excerpt.indent);
        let marks = "^".repeat(self.excerpt.width);
        let help = self.help.as_deref().unwrap_or_default();
        writeln!(f, "{severity}: {}", self.what())?;
        writeln!(f, "{margin}--> {}", self.place)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.excerpt.line)?;
        writeln!(f, "{}", format!("{margin} | {indent}{marks} {help}").trim_end())
    }
}

/// Everything that is wrong with a configuration, in the order of the file. As an error it holds
/// at least one [`Severity::Error`].
#[derive(Clone, Debug, Default, Error, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|problem| problem.severity == severity).count()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        let counted = |severity, word: &str| match self.count(severity) {
            0 => None,
            1 => Some(format!("1 {word}")),
            many => Some(format!("{many} {word}s")),
        };
        let counts = [counted(Severity::Error, "error"), counted(Severity::Warning, "warning")];
        let counts: Vec<_> = counts.into_iter().flatten().collect();
        f.write_str(&counts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{Problem, Problems, Severity};
    use crate::source::Source;

    fn problem(severity: Severity, help: Option<&str>) -> Problem {
        let text = "[listener.imaps]\nprotocol = \"imap\"\ntls = \"implict\" # as ever\n";
        let source = Source::new("waypost.toml", text.into());
        let span = text.find("\"implict\"").unwrap()..text.find(" #").unwrap();
        Problem {
            severity,
            place: source.place(span.start),
            key: "listener.imaps.tls".into(),
            message: "expected \"none\", \"starttls\" or \"implicit\", found \"implict\"".into(),
            help: help.map(str::to_owned),
            excerpt: source.excerpt(&span),
        }
    }

    #[test]
    fn a_problem_looks_like_a_compilers() {
        let problem = problem(Severity::Error, Some("did you mean \"implicit\"?"));
        assert_eq!(
            problem.to_string(),
            r#"error: listener.imaps.tls: expected "none", "starttls" or "implicit", found "implict"
 --> waypost.toml:3:7
  |
3 | tls = "implict" # as ever
  |       ^^^^^^^^^ did you mean "implicit"?
"#
        );
    }

    #[test]
    fn all_of_them_are_counted_at_the_end() {
        let error = problem(Severity::Error, None);
        let warning = problem(Severity::Warning, None);
        let text = Problems(vec![error.clone(), error, warning]).to_string();
        assert!(text.ends_with("^^^^^^^^^\n\n2 errors, 1 warning"), "{text}");
    }
}
