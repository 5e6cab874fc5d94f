use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::maildir::{self, Message};
use super::{Authority, Background, wait_for};

/// A Dovecot with IMAP and POP3, in clear, by STARTTLS and over TLS, and with LMTP.
#[derive(Debug)]
pub(crate) struct Dovecot {
    folder: TempDir,
    process: Option<Background>,
    address: IpAddr,
    ports: Ports,
}

/// Where a Dovecot listens; the same on all back ends of a test, as in a cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub imap: u16,
    pub imaps: u16,
    pub pop3: u16,
    pub pop3s: u16,
    /// As `imap`, behind a PROXY header.
    pub imap_proxied: u16,
    /// As `pop3`, behind a PROXY header.
    pub pop3_proxied: u16,
    pub lmtp: u16,
    /// Where another server asks whether a password is right.
    pub auth: u16,
}

impl Ports {
    /// Ports that are free on all of `addresses`.
    pub fn free_on(addresses: &[IpAddr]) -> Self {
        let port = || super::free_port_on(addresses);
        Self {
            imap: port(),
            imaps: port(),
            pop3: port(),
            pop3s: port(),
            imap_proxied: port(),
            pop3_proxied: port(),
            lmtp: port(),
            auth: port(),
        }
    }
}

impl Dovecot {
    /// Starts one at `address`. Its certificate is for `address` and `name`.
    pub fn start(address: &str, name: &str, ports: Ports, authority: &Authority) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let folder = tempfile::Builder::new().prefix("dovecot-").tempdir().unwrap();
        let path = folder.path();
        open_to_all(path);
        let (chain, key) = authority.issue(&[name, &address.to_string()]);
        fs::write(path.join("chain.pem"), chain).unwrap();
        fs::write(path.join("key.pem"), key).unwrap();
        fs::write(path.join("users"), "").unwrap();
        fs::write(path.join("masters"), "waypost:{PLAIN}the-master-users\n").unwrap();
        tokens(path);
        let mail = path.join("mail");
        fs::create_dir(&mail).unwrap();
        let who = Who::current();
        if who.is_root {
            // Debian's `mail`, in every installation.
            std::os::unix::fs::chown(&mail, Some(8), Some(8)).unwrap();
        }
        fs::write(path.join("dovecot.conf"), configuration(path, address, ports, &who)).unwrap();
        let mut dovecot = Self { folder, process: None, address, ports };
        dovecot.resume();
        dovecot
    }

    /// Adds a user with a mailbox that holds one message with this subject.
    pub fn add_user(&self, name: &str, password: &str, subject: &str) {
        self.add_account(name, password);
        self.deliver(name, subject);
    }

    /// Adds a user without a mailbox; mail makes one.
    pub fn add_account(&self, name: &str, password: &str) {
        let users = self.folder.path().join("users");
        let mut lines = fs::read_to_string(&users).unwrap();
        lines += &format!("{name}:{{PLAIN}}{password}\n");
        fs::write(&users, lines).unwrap();
    }

    /// What lies in a user's mailbox.
    pub fn mailbox(&self, user: &str) -> Vec<Message> {
        maildir::read(&self.folder.path().join("mail").join(user).join("Maildir"))
    }

    /// Puts a message into a user's mailbox.
    pub fn deliver(&self, user: &str, subject: &str) {
        let home = self.folder.path().join("mail").join(user);
        let new = home.join("Maildir/new");
        for folder in [
            &home,
            &home.join("Maildir"),
            &new,
            &home.join("Maildir/cur"),
            &home.join("Maildir/tmp"),
        ] {
            fs::create_dir_all(folder).unwrap();
            if Who::current().is_root {
                std::os::unix::fs::chown(folder, Some(8), Some(8)).unwrap();
            }
        }
        let message = format!(
            "From: postmaster@localdomain.test\r\nTo: {user}\r\nSubject: {subject}\r\n\
             Date: Thu, 1 Jan 2026 12:00:00 +0000\r\nMessage-ID: <{}@test>\r\n\r\nHello.\r\n",
            subject.replace(' ', "-"),
        );
        let file = new.join(format!("1767268800.{}.test", subject.replace(' ', "-")));
        fs::write(&file, message).unwrap();
        if Who::current().is_root {
            std::os::unix::fs::chown(&file, Some(8), Some(8)).unwrap();
        }
    }

    /// Its ports.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// How many connections have ended without a password that was right.
    pub fn failed_logins(&self) -> usize {
        self.log().lines().filter(|line| line.contains("auth failed, ")).count()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Stops it: connections are refused.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again.
    pub fn resume(&mut self) {
        let path = self.folder.path();
        let mut command = Command::new("/usr/sbin/dovecot");
        command.arg("-F").arg("-c").arg(path.join("dovecot.conf"));
        self.process = Some(Background::start("dovecot", &mut command, path));
        let address = (self.address, self.ports.imap);
        wait_for("Dovecot's greeting", Duration::from_secs(20), || greeting(address));
    }
}

