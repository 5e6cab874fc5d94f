//! Many web clients: nghttp2's load generator.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

const PROGRAM: &str = "/usr/bin/h2load";
/// Connections at once.
const CLIENTS: usize = 8;
/// Requests at once on each connection of HTTP/2. Over HTTP/1.1 there is one.
const STREAMS: usize = 8;

/// What is asked for, and how.
pub(super) struct Load {
    pub(super) http2: bool,
    pub(super) tls: bool,
    /// The length of each answer, in octets.
    pub(super) length: usize,
}

impl Load {
    /// Sends so many requests with this field to `server`, each of which must be answered with 200.
    /// How many were answered in a second.
    pub(super) fn run(&self, server: SocketAddr, field: &str, count: usize) -> anyhow::Result<f64> {
        ensure!(
            Path::new(PROGRAM).exists(),
            "{PROGRAM} is missing: Debian has it in nghttp2-client"
        );
        let mut command = Command::new(PROGRAM);
        command.args(["-t", "1", "-c", &CLIENTS.to_string(), "-n", &count.to_string()]);
        match self.http2 {
            true => command.args(["-m", &STREAMS.to_string()]),
            false => command.arg("--h1"),
        };
        let scheme = if self.tls { "https" } else { "http" };
        command.args(["-H", field]).arg(format!("{scheme}://{server}/{}", self.length));
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(said.contains(&format!("status codes: {count} 2xx")), "h2load: {said}");
        let rate =
            said.lines().find_map(|line| line.strip_prefix("finished in ")?.split(", ").nth(1));
        let rate = rate.and_then(|rate| rate.strip_suffix(" req/s")?.parse().ok());
        rate.with_context(|| format!("h2load: {said}"))
    }
}
