//! Version 1: one line of text.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::{Decoded, Ends, Header, Invalid, MAX_V1, end};

const PREFIX: &[u8] = b"PROXY ";
/// The shortest lines: what may be read without looking, as long as the line can still be one.
pub(super) const SHORTEST: &[u8] = b"PROXY UNKNOWN\r\n";
const SHORTEST_TCP4: &[u8] = b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n";
const SHORTEST_TCP6: &[u8] = b"PROXY TCP6 :: :: 0 0\r\n";

pub(super) fn decode(input: &[u8]) -> Decoded {
    let prefix = input.get(..PREFIX.len()).unwrap_or(input);
    if !PREFIX.starts_with(prefix) {
        return Decoded::Invalid(Invalid::Signature);
    }
    let line = input.get(..MAX_V1).unwrap_or(input);
    match memchr::memchr(b'\n', line) {
        Some(newline) => whole_line(line.get(..newline).unwrap_or_default(), newline + 1),
        None => unfinished(line),
    }
}

fn whole_line(line: &[u8], consumed: usize) -> Decoded {
    let header = line.strip_suffix(b"\r").and_then(|line| std::str::from_utf8(line).ok());
    match header.and_then(parse) {
        Some(header) => Decoded::Header(Box::new(header), consumed),
        None => Decoded::Invalid(Invalid::Line),
    }
}

/// A line without its end. A line that can come to nothing is refused before it ends, so that a
/// peer cannot hold the connection with it.
fn unfinished(line: &[u8]) -> Decoded {
    let body = line.strip_suffix(b"\r").unwrap_or(line);
    if body.iter().any(u8::is_ascii_control) {
        return Decoded::Invalid(Invalid::Line);
    }
    if line.len() == MAX_V1 {
        return Decoded::Invalid(Invalid::TooLong);
    }
    if body.len() < line.len() {
        return Decoded::NeedMore(1);
    }
    let shortest = match line.get(PREFIX.len()..) {
        Some(family) if family.starts_with(b"TCP4 ") => SHORTEST_TCP4,
        Some(family) if family.starts_with(b"TCP6 ") => SHORTEST_TCP6,
        _ => SHORTEST,
    };
    Decoded::NeedMore(shortest.len().saturating_sub(line.len()).max(b"\r\n".len()))
}

/// Reads a line without its CRLF.
fn parse(line: &str) -> Option<Header> {
    let line = line.strip_prefix("PROXY ")?;
    if let Some(rest) = line.strip_prefix("UNKNOWN") {
        // What stands behind UNKNOWN is ignored (section 2.1), if it is text at all.
        let ignored = rest.is_empty() || rest.starts_with(' ');
        return (ignored && !rest.contains(char::is_control)).then(Header::default);
    }
    match line.split_once(' ')? {
        ("TCP4", ends) => parse_ends::<Ipv4Addr>(ends),
        ("TCP6", ends) => parse_ends::<Ipv6Addr>(ends),
        _ => None,
    }
}

fn parse_ends<A: FromStr + Into<IpAddr>>(text: &str) -> Option<Header> {
    let mut words = text.split(' ');
    let source: A = words.next()?.parse().ok()?;
    let destination: A = words.next()?.parse().ok()?;
    let (source_port, destination_port) = (port(words.next()?)?, port(words.next()?)?);
    if words.next().is_some() {
        return None;
    }
    Some(Header {
        source: end(source.into(), source_port),
        destination: end(destination.into(), destination_port),
        ..Header::default()
    })
}

/// Digits without sign and leading zeros, as the specification demands and `u16` does not.
fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (digits && canonical).then(|| text.parse().ok()).flatten()
}

pub(super) fn encode(header: &Header, out: &mut Vec<u8>) {
    let written = match header.ends() {
        Some(Ends::V4(source, destination, ports)) => {
            write!(out, "PROXY TCP4 {source} {destination} {} {}\r\n", ports.0, ports.1)
        }
        Some(Ends::V6(source, destination, ports)) => {
            write!(out, "PROXY TCP6 {source} {destination} {} {}\r\n", ports.0, ports.1)
        }
        None => out.write_all(b"PROXY UNKNOWN\r\n"),
    };
    written.expect("writing to a Vec cannot fail");
}
