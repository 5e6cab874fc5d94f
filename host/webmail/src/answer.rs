//! What Waypost answers by itself.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use waypost_model::{Refusal, Trouble};
use waypost_routing::LoginNameError;
use waypost_verify::{TooMany, Unverified};

use crate::back::TargetFailure;
use crate::body::{AnswerBody, BodyFault};
use crate::form::FormError;
use crate::page::Problem;
use crate::reception::Reply;
use crate::scrutiny::Misfit;

/// After how long a client may come back that was told that it cannot be served now.
const RETRY: Duration = Duration::from_secs(10);

/// Why a request gets an answer of ours in place of a back end's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Reason {
    /// It can be read in two ways, or is none.
    #[error("{0}")]
    Misfit(#[from] Misfit),
    /// It has passed this very Waypost too often.
    #[error("the request runs in a circle")]
    Circle,
    /// The process serves as many requests as it may.
    #[error("as many requests as there may be are under way")]
    Busy,
    /// The user has as many requests as they may.
    #[error("the user has as many requests under way as they may")]
    UserBusy,
    /// Nobody has said who they are.
    #[error("no credentials")]
    Nobody,
    /// Nobody has said who they are, and a page would be of no use there.
    #[error("nobody is known, and this is no place for a page")]
    NoPage,
    /// What belongs to the identifier-first page.
    #[error("{}", .0.kind)]
    Reply(Box<Reply>),
    /// A login form that cannot be read.
    #[error("{0}")]
    Form(#[from] FormError),
    /// What they say cannot be credentials.
    #[error("the credentials are malformed")]
    Credentials,
    /// A password would have come in clear.
    #[error("the password came without TLS, which the listener does not allow")]
    Plaintext,
    /// The name cannot be one.
    #[error("{0}")]
    Name(#[from] LoginNameError),
    /// No policy serves the domain.
    #[error("no policy serves the domain")]
    NotServed,
    /// Every policy passed.
    #[error("every policy passed")]
    UnknownUser,
    /// A policy's word.
    #[error("the policy refuses: {}", .0.kind())]
    Refused(Refusal),
    /// The front has not found the password right, or cannot say.
    #[error("{0}")]
    Unverified(#[from] Unverified),
    /// The policy has the front check the password, and it cannot.
    #[error("the policy has the front check the password: {0}")]
    Uncheckable(#[from] Uncheckable),
    /// The policy has the front check the password, and what the client sent is none.
    #[error("the policy has the front check the password, which these credentials do not show it")]
    NotForTheFront,
    /// The policy has the front check the password, and the client logs in in another's name.
    #[error(
        "the policy has the front check the password, and who logs in in another's name has none \
         in that one's entry"
    )]
    OnBehalf,
    /// Too many logins of the user, or from the client's network, are undecided.
    #[error("{0}")]
    TooMany(#[from] TooMany),
    /// A policy cannot answer now.
    #[error("{0}")]
    Trouble(Trouble),
    /// The user has moved, and what was asked cannot be asked twice.
    #[error("the user has moved while the request was under way")]
    Moved,
    /// A target, and what came of the last attempt with one.
    #[error("{0}: {1}")]
    Target(String, TargetFailure),
    /// A route without target, which no policy can give.
    #[error("the route has no target")]
    NoTarget,
    /// The client's own body.
    #[error("{0}")]
    Body(#[from] BodyFault),
}

/// Why the front cannot check what goes to a back end; the operator can change it.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Uncheckable {
    /// A login form without a field for the password.
    #[error(
        "the entry of login-forms for this form does not say which field holds it: add password"
    )]
    NoPasswordField,
    /// A browser whose user has shown the front no password sends more than it takes to see a login
    /// page.
    #[error(
        "this may be a login, of a browser that has not logged in by one of login-forms: the back \
         ends' login form belongs there, with the field for the password"
    )]
    Browser,
}

