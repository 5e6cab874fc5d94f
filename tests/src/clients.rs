//! Real mail clients: curl, Python's imaplib and poplib, mbsync, fetchmail.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::servers::run;

/// How a client protects its leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// In clear.
    None,
    /// STARTTLS or STLS.
    Start,
    /// From the first byte.
    Implicit,
}

/// Who logs in where, and whom the client trusts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account<'a> {
    pub server: SocketAddr,
    pub tls: Tls,
    /// A PEM file with the authority that the server's certificate must come from.
    pub authority: &'a Path,
    pub user: &'a str,
    pub password: &'a str,
}

impl Account<'_> {
    /// The server for clients that look for no addresses in certificates.
    fn host(&self) -> String {
        match self.tls {
            Tls::None => self.server.ip().to_string(),
            Tls::Start | Tls::Implicit => "localhost".to_owned(),
        }
    }
}

/// What a client came to: the subjects that it read, or what it was told.
pub(crate) type Read = Result<Vec<String>, String>;

/// Reads the subjects by IMAP with curl.
pub(crate) fn curl_imap(account: &Account<'_>) -> Read {
    curl(account, "imap", "/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)")
}

/// Reads the subjects by POP3 with curl.
pub(crate) fn curl_pop3(account: &Account<'_>) -> Read {
    curl(account, "pop3", "/1")
}

fn curl(account: &Account<'_>, scheme: &str, path: &str) -> Read {
    let secure = if account.tls == Tls::Implicit { "s" } else { "" };
    let mut command = Command::new("/usr/bin/curl");
    command.args(["-sS", "--max-time", "20", "--cacert"]).arg(account.authority);
    if account.tls == Tls::Start {
        command.arg("--ssl-reqd");
    }
    command.arg("-u").arg(format!("{}:{}", account.user, account.password));
    command.arg(format!("{scheme}{secure}://{}{path}", account.server));
    let output = run(&mut command);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(subjects(&String::from_utf8_lossy(&output.stdout)))
}

fn subjects(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("Subject: "))
        .map(|subject| subject.trim().to_owned())
        .collect()
}

/// Reads the subjects with Python's imaplib.
pub(crate) fn imaplib(account: &Account<'_>) -> Read {
    python(
        account,
        "import imaplib, ssl, sys\n\
         tls, host, port, ca, user, password = sys.argv[1:]\n\
         context = ssl.create_default_context(cafile=ca if tls != 'None' else None)\n\
         if tls == 'Implicit':\n    c = imaplib.IMAP4_SSL(host, int(port), ssl_context=context, timeout=20)\n\
         else:\n    c = imaplib.IMAP4(host, int(port), timeout=20)\n\
         if tls == 'Start': c.starttls(context)\n\
         c.login(user, password)\n\
         c.select('INBOX')\n\
         for n in c.search(None, 'ALL')[1][0].split():\n    \
         print(c.fetch(n, '(BODY.PEEK[HEADER.FIELDS (SUBJECT)])')[1][0][1].decode().strip())\n\
         c.logout()\n",
    )
}

/// Reads the subjects with Python's poplib.
pub(crate) fn poplib(account: &Account<'_>) -> Read {
    python(
        account,
        "import poplib, ssl, sys\n\
         tls, host, port, ca, user, password = sys.argv[1:]\n\
         context = ssl.create_default_context(cafile=ca if tls != 'None' else None)\n\
         if tls == 'Implicit':\n    c = poplib.POP3_SSL(host, int(port), context=context, timeout=20)\n\
         else:\n    c = poplib.POP3(host, int(port), timeout=20)\n\
         if tls == 'Start': c.stls(context)\n\
         c.user(user)\n\
         c.pass_(password)\n\
         for n in range(c.stat()[0]):\n    \
         print('\\n'.join(line.decode() for line in c.retr(n + 1)[1]))\n\
         c.quit()\n",
    )
}

fn python(account: &Account<'_>, script: &str) -> Read {
    let mut command = Command::new("python3");
    command.arg("-c").arg(script).arg(format!("{:?}", account.tls));
    command.arg(account.server.ip().to_string()).arg(account.server.port().to_string());
    command.arg(account.authority).arg(account.user).arg(account.password);
    let output = run(&mut command);
    if !output.status.success() {
        // The last line of a traceback is the exception.
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.lines().last().unwrap_or_default().to_owned());
    }
    Ok(subjects(&String::from_utf8_lossy(&output.stdout)))
}

/// Fetches the mailbox with mbsync into a Maildir and reads the subjects there.
pub(crate) fn mbsync(account: &Account<'_>) -> Read {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let tls = match account.tls {
        Tls::None => "None",
        Tls::Start => "STARTTLS",
        Tls::Implicit => "IMAPS",
    };
    let host = account.host();
    let configuration = format!(
        "IMAPAccount waypost\nHost {host}\nPort {port}\nUser {user}\nPass {password}\n\
         SSLType {tls}\nCertificateFile {ca}\nSystemCertificates no\nAuthMechs LOGIN\n\n\
         IMAPStore remote\nAccount waypost\n\n\
         MaildirStore local\nPath {path}/mail/\nInbox {path}/mail/INBOX\n\n\
         Channel all\nFar :remote:\nNear :local:\nPatterns INBOX\nCreate Near\nSyncState *\n",
        port = account.server.port(),
        user = account.user,
        password = account.password,
        ca = account.authority.display(),
    );
    fs::create_dir(folder.path().join("mail")).unwrap();
    fs::write(folder.path().join("mbsyncrc"), configuration).unwrap();
    let mut command = Command::new("/usr/bin/mbsync");
    command.arg("-c").arg(folder.path().join("mbsyncrc")).arg("-a");
    command.env("HOME", folder.path());
    let output = run(&mut command);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let new = folder.path().join("mail/INBOX");
    Ok(["new", "cur"]
        .iter()
        .filter_map(|part| fs::read_dir(new.join(part)).ok())
        .flatten()
        .flat_map(|entry| subjects(&fs::read_to_string(entry.unwrap().path()).unwrap()))
        .collect())
}

/// Fetches the mailbox with fetchmail and reads the subjects of what it hands on.
pub(crate) fn fetchmail(account: &Account<'_>, protocol: &str) -> Read {
    let folder = tempfile::tempdir().unwrap();
    let options = match account.tls {
        Tls::None => "sslproto ''".to_owned(),
        Tls::Start => {
            format!("sslproto 'TLS1.2+' sslcertck sslcertfile '{}'", account.authority.display())
        }
        Tls::Implicit => format!("ssl sslcertck sslcertfile '{}'", account.authority.display()),
    };
    let host = account.host();
    let configuration = format!(
        "poll {host} service {port} protocol {protocol} timeout 20\n  \
         user '{user}' password '{password}' {options} keep fetchall\n  \
         mda '/bin/cat >> {folder}/mail'\n",
        port = account.server.port(),
        user = account.user,
        password = account.password,
        folder = folder.path().display(),
    );
    let file = folder.path().join("fetchmailrc");
    fs::write(&file, configuration).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new("/usr/bin/fetchmail");
    command.arg("-v").arg("-f").arg(&file).arg("--pidfile").arg(folder.path().join("pid"));
    command.arg("-i").arg(folder.path().join("ids"));
    command.env("HOME", folder.path()).env("FETCHMAILHOME", folder.path());
    let output = run(&mut command);
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        return Err(String::from_utf8_lossy(&said).into_owned());
    }
    Ok(subjects(&fs::read_to_string(folder.path().join("mail")).unwrap_or_default()))
}
