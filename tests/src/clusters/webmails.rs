//! A cluster for webmail: a directory, back ends with a webmail each, and Waypost in front.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

use crate::clusters::mailboxes::{DOMAIN, MASTER_PASSWORD, NORTH, SOUTH, local};
use crate::servers::{
    Authority, Dovecot, DovecotPorts, Radicale, Roundcube, Slapd, Waypost, free_port, free_port_on,
    run,
};

/// A cluster that runs.
pub(crate) struct WebCluster {
    pub slapd: Slapd,
    pub waypost: Waypost,
    pub doors: WebDoors,
}

/// Where Waypost listens, at 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WebDoors {
    /// Webmail over TLS.
    pub secure: u16,
    /// Webmail in clear, behind a balancer that has taken TLS off, as far as Waypost knows.
    pub plain: u16,
    /// Mail, for the webmails to send it.
    pub smtp: u16,
}

/// What lies behind it, and what differs from the usual configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct WebPlan {
    /// The back ends' port for webmail.
    pub webmail: u16,
    /// Their port for LMTP.
    pub lmtp: u16,
    /// Lines of `[webmail]`.
    pub settings: String,
    /// Further lines of `[server]`.
    pub server: String,
    /// Further lines of each listener for webmail.
    pub listener: String,
    /// Further lines of `[login]`.
    pub login: String,
    /// Further lines of `[policy.ldap]`.
    pub policy: String,
    /// Further lines of `[policy.ldap.settings]`.
    pub rules: String,
    /// Further lines of `[backend."*"]`.
    pub backend: String,
    /// Further tables.
    pub more: String,
}

impl WebPlan {
    /// The same with passwords checked `way`: by the back end, by bind, by password.
    pub fn checked_by(self, way: &str) -> Self {
        let policy = format!("{}verification = [\"{way}\"]\n", self.policy);
        let rules = format!("{}verify = \"{way}\"\n", self.rules);
        Self { policy, rules, ..self }
    }
}

/// The port of mail, which the webmails must know before Waypost starts.
pub(crate) fn smtp_door() -> u16 {
    free_port()
}

impl WebCluster {
    /// Starts the directory, with user1 and user2 in the north and user3 and user4 in the south,
    /// and Waypost.
    pub fn start(plan: &WebPlan, smtp: u16) -> Self {
        let authority = Authority::new();
        let slapd = Slapd::start(&authority);
        let users = [("user1", NORTH), ("user2", NORTH), ("user3", SOUTH), ("user4", SOUTH)];
        slapd.add_users(&users.map(|(user, at)| (user.to_owned(), at.to_owned())));
        let doors = WebDoors { secure: free_port(), plain: free_port(), smtp };
        let (chain, key) = authority.issue(&["localhost", "127.0.0.1"]);
        let waypost = Waypost::start(
            &configuration(plan, doors, &slapd),
            &[
                ("chain.pem", &chain),
                ("key.pem", &key),
                ("ca.pem", authority.pem()),
                ("ldap.secret", slapd.bind_password()),
                ("cookie.keys", KEYS),
                ("master.secret", MASTER_PASSWORD),
            ],
        );
        Self { slapd, waypost, doors }
    }

    /// The address that users know.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.doors.secure)
    }

    /// The file with the authority that the certificate comes from.
    pub fn ca(&self) -> PathBuf {
        self.waypost.file("ca.pem")
    }

    /// What curl gets, with these arguments, from a path of the door with TLS.
    pub fn curl(&self, arguments: &[&str], path: &str) -> Curled {
        let mut command = Command::new("/usr/bin/curl");
        command.args(["-sS", "-i", "--max-time", "20", "--cacert"]).arg(self.ca());
        command.args(arguments).arg(format!("{}{path}", self.url()));
        let output = run(&mut command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?} {path}: {said}");
        Curled::read(&String::from_utf8_lossy(&output.stdout))
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Curled {
    pub status: u16,
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
    pub body: String,
}

impl Curled {
    fn read(text: &str) -> Self {
        let mut rest = text;
        loop {
            let (head, body) = rest.split_once("\r\n\r\n").unwrap_or((rest, ""));
            let mut lines = head.split("\r\n");
            let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap();
            let status = status.parse().unwrap();
            if (100..200).contains(&status) {
                rest = body;
                continue;
            }
            let field = |line: &str| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_lowercase(), value.trim().to_owned())
            };
            return Self { status, fields: lines.map(field).collect(), body: body.to_owned() };
        }
    }

    /// The values of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(other, _)| other == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The only value of a field.
    pub fn field(&self, name: &str) -> &str {
        match self.all(name)[..] {
            [value] => value,
            _ => panic!("{name} is not there once: {self:?}"),
        }
    }

    /// What it sets for the route cookie, as a `Cookie` field has it.
    pub fn cookie(&self) -> Option<String> {
        let mut set = self.all("set-cookie").into_iter();
        let ours = set.find(|field| field.starts_with("__Host-waypost="))?;
        Some(ours.split(';').next().unwrap().to_owned())
    }
}

/// Two back ends, each a Dovecot with its own Roundcube.
pub(crate) struct Roundcubes {
    pub north: (Dovecot, Roundcube),
    pub south: (Dovecot, Roundcube),
    pub plan: WebPlan,
}

