//! The life of messages when nothing goes wrong, and what is asked for wrongly.

use std::time::{Duration, SystemTime};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use waypost_spool::simulated::Simulated;
use waypost_spool::{Error, Id, MAX_RECORD, Metrics, OpenError, Settings, Spool};

use crate::support::{block_on, keep, octets, open_disk, open_folder, read_all};

#[test]
fn a_kept_message_is_there_until_it_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("spool");
    block_on(async {
        let copy = octets(300_000);
        let spool = open_folder(&folder).spool;
        let mut kept = keep(&spool, &copy, b"first").await.unwrap();
        let id = kept.id();
        assert_eq!(kept.len(), 300_000);
        assert_eq!(read_all(kept.reader()).await.unwrap(), copy);
        assert_eq!(kept.record().await.unwrap(), b"first");
        kept.update(b"the second".to_vec()).await.unwrap();
        kept.update(b"third".to_vec()).await.unwrap();
        assert_eq!(kept.record().await.unwrap(), b"third");
        spool.close().await;

        let opened = open_folder(&folder);
        assert!(opened.findings.is_empty(), "{:?}", opened.findings);
        let [recovered] = &mut opened.messages.into_iter().collect::<Vec<_>>()[..] else {
            panic!("one message")
        };
        assert_eq!((recovered.message.id(), &recovered.record[..]), (id, &b"third"[..]));
        assert_eq!(read_all(recovered.message.reader()).await.unwrap(), copy);
        recovered.message.update(b"fourth".to_vec()).await.unwrap();
        assert_eq!(recovered.message.record().await.unwrap(), b"fourth");
        recovered.message.remove().await.unwrap();
        recovered.message.remove().await.unwrap();
        assert!(matches!(recovered.message.record().await, Err(Error::Gone)));
        assert!(matches!(recovered.message.update(Vec::new()).await, Err(Error::Gone)));
        opened.spool.close().await;

        assert!(open_folder(&folder).messages.is_empty());
        let names: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["lock"]);
    });
}

#[test]
fn a_draft_that_is_dropped_leaves_nothing() {
    let disk = Simulated::new();
    let spool = open_disk(&disk).spool;
    block_on(async {
        for sync in [false, true] {
            let mut draft =
                spool.begin(Id::generate(), spool.reserve(1_000_000, 100).await.unwrap());
            draft.append(&octets(500_000)).await.unwrap();
            if sync {
                draft.sync().await.unwrap();
            }
            assert!(!disk.names().is_empty());
            assert!(spool.usage().reserved >= 1_000_000);
            drop(draft);
            assert_eq!(disk.names(), [""; 0]);
            assert_eq!(spool.usage().reserved, 0);
        }
    });
}

#[test]
fn a_small_message_costs_few_operations() {
    let disk = Simulated::new();
    let spool = open_disk(&disk).spool;
    let before = disk.operations();
    block_on(async {
        let mut draft = spool.begin(Id::generate(), spool.reserve(4096, 500).await.unwrap());
        for part in octets(4096).chunks(100) {
            draft.append(part).await.unwrap();
        }
        assert_eq!(disk.operations() - before, 0, "it waits in memory");
        draft.sync().await.unwrap();
        draft.sync().await.unwrap();
        // Two files, a write, the record's space, the copy's sync and the folder's.
        assert_eq!(disk.operations() - before, 6);
        let mut kept = draft.keep(b"record".to_vec()).await.unwrap();
        // Write and sync, rename and sync.
        assert_eq!(disk.operations() - before, 10);
        kept.update(b"another".to_vec()).await.unwrap();
        assert_eq!(disk.operations() - before, 12);
    });
}

#[test]
fn an_empty_message_and_an_empty_record_are_messages_too() {
    let disk = Simulated::new();
    block_on(async {
        let spool = open_disk(&disk).spool;
        let draft = spool.begin(Id::generate(), spool.reserve(0, 0).await.unwrap());
        assert!(draft.is_empty());
        let kept = draft.keep(Vec::new()).await.unwrap();
        assert_eq!(read_all(kept.reader()).await.unwrap(), b"");
        assert_eq!(kept.record().await.unwrap(), b"");
        drop((kept, spool));
        let opened = open_disk(&disk);
        assert!(opened.findings.is_empty(), "{:?}", opened.findings);
        assert_eq!(opened.messages.len(), 1);
    });
}

