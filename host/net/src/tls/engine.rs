//! rustls's unbuffered connection, either side, as a machine that turns bytes into bytes.
//!
//! Nothing here does I/O or keeps a buffer: [`super::TlsStream`] lends the bytes.

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedConnectionCommon,
    UnbufferedStatus, WriteTraffic,
};
use rustls::{CommonState, Error};

use crate::buffers::Leftover;

/// One side of a TLS connection.
pub(super) enum Engine {
    /// The client's leg, where Waypost is the server.
    Server(UnbufferedServerConnection),
    /// The back end's leg, where Waypost is the client.
    Client(UnbufferedClientConnection),
}

/// How far the records that were received have led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The handshake goes on; more records are needed.
    Handshake,
    /// Application data may be sent and received.
    Traffic,
    /// The peer has sent its close_notify: no more data will come.
    PeerClosed,
}

/// Where decrypted bytes go: into the caller's buffer, and behind its end into a leftover.
pub(super) struct Plaintext<'a> {
    buffer: &'a mut [u8],
    filled: usize,
    overflow: &'a mut Leftover,
}

impl<'a> Plaintext<'a> {
    pub(super) fn new(buffer: &'a mut [u8], overflow: &'a mut Leftover) -> Self {
        Self { buffer, filled: 0, overflow }
    }

    /// How many bytes of the caller's buffer are filled.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    fn put(&mut self, bytes: &[u8]) {
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let (now, later) = bytes.split_at(bytes.len().min(room.len()));
        if let Some(room) = room.get_mut(..now.len()) {
            room.copy_from_slice(now);
        }
        self.filled += now.len();
        self.overflow.push(later);
    }
}

impl Engine {
    /// Processes every whole record of `incoming`, which must begin with the bytes that earlier
    /// calls did not use, exactly as they left them: rustls works in place and remembers where in
    /// them it was.
    ///
    /// Plaintext goes to `plaintext`; what is to be sent is added to `outgoing`, an alert that
    /// explains an error included. Returns how many bytes of `incoming` are used up, and how far
    /// that led. After an error the engine is not to be called again.
    pub(super) fn receive(
        &mut self,
        incoming: &mut [u8],
        plaintext: &mut Plaintext<'_>,
        outgoing: &mut Vec<u8>,
    ) -> (usize, Result<Phase, Error>) {
        match self {
            Self::Server(connection) => receive(&mut **connection, incoming, plaintext, outgoing),
            Self::Client(connection) => receive(&mut **connection, incoming, plaintext, outgoing),
        }
    }

    /// Encrypts `plaintext` into `out`, behind whatever rustls itself has to send. `incoming` is
    /// what [`Engine::receive`] left. Returns how many bytes of `out` are to be sent.
    pub(super) fn encrypt(
        &mut self,
        incoming: &mut [u8],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        match self {
            Self::Server(connection) => {
                send(&mut **connection, incoming, out, |mut traffic, out| {
                    traffic.encrypt(plaintext, out)
                })
            }
            Self::Client(connection) => {
                send(&mut **connection, incoming, out, |mut traffic, out| {
                    traffic.encrypt(plaintext, out)
                })
            }
        }
    }

    /// Writes the close_notify alert into `out`; nothing may be encrypted after it.
    pub(super) fn close(&mut self, incoming: &mut [u8], out: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::Server(connection) => {
                send(&mut **connection, incoming, out, |mut t, out| t.queue_close_notify(out))
            }
            Self::Client(connection) => {
                send(&mut **connection, incoming, out, |mut t, out| t.queue_close_notify(out))
            }
        }
    }

    /// What was negotiated.
    pub(super) fn common(&self) -> &CommonState {
        match self {
            Self::Server(connection) => connection,
            Self::Client(connection) => connection,
        }
    }
}

/// The one method of rustls's two connection types that they do not share by a trait.
trait Unbuffered {
    type Data;

    fn step<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;

    fn has_to_send(&self) -> bool;
}

impl Unbuffered for UnbufferedConnectionCommon<ServerConnectionData> {
    type Data = ServerConnectionData;

    fn step<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn has_to_send(&self) -> bool {
        self.wants_write()
    }
}

impl Unbuffered for UnbufferedConnectionCommon<ClientConnectionData> {
    type Data = ClientConnectionData;

    fn step<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn has_to_send(&self) -> bool {
        self.wants_write()
    }
}

