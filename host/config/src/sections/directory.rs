use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use waypost_directory::{
    BarePassword, Bind, Dn, Grant, LdapSettings, LdapUrl, LdifSettings, LdifSource, Limits,
    TlsIdentity, TlsSettings,
};
use waypost_model::{Host, Secret};

use crate::read::{NamedNode, Section, Setting, Table, choice};
use crate::value::{
    CertificatePair, ExistingFile, Octets, Period, SecretValue, is_name, unreadable,
};

/// A directory: `[directory.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there are few, and none is moved often")]
pub enum Directory {
    /// LDAP servers.
    Ldap(LdapSettings),
    /// An LDIF file.
    Ldif(LdifSettings),
}

impl Directory {
    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Ldap(settings) => &settings.name,
            Self::Ldif(settings) => &settings.name,
        }
    }

    /// Whether passwords can be checked by binding as its entries; a file's are compared instead.
    pub(crate) fn may_bind(&self) -> bool {
        match self {
            Self::Ldap(settings) => settings.may_bind(),
            Self::Ldif(settings) => settings.password_field.is_some(),
        }
    }

    /// The attribute that holds passwords.
    pub fn password_field(&self) -> Option<&str> {
        match self {
            Self::Ldap(settings) => settings.password_field.as_deref(),
            Self::Ldif(settings) => settings.password_field.as_deref(),
        }
    }
}

/// A directory with what is checked once everything is read.
pub(crate) struct DirectoryRead {
    pub(crate) directory: Directory,
    pub(crate) key: String,
    pub(crate) name_span: Range<usize>,
}

/// `bind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BindMethod {
    Anonymous,
    Simple,
    External,
}

choice! {
    BarePassword:
    "clear" => Self::Clear,
    "base64" => Self::Base64,
    "refused" => Self::Refused,
}

choice! {
    BindMethod:
    "anonymous" => Self::Anonymous,
    "simple" => Self::Simple,
    "external" => Self::External,
}

static URL: Setting<Vec<LdapUrl>> = Setting::usual(
    "url",
    "[\"ldap://ldap1.example.test\", \"ldap://ldap2.example.test\"]",
    "the directory is an LDIF file",
    "LDAP servers with the same content: ldap://HOST[:PORT], ldaps://HOST[:PORT] or \
     ldapi://%2Fpath%2Fto%2Fsocket. The first that answers is used, the first of all is returned \
     to.",
);
static LDIF: Setting<ExistingFile> = Setting::optional(
    "ldif",
    "\"directory.ldif\"",
    "the directory is LDAP servers",
    "An LDIF file that answers the same searches.",
);
static BIND: Setting<BindMethod> = Setting::optional(
    "bind",
    "\"simple\"",
    "simple with a bind-dn, else anonymous",
    "How to log in. external takes whom the connection shows: the process's user over ldapi, the \
     client certificate over TLS.",
);
static BIND_DN: Setting<String> = Setting::optional(
    "bind-dn",
    "\"cn=waypost,dc=example,dc=test\"",
    "nobody is named",
    "As whom to log in.",
);
static BIND_PASSWORD: Setting<SecretValue> = Setting::optional(
    "bind-password",
    "{ file = \"ldap.secret\" }",
    "there is none",
    "The password for bind-dn, from a file or from the environment ({ env = \"NAME\" }).",
);
static BASE: Setting<String> = Setting::usual(
    "base",
    "\"dc=example,dc=test\"",
    "an LDIF file's own; LDAP servers need it",
    "The distinguished name under which everything lies. No search leaves it.",
);
static PASSWORD_FIELD: Setting<String> = Setting::optional(
    "password-field",
    "\"userPassword\"",
    "only the usual ones are secret",
    "The attribute that holds passwords. No policy sees it or tests it.",
);
static BARE_PASSWORDS: Setting<BarePassword> = Setting::with_default(
    "bare-passwords",
    "\"clear\"",
    "How a value of password-field without a {SCHEME} is read: as the password itself, as the \
     password in base64, or not at all (refused). What looks like a hash of crypt(3) is read as one \
     in any case.",
);
static CLEAR_BINDS_TO: Setting<Vec<Host>> = Setting::with_default(
    "clear-binds-to",
    "[]",
    "The servers, as url names them, to which users' passwords may go in clear where a policy has \
     them checked by binding. Whoever is on the way reads them. Over TLS and ldapi none need be \
     named.",
);
static PASSWORD_CHECKS: Setting<NonZeroUsize> = Setting::with_default(
    "password-checks",
    "8",
    "How many passwords may be checked at once, each on a connection of its own; more wait.",
);
static STARTTLS: Setting<bool> = Setting::with_default(
    "starttls",
    "false",
    "Whether ldap:// URLs are upgraded to TLS before anything else is said. There is no going on \
     without.",
);
static CA: Setting<ExistingFile> = Setting::optional(
    "ca",
    "\"tls/internal-ca.pem\"",
    "those that the system trusts",
    "The authorities whose certificates are believed, in PEM.",
);
static VERIFY: Setting<bool> = Setting::with_default(
    "verify",
    "true",
    "Whether the servers' certificates are verified. Without, whoever sits on the way reads the \
     bind password.",
);
static CLIENT_CERTIFICATE: Setting<CertificatePair> = Setting::optional(
    "client-certificate",
    "{ chain = \"tls/ldap-client.pem\", key = \"tls/ldap-client.key\" }",
    "there is none",
    "Waypost's own certificate, for servers that ask for one.",
);
static CONNECTIONS: Setting<NonZeroUsize> = Setting::with_default(
    "connections",
    "2",
    "How many connections carry all searches; each carries many at once.",
);
static IN_FLIGHT: Setting<NonZeroUsize> = Setting::with_default(
    "in-flight",
    "128",
    "How many searches may be under way on them together; more wait.",
);
static CONNECT_TIMEOUT: Setting<Period> = Setting::with_default(
    "connect-timeout",
    "\"3s\"",
    "How long one attempt to connect to one address, encrypt and log in may take.",
);
static SEARCH_TIMEOUT: Setting<Period> =
    Setting::with_default("search-timeout", "\"2s\"", "How long one search may take.");
