use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use thiserror::Error;
use tokio::time::{Instant, timeout};
use waypost_model::{Host, Protocol, Target};
use waypost_net::backend::BackendTable;
use waypost_net::connect::{Connected, Connector, Request};
use waypost_session::Conversation;
use waypost_wire::Back;
use waypost_wire::login::{BackSettings, FrontSettings};
use waypost_wire::proxy::Header;
use waypost_wire::smtp::Capabilities;
use waypost_wire::smtp::submission::ALWAYS_OFFERED;

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
    offer: Offer,
}

/// What a back end offers, in protocols whose fronts promise something before it is known which back
/// end will answer.
#[derive(Clone, Debug)]
enum Offer {
    /// The lines of its CAPA (RFC 2449 section 5).
    Pop3(Vec<String>),
    /// Its answer to EHLO.
    Submission(Capabilities),
    /// Clients learn it from the back end itself.
    Unpromised,
}

impl Probed {
    /// What a front with these settings promises and the back end does not offer.
    pub fn missing<'a>(&self, front: &'a FrontSettings) -> Vec<&'a str> {
        match &self.offer {
            Offer::Pop3(lines) => {
                let promised = front.pop3_capabilities.iter().map(String::as_str);
                promised.filter(|it| !lines.iter().any(|o| o.eq_ignore_ascii_case(it))).collect()
            }
            Offer::Submission(capabilities) => {
                let configured = front.submission_extensions.iter().map(String::as_str);
                let promised = ALWAYS_OFFERED.into_iter().chain(configured);
                promised.filter(|extension| !capabilities.cover(extension)).collect()
            }
            Offer::Unpromised => Vec::new(),
        }
    }
}

/// Goes as far with a back end as a login does before its credential: connects, encrypts, verifies
/// the certificate, reads the greeting. `hostname` is our own name, for protocols that want one. For
/// `waypost check`.
///
/// # Errors
/// The first thing that a login would stumble over.
pub async fn probe(
    connector: &Connector,
    table: &BackendTable,
    host: &Host,
    protocol: Protocol,
    hostname: &Arc<str>,
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
    let settings = BackSettings {
        encryption: endpoint.encryption,
        hostname: hostname.clone(),
        ..BackSettings::default()
    };
    let back = prepare(stream, &endpoint, settings, &mut Some(reached))
        .await
        .map_err(|failure| ProbeError(failure.to_string()))?;
    let offer = match &back.dialogue {
        Back::Pop3(_) => Offer::Pop3(capa(back).await?),
        Back::Submission(submission) => Offer::Submission(submission.capabilities().clone()),
        Back::Imap(_) => Offer::Unpromised,
    };
    Ok(Probed { address, offer })
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
