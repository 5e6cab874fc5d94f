use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::maildir::{self, Message};
use super::{Authority, Background, wait_for};

/// A Postfix that delivers into Maildirs, with STARTTLS and XCLIENT. Its parts change their user,
/// so that it needs root.
#[derive(Debug)]
pub(crate) struct Postfix {
    folder: TempDir,
    process: Option<Background>,
    address: IpAddr,
    ports: Ports,
    settings: String,
}

/// Where a Postfix listens; the same on all back ends of a test, as in a cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub smtp: u16,
    /// As `smtp`, behind a PROXY header.
    pub proxied: u16,
    /// Submission: who has logged in may send.
    pub submission: u16,
}

/// Where in a transaction it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Mail,
    Recipient,
    Data,
    /// After the final dot.
    Dot,
}

/// Debian's `mail`, in every installation.
const MAIL: u32 = 8;
const PROGRAMS: &str = "/usr/lib/postfix/sbin";

impl Ports {
    /// Ports that are free on all of `addresses`.
    pub fn free_on(addresses: &[IpAddr]) -> Self {
        let port = || super::free_port_on(addresses);
        Self { smtp: port(), proxied: port(), submission: port() }
    }
}

impl Postfix {
    /// Starts one at `address` that knows `users` of localdomain.test. Whom submission believes is
    /// asked of the Dovecot that answers at `logins`.
    pub fn start(
        address: &str,
        name: &str,
        ports: Ports,
        users: &[String],
        authority: &Authority,
        logins: Option<SocketAddr>,
    ) -> Self {
        assert!(rustix::process::geteuid().is_root(), "Postfix needs root");
        let address: IpAddr = address.parse().unwrap();
        let folder = tempfile::Builder::new().prefix("postfix-").tempdir().unwrap();
        let path = folder.path();
        readable(path);
        let (chain, key) = authority.issue(&[name, &address.to_string()]);
        fs::write(path.join("chain.pem"), chain).unwrap();
        fs::write(path.join("key.pem"), key).unwrap();
        lay_out(path);
        fs::write(path.join("master.cf"), services(address, ports)).unwrap();
        let logins = logins.map_or_else(String::new, |at| {
            format!("smtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:{at}\n")
        });
        let settings = settings(path, name, users) + &logins;
        let mut postfix = Self { folder, process: None, address, ports, settings };
        postfix.accept();
        postfix.resume();
        postfix
    }

    /// Refuses at `stage` with `reply`, from the next connection on.
    pub fn refuse(&self, stage: Stage, reply: &str) {
        let (list, check) = match stage {
            Stage::Mail => ("smtpd_sender_restrictions", "check_sender_access"),
            Stage::Recipient => ("smtpd_recipient_restrictions", "check_recipient_access"),
            Stage::Data => ("smtpd_data_restrictions", "check_sender_access"),
            Stage::Dot => ("smtpd_end_of_data_restrictions", "check_sender_access"),
        };
        self.configure(&format!("{list} = {check} static:{{{reply}}}\n"));
    }

    /// Refuses nothing any more, from the next connection on.
    pub fn accept(&self) {
        self.configure("");
    }

    /// What has been delivered to a user.
    pub fn mailbox(&self, user: &str) -> Vec<Message> {
        maildir::read(&self.folder.path().join("mail").join(user))
    }

    /// Whether everything that it has accepted is delivered.
    pub fn is_idle(&self) -> bool {
        ["incoming", "active", "maildrop"].iter().all(|queue| {
            let queue = self.folder.path().join("queue").join(queue);
            fs::read_dir(queue).unwrap().next().is_none()
        })
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Where it serves SMTP.
    pub fn smtp(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.ports.smtp)
    }

    /// Stops it: connections are refused.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it, again with all it had.
    pub fn resume(&mut self) {
        let path = self.folder.path();
        let mut command = Command::new(Path::new(PROGRAMS).join("master"));
        command.arg("-s").env("MAIL_CONFIG", path);
        self.process = Some(Background::start("postfix", &mut command, path));
        wait_for("Postfix", Duration::from_secs(20), || TcpStream::connect(self.smtp()).ok());
    }

    /// Writes its configuration. Each of its smtpd serves one connection, and reads this before.
    fn configure(&self, more: &str) {
        let path = self.folder.path();
        let new = path.join("main.cf.new");
        fs::write(&new, format!("{}{more}", self.settings)).unwrap();
        fs::rename(new, path.join("main.cf")).unwrap();
    }
}

