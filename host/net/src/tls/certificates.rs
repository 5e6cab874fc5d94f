//! The certificates that clients are shown: read from files, chosen by SNI, read anew when the
//! files change.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{provider, validity};
use crate::metrics::Metrics;

/// How long before a certificate's end the operator is warned.
const WARN_BEFORE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How often the warning is repeated.
const WARN_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where one certificate lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// PEM: the certificate of the host, then its intermediates.
    pub chain: PathBuf,
    /// PEM: the private key, PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
pub enum CertificateFileError {
    /// None are configured.
    #[error("no certificate is configured")]
    None,
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// Every certificate of a configuration, shared by all listeners and workers.
pub struct Certificates {
    current: ArcSwap<Index>,
    entries: Mutex<Vec<Entry>>,
    metrics: OnceLock<Metrics>,
}

/// What one pair of files held when it was last good.
struct Entry {
    files: CertificateFiles,
    /// What the files looked like when they were last read, whatever came of it.
    seen: [Option<Stamp>; 2],
    certificate: Loaded,
}

#[derive(Clone)]
struct Loaded {
    key: Arc<CertifiedKey>,
    names: Arc<[String]>,
    not_after: Option<SystemTime>,
}

/// The certificates by name, in lower case; wildcards stand as `*.example.test`. More than one
/// certificate may bear a name, for keys of different kinds.
struct Index {
    by_name: HashMap<String, Vec<Arc<CertifiedKey>>>,
    all: Vec<Arc<CertifiedKey>>,
}

/// Tells whether a file is still the one that was read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

/// What [`Certificates::refresh`] has done.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// How many certificates were replaced.
    pub renewed: usize,
    /// What is wrong with the changed files that could not be used. The certificates that were
    /// there before stay in use.
    pub failed: Vec<CertificateFileError>,
}

impl Certificates {
    /// Reads all certificates; the first is for clients that name no host, or one that no
    /// certificate bears. Any error is an error of the whole.
    pub fn load(files: Vec<CertificateFiles>) -> Result<Arc<Self>, CertificateFileError> {
        if files.is_empty() {
            return Err(CertificateFileError::None);
        }
        let mut entries = Vec::with_capacity(files.len());
        for files in files {
            let seen = stamps(&files);
            let certificate = load(&files)?;
            entries.push(Entry { files, seen, certificate });
        }
        let current = ArcSwap::from_pointee(Index::new(&entries));
        let metrics = OnceLock::new();
        let certificates = Self { current, entries: Mutex::new(entries), metrics };
        certificates.warn_of_expiry();
        Ok(Arc::new(certificates))
    }

    /// Shows from now on when each certificate expires.
    pub fn report_to(&self, metrics: &Metrics) {
        self.metrics.get_or_init(|| metrics.clone());
        self.report();
    }

    /// Reads those files anew that have changed since they were last read. A certificate that
    /// cannot be used is logged and reported, and the one before it stays.
    pub fn refresh(&self) -> Refreshed {
        let mut entries = self.entries.lock();
        let mut refreshed = Refreshed::default();
        for entry in entries.iter_mut() {
            let seen = stamps(&entry.files);
            if seen == entry.seen {
                continue;
            }
            entry.seen = seen;
            match load(&entry.files) {
                Ok(certificate) => {
                    entry.certificate = certificate;
                    refreshed.renewed += 1;
                }
                Err(error) => refreshed.failed.push(error),
            }
        }
        if refreshed.renewed > 0 {
            self.current.store(Arc::new(Index::new(&entries)));
        }
        drop(entries);
        refreshed.log();
        if refreshed.renewed > 0 {
            self.warn_of_expiry();
            self.report();
        }
        refreshed
    }

