//! Futures are dropped half-way: nothing breaks, and nothing stays that nobody was told of.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use waypost_spool::simulated::Simulated;
use waypost_spool::{Error, Id, Operation, Settings, Spool};

use crate::support::{Gate, Keeper, block_on, keep, octets, open_disk, open_on, read_all};

/// Polls a future once and drops it.
fn begin_and_drop<T>(future: impl Future<Output = T>) {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending), "it was to be dropped half-way");
}

fn gated() -> (Simulated, Spool, Keeper) {
    let disk = Simulated::new().with_threads();
    let (storage, keeper) = Gate::before(disk.storage());
    (disk, open_on(storage).spool, keeper)
}

#[test]
fn what_was_appended_stays_appended() {
    let (_disk, spool, keeper) = gated();
    let whole = octets(750_000);
    block_on(async {
        let mut draft = spool.begin(Id::generate(), spool.reserve(750_000, 10).await.unwrap());
        // Each is so long that it is written at once.
        for (number, part) in whole.chunks(150_000).enumerate() {
            if number == 2 {
                draft.append(part).await.unwrap();
                continue;
            }
            let stop = keeper.stop_at(Operation::Write);
            begin_and_drop(draft.append(part));
            stop.wait_until_reached();
            if number == 3 {
                // While it is being written, more than one wants to go on.
                begin_and_drop(draft.sync());
                begin_and_drop(draft.sync());
            }
            stop.go_on();
        }
        assert_eq!(draft.len(), 750_000);
        let kept = draft.keep(b"record".to_vec()).await.unwrap();
        assert_eq!(read_all(kept.reader()).await.unwrap(), whole);
    });
}

#[test]
fn an_error_that_nobody_waited_for_is_told_to_the_next_who_asks() {
    let (disk, spool, keeper) = gated();
    block_on(async {
        let mut draft = spool.begin(Id::generate(), spool.reserve(1000, 10).await.unwrap());
        draft.append(b"octets").await.unwrap();
        let stop = keeper.stop_at(Operation::Sync);
        begin_and_drop(draft.sync());
        stop.wait_until_reached();
        disk.fail(Operation::Sync, 1);
        stop.go_on();
        assert!(matches!(draft.sync().await, Err(Error::Io { operation: Operation::Sync, .. })));
        assert!(draft.keep(b"record".to_vec()).await.is_err());
        assert_eq!(disk.names(), [""; 0]);
    });
}

#[test]
fn a_draft_that_is_dropped_while_it_is_written_leaves_nothing() {
    for operation in [Operation::Create, Operation::Write, Operation::Allocate, Operation::Sync] {
        let (disk, spool, keeper) = gated();
        block_on(async {
            let mut draft = spool.begin(Id::generate(), spool.reserve(1000, 10).await.unwrap());
            draft.append(b"octets").await.unwrap();
            let stop = keeper.stop_at(operation);
            begin_and_drop(draft.sync());
            stop.wait_until_reached();
            drop(draft);
            stop.go_on();
            spool.close().await;
            assert_eq!(disk.names(), [""; 0], "{operation:?}");
            assert_eq!(spool.usage().reserved, 0);
        });
    }
}

#[test]
fn a_draft_that_is_dropped_before_it_is_written_leaves_nothing() {
    // Whichever of the two threads that have its work to do comes first.
    let disk = Simulated::new().with_threads();
    let spool = open_disk(&disk).spool;
    block_on(async {
        for _ in 0..1_000 {
            let mut draft = spool.begin(Id::generate(), spool.reserve(1000, 10).await.unwrap());
            draft.append(b"octets").await.unwrap();
            let _ = pin!(draft.sync()).poll(&mut Context::from_waker(Waker::noop()));
            drop(draft);
        }
        spool.close().await;
    });
    assert_eq!(disk.names(), [""; 0]);
    assert_eq!(spool.usage().reserved, 0);
}

#[test]
fn a_message_whose_keeping_nobody_waited_for_is_removed() {
    for operation in [Operation::Sync, Operation::Rename, Operation::SyncFolder] {
        let (disk, spool, keeper) = gated();
        block_on(async {
            let mut draft = spool.begin(Id::generate(), spool.reserve(1000, 10).await.unwrap());
            draft.append(b"octets").await.unwrap();
            draft.sync().await.unwrap();
            let stop = keeper.stop_at(operation);
            begin_and_drop(draft.keep(b"record".to_vec()));
            stop.wait_until_reached();
            stop.go_on();
            // The removal is brought by the job that finds nobody waiting.
            while !disk.names().is_empty() {
                tokio::task::yield_now().await;
            }
            spool.close().await;
            assert_eq!(spool.usage().messages, 0);
        });
        assert!(open_disk(&disk).messages.is_empty());
    }
}

