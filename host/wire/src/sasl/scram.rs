//! SCRAM (RFC 5802, RFC 7677), passed through: the client's first message names the user, which is all
//! that Waypost reads of it; proofs are for the back end to check and to give.

use waypost_model::Secret;

use super::token::unescape;
use super::{Mechanism, SaslError, name};
use crate::login::Credential;

/// How many iterations a decoy asks for: the least that RFC 7677 section 4 allows, and what most
/// servers ask.
const ITERATIONS: u32 = 4096;
/// The longest nonce of a client that is answered, in octets.
const MAX_NONCE: usize = 256;

/// The parts of a client's first message (RFC 5802 section 7): `n,,n=USER,r=NONCE`, extensions
/// behind it.
fn parts(message: &[u8]) -> Result<(&[u8], &[u8]), SaslError> {
    let mut fields = message.split(|octet| *octet == b',');
    let (flag, authorisation) = (fields.next(), fields.next());
    match flag {
        // The client cannot bind the channel, or believes that the server cannot. `p=` would bind it
        // to the leg that ends here.
        Some(b"n" | b"y") => {}
        _ => return Err(SaslError::Malformed),
    }
    let user = fields.next().and_then(|field| field.strip_prefix(b"n="));
    match authorisation.map(|field| (field, field.strip_prefix(b"a="))) {
        Some((b"", _)) => {}
        // Cyrus SASL says whom it logs in as though it is nobody else.
        Some((_, Some(same))) if Some(same) == user => {}
        Some((_, Some(_))) => return Err(SaslError::Authorisation),
        _ => return Err(SaslError::Malformed),
    }
    let nonce = fields.next().and_then(|field| field.strip_prefix(b"r="));
    match (user, nonce) {
        (Some(user), Some(nonce)) if !nonce.is_empty() => Ok((user, nonce)),
        _ => Err(SaslError::Malformed),
    }
}

/// Reads the client's first message.
pub fn decode(mechanism: Mechanism, message: Secret) -> Result<Credential, SaslError> {
    let (user, _) = parts(message.expose())?;
    let user = unescape(user).ok_or(SaslError::Malformed)?;
    let user = name(&user)?.to_owned();
    Ok(Credential::Token { mechanism, user, initial_response: message })
}

/// What a server would answer to the client's first message for a user whom it knows (RFC 5802
/// section 7), so that nobody learns who exists: `nonce` is as new as any, `salt` always the same
/// for the same user. Both are base64.
pub fn decoy(first: &Secret, nonce: &str, salt: &str) -> Option<Vec<u8>> {
    let (_, clients) = parts(first.expose()).ok()?;
    let clients = str::from_utf8(clients.get(..clients.len().min(MAX_NONCE))?).ok()?;
    Some(format!("r={clients}{nonce},s={salt},i={ITERATIONS}").into_bytes())
}

#[cfg(test)]
mod tests {
    use waypost_model::Secret;

    use super::{decode, decoy};
    use crate::sasl::{Mechanism, SaslError};

    fn user(message: &str) -> Result<String, SaslError> {
        let credential = decode(Mechanism::ScramSha256, Secret::from(message))?;
        Ok(credential.name().to_owned())
    }

    #[test]
    fn the_user_is_found() {
        assert_eq!(user("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), Ok("user".into()));
        assert_eq!(user("y,,n=a=2Cb=3Dc@a.test,r=x,ext=1"), Ok("a,b=c@a.test".into()));
        assert_eq!(user("n,a=a=2Cb,n=a=2Cb,r=x"), Ok("a,b".into()), "the same name twice");
    }

    #[test]
    fn what_names_no_user_is_refused() {
        for message in [
            "",
            "n",
            "n,,",
            "n,,n=ann",
            "n,,r=x,n=ann",
            "n,,n=ann,r=",
            "p=tls-unique,,n=ann,r=x",
            "n,,m=ext,n=ann,r=x",
            "n,,n=a=n,r=x",
            "z,,n=ann,r=x",
        ] {
            assert_eq!(user(message), Err(SaslError::Malformed), "{message:?}");
        }
        assert_eq!(user("n,a=bob,n=ann,r=x"), Err(SaslError::Authorisation));
        assert_eq!(user("n,,n=,r=x"), Err(SaslError::Name));
        assert_eq!(user("n,,n=a\nb,r=x"), Err(SaslError::Name));
    }

    #[test]
    fn a_decoy_goes_on_with_the_clients_nonce() {
        let first = Secret::from("n,,n=ann,r=abc");
        assert_eq!(decoy(&first, "XYZ", "c2FsdA==").unwrap(), b"r=abcXYZ,s=c2FsdA==,i=4096");
    }
}
