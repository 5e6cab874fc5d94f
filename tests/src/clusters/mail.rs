//! A cluster for inbound mail: a directory, Postfix and Dovecot back ends with many users, and
//! Waypost in front.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::clusters::mailboxes::{DOMAIN, local};
use crate::senders::Envelope;
use crate::servers::{
    Authority, Dovecot, DovecotPorts, FaultyWay, Message, Postfix, PostfixPorts, Slapd, Waypost,
    folder, free_port, free_port_on, program, run, wait_for,
};

/// The first user of the first back end, who gets no mail in most tests, but reports.
pub(crate) const SENDER: &str = "sender@localdomain.test";

/// A cluster for mail that runs.
pub(crate) struct MailCluster {
    pub slapd: Slapd,
    pub back_ends: Vec<BackEnd>,
    /// Before the last Postfix, where the plan wants it.
    pub way: Option<FaultyWay>,
    pub waypost: Waypost,
    pub doors: MailDoors,
    users_each: usize,
    configuration: Configuration,
}

/// What mailboxes lie on.
pub(crate) enum BackEnd {
    Postfix(Postfix),
    Dovecot(Dovecot),
}

/// Where Waypost takes mail, at 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MailDoors {
    /// SMTP with STARTTLS.
    pub smtp: u16,
    /// SMTP over TLS.
    pub smtps: u16,
    /// LMTP in clear.
    pub lmtp: u16,
    /// SMTP behind a PROXY header.
    pub balanced: u16,
    pub submission: u16,
}

/// What a test wants.
#[derive(Clone, Debug)]
pub(crate) struct MailPlan {
    /// How many back ends are Postfix; they come first, from 127.0.0.2 on.
    pub postfixes: u8,
    /// How many are Dovecot, which take LMTP.
    pub dovecots: u8,
    pub users_each: usize,
    /// Whether the last Postfix is reached over a [`FaultyWay`], in clear.
    pub is_faulty: bool,
    /// Lines of `[smtp]`.
    pub smtp: String,
    /// Lines of `[spool]`; without, there is none.
    pub spool: Option<String>,
    /// How Postfix learns who the client is, as `client-identity` has it.
    pub identity: &'static str,
    /// Further lines of `[backend."*"]`.
    pub backend: &'static str,
    /// Further tables.
    pub more: String,
    /// Further files beside the configuration: name and content.
    pub files: Vec<(String, String)>,
}

impl Default for MailPlan {
    fn default() -> Self {
        Self {
            postfixes: 2,
            dovecots: 0,
            users_each: 2,
            is_faulty: false,
            smtp: "split = \"spool\"\nretry-after = \"1s\"\nretry-at-most = \"2s\"\n".to_owned(),
            spool: Some(String::new()),
            identity: "xclient",
            backend: "",
            more: String::new(),
            files: Vec::new(),
        }
    }
}

impl MailPlan {
    /// Nothing is ever stored.
    pub fn deferring(self) -> Self {
        Self { smtp: "split = \"defer\"\n".to_owned(), spool: None, ..self }
    }
}

/// What a configuration is made of beside the plan.
struct Configuration {
    directory: String,
    bind_dn: &'static str,
    bind_password: &'static str,
    certificate: (String, String),
    authority: String,
    postfix: PostfixPorts,
    dovecot: DovecotPorts,
    faulty: Option<SocketAddr>,
}

impl MailCluster {
    /// Starts the back ends, the directory and Waypost.
    pub fn start(plan: &MailPlan) -> Self {
        let authority = Authority::new();
        let addresses: Vec<String> = (0..plan.postfixes + plan.dovecots).map(address).collect();
        let ips: Vec<_> = addresses.iter().map(|it| it.parse().unwrap()).collect();
        let (postfix, dovecot) = (PostfixPorts::free_on(&ips), DovecotPorts::free_on(&ips));
        let logins = (plan.dovecots > 0)
            .then(|| SocketAddr::new(ips[usize::from(plan.postfixes)], dovecot.auth));
        let slapd = Slapd::start(&authority);
        let mut back_ends = Vec::new();
        let mut entries = vec![(local_part(SENDER).to_owned(), addresses[0].clone())];
        let mut way = None;
        for (number, at) in addresses.iter().enumerate() {
            let mut users = users_of(number, plan.users_each);
            let name = format!("mail{number}.localdomain.test");
            let is_postfix = number < usize::from(plan.postfixes);
            let mut host = at.clone();
            if plan.is_faulty && number + 1 == usize::from(plan.postfixes) {
                let door = SocketAddr::new(ips[number], free_port_on(&[ips[number]]));
                way = Some(FaultyWay::open(door, SocketAddr::new(ips[number], postfix.smtp)));
                host = door.to_string();
            }
            entries.extend(users.iter().map(|user| (user.clone(), host.clone())));
            if number == 0 {
                users.push(local_part(SENDER).to_owned());
            }
            back_ends.push(if is_postfix {
                BackEnd::Postfix(Postfix::start(at, &name, postfix, &users, &authority, logins))
            } else {
                let dovecot = Dovecot::start(at, &name, dovecot, &authority);
                for user in &users {
                    dovecot.add_account(&of(user), user);
                }
                BackEnd::Dovecot(dovecot)
            });
        }
        slapd.add_users(&entries);
        let configuration = Configuration {
            directory: slapd.url(),
            bind_dn: slapd.bind_dn(),
            bind_password: slapd.bind_password(),
            certificate: authority.issue(&["localhost", "127.0.0.1"]),
            authority: authority.pem().to_owned(),
            postfix,
            dovecot,
            faulty: way.as_ref().map(FaultyWay::address),
        };
        let doors = MailDoors::free();
        let waypost = Waypost::start_in(configuration.folder(plan, doors), None);
        let users_each = plan.users_each;
        Self { slapd, back_ends, way, waypost, doors, users_each, configuration }
    }

