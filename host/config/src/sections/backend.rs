use std::num::NonZeroU16;

use waypost_model::{Encryption, Protocol};
use waypost_net::backend::{
    BackendSettings, ClientIdentity, Entry, MasterForm, MasterUser, Pattern,
};
use waypost_net::tls::{ConnectorSettings, MinimumVersion, Roots};

use crate::read::{Declared, NamedNode, Section, Setting, SubTable, Table, choice};
use crate::value::{ExistingFile, FromName, Period, SecretValue};

/// How to speak with back ends: `[backend."PATTERN"]`.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Which targets.
    pub pattern: Pattern,
    /// Whom to trust when TLS is spoken.
    pub tls: ConnectorSettings,
    /// For the clients of each protocol, in the order of [`Protocol::ALL`]; still without the
    /// connector that `tls` describes.
    pub settings: [BackendSettings; 6],
}

/// A back end with what is checked once everything is read.
pub(crate) struct BackendRead {
    pub(crate) backend: Backend,
    pub(crate) entry_key: String,
    pub(crate) name_span: std::ops::Range<usize>,
}

static IMAP: Setting<SubTable> = Setting::optional(
    "imap",
    "{ port = 143, tls = \"starttls\" }",
    "the usual port, by STARTTLS",
    "How IMAP is spoken.",
);
static POP3: Setting<SubTable> = Setting::optional(
    "pop3",
    "{ port = 110, tls = \"starttls\" }",
    "the usual port, by STARTTLS",
    "How POP3 is spoken.",
);
static SMTP: Setting<SubTable> = Setting::optional(
    "smtp",
    "{ port = 24, protocol = \"lmtp\" }",
    "the usual port, by STARTTLS",
    "How mail for SMTP clients goes on.",
);
static LMTP: Setting<SubTable> = Setting::optional(
    "lmtp",
    "{ port = 24 }",
    "the usual port, by STARTTLS",
    "How mail for LMTP clients goes on.",
);
static SUBMISSION: Setting<SubTable> = Setting::optional(
    "submission",
    "{ port = 587 }",
    "the usual port, by STARTTLS",
    "How submission is spoken.",
);
static WEBMAIL: Setting<SubTable> = Setting::optional(
    "webmail",
    "{ port = 443 }",
    "the usual port, TLS from the first octet",
    "How HTTP is spoken.",
);
static CA: Setting<ExistingFile> = Setting::optional(
    "ca",
    "\"tls/internal-ca.pem\"",
    "those that the system trusts",
    "The authorities whose certificates are believed, and nobody else's, in PEM.",
);
static VERIFY: Setting<bool> = Setting::with_default(
    "verify",
    "true",
    "Whether certificates are verified. Without, passwords go to whoever answers.",
);
static MINIMUM_VERSION: Setting<MinimumVersion> = Setting::with_default(
    "minimum-version",
    "\"1.2\"",
    "The oldest version of TLS that is spoken.",
);
static CLIENT_IDENTITY: Setting<ClientIdentity> = Setting::with_default(
    "client-identity",
    "\"none\"",
    "How the back end learns the client's address: by IMAP's ID or the other protocols' XCLIENT \
     where it offers them (id and xclient mean the same), or by a PROXY header. It must be configured \
     to believe Waypost. With none a submission back end that offers XCLIENT is told all the same: \
     else a client could say it behind its login, and take another user's name.",
);
static ENTER_TABLE: Setting<SubTable> = Setting::optional(
    "enter",
    "{ with = \"master-user\", name = \"waypost\", password = { file = \"master.secret\" } }",
    "with the client's own name and password",
    "With whose password sessions enter that log in.",
);
static CONNECT_TIMEOUT: Setting<Period> =
    Setting::with_default("connect-timeout", "\"5s\"", "For each address of a target.");
static REPLY_TIMEOUT: Setting<Period> = Setting::with_default(
    "reply-timeout",
    "\"30s\"",
    "For each reply up to the answer to the login, the greeting included.",
);

pub(crate) static BACKEND: Section = Section {
    header: "backend.\"*\"",
    about: "How to speak with targets, by pattern: *, a name, *.SUFFIX, an address or a network. \
            The most specific that fits the target as the policy names it counts, whole: nothing \
            is inherited.",
    settings: &[
        &IMAP,
        &POP3,
        &SMTP,
        &LMTP,
        &SUBMISSION,
        &WEBMAIL,
        &CA,
        &VERIFY,
        &MINIMUM_VERSION,
        &CLIENT_IDENTITY,
        &ENTER_TABLE,
        &CONNECT_TIMEOUT,
        &REPLY_TIMEOUT,
    ],
};

