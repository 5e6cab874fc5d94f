//! EXTERNAL (RFC 4422 appendix A): the client has shown who it is by its certificate.

use super::SaslError;
use crate::login::Credential;

/// Reads the client's one message, an authorisation identity: empty, for the name that
/// the server finds in the certificate, or that name. Nobody acts for somebody else.
pub fn decode(message: &[u8], certificate_name: Option<&str>) -> Result<Credential, SaslError> {
    // `1*UTF8-no-NUL` (appendix A.2).
    let said = str::from_utf8(message).map_err(|_| SaslError::Malformed)?;
    if said.contains('\0') {
        return Err(SaslError::Malformed);
    }
    let name = super::name(certificate_name.ok_or(SaslError::Name)?.as_bytes())?;
    if !said.is_empty() && !is_same(said, name) {
        return Err(SaslError::AnotherName);
    }
    Ok(Credential::Certificate { name: name.to_owned() })
}

/// Whether both are one name: domains in any case of their letters, everything else to the octet
/// (RFC 5280 section 7.5).
fn is_same(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((one, one_domain)), Some((other, other_domain))) => {
            one == other && one_domain.eq_ignore_ascii_case(other_domain)
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::login::Credential;
    use crate::sasl::SaslError;

    const NAME: &str = "ann@a.test";

    #[test]
    fn the_certificate_says_who_it_is() {
        let ann = Credential::Certificate { name: NAME.to_owned() };
        for said in ["", NAME, "ann@A.Test"] {
            assert_eq!(decode(said.as_bytes(), Some(NAME)), Ok(ann.clone()), "{said:?}");
        }
    }

    #[test]
    fn nobody_acts_for_somebody_else() {
        for said in ["bob@a.test", "Ann@a.test", "ann", "ann@b.test", " ", "ann@a.test "] {
            let answer = decode(said.as_bytes(), Some(NAME));
            assert_eq!(answer, Err(SaslError::AnotherName), "{said:?}");
        }
        assert_eq!(decode("ANN".as_bytes(), Some("ann")), Err(SaslError::AnotherName));
    }

    #[test]
    fn what_is_no_identity_is_malformed() {
        for said in [&b"\0"[..], b"ann@a.test\0", b"\0ann@a.test\0secret", b"ann@\xc3", b"\xff"] {
            assert_eq!(decode(said, Some(NAME)), Err(SaslError::Malformed), "{said:?}");
        }
    }

    #[test]
    fn without_a_certificate_there_is_nobody() {
        for said in ["", NAME] {
            assert_eq!(decode(said.as_bytes(), None), Err(SaslError::Name), "{said:?}");
        }
    }
}
