//! The power fails after every single operation of the lives of several messages, and each state
//! that the disk may be found in is opened again.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use waypost_spool::simulated::Simulated;
use waypost_spool::{Draft, Error, Finding, Id, Kept, Metrics, Opened, Operation, Settings, Spool};

use crate::support::{block_on, octets, open_disk, read_all};

/// What may be found of a message after a crash.
#[derive(Clone, Debug, Default)]
struct Expected {
    copy: Vec<u8>,
    /// The records that it may have if it is there.
    records: Vec<Vec<u8>>,
    /// Whether its owner was told that it is kept, and not that it is removed.
    certain: bool,
}

/// The messages that their owner knows of.
type Book = BTreeMap<Id, Expected>;

/// The owner of messages, who writes down what was promised.
struct Owner {
    spool: Spool,
    book: Book,
    temper: Temper,
}

/// What an owner makes of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Temper {
    /// It is the power's, and the end.
    Mortal,
    /// What has failed is tried again.
    Patient,
    /// What has failed is left, and something else is tried.
    Hasty,
}

impl Owner {
    async fn begin(&mut self, copy: &[u8], record_bytes: usize) -> Result<Draft, Error> {
        let id = Id::generate();
        self.book.insert(id, Expected { copy: copy.to_vec(), ..Expected::default() });
        let reservation = self.spool.reserve(copy.len() as u64, record_bytes).await?;
        let mut draft = self.spool.begin(id, reservation);
        // In several writes.
        let middle = copy.len() / 2;
        draft.append(&copy[..middle]).await?;
        draft.append(&copy[middle..]).await?;
        Ok(draft)
    }

    async fn keep(&mut self, draft: Draft, record: &[u8]) -> Result<Kept, Error> {
        let expected = self.book.get_mut(&draft.id()).unwrap();
        // From now on it may be there, whole.
        expected.records = vec![record.to_vec()];
        let kept = draft.keep(record.to_vec()).await?;
        expected.certain = true;
        Ok(kept)
    }

    async fn update(&mut self, kept: &mut Kept, record: &[u8]) -> Result<(), Error> {
        let expected = self.book.get_mut(&kept.id()).unwrap();
        loop {
            expected.records.push(record.to_vec());
            match kept.update(record.to_vec()).await {
                Ok(()) => break,
                Err(error) if self.temper == Temper::Mortal => return Err(error),
                Err(error) => assert!(!matches!(error, Error::Gone)),
            }
            if self.temper == Temper::Hasty {
                return Ok(());
            }
        }
        expected.records = vec![record.to_vec()];
        assert_eq!(kept.record().await?, record);
        Ok(())
    }

    async fn remove(&mut self, kept: &mut Kept) -> Result<(), Error> {
        let expected = self.book.get_mut(&kept.id()).unwrap();
        expected.certain = false;
        loop {
            match kept.remove().await {
                Ok(()) => break,
                Err(_) if self.temper == Temper::Patient => {}
                Err(error) => return Err(error),
            }
        }
        expected.records.clear();
        Ok(())
    }
}

/// Several messages with several fates. Ends at the first error, which is the power's failing.
async fn lives(owner: &mut Owner) -> Result<(), Error> {
    // One that lives long.
    let mut draft = owner.begin(&octets(9_000), 100).await?;
    draft.sync().await?;
    let mut long = owner.keep(draft, b"promised").await?;
    // One that is delivered at once.
    let mut draft = owner.begin(&octets(5_000), 100).await?;
    draft.sync().await?;
    drop(draft);
    owner.update(&mut long, b"tried once").await?;
    // One that is longer than what waits in memory, and is kept without a sync before.
    let big = owner.begin(&octets(140_000), 100).await?;
    let mut big = owner.keep(big, b"big").await?;
    owner.update(&mut long, b"tried twice").await?;
    // One that is dropped before it is synced.
    drop(owner.begin(&octets(135_000), 100).await?);
    // A record that grows beyond what was provided for, and goes on.
    owner.update(&mut big, &octets(6_000)).await?;
    owner.update(&mut big, b"smaller again").await?;
    owner.remove(&mut long).await?;
    // An empty one, with a record that is too long from the beginning.
    let empty = owner.begin(b"", 1).await?;
    let mut empty = owner.keep(empty, &octets(5_000)).await?;
    owner.update(&mut empty, &octets(5_001)).await?;
    owner.remove(&mut big).await?;
    owner.update(&mut empty, b"last").await
}

