//! One target: from its address to the answer to the login.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use waypost_model::{Encryption, Protocol, Secret, Target};
use waypost_net::backend::{self, Endpoint, Entry};
use waypost_net::connect::{ConnectError, Connected, Reached, Request};
use waypost_net::stream::Stream;
use waypost_routing::{Decide, Routed};
use waypost_session::{Broken, Conversation, Generation, Grant, proxy_header};
use waypost_wire::login::{
    Accepted, Answer, BackAction, BackFailure, BackSettings, ClientIdentity, Credential,
    FrontAction, Rejection, SaslResponse,
};
use waypost_wire::{Back, Front};

use crate::entry;
use crate::session::Session;
use crate::verdict::TargetFailure;
use crate::withhold::Secrets;

/// For all addresses of one target together; each has the back-end table's own timeout.
const CONNECTING: Duration = Duration::from_secs(30);
/// What an ordinary login command needs beyond the credential itself.
const COMMAND: usize = 512;

/// One target, and how it came to be tried.
pub(crate) struct Aim<'a, P: Decide> {
    pub(crate) generation: &'a Generation<P>,
    pub(crate) routed: &'a Routed<P::Targets>,
    pub(crate) target: &'a Target,
    /// With what it is entered.
    pub(crate) entry: &'a Entry,
    /// The name to log in with, where it is not the client's own.
    pub(crate) identity: Option<&'a str>,
    /// Whether the front has verified who the client is.
    pub(crate) verified: bool,
    /// The client's password, where it has shown no more than a digest and the directory has it.
    pub(crate) clear: Option<&'a Secret>,
    /// Every target is known to be down: try it all the same.
    pub(crate) last_resort: bool,
}

/// A back end that waits for the credential.
struct Ready {
    back: Conversation<Back>,
    address: SocketAddr,
    reply_timeout: Duration,
}

/// What came of trying one target.
pub(crate) enum Tried {
    Accepted(Box<(Conversation<Back>, Accepted, SocketAddr)>),
    /// It says no. `challenged`: the client has seen a challenge of it.
    Rejected {
        rejection: Rejection,
        challenged: bool,
    },
    /// It failed. Once it has been `exposed` to a credential nothing else is tried.
    Failed {
        failure: TargetFailure,
        exposed: bool,
        challenged: bool,
    },
    /// The client ended the exchange.
    Cancelled,
    ClientLeft(Broken),
}

impl Tried {
    fn unexposed(failure: TargetFailure) -> Self {
        Self::Failed { failure, exposed: false, challenged: false }
    }

    /// Whether nothing was tried, since the target is known to be down.
    pub(crate) fn was_skipped(&self) -> bool {
        let Self::Failed { failure: TargetFailure::Connect(error), .. } = self else {
            return false;
        };
        matches!(error, ConnectError::AllDown)
    }

    /// Leaves nothing of a no's words that shows what the back end was told.
    fn withhold(&mut self, secrets: impl FnOnce() -> Secrets) {
        let words = match self {
            Self::Rejected { rejection, .. } => Some(&mut rejection.text),
            Self::Failed { failure: TargetFailure::Dialogue(failure), .. } => failure.words(),
            Self::Accepted(_) | Self::Failed { .. } | Self::Cancelled | Self::ClientLeft(_) => None,
        };
        if let Some(words) = words {
            secrets().withhold(words);
        }
    }
}