static MAX_ENTRIES: Setting<NonZeroU32> = Setting::with_default(
    "max-entries",
    "1000",
    "The most entries that one search may bring, whatever a policy asks for.",
);
static MAX_SIZE: Setting<Octets> =
    Setting::with_default("max-size", "\"1MiB\"", "The most data that one search may bring.");
static RECYCLE_SEARCHES: Setting<u64> = Setting::with_default(
    "recycle-searches",
    "100000",
    "A connection is replaced after about this many searches.",
);
static RECYCLE_AGE: Setting<Period> =
    Setting::with_default("recycle-age", "\"15m\"", "A connection is replaced at about this age.");
static BACKOFF_MIN: Setting<Period> = Setting::with_default(
    "backoff-min",
    "\"100ms\"",
    "How long to wait after the first failure to connect; twice as long after each further one.",
);
static BACKOFF_MAX: Setting<Period> = Setting::with_default(
    "backoff-max",
    "\"5s\"",
    "The longest wait between two attempts to connect.",
);
static FAIL_BACK_AFTER: Setting<Period> = Setting::with_default(
    "fail-back-after",
    "\"30s\"",
    "How often a better server than the one in use is tried.",
);

pub(crate) static DIRECTORY: Section = Section {
    header: "directory.main",
    about: "A directory, under a name of your choice: LDAP servers (url) or a file (ldif).",
    settings: &[
        &URL,
        &LDIF,
        &BIND,
        &BIND_DN,
        &BIND_PASSWORD,
        &BASE,
        &PASSWORD_FIELD,
        &BARE_PASSWORDS,
        &CLEAR_BINDS_TO,
        &PASSWORD_CHECKS,
        &STARTTLS,
        &CA,
        &VERIFY,
        &CLIENT_CERTIFICATE,
        &CONNECTIONS,
        &IN_FLIGHT,
        &CONNECT_TIMEOUT,
        &SEARCH_TIMEOUT,
        &MAX_ENTRIES,
        &MAX_SIZE,
        &RECYCLE_SEARCHES,
        &RECYCLE_AGE,
        &BACKOFF_MIN,
        &BACKOFF_MAX,
        &FAIL_BACK_AFTER,
    ],
};

pub(crate) fn read(entry: &NamedNode<'_>) -> Option<DirectoryRead> {
    if !is_name(entry.name) {
        entry.name_error("expected a name of letters, digits, \"-\", \"_\" and \".\", up to 64");
    }
    let directory = entry.node.table(&DIRECTORY, |table| read_table(table, entry.name))??;
    let (key, name_span) = (entry.node.key.clone(), entry.name_span.clone());
    Some(DirectoryRead { directory, key, name_span })
}

