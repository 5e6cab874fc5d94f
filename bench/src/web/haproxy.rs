//! haproxy with the same work: HTTP on both sides, kept connections with the back end, the client
//! named in the fields that back ends look for.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use crate::process::Process;

const PROGRAM: &str = "/usr/sbin/haproxy";

/// Starts it in front of `back_end`, in clear at `plain` and over TLS at `tls`, with as many threads
/// as Waypost has workers on two cores.
pub(super) fn start(
    folder: &Path,
    back_end: SocketAddr,
    [plain, tls]: [SocketAddr; 2],
    certificate: &str,
) -> anyhow::Result<Process> {
    ensure!(Path::new(PROGRAM).exists(), "{PROGRAM} is missing: Debian has it in haproxy");
    let configuration = format!(
        "global\n\
         \tnbthread 2\n\
         defaults\n\
         \tmode http\n\
         \toption forwardfor\n\
         \ttimeout client 75s\n\
         \ttimeout connect 10s\n\
         \ttimeout server 120s\n\
         frontend plain\n\
         \tbind {plain}\n\
         \thttp-request set-header X-Forwarded-Proto http\n\
         \tdefault_backend null\n\
         frontend tls\n\
         \tbind {tls} ssl crt {certificate} alpn h2,http/1.1\n\
         \thttp-request set-header X-Forwarded-Proto https\n\
         \tdefault_backend null\n\
         backend null\n\
         \tserver null {back_end}\n"
    );
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, configuration)?;
    Process::start_server(Command::new(PROGRAM).args(["-q", "-db", "-f"]).arg(file), plain)
}
