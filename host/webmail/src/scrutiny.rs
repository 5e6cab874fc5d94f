//! Requests that could be read in two ways: by us in one, by what is behind or in front of us in
//! the other. They are refused, and nothing more is read from whoever sent them.
//!
//! What hyper refuses by itself is not looked at again; what it silently puts right is looked at
//! before it comes there, by [`Framing`](crate::front).

use std::borrow::Cow;

use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Uri, Version};

use crate::headers::{OVERRIDES, is_at_most_chunked, list, upgrade, written_rightly};

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Misfit {
    #[error("the request names no host, or more than one")]
    Host,
    #[error("the request names one host in its target and another in Host")]
    TwoHosts,
    #[error("the target is no path")]
    Target,
    #[error("the method is for proxies of another kind")]
    Method,
    #[error("a field is named so that some servers take it for another")]
    Alias,
    #[error("another version of HTTP in clear is not spoken here")]
    Upgrade,
    #[error("there is more than one Authorization field")]
    TwoAuthorizations,
    #[error("there is more than one Content-Type field")]
    TwoTypes,
    #[error("the body has no length, or more than one")]
    Length,
}

impl Misfit {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Where a request goes, read in the only way there is.
#[derive(Debug)]
pub(crate) struct Addressed {
    /// The host that was asked for, as it was written.
    pub(crate) authority: Authority,
    /// The path with its query; or `*`.
    pub(crate) target: Uri,
}

/// Looks through the head of a request.
pub(crate) fn scrutinise(
    method: &Method,
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
) -> Result<Addressed, Misfit> {
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(Misfit::Method);
    }
    let authority = authority(uri, version, headers)?;
    let target = target(method, uri)?;
    if headers.keys().any(is_alias) {
        return Err(Misfit::Alias);
    }
    // One server would read a form where another reads none.
    if headers.get_all(CONTENT_TYPE).iter().count() > 1 {
        return Err(Misfit::TwoTypes);
    }
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1
        || (headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING))
        || !is_at_most_chunked(headers)
    {
        return Err(Misfit::Length);
    }
    if let Some(protocols) = upgrade(headers)
        && names_http(&protocols)
    {
        return Err(Misfit::Upgrade);
    }
    Ok(Addressed { authority, target })
}

/// RFC 9112 section 3.2: exactly one, and the same in both places.
fn authority(uri: &Uri, version: Version, headers: &HeaderMap) -> Result<Authority, Misfit> {
    let mut fields = headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Misfit::Host);
    }
    let field = match field {
        Some(field) => Some(host(field)?),
        // HTTP/2 has `:authority` for it.
        None if version == Version::HTTP_2 => None,
        None => return Err(Misfit::Host),
    };
    match (uri.authority(), field) {
        (Some(named), Some(field)) if *named != field => Err(Misfit::TwoHosts),
        (Some(named), _) if !is_host(named) => Err(Misfit::Host),
        (Some(named), _) => Ok(named.clone()),
        (None, Some(field)) => Ok(field),
        (None, None) => Err(Misfit::Host),
    }
}

fn host(field: &HeaderValue) -> Result<Authority, Misfit> {
    let authority = Authority::try_from(field.as_bytes()).map_err(|_| Misfit::Host)?;
    if is_host(&authority) { Ok(authority) } else { Err(Misfit::Host) }
}

/// RFC 9110 section 7.2: a host, and behind it at most a port, which may be empty. No user.
fn is_host(authority: &Authority) -> bool {
    let text = authority.as_str();
    let is_port = |rest: &str| {
        let digits = rest.strip_prefix(':').unwrap_or(rest);
        digits.len() <= 5 && digits.bytes().all(|octet| octet.is_ascii_digit())
    };
    !authority.host().is_empty()
        && !text.contains(['@', '"', '\\'])
        && text.strip_prefix(authority.host()).is_some_and(is_port)
}

/// RFC 9112 section 3.2.1: what goes on is in origin form.
fn target(method: &Method, uri: &Uri) -> Result<Uri, Misfit> {
    let path_and_query = uri.path_and_query().ok_or(Misfit::Target)?;
    let is_asterisk = path_and_query.as_str() == "*" && method == Method::OPTIONS;
    if !is_asterisk && !path_and_query.path().starts_with('/') {
        return Err(Misfit::Target);
    }
    Ok(Uri::from(path_and_query.clone()))
}

/// Names that become those of framing, or of what is looked at here, for servers of a CGI-like kind.
fn is_alias(name: &HeaderName) -> bool {
    matches!(written_rightly(name.as_str()), Cow::Owned(name) if is_looked_at(&name))
}

fn is_looked_at(name: &str) -> bool {
    OVERRIDES.contains(&name)
        || matches!(
            name,
            "content-length" | "content-type" | "transfer-encoding" | "sec-fetch-site"
        )
}

fn names_http(protocols: &HeaderValue) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::UPGRADE, protocols.clone());
    list(&headers, &http::header::UPGRADE).any(|protocol| {
        let name = protocol.split('/').next().unwrap_or_default();
        ["h2c", "h2", "http", "tls"].iter().any(|http| name.eq_ignore_ascii_case(http))
    })
}