/// The life of one message, which goes on where something fails.
async fn life(owner: &mut Owner) -> Result<(), Error> {
    let mut draft = owner.begin(&octets(5_000), 100).await?;
    draft.sync().await?;
    let mut kept = owner.keep(draft, b"promised").await?;
    owner.update(&mut kept, b"tried once").await?;
    owner.update(&mut kept, b"tried twice").await?;
    owner.update(&mut kept, &octets(5_000)).await?;
    owner.update(&mut kept, b"tried often").await?;
    owner.update(&mut kept, b"once more").await?;
    owner.remove(&mut kept).await
}

fn owner(disk: &Simulated, temper: Temper) -> Owner {
    Owner { spool: open_disk(disk).spool, book: Book::new(), temper }
}

/// How many operations a script takes when nothing fails.
fn operations(script: impl AsyncFn(&mut Owner) -> Result<(), Error>) -> u64 {
    let disk = Simulated::new();
    let mut owner = owner(&disk, Temper::Mortal);
    block_on(script(&mut owner)).unwrap();
    disk.operations()
}

/// Opens the spool and holds what is there against what was promised.
async fn check(disk: &Simulated, book: &Book, context: &str) {
    let Opened { spool, messages, findings } = open_disk(disk);
    assert!(findings.is_empty(), "{context}: {findings:?}");
    let mut names = Vec::new();
    let mut certain: Vec<Id> =
        book.iter().filter(|(_, expected)| expected.certain).map(|(id, _)| *id).collect();
    let mut bytes = 0;
    for found in messages {
        let id = found.message.id();
        let expected = book.get(&id).unwrap_or_else(|| panic!("{context}: nobody's message"));
        assert!(
            expected.records.contains(&found.record),
            "{context}: {id} with record {:?}, not of {:?}",
            String::from_utf8_lossy(&found.record),
            expected.records,
        );
        let copy = read_all(found.message.reader()).await.unwrap();
        assert!(copy == expected.copy, "{context}: {id} has another copy");
        certain.retain(|other| *other != id);
        for kind in ["copy", "record"] {
            names.push(format!("{id}.{kind}"));
            bytes += disk.content(names.last().unwrap()).unwrap().len().next_multiple_of(4096);
        }
    }
    assert!(certain.is_empty(), "{context}: {certain:?} are lost");
    assert_eq!(disk.names(), names, "{context}: nothing else is left");
    assert_eq!(spool.usage().bytes, bytes as u64, "{context}");
}

#[test]
fn what_is_kept_survives_a_crash_after_every_operation() {
    let all = operations(lives);
    assert!(all > 60, "{all} operations");
    let mut states = 0;
    for crash in 0..=all {
        let disk = Simulated::new();
        let mut owner = owner(&disk, Temper::Mortal);
        disk.crash_after(crash);
        let ended = block_on(lives(&mut owner));
        assert_eq!(ended.is_ok(), crash == all, "{ended:?}");
        for (number, disk) in disk.survivors(100).into_iter().enumerate() {
            let context = format!("crash after {crash}, state {number}");
            block_on(check(&disk, &owner.book, &context));
            // What was cleared up once is in order.
            block_on(check(&disk, &owner.book, &format!("{context}, again")));
            states += 1;
        }
    }
    assert!(states > 2_500, "{states} states");
}

