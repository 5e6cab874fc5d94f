use std::net::{IpAddr, SocketAddr};

use thiserror::Error;
use waypost_model::{Host, Protocol, Target};
use waypost_net::backend::BackendTable;
use waypost_net::connect::Connector;
use waypost_wire::proxy::Header;

use crate::Settings;
use crate::backend::{Caller, Opener};

/// Why a back end would take no mail.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ProbeError(String);

/// Goes as far with a back end as mail does before MAIL: connects, encrypts, verifies the
/// certificate, reads greeting and extensions. For `waypost check`. Answers with the address that
/// is ready.
///
/// # Errors
/// The first thing that mail would stumble over.
pub async fn probe(
    connector: &Connector,
    table: &BackendTable,
    host: &Host,
    protocol: Protocol,
    settings: &Settings,
) -> Result<SocketAddr, ProbeError> {
    let target = Target { host: host.clone(), port: None, encryption: None, tls_name: None };
    let header = Header { local: true, ..Header::default() };
    let caller = Caller { protocol, header, identity: None };
    let opener = Opener { connector, table, settings, caller: &caller };
    let opened = opener.open(&target, &|_: &Host, _: IpAddr| true, true).await;
    let connection = opened.map_err(|failure| ProbeError(failure.to_string()))?;
    let address = connection.address;
    connection.quit().await;
    Ok(address)
}
