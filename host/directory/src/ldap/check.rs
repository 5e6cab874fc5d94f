//! Passwords checked by binding, and password attributes read, on connections of their own.
//!
//! These connections are few, carry one question at a time, and are kept for a short while: a bind
//! ends whatever was said before it on a connection, so none of them ever does anything else.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use waypost_model::Secret;

use super::connector::Connector;
use super::handshake::{self, ConnectError, INVALID_CREDENTIALS, SUCCESS, Session};
use super::message::{Outcome, describe};
use crate::SearchError;
use crate::attribute::AttributeName;

/// How long a connection is kept on which nothing is asked: less than servers and firewalls do.
const KEEP: Duration = Duration::from_secs(20);
/// How many are kept.
const KEPT: usize = 4;
/// The last id of a message that is given out before they start again: one octet holds it.
const LAST_ID: u8 = 0x7f;

/// What a directory makes of a bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindAnswer {
    /// The password is right.
    Right,
    /// It is wrong, or the entry has none.
    Wrong,
    /// It is right, and the account may not log in all the same; the server's words.
    Denied(String),
}

/// The connections of one directory on which passwords are checked.
pub(super) struct Checks {
    connector: Arc<Connector>,
    /// One for each question that may be under way.
    turns: Semaphore,
    /// On which users bind.
    binding: Mutex<Vec<Kept>>,
    /// On which Waypost itself is bound, and reads.
    reading: Mutex<Vec<Kept>>,
}

/// A connection that waits for its next question.
struct Kept {
    session: Session,
    server: usize,
    last_id: u8,
    since: Instant,
}

impl Kept {
    fn next_id(&mut self) -> u8 {
        self.last_id = if self.last_id >= LAST_ID { 1 } else { self.last_id.saturating_add(1) };
        self.last_id
    }
}

impl Checks {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        let turns = Semaphore::new(connector.settings.checks);
        Self { connector, turns, binding: Mutex::default(), reading: Mutex::default() }
    }

    /// Binds as `dn`. The password goes to one server only, and once, unless a connection that was
    /// kept turns out to be closed.
    pub(super) async fn bind(
        &self,
        dn: &str,
        password: &Secret,
    ) -> Result<BindAnswer, SearchError> {
        let _turn = self.turns.acquire().await.map_err(|_| closing())?;
        if let Some(mut kept) = take(&self.binding) {
            let id = kept.next_id();
            if let Ok(outcome) = kept.session.bind_as(dn, password.expose(), id).await {
                give_back(&self.binding, kept);
                return conclude_bind(outcome);
            }
        }
        let usable = |server: &usize| {
            let url = self.connector.settings.urls.get(*server);
            url.is_some_and(|url| self.connector.settings.may_bind_at(url))
        };
        let servers: Vec<usize> = self.connector.order().into_iter().filter(usable).collect();
        if servers.is_empty() {
            return Err(SearchError::Other(
                "no password goes to these servers in clear: use ldaps:// or starttls, or name \
                 them in clear-binds-to"
                    .into(),
            ));
        }
        let mut kept = self.connect(servers, false).await?;
        let id = kept.next_id();
        let outcome = kept.session.bind_as(dn, password.expose(), id).await;
        let outcome = outcome.map_err(|error| self.lost(kept.server, &error))?;
        give_back(&self.binding, kept);
        conclude_bind(outcome)
    }

    /// Reads the values of the password field of `dn`.
    pub(super) async fn passwords(&self, dn: &str) -> Result<Vec<Secret>, SearchError> {
        let field = self.connector.settings.password_field.as_deref();
        let Some(field) = field.and_then(AttributeName::parse) else { return Ok(Vec::new()) };
        let _turn = self.turns.acquire().await.map_err(|_| closing())?;
        if let Some(mut kept) = take(&self.reading) {
            let id = kept.next_id();
            if let Ok((values, outcome)) = kept.session.read_secret(dn, &field, id).await {
                give_back(&self.reading, kept);
                return conclude_read(values, outcome);
            }
        }
        let mut kept = self.connect(self.connector.order(), true).await?;
        let id = kept.next_id();
        let read = kept.session.read_secret(dn, &field, id).await;
        let (values, outcome) = read.map_err(|error| self.lost(kept.server, &error))?;
        give_back(&self.reading, kept);
        conclude_read(values, outcome)
    }

    /// Connects to the first of the servers that can be connected to.
    async fn connect(&self, servers: Vec<usize>, log_in: bool) -> Result<Kept, SearchError> {
        let settings = &self.connector.settings;
        let login = self.connector.login(log_in.then_some(&settings.bind));
        let mut last = SearchError::Unavailable("no server is configured".to_owned());
        for server in servers {
            let Some(url) = settings.urls.get(server) else { continue };
            match handshake::open(url, &login).await {
                // The ids that connecting may have used are not used again.
                Ok(opened) => {
                    let session = Session::from(opened);
                    return Ok(Kept { session, server, last_id: 2, since: Instant::now() });
                }
                Err(error) => last = self.lost(server, &error),
            }
        }
        Err(last)
    }

    fn lost(&self, server: usize, error: &ConnectError) -> SearchError {
        SearchError::Unavailable(format!("{}: {error}", self.connector.url(server)))
    }
}

