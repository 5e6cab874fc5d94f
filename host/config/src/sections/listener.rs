use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use waypost_model::{Domain, Encryption, Protocol};
use waypost_net::listener::ListenerSettings;
use waypost_net::tls::ClientCertificateSettings;
use waypost_routing::LoginNameRules;
use waypost_smtp::EntranceSettings;
use waypost_wire::login::FrontSettings;

use super::client_certificates::{self, ClientCertificatesRead};
use super::login::Login;
use crate::read::{Declared, NamedNode, Placed, Section, Setting, SubTable, Table};
use crate::value::{NetworkList, Period, is_name};

/// A listener: `[listener.NAME]`.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Sockets, who may connect, and how many.
    pub settings: ListenerSettings,
    /// What is spoken over them.
    pub spoken: Spoken,
}

/// What belongs to a listener's protocol.
#[derive(Clone, Debug)]
pub enum Spoken {
    /// One that logs in.
    Login(LoginListener),
    /// Inbound mail.
    Mail(EntranceSettings),
    /// Webmail.
    Web(WebListener),
}

/// A listener for webmail.
#[derive(Clone, Debug)]
pub struct WebListener {
    /// How login names are read.
    pub names: LoginNameRules,
    /// Whether passwords may come without TLS.
    pub allow_plaintext: bool,
}

/// A listener whose clients log in.
#[derive(Clone, Debug)]
pub struct LoginListener {
    /// How its fronts speak with clients.
    pub front: FrontSettings,
    /// How login names are read.
    pub names: LoginNameRules,
    /// How long a session may be silent after login.
    pub idle_timeout: Duration,
    /// Which certificates clients may show, and what they are for; `None`: nobody is asked.
    pub client_certificates: Option<ClientCertificateSettings>,
}

/// A listener with what is checked once everything is read.
pub(crate) struct ListenerRead {
    pub(crate) listener: Listener,
    pub(crate) key: String,
    pub(crate) bind: Vec<Placed<SocketAddr>>,
    pub(crate) tls_span: Range<usize>,
    pub(crate) default_domain_span: Range<usize>,
    /// The key and place of what lets clients log in with a certificate alone.
    pub(crate) certificate_name_from: Option<(String, Range<usize>)>,
}

/// What belongs to listeners whose clients log in.
static LOGIN_ONLY: [&dyn Declared; 5] = [
    &DEFAULT_DOMAIN,
    &ALLOW_PLAINTEXT_LOGIN,
    &MAX_CONNECTIONS_PER_USER,
    &IDLE_TIMEOUT,
    &CLIENT_CERTIFICATES,
];
/// What belongs to listeners for inbound mail.
static MAIL_ONLY: [&dyn Declared; 3] = [&SMTPUTF8, &DSN, &NORMALIZE_NEWLINES_FROM];

/// What those for webmail do not have: there is no session of a user, a request may take as long as
/// `[webmail]` says, and a web server could not be told of a certificate.
static NOT_WEB: [&dyn Declared; 3] =
    [&MAX_CONNECTIONS_PER_USER, &IDLE_TIMEOUT, &CLIENT_CERTIFICATES];

static PROTOCOL: Setting<Protocol> = Setting::required(
    "protocol",
    "\"imap\"",
    "What is spoken with clients: imap, pop3, smtp, lmtp, submission or webmail, which is HTTP.",
);
static BIND: Setting<Vec<Placed<SocketAddr>>> = Setting::required(
    "bind",
    "[\"[::]:993\"]",
    "Where. [::] serves IPv4 clients too, unless an IPv4 address is bound to the same port.",
);
static TLS: Setting<Encryption> = Setting::required(
    "tls",
    "\"implicit\"",
    "TLS from the first octet, by STARTTLS or STLS, or not at all. TLS needs certificates in [tls]. \
     HTTP knows no STARTTLS.",
);
static DEFAULT_DOMAIN: Setting<Domain> = Setting::usual(
    "default-domain",
    "\"example.test\"",
    "a name without a domain is unknown",
    "Added to a login name without a domain for the lookup. The back end gets what the client typed, \
     unless the policy gives another name: where it knows whole addresses only, have the policy \
     name the user.",
);
static ALLOW_PLAINTEXT_LOGIN: Setting<bool> = Setting::with_default(
    "allow-plaintext-login",
    "false",
    "Whether passwords may come without TLS. Whoever is on the way reads them.",
);
static PROXY_PROTOCOL_FROM: Setting<NetworkList> = Setting::with_default(
    "proxy-protocol-from",
    "[]",
    "Load balancers: peers that begin each connection with a PROXY header, version 1 or 2, and \
     must. Nobody else is believed.",
);
static PROXY_HEADER_TIMEOUT: Setting<Period> = Setting::with_default(
    "proxy-header-timeout",
    "\"5s\"",
    "How long such a peer may take for its header.",
);
static ALLOW_NETWORKS: Setting<NetworkList> =
    Setting::with_default("allow-networks", "[]", "Who may connect; an empty list is everybody.");
