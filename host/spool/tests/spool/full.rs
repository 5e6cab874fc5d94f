//! What a full disk does, simulated and real: errors are clean, and what is promised is kept.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use waypost_spool::simulated::Simulated;
use waypost_spool::{Error, Id, Operation, Reader, Spool};

use crate::support::{block_on, keep, octets, open_disk, open_folder, read_all};

/// Fills whatever has space left with messages until there is none, in every way in which there may
/// be none; then what is secured can still be written.
async fn fill(spool: &Spool, other_than_the_spool: impl FnOnce()) {
    // Synced, and not promised yet.
    let mut draft = spool.begin(Id::generate(), spool.reserve(10_000, 3_000).await.unwrap());
    draft.append(&octets(10_000)).await.unwrap();
    draft.sync().await.unwrap();
    let mut kept = keep(spool, &octets(5_000), &octets(100)).await.unwrap();
    // Written, and not synced yet.
    let mut late = spool.begin(Id::generate(), spool.reserve(600_000, 3_000).await.unwrap());
    other_than_the_spool();

    // So much that what is known of the free space does not suffice and it is asked for.
    let error = spool.reserve(700_000, 100).await.unwrap_err();
    assert!(matches!(error, Error::FileSystemFull { .. }) && error.is_full(), "{error}");
    let mut failed = None;
    for part in octets(600_000).chunks(50_000) {
        failed = late.append(part).await.err();
        if failed.is_some() {
            break;
        }
    }
    let error = failed.expect("there is not so much space");
    assert!(error.is_full(), "{error}");
    let again = late.sync().await.unwrap_err();
    assert!(again.is_full(), "what failed stays failed: {again}");
    assert!(late.append(b"x").await.is_ok(), "it waits in memory");
    let kept_late = late.keep(b"record".to_vec()).await;
    assert!(kept_late.unwrap_err().is_full());

    // The spool has given back what the failed one had; somebody else takes it.
    let reader = draft.reader();
    let promised = draft.keep(octets(3_000)).await.unwrap();
    assert_eq!(promised.record().await.unwrap(), octets(3_000));
    assert_eq!(read_all(reader).await.unwrap(), octets(10_000));
    for length in [100, 4_000, 5, 3_999] {
        kept.update(octets(length)).await.unwrap();
        assert_eq!(kept.record().await.unwrap(), octets(length));
    }
    assert_eq!(spool.usage().messages, 2);
    assert_eq!(spool.usage().reserved, 0);
}

#[test]
fn a_full_simulated_disk_keeps_what_was_secured() {
    let disk = Simulated::new();
    block_on(async {
        let opened = open_disk(&disk);
        fill(&opened.spool, || disk.limit_space(disk.taken() + 40_000)).await;
        drop(opened);
        // Not an octet is left, and a record that needs more says so and stays what it was.
        disk.limit_space(0);
        let mut opened = open_disk(&disk);
        assert!(opened.findings.is_empty(), "{:?}", opened.findings);
        let found = &mut opened.messages[0];
        found.message.update(b"in place".to_vec()).await.unwrap();
        let error = found.message.update(octets(50_000)).await.unwrap_err();
        assert!(error.is_full(), "{error}");
        assert_eq!(found.message.record().await.unwrap(), b"in place");
        found.message.update(b"in place again".to_vec()).await.unwrap();
        assert_eq!(found.message.record().await.unwrap(), b"in place again");
        assert_eq!(disk.names().len(), 4, "nothing is left over: {:?}", disk.names());
        found.message.remove().await.unwrap();
        assert_eq!(disk.names().len(), 2);
    });
}

#[test]
fn space_runs_out_at_every_block_and_nothing_is_left_over() {
    // A message takes 3 blocks of copy and 2 of record.
    for blocks in 0..5 {
        let disk = Simulated::new();
        block_on(async {
            let spool = open_disk(&disk).spool;
            let reservation = spool.reserve(12_000, 100).await.unwrap();
            disk.limit_space(blocks * 4096);
            let mut draft = spool.begin(Id::generate(), reservation);
            draft.append(&octets(12_000)).await.unwrap();
            assert!(draft.sync().await.unwrap_err().is_full());
            assert!(draft.keep(b"record".to_vec()).await.unwrap_err().is_full());
            assert_eq!(disk.names(), [""; 0]);
            assert_eq!(spool.usage().reserved, 0);
            disk.limit_space(5 * 4096);
            keep(&spool, &octets(12_000), b"record").await.unwrap();
        });
    }
}

#[test]
fn a_promise_that_cannot_be_taken_back_leaves_nothing_or_a_whole_message() {
    // The folder's sync fails, then the mark, and perhaps the next sync.
    for syncs in [1, 2] {
        let disk = Simulated::new();
        block_on(async {
            let spool = open_disk(&disk).spool;
            let mut draft = spool.begin(Id::generate(), spool.reserve(10, 10).await.unwrap());
            draft.append(b"octets").await.unwrap();
            draft.sync().await.unwrap();
            disk.fail(Operation::SyncFolder, syncs);
            // The first write is the record's.
            disk.fail_at(disk.operations() + 5);
            assert!(draft.keep(b"record".to_vec()).await.is_err());
            assert_eq!(disk.names().is_empty(), syncs == 1, "{:?}", disk.names());
            for survivor in disk.survivors(30) {
                let opened = open_disk(&survivor);
                assert!(opened.findings.is_empty(), "{syncs}: {:?}", opened.findings);
                for found in opened.messages {
                    assert_eq!(read_all(found.message.reader()).await.unwrap(), b"octets");
                    assert_eq!(found.record, b"record");
                }
            }
        });
    }
}

