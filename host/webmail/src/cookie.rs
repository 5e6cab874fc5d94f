//! Cookies on their way through: ours is taken out and put in, the others pass.

use std::time::Duration;

use cookie::{Cookie, SameSite};
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

use crate::home::Strangers;

/// The names of the route cookie. With the prefix a browser takes it from this host itself only,
/// over TLS only, and for every path (RFC 6265bis section 4.1.3.2): no sibling domain can plant one.
const SECURE: &str = "__Host-waypost";
const PLAIN: &str = "waypost";

/// Which of the browser's cookies the back end is shown.
#[derive(Clone, Copy, Debug)]
pub enum Pass<'a> {
    /// Those that are not strangers.
    Except(&'a Strangers),
    /// None: another back end has set them, or another user.
    Nothing,
}

/// The value of the route cookie that a request carries.
///
/// With more than one of that name nobody can say which is ours, and none is.
pub fn ours(headers: &HeaderMap, encrypted: bool) -> Option<&[u8]> {
    let mut found = pairs(headers).filter(|(name, _)| *name == name_of(encrypted).as_bytes());
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

/// What the back end is shown of a request's cookies, in one field (RFC 9113 section 8.2.3 lets a
/// client send several): never ours.
pub fn onward(headers: &HeaderMap, pass: Pass<'_>) -> Option<HeaderValue> {
    let Pass::Except(strangers) = pass else { return None };
    let mut field = Vec::new();
    for (name, value) in others(headers).filter(|(name, value)| !strangers.contains(name, value)) {
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

/// Every cookie of a request but ours, as strangers.
pub fn strangers(headers: &HeaderMap) -> Strangers {
    let mut strangers = Strangers::default();
    others(headers).for_each(|(name, value)| strangers.insert(name, value));
    strangers
}

/// The field that gives a browser its route cookie. It comes back with every request to this host,
/// also with one that a link elsewhere has led to, and no script can read it.
pub fn set(sealed: String, lifetime: Duration, encrypted: bool) -> Option<HeaderValue> {
    field(sealed, lifetime, encrypted)
}

/// The field that makes a browser forget its route cookie.
pub fn forget(encrypted: bool) -> Option<HeaderValue> {
    field(String::new(), Duration::ZERO, encrypted)
}

/// Whether a `Set-Cookie` field of a back end is for a cookie of our name, which is not its to set.
pub fn is_ours(set_cookie: &HeaderValue) -> bool {
    let octets = set_cookie.as_bytes();
    let end = octets.iter().position(|octet| matches!(octet, b'=' | b';')).unwrap_or(octets.len());
    is_our_name(octets.get(..end).unwrap_or_default().trim_ascii())
}

fn field(value: String, lifetime: Duration, encrypted: bool) -> Option<HeaderValue> {
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    let cookie = Cookie::build((name_of(encrypted), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(encrypted)
        .max_age(cookie::time::Duration::seconds(seconds));
    HeaderValue::try_from(cookie.to_string()).ok()
}

fn name_of(encrypted: bool) -> &'static str {
    if encrypted { SECURE } else { PLAIN }
}

/// Either name, in any case: there are servers that do not tell cases apart.
fn is_our_name(name: &[u8]) -> bool {
    [SECURE, PLAIN].iter().any(|ours| name.eq_ignore_ascii_case(ours.as_bytes()))
}

fn others(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    pairs(headers).filter(|(name, _)| !is_our_name(name))
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