#[test]
fn what_is_kept_survives_further_crashes_while_it_is_recovered() {
    let all = operations(lives);
    for crash in 0..=all {
        let disk = Simulated::new();
        let mut owner = owner(&disk, Temper::Mortal);
        disk.crash_after(crash);
        let _ = block_on(lives(&mut owner));
        for (number, disk) in disk.survivors(4).into_iter().enumerate() {
            for second in 0..7 {
                // The same state once more for each moment.
                let disk = disk.survivors(1).remove(0);
                disk.crash_after(second);
                let _ = Spool::open_on(disk.storage(), Settings::default(), Metrics::default());
                for disk in disk.survivors(4) {
                    let context = format!("crash after {crash}, state {number}, then {second}");
                    block_on(check(&disk, &owner.book, &context));
                }
            }
        }
    }
}

#[test]
fn a_killed_process_is_followed_by_one_that_the_power_fails() {
    // The next process sees what the killed one has done, synced or not, and goes on with it.
    let all = operations(lives);
    for kill in 0..=all {
        for crash in 0..10 {
            let disk = Simulated::new();
            let mut owner = owner(&disk, Temper::Mortal);
            disk.crash_after(kill);
            let _ = block_on(lives(&mut owner));
            let Owner { spool, mut book, .. } = owner;
            drop(spool);
            disk.crash_after(disk.operations() + crash);
            block_on(next_process(&disk, &mut book));
            for disk in disk.survivors(4) {
                let context = format!("killed after {kill}, then crash after {crash}");
                block_on(check(&disk, &book, &context));
            }
        }
    }
}

/// What the spool says at its start it says for certain, and updates add to that.
async fn next_process(disk: &Simulated, book: &mut Book) {
    let opened = Spool::open_on(disk.storage(), Settings::default(), Metrics::default());
    let Ok(opened) = opened else { return };
    for found in &opened.messages {
        let expected = book.get_mut(&found.message.id()).unwrap();
        assert!(expected.records.contains(&found.record));
        expected.records = vec![found.record.clone()];
        expected.certain = true;
    }
    let mut owner =
        Owner { spool: opened.spool, book: std::mem::take(book), temper: Temper::Mortal };
    for mut found in opened.messages {
        let _ = owner.update(&mut found.message, b"tried by the next").await;
    }
    *book = owner.book;
}

#[test]
fn what_is_kept_survives_failures_and_a_crash_later() {
    let all = operations(life);
    for (temper, fail) in [Temper::Patient, Temper::Hasty]
        .into_iter()
        .flat_map(|temper| (1..=all).map(move |fail| (temper, fail)))
    {
        // What follows a failure takes longer than what does not.
        for crash in fail..=all + 12 {
            let disk = Simulated::new();
            let mut owner = owner(&disk, temper);
            disk.fail_at(fail);
            disk.crash_after(crash);
            let lived = block_on(async {
                tokio::select! {
                    biased;
                    lived = life(&mut owner) => lived.is_ok(),
                    // Patience ends with the power.
                    () = until_crashed(&disk) => false,
                }
            });
            for disk in disk.survivors(10) {
                let context =
                    format!("{temper:?}, failure at {fail}, crash after {crash}, lived {lived}");
                block_on(check(&disk, &owner.book, &context));
            }
        }
    }
}

async fn until_crashed(disk: &Simulated) {
    while !disk.crashed() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn failing_removals_do_not_stop_a_start() {
    let disk = Simulated::new();
    let mut owner = owner(&disk, Temper::Mortal);
    // The first draft is synced, nothing is kept.
    disk.crash_after(disk.operations() + 6);
    let _ = block_on(lives(&mut owner));
    let disk = disk.survivors(1).remove(0);
    assert_eq!(disk.names().len(), 2);
    disk.fail(Operation::Remove, 1);
    let opened = open_disk(&disk);
    let [Finding::NotRemoved(_)] = &opened.findings[..] else { panic!("{:?}", opened.findings) };
    assert_eq!(disk.names().len(), 1);
    drop(opened);
    block_on(check(&disk, &owner.book, "the next start"));
}