impl Roundcubes {
    /// Starts them, with a mailbox for each user in the directory. They send mail to `smtp`.
    pub fn start(smtp: u16) -> Self {
        let addresses = [NORTH, SOUTH].map(|at| at.parse::<IpAddr>().unwrap());
        let authority = Authority::new();
        let ports = DovecotPorts::free_on(&addresses);
        let webmail = free_port_on(&addresses);
        let start = |at: IpAddr, name: &str, users: [&str; 2]| {
            let host = format!("{}.{DOMAIN}", name.to_lowercase());
            let dovecot = Dovecot::start(&at.to_string(), &host, ports, &authority);
            for user in users {
                let subject = format!("Welcome to {}", name.to_lowercase());
                dovecot.add_user(&format!("{user}@{DOMAIN}"), user, &subject);
            }
            let imap = SocketAddr::new(at, ports.imap);
            let title = format!("{name} Webmail");
            let roundcube = Roundcube::start(at, webmail, &title, imap, local(smtp));
            (dovecot, roundcube)
        };
        let north = start(addresses[0], "North", ["user1", "user2"]);
        let south = start(addresses[1], "South", ["user3", "user4"]);
        let settings = format!(
            "login-forms = [{{ user = \"_user\", password = \"_pass\" }}]\n\
             log-out = [\"/?_task=logout\"]\naddress-parameter = \"_user\"\n\
             decoys = [\"{NORTH}\", \"{SOUTH}\"]\n"
        );
        let plan = WebPlan { webmail, lmtp: ports.lmtp, settings, ..WebPlan::default() };
        Self { north, south, plan }
    }
}

/// Two Radicales, each with its own users.
pub(crate) struct Radicales {
    pub north: Radicale,
    pub south: Radicale,
    pub plan: WebPlan,
}

impl Radicales {
    /// Starts them. The password of each user is the name.
    pub fn start() -> Self {
        let addresses = [NORTH, SOUTH].map(|at| at.parse::<IpAddr>().unwrap());
        let port = free_port_on(&addresses);
        let start = |at, users: [&str; 2]| {
            let addresses = users.map(|user| format!("{user}@{DOMAIN}"));
            let known: Vec<(&str, &str)> =
                addresses.iter().map(String::as_str).zip(users).collect();
            Radicale::start(at, port, &known)
        };
        let north = start(addresses[0], ["user1", "user2"]);
        let south = start(addresses[1], ["user3", "user4"]);
        let plan = WebPlan { webmail: port, lmtp: 1, ..WebPlan::default() };
        Self { north, south, plan }
    }
}

/// Of no other installation.
const KEYS: &str = "M6pY9uUPGWbWxqvVwZwqJr9a1FOhbDQUmXf1pvbDGGQ=\n";

fn configuration(plan: &WebPlan, doors: WebDoors, slapd: &Slapd) -> String {
    let mut text = format!("[server]\nhostname = \"waypost.localdomain.test\"\n{}\n", plan.server);
    for (name, port, tls, more) in [
        ("webmail", doors.secure, "implicit", ""),
        ("webmail-plain", doors.plain, "none", "allow-plaintext-login = true\n"),
    ] {
        let _ = writeln!(
            text,
            "[listener.{name}]\nprotocol = \"webmail\"\nbind = [\"127.0.0.1:{port}\"]\n\
             tls = \"{tls}\"\ndefault-domain = \"{DOMAIN}\"\n{more}{listener}",
            listener = plan.listener,
        );
    }
    let _ = write!(
        text,
        "[listener.smtp]\nprotocol = \"smtp\"\nbind = [\"127.0.0.1:{smtp}\"]\ntls = \"none\"\n\n\
         [smtp]\npostmaster = \"user1@{DOMAIN}\"\nsplit = \"defer\"\n\n\
         [tls]\ncertificates = [{{ chain = \"chain.pem\", key = \"key.pem\" }}]\n\n\
         [login]\nauth-failure-delay = \"200ms\"\nretry-for = \"1s\"\n{login}\n\
         [cache]\ncache-for = \"1s\"\n\n\
         [webmail]\nkey-file = \"cookie.keys\"\n{settings}\n\
         [directory.main]\nurl = [\"{url}\"]\nbind-dn = \"{bind_dn}\"\n\
         bind-password = {{ file = \"ldap.secret\" }}\nbase = \"dc=localdomain,dc=test\"\n\
         password-field = \"userPassword\"\nclear-binds-to = [\"127.0.0.1\"]\n\n\
         [policy.ldap]\nplugin = \"builtin:ldap-routing\"\n\
         directories = {{ main = [\"mail\", \"mailHost\"] }}\ntargets = [\"127.0.0.0/8\"]\n{policy}\n\
         [policy.ldap.settings]\ndirectory = \"main\"\nsearch-base = \"%s\"\n\
         search-pattern = \"mail=%e\"\nhost-field = \"mailHost\"\nuse-first = true\n{rules}\n\
         [domain.\"{DOMAIN}\"]\npolicies = [\"ldap\"]\n\n\
         [backend.\"*\"]\nwebmail = {{ port = {webmail}, tls = \"none\" }}\n\
         smtp = {{ port = {lmtp}, tls = \"none\", protocol = \"lmtp\" }}\n{backend}\n{more}",
        smtp = doors.smtp,
        login = plan.login,
        settings = plan.settings,
        url = slapd.url(),
        bind_dn = slapd.bind_dn(),
        policy = plan.policy,
        rules = plan.rules,
        webmail = plan.webmail,
        lmtp = plan.lmtp,
        backend = plan.backend,
        more = plan.more,
    );
    text
}
