//! A cluster in which each way to check a password meets each way into a back end, over IMAP, POP3
//! and submission: a policy for each check, a back end for each entry, and a user for both.
//!
//! Everything that Waypost says to the directory or to a back end is recorded on its way.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::clusters::mailboxes::MASTER_PASSWORD;
use crate::servers::{
    Authority, Dovecot, DovecotPorts, Postfix, PostfixPorts, Recorder, Slapd, Waypost, free_port,
};

/// The password of every user, as the directory has it.
pub(crate) const PASSWORD: &str = "tanstaaf-42";
/// What lets everybody in to the back end of [`Entry::Own`], and nobody else needs to know.
pub(crate) const BACK_ENDS_OWN: &str = "the-back-ends-own";
/// A mailbox of each Postfix, for whoever may send.
pub(crate) const INBOX: &str = "inbox@localdomain.test";

/// Who checks the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    BackEnd,
    Bind,
    Password,
}

/// With whose password a session enters its back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Client,
    Master,
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Imap,
    Pop3,
    Submission,
}

impl Check {
    pub const ALL: [Self; 3] = [Self::BackEnd, Self::Bind, Self::Password];

    /// As `verify` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BackEnd => "backend",
            Self::Bind => "bind",
            Self::Password => "password",
        }
    }
}

impl Entry {
    pub const ALL: [Self; 3] = [Self::Client, Self::Master, Self::Own];

    const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Master => "master",
            Self::Own => "own",
        }
    }

    const fn lines(self) -> &'static str {
        match self {
            Self::Client => "",
            Self::Master => {
                "enter = { with = \"master-user\", name = \"waypost\", \
                 password = { file = \"master.secret\" } }\n"
            }
            Self::Own => "enter = { with = \"password\", password = { file = \"own.secret\" } }\n",
        }
    }

    /// Where its servers are.
    const fn address(self) -> &'static str {
        match self {
            Self::Client => "127.0.0.2",
            Self::Master => "127.0.0.3",
            Self::Own => "127.0.0.4",
        }
    }

    /// Where Waypost finds them, over the recorder.
    const fn recorded(self) -> &'static str {
        match self {
            Self::Client => "127.0.0.5",
            Self::Master => "127.0.0.6",
            Self::Own => "127.0.0.7",
        }
    }
}

impl Protocol {
    pub const ALL: [Self; 3] = [Self::Imap, Self::Pop3, Self::Submission];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Submission => "submission",
        }
    }
}

/// A cluster for logins that runs.
pub(crate) struct LoginCluster {
    pub slapd: Slapd,
    /// In the order of [`Entry::ALL`].
    pub back_ends: Vec<BackEnd>,
    /// What the directory has heard.
    pub directory: Recorder,
    pub waypost: Waypost,
    /// In clear and for STARTTLS, in the order of [`Protocol::ALL`].
    doors: [u16; 3],
    /// Over TLS.
    secure_doors: [u16; 3],
}

/// The servers of one [`Entry`].
pub(crate) struct BackEnd {
    #[expect(dead_code, reason = "it serves as long as it is held")]
    pub dovecot: Dovecot,
    pub postfix: Postfix,
    /// What they have heard.
    pub heard: Recorder,
}

impl LoginCluster {
    /// Starts it. `server` and `more` are further lines of `[server]`, and further tables.
    pub fn start(server: &str, more: &str) -> Self {
        let authority = Authority::new();
        let addresses: Vec<IpAddr> = Entry::ALL
            .iter()
            .flat_map(|entry| [entry.address(), entry.recorded()])
            .map(|at| at.parse().unwrap())
            .collect();
        let ports = (DovecotPorts::free_on(&addresses), PostfixPorts::free_on(&addresses));
        let back_ends =
            Entry::ALL.iter().map(|entry| BackEnd::start(*entry, ports, &authority)).collect();
        let slapd = Slapd::start(&authority);
        let people = Check::ALL
            .iter()
            .flat_map(|check| Entry::ALL.iter().map(|entry| person(&user(*check, *entry), *entry)));
        slapd.add(&people.collect::<Vec<_>>().join("\n"));
        let to_slapd = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), free_port());
        let directory = Recorder::open(&[(to_slapd, slapd.address())]);
        let (doors, secure_doors) =
            (Protocol::ALL.map(|_| free_port()), Protocol::ALL.map(|_| free_port()));
        let (chain, key) = authority.issue(&["localhost", "127.0.0.1"]);
        let configuration = format!(
            "[server]\nhostname = \"waypost.localdomain.test\"\n{server}\n{}{}{}{more}",
            listeners(doors, secure_doors),
            policies(to_slapd, slapd.bind_dn()),
            back_end_table(ports)
        );
        let waypost = Waypost::start(
            &configuration,
            &[
                ("chain.pem", &chain),
                ("key.pem", &key),
                ("ca.pem", authority.pem()),
                ("ldap.secret", slapd.bind_password()),
                ("master.secret", MASTER_PASSWORD),
                ("own.secret", BACK_ENDS_OWN),
            ],
        );
        Self { slapd, back_ends, directory, waypost, doors, secure_doors }
    }

    /// The servers of one entry.
    pub fn back_end(&self, entry: Entry) -> &BackEnd {
        &self.back_ends[entry as usize]
    }

    /// A port of 127.0.0.1, in clear.
    pub fn door(&self, protocol: Protocol) -> u16 {
        self.doors[protocol as usize]
    }

    /// The same over TLS.
    pub fn secure_door(&self, protocol: Protocol) -> u16 {
        self.secure_doors[protocol as usize]
    }

    /// The file with the authority that Waypost's certificate comes from.
    pub fn ca(&self) -> PathBuf {
        self.waypost.file("ca.pem")
    }
}

