//! A session from its first octet to the relay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use waypost_net::listener::{Accepted, Connection, Refused, RefusedConnection, Slots};
use waypost_net::relay::{Leg, relay};
use waypost_net::session::SessionRecord;
use waypost_net::stream::Stream;
use waypost_net::wipe_buffers;
use waypost_routing::Decide;
use waypost_session::{Broken, Conversation, Grant, Process, SessionId};
use waypost_wire::Front;
use waypost_wire::login::{Answer, Bye, Credential, FrontAction};

use crate::attempt::Tally;
use crate::driver::{Driver, Entrance};
use crate::journal::{self, Journal};
use crate::verdict::{Ended, Entered, Reason, Verdict};
use crate::withhold::Secrets;

/// What somebody is told who has as many sessions as they may.
const USER_LIMIT: &str = "too many sessions of this user";
/// For how long the last words to a client may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What a session is before its hand-over.
pub(crate) struct Session<P: Decide> {
    pub(crate) driver: Arc<Driver<P>>,
    pub(crate) entrance: Arc<Entrance>,
    pub(crate) id: SessionId,
    pub(crate) record: SessionRecord,
    pub(crate) client: SocketAddr,
    pub(crate) local: SocketAddr,
    /// Whether the client is counted: whether it is in none of the listener's `exempt-networks`.
    pub(crate) counted: bool,
    pub(crate) began: Instant,
}

/// What the part before the relay comes to, as far as it can go without changing the stream.
enum Step {
    /// The client is about to start TLS.
    StartTls,
    /// The back end has let the client in.
    Entered(Box<Entered>),
    /// The session is over.
    Over(Ended),
}

/// Serves one connection from its first octet until its relay is under way, or until it ends
/// before that. To be spawned; the relay is a task of its own, so that the memory of the login is
/// not held by an idle session.
pub async fn serve<P: Decide>(driver: Arc<Driver<P>>, entrance: Arc<Entrance>, accepted: Accepted)
where
    P::Targets: Grant,
{
    let connection = match accepted.admit().await {
        Ok(connection) => connection,
        Err(refused) => return turn_away(&entrance, refused).await,
    };
    let record = driver.process.sessions.open(&entrance.kind, connection.client);
    let session = Session {
        id: driver.process.session_ids.of(&record),
        record,
        client: connection.client,
        local: connection.local,
        counted: connection.is_counted(),
        began: Instant::now(),
        driver,
        entrance,
    };
    session.run(connection).await;
}

/// Says why in the protocol's own words, where the client has not begun to speak TLS.
async fn turn_away(entrance: &Entrance, refused: RefusedConnection) {
    let (Refused::Limit(_), Some(stream)) = (refused.reason, refused.stream) else { return };
    if entrance.is_implicit_tls() {
        return;
    }
    let Some(front) = entrance.new_front() else { return };
    let mut client = Conversation::new(Stream::from(stream), front);
    client.dialogue.bye(Bye::Limit("too many connections"), &mut client.out);
    last_words(&mut client).await;
}

async fn last_words(client: &mut Conversation<Front>) {
    let _ = timeout(LAST_WORDS, async {
        client.flush().await?;
        client.stream.shutdown().await
    })
    .await;
}

impl<P: Decide> Session<P> {
    /// What this session shares with all others.
    pub(crate) fn process(&self) -> &Process<P> {
        &self.driver.process
    }
}

