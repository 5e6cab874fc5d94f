//! A private authority and what it issues.

use std::fs;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use waypost_directory::TlsIdentity;
use waypost_model::Secret;

/// The folder holds `ca.pem`, and `server.pem` and `server.key` for `localhost`.
pub(crate) struct Certificates {
    pub(crate) folder: TempDir,
    pub(crate) ca: Arc<[u8]>,
    issuer: Issuer<'static, KeyPair>,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "A private authority");
        let ca = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        fs::write(folder.path().join("ca.pem"), &ca).unwrap();
        fs::write(folder.path().join("server.pem"), certificate.pem()).unwrap();
        fs::write(folder.path().join("server.key"), key.serialize_pem()).unwrap();
        Self { folder, ca: Arc::from(ca.as_bytes()), issuer }
    }

    /// A client's certificate for a common name.
    pub(crate) fn client(&self, name: &str) -> TlsIdentity {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        TlsIdentity {
            chain: Arc::from(certificate.pem().as_bytes()),
            key: Secret::from(key.serialize_pem().as_str()),
        }
    }
}
