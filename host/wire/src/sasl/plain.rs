//! PLAIN (RFC 4616): `[authzid] NUL authcid NUL passwd`.

use waypost_model::Secret;

use super::{Mechanism, SaslError, name, password};
use crate::login::Credential;

/// Reads the client's message. An authorisation identity that repeats the authentication identity
/// is none; another one needs `allow_authorisation`.
pub fn decode(message: &[u8], allow_authorisation: bool) -> Result<Credential, SaslError> {
    let mut fields = message.split(|&octet| octet == 0);
    let (Some(authorisation), Some(authentication), Some(secret), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(SaslError::Malformed);
    };
    let authentication_id = name(authentication)?;
    let authorisation_id = match authorisation {
        b"" => None,
        same if same == authentication => None,
        other if allow_authorisation => Some(name(other)?.to_owned()),
        _ => return Err(SaslError::Authorisation),
    };
    password(secret)?;
    Ok(Credential::Password {
        mechanism: Some(Mechanism::Plain),
        authentication_id: authentication_id.to_owned(),
        authorisation_id,
        password: Secret::from(secret),
    })
}

/// Writes the message for a back end. The names must hold no NUL: those of a [`Credential`] do not.
pub fn encode(authorisation_id: &str, authentication_id: &str, password: &Secret) -> Secret {
    let len = authorisation_id.len() + authentication_id.len() + password.len() + 2;
    let mut message = Vec::with_capacity(len);
    message.extend_from_slice(authorisation_id.as_bytes());
    message.push(0);
    message.extend_from_slice(authentication_id.as_bytes());
    message.push(0);
    message.extend_from_slice(password.expose());
    Secret::new(message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waypost_model::Secret;

    use super::{decode, encode};
    use crate::login::Credential;
    use crate::sasl::{Mechanism, SaslError};

    fn credential(authorisation_id: Option<&str>) -> Credential {
        Credential::Password {
            mechanism: Some(Mechanism::Plain),
            authentication_id: "ann".into(),
            authorisation_id: authorisation_id.map(Into::into),
            password: Secret::from("s e"),
        }
    }

    #[test]
    fn with_and_without_authorisation() {
        assert_eq!(decode(b"\0ann\0s e", false), Ok(credential(None)));
        assert_eq!(decode(b"ann\0ann\0s e", false), Ok(credential(None)));
        assert_eq!(decode(b"bob\0ann\0s e", false), Err(SaslError::Authorisation));
        assert_eq!(decode(b"bob\0ann\0s e", true), Ok(credential(Some("bob"))));
        assert_eq!(decode(b"bob\0ann\0s e", true).unwrap().name(), "bob");
    }

    #[test]
    fn what_says_no_credential_is_refused() {
        for (message, error) in [
            (&b""[..], SaslError::Malformed),
            (b"ann\0secret", SaslError::Malformed),
            (b"\0ann\0sec\0ret", SaslError::Malformed),
            (b"\0\0secret", SaslError::Name),
            (b"\0an\nn\0secret", SaslError::Name),
            (b"\0an\xc2\x85n\0secret", SaslError::Name),
            (b"\0an\xc3\0secret", SaslError::Name),
            (b"\0ann\0", SaslError::Password),
            (b"\0ann\0sec\rret", SaslError::Password),
        ] {
            assert_eq!(decode(message, true), Err(error), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(ann in "[^\\pC]{1,40}", bob in "[^\\pC]{1,40}", secret in "[^\\pC]{1,40}") {
            prop_assume!(ann != bob);
            let message = encode(&bob, &ann, &Secret::from(secret.as_str()));
            prop_assert_eq!(decode(message.expose(), true), Ok(Credential::Password {
                mechanism: Some(Mechanism::Plain),
                authentication_id: ann,
                authorisation_id: Some(bob),
                password: Secret::from(secret.as_str()),
            }));
        }
    }
}
