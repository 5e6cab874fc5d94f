use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use waypost_model::{Host, Protocol, Target};
use waypost_net::backend::BackendTable;
use waypost_net::connect::{Connected, Connector, Request};
use waypost_wire::login::BackSettings;
use waypost_wire::proxy::Header;

use crate::target::prepare;

/// For all addresses of the target together.
const CONNECTING: Duration = Duration::from_secs(15);

/// Why a back end would take no login.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ProbeError(String);

/// Goes as far with a back end as a login does before its credential: connects, encrypts, verifies
/// the certificate, reads the greeting. For `waypost check`. Returns the address that answered.
///
/// # Errors
/// The first thing that a login would stumble over.
pub async fn probe(
    connector: &Connector,
    table: &BackendTable,
    host: &Host,
    protocol: Protocol,
) -> Result<SocketAddr, ProbeError> {
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
    let settings = BackSettings { encryption: endpoint.encryption, client: None };
    prepare(stream, &endpoint, settings, &mut Some(reached))
        .await
        .map_err(|failure| ProbeError(failure.to_string()))?;
    Ok(address)
}
