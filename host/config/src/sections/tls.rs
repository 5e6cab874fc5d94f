use waypost_net::tls::{CertificateFiles, MinimumVersion};

use crate::read::{Section, Setting, Table};
use crate::value::CertificatePair;

/// TLS on the clients' leg: `[tls]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates to show, by the name that a client asks for. The first is for those who
    /// ask for none that is there.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest version that is spoken.
    pub minimum_version: MinimumVersion,
}

static CERTIFICATES: Setting<Vec<CertificatePair>> = Setting::usual(
    "certificates",
    "[{ chain = \"tls/chain.pem\", key = \"tls/key.pem\" }]",
    "no listener can offer TLS",
    "The certificates to show to clients, by the name that a client asks for (SNI); the first is \
     for those who ask for none of them. PEM: the chain with the host's certificate first. Files \
     are read anew when they change.",
);
static MINIMUM_VERSION: Setting<MinimumVersion> =
    Setting::with_default("minimum-version", "\"1.2\"", "The oldest version that is spoken.");

pub(crate) static TLS: Section = Section {
    header: "tls",
    about: "TLS with clients.",
    settings: &[&CERTIFICATES, &MINIMUM_VERSION],
};

/// The settings, and whether certificates are given, rightly or wrongly.
pub(crate) fn read(table: &Table<'_>) -> (Tls, bool) {
    let certificates = table.find(&CERTIFICATES).unwrap_or_default();
    let tls = Tls {
        certificates: certificates.into_iter().map(|pair| pair.0).collect(),
        minimum_version: table.get(&MINIMUM_VERSION),
    };
    let is_empty = table.node(&CERTIFICATES).and_then(|node| node.elements());
    let given = table.has(&CERTIFICATES) && !is_empty.is_some_and(|elements| elements.is_empty());
    (tls, given)
}