impl BackEnd {
    fn start(
        entry: Entry,
        (dovecot_ports, postfix_ports): (DovecotPorts, PostfixPorts),
        authority: &Authority,
    ) -> Self {
        let [at, recorded] = [entry.address(), entry.recorded()].map(|at| at.parse().unwrap());
        let name = format!("{}.localdomain.test", entry.name());
        let dovecot = Dovecot::start(entry.address(), &name, dovecot_ports, authority);
        for check in Check::ALL {
            let user = user(check, entry);
            let password = match entry {
                Entry::Client => PASSWORD,
                Entry::Master => "nobody-says-this",
                Entry::Own => BACK_ENDS_OWN,
            };
            dovecot.add_user(&user, password, &welcome(check, entry));
        }
        let logins = SocketAddr::new(at, dovecot_ports.auth);
        let users = ["inbox".to_owned()];
        let postfix =
            Postfix::start(entry.address(), &name, postfix_ports, &users, authority, Some(logins));
        let ways = [dovecot_ports.imap, dovecot_ports.pop3, postfix_ports.submission]
            .map(|port| (SocketAddr::new(recorded, port), SocketAddr::new(at, port)));
        Self { dovecot, postfix, heard: Recorder::open(&ways) }
    }
}

/// Whose password is checked so, and who enters so.
pub(crate) fn user(check: Check, entry: Entry) -> String {
    format!("{}@{}.test", entry.name(), check.name())
}

/// The subject of the message in their mailbox.
pub(crate) fn welcome(check: Check, entry: Entry) -> String {
    format!("For {}", user(check, entry))
}

/// The entry of a user below the suffix. `mail` may be in any domain.
pub(crate) fn person(address: &str, entry: Entry) -> String {
    format!(
        "dn: cn={address},dc=localdomain,dc=test\nobjectClass: inetOrgPerson\n\
         objectClass: inetLocalMailRecipient\ncn: {address}\nsn: {address}\nmail: {address}\n\
         userPassword: {PASSWORD}\nmailHost: {}\n",
        entry.recorded()
    )
}

fn listeners(doors: [u16; 3], secure_doors: [u16; 3]) -> String {
    let mut text = String::new();
    for protocol in Protocol::ALL {
        let name = protocol.name();
        let (port, secure_port) = (doors[protocol as usize], secure_doors[protocol as usize]);
        let _ = writeln!(
            text,
            "[listener.{name}]\nprotocol = \"{name}\"\nbind = [\"127.0.0.1:{port}\"]\n\
             tls = \"starttls\"\nallow-plaintext-login = true\n\n\
             [listener.{name}s]\nprotocol = \"{name}\"\nbind = [\"127.0.0.1:{secure_port}\"]\n\
             tls = \"implicit\"\n"
        );
    }
    text + "[tls]\ncertificates = [{ chain = \"chain.pem\", key = \"key.pem\" }]\n\n\
            [login]\nauth-failure-delay = \"20ms\"\nretry-for = \"0s\"\n\
            failures-without-delay = 1000000\nmax-auth-errors = 100\nmax-errors = 200\n\
            authorisation-id = true\napop = true\n\
            mechanisms = [\"plain\", \"login\", \"xoauth2\", \"oauthbearer\", \"cram-md5\", \
            \"scram-sha-1\", \"scram-sha-256\"]\n\n"
}

fn policies(directory: SocketAddr, bind_dn: &str) -> String {
    let mut text = format!(
        "[directory.main]\nurl = [\"ldap://{directory}\"]\nbind-dn = \"{bind_dn}\"\n\
         bind-password = {{ file = \"ldap.secret\" }}\nbase = \"dc=localdomain,dc=test\"\n\
         password-field = \"userPassword\"\nclear-binds-to = [\"127.0.0.1\"]\n\n"
    );
    for check in Check::ALL {
        let name = check.name();
        let _ = writeln!(
            text,
            "[policy.{name}]\nplugin = \"builtin:ldap-routing\"\n\
             directories = {{ main = [\"mail\", \"mailHost\"] }}\ntargets = [\"127.0.0.0/8\"]\n\
             verification = [\"{name}\"]\n\n[policy.{name}.settings]\ndirectory = \"main\"\n\
             search-base = \"dc=localdomain,dc=test\"\nsearch-pattern = \"mail=%e\"\n\
             host-field = \"mailHost\"\nverify = \"{name}\"\n\n\
             [domain.\"{name}.test\"]\npolicies = [\"{name}\"]\n"
        );
    }
    text
}

/// In clear, or there would be nothing to record.
fn back_end_table((dovecot, postfix): (DovecotPorts, PostfixPorts)) -> String {
    let mut text = String::new();
    for entry in Entry::ALL {
        let _ = writeln!(
            text,
            "[backend.\"{}\"]\nimap = {{ port = {}, tls = \"none\" }}\n\
             pop3 = {{ port = {}, tls = \"none\" }}\n\
             submission = {{ port = {}, tls = \"none\" }}\n{}",
            entry.recorded(),
            dovecot.imap,
            dovecot.pop3,
            postfix.submission,
            entry.lines()
        );
    }
    text
}
