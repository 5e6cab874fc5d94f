//! The certificates that clients show: who may sign them, which are revoked, what they say.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

use super::certificate_name::{NameField, NoName};
use super::certificates::{Stamp, content, read, read_chain, stamp};
use super::{CertificateFileError, TlsError, TlsStream, provider};

/// How a listener treats its clients' certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificateSettings {
    /// PEM: the authorities whose certificates are taken, and nobody else's.
    pub ca: PathBuf,
    /// PEM: the lists of what they have revoked. With it there must be one of each authority of a
    /// chain, whose time is not over (RFC 5280 section 6.3); without, nothing is revoked.
    pub crls: Option<PathBuf>,
    /// Whether a client without a certificate is refused.
    pub required: bool,
    /// Where a certificate says who its user is; `None`: it does not.
    pub name_from: Option<NameField>,
}

/// The same with what is in the files, which are read anew when they change.
pub struct ClientCertificates {
    settings: ClientCertificateSettings,
    current: ArcSwap<Arc<dyn ClientCertVerifier>>,
    /// What the files looked like when they were last read, whatever came of it.
    seen: Mutex<[Option<Stamp>; 2]>,
}

impl ClientCertificates {
    /// Reads the files.
    ///
    /// # Errors
    /// Files that cannot be read or hold nothing of use.
    pub fn load(settings: ClientCertificateSettings) -> Result<Arc<Self>, CertificateFileError> {
        let seen = Mutex::new(stamps(&settings));
        let current = ArcSwap::from_pointee(verifier(&settings)?);
        Ok(Arc::new(Self { settings, current, seen }))
    }

    /// Reads the files anew if they have changed. Where they cannot be used that is logged, and what
    /// was in them before stays in force.
    pub fn refresh(&self) {
        let mut seen = self.seen.lock();
        let now = stamps(&self.settings);
        if *seen == now {
            return;
        }
        *seen = now;
        let ca = self.settings.ca.display();
        match verifier(&self.settings) {
            Ok(verifier) => {
                self.current.store(Arc::new(verifier));
                tracing::info!(
                    target: "waypost::tls", %ca,
                    "authorities of client certificates and what they have revoked were read anew"
                );
            }
            Err(error) => tracing::error!(
                target: "waypost::tls", %error,
                "changed authorities of client certificates, or their lists, cannot be used; those \
                 before stay"
            ),
        }
    }

    /// Calls [`ClientCertificates::refresh`] as often as `every` says, until it is dropped.
    pub async fn watch(self: Arc<Self>, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let certificates = self.clone();
            // Files may lie on a slow disk.
            let _ = tokio::task::spawn_blocking(move || certificates.refresh()).await;
        }
    }

    /// Verifies the certificate of a session that was resumed: it was verified when the session
    /// began, which may be hours ago, and its time may be over or it may have been revoked since.
    pub(super) fn verify_resumed(&self, stream: &TlsStream) -> Result<(), TlsError> {
        match stream.peer_certificates() {
            Some([certificate, intermediates @ ..]) => {
                self.verify_client_cert(certificate, intermediates, UnixTime::now())?;
                Ok(())
            }
            _ if self.settings.required => Err(TlsError::NoCertificate),
            _ => Ok(()),
        }
    }

    /// What the client's certificate says of who it is; `None` where it has shown none, or where
    /// certificates do not say that here.
    pub(super) fn name(&self, stream: &TlsStream) -> Option<Result<Arc<str>, NoName>> {
        let field = self.settings.name_from?;
        Some(field.read(stream.peer_certificates()?.first()?))
    }
}

impl ClientCertVerifier for ClientCertificates {
    fn client_auth_mandatory(&self) -> bool {
        self.settings.required
    }

    /// None: they would have to outlive a change of the file, and without them a client sends what it
    /// has (RFC 5246 section 7.4.4; RFC 8446 section 4.2.4).
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.current.load().verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current.load().verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current.load().verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current.load().supported_verify_schemes()
    }
}

impl fmt::Debug for ClientCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

fn verifier(
    settings: &ClientCertificateSettings,
) -> Result<Arc<dyn ClientCertVerifier>, CertificateFileError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_chain(&settings.ca)? {
        roots.add(certificate).map_err(|error| content(&settings.ca, error))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    if let Some(path) = &settings.crls {
        let text = read(path)?;
        let lists: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(&text).collect();
        let lists = lists.map_err(|error| content(path, error))?;
        if lists.is_empty() {
            return Err(content(path, "no revocation list in PEM form is in it"));
        }
        builder = builder.with_crls(lists).enforce_revocation_expiration();
    }
    // Whether a certificate must be there is said above.
    builder = builder.allow_unauthenticated();
    let file = settings.crls.as_ref().unwrap_or(&settings.ca);
    builder.build().map_err(|error| content(file, error))
}

fn stamps(settings: &ClientCertificateSettings) -> [Option<Stamp>; 2] {
    [stamp(&settings.ca), settings.crls.as_deref().and_then(stamp)]
}
