//! The processes of a run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
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