/// What `postfix check` makes as well, but with many programs and in seconds.
fn lay_out(path: &Path) {
    let postfix = id_of("/etc/passwd", "postfix");
    let postdrop = id_of("/etc/group", "postdrop");
    let folder = |name: &str, mode: u32, owner: u32, group: Option<u32>| {
        let folder = path.join(name);
        fs::create_dir(&folder).unwrap();
        chown(&folder, Some(owner), group).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    };
    folder("mail", 0o755, MAIL, Some(MAIL));
    folder("data", 0o700, postfix, None);
    folder("queue", 0o755, 0, None);
    folder("queue/pid", 0o755, 0, None);
    for queue in "active bounce corrupt defer deferred flush hold incoming private saved trace"
        .split_whitespace()
    {
        folder(&format!("queue/{queue}"), 0o700, postfix, None);
    }
    folder("queue/maildrop", 0o730, postfix, Some(postdrop));
    folder("queue/public", 0o710, postfix, Some(postdrop));
}

fn readable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn id_of(file: &str, name: &str) -> u32 {
    let text = fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    line.and_then(|line| line.split(':').nth(2)).and_then(|id| id.parse().ok()).unwrap()
}

fn settings(path: &Path, name: &str, users: &[String]) -> String {
    let path = path.display();
    let mailboxes: Vec<String> =
        users.iter().map(|user| format!("{{{user}@localdomain.test={user}/}}")).collect();
    let mailboxes = mailboxes.join(", ");
    // `inet_interfaces` may be no address of 127.0.0.0/8; where it listens stands in master.cf.
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {path}/queue\ndata_directory = {path}/data\n\
         command_directory = /usr/sbin\ndaemon_directory = {PROGRAMS}\n\
         mail_owner = postfix\nsetgid_group = postdrop\n\
         maillog_file = {path}/log\nmaillog_file_prefixes = {path}\n\
         myhostname = {name}\nmydestination =\nmynetworks =\n\
         inet_interfaces = all\ninet_protocols = ipv4\n\
         alias_maps =\nalias_database =\nlocal_recipient_maps =\n\
         virtual_mailbox_domains = localdomain.test\nvirtual_mailbox_base = {path}/mail\n\
         virtual_mailbox_maps = inline:{{ {mailboxes} }}\n\
         virtual_uid_maps = static:{MAIL}\nvirtual_gid_maps = static:{MAIL}\n\
         virtual_minimum_uid = 1\nvirtual_mailbox_limit = 0\nmessage_size_limit = 0\n\
         smtpd_peername_lookup = no\nsmtpd_delay_reject = no\n\
         smtpd_relay_restrictions = reject_unauth_destination\n\
         smtpd_recipient_restrictions = reject_unlisted_recipient\n\
         smtpd_authorized_xclient_hosts = 127.0.0.0/8\n\
         smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {path}/key.pem {path}/chain.pem\n\
         smtpd_tls_session_cache_database =\ndisable_dns_lookups = yes\n\
         smtpd_client_connection_count_limit = 0\nsmtpd_client_connection_rate_limit = 0\n"
    )
}

fn services(address: IpAddr, Ports { smtp, proxied, submission }: Ports) -> String {
    format!(
        "{address}:{smtp} inet n - n - - smtpd -o max_use=1\n\
         {address}:{proxied} inet n - n - - smtpd -o max_use=1\n  \
         -o smtpd_upstream_proxy_protocol=haproxy\n\
         {address}:{submission} inet n - n - - smtpd -o max_use=1\n  \
         -o smtpd_sasl_auth_enable=yes\n  \
         -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject\n\
         cleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 300 1 qmgr\n\
         tlsmgr unix - - n 1000? 1 tlsmgr\n\
         rewrite unix - - n - - trivial-rewrite\n\
         bounce unix - - n - 0 bounce\n\
         defer unix - - n - 0 bounce\n\
         trace unix - - n - 0 bounce\n\
         error unix - - n - - error\n\
         retry unix - - n - - error\n\
         virtual unix - n n - - virtual\n\
         proxymap unix - - n - - proxymap\n\
         proxywrite unix - - n - 1 proxymap\n\
         anvil unix - - n - 1 anvil\n\
         postlog unix-dgram n - n - 1 postlogd\n"
    )
}
