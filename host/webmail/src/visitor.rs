//! Who a request comes from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use waypost_model::Secret;
use zeroize::Zeroizing;

use crate::answer::Reason;

/// Who a request comes from, as far as the request itself says.
#[derive(Debug)]
pub(crate) enum Visitor {
    /// Credentials in the request (RFC 7617).
    Basic(Basic),
    /// Nobody says.
    Nobody,
}

/// A user's name and password. Both as they came; what the name means is for the listener's rules.
#[derive(Debug)]
pub(crate) struct Basic {
    pub(crate) name: String,
    password: Secret,
}

impl Visitor {
    /// Looks at what the head of a request says.
    ///
    /// # Errors
    /// Credentials that are none.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Reason> {
        let Some(value) = headers.get(AUTHORIZATION) else { return Ok(Self::Nobody) };
        let value = value.as_bytes();
        let Some((scheme, token)) = split_at_space(value) else { return Ok(Self::Nobody) };
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return Ok(Self::Nobody);
        }
        let decoded = Zeroizing::new(STANDARD.decode(token).map_err(|_| Reason::Credentials)?);
        // Section 2: the name is UTF-8, has no colon, and neither holds control characters.
        let colon = decoded.iter().position(|b| *b == b':').ok_or(Reason::Credentials)?;
        let (name, password) = decoded.split_at_checked(colon).ok_or(Reason::Credentials)?;
        let name = std::str::from_utf8(name).map_err(|_| Reason::Credentials)?;
        let password = Secret::from(password.get(1..).unwrap_or_default());
        Ok(Self::Basic(Basic { name: name.to_owned(), password }))
    }
}

impl Basic {
    /// The same password with another name.
    pub(crate) fn renamed(&self, name: &str) -> Option<HeaderValue> {
        let mut plain =
            Zeroizing::new(Vec::with_capacity(name.len() + 1 + self.password.len()));
        plain.extend_from_slice(name.as_bytes());
        plain.push(b':');
        plain.extend_from_slice(self.password.expose());
        let mut value = Zeroizing::new(String::with_capacity(8 + plain.len().div_ceil(3) * 4));
        value.push_str("Basic ");
        STANDARD.encode_string(&*plain, &mut value);
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

fn split_at_space(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = value.iter().position(|b| *b == b' ')?;
    let (scheme, rest) = value.split_at_checked(at)?;
    Some((scheme, rest.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::AUTHORIZATION;
    use proptest::prelude::*;

    use super::Visitor;

    fn of(value: &[u8]) -> Option<Visitor> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.try_into().unwrap());
        Visitor::of(&headers).ok()
    }

    #[test]
    fn a_name_and_a_password_are_read() {
        let Some(Visitor::Basic(basic)) = of(b"bAsIc dXNlcjE6c2U6Y3JldA==") else { panic!() };
        assert_eq!((&*basic.name, basic.password.expose()), ("user1", &b"se:cret"[..]));
        let renamed = basic.renamed("user1").unwrap();
        assert_eq!(renamed, "Basic dXNlcjE6c2U6Y3JldA==");
        assert!(!format!("{basic:?} {renamed:?}").contains("cret"));
    }

    #[test]
    fn other_schemes_say_nothing_of_who_it_is() {
        assert!(matches!(of(b"Bearer dXNlcjE6c2U6Y3JldA=="), Some(Visitor::Nobody)));
        assert!(of(b"Basic !").is_none());
        assert!(of(b"Basic dXNlcjE=").is_none(), "no colon");
        assert!(of(b"Basic /zo=").is_none(), "not UTF-8");
    }

    proptest! {
        #[test]
        fn nothing_panics(value in "[ -~]{0,60}") {
            let _ = of(value.as_bytes());
            let _ = of(format!("Basic {value}").as_bytes());
        }
    }
}
