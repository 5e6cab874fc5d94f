//! Who a client is by its certificate: one field of it, which the listener names.
//!
//! The certificate has been verified before: what is read here was signed by an authority that the
//! operator trusts to name users.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use thiserror::Error;
use waypost_wire::sasl;
use x509_parser::asn1_rs::{self, FromDer as _, Oid, TaggedExplicit, oid};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::x509::AttributeTypeAndValue;

/// The field of a client's certificate that names its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameField {
    /// An `rfc822Name` of the `subjectAltName` (RFC 5280 section 4.2.1.6): an address.
    Rfc822Name,
    /// Microsoft's user principal name, an `otherName` of the `subjectAltName`.
    UserPrincipalName,
    /// The subject's `emailAddress`, where addresses stood before there was `rfc822Name` (RFC 5280
    /// section 4.1.2.6).
    EmailAddress,
    /// The subject's `commonName` (RFC 5280 section 4.1.2.4).
    CommonName,
}

/// Why a certificate names nobody.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NoName {
    /// The field is not there.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// There is more than one name, and nobody says which is the user's.
    #[error("it has several different {field}: {}", names.join(", "))]
    Several {
        /// The field.
        field: &'static str,
        /// What stands in it.
        names: Vec<String>,
    },
    /// What stands there is no text, or no name that a user can have.
    #[error("its {0} cannot be a user's name")]
    Unusable(&'static str),
    /// The certificate is none that could be read.
    #[error("it cannot be read")]
    Malformed,
}

/// Microsoft's `szOID_NT_PRINCIPAL_NAME`.
const USER_PRINCIPAL_NAME: Oid<'static> = oid!(1.3.6.1.4.1.311.20.2.3);
/// The tags of an `otherName` and of an `rfc822Name` (RFC 5280 section 4.2.1.6).
const OTHER_NAME: u32 = 0;
const RFC822_NAME: u32 = 1;
/// How many names of a certificate are named in the log.
const NAMES_TOLD: usize = 4;

impl NoName {
    /// The name in logs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Missing(_) => "no-certificate-name",
            Self::Several { .. } => "several-certificate-names",
            Self::Unusable(_) => "unusable-certificate-name",
            Self::Malformed => "malformed-certificate",
        }
    }
}

impl NameField {
    /// The field's name in logs.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Rfc822Name => "rfc822Name in subjectAltName",
            Self::UserPrincipalName => "user principal name in subjectAltName",
            Self::EmailAddress => "emailAddress in its subject",
            Self::CommonName => "commonName in its subject",
        }
    }

    /// The one name in this field of a certificate. The same name twice is one.
    pub(super) fn read(self, certificate: &CertificateDer<'_>) -> Result<Arc<str>, NoName> {
        let (_, certificate) =
            X509Certificate::from_der(certificate).map_err(|_| NoName::Malformed)?;
        let mut names = self.names(&certificate)?;
        names.sort_unstable();
        names.dedup();
        let field = self.as_str();
        match names.as_slice() {
            [] => Err(NoName::Missing(field)),
            [name] => match sasl::name(name.as_bytes()) {
                Ok(name) => Ok(name.into()),
                Err(_) => Err(NoName::Unusable(field)),
            },
            several => {
                let told = several.iter().take(NAMES_TOLD);
                let names = told.map(|name| name.escape_debug().to_string()).collect();
                Err(NoName::Several { field, names })
            }
        }
    }

    fn names<'a>(self, certificate: &'a X509Certificate<'_>) -> Result<Vec<&'a str>, NoName> {
        let unusable = || NoName::Unusable(self.as_str());
        let text = |value: &'a AttributeTypeAndValue<'_>| value.as_str().map_err(|_| unusable());
        match self {
            Self::CommonName => certificate.subject().iter_common_name().map(text).collect(),
            Self::EmailAddress => certificate.subject().iter_email().map(text).collect(),
            Self::Rfc822Name | Self::UserPrincipalName => {
                // Twice the extension is an error too (RFC 5280 section 4.2).
                let extension =
                    certificate.subject_alternative_name().map_err(|_| NoName::Malformed)?;
                let Some(extension) = extension else { return Ok(Vec::new()) };
                let names = extension.value.general_names.iter();
                names.filter_map(|name| self.alternative(name).transpose()).collect()
            }
        }
    }

    /// What one of the alternative names says in this field.
    fn alternative<'a>(self, name: &'a GeneralName<'_>) -> Result<Option<&'a str>, NoName> {
        let unusable = || NoName::Unusable(self.as_str());
        match (self, name) {
            (Self::Rfc822Name, GeneralName::RFC822Name(name)) => Ok(Some(name)),
            (Self::UserPrincipalName, GeneralName::OtherName(kind, value))
                if *kind == USER_PRINCIPAL_NAME =>
            {
                utf8(value).map(Some).ok_or_else(unusable)
            }
            (Self::Rfc822Name, GeneralName::Invalid(tag, _)) if tag.0 == RFC822_NAME => {
                Err(unusable())
            }
            (Self::UserPrincipalName, GeneralName::Invalid(tag, _)) if tag.0 == OTHER_NAME => {
                Err(unusable())
            }
            _ => Ok(None),
        }
    }
}

/// The value of a user principal name: `[0] EXPLICIT UTF8String`.
fn utf8(value: &[u8]) -> Option<&str> {
    let (rest, value) = TaggedExplicit::<&str, asn1_rs::Error, 0>::from_der(value).ok()?;
    rest.is_empty().then(|| value.into_inner())
}
