//! A whole cluster on loopback: an LDIF directory, two small back ends, and the real proxy with the
//! real policy in front.

mod cluster;
mod policy;

use crate::output::say;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tempfile::TempDir;
use waypost_demo::web::{LOG_IN, LOG_OUT, PASSWORD, USER};
use waypost_demo::{Addresses, BackEnd};

use self::cluster::{DOMAIN, MEMBERS};
use self::policy::Policy;
use crate::cli::{DemoArgs, RecordArgs};
use crate::run;

/// Where Waypost listens, and its back ends too: in a cluster they share their ports, as the
/// back-end table wants it.
#[derive(Clone, Copy)]
struct Ports {
    imap: u16,
    pop3: u16,
    smtp: u16,
    submission: u16,
    web: u16,
}

impl Ports {
    const USUAL: Self = Self { imap: 1143, pop3: 1110, smtp: 2525, submission: 1587, web: 8080 };
}

/// Runs the demo until somebody ends it.
pub(crate) fn run(arguments: &DemoArgs) -> anyhow::Result<()> {
    let ports = match arguments.ports.as_deref() {
        Some(&[imap, pop3, smtp, submission, web]) => Ports { imap, pop3, smtp, submission, web },
        _ => Ports::USUAL,
    };
    let policy = Policy::new(arguments)?;
    let folder = TempDir::with_prefix("waypost-demo-")?;
    let _back_ends = BackEnds::start(ports)?;
    let configuration = folder.path().join("waypost.toml");
    std::fs::write(folder.path().join("directory.ldif"), cluster::ldif())?;
    std::fs::write(&configuration, configuration_text(ports, &policy))?;
    run::serve(&configuration, &RecordArgs::default(), || introduce(ports, &configuration))
}

/// The back ends on a thread of their own: they are no part of Waypost.
struct BackEnds {
    _runtime: tokio::runtime::Runtime,
    _running: Vec<BackEnd>,
}

impl BackEnds {
    fn start(ports: Ports) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("back-ends")
            .enable_all()
            .build()?;
        let front = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.smtp));
        let mut running = Vec::new();
        for member in &MEMBERS {
            let address: Ipv4Addr = member.address.parse()?;
            let at = |port| SocketAddr::from((address, port));
            let wanted = Addresses {
                imap: at(ports.imap),
                pop3: at(ports.pop3),
                smtp: at(ports.smtp),
                submission: at(ports.submission),
                web: at(ports.web),
            };
            let started = BackEnd::start(wanted, Arc::new(member.mailboxes()), front);
            let context = || {
                let Ports { imap, pop3, smtp, submission, web } = ports;
                let (name, ports) = (member.name, [imap, pop3, smtp, submission, web]);
                format!("{name} cannot listen on {address}, ports {ports:?}")
            };
            running.push(runtime.block_on(started).with_context(context)?);
        }
        Ok(Self { _runtime: runtime, _running: running })
    }
}

/// What an operator would write for this cluster.
fn configuration_text(ports: Ports, policy: &Policy) -> String {
    let Policy { name, section } = policy;
    let Ports { imap, pop3, smtp, submission, web } = ports;
    format!(
        r#"# The demo's configuration. Passwords travel in clear here, since nothing leaves this machine.

[server]
hostname = "waypost.{DOMAIN}"
control = "control"

[listener.imap]
protocol = "imap"
bind = ["127.0.0.1:{imap}"]
tls = "none"
allow-plaintext-login = true
default-domain = "{DOMAIN}"

[listener.pop3]
protocol = "pop3"
bind = ["127.0.0.1:{pop3}"]
tls = "none"
allow-plaintext-login = true
default-domain = "{DOMAIN}"

[listener.mx]
protocol = "smtp"
bind = ["127.0.0.1:{smtp}"]
tls = "none"

[listener.submission]
protocol = "submission"
bind = ["127.0.0.1:{submission}"]
tls = "none"
allow-plaintext-login = true
default-domain = "{DOMAIN}"
submission-extensions = ["SIZE 10485760", "8BITMIME"]

[listener.web]
protocol = "webmail"
bind = ["127.0.0.1:{web}"]
tls = "none"
allow-plaintext-login = true
default-domain = "{DOMAIN}"

[webmail]
login-forms = [{{ path = "{LOG_IN}", user = "{USER}", password = "{PASSWORD}" }}]
log-out = ["{LOG_OUT}"]
address-parameter = "{USER}"
decoys = ["127.0.0.2", "127.0.0.3"]

[smtp]
postmaster = "user1@{DOMAIN}"

[spool]
folder = "spool"

[login]
# The two small back ends know no tokens.
mechanisms = ["plain"]

[directory.main]
ldif = "directory.ldif"
base = "dc=localdomain,dc=test"
password-field = "userPassword"

{section}
[domain."{DOMAIN}"]
policies = ["{name}"]

[backend."*"]
imap = {{ port = {imap}, tls = "none" }}
pop3 = {{ port = {pop3}, tls = "none" }}
smtp = {{ port = {smtp}, tls = "none" }}
submission = {{ port = {submission}, tls = "none" }}
webmail = {{ port = {web}, tls = "none" }}
"#
    )
}

fn introduce(ports: Ports, configuration: &Path) {
    let Ports { imap, pop3, smtp, submission, web } = ports;
    say!("\nWaypost is in front of two back ends, and this is who lives where:\n");
    for member in &MEMBERS {
        let users = member.users.map(|user| format!("{user}@{DOMAIN}")).join(", ");
        say!("  {:<6} {:<10} {users}", member.name, member.address);
    }
    say!(
        "\nEach password is the user's name. Open http://127.0.0.1:{web} in a browser, or try, in \
         another terminal:\n\n\
         \x20 curl 'imap://127.0.0.1:{imap}/INBOX;MAILINDEX=1' -u user1@{DOMAIN}:user1\n\
         \x20 curl 'imap://127.0.0.1:{imap}/INBOX;MAILINDEX=1' -u user3@{DOMAIN}:user3\n\
         \x20 curl 'pop3://127.0.0.1:{pop3}/1' -u user4@{DOMAIN}:user4\n\
         \x20 printf 'Subject: Hello\\n\\nTo north and south.\\n' | curl smtp://127.0.0.1:{smtp} --crlf -T - \\\n\
         \x20      --mail-from user2@{DOMAIN} --mail-rcpt user1@{DOMAIN} --mail-rcpt user3@{DOMAIN}\n\
         \x20 printf 'Subject: Hello\\n\\nSent by user1.\\n' | curl smtp://127.0.0.1:{submission} --crlf -T - \\\n\
         \x20      --mail-from user1@{DOMAIN} --mail-rcpt user4@{DOMAIN} -u user1@{DOMAIN}:user1\n\
         \x20 curl 'imap://127.0.0.1:{imap}/INBOX;MAILINDEX=2' -u user3@{DOMAIN}:user3\n\
         \x20 curl http://127.0.0.1:{web} -u user3@{DOMAIN}:user3\n\
         \x20 {program} route --config {configuration} user2@{DOMAIN}\n\n\
         The configuration and the directory are in {folder}.\n\
         Change a mailHost in directory.ldif, send SIGHUP to process {process}, and see the user \
         move.\n\nCtrl-C ends the demo.\n",
        program = std::env::current_exe()
            .map_or_else(|_| "waypost".into(), |path| path.display().to_string()),
        configuration = configuration.display(),
        folder = configuration.parent().unwrap_or(configuration).display(),
        process = std::process::id(),
    );
}