static PORT: Setting<NonZeroU16> = Setting::optional(
    "port",
    "143",
    "the usual port of the protocol",
    "The port, where the policy names none.",
);
static TLS: Setting<Encryption> = Setting::optional(
    "tls",
    "\"starttls\"",
    "starttls; implicit for webmail",
    "What is demanded; a policy may demand more, never less. With none, passwords travel in clear.",
);
static ASSUME_8BIT: Setting<bool> = Setting::optional(
    "assume-8bit",
    "true",
    "true where lmtp is spoken, false where smtp is",
    "Whether mail with 8-bit text may go there though 8BITMIME is not offered. Nothing is ever \
     re-encoded, since that would break signatures: without, such mail is refused.",
);
static SPOKEN: Setting<Protocol> = Setting::optional(
    "protocol",
    "\"imap\"",
    "the protocol of the client",
    "What is spoken with the back end: mail for SMTP clients may go on by lmtp.",
);

pub(crate) static PROTOCOL: Section = Section {
    header: "backend.\"*\".imap",
    about: "How one protocol is spoken with them; the same settings for pop3, smtp, lmtp, \
            submission and webmail.",
    settings: &[&PORT, &TLS, &SPOKEN, &ASSUME_8BIT],
};

/// With whose password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    Client,
    MasterUser,
    Password,
}

choice! {
    With:
    "client" => Self::Client,
    "master-user" => Self::MasterUser,
    "password" => Self::Password,
}

/// How the back end is told in whose name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    AuthorisationId,
    Separator,
}

choice! {
    By:
    "authorisation-id" => Self::AuthorisationId,
    "separator" => Self::Separator,
}

static WITH: Setting<With> = Setting::with_default(
    "with",
    "\"client\"",
    "With the client's own name and password; with those of a master user, in the client's name; or \
     with the client's name and a password of the back end's own, the same for all. Any but the \
     first is used only where the front has checked the password (see verification of policies), \
     and every user is let in whom it sends: such a back end must take it from Waypost alone.",
);
static NAME: Setting<String> = Setting::optional(
    "name",
    "\"waypost\"",
    "with a master user it must be given",
    "The master user's name.",
);
static PASSWORD: Setting<SecretValue> = Setting::optional(
    "password",
    "{ file = \"master.secret\" }",
    "it must be given unless the client's own is used",
    "The password, from a file or from the environment ({ env = \"NAME\" }). No policy sees it.",
);
static BY: Setting<By> = Setting::optional(
    "by",
    "\"separator\"",
    "by the authorisation identity",
    "How the back end is told whose mailbox a master user wants: by the authorisation identity of \
     SASL PLAIN, or by a login name with both (user*master).",
);
static SEPARATOR: Setting<char> = Setting::optional(
    "separator",
    "\"*\"",
    "*",
    "What stands between the two then: Dovecot's auth_master_user_separator.",
);

pub(crate) static ENTER: Section = Section {
    header: "backend.\"*\".enter",
    about: "With whose password sessions enter them that log in.",
    settings: &[&WITH, &NAME, &PASSWORD, &BY, &SEPARATOR],
};

fn read_enter(table: &Table<'_>) -> Entry {
    let (name, password) = (table.find(&NAME), table.find(&PASSWORD));
    let (with, by, separator) = (table.get(&WITH), table.find(&BY), table.find(&SEPARATOR));
    let form = match by {
        Some(By::Separator) => MasterForm::Separator(separator.unwrap_or('*')),
        Some(By::AuthorisationId) | None => MasterForm::AuthorisationId,
    };
    if with == With::MasterUser && form == MasterForm::AuthorisationId {
        table.refuse(&SEPARATOR, "this has a meaning with by = \"separator\" only");
    }
    let wrong = |setting: &'static dyn Declared| {
        table.refuse(setting, "this has no meaning with what sessions enter with");
    };
    if with != With::MasterUser {
        [&NAME as &dyn Declared, &BY, &SEPARATOR].into_iter().for_each(wrong);
    }
    if with == With::Client {
        wrong(&PASSWORD);
        return Entry::Client;
    }
    let Some(SecretValue(password)) = password else {
        if !table.has(&PASSWORD) {
            table.error(&PASSWORD, "expected a password to enter with");
        }
        return Entry::Client;
    };
    match (with, name) {
        (With::MasterUser, Some(name)) => Entry::Master(MasterUser { name, password, form }),
        (With::MasterUser, None) => {
            table.error(&NAME, "expected the name of the master user");
            Entry::Client
        }
        _ => Entry::Password(password),
    }
}

