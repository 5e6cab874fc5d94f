//! Real programs that send mail: swaks, Python's smtplib, msmtp, Postfix's smtp-source.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::clients::Tls;
use crate::servers::run_within;

/// How long a client may take: some send much.
const PATIENCE: Duration = Duration::from_secs(120);

/// A message on its way in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    pub server: SocketAddr,
    pub sender: &'a str,
    pub to: &'a [String],
    pub message: &'a str,
    /// How the way is protected, and the file with whom the client trusts.
    pub tls: Option<(Tls, &'a Path)>,
    /// Who logs in, with which password.
    pub login: Option<(&'a str, &'a str)>,
}

/// What the client was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The replies to the recipients that were not accepted.
    pub refused: BTreeMap<String, String>,
    /// The reply to the message; none where it was not sent or the connection was lost.
    pub answer: Option<String>,
    /// How the connection was lost, where it was.
    pub lost: Option<String>,
}

impl<'a> Envelope<'a> {
    /// In clear, from nobody who has to log in.
    pub fn new(server: SocketAddr, sender: &'a str, to: &'a [String], message: &'a str) -> Self {
        Self { server, sender, to, message, tls: None, login: None }
    }

    fn file(&self) -> NamedTempFile {
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), self.message).unwrap();
        file
    }
}

impl Told {
    /// Whether all recipients and the message were taken.
    pub fn is_taken(&self) -> bool {
        self.refused.is_empty() && self.is_answered("250")
    }

    /// Whether the reply to the message begins so.
    pub fn is_answered(&self, begin: &str) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.starts_with(begin))
    }

    /// Whether these, and no others, were refused with replies that begin so.
    pub fn is_refused(&self, recipients: &[String], begin: &str) -> bool {
        let refused: Vec<&String> = self.refused.keys().collect();
        let mut wanted: Vec<&String> = recipients.iter().collect();
        wanted.sort();
        refused == wanted && self.refused.values().all(|reply| reply.starts_with(begin))
    }
}

/// Sends with Python's smtplib.
pub(crate) fn smtplib(envelope: &Envelope<'_>) -> Told {
    // What is heard is printed as it is heard: smtplib forgets one part when it raises another.
    let script = "import smtplib, ssl, sys\n\
        tls, host, port, ca, sender, file, user, password = sys.argv[1:9]\n\
        def noting(kind):\n    \
            class Noting(kind):\n        \
                def rcpt(self, address, options=()):\n            \
                    said = super().rcpt(address, options)\n            \
                    if said[0] != 250: print('refused', address, said[0], said[1].decode(), sep='\\t')\n            \
                    return said\n        \
                def data(self, message):\n            \
                    try:\n                \
                        said = super().data(message)\n            \
                    except smtplib.SMTPDataError as e:\n                \
                        print('answer', e.smtp_code, e.smtp_error.decode(), sep='\\t')\n                \
                        raise\n            \
                    print('answer', said[0], said[1].decode(), sep='\\t')\n            \
                    return said\n    \
            return Noting\n\
        context = ssl.create_default_context(cafile=ca) if ca else None\n\
        try:\n    \
            if tls == 'Implicit':\n        \
                c = noting(smtplib.SMTP_SSL)(host, int(port), timeout=115, context=context)\n    \
            else:\n        \
                c = noting(smtplib.SMTP)(host, int(port), timeout=115)\n    \
            if tls == 'Start': c.starttls(context=context)\n    \
            if user: c.login(user, password)\n    \
            c.sendmail(sender, sys.argv[9:], open(file, 'rb').read())\n    \
            c.quit()\n\
        except (smtplib.SMTPException, OSError) as e:\n    \
            print('lost', repr(e), sep='\\t')\n";
    let file = envelope.file();
    let (tls, ca) = match envelope.tls {
        Some((tls, ca)) => (format!("{tls:?}"), ca.display().to_string()),
        None => ("None".to_owned(), String::new()),
    };
    let host = host(envelope);
    let (user, password) = envelope.login.unwrap_or_default();
    let mut command = Command::new("python3");
    command.args(["-c", script, &tls, &host, &envelope.server.port().to_string(), &ca]);
    command.arg(envelope.sender).arg(file.path()).args([user, password]).args(envelope.to);
    let output = run_within(&mut command, PATIENCE);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let mut told = Told::default();
    for line in said.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields[..] {
            // -1 is smtplib's word for a connection that was lost.
            ["answer", "-1", _] => {}
            ["lost", why] => told.lost = Some(why.to_owned()),
            ["answer", code, text] => told.answer = Some(format!("{code} {text}")),
            ["refused", address, code, text] => {
                told.refused.insert(address.to_owned(), format!("{code} {text}"));
            }
            _ => {}
        }
    }
    told
}

