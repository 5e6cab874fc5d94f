//! What becomes of the fields of requests and answers on their way through.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::Version;
use http::header::{
    ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName,
    HeaderValue, InvalidHeaderValue, MAX_FORWARDS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA, WWW_AUTHENTICATE,
};
use http::uri::Authority;

use crate::cookie;

pub(crate) const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// CGI programs take it for the variable `HTTP_PROXY`.
const PROXY: HeaderName = HeaderName::from_static("proxy");

/// By which a back end may be told that the method is another one.
pub(crate) const OVERRIDES: [&str; 3] =
    ["x-http-method-override", "x-http-method", "x-method-override"];

/// Those that belong to one connection whatever `Connection` says (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// How often a request may have passed a Waypost of our name.
const MAX_PASSES: usize = 3;

/// Who is in front of us, as our own fields tell a back end. The same for all requests of a
/// connection that ask for the same host.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    /// The host that was asked for.
    authority: Authority,
    forwarded: HeaderValue,
    x_forwarded_for: HeaderValue,
    /// Those that a proxy in front may have said better.
    others: [(HeaderName, HeaderValue); 3],
}

impl Ends {
    /// `peer` is who connected to us, at `local`.
    ///
    /// # Errors
    /// Where the host is no value of a field.
    pub(crate) fn new(
        peer: IpAddr,
        local: SocketAddr,
        encrypted: bool,
        authority: Authority,
    ) -> Result<Self, InvalidHeaderValue> {
        let protocol = if encrypted { "https" } else { "http" };
        let source = match peer {
            IpAddr::V4(address) => format!("for={address}"),
            // RFC 7239 section 6: the colons and brackets must be quoted.
            IpAddr::V6(address) => format!("for=\"[{address}]\""),
        };
        let host = authority.as_str();
        Ok(Self {
            forwarded: format!("{source};host=\"{host}\";proto={protocol}").try_into()?,
            x_forwarded_for: peer.to_string().try_into()?,
            others: [
                (X_FORWARDED_PROTO, HeaderValue::from_static(protocol)),
                (X_FORWARDED_HOST, HeaderValue::from_str(host)?),
                (X_FORWARDED_PORT, HeaderValue::from(local.port())),
            ],
            authority,
        })
    }

    /// Whether they are those of requests for this host.
    pub(crate) fn are_for(&self, authority: &Authority) -> bool {
        self.authority.as_str() == authority.as_str()
    }
}

/// Makes the fields of a request those that a back end gets. `host` is what the client asked for.
pub(crate) fn onward(headers: &mut HeaderMap, host: HeaderValue, version: Version, our_name: &str) {
    let wants_trailers = list(headers, &TE).any(|coding| coding.eq_ignore_ascii_case("trailers"));
    strip_connection(headers);
    for name in [PROXY_AUTHORIZATION, PROXY] {
        headers.remove(name);
    }
    headers.insert(HOST, host);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("TE"));
    }
    if let Some(credentials) = headers.get_mut(AUTHORIZATION) {
        credentials.set_sensitive(true);
    }
    add_via(headers, version, our_name);
}

/// Says who is in front of us. What the client itself says of that is dropped, unless it is a
/// proxy whose word counts.
pub(crate) fn tell_ends(headers: &mut HeaderMap, ends: &Ends, is_believed: bool) {
    let aliases: Vec<HeaderName> =
        headers.keys().filter(|name| is_about_ends(name.as_str(), is_believed)).cloned().collect();
    for name in aliases {
        headers.remove(name);
    }
    headers.append(FORWARDED, ends.forwarded.clone());
    headers.append(X_FORWARDED_FOR, ends.x_forwarded_for.clone());
    for (name, value) in &ends.others {
        headers.entry(name).or_insert_with(|| value.clone());
    }
}

/// Whether a field is one of ours, or one that a server of a CGI-like kind would take for one: for
/// those `_` and `-` are the same. A trusted proxy may set those that are written rightly.
fn is_about_ends(name: &str, believed: bool) -> bool {
    let name = written_rightly(name);
    let is_alias = matches!(name, Cow::Owned(_));
    let is_ours = name == FORWARDED.as_str()
        || name == X_REAL_IP.as_str()
        || name.starts_with("x-forwarded-");
    is_ours && (is_alias || !believed)
}

/// A name as servers of a CGI-like kind read it: to some every sign is the same as `-`. Owned where it
/// was written otherwise.
pub(crate) fn written_rightly(name: &str) -> Cow<'_, str> {
    let is_sign = |c: char| !c.is_ascii_alphanumeric();
    match name.contains(|c: char| is_sign(c) && c != '-') {
        true => Cow::Owned(name.replace(is_sign, "-")),
        false => Cow::Borrowed(name),
    }
}

