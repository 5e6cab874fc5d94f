//! Cookies on their way through: ours is taken out and put in, the others pass.

use std::time::Duration;

use cookie::{Cookie, SameSite};
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

/// The names of the route cookie. With the prefix a browser takes it from this host itself only,
/// over TLS only, and for every path (RFC 6265bis section 4.1.3.2): no sibling domain can plant one.
const SECURE: &str = "__Host-waypost";
const PLAIN: &str = "waypost";

/// What the names of all else that is ours begin with, behind the prefix.
const PAST: &str = "waypost-past";
const SECURE_PAST: &str = "__Host-waypost-past";
const MARK: &[u8] = b"waypost.";
/// By these prefixes a browser knows what a cookie must be like (RFC 6265bis section 4.1.3).
const PREFIXES: [&str; 2] = ["__Host-", "__Secure-"];

/// The value of the route cookie that a request carries.
pub fn ours(headers: &HeaderMap, encrypted: bool) -> Option<&[u8]> {
    only(headers, if encrypted { SECURE } else { PLAIN })
}

/// The value of the cookie that stays when a user is forgotten.
pub fn past(headers: &HeaderMap, encrypted: bool) -> Option<&[u8]> {
    only(headers, if encrypted { SECURE_PAST } else { PAST })
}

/// What the back end is shown of a request's cookies, in one field (RFC 9113 section 8.2.3 lets a
/// client send several): never ours, and of the others those that `shows` says, by name and value.
pub fn onward(
    headers: &HeaderMap,
    mut shows: impl FnMut(&[u8], &[u8]) -> bool,
) -> Option<HeaderValue> {
    let mut field = Vec::new();
    for (name, value) in others(headers).filter(|(name, value)| shows(name, value)) {
        if !field.is_empty() {
            field.extend_from_slice(b"; ");
        }
        field.extend_from_slice(name);
        // A cookie without a name comes as its value alone.
        if !name.is_empty() {
            field.push(b'=');
        }
        field.extend_from_slice(value);
    }
    HeaderValue::from_bytes(&field).ok().filter(|field| !field.is_empty())
}

/// The field that gives a browser its route cookie. It comes back with every request to this host,
/// also with one that a link elsewhere has led to, and no script can read it.
pub fn set(sealed: String, lifetime: Duration, encrypted: bool) -> Option<HeaderValue> {
    field(if encrypted { SECURE } else { PLAIN }, sealed, lifetime, encrypted)
}

/// The field that makes a browser forget its route cookie.
pub fn forget(encrypted: bool) -> Option<HeaderValue> {
    set(String::new(), Duration::ZERO, encrypted)
}

/// The field that sets the cookie which stays when a user is forgotten.
pub fn set_past(sealed: String, lifetime: Duration, encrypted: bool) -> Option<HeaderValue> {
    field(if encrypted { SECURE_PAST } else { PAST }, sealed, lifetime, encrypted)
}

/// Whether a `Set-Cookie` field of a back end is for a cookie of our names, which are not its to set.
pub fn is_ours(set_cookie: &HeaderValue) -> bool {
    let octets = set_cookie.as_bytes();
    let end = octets.iter().position(|octet| matches!(octet, b'=' | b';')).unwrap_or(octets.len());
    is_our_name(octets.get(..end).unwrap_or_default().trim_ascii())
}

/// The name of the cookie that holds the mark of another. What a browser demands of that one by its
/// name it demands of the mark as well, so that it takes both or neither.
pub(crate) fn mark_name(name: &[u8]) -> Vec<u8> {
    let (prefix, rest) = name.split_at(name.len() - without_prefix(name).len());
    [prefix, MARK, rest].concat()
}

/// The cookies of a request that hold marks, by their own names.
pub(crate) fn marks(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    pairs(headers).filter(|(name, _)| without_prefix(name).starts_with(MARK))
}

/// The cookies of a request that are not ours.
pub(crate) fn others(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    pairs(headers).filter(|(name, _)| !is_our_name(name))
}

fn field(
    name: &'static str,
    value: String,
    lifetime: Duration,
    encrypted: bool,
) -> Option<HeaderValue> {
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    let cookie = Cookie::build((name, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(encrypted)
        .max_age(cookie::time::Duration::seconds(seconds));
    HeaderValue::try_from(cookie.to_string()).ok()
}

/// With more than one of that name nobody can say which is ours, and none is.
fn only<'a>(headers: &'a HeaderMap, ours: &str) -> Option<&'a [u8]> {
    let mut found = pairs(headers).filter(|(name, _)| *name == ours.as_bytes());
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

/// `waypost` and what begins so before a `-` or a `.`, with a prefix or without, in any case: there
/// are servers that do not tell cases apart.
fn is_our_name(name: &[u8]) -> bool {
    let bare = without_prefix(name);
    let Some((start, rest)) = bare.split_at_checked(PLAIN.len()) else { return false };
    start.eq_ignore_ascii_case(PLAIN.as_bytes()) && matches!(rest.first(), None | Some(b'-' | b'.'))
}

fn without_prefix(name: &[u8]) -> &[u8] {
    let rest = |prefix: &str| {
        let (start, rest) = name.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix.as_bytes()).then_some(rest)
    };
    PREFIXES.iter().find_map(|prefix| rest(prefix)).unwrap_or(name)
}

/// The cookies of a request, as octets: names and values that are not UTF-8 pass unchanged. What a
/// browser splits by (RFC 6265 section 5.4) is all that may be split by: a `;`, and the first `=`.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let fields = headers.get_all(COOKIE).into_iter();
    let texts = fields.flat_map(|field| field.as_bytes().split(|octet| *octet == b';'));
    texts.map(<[u8]>::trim_ascii).filter(|text| !text.is_empty()).map(|text| {
        let mut halves = text.splitn(2, |octet| *octet == b'=');
        let first = halves.next().unwrap_or_default();
        match halves.next() {
            Some(value) => (first, value),
            None => (Default::default(), first),
        }
    })
}