fn read_table(table: &Table<'_>, name: &str) -> Option<Directory> {
    // Everything is read whichever of the two it is, so that everything wrong is told.
    let (urls, file) = (table.find(&URL), table.find(&LDIF));
    let common = Common::read(table);
    let ldap = read_ldap(table, name, urls.unwrap_or_default(), &common);
    match (table.has(&URL), table.has(&LDIF)) {
        (true, false) => {
            if !table.has(&BASE) {
                table.error(&BASE, "LDAP servers need a base, for example \"dc=example,dc=test\"");
            }
            Some(Directory::Ldap(ldap?))
        }
        (false, true) => {
            refuse_for_ldif(table);
            Some(Directory::Ldif(LdifSettings {
                base: common.base,
                password_field: common.password_field,
                bare_passwords: common.bare_passwords,
                limits: common.limits,
                ..LdifSettings::new(name, LdifSource::File(file?.0))
            }))
        }
        (true, true) => {
            table.error(&LDIF, "this directory has a url already; expected one of the two");
            None
        }
        (false, false) => {
            let span = table.span();
            table.reading().error(span, table.key(), "expected a url or an ldif file");
            None
        }
    }
}

/// What both kinds have.
struct Common {
    base: Option<String>,
    password_field: Option<String>,
    bare_passwords: BarePassword,
    limits: Limits,
}

impl Common {
    fn read(table: &Table<'_>) -> Self {
        let base: Option<String> = table.find(&BASE);
        if let Some(error) = base.as_deref().and_then(|base| Dn::parse(base).err()) {
            table.error(&BASE, format!("this is no distinguished name: {error}"));
        }
        let password_field: Option<String> = table.find(&PASSWORD_FIELD);
        if let Some(field) = &password_field
            && Grant::new([], std::slice::from_ref(field)).is_err()
        {
            table.error(&PASSWORD_FIELD, "expected the name of an attribute");
        }
        let limits =
            Limits { entries: table.get(&MAX_ENTRIES).get(), octets: table.get(&MAX_SIZE).0 };
        let bare_passwords = table.get(&BARE_PASSWORDS);
        Self { base, password_field, bare_passwords, limits }
    }
}

fn read_ldap(
    table: &Table<'_>,
    name: &str,
    urls: Vec<LdapUrl>,
    common: &Common,
) -> Option<LdapSettings> {
    if table.node(&URL).and_then(|node| node.elements()).is_some_and(|list| list.is_empty()) {
        table.error(&URL, "expected at least one server");
    }
    let (bind, tls) = (read_bind(table), read_tls(table, &urls));
    let settings = LdapSettings {
        password_field: common.password_field.clone(),
        bare_passwords: common.bare_passwords,
        clear_binds: table.get(&CLEAR_BINDS_TO),
        checks: table.get(&PASSWORD_CHECKS).get(),
        limits: common.limits,
        connections: table.get(&CONNECTIONS).get(),
        in_flight: table.get(&IN_FLIGHT).get(),
        connect_timeout: table.get(&CONNECT_TIMEOUT).0,
        search_timeout: table.get(&SEARCH_TIMEOUT).0,
        recycle_searches: table.get(&RECYCLE_SEARCHES),
        recycle_age: table.get(&RECYCLE_AGE).0,
        backoff_min: table.get(&BACKOFF_MIN).0,
        backoff_max: table.get(&BACKOFF_MAX).0,
        fail_back_after: table.get(&FAIL_BACK_AFTER).0,
        ..LdapSettings::new(name, urls, common.base.clone().unwrap_or_default())
    };
    for host in &settings.clear_binds {
        let named = |url: &LdapUrl| matches!(url, LdapUrl::Ldap(other, _) if other == host);
        if !settings.urls.is_empty() && !settings.urls.iter().any(named) {
            table.error(&CLEAR_BINDS_TO, format!("no ldap:// URL of this directory names {host}"));
        }
    }
    if settings.recycle_searches == 0 {
        table.error(&RECYCLE_SEARCHES, "this cannot be zero");
    }
    if settings.backoff_min > settings.backoff_max {
        table.error(&BACKOFF_MIN, "this is longer than backoff-max");
    }
    let settings = LdapSettings { bind: bind?, tls: tls?, ..settings };
    warn_of_clear_passwords(table, &settings);
    Some(settings)
}

