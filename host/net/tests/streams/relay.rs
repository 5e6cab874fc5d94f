//! The relay between real sockets, in clear and over TLS on either leg.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::timeout;
use waypost_net::Stream;
use waypost_net::relay::{EndCause, Leg, RelayEnd};
use waypost_net::session::EndReason;

use crate::support::{Kind, Rig, pattern, read_to_end};

const KINDS: [(Kind, Kind); 4] = [
    (Kind::Tcp, Kind::Tcp),
    (Kind::Tls, Kind::Tcp),
    (Kind::Tcp, Kind::Tls),
    (Kind::Tls, Kind::Tls),
];

async fn read_exactly(stream: &mut Stream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let mut at = 0;
    while at < count {
        match stream.read(&mut bytes[at..]).await.unwrap() {
            0 => panic!("the stream ended after {at} of {count} bytes"),
            read => at += read,
        }
    }
    bytes
}

async fn finished(rig: Rig) -> RelayEnd {
    drop((rig.client, rig.backend));
    timeout(Duration::from_secs(10), rig.relay).await.expect("the relay never ends").unwrap()
}

#[tokio::test]
async fn what_one_side_says_the_other_hears_in_any_size() {
    for (number, (client, backend)) in KINDS.into_iter().enumerate() {
        let mut random = SmallRng::seed_from_u64(number as u64);
        let mut rig = Rig::new(client, backend).await;
        for _ in 0..60 {
            let size = match random.random_range(0..4) {
                0 => random.random_range(1..4),
                1 => random.random_range(1..2_000),
                2 => random.random_range(16_000..17_000),
                _ => random.random_range(1..200_000),
            };
            let bytes = pattern(size);
            let (sender, receiver) = match random.random() {
                true => (&mut rig.client, &mut rig.backend),
                false => (&mut rig.backend, &mut rig.client),
            };
            let (sent, received) =
                tokio::join!(sender.write_all(&bytes), read_exactly(receiver, size));
            sent.unwrap();
            assert!(received == bytes, "{client:?} {backend:?} {size}");
        }
    }
}

#[tokio::test]
async fn both_directions_flow_at_once() {
    for (client, backend) in KINDS {
        let rig = Rig::new(client, backend).await;
        let (up, down) = (pattern(3_000_000), pattern(2_500_001));
        let talk = |mut stream: Stream, says: Vec<u8>, hears: usize| async move {
            // One task for each direction of a socket is what the stream cannot do: so write a
            // little, read a little.
            let mut heard = Vec::new();
            let mut buffer = vec![0; 30_000];
            let mut said = 0;
            while said < says.len() || heard.len() < hears {
                if said < says.len() {
                    let next = says.len().min(said + 20_000);
                    stream.write_all(&says[said..next]).await.unwrap();
                    said = next;
                }
                if heard.len() < hears {
                    let count = stream.read(&mut buffer).await.unwrap();
                    heard.extend_from_slice(&buffer[..count]);
                }
            }
            (stream, heard)
        };
        let (client_end, backend_end) = tokio::join!(
            tokio::spawn(talk(rig.client, up.clone(), down.len())),
            tokio::spawn(talk(rig.backend, down.clone(), up.len())),
        );
        let ((client_end, heard_down), (backend_end, heard_up)) =
            (client_end.unwrap(), backend_end.unwrap());
        assert!(heard_down == down && heard_up == up, "{client:?} {backend:?}");
        drop((client_end, backend_end));
        let end = rig.relay.await.unwrap();
        assert_eq!((end.from_client, end.from_backend), (up.len() as u64, down.len() as u64));
    }
}

#[tokio::test]
async fn the_end_of_one_direction_leaves_the_other_open() {
    for (client, backend) in KINDS {
        for client_first in [true, false] {
            let mut rig = Rig::new(client, backend).await;
            let (first, second) = match client_first {
                true => (&mut rig.client, &mut rig.backend),
                false => (&mut rig.backend, &mut rig.client),
            };
            first.write_all(b"my last word").await.unwrap();
            first.shutdown().await.unwrap();
            assert_eq!(read_to_end(second).await.unwrap(), b"my last word");
            let long_answer = pattern(400_000);
            let (sent, received) = tokio::join!(
                async {
                    second.write_all(&long_answer).await?;
                    second.shutdown().await
                },
                read_to_end(first)
            );
            sent.unwrap();
            assert!(received.unwrap() == long_answer, "{client:?} {backend:?}");
            let end = finished(rig).await;
            let cause = if client_first { EndCause::ClientClosed } else { EndCause::BackendClosed };
            assert_eq!(end.cause, cause, "{client:?} {backend:?}");
            assert!(end.error.is_none());
        }
    }
}

