use std::fmt::{self, Write as _};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;
use waypost_model::{Host, HostPort};

/// Where slapd listens if `ldapi:///` names no socket.
const DEFAULT_SOCKET: &str = "/run/slapd/ldapi";

/// Where one LDAP server is (RFC 4516, of which a server needs only the beginning).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LdapUrl {
    /// `ldap://host[:port]`: in clear, or upgraded by StartTLS.
    Ldap(Host, NonZeroU16),
    /// `ldaps://host[:port]`: TLS from the first octet.
    Ldaps(Host, NonZeroU16),
    /// `ldapi://%2Fpath%2Fto%2Fsocket`, or `ldapi:///` for the usual one.
    Ldapi(PathBuf),
}

/// Why some text names no LDAP server.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LdapUrlError {
    /// Another scheme, or none.
    #[error("an LDAP server's URL starts with ldap://, ldaps:// or ldapi://")]
    Scheme,
    /// No host, or none that can be.
    #[error("a URL names a host, with or without a port: ldap://ldap.example.test:389")]
    Host,
    /// A path, as in `ldap://host/dc=example`.
    #[error("nothing follows the host: the base is a setting of its own")]
    Trailing,
    /// A socket that is no absolute path.
    #[error(
        "a socket's path is absolute, with each / written as %2F: ldapi://%2Frun%2Fslapd%2Fldapi"
    )]
    Socket,
}

const LDAP_PORT: NonZeroU16 = NonZeroU16::new(389).expect("not zero");
const LDAPS_PORT: NonZeroU16 = NonZeroU16::new(636).expect("not zero");

impl FromStr for LdapUrl {
    type Err = LdapUrlError;

    fn from_str(text: &str) -> Result<Self, LdapUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(LdapUrlError::Scheme)?;
        let authority = match rest.split_once(['/', '?', '#']) {
            None => rest,
            Some((authority, "")) if rest.ends_with('/') => authority,
            Some(_) => return Err(LdapUrlError::Trailing),
        };
        let host = |default: NonZeroU16| {
            let parsed: HostPort = authority.parse().map_err(|_| LdapUrlError::Host)?;
            Ok((parsed.host, parsed.port.unwrap_or(default)))
        };
        match scheme.to_ascii_lowercase().as_str() {
            "ldap" => host(LDAP_PORT).map(|(host, port)| Self::Ldap(host, port)),
            "ldaps" => host(LDAPS_PORT).map(|(host, port)| Self::Ldaps(host, port)),
            "ldapi" if authority.is_empty() => Ok(Self::Ldapi(DEFAULT_SOCKET.into())),
            "ldapi" => match percent_decoded(authority) {
                Some(path) if path.is_absolute() => Ok(Self::Ldapi(path)),
                _ => Err(LdapUrlError::Socket),
            },
            _ => Err(LdapUrlError::Scheme),
        }
    }
}

impl fmt::Display for LdapUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port, default) = match self {
            Self::Ldap(host, port) => ("ldap", host, *port, LDAP_PORT),
            Self::Ldaps(host, port) => ("ldaps", host, *port, LDAPS_PORT),
            Self::Ldapi(path) => return write_socket(f, path),
        };
        match host {
            Host::Address(address) if address.is_ipv6() => write!(f, "{scheme}://[{address}]")?,
            host => write!(f, "{scheme}://{host}")?,
        }
        if port == default { Ok(()) } else { write!(f, ":{port}") }
    }
}

fn write_socket(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    f.write_str("ldapi://")?;
    for b in path.as_os_str().as_encoded_bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                f.write_char(char::from(*b))?;
            }
            _ => write!(f, "%{b:02X}")?,
        }
    }
    Ok(())
}

fn percent_decoded(text: &str) -> Option<PathBuf> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        octets.push(match b {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(16 * digit()? + digit()?).ok()?
            }
            b => b,
        });
    }
    let path = String::from_utf8(octets).ok()?;
    (!path.contains('\0')).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::{LdapUrl, LdapUrlError};

    #[test]
    fn every_form_of_url() {
        for (text, written) in [
            ("ldap://ldap1.example.test", "ldap://ldap1.example.test"),
            ("LDAP://LDAP1.example.test:389/", "ldap://ldap1.example.test"),
            ("ldap://127.0.0.1:3890", "ldap://127.0.0.1:3890"),
            ("ldaps://[::1]:636", "ldaps://[::1]"),
            ("ldaps://[::1]:6360/", "ldaps://[::1]:6360"),
            ("ldapi:///", "ldapi://%2Frun%2Fslapd%2Fldapi"),
            ("ldapi://%2ftmp%2Fa%20b/", "ldapi://%2Ftmp%2Fa%20b"),
        ] {
            let url: LdapUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), written);
            assert_eq!(url.to_string().parse::<LdapUrl>(), Ok(url));
        }
    }

    #[test]
    fn what_is_no_url() {
        use LdapUrlError::*;
        for (text, error) in [
            ("", Scheme),
            ("ldap.example.test", Scheme),
            ("http://ldap.example.test", Scheme),
            ("ldap://", Host),
            ("ldap:///", Host),
            ("ldap://a b", Host),
            ("ldap://a:0", Host),
            ("ldap://user@host", Host),
            ("ldap://host/dc=example", Trailing),
            ("ldap://host/?uid", Trailing),
            ("ldap://host?uid", Trailing),
            ("ldapi://tmp", Socket),
            ("ldapi://%2", Socket),
            ("ldapi://%zz", Socket),
            ("ldapi://%2Ftmp%00x", Socket),
            ("ldapi:///run/slapd", Trailing),
        ] {
            assert_eq!(text.parse::<LdapUrl>(), Err(error), "{text:?}");
        }
    }
}
