//! TLS on both legs: one stream type over rustls's unbuffered connections, an [`Acceptor`] for
//! clients and a [`Connector`] for back ends.

mod acceptor;
mod certificate_name;
mod certificates;
mod client_certificates;
mod connector;
mod engine;
mod error;
mod stream;
mod validity;

use std::sync::{Arc, LazyLock};

use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};

pub use acceptor::{Acceptor, AcceptorSettings};
pub use certificate_name::{NameField, NoName};
pub use certificates::{CertificateFileError, CertificateFiles, Certificates, Refreshed};
pub use client_certificates::{ClientCertificateSettings, ClientCertificates};
pub use connector::{Connector, ConnectorError, ConnectorSettings, Roots};
pub use error::{CertificateProblem, TlsError};
pub use stream::TlsStream;

/// The oldest version of TLS that is spoken. Older ones than 1.2 are never (RFC 8996).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinimumVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    Tls12,
    /// TLS 1.3 only.
    Tls13,
}

impl MinimumVersion {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        static FROM_TLS12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        static FROM_TLS13: [&SupportedProtocolVersion; 1] = [&TLS13];
        match self {
            Self::Tls12 => &FROM_TLS12,
            Self::Tls13 => &FROM_TLS13,
        }
    }
}

/// The cryptography of every TLS connection here. It is passed on explicitly, so that no other
/// crate's choice of a process default can change it.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    PROVIDER.clone()
}