    /// Calls [`Certificates::refresh`] as often as `every` says, until it is dropped; warns once a
    /// day of certificates that end soon.
    pub async fn watch(self: Arc<Self>, every: Duration) {
        let mut warned = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(every).await;
            let certificates = self.clone();
            // Files may lie on a slow disk.
            let _ = tokio::task::spawn_blocking(move || certificates.refresh()).await;
            if warned.elapsed() >= WARN_EVERY {
                warned = tokio::time::Instant::now();
                self.warn_of_expiry();
            }
        }
    }

    /// The chain file of each certificate and the end of its life.
    pub fn expiries(&self) -> Vec<(PathBuf, Option<SystemTime>)> {
        let entries = self.entries.lock();
        entries.iter().map(|e| (e.files.chain.clone(), e.certificate.not_after)).collect()
    }

    fn report(&self) {
        let Some(metrics) = self.metrics.get() else { return };
        for (path, not_after) in self.expiries() {
            let since_1970 = not_after.and_then(|end| end.duration_since(UNIX_EPOCH).ok());
            let Some(seconds) = since_1970.and_then(|d| i64::try_from(d.as_secs()).ok()) else {
                continue;
            };
            metrics.certificate_end(path.display().to_string(), seconds);
        }
    }

    fn warn_of_expiry(&self) {
        let now = SystemTime::now();
        for (path, not_after) in self.expiries() {
            let Some(not_after) = not_after else { continue };
            let path = path.display();
            match not_after.duration_since(now) {
                Err(_) => {
                    tracing::error!(target: "waypost::tls", %path, "the certificate has expired");
                }
                Ok(left) if left < WARN_BEFORE => {
                    let days = left.as_secs() / (24 * 60 * 60);
                    tracing::warn!(target: "waypost::tls", %path, days, "the certificate expires soon");
                }
                Ok(_) => {}
            }
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let index = self.current.load();
        let named = hello.server_name().and_then(|name| index.find(name));
        // A client names its signature schemes: of several certificates take one that it can
        // verify, else the first, and let the handshake say why that does not do.
        let usable = |list: &[Arc<CertifiedKey>]| {
            let schemes = hello.signature_schemes();
            list.iter().find(|c| c.key.choose_scheme(schemes).is_some()).cloned()
        };
        named.and_then(usable).or_else(|| usable(&index.all)).or_else(|| index.all.first().cloned())
    }
}

impl Index {
    fn new(entries: &[Entry]) -> Self {
        let mut index = Self { by_name: HashMap::new(), all: Vec::new() };
        for Entry { certificate, .. } in entries {
            index.all.push(certificate.key.clone());
            for name in certificate.names.iter() {
                let certificates = index.by_name.entry(name.clone()).or_default();
                certificates.push(certificate.key.clone());
            }
        }
        index
    }

    /// The certificates for a host name: those that bear it, else those whose wildcard covers its
    /// leftmost label (RFC 6125 section 6.4.3).
    fn find(&self, name: &str) -> Option<&[Arc<CertifiedKey>]> {
        let name = name.to_ascii_lowercase();
        let wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        };
        self.by_name.get(&name).or_else(wildcard).map(Vec::as_slice)
    }
}

impl Refreshed {
    fn log(&self) {
        if self.renewed > 0 {
            let renewed = self.renewed;
            tracing::info!(target: "waypost::tls", renewed, "certificates were read anew");
        }
        for error in &self.failed {
            tracing::error!(
                target: "waypost::tls", %error,
                "a changed certificate cannot be used; the one before it stays"
            );
        }
    }
}

fn load(files: &CertificateFiles) -> Result<Loaded, CertificateFileError> {
    let chain = read_chain(&files.chain)?;
    let key = read_key(&files.key)?;
    let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
        content(
            &files.key,
            format!("the key cannot be used with {}: {error}", files.chain.display()),
        )
    })?;
    let leaf = key.end_entity_cert().map_err(|error| content(&files.chain, error))?;
    let names = dns_names(leaf).map_err(|error| content(&files.chain, error))?;
    let not_after = validity::not_after(leaf);
    Ok(Loaded { key: Arc::new(key), names: names.into(), not_after })
}

/// Every certificate of a PEM file.
pub(super) fn read_chain(
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, CertificateFileError> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(content(path, "no certificate in PEM form is in it")),
        Ok(chain) => Ok(chain),
        Err(error) => Err(content(path, error)),
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, CertificateFileError> {
    fs::read(path).map_err(|error| unreadable(path, error))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateFileError> {
    let text = Zeroizing::new(read(path)?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => {
            content(path, "no private key in PEM form is in it (an encrypted one is not supported)")
        }
        error => content(path, error),
    })
}

fn dns_names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, webpki::Error> {
    let certificate = webpki::EndEntityCert::try_from(certificate)?;
    Ok(certificate.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

fn stamps(files: &CertificateFiles) -> [Option<Stamp>; 2] {
    [stamp(&files.chain), stamp(&files.key)]
}

pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    })
}

fn unreadable(path: &Path, error: io::Error) -> CertificateFileError {
    CertificateFileError::Read { path: path.to_owned(), error }
}

pub(super) fn content(path: &Path, problem: impl fmt::Display) -> CertificateFileError {
    CertificateFileError::Content { path: path.to_owned(), problem: problem.to_string() }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.expiries()).finish()
    }
}