fn closing() -> SearchError {
    SearchError::Unavailable("the directory is closing".to_owned())
}

fn take(kept: &Mutex<Vec<Kept>>) -> Option<Kept> {
    let mut kept = kept.lock();
    kept.retain(|kept| kept.since.elapsed() < KEEP);
    kept.pop()
}

fn give_back(place: &Mutex<Vec<Kept>>, mut kept: Kept) {
    kept.since = Instant::now();
    let mut place = place.lock();
    if place.len() < KEPT {
        place.push(kept);
    }
}

/// What a result code says of a password (RFC 4511 appendix A).
fn conclude_bind(outcome: Outcome) -> Result<BindAnswer, SearchError> {
    let words = || describe(outcome.code, &outcome.text);
    match outcome.code {
        SUCCESS => Ok(BindAnswer::Right),
        INVALID_CREDENTIALS if is_denied_by_active_directory(&outcome.text) => {
            Ok(BindAnswer::Denied(words()))
        }
        // constraintViolation, noSuchObject, invalidDNSyntax, inappropriateAuthentication,
        // invalidCredentials, insufficientAccessRights, unwillingToPerform: how servers refuse a
        // wrong password, an entry without one, a locked account. Which of these says that the
        // password was right nobody can know.
        19 | 32 | 34 | 48 | INVALID_CREDENTIALS | 50 | 53 => Ok(BindAnswer::Wrong),
        // busy, unavailable
        51 | 52 => Err(SearchError::Unavailable(words())),
        _ => Err(SearchError::Other(words())),
    }
}

/// Whether Active Directory says that the password is right but the account may not log in: its
/// sub-code in the text, `AcceptSecurityContext error, data 533, v2580`. Each of these is said only
/// to who knows the password: not now, not from here, password expired, account disabled, account
/// expired, password to be changed. A locked account (775) is not among them.
fn is_denied_by_active_directory(text: &str) -> bool {
    let Some((_, behind)) = text.split_once("AcceptSecurityContext error, data ") else {
        return false;
    };
    let code = behind.split(',').next().unwrap_or_default();
    matches!(code, "530" | "531" | "532" | "533" | "701" | "773")
}

fn conclude_read(values: Vec<Secret>, outcome: Outcome) -> Result<Vec<Secret>, SearchError> {
    let words = || describe(outcome.code, &outcome.text);
    match outcome.code {
        SUCCESS => Ok(values),
        // noSuchObject: the entry has gone.
        32 => Ok(Vec::new()),
        3 => Err(SearchError::Timeout),
        51 | 52 => Err(SearchError::Unavailable(words())),
        _ => Err(SearchError::Other(words())),
    }
}

#[cfg(test)]
mod tests {
    use super::{BindAnswer, conclude_bind};
    use crate::ldap::message::Outcome;

    #[test]
    fn what_active_directory_says() {
        let said = |data: &str| {
            let text = format!(
                "80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data \
                 {data}, v4563"
            );
            conclude_bind(Outcome { code: 49, text }).unwrap()
        };
        for wrong in ["525", "52e", "775", "5330", ""] {
            assert_eq!(said(wrong), BindAnswer::Wrong, "{wrong}");
        }
        for denied in ["530", "531", "532", "533", "701", "773"] {
            assert!(matches!(said(denied), BindAnswer::Denied(_)), "{denied}");
        }
    }

    #[test]
    fn only_what_says_something_of_the_password_is_a_no() {
        let answer = |code| conclude_bind(Outcome { code, text: String::new() });
        assert_eq!(answer(0), Ok(BindAnswer::Right));
        for code in [32, 48, 49, 53] {
            assert_eq!(answer(code), Ok(BindAnswer::Wrong), "{code}");
        }
        for code in [1, 2, 8, 10, 13, 14, 51, 52, 80, 123] {
            assert!(answer(code).is_err(), "{code}");
        }
    }
}
