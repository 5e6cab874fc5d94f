//! A whole cluster: a directory, two back ends, and Waypost in front, as an operator would set
//! them up.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::clients::{Account, Tls};
use crate::servers::{Authority, Dovecot, DovecotPorts, Slapd, Waypost, free_port_on};

/// The back end of user1 and user2.
pub(crate) const NORTH: &str = "127.0.0.2";
/// The back end of user3 and user4.
pub(crate) const SOUTH: &str = "127.0.0.3";
/// Who may log in to a back end in everybody's name: `waypost`, with this password.
pub(crate) const MASTER_PASSWORD: &str = "the-master-users";
/// The users' domain.
pub(crate) const DOMAIN: &str = "localdomain.test";

/// A cluster that runs.
pub(crate) struct Cluster {
    pub slapd: Slapd,
    pub north: Dovecot,
    pub south: Dovecot,
    pub waypost: Waypost,
    pub doors: Doors,
    /// Where every certificate comes from.
    pub authority: Authority,
}

/// Where Waypost listens, on IPv4 and IPv6 alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doors {
    pub imap: u16,
    pub imaps: u16,
    pub pop3: u16,
    pub pop3s: u16,
}

/// What differs from the usual configuration.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Further lines of `[policy.ldap]`.
    pub policy: String,
    /// Further lines of `[policy.ldap.settings]`.
    pub settings: String,
    /// Its `search-pattern`.
    pub search_pattern: &'static str,
    /// What the policy may read, each quoted.
    pub attributes: &'static str,
    /// Further lines of the directory's schema.
    pub schema: &'static str,
    /// Further lines of `[server]`.
    pub server: String,
    /// Lines of `[cache]`.
    pub cache: String,
    /// Lines of `[login]`.
    pub login: String,
    /// Lines of `[backend."*"]` beside ports and CA.
    pub backend: String,
    /// How Waypost speaks with the back ends.
    pub backend_tls: &'static str,
    /// Whether the back ends get a PROXY header before everything else.
    pub backend_proxied: bool,
    /// How Waypost speaks with the directory, which it believes by the cluster's authority.
    pub directory_tls: Tls,
    /// Whether it is asked where domain controllers have their global catalogue, over TLS.
    pub global_catalog: bool,
    /// Further lines of `[directory.main]`.
    pub directory: String,
    /// Further tables.
    pub more: String,
    /// Further files beside the configuration: name and content.
    pub files: Vec<(String, String)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            policy: String::new(),
            settings: String::new(),
            search_pattern: "mail=%e",
            attributes: "\"mail\", \"mailHost\"",
            schema: "",
            server: String::new(),
            cache: "cache-for = \"1s\"\n".to_owned(),
            login: "auth-failure-delay = \"200ms\"\nretry-for = \"1s\"\n".to_owned(),
            backend: String::new(),
            backend_tls: "starttls",
            backend_proxied: false,
            directory_tls: Tls::None,
            global_catalog: false,
            directory: String::new(),
            more: String::new(),
            files: Vec::new(),
        }
    }
}

impl Cluster {
    /// Four users as in the demo, and the usual configuration.
    pub fn start(plan: &Plan) -> Self {
        let authority = Authority::new();
        let ports = DovecotPorts::free_on(&[NORTH, SOUTH].map(|at| at.parse().unwrap()));
        let north = Dovecot::start(NORTH, "north.localdomain.test", ports, &authority);
        let south = Dovecot::start(SOUTH, "south.localdomain.test", ports, &authority);
        let slapd = Slapd::start_with(&authority, plan.schema);
        for (user, at, back_end, name) in [
            ("user1", NORTH, &north, "north"),
            ("user2", NORTH, &north, "north"),
            ("user3", SOUTH, &south, "south"),
            ("user4", SOUTH, &south, "south"),
        ] {
            slapd.add_user(user, at);
            let address = format!("{user}@{DOMAIN}");
            back_end.add_user(&address, user, &format!("Welcome to {name}"));
        }
        let doors = Doors::free();
        let configuration = configuration(plan, doors, &slapd, ports);
        let (chain, key) = authority.issue(&["localhost", "127.0.0.1", "::1"]);
        let mut files = vec![
            ("chain.pem", chain.as_str()),
            ("key.pem", &key),
            ("ca.pem", authority.pem()),
            ("ldap.secret", slapd.bind_password()),
            ("master.secret", MASTER_PASSWORD),
        ];
        files.extend(plan.files.iter().map(|(name, content)| (name.as_str(), content.as_str())));
        let waypost = Waypost::start(&configuration, &files);
        Self { slapd, north, south, waypost, doors, authority }
    }

    /// An account at the IMAP door.
    pub fn imap<'a>(
        &self,
        tls: Tls,
        user: &'a str,
        password: &'a str,
        ca: &'a PathBuf,
    ) -> Account<'a> {
        let port = if tls == Tls::Implicit { self.doors.imaps } else { self.doors.imap };
        Account { server: local(port), tls, authority: ca, user, password }
    }

    /// An account at the POP3 door.
    pub fn pop3<'a>(
        &self,
        tls: Tls,
        user: &'a str,
        password: &'a str,
        ca: &'a PathBuf,
    ) -> Account<'a> {
        let port = if tls == Tls::Implicit { self.doors.pop3s } else { self.doors.pop3 };
        Account { server: local(port), tls, authority: ca, user, password }
    }

    /// The file with the authority that every certificate of the cluster comes from.
    pub fn ca(&self) -> PathBuf {
        self.waypost.file("ca.pem")
    }
}

