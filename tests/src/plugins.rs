//! Hostile plugins: core modules in text form, made components with the policy world.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The modules, which the policy host's own tests use as well and describe.
macro_rules! source {
    ($file:literal) => {
        include_str!(concat!("../../host/policy/tests/plugins/", $file))
    };
}

const COMMON: &str = source!("common.inc");
const CONTENT: &str = source!("content.inc");

/// Never comes back.
pub(crate) const LOOP: &str = source!("loop.wat");
/// Takes memory until there is none.
pub(crate) const MEMORY_BOMB: &str = source!("memory-bomb.wat");
/// Traps at each question.
pub(crate) const TRAP: &str = source!("trap.wat");
/// Traps when it gets its settings.
pub(crate) const TRAP_IN_CONFIGURE: &str = source!("trap-in-configure.wat");
/// Answers what lies at [`ANSWER`].
const SAYS: &str = source!("answer.wat");

/// Where `answer.wat` keeps its answer.
const ANSWER: u32 = 1024;

/// Components in files.
#[derive(Debug)]
pub(crate) struct Plugins(TempDir);

impl Plugins {
    /// None yet.
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("plugins-").tempdir().unwrap())
    }

    /// Makes a component of a module's text; its file.
    pub fn add(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.path().join(format!("{name}.wasm"));
        fs::write(&file, component(text)).unwrap();
        file
    }

    /// Makes a component that sends everybody to `host`, whatever that is; its file.
    pub fn add_route_to(&self, name: &str, host: &str) -> PathBuf {
        self.add(name, &with_data(SAYS, &route_to(host)))
    }

    /// Makes a component that passes, whoever is asked for; its file.
    pub fn add_pass(&self, name: &str) -> PathBuf {
        self.add(name, &with_data(SAYS, &[0, 0, 0, 0, 3]))
    }
}

fn component(text: &str) -> Vec<u8> {
    let text = text.replace("@include common.inc", COMMON).replace("@include content.inc", CONTENT);
    let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut wit = Resolve::default();
    wit.push_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit"))).unwrap();
    let (_, package) = wit.package_names.iter().find(|(name, _)| name.name == "policy").unwrap();
    let world = wit.select_world(&[*package], Some("mapping-policy")).unwrap();
    embed_component_metadata(&mut module, &wit, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// The answer `route` with one target, as it lies in memory: `host/policy/tests/plugins/README.md`
/// has the offsets.
fn route_to(host: &str) -> Vec<u8> {
    const TARGET: usize = 64;
    const HOST: usize = 100;
    let mut image = vec![0; HOST];
    let mut word = |at: usize, value: usize| {
        let value = u32::try_from(value).unwrap().to_le_bytes();
        image[at..at + 4].copy_from_slice(&value);
    };
    word(8, ANSWER as usize + TARGET);
    word(12, 1);
    word(TARGET, ANSWER as usize + HOST);
    word(TARGET + 4, host.len());
    image.extend_from_slice(host.as_bytes());
    image
}

fn with_data(text: &str, data: &[u8]) -> String {
    let mut text = text.trim_end().strip_suffix(')').unwrap().to_owned();
    let _ = write!(text, "  (data (i32.const {ANSWER}) \"");
    for octet in data {
        let _ = write!(text, "\\{octet:02x}");
    }
    text.push_str("\"))\n");
    text
}
