//! Certificates for a listener and its clients.

use std::fs;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use waypost_net::tls::{
    Acceptor, AcceptorSettings, CertificateFiles, Certificates, ClientCertificateSettings,
    ClientCertificates, NameField,
};

use super::Duplex;

/// A listener that asks for certificates, and a client that shows one.
pub(crate) struct Certified {
    pub(crate) acceptor: Acceptor,
    client: Arc<ClientConfig>,
    _folder: TempDir,
}

impl Certified {
    /// The client's certificate is for these users, by its alternative names.
    pub(crate) fn as_user(addresses: &[&str]) -> Self {
        let name = |address: &&str| SanType::Rfc822Name((*address).try_into().unwrap());
        let names = addresses.iter().map(name).collect();
        Self::new(NameField::Rfc822Name, |parameters| parameters.subject_alt_names = names)
    }

    /// The client's certificate is for this user, by its common name.
    pub(crate) fn as_common_name(user: &str) -> Self {
        Self::new(NameField::CommonName, |parameters| {
            parameters.distinguished_name.push(DnType::CommonName, user);
        })
    }

    fn new(field: NameField, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = parameters.self_signed(&key).unwrap();
        let issuer = Issuer::new(parameters, key);
        fs::write(path("ca.pem"), authority.pem()).unwrap();

        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["mx.test".to_owned()]).unwrap();
        let server = server.signed_by(&key, &issuer).unwrap();
        fs::write(path("server.pem"), server.pem()).unwrap();
        fs::write(path("server.key"), key.serialize_pem()).unwrap();
        let files = CertificateFiles { chain: path("server.pem"), key: path("server.key") };
        let settings = ClientCertificateSettings {
            ca: path("ca.pem"),
            crls: None,
            required: false,
            name_from: Some(field),
        };
        let settings = AcceptorSettings {
            client_certificates: Some(ClientCertificates::load(settings).unwrap()),
            ..AcceptorSettings::default()
        };
        let acceptor = Acceptor::new(Certificates::load(vec![files]).unwrap(), settings).unwrap();

        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name = DistinguishedName::new();
        change(&mut parameters);
        let client = parameters.signed_by(&key, &issuer).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![client.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        Self { acceptor, client: Arc::new(config), _folder: folder }
    }

    /// The client's half of the handshake.
    pub(super) async fn connect(&self, stream: Box<dyn Duplex>) -> Box<dyn Duplex> {
        let name = ServerName::try_from("mx.test").unwrap();
        let connector = TlsConnector::from(self.client.clone());
        Box::new(connector.connect(name, stream).await.unwrap())
    }
}
