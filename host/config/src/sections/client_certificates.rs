use std::ops::Range;

use waypost_net::tls::{ClientCertificateSettings, NameField};

use crate::read::{Section, Setting, Table};
use crate::value::ExistingFile;

/// What `client-certificates` of a listener says, and where it says who may log in so.
pub(crate) struct ClientCertificatesRead {
    pub(crate) settings: ClientCertificateSettings,
    /// The key and place of `name-from`, where it is given.
    pub(crate) name_from: Option<(String, Range<usize>)>,
}

static CA: Setting<ExistingFile> = Setting::required(
    "ca",
    "\"tls/clients-ca.pem\"",
    "The authorities whose certificates are taken, and nobody else's, in PEM. Read anew when it \
     changes, as crls is.",
);
static CRLS: Setting<ExistingFile> = Setting::optional(
    "crls",
    "\"tls/clients-crls.pem\"",
    "nothing is revoked",
    "What those authorities have revoked, in PEM: a list (X.509 version 2) of each authority, those \
     between the root and the client's certificate included. A list whose time is over lets in \
     nobody.",
);
static REQUIRED: Setting<bool> = Setting::with_default(
    "required",
    "false",
    "Whether a client without a certificate is refused, however it would log in.",
);
static NAME_FROM: Setting<NameField> = Setting::optional(
    "name-from",
    "\"rfc822-name\"",
    "certificates do not say who their user is, and nobody logs in with one alone",
    "Where a certificate names its user, who then may log in by SASL EXTERNAL, without a password: \
     an address or a user principal name in its subjectAltName, or emailAddress or commonName in its \
     subject. A certificate with none or with several is of no use for that. Back ends are entered \
     by what their enter says.",
);

pub(crate) static CLIENT_CERTIFICATES: Section = Section {
    header: "listener.imaps.client-certificates",
    about: "Certificates that clients show, where clients log in over imap, pop3 or submission. \
            Without this table nobody is asked for one.",
    settings: &[&CA, &CRLS, &REQUIRED, &NAME_FROM],
};

pub(crate) fn read(table: &Table<'_>) -> Option<ClientCertificatesRead> {
    let (ca, crls) = (table.find(&CA), table.find(&CRLS));
    let (required, name_from) = (table.get(&REQUIRED), table.find(&NAME_FROM));
    let key = format!("{}.{}", table.key(), NAME_FROM.key);
    let settings =
        ClientCertificateSettings { ca: ca?.0, crls: crls.map(|file| file.0), required, name_from };
    let name_from = name_from.map(|_| (key, table.span_of(&NAME_FROM)));
    Some(ClientCertificatesRead { settings, name_from })
}