fn receive<C: Unbuffered>(
    connection: &mut C,
    incoming: &mut [u8],
    plaintext: &mut Plaintext<'_>,
    outgoing: &mut Vec<u8>,
) -> (usize, Result<Phase, Error>) {
    let mut used = 0;
    let mut peer_closed = false;
    let result = loop {
        let rest = incoming.get_mut(used..).unwrap_or_default();
        let UnbufferedStatus { mut discard, state } = connection.step(rest);
        let step = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                match traffic.next_record() {
                    Some(Ok(record)) => {
                        discard += record.discard;
                        plaintext.put(record.payload);
                    }
                    Some(Err(error)) => break Some(Err(error)),
                    None => break None,
                }
            },
            Ok(ConnectionState::EncodeTlsData(record)) => append(record, outgoing).err().map(Err),
            Ok(ConnectionState::TransmitTlsData(transmit)) => {
                // What was encoded stands in `outgoing`, and goes out in order.
                transmit.done();
                None
            }
            Ok(ConnectionState::PeerClosed) => {
                peer_closed = true;
                None
            }
            Ok(ConnectionState::Closed) => Some(Ok(Phase::PeerClosed)),
            Ok(ConnectionState::WriteTraffic(_)) if peer_closed => Some(Ok(Phase::PeerClosed)),
            Ok(ConnectionState::WriteTraffic(_)) => Some(Ok(Phase::Traffic)),
            Ok(ConnectionState::BlockedHandshake) => Some(Ok(Phase::Handshake)),
            Ok(_) => Some(Err(Error::General("early data, which was never offered".into()))),
            Err(error) => Some(Err(error)),
        };
        used = used.saturating_add(discard).min(incoming.len());
        if let Some(result) = step {
            break result;
        }
    };
    if result.is_err() {
        let rest = incoming.get_mut(used..).unwrap_or_default();
        collect_alert(connection, rest, outgoing);
    }
    match result {
        // "Any data received after a closure alert has been received MUST be ignored."
        // (RFC 8446 section 6.1)
        Ok(Phase::PeerClosed) => (incoming.len(), result),
        _ => (used, result),
    }
}

/// Adds the alert that explains an error to what is to be sent. rustls must not be stepped further
/// than its queue reaches, since it would process the faulty record anew.
fn collect_alert<C: Unbuffered>(connection: &mut C, incoming: &mut [u8], outgoing: &mut Vec<u8>) {
    while connection.has_to_send() {
        let Ok(ConnectionState::EncodeTlsData(record)) = connection.step(incoming).state else {
            return;
        };
        if append(record, outgoing).is_err() {
            return;
        }
    }
}

/// Fills `out` with what rustls has to send and then with what `write` makes of the open
/// connection.
fn send<C: Unbuffered>(
    connection: &mut C,
    incoming: &mut [u8],
    out: &mut [u8],
    write: impl FnOnce(WriteTraffic<'_, C::Data>, &mut [u8]) -> Result<usize, EncryptError>,
) -> Result<usize, Error> {
    let mut written = 0;
    loop {
        let room = out.get_mut(written..).unwrap_or_default();
        match connection.step(incoming).state? {
            ConnectionState::WriteTraffic(traffic) => {
                let count = write(traffic, room).map_err(|error| general(&error))?;
                return Ok(written + count);
            }
            ConnectionState::EncodeTlsData(mut record) => {
                written += record.encode(room).map_err(|error| general(&error))?;
            }
            ConnectionState::TransmitTlsData(transmit) => transmit.done(),
            ConnectionState::PeerClosed => {}
            ConnectionState::Closed => {
                return Err(Error::General("written to after close_notify".into()));
            }
            _ => return Err(Error::HandshakeNotComplete),
        }
    }
}

/// Encodes a record behind the bytes of `outgoing`.
fn append<D>(mut record: EncodeTlsData<'_, D>, outgoing: &mut Vec<u8>) -> Result<(), Error> {
    let start = outgoing.len();
    loop {
        let room = outgoing.get_mut(start..).unwrap_or_default();
        match record.encode(room) {
            Ok(count) => {
                outgoing.truncate(start + count);
                return Ok(());
            }
            // The first try is only there to learn the size.
            Err(EncodeError::InsufficientSize(size)) if room.len() < size.required_size => {
                outgoing.reserve_exact(size.required_size);
                outgoing.resize(start + size.required_size, 0);
            }
            Err(error) => return Err(general(&error)),
        }
    }
}

fn general(error: &dyn std::error::Error) -> Error {
    Error::General(error.to_string())
}