#[test]
fn records_may_grow_and_shrink_at_will() {
    let disk = Simulated::new();
    block_on(async {
        let spool = open_disk(&disk).spool;
        let mut kept = keep(&spool, b"copy", b"a record of few octets").await.unwrap();
        let mut last = Vec::new();
        for length in [0, 4000, 4016, 4017, 100_000, 10, 99_000, 250_000, 1] {
            last = octets(length);
            kept.update(last.clone()).await.unwrap();
            assert_eq!(kept.record().await.unwrap(), last, "{length}");
            assert!(spool.usage().bytes >= length as u64);
        }
        let id = kept.id();
        drop((kept, spool));
        let opened = open_disk(&disk);
        assert_eq!(opened.messages[0].record, last);
        assert_eq!(disk.names(), [format!("{id}.copy"), format!("{id}.record")]);
        // A promise may be longer than what was provided for, too.
        let spool = opened.spool;
        let draft = spool.begin(Id::generate(), spool.reserve(0, 10).await.unwrap());
        let kept = draft.keep(octets(20_000)).await.unwrap();
        assert_eq!(kept.record().await.unwrap(), octets(20_000));
    });
}

#[test]
fn nothing_goes_beyond_its_bounds() {
    let disk = Simulated::new();
    let spool = open_disk(&disk).spool;
    block_on(async {
        let mut draft = spool.begin(Id::generate(), spool.reserve(10, 10).await.unwrap());
        draft.append(b"12345678").await.unwrap();
        assert!(matches!(draft.append(b"abc").await, Err(Error::BeyondReservation)));
        draft.append(b"90").await.unwrap();
        assert_eq!(read_all(draft.reader()).await.unwrap(), b"1234567890");
        let result = draft.keep(vec![0; MAX_RECORD + 1]).await;
        assert!(matches!(result, Err(Error::RecordTooLong)), "{result:?}");
        assert_eq!(disk.names(), [""; 0]);

        let mut kept = keep(&spool, b"copy", b"record").await.unwrap();
        let result = kept.update(vec![0; MAX_RECORD + 1]).await;
        assert!(matches!(result, Err(Error::RecordTooLong)), "{result:?}");
        assert_eq!(kept.record().await.unwrap(), b"record");
    });
}

#[test]
fn an_id_serves_one_message() {
    let disk = Simulated::new();
    let spool = open_disk(&disk).spool;
    block_on(async {
        let kept = keep(&spool, b"copy", b"record").await.unwrap();
        let mut draft = spool.begin(kept.id(), spool.reserve(10, 10).await.unwrap());
        draft.append(b"other").await.unwrap();
        assert!(draft.sync().await.is_err());
        drop(draft);
        let draft = spool.begin(kept.id(), spool.reserve(10, 10).await.unwrap());
        assert!(draft.keep(b"other".to_vec()).await.is_err());
        assert_eq!(read_all(kept.reader()).await.unwrap(), b"copy");
        assert_eq!(kept.record().await.unwrap(), b"record");
    });
}

#[test]
fn messages_come_back_in_the_order_of_their_arrival() {
    let disk = Simulated::new();
    block_on(async {
        let spool = open_disk(&disk).spool;
        assert_eq!(spool.oldest(), None);
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(keep(&spool, b"copy", b"record").await.unwrap().id());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(spool.oldest(), Some(ids[0].time()));
        drop(spool);
        let opened = open_disk(&disk);
        let found: Vec<Id> = opened.messages.iter().map(|found| found.message.id()).collect();
        assert_eq!(found, ids);
        assert_eq!(opened.spool.oldest(), Some(ids[0].time()));
    });
}

