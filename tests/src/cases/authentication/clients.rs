//! One login by a real client, with the mechanism that a test wants, to read a mailbox or to send a
//! message.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use super::said_by;
use crate::clients::{self, Account, Tls};
use crate::clusters::logins::{INBOX, LoginCluster, Protocol};
use crate::clusters::mailboxes::{MASTER_PASSWORD, local};
use crate::servers::{TOKEN_KEY, run};

/// How a client says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// LOGIN of IMAP, USER and PASS of POP3.
    Command,
    Plain,
    Login,
    XOauth2,
    OauthBearer,
    ScramSha1,
    ScramSha256,
    CramMd5,
    Apop,
    /// PLAIN by the back ends' master user, in the user's name.
    InAnothersName,
}

impl Mechanism {
    pub(super) const ALL: [Self; 10] = [
        Self::Command,
        Self::Plain,
        Self::Login,
        Self::XOauth2,
        Self::OauthBearer,
        Self::ScramSha1,
        Self::ScramSha256,
        Self::CramMd5,
        Self::Apop,
        Self::InAnothersName,
    ];

    /// Whether the protocol has it.
    pub(super) fn is_of(self, protocol: Protocol) -> bool {
        match self {
            Self::Command => protocol != Protocol::Submission,
            Self::Apop => protocol == Protocol::Pop3,
            _ => true,
        }
    }

    /// Its registered name.
    fn name(self) -> &'static str {
        match self {
            Self::Command | Self::Apop => unreachable!("{self:?} is no mechanism of SASL"),
            Self::Plain | Self::InAnothersName => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOauth2 => "XOAUTH2",
            Self::OauthBearer => "OAUTHBEARER",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::CramMd5 => "CRAM-MD5",
        }
    }
}

/// A login.
#[derive(Clone, Copy, Debug)]
pub(super) struct Login<'a> {
    pub(super) protocol: Protocol,
    pub(super) mechanism: Mechanism,
    pub(super) user: &'a str,
    pub(super) password: &'a str,
}