static DENY_NETWORKS: Setting<NetworkList> =
    Setting::with_default("deny-networks", "[]", "Who may not, even if allow-networks holds them.");
static EXEMPT_NETWORKS: Setting<NetworkList> = Setting::with_default(
    "exempt-networks",
    "[]",
    "Webmail hosts and NATs: clients who are not counted by address or by user. They count for \
     max-connections.",
);
static MAX_CONNECTIONS: Setting<u32> = Setting::optional(
    "max-connections",
    "10000",
    "as many as the descriptors of the process carry",
    "Connections at once. A number that the descriptors do not carry is refused at the start.",
);
static MAX_CONNECTIONS_PER_ADDRESS: Setting<u32> = Setting::with_default(
    "max-connections-per-address",
    "100",
    "Connections at once from one IPv4 address or one IPv6 /64; zero is no limit.",
);
static MAX_CONNECTIONS_PER_USER: Setting<u32> = Setting::with_default(
    "max-connections-per-user",
    "50",
    "Sessions at once of one user, those on other listeners included; zero is no limit.",
);
static IDLE_TIMEOUT: Setting<Period> = Setting::optional(
    "idle-timeout",
    "\"31m\"",
    "31m for imap, 10m for pop3, 5m for submission",
    "How long a session may be silent in both directions after login.",
);
static CLIENT_CERTIFICATES: Setting<SubTable> = Setting::optional(
    "client-certificates",
    "{ ca = \"tls/clients-ca.pem\", name-from = \"rfc822-name\" }",
    "nobody is asked for one",
    "Certificates that clients show.",
);
static BACKLOG: Setting<u32> = Setting::with_default(
    "backlog",
    "4096",
    "Connections that the kernel holds until they are accepted; its own limit, \
     net.core.somaxconn, stands above it.",
);
static POP3_CAPABILITIES: Setting<Vec<String>> = Setting::optional(
    "pop3-capabilities",
    "[\"TOP\", \"UIDL\"]",
    "TOP, UIDL, RESP-CODES, AUTH-RESP-CODE and PIPELINING",
    "What POP3's CAPA lists beside what follows from other settings. All back ends must have it: \
     `waypost check` compares.",
);
static SUBMISSION_EXTENSIONS: Setting<Vec<String>> = Setting::optional(
    "submission-extensions",
    "[\"SIZE 52428800\", \"8BITMIME\", \"DSN\"]",
    "SIZE and 8BITMIME, which every server has",
    "What submission's EHLO lists beside PIPELINING, ENHANCEDSTATUSCODES and what follows from other \
     settings. Clients hear it before it is known which back end will answer, and believe it behind \
     the login, so all back ends must have it: `waypost check` compares. SIZE without a number \
     leaves the limit to the back end.",
);

static SMTPUTF8: Setting<bool> = Setting::optional(
    "smtputf8",
    "true",
    "they are not",
    "Whether SMTP and LMTP clients are offered addresses and headers in UTF-8. Back ends without \
     SMTPUTF8 refuse such mail.",
);
static DSN: Setting<bool> = Setting::optional(
    "dsn",
    "true",
    "they may not",
    "Whether SMTP and LMTP clients may say which reports they want. Back ends without DSN are not \
     told.",
);
static NORMALIZE_NEWLINES_FROM: Setting<NetworkList> = Setting::optional(
    "normalize-newlines-from",
    "[\"10.1.2.0/24\"]",
    "there are none",
    "Old devices: SMTP and LMTP clients whose lines may end with a bare CR or LF, which become CRLF. \
     From everybody else such a message is refused. The end of a message is never written so.",
);

pub(crate) static LISTENER: Section = Section {
    header: "listener.imaps",
    about: "A listener, under a name of your choice.",
    settings: &[
        &PROTOCOL,
        &BIND,
        &TLS,
        &DEFAULT_DOMAIN,
        &ALLOW_PLAINTEXT_LOGIN,
        &PROXY_PROTOCOL_FROM,
        &PROXY_HEADER_TIMEOUT,
        &ALLOW_NETWORKS,
        &DENY_NETWORKS,
        &EXEMPT_NETWORKS,
        &MAX_CONNECTIONS,
        &MAX_CONNECTIONS_PER_ADDRESS,
        &MAX_CONNECTIONS_PER_USER,
        &IDLE_TIMEOUT,
        &CLIENT_CERTIFICATES,
        &BACKLOG,
        &POP3_CAPABILITIES,
        &SUBMISSION_EXTENSIONS,
        &SMTPUTF8,
        &DSN,
        &NORMALIZE_NEWLINES_FROM,
    ],
};

