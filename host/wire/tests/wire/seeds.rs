//! Replays the seeds of the fuzz targets, `fuzz/seeds/TARGET/*`, which hold an example of all that
//! a parser understands, and what a fuzzer once made it stumble over.

use std::path::Path;

use waypost_wire::fuzz;

#[track_caller]
fn replay(target: &str, run: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut replayed = 0;
    for seed in std::fs::read_dir(&seeds).expect("the seeds are part of the sources") {
        let seed = seed.expect("the folder can be read").path();
        println!("{}", seed.display());
        run(&std::fs::read(&seed).expect("a seed can be read"));
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", seeds.display());
}

#[test]
fn imap_front() {
    replay("imap_front", fuzz::imap_front);
}

#[test]
fn imap_back() {
    replay("imap_back", fuzz::imap_back);
}

#[test]
fn sasl() {
    replay("sasl", fuzz::sasl);
}

#[test]
fn pop3_front() {
    replay("pop3_front", fuzz::pop3_front);
}

#[test]
fn pop3_back() {
    replay("pop3_back", fuzz::pop3_back);
}

#[test]
fn proxy() {
    replay("proxy", fuzz::proxy);
}

#[test]
fn smtp_front() {
    replay("smtp_front", fuzz::smtp_front);
}

#[test]
fn smtp_content() {
    replay("smtp_content", fuzz::smtp_content);
}

#[test]
fn smtp_path() {
    replay("smtp_path", fuzz::smtp_path);
}

#[test]
fn smtp_back() {
    replay("smtp_back", fuzz::smtp_back);
}

#[test]
fn submission_front() {
    replay("submission_front", fuzz::submission_front);
}

#[test]
fn submission_back() {
    replay("submission_back", fuzz::submission_back);
}