impl Doors {
    fn free() -> Self {
        let port = Self::free_port;
        Self { imap: port(), imaps: port(), pop3: port(), pop3s: port() }
    }

    fn free_port() -> u16 {
        free_port_on(&["127.0.0.1", "::1"].map(|address| address.parse().unwrap()))
    }
}

/// A further listener, with STARTTLS, to be put into [`Plan::more`].
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub port: u16,
    pub text: String,
}

impl Door {
    /// An IMAP listener; `lines` are what the usual ones do not have.
    pub fn imap(name: &str, lines: &str) -> Self {
        Self::new(name, "imap", lines)
    }

    /// A POP3 listener; `lines` are what the usual ones do not have.
    pub fn pop3(name: &str, lines: &str) -> Self {
        Self::new(name, "pop3", lines)
    }

    fn new(name: &str, protocol: &str, lines: &str) -> Self {
        let port = Doors::free_port();
        let text = format!(
            "[listener.{name}]\nprotocol = \"{protocol}\"\n\
             bind = [\"127.0.0.1:{port}\", \"[::1]:{port}\"]\ntls = \"starttls\"\n\
             default-domain = \"{DOMAIN}\"\n{lines}\n"
        );
        Self { port, text }
    }
}

/// A port on the IPv4 loopback address.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::new("127.0.0.1".parse().unwrap(), port)
}

fn configuration(plan: &Plan, doors: Doors, slapd: &Slapd, ports: DovecotPorts) -> String {
    let mut text = format!("[server]\nhostname = \"waypost.localdomain.test\"\n{}\n", plan.server);
    for (name, protocol, port, tls) in [
        ("imap", "imap", doors.imap, "starttls"),
        ("imaps", "imap", doors.imaps, "implicit"),
        ("pop3", "pop3", doors.pop3, "starttls"),
        ("pop3s", "pop3", doors.pop3s, "implicit"),
    ] {
        let plaintext = if tls == "starttls" { "allow-plaintext-login = true\n" } else { "" };
        let _ = writeln!(
            text,
            "[listener.{name}]\nprotocol = \"{protocol}\"\n\
             bind = [\"127.0.0.1:{port}\", \"[::1]:{port}\"]\ntls = \"{tls}\"\n\
             default-domain = \"{DOMAIN}\"\n{plaintext}"
        );
    }
    let (imap, pop3) = match plan.backend_tls {
        "implicit" => (ports.imaps, ports.pop3s),
        _ if plan.backend_proxied => (ports.imap_proxied, ports.pop3_proxied),
        _ => (ports.imap, ports.pop3),
    };
    let (url, directory_tls) = match plan.directory_tls {
        Tls::None => (slapd.url(), ""),
        Tls::Start => (slapd.url(), "starttls = true\nca = \"ca.pem\"\n"),
        Tls::Implicit if plan.global_catalog => (slapd.catalog_url(), "ca = \"ca.pem\"\n"),
        Tls::Implicit => (slapd.secure_url(), "ca = \"ca.pem\"\n"),
    };
    let identity = if plan.backend_proxied { "client-identity = \"proxy-v2\"\n" } else { "" };
    let tls = plan.backend_tls;
    let _ = write!(
        text,
        "[tls]\ncertificates = [{{ chain = \"chain.pem\", key = \"key.pem\" }}]\n\n\
         [login]\n{login}\n[cache]\n{cache}\n\
         [directory.main]\nurl = [\"{url}\"]\nbind-dn = \"{bind_dn}\"\n\
         bind-password = {{ file = \"ldap.secret\" }}\nbase = \"dc=localdomain,dc=test\"\n\
         password-field = \"userPassword\"\n{directory_tls}{directory}\n\
         [policy.ldap]\nplugin = \"builtin:ldap-routing\"\n\
         directories = {{ main = [{attributes}] }}\ntargets = [\"127.0.0.0/8\"]\n{policy}\n\
         [policy.ldap.settings]\ndirectory = \"main\"\nsearch-base = \"%s\"\n\
         search-pattern = \"{search_pattern}\"\nhost-field = \"mailHost\"\nuse-first = true\n{settings}\n\
         [domain.\"{DOMAIN}\"]\npolicies = [\"ldap\"]\n\n\
         [backend.\"*\"]\nimap = {{ port = {imap}, tls = \"{tls}\" }}\n\
         pop3 = {{ port = {pop3}, tls = \"{tls}\" }}\nca = \"ca.pem\"\n{identity}{backend}\n{more}",
        login = plan.login,
        cache = plan.cache,
        bind_dn = slapd.bind_dn(),
        directory = plan.directory,
        policy = plan.policy,
        attributes = plan.attributes,
        search_pattern = plan.search_pattern,
        settings = plan.settings,
        backend = plan.backend,
        more = plan.more,
    );
    text
}
