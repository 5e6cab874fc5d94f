//! Who a request comes from and how, where proxies in front are believed.
//!
//! Each proxy appends who it was asked by, so that only the right end of a path is theirs: what stands
//! left of the first hop that is no trusted proxy, the client may have written itself.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use waypost_net::networks::Networks;

use crate::headers::{FORWARDED, X_FORWARDED_FOR, X_FORWARDED_PROTO, list};

/// The client that the proxies in front speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) client: IpAddr,
    pub(crate) encrypted: bool,
}

/// What one proxy says of who has asked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hop {
    /// `None` where it does not say, or hides it (RFC 7239 section 6.3).
    client: Option<IpAddr>,
    encrypted: Option<bool>,
}

impl Origin {
    /// The nearest hop of the request's path that is no trusted proxy. Where there are fields of both
    /// kinds, each of which some proxy on the way may know and another not, `X-Forwarded-For` says who
    /// it is, and `Forwarded` only where there is none of that.
    pub(crate) fn of(
        headers: &HeaderMap,
        peer: IpAddr,
        encrypted: bool,
        trusted: &Networks,
    ) -> Self {
        let mut origin = Self { client: peer.to_canonical(), encrypted };
        let hops = match headers.contains_key(&X_FORWARDED_FOR) {
            true => x_forwarded(headers),
            false => forwarded(headers),
        };
        // From the right: what a hop says was written by the one behind it, who must be trusted.
        for hop in hops.iter().rev() {
            if !trusted.contains(origin.client) {
                break;
            }
            origin.encrypted = hop.encrypted.unwrap_or(origin.encrypted);
            match hop.client {
                Some(client) => origin.client = client.to_canonical(),
                None => break,
            }
        }
        // Of somebody who comes by no proxy that says so.
        if hops.is_empty()
            && trusted.contains(origin.client)
            && let Some(proto) = list(headers, &X_FORWARDED_PROTO).next_back()
        {
            origin.encrypted = is_https(proto);
        }
        origin
    }
}

/// The hops of `X-Forwarded-For`, each with its word of `X-Forwarded-Proto`. Many proxies append to the
/// one and set the other: then the only word is that of the last one, who need not have met the client,
/// and counts for all of its hops.
fn x_forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let clients: Vec<&str> = list(headers, &X_FORWARDED_FOR).collect();
    let protos: Vec<bool> = list(headers, &X_FORWARDED_PROTO).map(is_https).collect();
    let count = clients.len();
    let hop = |(at, client): (usize, &&str)| {
        let from_right = count - at;
        let own = protos.len().checked_sub(from_right).and_then(|at| protos.get(at));
        Hop { client: node(client), encrypted: own.copied() }
    };
    clients.iter().enumerate().map(hop).collect()
}

/// The hops of `Forwarded` (RFC 7239 section 4). From one that cannot be read on leftwards nothing is
/// known.
fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let lines = headers.get_all(&FORWARDED).into_iter();
    lines.flat_map(|line| elements(line.to_str().unwrap_or("?"))).map(hop).collect()
}

/// The elements of a line. One who opens a quote and does not close it must not swallow what proxies
/// have written behind it.
fn elements(line: &str) -> Vec<&str> {
    let (elements, is_closed) = split(line, ',');
    let elements = if is_closed { elements } else { line.split(',').collect() };
    elements.into_iter().filter(|element| !element.trim().is_empty()).collect()
}

fn hop(element: &str) -> Hop {
    let unreadable = Hop { client: None, encrypted: None };
    let (mut client, mut proto) = (None, None);
    for pair in split(element, ';').0.into_iter().map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else { return unreadable };
        let Some(value) = unquoted(value) else { return unreadable };
        // "Each parameter MUST NOT occur more than once per field-value."
        let before = match () {
            () if name.eq_ignore_ascii_case("for") => client.replace(node(&value)).is_some(),
            () if name.eq_ignore_ascii_case("proto") => proto.replace(is_https(&value)).is_some(),
            () => false,
        };
        if before {
            return unreadable;
        }
    }
    Hop { client: client.flatten(), encrypted: proto }
}

