//! Files that are not what was written, and files that are not ours.

#![expect(clippy::unwrap_used, reason = "tests")]

use waypost_spool::simulated::Simulated;
use waypost_spool::{Error, Finding, Id, Operation, Reader};

use crate::support::{block_on, keep, open_disk, read_all};

/// A disk with a message, and the message's id.
fn with_message(records: &[&str]) -> (Simulated, Id) {
    let disk = Simulated::new();
    let spool = open_disk(&disk).spool;
    let id = block_on(async {
        let mut kept = keep(&spool, b"the copy", b"first").await.unwrap();
        for record in records {
            kept.update(record.as_bytes().to_vec()).await.unwrap();
        }
        kept.id()
    });
    (disk, id)
}

/// Opens the spool, and returns what was found wrong as text.
fn findings(disk: &Simulated, messages: usize) -> Vec<String> {
    let opened = open_disk(disk);
    assert_eq!(opened.messages.len(), messages);
    opened.findings.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_not_ours_is_left_and_reported() {
    let (disk, id) = with_message(&[]);
    let lower = format!("{}.copy", id.to_string().to_lowercase());
    let foreign = ["README", ".hidden", "01.copy", &format!("{id}.copy~"), &lower];
    for name in foreign {
        disk.put(name, b"somebody's");
    }
    let found = findings(&disk, 1);
    assert_eq!(found.len(), foreign.len());
    for name in foreign {
        assert!(
            found.iter().any(|found| found.contains(&format!("`{name}`"))),
            "{name}: {found:?}"
        );
        assert_eq!(disk.content(name).unwrap(), b"somebody's");
    }
}

#[test]
fn a_damaged_record_is_reported_and_its_message_left_as_it_is() {
    for (damage, text) in [
        (&b""[..], "0 octets are no length"),
        (&b"short"[..], "5 octets are no length"),
        (&[0; 8192][..], "in one half it is empty, in the other it is empty"),
        (&[7; 8192][..], "it is no record"),
        (&[0; 3 * 8192 + 4096][..], "28672 octets are no length"),
    ] {
        let (disk, id) = with_message(&[]);
        let name = format!("{id}.record");
        disk.put(&name, damage);
        let found = findings(&disk, 0);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains(text) && found[0].contains(&name), "{}", found[0]);
        assert_eq!(disk.content(&name).unwrap(), damage);
        assert_eq!(disk.content(&format!("{id}.copy")).unwrap(), b"the copy");
    }
}

#[test]
fn a_newer_format_is_not_taken_for_damage() {
    let (disk, id) = with_message(&[]);
    let name = format!("{id}.record");
    let mut record = disk.content(&name).unwrap();
    record[11] = 2;
    disk.put(&name, &record);
    let found = findings(&disk, 0);
    assert!(found[0].contains("which a newer Waypost has written"), "{found:?}");
}

#[test]
fn a_message_under_another_name_is_not_that_message() {
    let (disk, id) = with_message(&[]);
    let other = Id::generate();
    for kind in ["copy", "record"] {
        disk.put(&format!("{other}.{kind}"), &disk.content(&format!("{id}.{kind}")).unwrap());
    }
    let found = findings(&disk, 1);
    assert!(found.len() == 1 && found[0].contains("the record of another message"), "{found:?}");
}

#[test]
fn the_last_record_that_is_whole_counts() {
    let (disk, id) = with_message(&["second", "third"]);
    let name = format!("{id}.record");
    let whole = disk.content(&name).unwrap();
    let place = |record: &str| {
        whole.windows(record.len()).position(|window| window == record.as_bytes()).unwrap()
    };
    assert_eq!(open_disk(&disk).messages[0].record, b"third");
    let mut torn = whole.clone();
    torn[place("third")] ^= 1;
    disk.put(&name, &torn);
    let opened = open_disk(&disk);
    assert_eq!(opened.messages[0].record, b"second");
    // It goes on from there, and the torn one is what the next overwrites.
    let mut message = opened.messages.into_iter().next().unwrap().message;
    block_on(message.update(b"fourth".to_vec())).unwrap();
    drop((message, opened.spool));
    assert_eq!(open_disk(&disk).messages[0].record, b"fourth");
    torn[place("second")] ^= 1;
    disk.put(&name, &torn);
    assert_eq!(findings(&disk, 0).len(), 1);
}

#[test]
fn a_copy_that_is_missing_or_of_another_length_is_reported() {
    let (disk, id) = with_message(&[]);
    let name = format!("{id}.copy");
    for damaged in [&b"the cop"[..], b"the copy and more", b""] {
        disk.put(&name, damaged);
        let found = findings(&disk, 0);
        let text = format!("has {} octets, its record says 8", damaged.len());
        assert!(found.len() == 1 && found[0].contains(&text), "{found:?}");
        assert_eq!(disk.names().len(), 2);
    }
    let storage = disk.storage();
    storage.remove(&name).unwrap();
    storage.sync_folder().unwrap();
    assert_eq!(findings(&disk, 0).len(), 1);
    assert_eq!(disk.names(), [format!("{id}.record")]);
    let reader = Reader::open_on(disk.storage());
    assert!(reader.copy(id).is_err(), "it is not gone, it is damaged");
}

#[test]
fn a_copy_that_is_cut_while_it_is_read_is_no_end() {
    let (disk, id) = with_message(&[]);
    let opened = open_disk(&disk);
    disk.put(&format!("{id}.copy"), b"the");
    let mut reader = opened.messages[0].message.reader();
    let mut buf = [0; 100];
    assert_eq!(block_on(reader.read_at(0, &mut buf)).unwrap(), 3);
    let error = block_on(reader.read_at(3, &mut buf)).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[test]
fn one_file_that_cannot_be_read_does_not_cost_the_others() {
    let disk = Simulated::new();
    let spool = open_disk(&disk).spool;
    let ids: Vec<Id> = block_on(async {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(keep(&spool, b"the copy", b"record").await.unwrap().id());
        }
        ids.sort();
        ids
    });
    drop(spool);
    disk.fail(Operation::Read, 1);
    let opened = open_disk(&disk);
    let [Finding::Unusable { id, .. }] = &opened.findings[..] else {
        panic!("{:?}", opened.findings)
    };
    assert_eq!(*id, ids[0]);
    assert_eq!(opened.messages.len(), 2);
    let copy = block_on(read_all(opened.messages[0].message.reader())).unwrap();
    assert_eq!(copy, b"the copy");
}