#[test]
fn a_keeping_that_has_not_begun_is_a_dropped_draft() {
    let (disk, spool, _keeper) = gated();
    block_on(async {
        let mut draft = spool.begin(Id::generate(), spool.reserve(1000, 10).await.unwrap());
        draft.append(b"octets").await.unwrap();
        draft.sync().await.unwrap();
        drop(draft.keep(b"record".to_vec()));
        spool.close().await;
        assert_eq!(disk.names(), [""; 0]);
    });
}

#[test]
fn updates_that_nobody_waited_for_come_in_their_order() {
    let (disk, spool, keeper) = gated();
    block_on(async {
        let mut kept = keep(&spool, b"copy", b"first").await.unwrap();
        for round in 0..20 {
            let stop = keeper.stop_at(Operation::Write);
            begin_and_drop(kept.update(b"dropped".to_vec()));
            stop.wait_until_reached();
            begin_and_drop(kept.update(b"dropped too, and perhaps overtaken".to_vec()));
            let last = format!("waited for, round {round}");
            {
                let mut update = pin!(kept.update(last.clone().into_bytes()));
                let polled = update.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_pending());
                stop.go_on();
                update.await.unwrap();
            }
            assert_eq!(kept.record().await.unwrap(), last.as_bytes());
        }
        spool.close().await;
    });
    assert_eq!(open_disk(&disk).messages[0].record, b"waited for, round 19");
}

#[test]
fn a_removal_that_nobody_waited_for_is_carried_out() {
    let (disk, spool, keeper) = gated();
    block_on(async {
        let mut kept = keep(&spool, b"copy", b"record").await.unwrap();
        let stop = keeper.stop_at(Operation::Remove);
        begin_and_drop(kept.remove());
        stop.wait_until_reached();
        drop(kept);
        stop.go_on();
        spool.close().await;
        assert_eq!(disk.names(), [""; 0]);
        assert_eq!(spool.usage().messages, 0);
    });
}

#[test]
fn a_read_that_nobody_waited_for_serves_the_next() {
    let (_disk, spool, keeper) = gated();
    block_on(async {
        let whole = octets(50_000);
        let kept = keep(&spool, &whole, b"record").await.unwrap();
        let mut reader = kept.reader();
        let mut buf = vec![0; 10_000];
        // The same place with a smaller buffer, and another place.
        for (next, size) in [(20_000, 10_000), (20_000, 7), (49_000, 10_000)] {
            let stop = keeper.stop_at(Operation::Read);
            begin_and_drop(reader.read_at(20_000, &mut buf));
            stop.wait_until_reached();
            stop.go_on();
            let read = reader.read_at(next, &mut buf[..size]).await.unwrap();
            assert_eq!(read, size.min(50_000 - next as usize));
            assert_eq!(buf[..read], whole[next as usize..next as usize + read]);
        }
    });
}

#[test]
fn a_reservation_that_nobody_waited_for_is_given_back() {
    let (_disk, spool, keeper) = gated();
    let stop = keeper.stop_at(Operation::Free);
    begin_and_drop(spool.reserve(1000, 10));
    stop.wait_until_reached();
    stop.go_on();
    block_on(spool.close());
    assert_eq!(spool.usage().reserved, 0);
}

#[test]
fn many_messages_at_once_share_few_syncs_of_the_folder() {
    let disk = Simulated::new().with_threads();
    let (storage, keeper) = Gate::before(disk.storage());
    let settings = Settings { threads: 8, ..Settings::default() };
    let spool = Spool::open_on(storage, settings, waypost_spool::Metrics::default()).unwrap().spool;
    let before = disk.operations();
    block_on(async {
        let stop = keeper.stop_at(Operation::SyncFolder);
        let tasks: Vec<_> = (0..7_u8)
            .map(|number| {
                let spool = spool.clone();
                tokio::spawn(async move {
                    let copy = octets(1000 + usize::from(number));
                    let kept = keep(&spool, &copy, &[number]).await.unwrap();
                    assert_eq!(read_all(kept.reader()).await.unwrap(), copy);
                    assert_eq!(kept.record().await.unwrap(), [number]);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        // One syncs the folder, the six others come to wait for the next sync.
        while disk.operations() - before < 7 * 5 {
            tokio::task::yield_now().await;
        }
        stop.wait_until_reached();
        stop.go_on();
        for task in tasks {
            task.await.unwrap();
        }
        spool.close().await;
    });
    // Alone, each would sync it twice: ten operations each.
    let operations = disk.operations() - before;
    assert!(operations < 7 * 10, "{operations}");
    assert_eq!(open_disk(&disk).messages.len(), 7);
}