/// Splits a text at signs that stand in no quotes; and whether all quotes are closed.
fn split(text: &str, at: char) -> (Vec<&str>, bool) {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let pieces = text.split(|c| {
        let is_plain = !std::mem::take(&mut is_escaped);
        match c {
            '"' if is_plain => is_quoted = !is_quoted,
            '\\' if is_plain => is_escaped = is_quoted,
            _ => {}
        }
        c == at && !is_quoted
    });
    let pieces = pieces.collect();
    (pieces, !is_quoted)
}

/// A token or a quoted string (RFC 9110 section 5.6.4).
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        return (!value.contains('"')).then(|| value.to_owned());
    };
    let inner = rest.strip_suffix('"')?;
    let mut text = String::with_capacity(inner.len());
    let mut signs = inner.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => text.push(signs.next()?),
            '"' => return None,
            sign => text.push(sign),
        }
    }
    Some(text)
}

/// An address, with or without brackets and port; `None` for `unknown` and whatever hides one.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.split_once(':')?,
    };
    // RFC 7239 section 6: a port may be hidden, too.
    let is_port = |port: &str| {
        let hidden = port.strip_prefix('_').unwrap_or(port);
        !hidden.is_empty()
            && hidden.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    (port.is_empty() || is_port(port)).then(|| host.parse().ok()).flatten()
}