#[tokio::test]
async fn bytes_behind_the_login_go_first_and_in_order() {
    for (client, backend) in KINDS {
        let mut rig = Rig::with_pending(client, backend, b"a2 SELECT", b"* OK more").await;
        rig.client.write_all(b" inbox\r\n").await.unwrap();
        rig.backend.write_all(b" to come\r\n").await.unwrap();
        assert_eq!(read_exactly(&mut rig.backend, 17).await, b"a2 SELECT inbox\r\n");
        assert_eq!(read_exactly(&mut rig.client, 19).await, b"* OK more to come\r\n");
        let end = finished(rig).await;
        assert_eq!((end.from_client, end.from_backend), (17, 19));
    }
}

#[tokio::test]
async fn large_transfers_are_spliced_and_small_exchanges_are_not() {
    let mut rig = Rig::new(Kind::Tcp, Kind::Tcp).await;
    for size in [1, 100, 4_000, 30_000] {
        let bytes = pattern(size);
        rig.client.write_all(&bytes).await.unwrap();
        assert_eq!(read_exactly(&mut rig.backend, size).await, bytes);
        rig.backend.write_all(&bytes).await.unwrap();
        assert_eq!(read_exactly(&mut rig.client, size).await, bytes);
    }
    assert_eq!(finished(rig).await.spliced, 0);

    let mut rig = Rig::new(Kind::Tcp, Kind::Tcp).await;
    let bytes = pattern(8_000_000);
    let (sent, received) =
        tokio::join!(rig.backend.write_all(&bytes), read_exactly(&mut rig.client, bytes.len()));
    sent.unwrap();
    assert!(received == bytes);
    let end = finished(rig).await;
    assert!(end.spliced > 4_000_000, "only {} of 8,000,000 bytes were spliced", end.spliced);
}

#[tokio::test]
async fn a_reset_ends_the_session_and_names_its_side() {
    for (client, backend) in [(Kind::Tcp, Kind::Tcp), (Kind::Tcp, Kind::Tls)] {
        let mut rig = Rig::new(client, backend).await;
        rig.client.write_all(&pattern(100_000)).await.unwrap();
        reset(rig.client);
        let error = loop {
            let mut buffer = [0; 10_000];
            match rig.backend.read(&mut buffer).await {
                Ok(0) => break None,
                Ok(_) => {}
                Err(error) => break Some(error),
            }
        };
        // In clear an end is an end; over TLS it can be told from a close.
        assert_eq!(error.is_some(), backend == Kind::Tls);
        drop(rig.backend);
        let end = rig.relay.await.unwrap();
        assert_eq!(end.cause, EndCause::ClientFailed);
        assert_eq!(end.error.unwrap().kind(), std::io::ErrorKind::ConnectionReset);
    }
    let mut rig = Rig::new(Kind::Tls, Kind::Tcp).await;
    rig.backend.write_all(b"x").await.unwrap();
    assert_eq!(read_exactly(&mut rig.client, 1).await, b"x");
    reset(rig.backend);
    assert!(read_to_end(&mut rig.client).await.is_err());
    drop(rig.client);
    assert_eq!(rig.relay.await.unwrap().cause, EndCause::BackendFailed);
}

fn reset(stream: Stream) {
    let tcp = stream.into_tcp().unwrap();
    tcp.set_zero_linger().unwrap();
}

/// A server that throws a client out says why and closes, whatever the client still has to say:
/// then writing to it fails before its last word was read.
#[tokio::test]
async fn the_last_word_of_a_back_end_that_hangs_up_reaches_the_client() {
    for kind in [Kind::Tcp, Kind::Tls] {
        let mut rig = Rig::new(kind, Kind::Tcp).await;
        rig.client.write_all(b"too much").await.unwrap();
        let (Stream::Tcp(backend), more) = (rig.backend, pattern(5_000)) else { panic!() };
        while backend.peek(&mut [0]).await.unwrap() == 0 {}
        rig.client.write_all(&more).await.unwrap();
        // The relay does not run between these: it finds client and back end ready at once.
        // Closing with unread bytes is a reset.
        // More than the relay moves at once, and no more than the kernel sends at once: a reset
        // throws the rest away.
        let last_words = pattern(60_000);
        assert_eq!(backend.try_write(&last_words).unwrap(), last_words.len());
        drop(backend);
        assert!(read_exactly(&mut rig.client, last_words.len()).await == last_words);
        drop(rig.client);
        let end = rig.relay.await.unwrap();
        assert_eq!(end.cause, EndCause::BackendFailed);
    }
}

