use std::net::IpAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use waypost_model::{Encryption, Host, Protocol, Target};
use waypost_net::backend::{self, BackendTable, Endpoint};
use waypost_net::connect::{Connected, Connector, Reached, Request};
use waypost_net::stream::Stream;
use waypost_wire::login::Advance;
use waypost_wire::proxy::Header;
use waypost_wire::smtp::{Back, BackAction, BackFailure, BackSettings, ClientIdentity};

use super::{Broken, Connection, TargetFailure};
use crate::Settings;
use crate::link::Link;

/// For all addresses of one target together; each has the back-end table's own timeout.
const CONNECTING: Duration = Duration::from_secs(30);

/// In whose name connections are opened.
pub(crate) struct Caller {
    /// What the client speaks: which settings of the back-end table count.
    pub(crate) protocol: Protocol,
    /// The client, for back ends that are told by a PROXY header.
    pub(crate) header: Header,
    /// The client, for back ends that are told by XCLIENT.
    pub(crate) identity: Option<ClientIdentity>,
}

/// Opens connections to back ends.
pub(crate) struct Opener<'a> {
    pub(crate) connector: &'a Connector,
    pub(crate) table: &'a BackendTable,
    pub(crate) settings: &'a Settings,
    pub(crate) caller: &'a Caller,
}

impl Opener<'_> {
    /// From a target to a back end that waits for MAIL. `allowed` says which of its addresses may be
    /// connected to; with `last_resort` it is tried though it is known to be down.
    pub(crate) async fn open(
        &self,
        target: &Target,
        allowed: &(dyn Fn(&Host, IpAddr) -> bool + Sync),
        last_resort: bool,
    ) -> Result<Connection, TargetFailure> {
        let request = Request {
            target,
            protocol: self.caller.protocol,
            table: self.table,
            client: &self.caller.header,
            allowed,
            deadline: Instant::now() + CONNECTING,
            last_resort,
        };
        let Connected { stream, address, endpoint, reached } =
            self.connector.connect(&request).await?;
        let mut reached = Some(reached);
        let result = self.prepare(stream, &endpoint, &mut reached).await;
        // A server that hangs is connected to by its kernel: only a word from it counts.
        if let (Some(reached), Err(failure)) = (reached, &result)
            && failure.is_silence()
        {
            reached.silent();
        }
        let (link, back) = result?;
        Ok(Connection::new(link, back, target.clone(), address, &endpoint.settings))
    }

    /// From an open connection to where MAIL is due.
    async fn prepare(
        &self,
        tcp: TcpStream,
        endpoint: &Endpoint,
        reached: &mut Option<Reached>,
    ) -> Result<(Link, Back), TargetFailure> {
        let patience = endpoint.settings.reply_timeout;
        let mut back = Back::new(self.back_settings(endpoint)?);
        let stream = match endpoint.encryption {
            Encryption::Implicit => start_tls(endpoint, tcp).await?,
            Encryption::Starttls | Encryption::None => Stream::from(tcp),
        };
        let mut link = Link::new(stream);
        loop {
            let (input, out) = link.parts();
            let Advance { consumed, action } = back.advance(input, out);
            link.consume(consumed);
            match action {
                BackAction::Ready => return Ok((link, back)),
                BackAction::Failed(failure) => return Err(Broken::from(failure).into()),
                BackAction::Read if consumed > 0 => {}
                BackAction::Read => {
                    let reading = async {
                        link.flush().await?;
                        link.fill().await
                    };
                    let read = timeout(patience, reading).await.map_err(|_| Broken::Timeout)?;
                    read.map_err(Broken::from)?;
                    reached.take().into_iter().for_each(Reached::greeted);
                }
                BackAction::StartTls => {
                    if !link.input().is_empty() {
                        return Err(Broken::from(BackFailure::PlaintextAfterStarttls).into());
                    }
                    let tcp = link.stream.into_tcp();
                    let tcp = tcp.ok_or(BackFailure::Unasked).map_err(Broken::from)?;
                    link = Link::new(start_tls(endpoint, tcp).await?);
                    back.tls_started();
                }
                // Nothing was asked.
                BackAction::Reply(..) => return Err(Broken::from(BackFailure::Unasked).into()),
            }
        }
    }

    fn back_settings(&self, endpoint: &Endpoint) -> Result<BackSettings, TargetFailure> {
        let lmtp = match endpoint.settings.protocol {
            Protocol::Lmtp => true,
            Protocol::Smtp => false,
            other => return Err(TargetFailure::NoDialogue(other)),
        };
        let tell = endpoint.settings.client_identity == backend::ClientIdentity::Command;
        Ok(BackSettings {
            encryption: endpoint.encryption,
            lmtp,
            name: self.settings.hostname.clone(),
            client: self.caller.identity.clone().filter(|_| tell),
        })
    }
}

async fn start_tls(endpoint: &Endpoint, tcp: TcpStream) -> Result<Stream, TargetFailure> {
    let connector =
        endpoint.tls.as_ref().ok_or(BackFailure::StarttlsNotOffered).map_err(Broken::from)?;
    let deadline = Instant::now() + endpoint.settings.reply_timeout;
    let tls = connector.connect(tcp, &endpoint.tls_name, deadline).await?;
    Ok(Stream::from(tls))
}