pub(crate) fn read(
    entry: &NamedNode<'_>,
    login: &Login,
    hostname: &Arc<str>,
) -> Option<ListenerRead> {
    if !is_name(entry.name) {
        entry.name_error("expected a name of letters, digits, \"-\", \"_\" and \".\", up to 64");
    }
    entry.node.table(&LISTENER, |table| read_table(table, entry.name, login, hostname))?
}

fn read_table(
    table: &Table<'_>,
    name: &str,
    login: &Login,
    hostname: &Arc<str>,
) -> Option<ListenerRead> {
    let (protocol, bind, tls) = (table.find(&PROTOCOL), table.find(&BIND), table.find(&TLS));
    let default_domain = table.find(&DEFAULT_DOMAIN);
    let allow_plaintext = table.get(&ALLOW_PLAINTEXT_LOGIN);
    let bind = bind.unwrap_or_default();

    // What is missing or wrong has been noted; the rest is read with something in its place.
    let (protocol_or, tls_or) =
        (protocol.unwrap_or(Protocol::Imap), tls.unwrap_or(Encryption::Implicit));
    let settings = ListenerSettings {
        bind: bind.iter().map(|bind| bind.value).collect(),
        default_domain: default_domain.clone(),
        proxy_protocol_from: table.get(&PROXY_PROTOCOL_FROM).0,
        proxy_header_timeout: table.get(&PROXY_HEADER_TIMEOUT).0,
        allow: table.get(&ALLOW_NETWORKS).0,
        deny: table.get(&DENY_NETWORKS).0,
        exempt_networks: table.get(&EXEMPT_NETWORKS).0,
        max_connections: max_connections(table),
        max_connections_per_address: limit(table.get(&MAX_CONNECTIONS_PER_ADDRESS)),
        max_connections_per_user: limit(table.get(&MAX_CONNECTIONS_PER_USER)),
        backlog: i32::try_from(table.get(&BACKLOG)).unwrap_or(i32::MAX),
        ..ListenerSettings::new(name, protocol_or, tls_or)
    };
    let front = FrontSettings {
        encryption: tls_or,
        allow_plaintext,
        mechanisms: login.mechanisms.clone(),
        apop: login.apop,
        allow_authorisation: login.authorisation_id,
        max_auth_errors: login.max_auth_errors,
        max_errors: login.max_errors,
        hostname: hostname.clone(),
        pop3_capabilities: pop3_capabilities(table, protocol_or),
        submission_extensions: submission_extensions(table, protocol_or),
    };
    let names = LoginNameRules {
        default_domain,
        master_separator: login.master_separator,
        authorisation_id: login.authorisation_id,
    };
    let idle_timeout = idle_timeout(table, protocol_or);
    let certificates = client_certificates(table, tls);
    let (client_certificates, certificate_name_from) =
        certificates.map(|read| (read.settings, read.name_from)).unzip();
    let mail = mail(table, tls_or);
    check(table, protocol, tls, allow_plaintext);
    let (Some(_), Some(_)) = (protocol, tls) else { return None };
    let spoken = match protocol_or {
        Protocol::Smtp | Protocol::Lmtp => Spoken::Mail(mail),
        Protocol::Webmail => Spoken::Web(WebListener { names, allow_plaintext }),
        Protocol::Imap | Protocol::Pop3 | Protocol::Submission => {
            Spoken::Login(LoginListener { front, names, idle_timeout, client_certificates })
        }
    };
    Some(ListenerRead {
        listener: Listener { settings, spoken },
        key: table.key().to_owned(),
        bind,
        tls_span: table.span_of(&TLS),
        default_domain_span: table.span_of(&DEFAULT_DOMAIN),
        certificate_name_from: certificate_name_from.flatten(),
    })
}

fn check(
    table: &Table<'_>,
    protocol: Option<Protocol>,
    tls: Option<Encryption>,
    allow_plaintext: bool,
) {
    if table.node(&BIND).and_then(|node| node.elements()).is_some_and(|list| list.is_empty()) {
        table.error(&BIND, "expected at least one address");
    }
    let Some(protocol) = protocol else { return };
    if takes_mail(protocol) {
        LOGIN_ONLY.iter().for_each(|setting| refuse(table, *setting, protocol));
        return;
    }
    MAIL_ONLY.iter().for_each(|setting| refuse(table, *setting, protocol));
    if protocol == Protocol::Webmail {
        NOT_WEB.iter().for_each(|setting| refuse(table, *setting, protocol));
        if tls == Some(Encryption::Starttls) {
            table.error(&TLS, "HTTP knows no STARTTLS: expected \"implicit\" or \"none\"");
        }
    }
    match tls {
        Some(Encryption::None) if !allow_plaintext => table.error(
            &TLS,
            format!(
                "without TLS nobody could log in: expected {}, or allow-plaintext-login = true, \
                 which lets passwords travel in clear",
                match protocol {
                    Protocol::Webmail => "\"implicit\"",
                    _ => "\"implicit\" or \"starttls\"",
                }
            ),
        ),
        Some(Encryption::Implicit) if allow_plaintext => table.error(
            &ALLOW_PLAINTEXT_LOGIN,
            "this has no meaning with tls = \"implicit\": nothing is ever in clear",
        ),
        _ => {}
    }
}