fn read_bind(table: &Table<'_>) -> Option<Bind> {
    let method: Option<BindMethod> = table.find(&BIND);
    let dn: Option<String> = table.find(&BIND_DN);
    let password: Option<SecretValue> = table.find(&BIND_PASSWORD);
    if let Some(error) = dn.as_deref().and_then(|dn| Dn::parse(dn).err()) {
        table.error(&BIND_DN, format!("this is no distinguished name: {error}"));
    }
    let named = table.has(&BIND_DN);
    let usual = if named { BindMethod::Simple } else { BindMethod::Anonymous };
    let method = method.unwrap_or(usual);
    let given: [(&'static str, bool); 2] =
        [("bind-dn", named), ("bind-password", table.has(&BIND_PASSWORD))];
    match method {
        BindMethod::Simple => {
            for (key, given) in given {
                if !given {
                    let span = table.span();
                    let message =
                        format!("a simple bind needs bind-dn and bind-password: {key} is missing");
                    table.reading().error(span, table.key(), message);
                }
            }
            Some(Bind::Simple { dn: dn?, password: password?.0 })
        }
        BindMethod::Anonymous | BindMethod::External => {
            if table.has(&BIND_PASSWORD) {
                table.error(&BIND_PASSWORD, "a password without bind-dn has no meaning");
            } else if named {
                table.error(&BIND_DN, "this has no meaning with this bind");
            }
            match method {
                BindMethod::External => Some(Bind::External),
                _ => Some(Bind::Anonymous),
            }
        }
    }
}

fn read_tls(table: &Table<'_>, urls: &[LdapUrl]) -> Option<TlsSettings> {
    let (starttls, verify) = (table.get(&STARTTLS), table.get(&VERIFY));
    let (ca, certificate) = (table.find(&CA), table.find(&CLIENT_CERTIFICATE));
    let upgradable = urls.iter().any(|url| matches!(url, LdapUrl::Ldap(..)));
    if starttls && !urls.is_empty() && !upgradable {
        table.error(&STARTTLS, "none of the URLs is an ldap:// one, which could be upgraded");
    }
    if ca.is_some() && !verify {
        table.error(&VERIFY, "with a ca, certificates are verified; leave one of the two out");
    }
    let ca = match ca {
        Some(file) => Some(content(table, &CA, file.0)?.into()),
        None => None,
    };
    let identity = match certificate {
        Some(pair) => Some(TlsIdentity {
            chain: content(table, &CLIENT_CERTIFICATE, pair.0.chain)?.into(),
            key: Secret::new(content(table, &CLIENT_CERTIFICATE, pair.0.key)?),
        }),
        None => None,
    };
    Some(TlsSettings { starttls, ca, verify, identity })
}

fn content<T>(table: &Table<'_>, setting: &'static Setting<T>, path: PathBuf) -> Option<Vec<u8>> {
    match table.reading().surroundings.read(&path) {
        Ok(content) => Some(content),
        Err(error) => {
            table.error(setting, unreadable(&path, &error));
            None
        }
    }
}

fn warn_of_clear_passwords(table: &Table<'_>, settings: &LdapSettings) {
    let Bind::Simple { .. } = settings.bind else { return };
    let in_clear = |url: &&LdapUrl| match url {
        LdapUrl::Ldap(Host::Address(address), _) => !address.is_loopback(),
        LdapUrl::Ldap(Host::Name(name), _) => name.as_str() != "localhost",
        LdapUrl::Ldaps(..) | LdapUrl::Ldapi(_) => false,
    };
    if let Some(url) = settings.urls.iter().find(in_clear).filter(|_| !settings.tls.starttls) {
        let message = format!("the bind password travels in clear to {url}; set starttls = true");
        table.warning(&URL, message);
    }
}

/// What only LDAP servers have.
fn refuse_for_ldif(table: &Table<'_>) {
    fn refuse<T>(table: &Table<'_>, setting: &'static Setting<T>) {
        if table.has(setting) {
            table.error(setting, "this has no meaning for an LDIF file");
        }
    }
    refuse(table, &BIND);
    refuse(table, &BIND_DN);
    refuse(table, &BIND_PASSWORD);
    refuse(table, &CLEAR_BINDS_TO);
    refuse(table, &PASSWORD_CHECKS);
    refuse(table, &STARTTLS);
    refuse(table, &CA);
    refuse(table, &VERIFY);
    refuse(table, &CLIENT_CERTIFICATE);
    refuse(table, &CONNECTIONS);
    refuse(table, &IN_FLIGHT);
    refuse(table, &CONNECT_TIMEOUT);
    refuse(table, &SEARCH_TIMEOUT);
    refuse(table, &RECYCLE_SEARCHES);
    refuse(table, &RECYCLE_AGE);
    refuse(table, &BACKOFF_MIN);
    refuse(table, &BACKOFF_MAX);
    refuse(table, &FAIL_BACK_AFTER);
}
