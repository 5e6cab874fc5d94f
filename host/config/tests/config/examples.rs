//! The configurations in `config/` are right.

use std::path::{Path, PathBuf};

use waypost_config::{Config, fuzz, reference};

use crate::scene::{GOOD, Machine, told};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

#[track_caller]
fn read(name: &str) -> Config {
    let path = folder().join(name);
    let text = std::fs::read(&path).unwrap();
    let config = Config::parse(&path, text, &Machine::new());
    config.unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn the_reference_is_what_is_declared() {
    let file = std::fs::read_to_string(folder().join("reference.toml")).unwrap();
    assert!(
        file == reference(),
        "config/reference.toml is old:\n\
         cargo run -q -p waypost-config --example reference > config/reference.toml"
    );
}

#[test]
fn the_reference_is_a_configuration() {
    assert_eq!(told(&read("reference.toml").warnings), [""; 0]);
}

#[test]
fn every_example_in_the_reference_is_a_value() {
    // What is behind a `#` as an example, made live: each may contradict others, but none may be
    // of the wrong type or unknown.
    let live: String = reference()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let Err(problems) = Config::parse(Path::new("a.toml"), live.into(), &Machine::new()) else {
        panic!("url and ldif contradict each other")
    };
    for line in told(&problems) {
        let is_type = line.contains("expected") && line.contains("found");
        assert!(!is_type && !line.contains("no such setting"), "{line}");
    }
}

#[test]
fn the_quickstart_is_a_configuration() {
    assert_eq!(told(&read("quickstart.toml").warnings), [""; 0]);
}

#[test]
fn the_production_example_is_a_configuration() {
    assert_eq!(told(&read("production/waypost.toml").warnings), [""; 0]);
}

#[test]
fn the_example_for_active_directory_is_a_configuration() {
    assert_eq!(told(&read("active-directory/waypost.toml").warnings), [""; 0]);
}

#[test]
fn seeds_of_the_fuzz_target() {
    fuzz::config(b"");
    fuzz::config(b"\xff");
    fuzz::config(GOOD.as_bytes());
    fuzz::config(reference().as_bytes());
    for end in (0..GOOD.len()).step_by(7) {
        fuzz::config(&GOOD.as_bytes()[..end]);
    }
    for end in 0..GOOD.len() {
        let mut cut = GOOD.as_bytes().to_vec();
        cut.remove(end);
        fuzz::config(&cut);
    }
}

proptest::proptest! {
    #[test]
    fn nothing_panics(
        text in "\\PC{0,200}",
        keys in proptest::collection::vec("(\\[[a-z.\"*]{1,20}\\]\n)?[a-z-]{1,12} = [\\[\\]{}a-z0-9\"=, .]{0,20}\n", 0..8),
    ) {
        fuzz::config(text.as_bytes());
        fuzz::config(keys.concat().as_bytes());
    }
}