#[tokio::test]
async fn a_tls_leg_that_is_cut_off_is_not_passed_on_as_a_proper_end() {
    let mut rig = Rig::new(Kind::Tls, Kind::Tls).await;
    // A client that leaves session tickets unread would reset the connection instead.
    rig.backend.write_all(b"x").await.unwrap();
    assert_eq!(read_exactly(&mut rig.client, 1).await, b"x");
    rig.client.write_all(b"half a messa").await.unwrap();
    drop(rig.client);
    assert_eq!(read_exactly(&mut rig.backend, 12).await, b"half a messa");
    let error = rig.backend.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    drop(rig.backend);
    assert_eq!(rig.relay.await.unwrap().cause, EndCause::ClientClosed);
}

#[tokio::test]
async fn a_session_that_is_killed_ends_both_legs() {
    for (client, backend) in KINDS {
        let mut rig = Rig::new(client, backend).await;
        assert!(rig.table.kill(rig.id));
        assert_eq!(read_to_end(&mut rig.client).await.unwrap(), b"");
        assert_eq!(read_to_end(&mut rig.backend).await.unwrap(), b"");
        let end = rig.relay.await.unwrap();
        assert_eq!(end.cause, EndCause::Ended(EndReason::Killed));
        assert_eq!(rig.table.count(), 1);
        drop(end);
        assert_eq!(rig.table.count(), 0);
    }
}

/// The slow side reads nothing at first: then nothing may be lost, and everything arrives.
#[tokio::test]
async fn a_slow_reader_gets_everything() {
    for (client, backend) in KINDS {
        let mut rig = Rig::new(client, backend).await;
        let bytes = pattern(12_000_000);
        let writing = async {
            rig.backend.write_all(&bytes).await.unwrap();
            rig.backend.shutdown().await.unwrap();
        };
        let reading = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let mut received = read_exactly(&mut rig.client, 1_000_000).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            received.extend(read_to_end(&mut rig.client).await.unwrap());
            received
        };
        let ((), received) = tokio::join!(writing, reading);
        assert!(received == bytes, "{client:?} {backend:?}");
    }
}

/// Memory streams have no kernel buffers: what is written and neither read nor in one of the two
/// streams is in the relay.
#[tokio::test]
async fn no_more_than_the_bound_waits_for_slow_peers() {
    // Larger than any bound, so that one read may bring more than is allowed.
    const PIPE: usize = 200_000;
    let (mut client, client_leg) = tokio::io::duplex(PIPE);
    let (mut backend, backend_leg) = tokio::io::duplex(PIPE);
    let (table, record) = crate::support::record();
    let relay = tokio::spawn(waypost_net::relay(
        Leg::from(Stream::from(client_leg)),
        Leg::from(Stream::from(backend_leg)),
        record,
    ));
    let up = written_until_stalled(&mut client).await - 2 * PIPE;
    let down = written_until_stalled(&mut backend).await - 2 * PIPE;
    assert!(up > 0 && down > 0, "{up} and {down}");
    assert!(up + down <= 64 * 1024, "{up} and {down}");
    table.kill_all();
    relay.await.unwrap();
}

async fn written_until_stalled(stream: &mut tokio::io::DuplexStream) -> usize {
    let mut total = 0;
    let bytes = [0; 1_000];
    loop {
        let write = tokio::io::AsyncWriteExt::write(stream, &bytes);
        match timeout(Duration::from_millis(100), write).await {
            Ok(count) => total += count.unwrap(),
            Err(_) => return total,
        }
    }
}

#[tokio::test]
async fn the_future_is_small() {
    let rig = Rig::unstarted(Kind::Tls, Kind::Tls).await;
    let size = size_of_val(&rig.relay);
    assert!(size <= 512, "{size} bytes");
}

#[tokio::test]
async fn sessions_leave_no_descriptor_behind() {
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let one = || async {
        let mut rig = Rig::new(Kind::Tcp, Kind::Tcp).await;
        let bytes = pattern(5_000_000);
        // Cut off in the middle of a transfer that stalls, with bytes in a pipe.
        let write = rig.backend.write_all(&bytes);
        let _ = timeout(Duration::from_millis(20), write).await;
        let end = finished(rig).await;
        assert!(end.from_backend > 0);
    };
    one().await;
    let before = count();
    for _ in 0..20 {
        one().await;
    }
    // A worker keeps a few pipes.
    assert!(count() <= before + 16, "{before} before, {} after", count());
}
