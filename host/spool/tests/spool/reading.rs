//! Copies are read while they are written, by several at once, and afterwards.

use proptest::prelude::*;
use waypost_spool::simulated::Simulated;
use waypost_spool::{Error, Id, MAX_READ};

use crate::support::{block_on, octets, open_disk, open_folder, read_all};

#[test]
fn readers_follow_the_writer_each_at_its_own_pace() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("spool");
    let whole = octets(2_000_000);
    block_on(async {
        let spool = open_folder(&folder).spool;
        let mut draft = spool.begin(Id::generate(), spool.reserve(2_000_000, 100).await.unwrap());
        let readers: Vec<_> = [1_usize, 7_000, 65_536, 1_000_000]
            .into_iter()
            .map(|pace| {
                let (mut reader, whole) = (draft.reader(), whole.clone());
                tokio::spawn(async move {
                    let (mut at, mut buf) = (0, vec![0; pace]);
                    while at < whole.len() {
                        let read = reader.read_at(at as u64, &mut buf).await.unwrap();
                        assert_eq!(buf[..read], whole[at..at + read], "at {at}");
                        // The slowest one cannot be waited for octet by octet.
                        at += if pace == 1 { read * 10_007 } else { read };
                        if read == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                })
            })
            .collect();
        for part in whole.chunks(33_333) {
            draft.append(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        draft.sync().await.unwrap();
        for reader in readers {
            reader.await.unwrap();
        }
        let kept = draft.keep(b"record".to_vec()).await.unwrap();
        assert_eq!(read_all(kept.reader()).await.unwrap(), whole);
    });
}

#[test]
fn a_reader_reads_on_after_the_message_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("spool");
    let whole = octets(400_000);
    block_on(async {
        let spool = open_folder(&folder).spool;
        let mut draft = spool.begin(Id::generate(), spool.reserve(400_000, 100).await.unwrap());
        draft.append(&whole).await.unwrap();
        let of_draft = draft.reader();
        drop(draft);
        assert_eq!(read_all(of_draft).await.unwrap(), whole);

        let mut draft = spool.begin(Id::generate(), spool.reserve(400_000, 100).await.unwrap());
        draft.append(&whole).await.unwrap();
        let of_draft = draft.reader();
        let mut kept = draft.keep(b"record".to_vec()).await.unwrap();
        let (mut begun, not_begun) = (kept.reader(), kept.reader());
        begun.read_at(0, &mut [0; 10]).await.unwrap();
        kept.remove().await.unwrap();
        assert_eq!(read_all(of_draft).await.unwrap(), whole);
        assert_eq!(read_all(begun).await.unwrap(), whole);
        assert!(matches!(read_all(not_begun).await, Err(Error::Gone)));
    });
}

#[test]
fn one_call_reads_a_bounded_part_and_the_end_is_nothing() {
    let disk = Simulated::new();
    let spool = open_disk(&disk).spool;
    block_on(async {
        let length = 2 * MAX_READ + 5;
        let mut draft = spool.begin(Id::generate(), spool.reserve(length as u64, 1).await.unwrap());
        draft.append(&octets(length)).await.unwrap();
        let kept = draft.keep(Vec::new()).await.unwrap();
        let mut reader = kept.reader();
        let mut buf = vec![0; length];
        assert_eq!(reader.read_at(0, &mut buf).await.unwrap(), MAX_READ);
        assert_eq!(reader.read_at(2 * MAX_READ as u64, &mut buf).await.unwrap(), 5);
        for behind in [length as u64, length as u64 + 1, u64::MAX] {
            assert_eq!(reader.read_at(behind, &mut buf).await.unwrap(), 0);
        }
        assert_eq!(reader.read_at(0, &mut []).await.unwrap(), 0);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is written and read in whatever pieces, what is read is what was written there.
    #[test]
    fn reads_see_every_octet_that_was_appended(
        parts in prop::collection::vec(0_usize..150_000, 0..6),
        reads in prop::collection::vec((0_usize..700_000, 1_usize..300_000), 1..12),
        sync_after in 0_usize..6,
    ) {
        let length: usize = parts.iter().sum();
        let whole = octets(length);
        block_on(async {
            let spool = open_disk(&Simulated::new()).spool;
            let mut draft = spool.begin(Id::generate(), spool.reserve(length as u64, 1).await.unwrap());
            let mut reader = draft.reader();
            let mut at = 0;
            for (number, part) in parts.iter().enumerate() {
                draft.append(&whole[at..at + part]).await.unwrap();
                at += part;
                if number == sync_after {
                    draft.sync().await.unwrap();
                }
                for (offset, size) in &reads {
                    let mut buf = vec![0; *size];
                    let read = reader.read_at(*offset as u64, &mut buf).await.unwrap();
                    assert_eq!(read == 0, *offset >= at, "{offset} of {at}");
                    assert_eq!(buf[..read], whole[(*offset).min(at)..(*offset).min(at) + read]);
                    assert!(offset + read <= at || read == 0);
                }
            }
            assert_eq!(read_all(draft.reader()).await.unwrap(), whole);
        });
    }
}
