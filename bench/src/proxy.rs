//! The processes of a run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};

/// A process that is ended when this is dropped.
pub(crate) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts a program and waits for the line with `ready`.
    pub(crate) fn start(command: &mut Command, ready: &str) -> anyhow::Result<Self> {
        let mut process = Self::spawn(command)?;
        process.wait_for(ready)?;
        Ok(process)
    }

    /// Starts a server and waits until it can be connected to.
    pub(crate) fn start_server(command: &mut Command, address: SocketAddr) -> anyhow::Result<Self> {
        let mut process = Self::spawn(command)?;
        while TcpStream::connect(address).is_err() {
            ensure!(process.child.try_wait()?.is_none(), "the server has ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(process)
    }

    fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("no standard output")?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdout: BufReader::new(stdout), stdin })
    }

    /// Reads lines until one holds `text`.
    pub(crate) fn wait_for(&mut self, text: &str) -> anyhow::Result<()> {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            ensure!(self.stdout.read_line(&mut line)? > 0, "ended before {text:?}");
        }
        Ok(())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells a client that holds connections to let go, and waits for its end.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        drop(self.stdin.take().map(|mut stdin| stdin.write_all(b"\n")));
        ensure!(self.child.wait()?.success(), "a client failed");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This very program, as another part of the run.
pub(crate) fn part(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}

/// An address on which nobody listens.
pub(crate) fn free(ip: &str) -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((ip, 0))?.local_addr()?)
}

/// The program under test, which lies beside this one.
pub(crate) fn waypost() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("waypost");
    let built = "build it as this program was built: cargo build --release -p waypost";
    ensure!(program.exists(), "{} is missing; {built}", program.display());
    Ok(program)
}

/// Starts Waypost in front of `backend`, in clear at `plain` and over TLS at `tls`.
pub(crate) fn start_waypost(
    folder: &Path,
    backend: SocketAddr,
    plain: SocketAddr,
    tls: SocketAddr,
) -> anyhow::Result<Process> {
    let ldif = crate::decision::ldif(&backend.ip().to_string());
    std::fs::write(folder.join("directory.ldif"), ldif)?;
    let configuration = format!(
        r#"[server]
hostname = "waypost.bench.test"
log-level = "error"

[listener.plain]
protocol = "imap"
bind = ["{plain}"]
tls = "none"
allow-plaintext-login = true
max-connections-per-address = 1000000
max-connections-per-user = 1000000

[listener.tls]
protocol = "imap"
bind = ["{tls}"]
tls = "implicit"
max-connections-per-address = 1000000
max-connections-per-user = 1000000

[tls]
certificates = [{{ chain = "chain.pem", key = "key.pem" }}]

[login]
max-attempts-in-flight = 0

[directory.main]
ldif = "directory.ldif"
base = "dc=bench,dc=test"

[policy.ldap]
plugin = "builtin:ldap-routing"
directories = {{ main = ["mail", "mailHost"] }}
targets = ["127.0.0.0/8"]

[policy.ldap.settings]
directory = "main"
search-base = "%s"
search-pattern = "mail=%e"
host-field = "mailHost"
use-first = true

[domain."bench.test"]
policies = ["ldap"]

[backend."*"]
imap = {{ port = {port}, tls = "none" }}
"#,
        port = backend.port()
    );
    std::fs::write(folder.join("waypost.toml"), configuration)?;
    let mut command = Command::new(waypost()?);
    command.arg("run").arg("--config").arg(folder.join("waypost.toml"));
    Process::start_server(&mut command, plain)
}