/// Makes the fields of an answer those that the client gets.
pub(crate) fn homeward(headers: &mut HeaderMap, version: Version, our_name: &str) {
    if headers.contains_key(TRANSFER_ENCODING) {
        // RFC 9112 section 6.3: it overrides the length, which must not go on.
        headers.remove(CONTENT_LENGTH);
    }
    say_length_once(headers);
    strip_connection(headers);
    headers.remove(PROXY_AUTHENTICATE);
    // It would send browsers past us, to another port of this host.
    headers.remove(ALT_SVC);
    retain(headers, SET_COOKIE, |field| !cookie::is_ours(field));
    // They authenticate a connection and not a request: over connections that are shared, one
    // user's would be the next one's.
    retain(headers, WWW_AUTHENTICATE, |field| !is_of_connection(field));
    add_via(headers, version, our_name);
}

/// Whether the body is in no transfer coding but `chunked`.
pub(crate) fn is_at_most_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked =
        |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    codings.next().is_none_or(is_chunked) && codings.next().is_none()
}

/// RFC 9110 section 8.6: a length that is said twice goes on once, and one that is said in two ways
/// not at all. hyper takes no body under such a one; an answer to HEAD has none.
fn say_length_once(headers: &mut HeaderMap) {
    let mut fields = headers.get_all(CONTENT_LENGTH).iter();
    let Some(field) = fields.next() else { return };
    let is_plain = |octets: &[u8]| match octets {
        [] | [b'0', _, ..] => false,
        octets => octets.iter().all(u8::is_ascii_digit),
    };
    if fields.next().is_none() && is_plain(field.as_bytes()) {
        return;
    }
    let agreed = {
        let digits = |length: &str| length.bytes().all(|octet| octet.is_ascii_digit());
        let mut lengths = list(headers, &CONTENT_LENGTH)
            .map(|length| length.parse::<u64>().ok().filter(|_| digits(length)));
        let first = lengths.next().flatten();
        first.filter(|_| lengths.all(|length| length == first))
    };
    match agreed {
        Some(length) => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from(length))),
        None => drop(headers.remove(CONTENT_LENGTH)),
    }
}

/// Whether credentials, or a challenge, are of a scheme that authenticates connections (RFC 4559).
pub(crate) fn is_of_connection(field: &HeaderValue) -> bool {
    let field = field.as_bytes().trim_ascii();
    [&b"ntlm"[..], b"negotiate"].iter().any(|scheme| {
        field.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && field.get(scheme.len()).is_none_or(|next| !next.is_ascii_alphanumeric())
    })
}

/// What may not stand in trailers (RFC 9110 section 6.5.1), because a back end may treat it as if
/// it had stood in the head, which was looked at.
pub(crate) fn clean_trailers(trailers: &mut HeaderMap) {
    strip_connection(trailers);
    for name in [HOST, CONTENT_LENGTH, AUTHORIZATION, COOKIE, SET_COOKIE, TRAILER, VIA] {
        trailers.remove(name);
    }
    let aliases: Vec<_> =
        trailers.keys().filter(|name| is_about_ends(name.as_str(), false)).cloned().collect();
    for name in aliases {
        trailers.remove(name);
    }
}

/// How much further a request may go (RFC 9110 section 7.6.2), where it says so; what is no number says
/// nothing.
pub(crate) fn max_forwards(headers: &HeaderMap) -> Option<u32> {
    let said = headers.get(MAX_FORWARDS)?.to_str().ok()?;
    let is_number = !said.is_empty() && said.bytes().all(|octet| octet.is_ascii_digit());
    // One that is too long for a number is far off.
    is_number.then(|| said.parse().unwrap_or(u32::MAX))
}

/// Whether a request has passed a Waypost of our name too often.
pub(crate) fn runs_in_circle(headers: &HeaderMap, our_name: &str) -> bool {
    let hops = list(headers, &VIA).filter(|hop| hop.split(' ').nth(1) == Some(our_name));
    hops.count() >= MAX_PASSES
}

/// The tokens of an upgrade that a request asks for, or an answer grants: `Upgrade` counts where
/// `Connection` names it.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let named = list(headers, &CONNECTION).any(|option| option.eq_ignore_ascii_case("upgrade"));
    named.then(|| headers.get(UPGRADE).cloned()).flatten()
}

/// The elements of a field that is a list, of all its lines.
pub(crate) fn list<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    let elements: Vec<&str> =
        lines.flat_map(|line| line.split(',')).map(str::trim).filter(|e| !e.is_empty()).collect();
    elements.into_iter()
}

fn strip_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = list(headers, &CONNECTION)
        .filter_map(|option| HeaderName::from_bytes(option.as_bytes()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// RFC 9110 section 7.6.3.
fn add_via(headers: &mut HeaderMap, version: Version, our_name: &str) {
    let version = match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    append(headers, VIA, &format!("{version} {our_name}"));
}

fn append(headers: &mut HeaderMap, name: HeaderName, element: &str) {
    if let Ok(value) = HeaderValue::from_str(element) {
        headers.append(name, value);
    }
}

fn retain(headers: &mut HeaderMap, name: HeaderName, keep: impl Fn(&HeaderValue) -> bool) {
    if headers.get_all(&name).iter().all(&keep) {
        return;
    }
    let kept: Vec<_> = headers.get_all(&name).iter().filter(|v| keep(v)).cloned().collect();
    headers.remove(&name);
    for value in kept {
        headers.append(&name, value);
    }
}