pub(crate) fn read(entry: &NamedNode<'_>) -> Option<BackendRead> {
    let pattern = Pattern::from_name(entry);
    let (tls, settings) = entry.node.table(&BACKEND, read_table)?;
    let backend = Backend { pattern: pattern?, tls, settings };
    let (entry_key, name_span) = (entry.node.key.clone(), entry.name_span.clone());
    Some(BackendRead { backend, entry_key, name_span })
}

fn read_table(table: &Table<'_>) -> (ConnectorSettings, [BackendSettings; 6]) {
    let tls = ConnectorSettings {
        roots: table.find(&CA).map_or(Roots::System, |file| Roots::File(file.0)),
        verify: table.get(&VERIFY),
        minimum_version: table.get(&MINIMUM_VERSION),
        ..ConnectorSettings::default()
    };
    if !tls.verify && table.has(&CA) {
        table.error(&VERIFY, "with a ca, certificates are verified; leave one of the two out");
    }
    let client_identity = table.get(&CLIENT_IDENTITY);
    let entry = table.table(&ENTER_TABLE, &ENTER, read_enter).unwrap_or_default();
    let connect_timeout = table.get(&CONNECT_TIMEOUT).0;
    let reply_timeout = table.get(&REPLY_TIMEOUT).0;
    let of = |protocol| {
        let usual = BackendSettings::new(protocol);
        let key = key_of(protocol);
        let spoken = table.table(key, &PROTOCOL, |table| read_protocol(table, protocol));
        let spoken = spoken.unwrap_or_else(|| Spoken::of(protocol));
        BackendSettings {
            protocol: spoken.protocol,
            port: spoken.port,
            encryption: spoken.encryption.unwrap_or(usual.encryption),
            client_identity,
            entry: entry.clone(),
            connect_timeout,
            reply_timeout,
            assume_8bit: spoken.assume_8bit.unwrap_or(spoken.protocol == Protocol::Lmtp),
            ..usual
        }
    };
    (tls, Protocol::ALL.map(of))
}

fn key_of(protocol: Protocol) -> &'static Setting<SubTable> {
    match protocol {
        Protocol::Imap => &IMAP,
        Protocol::Pop3 => &POP3,
        Protocol::Smtp => &SMTP,
        Protocol::Lmtp => &LMTP,
        Protocol::Submission => &SUBMISSION,
        Protocol::Webmail => &WEBMAIL,
    }
}

/// How one protocol is spoken, as far as it is written.
struct Spoken {
    port: Option<NonZeroU16>,
    encryption: Option<Encryption>,
    protocol: Protocol,
    assume_8bit: Option<bool>,
}

impl Spoken {
    /// Nothing is written.
    const fn of(protocol: Protocol) -> Self {
        Self { port: None, encryption: None, protocol, assume_8bit: None }
    }
}

fn read_protocol(table: &Table<'_>, client: Protocol) -> Spoken {
    let protocol = table.find(&SPOKEN).unwrap_or(client);
    let possible = protocol == client || (client, protocol) == (Protocol::Smtp, Protocol::Lmtp);
    if !possible {
        table.error(&SPOKEN, format!("{client} clients cannot go on by {protocol}"));
    }
    let assume_8bit = table.find(&ASSUME_8BIT);
    if assume_8bit.is_some() && !matches!(client, Protocol::Smtp | Protocol::Lmtp) {
        table.error(&ASSUME_8BIT, format!("this has no meaning for {client}"));
    }
    let encryption = table.find(&TLS);
    if (client, encryption) == (Protocol::Webmail, Some(Encryption::Starttls)) {
        table.error(&TLS, "HTTP knows no STARTTLS: expected \"implicit\" or \"none\"");
    }
    Spoken { port: table.find(&PORT), encryption, protocol, assume_8bit }
}
