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
    /// None of those known is complete; with what each lacks, a line each.
    #[error(
        "no Rust compiler here can build for {TARGET}. With rustup, install\n    \
         rustup target add {TARGET}\nor, on Debian and Ubuntu,\n    \
         apt-get install rustc-web cargo-web rust-web-src\nLooked at:\n{0}"
    )]
    Incomplete(String),
    /// A program does not run.
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
    /// Debian's with the sources of its library and a linker.
    pub fn detect() -> Result<Self, ToolchainError> {
        Self::first_of([Self::installed("rustc", "cargo"), Self::debian("/usr/bin")])
    }

    fn first_of<const N: usize>(
        candidates: [Result<Self, String>; N],
    ) -> Result<Self, ToolchainError> {
        let mut lacking = Vec::new();
        for candidate in candidates {
            match candidate {
                Ok(toolchain) => return Ok(toolchain),
                Err(reason) => lacking.push(format!("    {reason}")),
            }
        }
        Err(ToolchainError::Incomplete(lacking.join("\n")))
    }

    /// A compiler with the target installed, or what it lacks.
    fn installed(rustc: &str, cargo: &str) -> Result<Self, String> {
        let (sysroot, cargo) = examine(rustc.as_ref(), cargo.as_ref())?;
        if !sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir() {
            return Err(format!("{rustc}: the target is not installed"));
        }
        let rustc = rustc.into();
        Ok(Self { cargo, rustc, library: Library::Installed, linker: None, sysroot })
    }

    /// The compiler in `folder` with the sources of its library, or what it lacks.
    fn debian(folder: &str) -> Result<Self, String> {
        let folder = Path::new(folder);
        let rustc = folder.join("rustc");
        let (sysroot, cargo) = examine(&rustc, &folder.join("cargo"))?;
        if !sysroot.join("lib/rustlib/src/rust/library/Cargo.lock").is_file() {
            return Err(format!("{}: its rust-web-src is not installed", rustc.display()));
        }
        let version = output(&rustc, ["-vV"]).map_err(|error| error.to_string())?;
        let llvm = version.lines().find_map(|line| line.strip_prefix("LLVM version: "));
        let llvm = llvm.and_then(|version| version.split('.').next()).unwrap_or("22");
        let linker = find_linker(llvm)
            .ok_or_else(|| format!("{}: it has no linker; install lld-{llvm}", rustc.display()))?;
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

/// Whether compiler and package manager run, and where the compiler's files are.
fn examine(rustc: &Path, cargo: &Path) -> Result<(PathBuf, PathBuf), String> {
    let sysroot = output(rustc, ["--print", "sysroot"]).map_err(|error| error.to_string())?;
    output(cargo, ["--version"]).map_err(|error| error.to_string())?;
    Ok((sysroot.into(), cargo.into()))
}

/// A linker for WebAssembly: the one that comes with rustup's compiler, or LLD, of the major
/// version of `llvm` before any other.
fn find_linker(llvm: &str) -> Option<PathBuf> {
    let of_rustup = || {
        let sysroot = output(Path::new("rustc"), ["--print", "sysroot"]).ok()?;
        let hosts = Path::new(&sysroot).join("lib/rustlib").read_dir().ok()?;
        let linkers = hosts.flatten().map(|host| host.path().join("bin/rust-lld"));
        linkers.into_iter().find(|linker| linker.is_file())
    };
    of_rustup().or_else(|| on_path(&format!("wasm-ld-{llvm}"))).or_else(|| on_path("wasm-ld"))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.is_file())
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

#[cfg(test)]
mod tests {
    use super::Toolchain;

    #[test]
    fn without_a_toolchain_it_is_said_what_to_install() {
        let nowhere = Toolchain::installed("/nonexistent/rustc", "/nonexistent/cargo");
        let error = Toolchain::first_of([nowhere, Toolchain::debian("/nonexistent")]).unwrap_err();
        let error = error.to_string();
        for words in [
            "rustup target add wasm32-unknown-unknown",
            "apt-get install rustc-web cargo-web rust-web-src",
            "/nonexistent/rustc does not run",
        ] {
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_first_that_is_complete_counts() {
        let complete = |name: &str| Toolchain {
            cargo: name.into(),
            rustc: name.into(),
            library: super::Library::Installed,
            linker: None,
            sysroot: name.into(),
        };
        let found =
            Toolchain::first_of([Err("a: nothing".into()), Ok(complete("b")), Ok(complete("c"))]);
        assert_eq!(found.unwrap(), complete("b"));
    }
}