impl Login<'_> {
    /// Whether the client got in, and its transcript: it reads the first message, or sends one to
    /// [`INBOX`] with this subject.
    pub(super) fn run(&self, cluster: &LoginCluster, subject: &str) -> (bool, String) {
        match self.mechanism {
            Mechanism::Command => self.libraries(cluster),
            Mechanism::XOauth2 => self.python(cluster, subject),
            Mechanism::ScramSha1 | Mechanism::ScramSha256 => self.cyrus(cluster, subject),
            _ => self.curl(cluster, subject),
        }
    }

    /// Python's imaplib or poplib.
    fn libraries(&self, cluster: &LoginCluster) -> (bool, String) {
        let ca = cluster.ca();
        let server = local(cluster.secure_door(self.protocol));
        let (user, password) = (self.user, self.password);
        let account = Account { server, tls: Tls::Implicit, authority: &ca, user, password };
        let read = match self.protocol {
            Protocol::Imap => clients::imaplib(&account),
            _ => clients::poplib(&account),
        };
        read.map_or_else(|said| (false, said), |subjects| (true, subjects.join("\n")))
    }

    /// curl, which knows all but XOAUTH2 where OAUTHBEARER is offered too, and SCRAM.
    pub(super) fn curl(&self, cluster: &LoginCluster, subject: &str) -> (bool, String) {
        let port = cluster.secure_door(self.protocol);
        let ca = cluster.ca();
        let options = match self.mechanism {
            Mechanism::Apop => "AUTH=+APOP".to_owned(),
            mechanism => format!("AUTH={}", mechanism.name()),
        };
        let mut command = Command::new("/usr/bin/curl");
        command.args(["-sSv", "--max-time", "20", "--login-options", &options, "--cacert"]);
        command.arg(&ca);
        match self.mechanism {
            Mechanism::InAnothersName => {
                command.args(["--sasl-authzid", self.user]);
                command.args(["-u", &format!("waypost:{MASTER_PASSWORD}")]);
            }
            Mechanism::OauthBearer => {
                command.args(["--oauth2-bearer", &token(self.user)]);
                command.args(["-u", &format!("{}:", self.user)]);
            }
            _ => {
                command.args(["-u", &format!("{}:{}", self.user, self.password)]);
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        match self.protocol {
            Protocol::Imap => command.arg(format!(
                "imaps://127.0.0.1:{port}/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)"
            )),
            Protocol::Pop3 => command.arg(format!("pop3s://127.0.0.1:{port}/1")),
            Protocol::Submission => {
                std::fs::write(file.path(), message(subject)).unwrap();
                command.args(["--mail-from", self.user, "--mail-rcpt", INBOX, "-T"]);
                command.arg(file.path()).arg(format!("smtps://127.0.0.1:{port}/client.test"))
            }
        };
        heard(&mut command)
    }

    /// Python's libraries, with XOAUTH2 spelt out.
    fn python(&self, cluster: &LoginCluster, subject: &str) -> (bool, String) {
        let script = "import base64, imaplib, poplib, smtplib, ssl, sys\n\
            protocol, port, ca, user, token, inbox, text = sys.argv[1:]\n\
            server = ('127.0.0.1', int(port))\n\
            context = ssl.create_default_context(cafile=ca)\n\
            message = f'user={user}\\x01auth=Bearer {token}\\x01\\x01'\n\
            if protocol == 'imap':\n    \
                c = imaplib.IMAP4_SSL(*server, ssl_context=context, timeout=20)\n    \
                c.authenticate('XOAUTH2', lambda _: message.encode())\n    \
                c.select('INBOX')\n    \
                print(c.fetch('1', '(BODY.PEEK[HEADER.FIELDS (SUBJECT)])')[1][0][1].decode())\n\
            elif protocol == 'pop3':\n    \
                c = poplib.POP3_SSL(*server, context=context, timeout=20)\n    \
                c._shortcmd('AUTH XOAUTH2')\n    \
                c._shortcmd(base64.b64encode(message.encode()).decode())\n    \
                print(c.retr(1))\n\
            else:\n    \
                c = smtplib.SMTP_SSL(*server, context=context, timeout=20)\n    \
                c.ehlo('client.test')\n    \
                c.auth('XOAUTH2', lambda challenge=None: message)\n    \
                c.sendmail(user, [inbox], text)\n";
        let mut command = Command::new("python3");
        command.args(["-c", script, self.protocol.name()]);
        command.arg(cluster.secure_door(self.protocol).to_string()).arg(cluster.ca());
        command.args([self.user, &token(self.user), INBOX, &message(subject)]);
        heard(&mut command)
    }

    /// `imtest`, `pop3test` or `smtptest`.
    pub(super) fn cyrus(&self, cluster: &LoginCluster, subject: &str) -> (bool, String) {
        let program = match self.protocol {
            Protocol::Imap => "imtest",
            Protocol::Pop3 => "pop3test",
            Protocol::Submission => "smtptest",
        };
        let door = cluster.door(self.protocol).to_string();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), self.conversation(subject)).unwrap();
        let (_, said) = said_by(
            Path::new("/usr/lib/cyrus/bin").join(program).to_str().unwrap(),
            &[
                ["-m", self.mechanism.name(), "-p", &door],
                ["-a", self.user, "-u", self.user],
                ["-w", self.password, "-f", file.path().to_str().unwrap()],
            ]
            .concat()
            .into_iter()
            .chain(["127.0.0.1"])
            .collect::<Vec<_>>(),
        );
        // Whatever became of it, it ends without an error.
        (said.contains("Authenticated."), said)
    }

    /// What is said once somebody is in.
    fn conversation(&self, subject: &str) -> String {
        match self.protocol {
            Protocol::Imap => "a SELECT INBOX\r\nb FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]\r\n\
                               c LOGOUT\r\n"
                .to_owned(),
            Protocol::Pop3 => "RETR 1\r\nQUIT\r\n".to_owned(),
            Protocol::Submission => format!(
                "MAIL FROM:<{}>\r\nRCPT TO:<{INBOX}>\r\nDATA\r\n{}.\r\nQUIT\r\n",
                self.user,
                message(subject)
            ),
        }
    }
}

pub(super) fn message(subject: &str) -> String {
    format!("From: <client@localdomain.test>\r\nSubject: {subject}\r\n\r\nHello.\r\n")
}

/// A token that the back ends believe.
pub(super) fn token(user: &str) -> String {
    static TOKENS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut tokens = TOKENS.lock().unwrap();
    tokens.entry(user.to_owned()).or_insert_with(|| issue(user)).clone()
}

/// A JSON Web Token (RFC 7519) that is signed with the key of all back ends, and of a usual length:
/// more than a kilobyte.
fn issue(user: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let script = "import base64, hashlib, hmac, json, sys\n\
        key, user, now = sys.argv[1:]\n\
        encode = lambda octets: base64.urlsafe_b64encode(octets).rstrip(b'=')\n\
        part = lambda value: encode(json.dumps(value).encode())\n\
        claims = {'sub': user, 'iat': int(now) - 60, 'exp': int(now) + 3600}\n\
        claims['groups'] = [f'group{n}' for n in range(120)]\n\
        text = part({'alg': 'HS256', 'typ': 'JWT'}) + b'.' + part(claims)\n\
        print((text + b'.' + encode(hmac.new(key.encode(), text, hashlib.sha256).digest())).decode())";
    super::output("/usr/bin/python3", &["-c", script, TOKEN_KEY, user, &now.to_string()])
}

/// Whether a client was content, and what it said.
fn heard(command: &mut Command) -> (bool, String) {
    let output = run(command);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
