//! The mechanisms with an OAuth token. Their first message names the user, which is all that
//! Waypost reads of them:
//!
//! - XOAUTH2: `user=NAME ^A auth=Bearer TOKEN ^A ^A`
//! - OAUTHBEARER (RFC 7628 section 3.1): `n,a=NAME, ^A key=value ^A … ^A`, NAME with `,` and `=`
//!   as `=2C` and `=3D` (RFC 5801 section 4)

use waypost_model::Secret;

use super::{Mechanism, SaslError, name};
use crate::login::Credential;

const SEPARATOR: u8 = 1;

/// Reads the client's first message. One without a name cannot be routed and is malformed here.
pub fn decode(mechanism: Mechanism, message: Secret) -> Result<Credential, SaslError> {
    let (_, written, _) = split(mechanism, message.expose()).ok_or(SaslError::Malformed)?;
    let user = match mechanism {
        Mechanism::OauthBearer => unescape(written).ok_or(SaslError::Malformed)?,
        _ => written.to_vec(),
    };
    let user = name(&user)?.to_owned();
    Ok(Credential::Token { mechanism, user, initial_response: message })
}

/// The same message for another user name: the one that a route says to log in with.
pub fn with_user(mechanism: Mechanism, message: &Secret, user: &str) -> Option<Secret> {
    let (before, _, behind) = split(mechanism, message.expose())?;
    let user = match mechanism {
        Mechanism::OauthBearer => user.replace('=', "=3D").replace(',', "=2C"),
        _ => user.to_owned(),
    };
    let mut renamed = Vec::with_capacity(before.len() + user.len() + behind.len());
    renamed.extend_from_slice(before);
    renamed.extend_from_slice(user.as_bytes());
    renamed.extend_from_slice(behind);
    Some(Secret::new(renamed))
}

/// What stands before the name, the name as written, what stands behind it.
fn split(mechanism: Mechanism, message: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // Both end with an empty field; a message cut short names no user.
    if !message.ends_with(&[SEPARATOR, SEPARATOR]) {
        return None;
    }
    let (prefixes, end): (&[&[u8]], u8) = match mechanism {
        Mechanism::XOauth2 => (&[b"user="], SEPARATOR),
        // The flag says whether the client could bind the channel; `p=` would bind it to the
        // wrong leg, and a proxy in between is what it exists to find.
        Mechanism::OauthBearer => (&[b"n,a=", b"y,a="], b','),
        _ => return None,
    };
    let prefix = prefixes.iter().find(|prefix| message.starts_with(prefix))?;
    let (before, rest) = message.split_at_checked(prefix.len())?;
    let (user, behind) = rest.split_at_checked(memchr::memchr(end, rest)?)?;
    // The header of OAUTHBEARER ends with `,` and the first separator.
    let header_ends = mechanism == Mechanism::XOauth2 || behind.get(1) == Some(&SEPARATOR);
    header_ends.then_some((before, user, behind))
}

/// RFC 5801 section 4: `=2C` and `=3D` are the only escapes, and `=` occurs nowhere else.
pub(super) fn unescape(written: &[u8]) -> Option<Vec<u8>> {
    let mut parts = written.split(|&octet| octet == b'=');
    let mut name = parts.next()?.to_vec();
    for part in parts {
        let (escape, rest) = part.split_at_checked(2)?;
        match escape {
            b"2C" => name.push(b','),
            b"3D" => name.push(b'='),
            _ => return None,
        }
        name.extend_from_slice(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waypost_model::Secret;

    use super::{decode, with_user};
    use crate::sasl::Mechanism::{OauthBearer, XOauth2};
    use crate::sasl::{Mechanism, SaslError};

    #[track_caller]
    fn user(mechanism: Mechanism, message: &str) -> Result<String, SaslError> {
        decode(mechanism, Secret::from(message)).map(|credential| credential.name().to_owned())
    }

    #[test]
    fn the_user_is_found() {
        assert_eq!(
            user(XOauth2, "user=ann@a.test\u{1}auth=Bearer x\u{1}\u{1}"),
            Ok("ann@a.test".into())
        );
        assert_eq!(
            user(
                OauthBearer,
                "n,a=ann@a.test,\u{1}host=h\u{1}port=143\u{1}auth=Bearer x\u{1}\u{1}"
            ),
            Ok("ann@a.test".into())
        );
        assert_eq!(
            user(OauthBearer, "y,a=a=2Cb=3Dc,\u{1}auth=Bearer x\u{1}\u{1}"),
            Ok("a,b=c".into())
        );
    }

    #[test]
    fn what_names_no_user_is_refused() {
        for message in
            ["", "user=ann", "user=ann\u{1}auth=Bearer x\u{1}", "auth=Bearer x\u{1}\u{1}"]
        {
            assert_eq!(user(XOauth2, message), Err(SaslError::Malformed), "{message:?}");
        }
        for message in [
            "n,,\u{1}auth=Bearer x\u{1}\u{1}",
            "p=tls-unique,a=ann,\u{1}auth=Bearer x\u{1}\u{1}",
            "n,a=ann\u{1}auth=Bearer x\u{1}\u{1}",
            "n,a=ann,auth=Bearer x\u{1}\u{1}",
            "n,a=an=n,\u{1}auth=Bearer x\u{1}\u{1}",
            "n,a=an=2,\u{1}auth=Bearer x\u{1}\u{1}",
        ] {
            assert_eq!(user(OauthBearer, message), Err(SaslError::Malformed), "{message:?}");
        }
        assert_eq!(user(XOauth2, "user=\u{1}auth=Bearer x\u{1}\u{1}"), Err(SaslError::Name));
        assert_eq!(
            user(OauthBearer, "n,a=a\nb,\u{1}auth=Bearer x\u{1}\u{1}"),
            Err(SaslError::Name)
        );
    }

    proptest! {
        #[test]
        fn another_name_goes_in_and_comes_out(name in "[^\\pC]{1,40}") {
            for (mechanism, message) in [
                (XOauth2, "user=ann\u{1}auth=Bearer x\u{1}\u{1}"),
                (OauthBearer, "n,a=ann,\u{1}auth=Bearer x\u{1}\u{1}"),
            ] {
                let renamed = with_user(mechanism, &Secret::from(message), &name).unwrap();
                prop_assert!(renamed.expose().ends_with(b"\x01auth=Bearer x\x01\x01"));
                prop_assert_eq!(user(mechanism, str::from_utf8(renamed.expose()).unwrap()), Ok(name.clone()));
            }
        }
    }
}
