//! Whether a request was made by a page of ours or by another site.
//!
//! Another site must not be able to put an address of its choice on somebody's browser: the user
//! would land on the login page of another back end and type the password there. Browsers say
//! themselves who makes a request, and that needs neither a token nor a script.

use http::HeaderMap;
use http::header::ORIGIN;
use http::uri::Authority;

/// Whether a request to `host` changes something at the wish of its own user: of a page of the same
/// origin, or of the address bar.
///
/// `Sec-Fetch-Site` says so (W3C Fetch Metadata); browsers leave it out without TLS, and then
/// `Origin` says it (RFC 6454), which all of them send with a POST. What sends neither is no
/// browser, and nobody else's credentials are in it.
pub fn is_same_origin(headers: &HeaderMap, host: &Authority) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let mut origins = headers.get_all(ORIGIN).into_iter();
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => origin.to_str().is_ok_and(|origin| is_of(origin, host)),
        (Some(_), Some(_)) => false,
    }
}

/// The scheme is not compared: a balancer may have taken TLS off.
fn is_of(origin: &str, host: &Authority) -> bool {
    let bare = origin.strip_prefix("https://").map(|rest| (rest, 443));
    let bare = bare.or_else(|| origin.strip_prefix("http://").map(|rest| (rest, 80)));
    let Some((bare, usual)) = bare else { return false };
    let Ok(bare) = bare.parse::<Authority>() else { return false };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(usual);
    bare.host().eq_ignore_ascii_case(host.host()) && port(&bare) == port(host)
}