#[test]
fn a_record_that_cannot_be_written_to_its_place_is_written_to_another() {
    let disk = Simulated::new();
    block_on(async {
        let spool = open_disk(&disk).spool;
        let mut kept = keep(&spool, b"copy", b"first").await.unwrap();
        for operation in [Operation::Write, Operation::Sync] {
            disk.fail(operation, 1);
            let error = kept.update(b"second".to_vec()).await.unwrap_err();
            assert!(!error.is_full(), "{error}");
            let before = disk.operations();
            kept.update(b"third".to_vec()).await.unwrap();
            // A file, its space, write and sync, its name and the folder's sync.
            assert_eq!(disk.operations() - before, 6);
            kept.update(b"fourth".to_vec()).await.unwrap();
            assert_eq!(disk.operations() - before, 8, "there it stays");
            assert_eq!(kept.record().await.unwrap(), b"fourth");
            assert_eq!(spool.usage().bytes, disk.taken());
        }
    });
}

#[test]
fn a_file_system_that_does_not_answer_is_an_error_and_not_full() {
    let disk = Simulated::new();
    let spool = open_disk(&disk).spool;
    disk.fail(Operation::Free, 1);
    let error = block_on(spool.reserve(1, 1)).unwrap_err();
    assert!(!error.is_full(), "{error}");
}

/// Set where the test runs again, with a small file system at the folder of this name.
const SMALL: &str = "WAYPOST_TEST_SMALL_FILE_SYSTEM";

#[test]
fn a_full_file_system_keeps_what_was_secured() {
    match std::env::var_os(SMALL) {
        Some(folder) => on_small_file_system(folder.as_ref()),
        None => run_with_small_file_system("full::a_full_file_system_keeps_what_was_secured"),
    }
}

/// Runs this test again in mount and user namespaces of its own.
fn run_with_small_file_system(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=1m,mode=0700 none "$0" && exec "$@""#;
    let namespaces: &[&str] = if rustix::process::geteuid().is_root() {
        &["--mount"]
    } else {
        &["--mount", "--map-root-user"]
    };
    let output = Command::new("unshare")
        .args(namespaces)
        .args(["sh", "-c", script])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(SMALL, folder.path())
        .output()
        .expect("unshare(1) of util-linux is needed");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "it needs the right to mount in a namespace:\n{text}");
    assert!(text.contains("1 passed"), "the child ran no test:\n{text}");
}

fn on_small_file_system(folder: &Path) {
    let spool_folder = folder.join("spool");
    let filler = folder.join("filler");
    let whatever_is_left = || {
        let mut filler = std::fs::File::options().append(true).create(true).open(&filler).unwrap();
        while std::io::Write::write_all(&mut filler, &[1; 4096]).is_ok() {}
    };
    block_on(async {
        let spool = open_folder(&spool_folder).spool;
        fill(&spool, whatever_is_left).await;
        whatever_is_left();
        let mut kept = None;
        spool.close().await;

        // The next start finds a full file system, too.
        let opened = open_folder(&spool_folder);
        assert!(opened.findings.is_empty(), "{:?}", opened.findings);
        assert_eq!(opened.messages.len(), 2);
        for mut found in opened.messages {
            for number in 0..10 {
                found.message.update(octets(100 + number)).await.unwrap();
            }
            let error = found.message.update(octets(50_000)).await.unwrap_err();
            assert!(error.is_full(), "{error}");
            found.message.update(b"the last".to_vec()).await.unwrap();
            kept = Some(found.message);
        }
        let mut kept = kept.unwrap();
        let reader = Reader::open(&spool_folder).unwrap();
        assert_eq!(reader.message(kept.id()).unwrap().unwrap().record, b"the last");
        kept.remove().await.unwrap();
        assert_eq!(reader.ids().unwrap().len(), 1);
        // Now there is space again.
        keep(&opened.spool, &octets(5_000), b"record").await.unwrap();
    });
}

#[test]
fn a_message_that_cannot_be_marked_as_removed_is_removed_nevertheless() {
    let disk = Simulated::new();
    block_on(async {
        let mut opened = open_disk(&disk);
        let mut kept = keep(&opened.spool, b"copy", b"record").await.unwrap();
        // A file system that writes everything to a new place, and has none.
        disk.fail(Operation::Write, 1);
        kept.remove().await.unwrap();
        assert_eq!(disk.names(), [""; 0]);
        assert_eq!(opened.spool.usage().bytes, 0);

        // If that is not certain to last either, it is no success, and not the end.
        let mut kept = keep(&opened.spool, b"copy", b"record").await.unwrap();
        disk.fail(Operation::Write, 1);
        disk.fail(Operation::SyncFolder, 1);
        let error = kept.remove().await.unwrap_err();
        assert!(matches!(error, Error::Io { operation: Operation::Write, .. }), "{error}");
        for survivor in disk.survivors(20) {
            opened = open_disk(&survivor);
            assert!(opened.findings.is_empty(), "{:?}", opened.findings);
        }
        disk.fail(Operation::Create, 1);
        assert!(kept.remove().await.is_err(), "the folder's next sync says nothing of the first");
        kept.remove().await.unwrap();
        for survivor in disk.survivors(20) {
            opened = open_disk(&survivor);
            assert!(opened.findings.is_empty() && opened.messages.is_empty(), "{opened:?}");
            assert_eq!(survivor.names(), [""; 0]);
        }
    });
}
