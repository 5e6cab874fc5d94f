//! Webmail: a directory in a file, two web servers, and Waypost in front.

use std::net::SocketAddr;
use std::process::{Command, Output};

use super::mailboxes::{DOMAIN, NORTH, SOUTH};
use crate::servers::{Apache, Authority, Waypost, free_port, free_port_on, run_within};

/// A cluster that runs.
pub(crate) struct WebServers {
    pub north: Apache,
    pub south: Apache,
    pub waypost: Waypost,
    /// The door with TLS.
    pub https: u16,
    /// The door without.
    pub http: u16,
}

impl WebServers {
    /// Two users, each on a back end of their own. `more` are further tables.
    pub fn start(more: &str) -> Self {
        let authority = Authority::new();
        let port = free_port_on(&[NORTH, SOUTH].map(|at| at.parse().unwrap()));
        let users = ["user1@localdomain.test", "user2@localdomain.test"];
        let back_end = |at: &str, name, users: &[&str]| {
            let address = SocketAddr::new(at.parse().unwrap(), port);
            Apache::start(address, name, &authority, users)
        };
        let north = back_end(NORTH, "north", &users[..1]);
        let south = back_end(SOUTH, "south", &users[1..]);
        let (https, http) = (free_port(), free_port());
        let (chain, key) = authority.issue(&["localhost", "127.0.0.1"]);
        let waypost = Waypost::start(
            &configuration(https, http, &format!("{{ port = {port} }}"), more),
            &[
                ("chain.pem", &chain),
                ("key.pem", &key),
                ("ca.pem", authority.pem()),
                ("users.ldif", &directory(NORTH)),
            ],
        );
        Self { north, south, waypost, https, http }
    }

    /// Fetches a path over TLS with curl, as `user`, whose password is their name.
    pub fn curl(&self, user: &str, path: &str, arguments: &[&str]) -> Fetched {
        let mut command = Command::new("/usr/bin/curl");
        command.args(["-sS", "--max-time", "30", "-D", "/dev/stderr", "--cacert"]);
        command.arg(self.waypost.file("ca.pem"));
        command.arg("-u").arg(format!("{user}@{DOMAIN}:{user}"));
        command.args(arguments);
        command.arg(format!("https://localhost:{}{path}", self.https));
        Fetched::from(run_within(&mut command, std::time::Duration::from_secs(40)))
    }

    /// Has the directory say that user1 lives elsewhere.
    pub fn move_user1(&self, host: &str) {
        std::fs::write(self.waypost.file("users.ldif"), directory(host)).unwrap();
        self.waypost.reload();
    }
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// Heads, those of further answers included.
    pub head: String,
    pub body: String,
}

impl From<Output> for Fetched {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { head: text(&output.stderr), body: text(&output.stdout) }
    }
}

impl Fetched {
    /// The status of the last answer.
    pub fn status(&self) -> u16 {
        let mut lines = self.head.lines().filter(|line| line.starts_with("HTTP/"));
        let status = lines.next_back().and_then(|line| line.split(' ').nth(1));
        status.and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{self:?}"))
    }

    /// The value of a field of the head.
    pub fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut values = fields.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim())
    }
}

/// Starts a Waypost whose back ends are in clear at this port.
pub(crate) fn in_clear(port: u16, more: &str) -> (Waypost, u16, u16) {
    started(port, |text| text + more)
}

/// The same, with its configuration changed.
pub(crate) fn started(port: u16, change: impl Fn(String) -> String) -> (Waypost, u16, u16) {
    let authority = Authority::new();
    let (https, http) = (free_port(), free_port());
    let (chain, key) = authority.issue(&["localhost", "127.0.0.1"]);
    let webmail = format!("{{ port = {port}, tls = \"none\" }}");
    let files = [
        ("chain.pem", &*chain),
        ("key.pem", &*key),
        ("ca.pem", authority.pem()),
        ("users.ldif", &*directory(NORTH)),
    ];
    let text = change(configuration(https, http, &webmail, ""));
    (Waypost::start(&text, &files), https, http)
}

/// `webmail` is how the back ends are spoken with.
fn configuration(https: u16, http: u16, webmail: &str, more: &str) -> String {
    format!(
        "[server]\nhostname = \"waypost.localdomain.test\"\n\n\
         [listener.https]\nprotocol = \"webmail\"\nbind = [\"127.0.0.1:{https}\"]\n\
         tls = \"implicit\"\ndefault-domain = \"{DOMAIN}\"\n\n\
         [listener.http]\nprotocol = \"webmail\"\nbind = [\"127.0.0.1:{http}\"]\n\
         tls = \"none\"\nallow-plaintext-login = true\ndefault-domain = \"{DOMAIN}\"\n\n\
         [tls]\ncertificates = [{{ chain = \"chain.pem\", key = \"key.pem\" }}]\n\n\
         [login]\nauth-failure-delay = \"200ms\"\n\n\
         [directory.main]\nldif = \"users.ldif\"\n\n\
         [policy.ldap]\nplugin = \"builtin:ldap-routing\"\n\
         directories = {{ main = [\"mail\", \"mailHost\"] }}\ntargets = [\"127.0.0.0/8\"]\n\n\
         [policy.ldap.settings]\ndirectory = \"main\"\nsearch-base = \"%s\"\n\
         search-pattern = \"mail=%e\"\nhost-field = \"mailHost\"\n\n\
         [domain.\"{DOMAIN}\"]\npolicies = [\"ldap\"]\n\n\
         [backend.\"*\"]\nwebmail = {webmail}\nca = \"ca.pem\"\n{more}"
    )
}

/// Three users; the first and the last live at `host`.
fn directory(host: &str) -> String {
    let user = |name: &str, host: &str| {
        format!(
            "dn: cn={name},dc=localdomain,dc=test\nobjectClass: person\ncn: {name}\nsn: {name}\n\
             mail: {name}@{DOMAIN}\nmailHost: {host}\n\n"
        )
    };
    user("user1", host) + &user("user2", SOUTH) + &user("user3", host)
}
