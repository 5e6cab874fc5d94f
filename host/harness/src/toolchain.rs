//! Finding a compiler for WebAssembly.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

/// The target of a plugin: WebAssembly without any system interface, so that a component imports
/// nothing but what its author wrote.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// A compiler that can build a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// The package manager.
    pub cargo: PathBuf,
    /// The compiler.
    pub rustc: PathBuf,
    /// Where the standard library for the target comes from.
    pub library: Library,
    /// The linker, where it is not the compiler's own choice.
    pub linker: Option<PathBuf>,
    /// Where the compiler's own files are.
    pub sysroot: PathBuf,
}

/// Where the standard library for the target comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// It is installed, as by `rustup target add`.
    Installed,
    /// It is built with the plugin from sources that came with the compiler, as by Debian's
    /// `rust-web-src`.
    Source,
}

/// Why there is no compiler.
#[derive(Debug, Error)]
pub enum ToolchainError {
    /// None of those known is complete.
    #[error(
        "no Rust compiler here can build for {TARGET}. With rustup:\n    \
         rustup target add {TARGET}\nOn Debian and Ubuntu, without rustup's target:\n    \
         apt-get install rustc-web cargo-web rust-web-src lld\nLooked at:\n{}",
        .0.join("\n")
    )]
    Incomplete(Vec<String>),
    /// A compiler does not say what it is.
    #[error("{} does not run: {reason}", .program.display())]
    Broken {
        /// The program.
        program: PathBuf,
        /// What went wrong.
        reason: String,
    },
}

impl Toolchain {
    /// Finds the first complete one: the compiler of the search path with the target installed, or
    /// a compiler with the sources of its standard library and a linker.
    pub fn detect() -> Result<Self, ToolchainError> {
        let mut missing = Vec::new();
        // A rustup proxy takes its own compiler's sources; RUSTC would point past it.
        for (rustc, cargo) in [("rustc", "cargo"), ("/usr/bin/rustc", "/usr/bin/cargo")] {
            match Self::complete(rustc.into(), cargo.into()) {
                Ok(toolchain) => return Ok(toolchain),
                Err(lacking) => missing.push(format!("    {rustc}: {lacking}")),
            }
        }
        Err(ToolchainError::Incomplete(missing))
    }

    /// The toolchain of this compiler, or what it lacks.
    fn complete(rustc: PathBuf, cargo: PathBuf) -> Result<Self, String> {
        let sysroot = output(&rustc, ["--print", "sysroot"]).map_err(|error| error.to_string())?;
        let sysroot = PathBuf::from(sysroot);
        output(&cargo, ["--version"]).map_err(|error| error.to_string())?;
        if sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir() {
            return Ok(Self { cargo, rustc, library: Library::Installed, linker: None, sysroot });
        }
        // Building the library takes unstable options, which only a compiler that was built for
        // that purpose has been tried with; rustup's own way is `target add`.
        if !rustc.is_absolute() {
            return Err(format!("{TARGET} is not installed"));
        }
        if !sysroot.join("lib/rustlib/src/rust/library/Cargo.lock").is_file() {
            return Err("neither the target nor the library's sources are installed".into());
        }
        let linker = find_linker().ok_or("the library's sources are there, a linker is not")?;
        Ok(Self { cargo, rustc, library: Library::Source, linker: Some(linker), sysroot })
    }

    /// What made a component, as far as it can change the bytes: compiler, library and linker.
    pub fn describe(&self) -> Result<String, ToolchainError> {
        let mut description = output(&self.rustc, ["--version"])?;
        if self.library == Library::Source {
            description.push_str(", library from source");
        }
        if let Some(linker) = &self.linker {
            description.push_str(", ");
            description.push_str(&output(linker, ["-flavor", "wasm", "--version"])?);
        }
        Ok(description)
    }
}

/// The linker of any toolchain that rustup keeps, which is as new as its compiler; else LLD's.
fn find_linker() -> Option<PathBuf> {
    let on_path = |name: &str| {
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.is_file())
    };
    let of_rustup = || {
        let sysroot = output(Path::new("rustc"), ["--print", "sysroot"]).ok()?;
        let hosts = Path::new(&sysroot).join("lib/rustlib").read_dir().ok()?;
        let linkers = hosts.flatten().map(|host| host.path().join("bin/rust-lld"));
        linkers.into_iter().find(|linker| linker.is_file())
    };
    of_rustup().or_else(|| on_path("rust-lld")).or_else(|| on_path("wasm-ld"))
}

/// What a program prints, without the line end.
fn output<S: AsRef<OsStr>>(
    program: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String, ToolchainError> {
    let broken = |reason| ToolchainError::Broken { program: program.into(), reason };
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| broken(error.to_string()))?;
    if !output.status.success() {
        return Err(broken(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