impl<P: Decide> Session<P>
where
    P::Targets: Grant,
{
    /// Takes the login to one target.
    pub(crate) async fn try_target(
        &self,
        aim: &Aim<'_, P>,
        client: &mut Conversation<Front>,
        credential: &Credential,
    ) -> Tried {
        // Before anything is opened: a back end that cannot be entered need not hear of it.
        let key = match entry::key(aim.entry, credential, aim.identity, aim.verified, aim.clear) {
            Ok(key) => key,
            Err(error) => return Tried::unexposed(error.into()),
        };
        let ready = self.approach(aim, client).await;
        let Ready { mut back, address, reply_timeout } = match ready {
            Ok(ready) => ready,
            Err(failure) => return Tried::unexposed(failure),
        };
        back.make_room(COMMAND + 2 * credential_size(&key.credential));
        let out = &mut back.out;
        if let Err(failure) = back.dialogue.login(&key.credential, key.identity, out) {
            return Tried::unexposed(failure.into());
        }
        let mut tried = exchange(back, address, reply_timeout, client).await;
        tried.withhold(|| Secrets::of([credential, &key.credential]));
        match tried {
            // The client has nothing to do with it: it is the operator's password that is wrong.
            Tried::Rejected { rejection, challenged }
                if *aim.entry != Entry::Client && is_plain_no(&rejection) =>
            {
                let failure = TargetFailure::EntryRefused(rejection.text);
                Tried::Failed { failure, exposed: true, challenged }
            }
            tried => tried,
        }
    }

    /// Everything before the credential: the last moment to turn to another target.
    async fn approach(
        &self,
        aim: &Aim<'_, P>,
        client: &Conversation<Front>,
    ) -> Result<Ready, TargetFailure> {
        let header = proxy_header(self.client, self.local, &self.id.to_string(), &client.stream);
        let request = Request {
            target: aim.target,
            protocol: self.entrance.kind.protocol,
            table: &aim.generation.backends,
            client: &header,
            allowed: &|host, address| aim.routed.targets.allows_resolved(host, &address),
            deadline: Instant::now() + CONNECTING,
            last_resort: aim.last_resort,
        };
        let connected = self.process().connector.connect(&request).await?;
        let Connected { stream, address, endpoint, reached } = connected;
        let mut reached = Some(reached);
        let settings = self.back_settings(&endpoint, &client.dialogue);
        let result = prepare(stream, &endpoint, settings, &mut reached).await;
        // A server that hangs is connected to by its kernel: only a word from it counts.
        if let (Some(reached), Err(failure)) = (reached, &result)
            && failure.is_silence()
        {
            reached.silent();
        }
        Ok(Ready { back: result?, address, reply_timeout: endpoint.settings.reply_timeout })
    }

    /// Whether the back end is told of the client by the protocol's own command.
    ///
    /// One for submission that offers XCLIENT to Waypost is told whatever is configured: Postfix takes
    /// it behind the login too, so that a client could use what is left there to take another
    /// address and another user's name. Behind a PROXY header it is offered to the client's own
    /// address, and not left to anybody.
    fn tells(&self, endpoint: &Endpoint) -> bool {
        match endpoint.settings.client_identity {
            backend::ClientIdentity::Command => true,
            backend::ClientIdentity::None => self.entrance.kind.protocol == Protocol::Submission,
            backend::ClientIdentity::ProxyV1 | backend::ClientIdentity::ProxyV2 => false,
        }
    }

    fn back_settings(&self, endpoint: &Endpoint, front: &Front) -> BackSettings {
        let (said, ttl) = (front.ttl().is_said(), front.ttl().next().unwrap_or_default());
        let client = self.tells(endpoint).then(|| ClientIdentity {
            client: self.client,
            local: self.local,
            session: Arc::from(self.id.to_string()),
            ttl,
        });
        BackSettings {
            encryption: endpoint.encryption,
            client,
            // What a proxy in front has begun to count is counted on.
            ttl: said.then_some(ttl),
            hostname: self.entrance.front.hostname.clone(),
            hello: front.hello().cloned(),
        }
    }
}

/// Whether a back end says no more than that the login failed.
fn is_plain_no(rejection: &Rejection) -> bool {
    rejection.clone().into_answer() == Answer::Rejected
}

