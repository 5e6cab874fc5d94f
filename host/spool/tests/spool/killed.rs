//! A process that uses a spool is killed at any moment, again and again, on a real file system.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use waypost_spool::{Id, Recovered};

use crate::support::{block_on, keep, octets, open_folder, read_all};

/// Set in the process that is to be killed.
const FOLDER: &str = "WAYPOST_TEST_KILLED_SPOOL";

/// What the killed process said last of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Kept,
    Updated,
    Removing,
    Removed,
}

#[test]
fn what_a_killed_process_said_was_kept_is_there() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return block_on(work(folder.as_ref()));
    }
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("spool");
    let mut said = BTreeMap::new();
    for lines in [1, 2, 3, 5, 8, 13, 21, 34] {
        work_until_killed(&folder, lines, &mut said);
        let opened = open_folder(&folder);
        assert!(opened.findings.is_empty(), "{:?}", opened.findings);
        block_on(check(&opened.messages, &mut said));
        block_on(opened.spool.close());
    }
    assert!(said.values().filter(|said| **said == Said::Updated).count() > 10);
}

/// Keeps, updates and removes messages, and says so, until it is killed.
async fn work(folder: &Path) {
    let say = |what: &str, id: Id| {
        let mut output = std::io::stdout().lock();
        writeln!(output, "\n{what} {id}").unwrap();
        output.flush().unwrap();
    };
    let spool = open_folder(folder).spool;
    for number in 0.. {
        let mut kept = keep(&spool, &octets(number * 7_777 % 300_000), b"kept").await.unwrap();
        say("kept", kept.id());
        kept.update(b"updated".to_vec()).await.unwrap();
        if number % 2 == 0 {
            say("updated", kept.id());
            continue;
        }
        say("removing", kept.id());
        kept.remove().await.unwrap();
        say("removed", kept.id());
    }
}

/// Starts the process and kills it when it has said so much.
fn work_until_killed(folder: &Path, lines: usize, said: &mut BTreeMap<Id, Said>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::what_a_killed_process_said_was_kept_is_there", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut heard = 0;
    for line in output.map_while(Result::ok) {
        let Some((what, id)) = line.split_once(' ') else { continue };
        let what = match what {
            "kept" => Said::Kept,
            "updated" => Said::Updated,
            "removing" => Said::Removing,
            "removed" => Said::Removed,
            _ => continue,
        };
        said.insert(id.parse().unwrap(), what);
        heard += 1;
        if heard == lines {
            // What it has said until then is still heard.
            child.kill().unwrap();
        }
    }
    assert!(heard >= lines, "it ended by itself");
    child.wait().unwrap();
}

async fn check(messages: &[Recovered], said: &mut BTreeMap<Id, Said>) {
    let mut silent = 0;
    for found in messages {
        let (id, copy) = (found.message.id(), read_all(found.message.reader()).await.unwrap());
        assert_eq!(copy, octets(copy.len()));
        let last = said.entry(id).or_insert_with(|| {
            silent += 1;
            Said::Kept
        });
        match *last {
            Said::Kept if found.record == b"kept" => {}
            Said::Kept | Said::Updated | Said::Removing => assert_eq!(found.record, b"updated"),
            Said::Removed => panic!("{id} was removed"),
        }
        // What is found is certain from now on.
        *last = if found.record == b"kept" { Said::Kept } else { Said::Updated };
    }
    assert!(silent <= 1, "{silent} messages that nobody had been told of");
    said.retain(|id, last| {
        let found = messages.iter().any(|found| found.message.id() == *id);
        assert!(found || matches!(last, Said::Removing | Said::Removed), "{id} {last:?} is lost");
        found
    });
}
