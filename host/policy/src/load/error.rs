use std::io;
use std::path::PathBuf;

use thiserror::Error;
use waypost_model::Fault;

/// Why a policy cannot be loaded. The text is for the operator and says what to do.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file.
    #[error("{} cannot be read: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// More than 64 MiB.
    #[error("the plugin has more than {} MiB", .0 >> 20)]
    TooLarge(u64),
    /// The bytes are not those that were pinned.
    #[error("the plugin's sha256 is {actual}, but the configuration pins {expected}")]
    Digest {
        /// As pinned, in hexadecimal.
        expected: String,
        /// Of the bytes.
        actual: String,
    },
    /// Not WebAssembly at all.
    #[error("this is no WebAssembly component{0}")]
    NotComponent(&'static str),
    /// WebAssembly without a component around it.
    #[error(
        "this is a core WebAssembly module, not a component: encode it with \
         `waypost plugin build` or `wasm-tools component new`"
    )]
    CoreModule,
    /// Not valid, or it uses what the engine has switched off.
    #[error("the component does not compile: {0}")]
    Compile(String),
    /// Imports or exports do not fit, each said by itself.
    #[error("the component does not fit the policy interface: {}", .0.join("; "))]
    Interface(Vec<String>),
    /// It starts with more memory than its budget.
    #[error(
        "the plugin's memory, as `configure` leaves it, is more than the {} MiB of its `memory` \
         limit",
        limit >> 20
    )]
    Memory {
        /// The budget in bytes.
        limit: usize,
    },
    /// No instance of it can be made.
    #[error("no instance of the component can be made: {0}")]
    Start(String),
    /// `configure` is not content with the settings: JSON pointer (RFC 6901) into the settings and
    /// message, for each problem. Never empty.
    #[error("the plugin refuses its settings: {}", list(.0))]
    Problems(Vec<(String, String)>),
    /// `configure` did not come to an end.
    #[error("`configure` failed: {0}")]
    Configure(Fault),
}

fn list(problems: &[(String, String)]) -> String {
    let each = problems.iter().map(|(path, message)| match path.as_str() {
        "" => message.clone(),
        path => format!("{path}: {message}"),
    });
    each.collect::<Vec<_>>().join("; ")
}
