//! The PROXY protocol, versions 1 and 2: what a proxy in front says of the client before the first
//! byte of the mail protocol.
//!
//! Written after HAProxy's `proxy-protocol.txt` (2.0 and later). [`decode`] is fed what has arrived
//! so far, again and again, until it answers something else than [`Decoded::NeedMore`]. It looks at
//! no byte behind the header's end, and it says how many bytes it is sure to miss, so that a caller
//! who reads no more than that from the socket leaves the bytes behind the header where they are.
//!
//! Whether a peer may send a header at all is the caller's to decide, by its address, before the
//! first byte is read. A listener that expects a header takes no connection without one: there is
//! no guessing (section 2 of the specification).

mod crc;
mod v1;
mod v2;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

/// The longest version 1 header, in octets, with its CRLF (section 2.1).
pub const MAX_V1: usize = 107;
/// The longest version 2 header that is taken, in octets. The format would allow 65,551; addresses
/// and every TLV that proxies send today fit in a tenth of this.
pub const MAX_V2: usize = 4096;
/// The longest unique id, in octets (section 2.2.5).
pub const MAX_UNIQUE_ID: usize = 128;

/// What a PROXY header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The proxy speaks for itself (`LOCAL`: a health check). The connection's own addresses count
    /// and nothing else is known.
    pub local: bool,
    /// The client. `None` for `LOCAL`, and where the proxy does not know or the client came over
    /// something that is not TCP (`UNKNOWN`, `UNSPEC`, a Unix socket, datagrams). Addresses of the
    /// form `::ffff:a.b.c.d` are IPv4 addresses here.
    pub source: Option<SocketAddr>,
    /// Where the client connected to; `None` exactly where `source` is.
    pub destination: Option<SocketAddr>,
    /// The host name that the client asked for, in TLS terms the SNI (`PP2_TYPE_AUTHORITY`).
    pub authority: Option<String>,
    /// The proxy's id of the connection, opaque, at most [`MAX_UNIQUE_ID`] octets
    /// (`PP2_TYPE_UNIQUE_ID`).
    pub unique_id: Option<Vec<u8>>,
    /// The TLS session between client and proxy (`PP2_TYPE_SSL`).
    pub ssl: Option<Ssl>,
}

/// What the proxy in front knows of its TLS session with the client (section 2.2.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ssl {
    /// The client's connection to the proxy is encrypted.
    pub encrypted: bool,
    /// The client showed a certificate, on this connection or when its session began.
    pub certificate: bool,
    /// That certificate was verified.
    pub verified: bool,
    /// The version in the proxy's spelling, such as `TLSv1.3`.
    pub version: Option<String>,
    /// The common name in the client's certificate.
    pub common_name: Option<String>,
    /// The cipher suite in the proxy's spelling.
    pub cipher: Option<String>,
}

/// What the bytes that have arrived so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The header has not ended. At least this many octets are missing, one or more: whoever reads
    /// no more than that does not read past the header.
    NeedMore(usize),
    /// The header, and how many octets it took. What stands behind is the client's.
    Header(Box<Header>, usize),
    /// This is no header, and no byte more makes it one: close the connection.
    Invalid(Invalid),
}

/// Why bytes are no PROXY header.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Invalid {
    /// The connection starts with something else. Most often a client that reached the listener
    /// past the proxy.
    #[error("the connection does not start with a PROXY header")]
    Signature,
    /// More than [`MAX_V1`] or [`MAX_V2`] octets.
    #[error("the PROXY header is too long")]
    TooLong,
    /// Version 1: not `PROXY`, a family, two addresses and two ports with one space between.
    #[error("the PROXY line is malformed")]
    Line,
    /// Version 2: another version, or a command that the specification does not know.
    #[error("the PROXY header has an unknown version or command")]
    Command,
    /// Version 2: a family or transport that the specification does not know.
    #[error("the PROXY header has an unknown address family")]
    Family,
    /// Version 2: the addresses or a TLV reach past the header's end.
    #[error("the PROXY header is shorter than what it holds")]
    Truncated,
    /// Version 2: a TLV whose value cannot be one.
    #[error("the PROXY header holds a malformed TLV")]
    Tlv,
    /// Version 2: the checksum that the header carries is not the header's.
    #[error("the PROXY header's checksum is wrong")]
    Checksum,
}

/// Decodes the header at the start of `input`, of either version.
pub fn decode(input: &[u8]) -> Decoded {
    if input.is_empty() {
        return Decoded::NeedMore(v1::SHORTEST.len());
    }
    let signature = input.get(..v2::SIGNATURE.len()).unwrap_or(input);
    if v2::SIGNATURE.starts_with(signature) {
        return v2::decode(input);
    }
    v1::decode(input)
}

impl Header {
    /// A header that names the two ends of a TCP connection and nothing else.
    pub fn new(source: SocketAddr, destination: SocketAddr) -> Self {
        Self { source: Some(source), destination: Some(destination), ..Self::default() }
    }

    /// Appends the version 1 line to `out`: the addresses, or `UNKNOWN` where there are none. It
    /// can carry nothing else.
    pub fn encode_v1(&self, out: &mut Vec<u8>) {
        v1::encode(self, out);
    }

    /// Appends the version 2 header to `out`. A TLV that cannot be encoded, because its value is
    /// empty or longer than the format or [`MAX_V2`] allows, is left out.
    pub fn encode_v2(&self, out: &mut Vec<u8>) {
        v2::encode(self, out);
    }

    /// Both ends in one family, as both versions demand; `None` where an end is unknown. An IPv4
    /// address beside an IPv6 address is written as `::ffff:a.b.c.d`.
    fn ends(&self) -> Option<Ends> {
        let (source, destination) = (self.source?, self.destination?);
        let ports = (source.port(), destination.port());
        Some(match (source.ip().to_canonical(), destination.ip().to_canonical()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Ends::V4(source, destination, ports),
            (source, destination) => Ends::V6(mapped(source), mapped(destination), ports),
        })
    }
}

/// Two addresses of one family and their ports, source before destination.
enum Ends {
    V4(Ipv4Addr, Ipv4Addr, (u16, u16)),
    V6(Ipv6Addr, Ipv6Addr, (u16, u16)),
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn end(address: IpAddr, port: u16) -> Option<SocketAddr> {
    Some(SocketAddr::new(address.to_canonical(), port))
}
