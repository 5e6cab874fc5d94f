//! A session from its first octet to its last.

mod commands;
mod ended;
mod message;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use waypost_net::session::SessionRecord;
use waypost_net::stream::Stream;
use waypost_routing::Decide;
use waypost_session::Grant;

pub(crate) use self::commands::Counts;
use self::commands::Mailing;
pub(crate) use self::ended::Ended;
use crate::client::{Client, Wish};
use crate::serve::last_words;
use crate::{Entrance, Service, journal};

/// For how long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// One client connection.
pub(crate) struct Session<P: Decide> {
    pub(crate) service: Arc<Service<P>>,
    pub(crate) entrance: Arc<Entrance>,
    /// Its name in the log.
    pub(crate) id: String,
    pub(crate) record: SessionRecord,
    pub(crate) client: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) began: Instant,
}

/// What the session comes to, as far as it can go without changing the stream.
enum Step {
    /// The client is about to start TLS.
    StartTls,
    /// The session is over.
    Over(Ended),
}

impl<P: Decide> Session<P>
where
    P::Targets: Grant,
{
    pub(crate) async fn run(self, stream: Stream) {
        let mut mailing = Mailing::default();
        let ended = self.talk(stream, &mut mailing).await;
        mailing.pool.quit().await;
        self.service.metrics.session_ended(self.entrance.kind.protocol, ended.kind());
        journal::session(&self, &mailing.counts, &ended);
    }

    async fn talk(&self, mut stream: Stream, mailing: &mut Mailing<P>) -> Ended {
        if self.entrance.is_implicit_tls() {
            stream = match self.accept_tls(stream).await {
                Ok(stream) => stream,
                Err(ended) => return ended,
            };
        }
        let mut client = Client::new(stream, self.entrance.new_front());
        client.greet();
        loop {
            let ended = match self.step(&mut client, mailing).await {
                Step::Over(ended) => ended,
                Step::StartTls => {
                    let deadline = Instant::now() + HANDSHAKE;
                    let upgrading = client.accept_tls(self.entrance.acceptor.as_ref(), deadline);
                    client = match Box::pin(upgrading).await {
                        Ok(upgraded) => upgraded,
                        Err(error) => return error.into(),
                    };
                    self.forget(mailing).await;
                    continue;
                }
            };
            if let Some(bye) = ended.goodbye() {
                client.bye(bye);
            }
            last_words(&mut client).await;
            return ended;
        }
    }

    /// TLS from the first octet.
    async fn accept_tls(&self, stream: Stream) -> Result<Stream, Ended> {
        let (Some(acceptor), Some(tcp)) = (&self.entrance.acceptor, stream.into_tcp()) else {
            return Err(Ended::NoTls);
        };
        let deadline = Instant::now() + HANDSHAKE;
        acceptor.accept(tcp, deadline).await.map(Stream::from).map_err(Ended::ClientTls)
    }

    /// Talks with the client until it leaves, must leave, or wants TLS.
    async fn step(&self, client: &mut Client, mailing: &mut Mailing<P>) -> Step {
        loop {
            let done = match self.wish(client).await {
                Err(ended) => Err(ended),
                Ok(Wish::StartTls) => return Step::StartTls,
                Ok(Wish::Close(reason)) => Err(Ended::Front(reason)),
                Ok(Wish::Reset) => {
                    self.reset(mailing).await;
                    Ok(())
                }
                Ok(Wish::Mail(mail)) => self.mail(client, mailing, mail).await,
                Ok(Wish::Recipient(recipient)) => {
                    let reply = Box::pin(self.recipient(client, mailing, recipient)).await;
                    client.reply(&reply);
                    Ok(())
                }
                Ok(Wish::Data | Wish::Chunk) => Box::pin(self.message(client, mailing)).await,
            };
            if let Err(ended) = done {
                return Step::Over(ended);
            }
        }
    }

    /// What the client wants next, unless it takes too long to say it or somebody ends the session.
    async fn wish(&self, client: &mut Client) -> Result<Wish, Ended> {
        self.record.touch();
        let patience = self.service.settings.command_timeout;
        tokio::select! {
            biased;
            wish = timeout(patience, client.next()) => match wish {
                Ok(Ok(wish)) => Ok(wish),
                Ok(Err(error)) => Err(Ended::Gone(error)),
                Err(_) => Err(Ended::Timeout),
            },
            reason = self.record.ended() => Err(Ended::FromOutside(reason)),
        }
    }
}
