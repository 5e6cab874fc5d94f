use std::io;
use std::path::{Path, PathBuf};

use waypost_net::tls::CertificateFiles;

use crate::read::{Node, Section, Setting, Value};

/// A file that is there. A relative path starts from the configuration's folder.
#[derive(Clone, Debug)]
pub(crate) struct ExistingFile(pub(crate) PathBuf);

impl Value for ExistingFile {
    fn expected() -> String {
        "the path of a file".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let Some(text) = node.text() else { return node.expected(Self::expected()) };
        let path = resolved(node, text)?;
        inspected(node, &path)?;
        Some(Self(path))
    }
}

/// A path at which there may be nothing.
#[derive(Clone, Debug)]
pub(crate) struct AnyPath(pub(crate) PathBuf);

impl Value for AnyPath {
    fn expected() -> String {
        ExistingFile::expected()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let Some(text) = node.text() else { return node.expected(Self::expected()) };
        resolved(node, text).map(Self)
    }
}

/// A file that nobody else should read. That others can is worth a warning.
#[derive(Clone, Debug)]
pub(crate) struct PrivateFile(pub(crate) PathBuf);

impl Value for PrivateFile {
    fn expected() -> String {
        ExistingFile::expected()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let Some(text) = node.text() else { return node.expected(Self::expected()) };
        let path = resolved(node, text)?;
        if inspected(node, &path)?.is_world_readable {
            let path = path.display();
            node.warning(format_args!("everybody may read {path}; chmod o-rwx {path}"));
        }
        Some(Self(path))
    }
}

fn resolved(node: &Node<'_>, text: &str) -> Option<PathBuf> {
    if text.is_empty() || text.contains('\0') {
        return node.expected(ExistingFile::expected());
    }
    Some(node.reading.folder().join(text))
}

fn inspected(node: &Node<'_>, path: &Path) -> Option<crate::surroundings::FileFacts> {
    match node.reading.surroundings.inspect(path) {
        Ok(facts) if facts.is_file => Some(facts),
        Ok(_) => node.error(format_args!("{} is a folder, not a file", path.display())),
        Err(error) => node.error(unreadable(path, &error)),
    }
}

/// Says that a file cannot be used, and why.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
        _ => format!("{} cannot be read: {error}", path.display()),
    }
}

static CHAIN: Setting<ExistingFile> = Setting::required(
    "chain",
    "\"tls/chain.pem\"",
    "PEM: the certificate of the host, then its intermediates.",
);
static KEY: Setting<PrivateFile> =
    Setting::required("key", "\"tls/key.pem\"", "PEM: its private key.");
static PAIR: Section =
    Section { header: "", about: "A certificate and its key.", settings: &[&CHAIN, &KEY] };

/// A certificate and its key: `{ chain = "…", key = "…" }`.
#[derive(Clone, Debug)]
pub(crate) struct CertificatePair(pub(crate) CertificateFiles);

impl Value for CertificatePair {
    fn expected() -> String {
        "a certificate: { chain = \"…\", key = \"…\" }".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        if !node.is_table() {
            return node.expected(Self::expected());
        }
        let (chain, key) = node.table(&PAIR, |pair| (pair.find(&CHAIN), pair.find(&KEY)))?;
        Some(Self(CertificateFiles { chain: chain?.0, key: key?.0 }))
    }
}