/// Sends with swaks, by SMTP, or by LMTP: then the answers to the message are those of all
/// recipients, in order, in lines of their own.
pub(crate) fn swaks(envelope: &Envelope<'_>, protocol: &str) -> (Told, String) {
    let file = envelope.file();
    let mut command = Command::new("/usr/bin/swaks");
    command.args(["--protocol", protocol, "--timeout", "60"]);
    command.arg("--server").arg(host(envelope));
    command.args(["--port", &envelope.server.port().to_string()]);
    command.args(["--from", envelope.sender, "--to", &envelope.to.join(",")]);
    command.arg("--data").arg(format!("@{}", file.path().display()));
    if let Some((tls, ca)) = envelope.tls {
        command.arg(if tls == Tls::Implicit { "--tls-on-connect" } else { "--tls" });
        command.arg("--tls-verify").arg("--tls-ca-path").arg(ca);
    }
    if let Some((user, password)) = envelope.login {
        command.args(["--auth", "PLAIN", "--auth-user", user, "--auth-password", password]);
    }
    let transcript = text(&run_within(&mut command, PATIENCE));
    (told(&transcript), transcript)
}

/// Reads swaks' transcript: `->` and `~>` before what it says, `<-` and `<~` before what it hears,
/// with `**` for what it does not like.
fn told(transcript: &str) -> Told {
    let mut told = Told::default();
    let mut recipients = Vec::new();
    let mut said = String::new();
    for line in transcript.lines() {
        if let Some(words) = line.strip_prefix(" -> ").or_else(|| line.strip_prefix(" ~> ")) {
            words.clone_into(&mut said);
            if let Some(address) = words.strip_prefix("RCPT TO:<") {
                recipients.push(address.trim_end_matches('>').to_owned());
            }
        } else if line.starts_with('<') {
            let reply = line.get(4..).unwrap_or_default().to_owned();
            if said.starts_with("RCPT") && !reply.starts_with("250") {
                told.refused.insert(recipients.last().unwrap().clone(), reply);
            } else if said == "." {
                let answer = told.answer.get_or_insert_default();
                *answer = format!("{answer}\n{reply}").trim().to_owned();
            }
        }
    }
    told
}

/// Sends with msmtp, which sends to all recipients or to none.
pub(crate) fn msmtp(envelope: &Envelope<'_>) -> Result<(), String> {
    let file = envelope.file();
    let mut command = Command::new("/bin/sh");
    // The message comes from standard input.
    command.args(["-c", "exec msmtp \"$@\" < \"$0\""]).arg(file.path());
    command.arg("--file=/dev/null").arg(format!("--host={}", host(envelope)));
    command.arg(format!("--port={}", envelope.server.port()));
    command.arg(format!("--from={}", envelope.sender)).arg("--timeout=115");
    if let Some((tls, ca)) = envelope.tls {
        let start = if tls == Tls::Implicit { "off" } else { "on" };
        command.arg("--tls=on").arg(format!("--tls-starttls={start}"));
        command.arg(format!("--tls-trust-file={}", ca.display()));
    }
    if let Some((user, password)) = envelope.login {
        command.arg("--auth=plain").arg(format!("--user={user}"));
        command.arg(format!("--passwordeval=echo {password}"));
    }
    command.arg("--").args(envelope.to);
    let output = run_within(&mut command, PATIENCE);
    output.status.success().then_some(()).ok_or_else(|| text(&output))
}

/// Sends `messages` messages over `sessions` connections at once with Postfix's smtp-source. Each
/// connection is used for several.
pub(crate) fn smtp_source(
    server: SocketAddr,
    sender: &str,
    to: &str,
    messages: usize,
    sessions: usize,
    subject: &str,
) -> Result<(), String> {
    let mut command = Command::new("/usr/sbin/smtp-source");
    command.args(["-d", "-m", &messages.to_string(), "-s", &sessions.to_string()]);
    command.args(["-l", "4096", "-f", sender, "-t", to, "-S", subject]).arg(server.to_string());
    let output = run_within(&mut command, PATIENCE);
    output.status.success().then_some(()).ok_or_else(|| text(&output))
}

/// The server for clients that look for no addresses in certificates.
fn host(envelope: &Envelope<'_>) -> String {
    match envelope.tls {
        Some(_) => "localhost".to_owned(),
        None => envelope.server.ip().to_string(),
    }
}

fn text(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&said).into_owned()
}