impl Reason {
    /// The name in logs and metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Misfit(_) => "malformed",
            Self::Circle => "circle",
            Self::Busy => "busy",
            Self::UserBusy => "user-busy",
            Self::Nobody => "no-credentials",
            Self::NoPage => "no-page",
            Self::Reply(reply) => reply.kind,
            Self::Form(_) => "form",
            Self::Credentials => "credentials",
            Self::Plaintext => "plaintext",
            Self::Name(_) => "name",
            Self::NotServed => "not-served",
            Self::UnknownUser => "unknown-user",
            Self::Refused(refusal) => refusal.kind(),
            Self::Unverified(why) => why.kind(),
            Self::Uncheckable(_) => "unverified",
            Self::NotForTheFront => "not-for-the-front",
            Self::OnBehalf => "on-behalf",
            Self::TooMany(_) => "too-many-attempts",
            Self::Trouble(trouble) => trouble.kind(),
            Self::Moved => "moved",
            Self::Target(_, failure) => failure.kind(),
            Self::NoTarget => "no-target",
            Self::Body(fault) => fault.kind(),
        }
    }

    /// What the client is told.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Misfit(misfit) => misfit.status(),
            Self::Circle => StatusCode::LOOP_DETECTED,
            Self::UserBusy | Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Plaintext | Self::NoPage => StatusCode::FORBIDDEN,
            Self::Unverified(Unverified::Denied(_)) => StatusCode::FORBIDDEN,
            Self::Reply(reply) => reply.response.status(),
            Self::Form(FormError::TooLong) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Form(_) => StatusCode::BAD_REQUEST,
            Self::Nobody | Self::Credentials => StatusCode::UNAUTHORIZED,
            _ if self.is_rejection() => StatusCode::UNAUTHORIZED,
            Self::Target(_, failure) => failure.status(),
            Self::Body(fault) => fault.status(),
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether it sounds like a wrong password, and must take as long as one.
    pub(crate) const fn is_rejection(&self) -> bool {
        let is_unknown =
            matches!(self, Self::Name(_) | Self::NotServed | Self::UnknownUser | Self::Refused(_));
        let is_unverified = matches!(
            self,
            Self::Unverified(Unverified::Wrong) | Self::NotForTheFront | Self::OnBehalf
        );
        is_unknown || is_unverified
    }

    /// Whether the log may say more than its name where it does not say who users are: what it says
    /// then is the operator's own doing, and names nobody.
    pub(crate) const fn names_nobody(&self) -> bool {
        matches!(self, Self::Uncheckable(_))
    }

    /// What a page says of it to somebody who has sent a login form; `None` where the bare status
    /// has to do.
    pub(crate) fn problem(&self) -> Option<Problem> {
        match self {
            Self::Unverified(Unverified::Denied(_)) => Some(Problem::Denied),
            Self::Unverified(Unverified::Wrong) => Some(Problem::Rejected),
            Self::Unverified(_) | Self::Uncheckable(_) | Self::Trouble(_) => {
                Some(Problem::Unavailable)
            }
            Self::TooMany(_) => Some(Problem::TooMany),
            _ if self.is_rejection() => Some(Problem::Rejected),
            _ => None,
        }
    }

    /// The answer. `realm` is shown by a browser that asks for a password.
    pub(crate) fn into_response(self, realm: &str) -> Response<AnswerBody> {
        let status = self.status();
        if let Self::Reply(reply) = self {
            return reply.response.map(AnswerBody::own);
        }
        let mut response = plain(status);
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, challenge(realm));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(RETRY_AFTER, HeaderValue::from(RETRY.as_secs()));
            }
            _ => {}
        }
        // What could not be understood may be followed by more of it.
        if matches!(self, Self::Misfit(_) | Self::Body(_)) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// RFC 7617 section 2: user names and passwords are in UTF-8.
fn challenge(realm: &str) -> HeaderValue {
    let quoted: String = realm.chars().filter(|c| !matches!(c, '"' | '\\')).collect();
    HeaderValue::from_str(&format!("Basic realm=\"{quoted}\", charset=\"UTF-8\""))
        .unwrap_or_else(|_| HeaderValue::from_static("Basic realm=\"Webmail\", charset=\"UTF-8\""))
}

fn plain(status: StatusCode) -> Response<AnswerBody> {
    let text = format!("{} {}\n", status.as_str(), status.canonical_reason().unwrap_or_default());
    let mut response = Response::new(AnswerBody::own(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