    /// Has another Waypost serve the same back ends, at the same doors.
    pub fn serve(&mut self, plan: &MailPlan, fail_point: Option<&str>) {
        self.waypost.process().end();
        let folder = self.configuration.folder(plan, self.doors);
        self.waypost = Waypost::start_in(folder, fail_point);
    }

    /// The addresses of the users of a back end.
    pub fn users(&self, back_end: usize) -> Vec<String> {
        users_of(back_end, self.users_each).iter().map(|user| of(user)).collect()
    }

    /// The addresses of all users, those of each back end together.
    pub fn all_users(&self) -> Vec<String> {
        (0..self.back_ends.len()).flat_map(|back_end| self.users(back_end)).collect()
    }

    /// A Postfix.
    pub fn postfix(&mut self, number: usize) -> &mut Postfix {
        match &mut self.back_ends[number] {
            BackEnd::Postfix(postfix) => postfix,
            BackEnd::Dovecot(_) => panic!("{number} is a Dovecot"),
        }
    }

    /// A way to send with STARTTLS.
    pub fn envelope<'a>(&'a self, to: &'a [String], message: &'a str) -> Envelope<'a> {
        Envelope::new(local(self.doors.smtp), SENDER, to, message)
    }

    /// The file with the authority that Waypost's certificate comes from.
    pub fn ca(&self) -> PathBuf {
        self.waypost.file("ca.pem")
    }

    /// Everything that a user has got.
    pub fn mailbox(&self, address: &str) -> Vec<Message> {
        self.back_ends
            .iter()
            .flat_map(|back_end| match back_end {
                BackEnd::Postfix(postfix) => postfix.mailbox(local_part(address)),
                BackEnd::Dovecot(dovecot) => dovecot.mailbox(address),
            })
            .collect()
    }

    /// How often a user has got the message of this subject.
    pub fn copies(&self, address: &str, subject: &str) -> usize {
        let mailbox = self.mailbox(address);
        mailbox.iter().filter(|message| message.field("Subject") == Some(subject)).count()
    }

    /// Waits until nothing is under way any more: in Waypost, or behind it.
    pub fn settle(&self) {
        wait_for("the spool to be empty", Duration::from_secs(40), || {
            self.spool(&["list"]).contains("no message is kept").then_some(())
        });
        self.settle_back_ends();
    }

    /// Waits until the back ends have delivered what they accepted.
    pub fn settle_back_ends(&self) {
        wait_for("mail to be delivered", Duration::from_secs(20), || {
            let is_idle = |back_end: &BackEnd| match back_end {
                BackEnd::Postfix(postfix) => postfix.is_idle(),
                BackEnd::Dovecot(_) => true,
            };
            self.back_ends.iter().all(is_idle).then_some(())
        });
    }

    /// What everybody has logged.
    pub fn logs(&self) -> String {
        let back_ends = self.back_ends.iter().map(|back_end| match back_end {
            BackEnd::Postfix(postfix) => postfix.log(),
            BackEnd::Dovecot(dovecot) => dovecot.log(),
        });
        std::iter::once(self.waypost.log()).chain(back_ends).collect::<Vec<_>>().join("\n")
    }

    /// What `waypost spool` says. A cluster without spool keeps nothing.
    pub fn spool(&self, arguments: &[&str]) -> String {
        spool(&self.waypost.configuration(), arguments)
    }
}

