//! The book's tutorials, followed word by word.
//!
//! A page's blocks of `sh` are run one after the other, in the folder in which the one before ended;
//! each line of a block of `text` must be in what the block before it printed. The block with the demo
//! is the second terminal, which knows nothing of the first. Three things are done for the reader: the
//! program has been built, home is a folder of its own, and the demo's ports are others, so that one
//! that runs already is not in the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::Case;
use crate::servers::{Background, free_port, program, run_within};

pub(crate) const CASES: &[Case] = &[
    ("tutorial::a_policy_in_rust", || follow("rust")),
    ("tutorial::a_policy_in_python", || follow("python")),
    ("tutorial::a_policy_in_javascript", || follow("javascript")),
];

/// For a step: some of them build a standard library, or compile an interpreter.
const PATIENCE: Duration = Duration::from_secs(540);
/// This test has been built with it, and the program is elsewhere.
const BUILD: &str = "cargo build --release -p waypost\n";
const BUILT: &str = "$PWD/target/release/waypost";
/// What the tools of the three languages keep below the home of whoever runs them, and by which
/// variable it is found where home is another.
const KEPT: [(&str, &str); 5] = [
    ("CARGO_HOME", ".cargo"),
    ("RUSTUP_HOME", ".rustup"),
    ("XDG_CACHE_HOME", ".cache"),
    ("PIP_CACHE_DIR", ".cache/pip"),
    ("NPM_CONFIG_CACHE", ".npm"),
];
/// The demo's usual ports, in the order of its `--ports`.
const PORTS: [u16; 5] = [1143, 1110, 2525, 1587, 8080];

/// A block of a page.
enum Block {
    /// What the reader types.
    Typed(String),
    /// What the reader sees then.
    Seen(String),
}

fn follow(page: &str) {
    let path = format!("{}/../docs/src/tutorial/{page}.md", env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(path).unwrap();
    let mut reader = Reader::new();
    let blocks = blocks(&page);
    assert!(blocks.len() > 6, "the page has {} blocks", blocks.len());
    let began = Instant::now();
    for block in &blocks {
        match block {
            Block::Typed(typed) => reader.types(typed),
            Block::Seen(seen) => reader.sees(seen),
        }
    }
    println!("followed in {:.0?}", began.elapsed());
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    // Between fences: every second part is a block, with its language in the first line.
    for part in page.split("```").skip(1).step_by(2) {
        let (language, text) = part.split_once('\n').unwrap();
        match language {
            "sh" => blocks.push(Block::Typed(text.into())),
            "text" => blocks.push(Block::Seen(text.into())),
            other => panic!("a block of {other:?} is nothing that a reader could type or see"),
        }
    }
    blocks
}

/// Who follows a page.
struct Reader {
    home: tempfile::TempDir,
    /// In which folder.
    place: PathBuf,
    ports: [u16; PORTS.len()],
    /// What was printed last.
    printed: String,
    demo: Option<Background>,
}

impl Reader {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("tutorial-").tempdir().unwrap();
        let place = home.path().to_owned();
        let ports = PORTS.map(|_| free_port());
        Self { home, place, ports, printed: String::new(), demo: None }
    }

    fn types(&mut self, typed: &str) {
        let mut typed = typed.replace(BUILD, "").replace(BUILT, program().to_str().unwrap());
        for (usual, port) in PORTS.iter().zip(self.ports) {
            typed = typed.replace(&format!(":{usual}"), &format!(":{port}"));
        }
        match typed.find("waypost demo") {
            Some(at) => self.start_demo(&typed[..at], typed[at..].trim()),
            None => self.run(&typed),
        }
    }

    fn run(&mut self, typed: &str) {
        // A terminal remembers where it is and what was exported.
        let ended_in = self.home.path().join(".place");
        let exported = self.home.path().join(".exported");
        let script = format!(
            "set -euo pipefail\n[ ! -e '{exported}' ] || . '{exported}'\n{typed}\n\
             pwd > '{ended_in}'\nexport -p > '{exported}'\n",
            exported = exported.display(),
            ended_in = ended_in.display()
        );
        let output = run_within(self.shell(&self.place).arg(script), PATIENCE);
        self.printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{typed}\n{}\n{said}", self.printed);
        self.place = fs::read_to_string(ended_in).unwrap().trim().into();
    }

    fn start_demo(&mut self, before: &str, typed: &str) {
        let ports = self.ports.map(|port| port.to_string()).join(" ");
        let script = format!("set -euo pipefail\n{before}\nexec {typed} --ports {ports}");
        let mut command = self.shell(self.home.path());
        let mut demo = Background::start("demo", command.arg(script), self.home.path());
        demo.wait_for_log_within("Ctrl-C", PATIENCE);
        self.demo = Some(demo);
    }

    /// Each line must have been printed, in this order.
    fn sees(&self, seen: &str) {
        let mut rest = self.printed.as_str();
        for line in seen.lines() {
            let Some(at) = rest.find(line) else {
                panic!("the page promises {line:?}, and this was printed:\n{}", self.printed);
            };
            rest = &rest[at + line.len()..];
        }
    }

    fn shell(&self, place: &Path) -> Command {
        let mut command = Command::new("/bin/bash");
        if let Some(home) = std::env::var_os("HOME") {
            for (variable, folder) in KEPT {
                if std::env::var_os(variable).is_none() {
                    command.env(variable, Path::new(&home).join(folder));
                }
            }
        }
        command
            .current_dir(place)
            .env("HOME", self.home.path())
            .env("TMPDIR", self.home.path())
            // A reader's builds are in the reader's folder.
            .env_remove("CARGO_TARGET_DIR")
            .arg("-c");
        command
    }
}
