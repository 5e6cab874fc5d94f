use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use waypost_harness::build::BuildError;
use waypost_harness::cases::{CasesError, RunError};
use waypost_harness::inspect::InspectError;
use waypost_harness::template::TemplateError;
use waypost_policy::LoadError;

/// What is wrong, where, and what to do about it.
pub(super) struct Problem {
    pub(super) code: Code,
    pub(super) message: String,
}

/// The kinds of problems, each with its exit code. They are documented in the command line's help
/// and never change their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Failed = 1,
    CommandLine = 2,
    Unreadable = 10,
    TooLarge = 11,
    Digest = 12,
    NotComponent = 13,
    CoreModule = 14,
    Compile = 15,
    Interface = 16,
    Settings = 17,
    Configure = 18,
    Start = 19,
    Cases = 20,
    Host = 21,
    Toolchain = 22,
    Build = 23,
    Occupied = 24,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

impl Code {
    /// What to do about a problem of this kind, where the problem itself does not say it.
    fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::TooLarge => "no component is that large: was another file meant?",
            Self::Digest => "pin the new digest if the component was meant to change",
            Self::NotComponent => "expected what `waypost plugin build` writes",
            Self::CoreModule => "`waypost plugin build` makes a component of a plugin's sources",
            Self::Compile => "build it again; a compiler's own bug aside, the file is damaged",
            Self::Interface => "build it with the interface of this Waypost, in wit/",
            Self::Configure => {
                "a plugin answers wrong settings with problems, and calls `log` only"
            }
            _ => return None,
        })
    }
}

impl Problem {
    pub(super) fn new(code: Code, message: impl Display) -> Self {
        let message = match code.advice() {
            Some(advice) => format!("{message}\n  {advice}"),
            None => message.to_string(),
        };
        Self { code, message }
    }

    /// The same with a hint below, where there is one.
    pub(super) fn and(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => Self { message: format!("{}\n  {hint}", self.message), ..self },
            None => self,
        }
    }

    /// A file that cannot be read or written.
    pub(super) fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::new(Code::Unreadable, format!("{}: {error}", path.display()))
    }

    /// A component that cannot be loaded.
    pub(super) fn load(plugin: &str, error: &LoadError) -> Self {
        let code = match error {
            LoadError::Read { .. } => Code::Unreadable,
            LoadError::TooLarge(_) => Code::TooLarge,
            LoadError::Digest { .. } => Code::Digest,
            LoadError::NotComponent(_) => Code::NotComponent,
            LoadError::CoreModule => Code::CoreModule,
            LoadError::Compile(_) => Code::Compile,
            LoadError::Interface(_) => Code::Interface,
            LoadError::Problems(_) => Code::Settings,
            LoadError::Configure(_) => Code::Configure,
            LoadError::Memory { .. } | LoadError::Start(_) => Code::Start,
        };
        match error {
            // It has the path in it.
            LoadError::Read { error: why, .. } => Self::new(code, error).and(not_built(why)),
            _ => Self::new(code, format!("{plugin}: {error}")),
        }
    }

    /// A component that cannot even be looked at.
    pub(super) fn inspect(path: &Path, error: &InspectError) -> Self {
        let code = match error {
            InspectError::Read(_) => Code::Unreadable,
            InspectError::TooLarge => Code::TooLarge,
            InspectError::CoreModule => Code::CoreModule,
            InspectError::NotComponent(_) => Code::NotComponent,
        };
        let hint = match error {
            InspectError::Read(why) => not_built(why),
            _ => None,
        };
        Self::new(code, format!("{}: {error}", path.display())).and(hint)
    }
}

/// Where there is no component yet.
fn not_built(error: &std::io::Error) -> Option<String> {
    let is_missing = error.kind() == std::io::ErrorKind::NotFound;
    is_missing.then(|| "`waypost plugin build` makes it".to_owned())
}

impl From<CasesError> for Problem {
    fn from(error: CasesError) -> Self {
        Self::new(Code::Cases, error)
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        match &error {
            RunError::Plugin { plugin, error } => Self::load(plugin, error),
            RunError::Surroundings(_) => Self::new(Code::Cases, error),
            RunError::Host(_) | RunError::Runtime(_) => Self::new(Code::Host, error),
        }
    }
}

impl From<TemplateError> for Problem {
    fn from(error: TemplateError) -> Self {
        let code = match &error {
            TemplateError::NotEmpty(_) => Code::Occupied,
            TemplateError::Taken(_) => Code::CommandLine,
            TemplateError::Write { .. } | TemplateError::Broken(_) => Code::Unreadable,
        };
        Self::new(code, error)
    }
}

impl From<BuildError> for Problem {
    fn from(error: BuildError) -> Self {
        let code = match &error {
            BuildError::Read { .. } => Code::Unreadable,
            BuildError::Export | BuildError::Import(_) => Code::Interface,
            BuildError::Cargo(_)
            | BuildError::Toolchain(_)
            | BuildError::Tool { .. }
            | BuildError::Start { .. } => Code::Toolchain,
            BuildError::Metadata(_)
            | BuildError::NoProject(_)
            | BuildError::NoComponent(_)
            | BuildError::Unpinned { .. }
            | BuildError::Project { .. }
            | BuildError::Compile
            | BuildError::Tooling(_)
            | BuildError::Encode(_) => Code::Build,
        };
        Self::new(code, error)
    }
}
