//! The book says what the code says.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs/src").join(name)).expect("the page is there")
}

#[test]
fn the_page_of_the_interface_is_current() {
    let made =
        waypost_harness::interface::reference(&root().join("wit")).expect("the WIT is sound");
    assert!(
        made == page("interface.md"),
        "docs/src/interface.md is old:\n\
         cargo run -q -p waypost-harness --example interface > docs/src/interface.md"
    );
}

/// A line of the threat model names a test as `file::function`; both must be there.
#[test]
fn each_line_of_the_threat_model_is_shown_by_a_test() {
    let sources = ["host", "tests"].into_iter().flat_map(|folder| sources(&root().join(folder)));
    let sources: Vec<(PathBuf, String)> = sources
        .map(|path| (path.clone(), fs::read_to_string(&path).expect("a source is text")))
        .collect();
    let page = page("threat-model.md");
    let named: Vec<&str> = page.split('`').filter(|word| is_test(word)).collect();
    assert!(named.len() > 25, "the threat model names {} tests", named.len());
    for name in named {
        let (file, function) = name.split_once("::").expect("a name has two parts");
        let is_there = sources.iter().any(|(path, text)| {
            let fits = path.components().any(|part| {
                part.as_os_str().to_str().is_some_and(|part| part.trim_end_matches(".rs") == file)
            });
            fits && (text.contains(&format!("fn {function}("))
                || text.contains(&format!("\"{name}\"")))
        });
        assert!(is_there, "the threat model names {name}, which is not there");
    }
}

fn is_test(word: &str) -> bool {
    word.split_once("::").is_some_and(|(file, function)| {
        let plain = |part: &str| part.bytes().all(|b| b == b'_' || b.is_ascii_lowercase());
        plain(file) && function.contains('_') && plain(function)
    })
}

/// The Rust sources below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}