/// Whether mail comes in by this protocol, and nobody logs in.
fn takes_mail(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Smtp | Protocol::Lmtp)
}

/// Notes a setting that other protocols have.
fn refuse(table: &Table<'_>, setting: &'static dyn Declared, protocol: Protocol) {
    table.refuse(setting, format!("this has no meaning with protocol {protocol}"));
}

fn client_certificates(
    table: &Table<'_>,
    tls: Option<Encryption>,
) -> Option<ClientCertificatesRead> {
    let node = table.node(&CLIENT_CERTIFICATES)?;
    if tls == Some(Encryption::None) {
        table.error(&CLIENT_CERTIFICATES, "certificates are shown over TLS, and there is none");
    }
    node.table(&client_certificates::CLIENT_CERTIFICATES, client_certificates::read)?
}

fn mail(table: &Table<'_>, encryption: Encryption) -> EntranceSettings {
    EntranceSettings {
        encryption,
        smtputf8: table.find(&SMTPUTF8).unwrap_or_default(),
        dsn: table.find(&DSN).unwrap_or_default(),
        normalize_newlines_from: table.find(&NORMALIZE_NEWLINES_FROM).unwrap_or_default().0,
    }
}

fn max_connections(table: &Table<'_>) -> Option<u32> {
    let max = table.find(&MAX_CONNECTIONS);
    if max == Some(0) {
        table.error(&MAX_CONNECTIONS, "this cannot be zero: nobody could connect");
    }
    max
}

/// Zero is no limit.
fn limit(number: u32) -> Option<u32> {
    (number > 0).then_some(number)
}

fn idle_timeout(table: &Table<'_>, protocol: Protocol) -> Duration {
    // RFC 9051 section 5.4 demands 30 minutes, RFC 1939 section 3 ten, RFC 5321 section 4.5.3.2.7
    // five.
    let (usual, least, rule) = match protocol {
        Protocol::Pop3 => (10, 10, "RFC 1939"),
        Protocol::Submission => (5, 5, "RFC 5321"),
        _ => (31, 30, "RFC 9051"),
    };
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let Some(Period(timeout)) = table.find(&IDLE_TIMEOUT) else { return minutes(usual) };
    if timeout < minutes(least) {
        let message = format!("{rule} promises {protocol} clients at least {least} minutes");
        table.warning(&IDLE_TIMEOUT, message);
    }
    timeout
}

fn pop3_capabilities(table: &Table<'_>, protocol: Protocol) -> Vec<String> {
    let Some(capabilities) = table.find(&POP3_CAPABILITIES) else {
        return FrontSettings::default().pop3_capabilities;
    };
    if protocol != Protocol::Pop3 {
        refuse(table, &POP3_CAPABILITIES, protocol);
    }
    if !capabilities.iter().all(|line| is_line(line)) {
        table.error(&POP3_CAPABILITIES, "expected printable ASCII");
    }
    capabilities
}

fn submission_extensions(table: &Table<'_>, protocol: Protocol) -> Vec<String> {
    let Some(extensions) = table.find(&SUBMISSION_EXTENSIONS) else {
        return FrontSettings::default().submission_extensions;
    };
    if protocol != Protocol::Submission {
        refuse(table, &SUBMISSION_EXTENSIONS, protocol);
    }
    for extension in &extensions {
        let keyword = extension.split(' ').next().unwrap_or_default();
        // RFC 5321 section 4.1.1.1.
        let is_keyword = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
            && keyword.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric());
        if !is_keyword || !is_line(extension) {
            let message = format!("expected a keyword and its parameters, not {extension:?}");
            table.error(&SUBMISSION_EXTENSIONS, message);
        }
        if let Some(decided) = NOT_CONFIGURED.iter().find(|it| it.eq_ignore_ascii_case(keyword)) {
            let message = format!("{decided} is not for this list: Waypost itself decides on it");
            table.error(&SUBMISSION_EXTENSIONS, message);
        }
    }
    extensions
}

/// Extensions that follow from other settings, are always offered, or are never a client's.
const NOT_CONFIGURED: [&str; 6] =
    ["PIPELINING", "ENHANCEDSTATUSCODES", "STARTTLS", "AUTH", "XCLIENT", "XFORWARD"];

fn is_line(line: &str) -> bool {
    line.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
}
