//! What the spool asks of its folder on a real file system, and the look into it from outside.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;

use waypost_spool::{Error, Id, Metrics, OpenError, Reader, Settings, Spool};

use crate::support::{block_on, keep, octets, open_folder, read_all};

/// A place for a spool that is not there yet.
fn place() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("spool");
    (parent, folder)
}

fn open(folder: &std::path::Path) -> Result<waypost_spool::Opened, OpenError> {
    Spool::open(folder, Settings::default(), Metrics::default())
}

#[test]
fn everything_is_its_owners_alone() {
    let (_parent, folder) = place();
    let spool = open_folder(&folder).spool;
    block_on(async {
        let _kept = keep(&spool, &octets(200_000), b"record").await.unwrap();
        let mut draft = spool.begin(Id::generate(), spool.reserve(10, 10).await.unwrap());
        draft.append(b"octets").await.unwrap();
        draft.sync().await.unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, 0o700);
        let mut kinds = Vec::new();
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().mode() & 0o7777, 0o600, "{entry:?}");
            let name = entry.file_name().into_string().unwrap();
            kinds.push(name.rsplit('.').next().unwrap().to_owned());
        }
        kinds.sort();
        assert_eq!(kinds, ["copy", "copy", "draft", "lock", "record"]);
    });
}

#[test]
fn a_folder_that_others_may_use_is_refused() {
    for mode in [0o750, 0o701, 0o770, 0o1777] {
        let (_parent, folder) = place();
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        let error = open(&folder).unwrap_err();
        assert!(matches!(error, OpenError::Exposed { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("{mode:04o}")) && text.contains("chmod 0700"), "{text}");
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        assert!(open(&folder).is_ok());
    }
}

#[test]
fn a_folder_of_another_user_is_refused() {
    let user = rustix::process::geteuid().as_raw();
    let folder = if user == 0 {
        let (parent, folder) = place();
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        chown(&folder, Some(65534), Some(65534)).unwrap();
        let _ = parent.keep();
        folder
    } else {
        // Root's, and there on every system.
        PathBuf::from("/usr")
    };
    let error = open(&folder).unwrap_err();
    let OpenError::Owner { user: ours, owner, .. } = &error else { panic!("{error}") };
    assert_eq!(*ours, user);
    assert_ne!(*owner, user);
    if user == 0 {
        fs::remove_dir(folder).unwrap();
    }
}

#[test]
fn no_link_and_no_file_stands_for_the_folder() {
    let (parent, folder) = place();
    let link = parent.path().join("link");
    symlink(&folder, &link).unwrap();
    assert!(matches!(open(&link), Err(OpenError::NotAFolder(_))), "a link to nowhere");
    drop(open_folder(&folder));
    assert!(matches!(open(&link), Err(OpenError::NotAFolder(_))));
    let file = parent.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(open(&file), Err(OpenError::NotAFolder(_))));
    let error = open(&parent.path().join("missing/spool")).unwrap_err();
    assert!(matches!(error, OpenError::Folder { what: "create", .. }), "{error}");
    assert!(matches!(
        Reader::open(&parent.path().join("missing")).err(),
        Some(OpenError::Folder { what: "open", .. })
    ));
}

#[test]
fn no_link_stands_for_a_file() {
    let (parent, folder) = place();
    let spool = open_folder(&folder).spool;
    let id = block_on(async {
        let id = keep(&spool, b"the copy", b"record").await.unwrap().id();
        spool.close().await;
        id
    });
    let (outside, copy) = (parent.path().join("outside"), folder.join(format!("{id}.copy")));
    fs::rename(&copy, &outside).unwrap();
    symlink(&outside, &copy).unwrap();
    let opened = open_folder(&folder);
    assert_eq!((opened.messages.len(), opened.findings.len()), (0, 1), "{:?}", opened.findings);
    drop(opened);
    assert!(Reader::open(&folder).unwrap().copy(id).is_err());

    // Nor is anything else waited for or read.
    fs::remove_file(&copy).unwrap();
    fs::create_dir(&copy).unwrap();
    assert_eq!(open_folder(&folder).findings.len(), 1);
    fs::remove_dir(&copy).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &copy,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert_eq!(open_folder(&folder).findings.len(), 1);

    // A new message does not go where a link points.
    let spool = open_folder(&folder).spool;
    let id = Id::generate();
    symlink(parent.path().join("elsewhere"), folder.join(format!("{id}.copy"))).unwrap();
    block_on(async {
        let draft = spool.begin(id, spool.reserve(10, 10).await.unwrap());
        assert!(draft.keep(b"record".to_vec()).await.is_err());
    });
    assert!(!parent.path().join("elsewhere").exists());
}

