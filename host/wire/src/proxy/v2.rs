//! Version 2: a fixed start, a block of addresses and a list of TLVs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::crc::crc32c;
use super::{Decoded, Ends, Header, Invalid, MAX_UNIQUE_ID, MAX_V2, Ssl, end};

pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length.
const START: usize = 16;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
/// Source and destination of two Unix sockets.
const UNIX_BLOCK: usize = 216;
const IPV4_BLOCK: usize = 12;
const IPV6_BLOCK: usize = 36;

const TYPE_AUTHORITY: u8 = 0x02;
const TYPE_CRC32C: u8 = 0x03;
const TYPE_UNIQUE_ID: u8 = 0x05;
const TYPE_SSL: u8 = 0x20;
const SUBTYPE_SSL_VERSION: u8 = 0x21;
const SUBTYPE_SSL_CN: u8 = 0x22;
const SUBTYPE_SSL_CIPHER: u8 = 0x23;

const CLIENT_SSL: u8 = 0x01;
const CLIENT_CERT_CONN: u8 = 0x02;
const CLIENT_CERT_SESS: u8 = 0x04;

/// Called with what starts like the signature, or with less than a signature.
pub(super) fn decode(input: &[u8]) -> Decoded {
    let Some((start, behind)) = input.split_first_chunk::<START>() else {
        return Decoded::NeedMore(START - input.len());
    };
    let [.., command, family, length_high, length_low] = *start;
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    if !matches!(command, LOCAL | PROXY) {
        return Decoded::Invalid(Invalid::Command);
    }
    if START + length > MAX_V2 {
        return Decoded::Invalid(Invalid::TooLong);
    }
    let Some(body) = behind.get(..length) else {
        return Decoded::NeedMore(length - behind.len());
    };
    // The body of a LOCAL header is skipped unread (section 2.2).
    let header = if command == LOCAL {
        Ok(Header { local: true, ..Header::default() })
    } else {
        read_body(start, family, body)
    };
    match header {
        Ok(header) => Decoded::Header(Box::new(header), START + length),
        Err(invalid) => Decoded::Invalid(invalid),
    }
}

fn read_body(start: &[u8; START], family: u8, body: &[u8]) -> Result<Header, Invalid> {
    let mut header = Header::default();
    let tlvs = match family {
        TCP_OVER_IPV4 => {
            let (block, tlvs) = take::<IPV4_BLOCK>(body)?;
            let [a, b, c, d, e, f, g, h, ports @ ..] = *block;
            let (source, destination) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h));
            set_ends(&mut header, source.into(), destination.into(), ports);
            tlvs
        }
        TCP_OVER_IPV6 => {
            let (block, tlvs) = take::<IPV6_BLOCK>(body)?;
            let (source, rest) = take::<16>(block)?;
            let (destination, rest) = take::<16>(rest)?;
            let (ports, _) = take::<4>(rest)?;
            let (source, destination) = (Ipv6Addr::from(*source), Ipv6Addr::from(*destination));
            set_ends(&mut header, source.into(), destination.into(), *ports);
            tlvs
        }
        // Unspecified, or datagrams: valid, and no address that says anything of a TCP client.
        0x00..=0x02 => body,
        0x10 | 0x12 => take::<IPV4_BLOCK>(body)?.1,
        0x20 | 0x22 => take::<IPV6_BLOCK>(body)?.1,
        0x30..=0x32 => take::<UNIX_BLOCK>(body)?.1,
        _ => return Err(Invalid::Family),
    };
    read_tlvs(tlvs, start, body, &mut header)?;
    Ok(header)
}

fn set_ends(header: &mut Header, source: IpAddr, destination: IpAddr, ports: [u8; 4]) {
    let [a, b, c, d] = ports;
    header.source = end(source, u16::from_be_bytes([a, b]));
    header.destination = end(destination, u16::from_be_bytes([c, d]));
}

fn read_tlvs(
    tlvs: &[u8],
    start: &[u8; START],
    body: &[u8],
    header: &mut Header,
) -> Result<(), Invalid> {
    let mut tlvs = Tlvs(tlvs);
    while let Some(tlv) = tlvs.next() {
        let (kind, value) = tlv?;
        match kind {
            TYPE_AUTHORITY => header.authority = text(value)?,
            TYPE_UNIQUE_ID if value.len() > MAX_UNIQUE_ID => return Err(Invalid::Tlv),
            TYPE_UNIQUE_ID => header.unique_id = (!value.is_empty()).then(|| value.to_vec()),
            TYPE_SSL => header.ssl = Some(read_ssl(value)?),
            TYPE_CRC32C => {
                let behind = tlvs.0.len();
                check(value, start, body, behind)?;
            }
            // ALPN, padding, the network namespace, cloud providers' own: nobody here asks.
            _ => {}
        }
    }
    Ok(())
}

/// Checks the checksum `value`, which stands in `body` with `behind` octets after it. It counts
/// over the whole header with zeros in its own place (section 2.2.3).
fn check(value: &[u8], start: &[u8; START], body: &[u8], behind: usize) -> Result<(), Invalid> {
    let said = value.first_chunk::<4>().filter(|_| value.len() == 4).ok_or(Invalid::Tlv)?;
    let after = body.len().saturating_sub(behind);
    let place = after.saturating_sub(value.len())..after;
    let zeroed = body.iter().enumerate().map(|(i, b)| if place.contains(&i) { 0 } else { *b });
    if crc32c(start.iter().copied().chain(zeroed)) != u32::from_be_bytes(*said) {
        return Err(Invalid::Checksum);
    }
    Ok(())
}

