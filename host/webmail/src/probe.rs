use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::header::{HOST, HeaderValue};
use http::{Method, Request, StatusCode};
use thiserror::Error;
use tokio::time::{Instant, timeout};
use waypost_model::{Host, Protocol, Target};
use waypost_net::backend::BackendTable;
use waypost_net::connect::{self, Connector};
use waypost_wire::proxy::Header;

use crate::back::connect_and_greet;
use crate::body::ClientBody;

/// For all addresses of the target together, and for the answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why a back end would answer no request.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ProbeError(String);

/// Goes as far with a back end as a request does: connects, encrypts, verifies the certificate, and
/// asks for `/`. For `waypost check`.
///
/// # Returns
/// The address that answered, and how.
///
/// # Errors
/// The first thing that a request would stumble over.
pub async fn probe(
    connector: &Connector,
    table: &BackendTable,
    host: &Host,
) -> Result<(SocketAddr, StatusCode), ProbeError> {
    let wrong = |error: &dyn std::fmt::Display| ProbeError(error.to_string());
    let target = Target { host: host.clone(), port: None, encryption: None, tls_name: None };
    let request = connect::Request {
        target: &target,
        protocol: Protocol::Webmail,
        table,
        client: &Header { local: true, ..Header::default() },
        allowed: &|_: &Host, _: IpAddr| true,
        deadline: Instant::now() + PATIENCE,
        last_resort: true,
    };
    let mut connection =
        connect_and_greet(connector, &request, PATIENCE).await.map_err(|e| wrong(&e))?;
    let mut request = Request::new(ClientBody::Empty);
    *request.method_mut() = Method::GET;
    let name = HeaderValue::from_str(&host.to_string()).map_err(|e| wrong(&e))?;
    request.headers_mut().insert(HOST, name);
    let answer = timeout(PATIENCE, connection.sender.send_request(request)).await;
    let answer = answer.map_err(|_| ProbeError("it does not answer".to_owned()))?;
    let answer = answer.map_err(|e| wrong(&e))?;
    Ok((connection.address, answer.status()))
}
