//! The other side of a handshake, by tokio-rustls: a second opinion on what TLS is.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use waypost_net::tls::CertificateFiles;

use crate::support::Authority;

pub(crate) type Version = &'static SupportedProtocolVersion;
pub(crate) const TLS12: Version = &rustls::version::TLS12;
pub(crate) const TLS13: Version = &rustls::version::TLS13;

pub(crate) fn client_config(authority: &Authority, version: Version) -> ClientConfig {
    trusting(authority, version).with_no_client_auth()
}

/// A client that shows a certificate.
pub(crate) fn client_config_with(
    authority: &Authority,
    version: Version,
    files: &CertificateFiles,
) -> ClientConfig {
    let chain = vec![CertificateDer::from_pem_file(&files.chain).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    trusting(authority, version).with_client_auth_cert(chain, key).unwrap()
}

fn trusting(
    authority: &Authority,
    version: Version,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.file()).unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
}

pub(crate) async fn connect(
    config: &Arc<ClientConfig>,
    name: &str,
    tcp: TcpStream,
) -> std::io::Result<client::TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(config.clone()).connect(name, tcp).await
}

pub(crate) fn server_config(authority: &Authority, version: Version) -> ServerConfig {
    let files = authority.issue("peer", &["a.test"]);
    let chain = vec![CertificateDer::from_pem_file(files.chain).unwrap()];
    let key = PrivateKeyDer::from_pem_file(files.key).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.ticketer = aws_lc_rs::Ticketer::new().unwrap();
    config
}

pub(crate) async fn accept(
    config: &Arc<ServerConfig>,
    tcp: TcpStream,
) -> std::io::Result<server::TlsStream<TcpStream>> {
    TlsAcceptor::from(config.clone()).accept(tcp).await
}

/// Accepts any certificate, to look at it.
#[derive(Debug)]
pub(crate) struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