fn read_ssl(value: &[u8]) -> Result<Ssl, Invalid> {
    let (client, rest) = value.split_first().ok_or(Invalid::Tlv)?;
    let (verify, tlvs) = rest.split_first_chunk::<4>().ok_or(Invalid::Tlv)?;
    let certificate = client & (CLIENT_CERT_CONN | CLIENT_CERT_SESS) != 0;
    let mut ssl = Ssl {
        encrypted: client & CLIENT_SSL != 0,
        certificate,
        // The field is zero as well where there was nothing to verify.
        verified: certificate && *verify == [0; 4],
        ..Ssl::default()
    };
    for tlv in Tlvs(tlvs) {
        let (kind, value) = tlv?;
        match kind {
            SUBTYPE_SSL_VERSION => ssl.version = text(value)?,
            SUBTYPE_SSL_CN => ssl.common_name = text(value)?,
            SUBTYPE_SSL_CIPHER => ssl.cipher = text(value)?,
            _ => {}
        }
    }
    Ok(ssl)
}

/// Text that ends up in logs and policies: UTF-8 without control characters. Nothing is `None`.
fn text(value: &[u8]) -> Result<Option<String>, Invalid> {
    let text = std::str::from_utf8(value).map_err(|_| Invalid::Tlv)?;
    if text.contains(char::is_control) {
        return Err(Invalid::Tlv);
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn take<const N: usize>(octets: &[u8]) -> Result<(&[u8; N], &[u8]), Invalid> {
    octets.split_first_chunk::<N>().ok_or(Invalid::Truncated)
}

/// The TLVs that are left to read: a type, a length in two octets, a value.
struct Tlvs<'a>(&'a [u8]);

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<(u8, &'a [u8]), Invalid>;

    fn next(&mut self) -> Option<Self::Item> {
        let list = std::mem::take(&mut self.0);
        if list.is_empty() {
            return None;
        }
        let Some(([kind, length @ ..], behind)) = list.split_first_chunk::<3>() else {
            return Some(Err(Invalid::Truncated));
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((value, rest)) = behind.split_at_checked(length) else {
            return Some(Err(Invalid::Truncated));
        };
        self.0 = rest;
        Some(Ok((*kind, value)))
    }
}

pub(super) fn encode(header: &Header, out: &mut Vec<u8>) {
    let command = if header.local { LOCAL } else { PROXY };
    let mut body = Vec::new();
    let family = match header.ends().filter(|_| !header.local) {
        Some(Ends::V4(source, destination, ports)) => {
            body.extend_from_slice(&source.octets());
            body.extend_from_slice(&destination.octets());
            push_ports(ports, &mut body);
            TCP_OVER_IPV4
        }
        Some(Ends::V6(source, destination, ports)) => {
            body.extend_from_slice(&source.octets());
            body.extend_from_slice(&destination.octets());
            push_ports(ports, &mut body);
            TCP_OVER_IPV6
        }
        None => UNSPECIFIED,
    };
    if !header.local {
        push_tlvs(header, &mut body);
    }
    // What does not fit was left out, so the length fits in its two octets.
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&SIGNATURE);
    out.extend_from_slice(&[command, family]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&body);
}

fn push_ports((source, destination): (u16, u16), body: &mut Vec<u8>) {
    body.extend_from_slice(&source.to_be_bytes());
    body.extend_from_slice(&destination.to_be_bytes());
}

fn push_tlvs(header: &Header, body: &mut Vec<u8>) {
    if let Some(authority) = &header.authority {
        push_tlv(TYPE_AUTHORITY, authority.as_bytes(), body);
    }
    if let Some(unique_id) = header.unique_id.as_ref().filter(|id| id.len() <= MAX_UNIQUE_ID) {
        push_tlv(TYPE_UNIQUE_ID, unique_id, body);
    }
    if let Some(ssl) = &header.ssl {
        push_tlv(TYPE_SSL, &encode_ssl(ssl), body);
    }
}

fn encode_ssl(ssl: &Ssl) -> Vec<u8> {
    let certificate = if ssl.certificate { CLIENT_CERT_CONN | CLIENT_CERT_SESS } else { 0 };
    let client = if ssl.encrypted { CLIENT_SSL } else { 0 } | certificate;
    let verify = u32::from(!(ssl.certificate && ssl.verified));
    let mut value = vec![client];
    value.extend_from_slice(&verify.to_be_bytes());
    let texts = [
        (SUBTYPE_SSL_VERSION, &ssl.version),
        (SUBTYPE_SSL_CN, &ssl.common_name),
        (SUBTYPE_SSL_CIPHER, &ssl.cipher),
    ];
    for (kind, text) in texts {
        push_tlv(kind, text.as_deref().unwrap_or_default().as_bytes(), &mut value);
    }
    value
}

/// Appends a TLV, unless its value is empty or would make the header longer than [`MAX_V2`].
fn push_tlv(kind: u8, value: &[u8], block: &mut Vec<u8>) {
    let fits = START + block.len() + 3 + value.len() <= MAX_V2;
    if let (false, true, Ok(length)) = (value.is_empty(), fits, u16::try_from(value.len())) {
        block.push(kind);
        block.extend_from_slice(&length.to_be_bytes());
        block.extend_from_slice(value);
    }
}