/// From an open connection to where the credential is due.
pub(crate) async fn prepare(
    tcp: TcpStream,
    endpoint: &Endpoint,
    settings: BackSettings,
    reached: &mut Option<Reached>,
) -> Result<Conversation<Back>, TargetFailure> {
    let stream = match endpoint.encryption {
        Encryption::Implicit => start_tls(endpoint, tcp).await?,
        Encryption::Starttls | Encryption::None => Stream::from(tcp),
    };
    let dialogue = Back::new(endpoint.settings.protocol, settings)
        .ok_or(TargetFailure::NoDialogue(endpoint.settings.protocol))?;
    let mut back = Conversation::new(stream, dialogue);
    let greeted = timeout(endpoint.settings.reply_timeout, back.hear()).await;
    greeted.map_err(|_| TargetFailure::Timeout)??;
    reached.take().into_iter().for_each(Reached::greeted);
    loop {
        let action = timeout(endpoint.settings.reply_timeout, back.next()).await;
        let action = action.map_err(|_| TargetFailure::Timeout)??;
        match action {
            BackAction::Ready => return Ok(back),
            BackAction::StartTls => {
                if back.has_unread() {
                    return Err(BackFailure::PlaintextAfterStarttls.into());
                }
                let Conversation { stream, dialogue, .. } = back;
                let tcp = stream.into_tcp().ok_or(BackFailure::EarlyReply)?;
                back = Conversation::new(start_tls(endpoint, tcp).await?, dialogue);
                back.dialogue.tls_started();
            }
            BackAction::Failed(failure) => return Err(failure.into()),
            // Nothing was asked that these could answer.
            BackAction::Read
            | BackAction::Challenge(_)
            | BackAction::Accepted(_)
            | BackAction::Rejected(_) => return Err(BackFailure::EarlyReply.into()),
        }
    }
}

/// From the first credential octet to the back end's answer; token mechanisms are relayed message
/// by message.
async fn exchange(
    mut back: Conversation<Back>,
    address: SocketAddr,
    reply_timeout: Duration,
    client: &mut Conversation<Front>,
) -> Tried {
    let mut challenged = false;
    loop {
        let failed = |failure| Tried::Failed { failure, exposed: true, challenged };
        let action = match timeout(reply_timeout, back.next()).await {
            Err(_) => return failed(TargetFailure::Timeout),
            Ok(Err(broken)) => return failed(broken.into()),
            Ok(Ok(action)) => action,
        };
        let challenge = match action {
            BackAction::Accepted(accepted) => {
                return Tried::Accepted(Box::new((back, accepted, address)));
            }
            BackAction::Rejected(rejection) => return Tried::Rejected { rejection, challenged },
            BackAction::Failed(failure) => return failed(failure.into()),
            BackAction::Challenge(challenge) => challenge,
            BackAction::Read | BackAction::StartTls | BackAction::Ready => {
                return failed(BackFailure::EarlyReply.into());
            }
        };
        challenged = true;
        client.dialogue.challenge(&challenge, &mut client.out);
        match client.next().await {
            Ok(FrontAction::Response(response)) => {
                let size = match &response {
                    SaslResponse::Data(data) => data.len(),
                    SaslResponse::Cancel => 0,
                };
                back.make_room(COMMAND + 2 * size);
                back.dialogue.respond(&response, &mut back.out);
                if response == SaslResponse::Cancel {
                    // What the back end makes of it matters to nobody any more.
                    let _ = timeout(reply_timeout, back.flush()).await;
                    return Tried::Cancelled;
                }
            }
            Ok(_) => return Tried::Cancelled,
            Err(broken) => return Tried::ClientLeft(broken),
        }
    }
}

async fn start_tls(endpoint: &Endpoint, tcp: TcpStream) -> Result<Stream, TargetFailure> {
    let connector = endpoint.tls.as_ref().ok_or(BackFailure::StarttlsNotOffered)?;
    let deadline = Instant::now() + endpoint.settings.reply_timeout;
    let tls = connector.connect(tcp, &endpoint.tls_name, deadline).await?;
    Ok(Stream::from(tls))
}

fn credential_size(credential: &Credential) -> usize {
    match credential {
        Credential::Password { authentication_id, authorisation_id, password, .. } => {
            authentication_id.len()
                + authorisation_id.as_ref().map_or(0, String::len)
                + password.len()
        }
        Credential::Token { initial_response, .. } => initial_response.len(),
        Credential::Digest { .. } | Credential::Certificate { .. } => 0,
    }
}
