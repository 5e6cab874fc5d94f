//! What stands between the server and the LDAP client.
//!
//! The client has no limit on a message's size, parses by recursion and gives up (panics) on
//! answers that it does not expect. So each message is looked at here before the client sees it:
//! what passes has a known kind, a bounded size and a bounded depth.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::UnixStream;

use super::ber;
use super::message::{Verdict, describe, inspect};
use super::stream::ServerStream;

/// How much is read from the server at a time.
const READ_SIZE: usize = 16 * 1024;
/// An empty buffer that has grown beyond this is given back.
const KEEP: usize = 64 * 1024;
/// `UnbindRequest` (RFC 4511 section 4.3), under an id that the client does not reach.
const UNBIND: [u8; 10] = [0x30, 0x08, 0x02, 0x04, 0x7f, 0xff, 0xff, 0xff, 0x42, 0x00];

/// What the fence and the searches tell each other.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// How often octets arrived from the server: a sign of life.
    pub(super) received: AtomicU64,
    /// How many searches are under way.
    pub(super) in_flight: AtomicUsize,
}

/// Carries messages between a server and the LDAP client until either ends. Answers why.
///
/// `unread` is what the server has said already, `limit` the largest message in octets, and the
/// most that the server may say while nobody asks anything.
pub(super) async fn guard(
    server: ServerStream,
    unread: Vec<u8>,
    client: UnixStream,
    limit: usize,
    traffic: Arc<Traffic>,
) -> String {
    let (server_read, server_write) = split(server);
    let (client_read, client_write) = client.into_split();
    tokio::select! {
        reason = inbound(server_read, unread, client_write, limit, &traffic) => reason,
        reason = outbound(client_read, server_write) => reason,
    }
}

async fn inbound(
    mut server: impl AsyncRead + Unpin,
    mut buffer: Vec<u8>,
    mut client: impl AsyncWrite + Unpin,
    limit: usize,
    traffic: &Traffic,
) -> String {
    let mut unasked = 0_usize;
    loop {
        let examined = examine(&buffer, limit);
        if let Some(passed) = buffer.get(..examined.passed)
            && client.write_all(passed).await.is_err()
        {
            return "the LDAP client has gone".to_owned();
        }
        if let Some(reason) = examined.end {
            return reason;
        }
        buffer.drain(..examined.passed.min(buffer.len()));
        if buffer.is_empty() && buffer.capacity() > KEEP {
            buffer = Vec::new();
        }
        buffer.reserve(READ_SIZE);
        match server.read_buf(&mut buffer).await {
            Ok(0) => return "the server closed the connection".to_owned(),
            Ok(_) if unasked > limit => return "the server talks though nobody asks".to_owned(),
            Ok(octets) => {
                traffic.received.fetch_add(1, Ordering::Relaxed);
                let asked = traffic.in_flight.load(Ordering::Relaxed) > 0;
                unasked = if asked { 0 } else { unasked.saturating_add(octets) };
            }
            Err(error) => return format!("the connection failed: {error}"),
        }
    }
}

/// What was found in the octets that have arrived.
struct Examined {
    /// How many octets, from the start, are whole messages that the client may have.
    passed: usize,
    /// Why nothing more may pass.
    end: Option<String>,
}

fn examine(buffer: &[u8], limit: usize) -> Examined {
    let mut passed = 0;
    let end = loop {
        let rest = buffer.get(passed..).unwrap_or_default();
        let message = match ber::message_length(rest, limit) {
            Ok(Some(length)) => rest.get(..length),
            Ok(None) => None,
            Err(malformed) => break Some(malformed),
        };
        let Some(message) = message else { break None };
        match inspect(message) {
            Ok(Verdict::Pass) => passed += message.len(),
            Ok(Verdict::Goodbye(outcome)) => {
                let words = describe(outcome.code, &outcome.text);
                return Examined { passed, end: Some(format!("the server says goodbye: {words}")) };
            }
            Err(malformed) => break Some(malformed),
        }
    };
    let end = end.map(|malformed| format!("the server breaks the protocol: {malformed}"));
    Examined { passed, end }
}

/// Whatever a server says, what passes is whole messages on which the LDAP client's parser does not
/// fail.
pub(crate) fn fuzz(data: &[u8]) {
    let examined = examine(data, 4096);
    let mut rest = data.get(..examined.passed).expect("no more passes than came");
    while !rest.is_empty() {
        let (behind, _) = ldap3::asn1::parse_tag(rest).expect("what passes can be parsed");
        rest = behind;
    }
}

async fn outbound(
    mut client: impl AsyncRead + Unpin,
    mut server: impl AsyncWrite + Unpin,
) -> String {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        match client.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => {
                // Courtesy: whether it arrives makes no difference any more.
                let _ = server.write_all(&UNBIND).await;
                let _ = server.shutdown().await;
                return "closed".to_owned();
            }
            Ok(_) => {}
        }
        let sent = async {
            server.write_all(&buffer).await?;
            server.flush().await
        };
        if let Err(error) = sent.await {
            return format!("the connection failed: {error}");
        }
        buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::examine;

    const DONE: &[u8] = b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00";

    #[test]
    fn whole_messages_pass() {
        for cut in 0..=2 * DONE.len() {
            let octets = DONE.repeat(2);
            let examined = examine(&octets[..cut], 1000);
            assert_eq!(examined.passed, cut / DONE.len() * DONE.len());
            assert_eq!(examined.end, None);
        }
    }

    #[test]
    fn what_the_client_would_trip_over_does_not_pass() {
        let notice = b"\x30\x0c\x02\x01\x00\x78\x07\x0a\x01\x34\x04\x00\x04\x00";
        for (octets, limit, reason) in [
            (&notice[..], 1000, "goodbye: unavailable (52)"),
            (DONE, 13, "larger than 13"),
            // A bind response, a search result for id 0, no code, a text that is not UTF-8,
            // something behind the result, an operation that is cut short.
            (b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", 1000, "breaks"),
            (b"\x30\x0c\x02\x01\x00\x65\x07\x0a\x01\x00\x04\x00\x04\x00", 1000, "breaks"),
            (b"\x30\x0b\x02\x01\x01\x65\x06\x0a\x00\x04\x00\x04\x00", 1000, "breaks"),
            (b"\x30\x0d\x02\x01\x01\x65\x08\x0a\x01\x00\x04\x00\x04\x01\xff", 1000, "breaks"),
            (b"\x30\x0e\x02\x01\x01\x65\x09\x0a\x01\x00\x04\x00\x04\x00\x04\x00", 1000, "breaks"),
            (b"\x30\x0c\x02\x01\x01\x65\x08\x0a\x01\x00\x04\x00\x04\x00", 1000, "breaks"),
            (b"\x30\x03\x02\x01\x01", 1000, "breaks"),
            (b"\x30\x00", 1000, "breaks"),
            (b"HTTP/1.1 400 Bad Request", 1000, "breaks"),
        ] {
            let good = [DONE, octets].concat();
            let limit_of_good = if limit < DONE.len() { limit } else { 1000 };
            let examined = examine(&good, limit_of_good);
            let expected =
                if limit_of_good == limit && limit < DONE.len() { 0 } else { DONE.len() };
            assert_eq!(examined.passed, expected);
            let end = examined.end.unwrap_or_default();
            assert!(end.contains(reason), "{octets:x?}: {end}");
        }
    }
}