/// What `waypost spool` says with a configuration.
fn spool(configuration: &Path, arguments: &[&str]) -> String {
    let text = std::fs::read_to_string(configuration).unwrap();
    if !text.contains("[spool]") {
        return "no message is kept\n".to_owned();
    }
    let mut command = Command::new(program());
    command.arg("spool").arg("--config").arg(configuration).args(arguments);
    let output = run(&mut command);
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

impl MailDoors {
    fn free() -> Self {
        let port = free_port;
        Self { smtp: port(), smtps: port(), lmtp: port(), balanced: port(), submission: port() }
    }
}

impl Configuration {
    fn folder(&self, plan: &MailPlan, doors: MailDoors) -> tempfile::TempDir {
        let (chain, key) = &self.certificate;
        let mut files = vec![
            ("chain.pem", chain.as_str()),
            ("key.pem", key),
            ("ca.pem", &self.authority),
            ("ldap.secret", self.bind_password),
        ];
        files.extend(plan.files.iter().map(|(name, content)| (name.as_str(), content.as_str())));
        folder(&self.text(plan, doors), &files)
    }

    fn text(&self, plan: &MailPlan, doors: MailDoors) -> String {
        let mut text = "[server]\nhostname = \"waypost.localdomain.test\"\n\
                        control = \"control\"\n\n"
            .to_owned();
        for (name, port, protocol, tls, more) in [
            ("smtp", doors.smtp, "smtp", "starttls", "dsn = true\nsmtputf8 = true\n"),
            ("smtps", doors.smtps, "smtp", "implicit", ""),
            ("balanced", doors.balanced, "smtp", "none", "proxy-protocol-from = [\"127.0.0.1\"]\n"),
            ("lmtp", doors.lmtp, "lmtp", "none", ""),
            ("submission", doors.submission, "submission", "starttls", ""),
        ] {
            let _ = writeln!(
                text,
                "[listener.{name}]\nprotocol = \"{protocol}\"\nbind = [\"127.0.0.1:{port}\"]\n\
                 tls = \"{tls}\"\n{more}"
            );
        }
        let Self { directory, bind_dn, .. } = self;
        let _ = write!(
            text,
            "[tls]\ncertificates = [{{ chain = \"chain.pem\", key = \"key.pem\" }}]\n\n\
             [login]\nauth-failure-delay = \"200ms\"\n\n\
             [smtp]\npostmaster = \"{SENDER}\"\n{smtp}\n\
             [cache]\ncache-for = \"1s\"\nnegative-for = \"1s\"\n\n\
             [directory.main]\nurl = [\"{directory}\"]\nbind-dn = \"{bind_dn}\"\n\
             bind-password = {{ file = \"ldap.secret\" }}\nbase = \"dc=localdomain,dc=test\"\n\
             password-field = \"userPassword\"\n\n\
             [policy.ldap]\nplugin = \"builtin:ldap-routing\"\n\
             directories = {{ main = [\"mail\", \"mailHost\", \"employeeType\"] }}\ntargets = [\"127.0.0.0/8\"]\n\n\
             [policy.ldap.settings]\ndirectory = \"main\"\nsearch-base = \"%s\"\n\
             search-pattern = \"mail=%e\"\nhost-field = \"mailHost\"\nuse-first = true\n\
             defer-field = \"employeeType\"\n\n\
             [domain.\"{DOMAIN}\"]\npolicies = [\"ldap\"]\n\n",
            smtp = plan.smtp,
        );
        if let Some(lines) = &plan.spool {
            let _ = writeln!(text, "[spool]\nfolder = \"spool\"\n{lines}");
        }
        let port = match plan.identity {
            "proxy-v2" => self.postfix.proxied,
            _ => self.postfix.smtp,
        };
        let _ = writeln!(
            text,
            "[backend.\"*\"]\nsmtp = {{ port = {port}, tls = \"starttls\" }}\n\
             submission = {{ port = {}, tls = \"starttls\" }}\n\
             ca = \"ca.pem\"\nclient-identity = \"{}\"\n{}\n{}",
            self.postfix.submission, plan.identity, plan.backend, plan.more,
        );
        if let Some(faulty) = self.faulty {
            let _ = writeln!(
                text,
                "[backend.\"{}\"]\nsmtp = {{ tls = \"none\" }}\nreply-timeout = \"5s\"\n",
                faulty.ip()
            );
        }
        for number in plan.postfixes..plan.postfixes + plan.dovecots {
            let port = self.dovecot.lmtp;
            let _ = writeln!(
                text,
                "[backend.\"{}\"]\n\
                 smtp = {{ port = {port}, tls = \"starttls\", protocol = \"lmtp\" }}\n\
                 lmtp = {{ port = {port}, tls = \"starttls\" }}\n\
                 ca = \"ca.pem\"\nclient-identity = \"{}\"\n",
                address(number),
                plan.identity,
            );
        }
        text
    }
}

/// A user's address.
pub(crate) fn of(user: &str) -> String {
    format!("{user}@{DOMAIN}")
}

/// A message with this subject.
pub(crate) fn message(subject: &str) -> String {
    format!(
        "From: <{SENDER}>\r\nTo: undisclosed-recipients:;\r\nSubject: {subject}\r\n\
         Date: Thu, 1 Jan 2026 12:00:00 +0000\r\nMessage-ID: <{subject}@client.test>\r\n\r\n\
         Hello.\r\n"
    )
}

fn local_part(address: &str) -> &str {
    address.split('@').next().unwrap_or_default()
}

fn address(number: u8) -> String {
    format!("127.0.0.{}", number + 2)
}

fn users_of(back_end: usize, each: usize) -> Vec<String> {
    (1..=each).map(|user| format!("user{}", back_end * each + user)).collect()
}