impl<P: Decide> Session<P>
where
    P::Targets: Grant,
{
    async fn run(self, connection: Connection) {
        let deadline = self.began + self.driver.settings.timeout;
        let (stream, slots) = connection.split();
        let mut stream = Stream::from(stream);
        if self.entrance.is_implicit_tls() {
            let accepting = self.accept_tls(stream, deadline);
            stream = match self.unless_ended(deadline, accepting).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(ended)) | Err(ended) => return self.over(&ended),
            };
        }
        let Some(front) = self.entrance.new_front() else { return self.over(&Ended::NoDialogue) };
        let mut client = Conversation::new(stream, front);
        client.dialogue.seed(rand::random());
        self.read_certificate(&mut client);
        client.dialogue.greet(&mut client.out);
        loop {
            match self.unless_ended(deadline, self.step(&mut client)).await {
                Ok(Step::StartTls) => {
                    let upgrading = self.upgrade(client, deadline);
                    client = match self.unless_ended(deadline, upgrading).await {
                        Ok(Ok(upgraded)) => upgraded,
                        Ok(Err(ended)) | Err(ended) => return self.over(&ended),
                    };
                }
                Ok(Step::Entered(entered)) => return self.hand_over(client, *entered, slots).await,
                Ok(Step::Over(ended)) => {
                    last_words(&mut client).await;
                    return self.over(&ended);
                }
                Err(ended) => {
                    client.dialogue.bye(ended.goodbye(), &mut client.out);
                    last_words(&mut client).await;
                    return self.over(&ended);
                }
            }
        }
    }

    /// Lets something run until the client has had its time, or somebody ends the session.
    async fn unless_ended<T>(
        &self,
        deadline: Instant,
        running: impl Future<Output = T>,
    ) -> Result<T, Ended> {
        tokio::select! {
            biased;
            done = running => Ok(done),
            reason = self.record.ended() => Err(Ended::FromOutside(reason)),
            () = sleep_until(deadline) => Err(Ended::LoginTimeout),
        }
    }

    /// Talks with the client until it is let in, leaves, or wants TLS.
    async fn step(&self, client: &mut Conversation<Front>) -> Step {
        loop {
            let action = match client.next().await {
                Ok(action) => action,
                Err(broken) => return Step::Over(broken.into()),
            };
            match action {
                FrontAction::StartTls => return Step::StartTls,
                FrontAction::Close(reason) => return Step::Over(Ended::Front(reason)),
                FrontAction::Login(credential) => {
                    if let Some(step) = self.answer_login(client, &credential).await {
                        return step;
                    }
                }
                // Both only within an exchange, which `answer_login` sees to the end.
                FrontAction::Response(_) | FrontAction::Read => {
                    client.dialogue.answer(&Answer::Rejected, &mut client.out);
                }
            }
        }
    }

    /// `None`: the client has its answer, and the session goes on.
    async fn answer_login(
        &self,
        client: &mut Conversation<Front>,
        credential: &Credential,
    ) -> Option<Step> {
        let began = Instant::now();
        let (verdict, tally) = self.log_in(client, credential).await;
        match verdict {
            Verdict::Accepted(entered) => {
                self.driver.metrics.accepted(self.entrance.kind.protocol, began.elapsed());
                Some(Step::Entered(entered))
            }
            Verdict::No(reason) => {
                self.note_refusal(credential, &reason, &tally);
                client.dialogue.answer(&reason.answer(), &mut client.out);
                None
            }
            Verdict::ClientLeft(broken) => Some(Step::Over(broken.into())),
        }
    }

    fn note_refusal(&self, credential: &Credential, reason: &Reason, tally: &Tally) {
        self.driver.metrics.login(self.entrance.kind.protocol, reason.kind());
        let name = self.read_name(credential).ok();
        // By its normalised address, as everywhere; what cannot be one, as it was typed.
        let user = match &name {
            Some((name, _)) => name.lookup.address.as_str(),
            None => credential.name(),
        };
        let users = &self.process().users;
        // Policies, directories and back ends like to quote the user's name, and more.
        let detail = users.are_clear().then(|| {
            let mut detail = reason.to_string();
            Secrets::of([credential]).withhold(&mut detail);
            detail
        });
        let is_temporary = reason.answer() == Answer::Unavailable;
        let what = if is_temporary { "login put off" } else { "login refused" };
        let passed_on = tally.name.as_deref().filter(|name| *name != user);
        macro_rules! write_line {
            ($write:ident) => {
                tracing::$write!(
                    target: "waypost::login",
                    session = %self.id,
                    listener = &*self.entrance.kind.listener,
                    client = %self.client,
                    user = %users.label(user),
                    passed_on_as = passed_on.map(|name| tracing::field::display(users.label(name))),
                    outcome = reason.kind(),
                    tries = tally.tries,
                    detail,
                    "{what}"
                )
            };
        }
        // A client that comes again every few seconds brings no news.
        let is_due = || self.process().warned.is_due((user, reason.kind()));
        if reason.is_for_the_operator() && is_due() {
            write_line!(warn);
        } else {
            write_line!(info);
        }
    }

    /// TLS from the first octet.
    async fn accept_tls(&self, stream: Stream, deadline: Instant) -> Result<Stream, Ended> {
        let (Some(acceptor), Some(tcp)) = (&self.entrance.acceptor, stream.into_tcp()) else {
            return Err(Ended::NoTls);
        };
        acceptor.accept(tcp, deadline).await.map(Stream::from).map_err(Ended::ClientTls)
    }

    /// STARTTLS or STLS.
    async fn upgrade(
        &self,
        client: Conversation<Front>,
        deadline: Instant,
    ) -> Result<Conversation<Front>, Ended> {
        let mut client = client.accept_tls(self.entrance.acceptor.as_ref(), deadline).await?;
        client.dialogue.tls_started();
        self.read_certificate(&mut client);
        Ok(client)
    }

    /// Notes who the client is by its certificate, if it has shown one and the listener asks. One that
    /// names nobody, or several, does not keep anybody from logging in with a password.
    fn read_certificate(&self, client: &mut Conversation<Front>) {
        let (Some(acceptor), Some(tls)) = (&self.entrance.acceptor, client.stream.tls()) else {
            return;
        };
        match acceptor.certificate_name(tls) {
            Some(Ok(name)) => client.dialogue.set_certificate_name(name),
            Some(Err(error)) => tracing::warn!(
                target: "waypost::login",
                session = %self.id,
                listener = &*self.entrance.kind.listener,
                client = %self.client,
                detail = self.process().users.are_clear().then(|| error.to_string()),
                reason = error.kind(),
                "the client's certificate is not taken for a login"
            ),
            None => {}
        }
    }

    /// The client is told, what either side has said beyond the login goes first, and the relay
    /// begins in a task of its own.
    async fn hand_over(self, mut client: Conversation<Front>, entered: Entered, mut slots: Slots) {
        if let Err(reached) = slots.take_user(&entered.user) {
            client.dialogue.bye(Bye::Limit(USER_LIMIT), &mut client.out);
            last_words(&mut client).await;
            return self.over(&Ended::UserLimit(
                reached,
                self.process().users.label(&entered.user).to_string(),
            ));
        }
        let Entered { back, accepted, way, arrival, user, address } = entered;
        client.dialogue.accept(&accepted, &mut client.out);
        let (back_stream, said_by_back) = back.into_parts();
        // One write for what belongs together.
        client.out.extend_from_slice(&said_by_back);
        match timeout(LAST_WORDS, client.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return self.over(&Broken::from(error).into()),
            Err(_) => return self.over(&Ended::LoginTimeout),
        }
        let tls = client.stream.tls().map(|tls| tls.version());
        let (client_stream, said_by_client) = client.into_parts();
        let client_leg = Leg { stream: client_stream, pending: said_by_client.to_vec() };
        let back_leg = Leg { stream: back_stream, pending: Vec::new() };
        self.record.set_route(&user, &way.target);
        if client_leg.stream.is_encrypted() || back_leg.stream.is_encrypted() {
            wipe_buffers();
        }
        let journal = Box::new(Journal::new(&self, way, &arrival, &user, address, tls));
        // Made outside of its task: a future that is moved in and awaited takes its space twice.
        let mut relay = relay(client_leg, back_leg, self.record);
        tokio::spawn(async move {
            let end = (&mut relay).await;
            journal.close(&end);
            drop(slots);
        });
    }

    fn over(&self, ended: &Ended) {
        wipe_buffers();
        journal::before_login(self, ended);
    }
}