#[test]
fn the_limit_counts_what_is_kept_and_what_is_reserved() {
    let disk = Simulated::new();
    let settings = Settings { max_bytes: 100_000, ..Settings::default() };
    let open = || Spool::open_on(disk.storage(), settings.clone(), Metrics::default()).unwrap();
    block_on(async {
        let spool = open().spool;
        let first = spool.reserve(50_000, 100).await.unwrap();
        let error = spool.reserve(50_000, 100).await.unwrap_err();
        assert!(matches!(error, Error::Full { max: 100_000, .. }) && error.is_full(), "{error}");
        drop(first);
        // Of what is reserved, only what is used stays taken.
        let mut draft = spool.begin(Id::generate(), spool.reserve(50_000, 100).await.unwrap());
        draft.append(b"few octets").await.unwrap();
        let mut kept = draft.keep(b"record".to_vec()).await.unwrap();
        let usage = spool.usage();
        assert_eq!((usage.messages, usage.bytes, usage.reserved), (1, 3 * 4096, 0));
        assert_eq!(disk.taken(), usage.bytes, "what is counted is what is taken");
        drop(spool.reserve(70_000, 100).await.unwrap());
        let big = spool.reserve(u64::MAX, usize::MAX).await.unwrap_err();
        assert!(big.is_full(), "{big}");

        // It counts after a start, too.
        kept.update(octets(40_000)).await.unwrap();
        let bytes = spool.usage().bytes;
        assert_eq!(disk.taken(), bytes);
        drop((kept, spool));
        let opened = open();
        assert_eq!(opened.spool.usage().bytes, bytes);
        assert!(opened.spool.reserve(70_000, 100).await.is_err());
    });
}

#[test]
fn one_writer_at_a_time() {
    let disk = Simulated::new();
    block_on(async {
        let opened = open_disk(&disk);
        let again = || Spool::open_on(disk.storage(), Settings::default(), Metrics::default());
        assert!(matches!(again(), Err(OpenError::Locked { .. })));
        let kept = keep(&opened.spool, b"copy", b"record").await.unwrap();
        opened.spool.close().await;
        let next = again().unwrap();
        assert!(matches!(kept.record().await, Err(Error::Closed)), "what was closed is closed");
        assert!(matches!(opened.spool.reserve(1, 1).await, Err(Error::Closed)));
        // The closed one's end does not give back the next one's lock.
        drop((kept, opened));
        assert!(matches!(again(), Err(OpenError::Locked { .. })));
        drop(next);
        assert!(again().is_ok());
    });
}

#[test]
fn metrics_say_what_there_is_and_what_failed() {
    let disk = Simulated::new();
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let settings = Settings { max_bytes: 1_000_000, ..Settings::default() };
    let opened = Spool::open_on(disk.storage(), settings, metrics).unwrap();
    let spool = opened.spool;
    let kept = block_on(async {
        let kept = keep(&spool, b"copy", b"record").await.unwrap();
        std::mem::forget(spool.reserve(4096, 1).await.unwrap());
        assert!(spool.reserve(1_000_000, 1).await.is_err());
        disk.fail(waypost_spool::Operation::Sync, 1);
        assert!(keep(&spool, b"copy", b"record").await.is_err());
        kept
    });
    spool.observe(kept.id().time() + Duration::from_secs(3700));
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in [
        "waypost_spool_messages 1\n",
        "waypost_spool_bytes 12288\n",
        "waypost_spool_reserved_bytes 12288\n",
        "waypost_spool_oldest_age_seconds 3700\n",
        "waypost_spool_full_total 1\n",
        "waypost_spool_failures_total{operation=\"sync\"} 1\n",
        "waypost_spool_sync_seconds_count 6\n",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    spool.observe(SystemTime::UNIX_EPOCH);
    text.clear();
    encode(&mut text, &registry).unwrap();
    assert!(text.contains("waypost_spool_oldest_age_seconds 0\n"), "a clock that was set back");
}

#[test]
fn a_record_may_be_as_long_as_a_record_may_be() {
    let disk = Simulated::new();
    block_on(async {
        let spool = open_disk(&disk).spool;
        let draft = spool.begin(Id::generate(), spool.reserve(1, usize::MAX / 4).await.unwrap());
        let mut kept = draft.keep(vec![1; MAX_RECORD]).await.unwrap();
        kept.update(vec![2; MAX_RECORD]).await.unwrap();
        drop((kept, spool));
        let opened = open_disk(&disk);
        assert!(opened.findings.is_empty(), "{:?}", opened.findings);
        assert_eq!(opened.messages[0].record, vec![2; MAX_RECORD]);
    });
}