/// The login processes of a Dovecot that has just started take a moment longer than its ports.
fn greeting(address: (IpAddr, u16)) -> Option<()> {
    use std::io::Read as _;
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut text = [0; 512];
    let length = stream.read(&mut text).ok()?;
    let text = String::from_utf8_lossy(text.get(..length)?).into_owned();
    text.contains("* OK [CAPABILITY").then_some(())
}

/// Whoever signs with this key says who somebody is: JSON Web Tokens with `sub`, by HS256.
pub(crate) const TOKEN_KEY: &str = "the-key-of-all-tokens";

/// Has Dovecot believe tokens by their signature, without asking anybody.
fn tokens(path: &Path) {
    // The key of HS256 without a name, for tokens that say nothing of who they were issued to.
    let folder = path.join("tokens/default/HS256");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("default"), STANDARD.encode(TOKEN_KEY)).unwrap();
    let settings = format!(
        "introspection_mode = local\nusername_attribute = sub\n\
         local_validation_key_dict = fs:posix:prefix={}/\n",
        path.join("tokens").display()
    );
    fs::write(path.join("tokens.conf"), settings).unwrap();
}

/// As whom Dovecot's parts run.
struct Who {
    is_root: bool,
    name: String,
}

impl Who {
    fn current() -> Self {
        let is_root = rustix::process::geteuid().is_root();
        let name = if is_root { String::new() } else { std::env::var("USER").unwrap() };
        Self { is_root, name }
    }
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn configuration(path: &Path, address: IpAddr, ports: Ports, who: &Who) -> String {
    let path: &PathBuf = &path.to_owned();
    let Ports { imap, imaps, pop3, pop3s, imap_proxied, pop3_proxied, lmtp, auth } = ports;
    let users = if who.is_root {
        "default_internal_user = dovecot\ndefault_internal_group = dovecot\n\
         default_login_user = dovenull\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n"
            .to_owned()
    } else {
        let name = &who.name;
        format!(
            "default_internal_user = {name}\ndefault_internal_group = {name}\n\
             default_login_user = {name}\n"
        )
    };
    let owner = if who.is_root {
        "uid=8 gid=8 ".to_owned()
    } else {
        let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
        format!("uid={} gid={} ", user.as_raw(), group.as_raw())
    };
    // LMTP's processes change to the users of the mailboxes.
    let lmtp_user = match who.is_root {
        true => String::new(),
        false => format!("  user = {}\n", who.name),
    };
    let path = path.display();
    format!(
        "protocols = imap pop3 lmtp\nlisten = {address}\n{users}\
         base_dir = {path}/run\nstate_dir = {path}/state\nlog_path = {path}/log\n\
         auth_verbose = yes\nauth_failure_delay = 0\ndisable_plaintext_auth = no\n\
         auth_mechanisms = plain login scram-sha-1 scram-sha-256 xoauth2 oauthbearer\n\
         auth_username_chars =\n\
         login_trusted_networks = 127.0.0.0/8\nhaproxy_trusted_networks = 127.0.0.0/8\n\
         ssl = yes\nssl_cert = <{path}/chain.pem\nssl_key = <{path}/key.pem\n\
         mail_location = maildir:~/Maildir\nnamespace inbox {{\n  inbox = yes\n}}\n\
         auth_master_user_separator = *\n\
         passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  \
         args = {path}/tokens.conf\n}}\n\
         passdb {{\n  driver = passwd-file\n  args = {path}/masters\n  master = yes\n}}\n\
         passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN username_format=%u {path}/users\n}}\n\
         userdb {{\n  driver = static\n  args = {owner}home={path}/mail/%u\n}}\n\
         service anvil {{\n  chroot =\n}}\nservice stats {{\n  chroot =\n}}\n\
         service imap-login {{\n  chroot =\n\
         \x20 inet_listener imap {{\n    port = {imap}\n  }}\n\
         \x20 inet_listener imaps {{\n    port = {imaps}\n    ssl = yes\n  }}\n\
         \x20 inet_listener imap_proxied {{\n    port = {imap_proxied}\n    haproxy = yes\n  }}\n}}\n\
         service pop3-login {{\n  chroot =\n\
         \x20 inet_listener pop3 {{\n    port = {pop3}\n  }}\n\
         \x20 inet_listener pop3s {{\n    port = {pop3s}\n    ssl = yes\n  }}\n\
         \x20 inet_listener pop3_proxied {{\n    port = {pop3_proxied}\n    haproxy = yes\n  }}\n}}\n\
         service lmtp {{\n{lmtp_user}\
         \x20 inet_listener lmtp {{\n    port = {lmtp}\n  }}\n}}\n\
         service auth {{\n  inet_listener auth {{\n    port = {auth}\n  }}\n}}\n"
    )
}
