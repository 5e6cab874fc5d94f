//! New projects: a policy that builds, and that its cases pass, in one of three languages.
//!
//! Everything that a project is made of is embedded: the template, the interface, and for Rust the
//! SDK's own sources, since a project outside of this repository has no other way to them.

mod sdk;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

/// The languages that there is a template for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// With the SDK; the component is small and a decision takes microseconds.
    Rust,
    /// By componentize-py.
    Python,
    /// By componentize-js.
    JavaScript,
}

/// A plugin's name: the name of its folder, its package and its component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginName(String);

/// Why a text is no name of a plugin.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// Not made as names are.
    #[error(
        "a plugin's name is of lower-case letters, digits and hyphens, starts with a letter, ends \
         with a letter or digit, and has at most 40"
    )]
    Form,
    /// A compiler has the word for itself.
    #[error("{0} means something else to a compiler: choose another name")]
    Taken(String),
}

/// Why no project was made.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// Nothing is written over.
    #[error("{} is not empty: choose another --folder, or empty it", .0.display())]
    NotEmpty(PathBuf),
    /// It cannot be written.
    #[error("{}: {error}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A package that the SDK needs has that name.
    #[error("the SDK needs another package of the name {0}: choose another name")]
    Taken(String),
    /// The embedded files contradict each other; a test finds that.
    #[error("the template of this program is broken: {0}")]
    Broken(String),
}

/// Where a plugin's name stands in a template.
const NAME: &str = "{{name}}";
/// The name of a project's README, of which people are told first.
pub const README: &str = "README.md";

/// Files of a template: path in the project, text.
type Files = &'static [(&'static str, &'static str)];

/// A file of a template.
macro_rules! template {
    ($language:literal: $($file:literal => $from:literal),+ $(,)?) => {
        &[$(($file, include_str!(concat!("../templates/", $language, "/", $from)))),+]
    };
}

const COMMON: Files = template!("common": "cases.toml" => "cases.toml");
const RUST: Files = template!(
    "rust":
    "README.md" => "README.md",
    "Cargo.toml" => "Cargo.toml",
    "src/lib.rs" => "src/lib.rs",
    ".gitignore" => "gitignore",
);
const PYTHON: Files = template!(
    "python":
    "README.md" => "README.md",
    "policy.py" => "policy.py",
    "requirements.txt" => "requirements.txt",
    ".gitignore" => "gitignore",
);
const JAVASCRIPT: Files = template!(
    "javascript":
    "README.md" => "README.md",
    "policy.js" => "policy.js",
    "package.json" => "package.json",
    "package-lock.json" => "package-lock.json",
    ".gitignore" => "gitignore",
);

/// The interface.
macro_rules! wit {
    ($($file:literal),+) => {
        &[$((concat!("wit/", $file), include_str!(concat!("../../../wit/", $file)))),+]
    };
}
const WIT: Files = wit!["directory.wit", "log.wit", "mapping.wit", "types.wit", "world.wit"];

/// Makes a project in `folder`, which must be new or empty.
///
/// # Errors
/// A folder that holds something, or that cannot be written.
pub fn create(folder: &Path, name: &PluginName, language: Language) -> Result<(), TemplateError> {
    require_empty(folder)?;
    let vendored = match language {
        Language::Rust => sdk::vendored(name)?,
        Language::Python | Language::JavaScript => Vec::new(),
    };
    let own = match language {
        Language::Rust => RUST,
        Language::Python => PYTHON,
        Language::JavaScript => JAVASCRIPT,
    };
    for (path, text) in COMMON.iter().chain(own).chain(WIT) {
        write(folder, path, &text.replace(NAME, &name.0))?;
    }
    vendored.iter().try_for_each(|(path, text)| write(folder, path, text))
}

fn require_empty(folder: &Path) -> Result<(), TemplateError> {
    match folder.read_dir() {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(TemplateError::NotEmpty(folder.into())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(TemplateError::Write { path: folder.into(), error }),
    }
}

fn write(folder: &Path, path: &str, text: &str) -> Result<(), TemplateError> {
    let path = folder.join(path);
    let written = || {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text)
    };
    written().map_err(|error| TemplateError::Write { path: path.clone(), error })
}

impl FromStr for PluginName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_in_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(is_in_name)
            && !text.ends_with('-')
            && text.len() <= 40;
        if !is_name {
            return Err(NameError::Form);
        }
        if TAKEN.contains(&text) {
            return Err(NameError::Taken(text.into()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Keywords of Rust, and packages that a project has already.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "waypost-sdk",
    "where",
    "while",
    "yield",
];

#[cfg(test)]
mod tests {
    use super::{Language, NameError, PluginName, TemplateError, create};

    #[test]
    fn names() {
        for good in ["a", "by-letter", "map2"] {
            assert_eq!(good.parse::<PluginName>().unwrap().to_string(), good);
        }
        let long = "a".repeat(41);
        for bad in ["", "A", "2a", "-a", "a-", "a_b", "a b", "a/b", "..", "ü", &long] {
            assert_eq!(bad.parse::<PluginName>(), Err(NameError::Form), "{bad}");
        }
        for taken in ["test", "fn", "waypost-sdk"] {
            assert_eq!(taken.parse::<PluginName>(), Err(NameError::Taken(taken.into())));
        }
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let name: PluginName = "mine".parse().unwrap();
        create(folder.path(), &name, Language::Python).unwrap();
        let again = create(folder.path(), &name, Language::Python).unwrap_err();
        assert!(matches!(again, TemplateError::NotEmpty(_)));
        let taken = create(&folder.path().join("new"), &"serde".parse().unwrap(), Language::Rust);
        assert!(
            matches!(taken, Err(TemplateError::Taken(_))) && !folder.path().join("new").exists()
        );
        let file = create(&folder.path().join("policy.py"), &name, Language::Rust).unwrap_err();
        assert!(matches!(file, TemplateError::Write { .. }), "{file}");
    }

    /// No place for the name is left, and whatever a language's tool reads is there.
    #[test]
    fn every_template_is_whole() {
        for (language, files) in [
            (Language::Rust, &["Cargo.toml", "Cargo.lock", "src/lib.rs"][..]),
            (Language::Python, &["requirements.txt", "policy.py"]),
            (Language::JavaScript, &["package.json", "package-lock.json", "policy.js"]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            create(folder.path(), &"mine".parse().unwrap(), language).unwrap();
            for file in files.iter().chain(&["README.md", "cases.toml", "wit/world.wit"]) {
                let text = std::fs::read_to_string(folder.path().join(file));
                let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
                assert!(!text.contains("{{"), "{file}");
            }
            let cases = std::fs::read_to_string(folder.path().join("cases.toml")).unwrap();
            assert!(cases.contains("target/mine.wasm"));
        }
    }
}