#[test]
fn the_one_who_has_the_lock_is_named() {
    let (_parent, folder) = place();
    let opened = open_folder(&folder);
    let error = open(&folder).unwrap_err();
    let OpenError::Locked { pid, .. } = &error else { panic!("{error}") };
    assert_eq!(*pid, Some(std::process::id()));
    let text = error.to_string();
    assert!(text.contains(&*folder.to_string_lossy()) && text.contains("in use"), "{text}");
    block_on(opened.spool.close());
    drop(open_folder(&folder));
}

#[test]
fn the_lock_ends_with_the_last_who_uses_the_spool() {
    let (_parent, folder) = place();
    let opened = open_folder(&folder);
    let kept = block_on(keep(&opened.spool, b"copy", b"record")).unwrap();
    drop(opened);
    assert!(matches!(open(&folder), Err(OpenError::Locked { .. })));
    drop(kept);
    // A thread may be about to put down what it has done.
    while matches!(open(&folder), Err(OpenError::Locked { .. })) {
        std::thread::yield_now();
    }
}

#[test]
fn a_reader_looks_on_while_the_spool_is_used() {
    let (_parent, folder) = place();
    let spool = open_folder(&folder).spool;
    let reader = Reader::open(&folder).unwrap();
    block_on(async {
        assert_eq!(reader.ids().unwrap(), []);
        let copy = octets(100_000);
        let mut draft = spool.begin(Id::generate(), spool.reserve(10, 10).await.unwrap());
        draft.append(b"octets").await.unwrap();
        draft.sync().await.unwrap();
        let mut kept = keep(&spool, &copy, b"first").await.unwrap();
        assert_eq!(reader.ids().unwrap(), [kept.id()], "a draft is no message");
        assert_eq!(reader.message(draft.id()).unwrap(), None);
        assert!(reader.copy(draft.id()).unwrap().is_none());
        kept.update(b"second".to_vec()).await.unwrap();
        let listed = reader.message(kept.id()).unwrap().unwrap();
        assert_eq!((listed.id, listed.len), (kept.id(), 100_000));
        assert_eq!(listed.record, b"second");
        let mut copy_reader = reader.copy(kept.id()).unwrap().unwrap();
        assert_eq!(copy_reader.len(), 100_000);
        let mut read = vec![0; 10];
        copy_reader.read_exact(&mut read).unwrap();
        kept.remove().await.unwrap();
        copy_reader.read_to_end(&mut read).unwrap();
        assert!(copy_reader.is_empty());
        assert_eq!(read, copy, "what is open can be read");
        assert_eq!(reader.message(kept.id()).unwrap(), None);
        assert!(reader.copy(kept.id()).unwrap().is_none());
        assert_eq!(reader.ids().unwrap(), []);
    });
}

#[test]
fn a_reader_sees_whole_records_whatever_is_being_written() {
    let (_parent, folder) = place();
    let spool = open_folder(&folder).spool;
    let mut kept = block_on(keep(&spool, b"copy", &[0; 3000])).unwrap();
    let id = kept.id();
    let reading = std::thread::spawn(move || {
        let reader = Reader::open(&folder).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(listed) = reader.message(id).unwrap() {
            let number = listed.record[0];
            assert_eq!(listed.record, [number; 3000]);
            seen.insert(number);
        }
        seen
    });
    block_on(async {
        for number in 1..=100 {
            kept.update(vec![number; 3000]).await.unwrap();
        }
        kept.remove().await.unwrap();
    });
    assert!(reading.join().unwrap().len() > 1, "it saw nothing change");
}

#[test]
fn many_messages_at_once_are_all_kept() {
    let (_parent, folder) = place();
    let spool = open_folder(&folder).spool;
    block_on(async {
        let tasks: Vec<_> = (0..60_usize)
            .map(|number| {
                let spool = spool.clone();
                tokio::spawn(async move {
                    let copy = octets(number * 5_000);
                    let mut kept = keep(&spool, &copy, b"first").await.unwrap();
                    kept.update(number.to_string().into_bytes()).await.unwrap();
                    if number % 3 == 0 {
                        kept.remove().await.unwrap();
                        assert!(matches!(kept.record().await, Err(Error::Gone)));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        spool.close().await;
        let opened = open_folder(&folder);
        assert!(opened.findings.is_empty(), "{:?}", opened.findings);
        assert_eq!(opened.messages.len(), 40);
        for found in &opened.messages {
            let number: usize = String::from_utf8_lossy(&found.record).parse().unwrap();
            let copy = read_all(found.message.reader()).await.unwrap();
            assert_eq!(copy, octets(number * 5_000));
        }
    });
}