fn is_https(proto: &str) -> bool {
    proto.eq_ignore_ascii_case("https")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use waypost_net::networks::{Network, Networks};

    use super::Origin;

    /// What is made of these fields, which come from `peer` in clear: the client, and `+` where it is
    /// believed to have come by TLS.
    fn origin(peer: &str, fields: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        let networks = ["10.0.0.0/8", "2001:db8:1::/48"].into_iter();
        let trusted: Networks = networks.map(|it| it.parse::<Network>().unwrap()).collect();
        let Origin { client, encrypted } =
            Origin::of(&headers, peer.parse().unwrap(), false, &trusted);
        format!("{client}{}", if encrypted { "+" } else { "" })
    }

    const FOR: &str = "x-forwarded-for";
    const PROTO: &str = "x-forwarded-proto";
    const BOTH: &str = "forwarded";

    #[test]
    fn only_trusted_proxies_are_believed() {
        for fields in [
            &[(FOR, "192.0.2.1"), (PROTO, "https")][..],
            &[(BOTH, "for=192.0.2.1;proto=https")],
            &[(PROTO, "https")],
        ] {
            assert_eq!(origin("203.0.113.9", fields), "203.0.113.9", "{fields:?}");
        }
        assert_eq!(origin("::ffff:203.0.113.9", &[(FOR, "192.0.2.1")]), "203.0.113.9");
        assert_eq!(origin("::ffff:10.0.0.1", &[(FOR, "192.0.2.1")]), "192.0.2.1");
    }

    #[test]
    fn x_forwarded_is_read_from_the_right() {
        for (client, proto, expected) in [
            ("192.0.2.1", "https", "192.0.2.1+"),
            ("192.0.2.1", "HTTPS", "192.0.2.1+"),
            ("192.0.2.1", "http", "192.0.2.1"),
            ("192.0.2.1", "", "192.0.2.1"),
            // Two hops: the word of the one that the client has met.
            ("192.0.2.1, 10.0.0.2", "https, http", "192.0.2.1+"),
            ("192.0.2.1, 10.0.0.2", "http, https", "192.0.2.1"),
            ("192.0.2.1, 10.0.0.2", "https", "192.0.2.1+"),
            // What the client has written itself.
            ("198.51.100.7, 192.0.2.1", "https, http", "192.0.2.1"),
            ("198.51.100.7, 192.0.2.1", "http, https", "192.0.2.1+"),
            ("10.0.0.9, 192.0.2.1, 10.0.0.2", "https, http, http", "192.0.2.1"),
            ("192.0.2.1", "https, http", "192.0.2.1"),
            // Ports and brackets.
            ("192.0.2.1:5678", "", "192.0.2.1"),
            ("192.0.2.1:5678, 10.0.0.2:80", "", "192.0.2.1"),
            ("[2001:db8::1]:443", "", "2001:db8::1"),
            ("[2001:db8::1]", "", "2001:db8::1"),
            ("2001:db8::1, 2001:db8:1::1", "", "2001:db8::1"),
            ("::ffff:192.0.2.1", "", "192.0.2.1"),
            // Nobody but proxies; what is none, and what stands left of it.
            ("10.0.0.3, 10.0.0.2", "", "10.0.0.3"),
            ("192.0.2.1, nonsense", "https", "10.0.0.1+"),
            ("192.0.2.1, nonsense, 10.0.0.2", "", "10.0.0.2"),
            ("unknown", "", "10.0.0.1"),
            ("192.0.2.1:x y", "", "10.0.0.1"),
            ("192.0.2.999", "", "10.0.0.1"),
            ("", "https", "10.0.0.1+"),
            ("", "https, http", "10.0.0.1"),
        ] {
            let mut fields = vec![(FOR, client), (PROTO, proto)];
            fields.retain(|(_, value)| !value.is_empty());
            assert_eq!(origin("10.0.0.1", &fields), expected, "{client} {proto}");
        }
        let lines = [(FOR, "198.51.100.7"), (FOR, "192.0.2.1"), (FOR, "10.0.0.2")];
        assert_eq!(origin("10.0.0.1", &lines), "192.0.2.1", "of several lines");
    }

    #[test]
    fn forwarded_is_read_from_the_right() {
        for (value, expected) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("For=192.0.2.1;PROTO=https;by=10.0.0.1", "192.0.2.1+"),
            ("for=\"192.0.2.1:5678\"; proto=https", "192.0.2.1+"),
            ("for=\"[2001:db8::1]:5678\"", "2001:db8::1"),
            ("for=\"[2001:db8::1]\";proto=http", "2001:db8::1"),
            ("for=\"[2001:db8::1]:_obfuscated\"", "2001:db8::1"),
            ("for=\"192.0.2.\\1\"", "192.0.2.1"),
            ("for=192.0.2.1;proto=https, for=10.0.0.2;proto=http", "192.0.2.1+"),
            // What the client has written itself.
            ("for=198.51.100.7;proto=https, for=192.0.2.1;proto=http", "192.0.2.1"),
            ("for=198.51.100.7;proto=https, for=192.0.2.1", "192.0.2.1"),
            ("for=\"x, for=192.0.2.1", "192.0.2.1"),
            ("host=\"a,b;for=198.51.100.7\";for=192.0.2.1", "192.0.2.1"),
            // Hidden: nobody knows who is left of it.
            ("for=192.0.2.1, for=unknown;proto=https", "10.0.0.1+"),
            ("for=192.0.2.1, for=_hidden, for=10.0.0.2", "10.0.0.2"),
            ("for=192.0.2.1, proto=https", "10.0.0.1+"),
            // Malformed.
            ("for", "10.0.0.1"),
            ("for=\"192.0.2.1", "10.0.0.1"),
            ("for=192.0.2.1;for=192.0.2.2", "10.0.0.1"),
            ("for=192.0.2.1;proto=http;proto=https", "10.0.0.1"),
            ("for=[2001:db8::1", "10.0.0.1"),
            ("", "10.0.0.1"),
            (",, for=192.0.2.1 ,", "192.0.2.1"),
        ] {
            assert_eq!(origin("10.0.0.1", &[(BOTH, value)]), expected, "{value}");
        }
        let lines = [(BOTH, "for=198.51.100.7"), (BOTH, "for=192.0.2.1;proto=https")];
        assert_eq!(origin("10.0.0.1", &lines), "192.0.2.1+", "of several lines");
    }

    /// A proxy that knows only one of them passes on what a client has written of the other.
    #[test]
    fn where_both_are_there_x_forwarded_counts() {
        let both = [(BOTH, "for=198.51.100.7;proto=https"), (FOR, "192.0.2.1")];
        assert_eq!(origin("10.0.0.1", &both), "192.0.2.1");
        let with_proto = [(BOTH, "for=192.0.2.1"), (PROTO, "https")];
        assert_eq!(origin("10.0.0.1", &with_proto), "192.0.2.1");
    }
}
