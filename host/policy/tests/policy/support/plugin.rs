//! From a core module in text form to a component with the policy world.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where the strings that a test provides are put: the second half of the first page.
const STRINGS: usize = 32768;

/// Builds `tests/plugins/NAME.wat`. Each of `strings` stands for `@NAME` in it: address and length.
pub(crate) fn plugin(name: &str, strings: &[(&str, &str)]) -> Vec<u8> {
    with_data(name, strings, &[])
}

/// As [`plugin`], with `data` at 1024.
pub(crate) fn with_data(name: &str, strings: &[(&str, &str)], data: &[u8]) -> Vec<u8> {
    let mut text = source(&format!("{name}.wat"));
    let mut segments = vec![(1024, data.to_vec())];
    let mut at = STRINGS;
    for (placeholder, string) in strings {
        let place = format!("(i32.const {at}) (i32.const {})", string.len());
        text = text.replace(&format!("@{placeholder}"), &place);
        segments.push((at, string.as_bytes().to_vec()));
        at += string.len();
    }
    component(&add_data(&text, &segments), &wit())
}

/// Builds a component from a whole module's text, for the interface as `wit` has it.
pub(crate) fn component(text: &str, wit: &Resolve) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let (_, package) = wit.package_names.iter().find(|(name, _)| name.name == "policy").unwrap();
    let world = wit.select_world(&[*package], Some("mapping-policy")).unwrap();
    embed_component_metadata(&mut module, wit, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// The interface in `wit/`.
pub(crate) fn wit() -> Resolve {
    let mut resolve = Resolve::default();
    resolve.push_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"))).unwrap();
    resolve
}

/// The interface in `wit/`, changed: each `(from, to)` is replaced everywhere.
pub(crate) fn changed_wit(changes: &[(&str, &str)]) -> Resolve {
    let mut text = String::new();
    for file in ["world", "types", "directory", "log", "mapping"] {
        let path = format!("{}/../../wit/{file}.wit", env!("CARGO_MANIFEST_DIR"));
        text.push_str(&std::fs::read_to_string(path).unwrap());
        text.push('\n');
    }
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let mut resolve = Resolve::default();
    resolve.push_str("policy.wit", &text).unwrap();
    resolve
}

/// A file of `tests/plugins` with what it includes.
pub(crate) fn source(file: &str) -> String {
    let path = format!("{}/tests/plugins/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = |line: &str| match line.trim().strip_prefix("@include ") {
        Some(included) => source(included),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn add_data(text: &str, segments: &[(usize, Vec<u8>)]) -> String {
    let end = text.trim_end().strip_suffix(')').unwrap();
    let mut text = end.to_owned();
    for (at, bytes) in segments.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        text.push_str(&format!("  (data (i32.const {at}) \"{escaped}\")\n"));
    }
    text.push(')');
    text
}
