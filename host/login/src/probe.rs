use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use std::{fmt, io};

use thiserror::Error;
use tokio::time::{Instant, timeout};
use waypost_model::{Host, Protocol, Target};
use waypost_net::backend::BackendTable;
use waypost_net::connect::{Connected, Connector, Request};
use waypost_session::Conversation;
use waypost_wire::Back;
use waypost_wire::login::BackSettings;
use waypost_wire::proxy::Header;

use crate::target::prepare;

/// For all addresses of the target together.
const CONNECTING: Duration = Duration::from_secs(15);
/// More than any list of capabilities.
const MAX_CAPA: usize = 16 * 1024;

/// Why a back end would take no login.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ProbeError(String);

/// A back end that would take a login.
#[derive(Clone, Debug)]
pub struct Probed {
    /// The address that answered.
    pub address: SocketAddr,
    /// POP3: the lines of its CAPA (RFC 2449 section 5), which must hold what the front promises.
    pub capabilities: Vec<String>,
}

/// Goes as far with a back end as a login does before its credential: connects, encrypts, verifies
/// the certificate, reads the greeting. For `waypost check`.
///
/// # Errors
/// The first thing that a login would stumble over.
pub async fn probe(
    connector: &Connector,
    table: &BackendTable,
    host: &Host,
    protocol: Protocol,
) -> Result<Probed, ProbeError> {
    let target = Target { host: host.clone(), port: None, encryption: None, tls_name: None };
    let request = Request {
        target: &target,
        protocol,
        table,
        client: &Header { local: true, ..Header::default() },
        allowed: &|_: &Host, _: IpAddr| true,
        deadline: Instant::now() + CONNECTING,
        last_resort: true,
    };
    let connected = connector.connect(&request).await.map_err(|e| ProbeError(e.to_string()))?;
    let Connected { stream, address, endpoint, reached } = connected;
    let settings = BackSettings { encryption: endpoint.encryption, ..BackSettings::default() };
    let back = prepare(stream, &endpoint, settings, &mut Some(reached))
        .await
        .map_err(|failure| ProbeError(failure.to_string()))?;
    let capabilities = match protocol {
        Protocol::Pop3 => capa(back).await?,
        _ => Vec::new(),
    };
    Ok(Probed { address, capabilities })
}

/// Asks a POP3 server for its capabilities.
async fn capa(back: Conversation<Back>) -> Result<Vec<String>, ProbeError> {
    let broken = |error: &dyn fmt::Display| ProbeError(format!("CAPA: {error}"));
    let (mut stream, _) = back.into_parts();
    let asking = async {
        stream.write_all(b"CAPA\r\n").await?;
        let mut reply = Vec::new();
        let mut buffer = [0; 1024];
        while !reply.ends_with(b"\r\n.\r\n") && reply.len() < MAX_CAPA {
            match stream.read(&mut buffer).await? {
                0 => break,
                count => reply.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
        }
        io::Result::Ok(reply)
    };
    let reply = timeout(CONNECTING, asking).await.map_err(|error| broken(&error))?;
    let reply = reply.map_err(|error| broken(&error))?;
    let reply = String::from_utf8_lossy(&reply).into_owned();
    let Some(lines) = reply.strip_prefix("+OK") else {
        return Err(ProbeError("it does not know CAPA".to_owned()));
    };
    Ok(lines.lines().skip(1).filter(|line| *line != ".").map(str::to_owned).collect())
}
