//! One search on one connection.
//!
//! It runs as a task of its own on the runtime of the connection: what asks may live on another
//! runtime, may go away at any time, and is out of reach when the LDAP client panics.

use std::sync::Arc;
use std::time::Duration;

use ldap3::{SearchOptions, SearchStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::connector::Connector;
use super::entry;
use super::link::{Link, Reason, UnderWay};
use super::message::describe;
use crate::attribute::AttributeName;
use crate::page::{Filling, PageBuilder};
use crate::{BoundQuery, Limits, Page, Scope, SearchError};

/// How long sending an Abandon may take.
const ABANDON_TIMEOUT: Duration = Duration::from_secs(1);

/// RFC 4511 section 4.5.1.8: how to ask for no attribute. An empty list asks for all.
const NO_ATTRIBUTES: &str = "1.1";

/// A query as it goes to a server.
pub(super) struct Request {
    base: String,
    scope: ldap3::Scope,
    filter: String,
    /// What is asked for on the wire.
    wanted: Vec<String>,
    asked: Vec<AttributeName>,
    size_limit: u32,
    limits: Limits,
}

impl Request {
    pub(super) fn new(query: &BoundQuery, limits: Limits) -> Self {
        let mut wanted: Vec<String> = query.attributes().map(str::to_owned).collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            wanted.push(NO_ATTRIBUTES.to_owned());
        }
        Self {
            base: query.base_string(),
            scope: match query.scope {
                Scope::Base => ldap3::Scope::Base,
                Scope::OneLevel => ldap3::Scope::OneLevel,
                Scope::Subtree => ldap3::Scope::Subtree,
            },
            filter: query.filter_string(),
            wanted,
            asked: query.attributes.clone(),
            size_limit: query.size_limit,
            limits,
        }
    }

    /// What the server is asked to keep to. One entry more than the operator allows shows that
    /// there is more; what the query allows, the server itself says.
    fn options(&self, deadline: Instant) -> SearchOptions {
        let size = self.size_limit.min(self.limits.entries.saturating_add(1));
        let left = deadline.saturating_duration_since(Instant::now());
        let seconds = left.as_secs().saturating_add(1);
        SearchOptions::new()
            .sizelimit(i32::try_from(size).unwrap_or(i32::MAX))
            .timelimit(i32::try_from(seconds).unwrap_or(i32::MAX))
    }
}

/// How a search ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The server answered, or time is up.
    Answered(Result<Page, SearchError>),
    /// The connection was lost: another may answer.
    Lost(Reason),
}

/// Searches and replies. If nobody waits for the reply any more, the search is abandoned.
pub(super) async fn run(
    connector: Arc<Connector>,
    under_way: UnderWay,
    request: Arc<Request>,
    deadline: Instant,
    mut reply: oneshot::Sender<Ended>,
) {
    let ended = tokio::select! {
        biased;
        reason = under_way.link.ended() => Ended::Lost(reason),
        ended = search(&connector, &under_way, &request, deadline, &mut reply) => ended,
    };
    // Nobody may be there to hear it.
    let _ = reply.send(ended);
}

