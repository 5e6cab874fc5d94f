//! What can go wrong with TLS, sorted by what it means for the session.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};
use thiserror::Error;

/// Why there is no TLS connection, or no longer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer's certificate is not to be trusted. Trying again cannot help: an operator must.
    #[error("the certificate is not accepted: {0}")]
    Certificate(#[from] CertificateProblem),
    /// The client showed no certificate where one is required.
    #[error("the client showed no certificate, and one is required")]
    NoCertificate,
    /// The peer refused with an alert.
    #[error("the peer refused with the TLS alert {0:?}")]
    Alert(AlertDescription),
    /// The client offered application protocols (ALPN, RFC 7301), none of which is spoken here.
    #[error("the client offered no application protocol that is spoken here")]
    NoCommonProtocol,
    /// What came was not TLS, or broke its rules.
    #[error("the TLS protocol was broken: {0}")]
    Protocol(#[source] Error),
    /// The handshake was not over when its time was.
    #[error("the TLS handshake took too long")]
    Timeout,
    /// The peer went away in the middle of the handshake.
    #[error("the connection was closed during the TLS handshake")]
    Closed,
    /// The network.
    #[error("the connection broke: {0}")]
    Network(#[source] io::Error),
}

/// What is wrong with a peer's certificate.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Nobody who is trusted here has signed it.
    #[error("its issuer is not among the trusted authorities")]
    UnknownIssuer,
    /// It names a trusted issuer, but was not signed with that issuer's key.
    #[error("its signature is not that of the issuer it names")]
    BadSignature,
    /// It is for other names.
    #[error("it is for {}, not for {expected}", list(presented))]
    NameMismatch {
        /// The name or address that was connected to.
        expected: String,
        /// The names in the certificate.
        presented: Vec<String>,
    },
    /// It has been revoked.
    #[error("it has been revoked")]
    Revoked,
    /// Any other reason, in the words of the library that verifies.
    #[error("{0}")]
    Other(String),
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
}

impl TlsError {
    /// The name in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "certificate",
            Self::NoCertificate => "no-certificate",
            Self::Alert(_) => "alert",
            Self::NoCommonProtocol => "alpn",
            Self::Protocol(_) => "protocol",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Network(_) => "network",
        }
    }

    /// Whether another try may end differently without an operator's hand. A certificate stays
    /// what it is.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Timeout | Self::Closed | Self::Network(_))
    }
}

impl From<io::Error> for TlsError {
    /// Finds the TLS error again that travelled inside an I/O error.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Error>() {
            Ok(error) => error.into(),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            Err(error) => Self::Network(error),
        }
    }
}

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidCertificate(problem) => Self::Certificate(problem.into()),
            Error::AlertReceived(alert) => Self::Alert(alert),
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::NoApplicationProtocol => Self::NoCommonProtocol,
            error => Self::Protocol(error),
        }
    }
}

impl From<CertificateError> for CertificateProblem {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::NotValidForNameContext { expected, presented } => {
                Self::NameMismatch { expected: expected.to_str().into_owned(), presented }
            }
            CertificateError::BadSignature => Self::BadSignature,
            CertificateError::Revoked => Self::Revoked,
            error => Self::Other(error.to_string()),
        }
    }
}
