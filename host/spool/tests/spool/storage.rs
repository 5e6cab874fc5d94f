//! The simulated disk loses what may be lost, and nothing else.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use waypost_spool::Operation;
use waypost_spool::simulated::Simulated;

use crate::support::octets;

/// The content of a file that survives, or that there is none.
fn contents(states: &[Simulated], name: &str) -> BTreeSet<Option<Vec<u8>>> {
    states.iter().map(|state| state.content(name)).collect()
}

#[test]
fn what_was_not_synced_may_be_lost_and_what_was_is_not() {
    let disk = Simulated::new();
    let storage = disk.storage();
    let file = storage.create("name").unwrap();
    file.write_at(0, &octets(2000)).unwrap();
    let states = contents(&disk.survivors(100), "name");
    assert!(states.contains(&None), "the name may be lost");
    assert!(states.contains(&Some(Vec::new())), "the octets may be lost");
    assert!(states.contains(&Some(octets(2000))), "all may be there");
    assert!(states.contains(&Some(octets(512))), "a part may be there");
    assert!(states.iter().flatten().any(|s| s.len() == 2000 && *s != octets(2000)), "or a hole");
    file.sync().unwrap();
    let states = contents(&disk.survivors(100), "name");
    assert_eq!(states, [None, Some(octets(2000))].into(), "the name may still be lost");
    storage.sync_folder().unwrap();
    assert_eq!(contents(&disk.survivors(100), "name"), [Some(octets(2000))].into());
    file.write_at(0, b"changed").unwrap();
    let states = contents(&disk.survivors(100), "name");
    assert!(states.len() > 2 && states.contains(&Some(octets(2000))));
    storage.rename("name", "other").unwrap();
    storage.create("name").unwrap();
    let states = disk.survivors(100);
    let names: BTreeSet<_> = states.iter().map(Simulated::names).collect();
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for expected in [&["name"][..], &["other"], &["name", "other"]] {
        assert!(names.contains(&list(expected)), "{expected:?} in {names:?}");
    }
    assert!(
        names.iter().all(|names| !names.is_empty()),
        "a renamed file has one name or the other"
    );
}

#[test]
fn after_a_failed_sync_a_later_one_says_nothing() {
    let disk = Simulated::new();
    let storage = disk.storage();
    let file = storage.create("name").unwrap();
    disk.fail(Operation::SyncFolder, 1);
    assert!(storage.sync_folder().is_err());
    storage.sync_folder().unwrap();
    assert!(contents(&disk.survivors(10), "name").contains(&None));
    storage.rename("name", "sure").unwrap();
    storage.sync_folder().unwrap();
    file.write_at(0, b"doubtful").unwrap();
    disk.fail(Operation::Sync, 1);
    assert!(file.sync().is_err());
    file.write_at(8, b" sure").unwrap();
    file.sync().unwrap();
    let states = contents(&disk.survivors(50), "sure");
    assert!(states.contains(&Some(b"doubtful sure".to_vec())), "{states:?}");
    assert!(states.contains(&Some(b"\0\0\0\0\0\0\0\0 sure".to_vec())), "{states:?}");
    assert!(states.iter().all(|state| state.as_ref().is_some_and(|s| s.ends_with(b" sure"))));
    // Written anew, it is certain.
    file.write_at(0, b"certain!").unwrap();
    file.sync().unwrap();
    assert_eq!(contents(&disk.survivors(50), "sure"), [Some(b"certain! sure".to_vec())].into());
}

#[test]
fn the_power_fails_where_it_is_told_to() {
    let disk = Simulated::new();
    let storage = disk.storage();
    disk.crash_after(2);
    let file = storage.create("name").unwrap();
    file.write_at(0, b"octets").unwrap();
    assert_eq!(file.length().unwrap(), 6);
    assert!(!disk.crashed());
    assert!(file.sync().is_err());
    assert!(disk.crashed());
    assert!(file.length().is_err() && storage.list().is_err() && storage.free().is_err());
    assert!(storage.sync_folder().is_err(), "what comes later does not count");
    assert!(contents(&disk.survivors(10), "name").contains(&None));
    assert_eq!(disk.operations(), 4);
}

#[test]
fn space_ends_where_it_is_told_to() {
    let disk = Simulated::new();
    let storage = disk.storage();
    disk.limit_space(3 * 4096);
    assert_eq!(storage.free().unwrap(), 3 * 4096);
    let file = storage.create("name").unwrap();
    file.allocate(4097).unwrap();
    assert_eq!(storage.free().unwrap(), 4096);
    let other = storage.create("other").unwrap();
    let error = other.write_at(0, &octets(5000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(other.length().unwrap(), 4096, "a part of it was written");
    file.write_at(0, &octets(8192)).unwrap();
    assert_eq!(file.allocate(8193).unwrap_err().kind(), ErrorKind::StorageFull);
    storage.remove("other").unwrap();
    file.allocate(8193).unwrap();
    assert_eq!((disk.taken(), storage.free().unwrap()), (3 * 4096, 0));
}

#[test]
fn the_same_disk_has_the_same_survivors() {
    let states = || {
        let disk = Simulated::new();
        let storage = disk.storage();
        for name in ["a", "b", "c"] {
            let file = storage.create(name).unwrap();
            for part in 0..5 {
                file.write_at(part * 1000, &octets(1000)).unwrap();
            }
        }
        let states = disk.survivors(40);
        states
            .iter()
            .map(|s| s.names().iter().map(|n| s.content(n)).collect())
            .collect::<Vec<Vec<_>>>()
    };
    let first = states();
    assert_eq!(first, states());
    assert_eq!(first.len(), 60);
    assert!(first.iter().collect::<BTreeSet<_>>().len() > 30, "they differ among themselves");
}