async fn search(
    connector: &Connector,
    under_way: &UnderWay,
    request: &Request,
    deadline: Instant,
    reply: &mut oneshot::Sender<Ended>,
) -> Ended {
    let link = &*under_way.link;
    let mut ldap = link.ldap();
    ldap.with_search_options(request.options(deadline));
    let begun =
        ldap.streaming_search(&request.base, request.scope, &request.filter, &request.wanted);
    let mut stream = match timeout_at(deadline, begun).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(ldap3::LdapError::FilterParsing)) => {
            let words = "the LDAP client cannot write this filter".to_owned();
            return Ended::Answered(Err(SearchError::BadRequest(words)));
        }
        Ok(Err(error)) => return Ended::Lost(Reason::from(error.to_string())),
        // The server does not even read.
        Err(_) => {
            if under_way.timed_out(connector.patience()) {
                connector.condemn(link, "the server does not read what it is sent");
            }
            return Ended::Answered(Err(SearchError::Timeout));
        }
    };
    let collected = tokio::select! {
        biased;
        collected = timeout_at(deadline, collect(&mut stream, request)) => collected,
        () = reply.closed() => {
            abandon(connector, link, &mut stream).await;
            return Ended::Answered(Err(SearchError::Timeout));
        }
    };
    match collected {
        Ok(Collected::All(result)) => {
            under_way.answered();
            Ended::Answered(result)
        }
        Ok(Collected::Enough(result)) => {
            under_way.answered();
            abandon(connector, link, &mut stream).await;
            Ended::Answered(result)
        }
        Ok(Collected::Broken(reason)) => Ended::Lost(reason),
        Err(_) => {
            if under_way.timed_out(connector.patience()) {
                // The server abandons what was asked on a connection that is closed.
                connector.condemn(link, "the server does not answer");
            } else {
                abandon(connector, link, &mut stream).await;
            }
            Ended::Answered(Err(SearchError::Timeout))
        }
    }
}

type Stream<'a> = SearchStream<'a, String, &'a Vec<String>>;

/// What a stream of entries came to.
enum Collected {
    /// The server has said all it has to say.
    All(Result<Page, SearchError>),
    /// The server would say more.
    Enough(Result<Page, SearchError>),
    /// The connection ended.
    Broken(Reason),
}

async fn collect(stream: &mut Stream<'_>, request: &Request) -> Collected {
    let mut page = PageBuilder::new(request.size_limit, request.limits);
    loop {
        match stream.next().await {
            Ok(Some(item)) if item.is_ref() || item.is_intermediate() => {
                // Referrals are not followed: the directory is what its URLs say.
            }
            Ok(Some(item)) => match page.add(|| entry::read(item.0, &request.asked)) {
                Ok(Filling::Open) => {}
                Ok(Filling::Full) => return Collected::Enough(Ok(page.finish(false))),
                Err(error) => return Collected::Enough(Err(error)),
            },
            Ok(None) => {
                let result = stream.finish().await;
                return Collected::All(conclude(page, result.rc, &result.text));
            }
            Err(error) => return Collected::Broken(Reason::from(error.to_string())),
        }
    }
}

/// The page that a server's result code makes of the entries before it (RFC 4511 appendix A).
fn conclude(page: PageBuilder, code: u32, text: &str) -> Result<Page, SearchError> {
    let words = || describe(code, text);
    match code {
        0 => Ok(page.finish(true)),
        // sizeLimitExceeded
        4 => Ok(page.finish(false)),
        // noSuchObject: the base does not exist.
        32 => Ok(Page::empty()),
        // timeLimitExceeded
        3 => Err(SearchError::Timeout),
        // adminLimitExceeded
        11 => Err(SearchError::TooLarge),
        // protocolError, undefinedAttributeType, inappropriateMatching, invalidAttributeSyntax,
        // invalidDNSyntax
        2 | 17 | 18 | 21 | 34 => Err(SearchError::BadRequest(words())),
        // busy, unavailable
        51 | 52 => Err(SearchError::Unavailable(words())),
        // referral
        10 => Err(SearchError::Other(format!(
            "{}: the base is held by another server: name that server in the directory's URLs",
            words()
        ))),
        _ => Err(SearchError::Other(words())),
    }
}

/// Tells the server that nobody waits any more, and the LDAP client to forget.
async fn abandon(connector: &Connector, link: &Link, stream: &mut Stream<'_>) {
    let id = stream.ldap_handle().last_id();
    stream.finish().await;
    let mut ldap = link.ldap();
    // If it cannot be sent, the connection is about to end, and with it the search.
    let _ = timeout(ABANDON_TIMEOUT, ldap.abandon(id)).await;
    connector.metrics().abandons.inc();
}
