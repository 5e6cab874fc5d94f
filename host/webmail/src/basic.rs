//! Basic credentials: RFC 7617.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use thiserror::Error;
use waypost_model::Secret;
use zeroize::Zeroizing;

/// As clients write it: with padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The longest credentials, in characters of Base64.
const MAX_CREDENTIALS: usize = 8 * 1024;

/// What a client says of its user in each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basic {
    /// The name as it was sent.
    pub user: String,
    /// The password as it was sent.
    pub password: Secret,
}

/// Why credentials cannot be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BasicError {
    /// More than one field of credentials: a back end may read another one than we do.
    #[error("there is more than one Authorization field")]
    Twice,
    /// Not what RFC 7617 section 2 describes.
    #[error("the Basic credentials are malformed")]
    Malformed,
}

impl Basic {
    /// The Basic credentials of a request; `None` where it has none, or others, which are for the
    /// back end.
    ///
    /// # Errors
    /// Two fields are to be refused as a request that can be read in two ways; malformed ones as a
    /// wrong password.
    pub fn read(headers: &HeaderMap) -> Result<Option<Self>, BasicError> {
        let mut fields = headers.get_all(AUTHORIZATION).into_iter();
        let Some(field) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err(BasicError::Twice);
        }
        let field = field.as_bytes();
        let Some((scheme, encoded)) = field.split_at_checked(5) else { return Ok(None) };
        if !scheme.eq_ignore_ascii_case(b"Basic") {
            return Ok(None);
        }
        match encoded.first() {
            Some(b' ') => parse(encoded.trim_ascii()).map(Some).ok_or(BasicError::Malformed),
            // Another scheme whose name begins so.
            Some(octet) if !octet.is_ascii_whitespace() => Ok(None),
            _ => Err(BasicError::Malformed),
        }
    }

    /// The name as a login name: what Microsoft's clients write as `DOMAIN\user` is `user` in that
    /// domain if it is one of the Internet, and `user` in the listener's own if it is a name of
    /// theirs. The back end gets the credentials as they are.
    pub fn login_name(&self) -> String {
        match self.user.split_once('\\') {
            Some((_, user)) if user.contains('@') => user.to_owned(),
            Some((domain, user)) if domain.contains('.') => format!("{user}@{domain}"),
            Some((_, user)) => user.to_owned(),
            None => self.user.clone(),
        }
    }

    /// The field for a name and a password: `None` if the two cannot be written so, as with a `:`
    /// in the name.
    pub fn field(name: &str, password: &Secret) -> Option<HeaderValue> {
        let password = password.expose();
        let has_control =
            name.contains(char::is_control) || password.iter().any(u8::is_ascii_control);
        if name.contains(':') || has_control {
            return None;
        }
        let mut pair = Zeroizing::new(Vec::with_capacity(name.len() + 1 + password.len()));
        pair.extend_from_slice(name.as_bytes());
        pair.push(b':');
        pair.extend_from_slice(password);
        let mut field = Zeroizing::new(String::with_capacity(8 + pair.len().div_ceil(3) * 4));
        field.push_str("Basic ");
        STANDARD.encode_string(&*pair, &mut field);
        let mut field = HeaderValue::from_str(&field).ok()?;
        field.set_sensitive(true);
        Some(field)
    }
}

fn parse(encoded: &[u8]) -> Option<Basic> {
    if encoded.is_empty() || encoded.len() > MAX_CREDENTIALS {
        return None;
    }
    let mut pair = Zeroizing::new(vec![0; encoded.len()]);
    let length = LENIENT.decode_slice(encoded, &mut pair).ok()?;
    let pair = pair.get(..length)?;
    // "The user-id and password MUST NOT contain any control characters."
    if pair.iter().any(u8::is_ascii_control) {
        return None;
    }
    let end = pair.iter().position(|octet| *octet == b':')?;
    let (user, password) = (pair.get(..end)?, pair.get(end + 1..)?);
    Some(Basic { user: text(user), password: Secret::from(password) })
}

/// UTF-8, which we ask for; from clients that do not heed it ISO 8859-1, as they did before.
fn text(octets: &[u8]) -> String {
    match str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().copied().map(char::from).collect(),
    }
}
