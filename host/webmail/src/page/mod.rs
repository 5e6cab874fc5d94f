//! The identifier-first page: it asks for the address only, so that the user's own back end can
//! show its own login page, with its own session and its own protection.
//!
//! HTML and CSS, no script. An operator may put a template in its place.

mod language;
mod texts;

use std::fmt;

use aws_lc_rs::error::Unspecified;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Response, StatusCode};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use thiserror::Error;

pub use language::Language;
pub use texts::Texts;

/// Where the page is. Nothing below it ever reaches a back end.
pub const PREFIX: &str = "/.waypost/";
/// Where the link leads that forgets the user.
pub const FORGET: &str = "/.waypost/forget";

/// The name of the field with the address, in the form and in what is sent.
pub const ADDRESS_FIELD: &str = "address";
/// The name of the field with the way back, in the form and in the query.
pub const WAY_BACK_FIELD: &str = "to";

const NAME: &str = "identifier.html";
const EMBEDDED: &str = include_str!("identifier.html");
/// How long a browser may wait before it asks again, in seconds.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("30");

/// A page that can be shown.
pub struct Page {
    environment: Environment<'static>,
    /// The template; two pages are the same if theirs are.
    source: Box<str>,
}

/// Why a template cannot be the page.
#[derive(Debug, Error)]
pub enum PageError {
    /// It is none, or asks for something that there is not.
    #[error("{0}")]
    Template(String),
    /// It has no field for the address.
    #[error(
        "the page has no field for the address: expected <input name=\"address\"> in a form with \
         method=\"post\" and action=\"{{{{ action }}}}\""
    )]
    NoField,
}

/// What a page says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View<'a> {
    /// In which language.
    pub language: Language,
    /// The name of this host, as the browser knows it.
    pub host: &'a str,
    /// What stands in the field for the address: what was typed, or is remembered.
    pub address: &'a str,
    /// Whether the browser's route cookie names this address; the page then has a link to forget it.
    pub is_remembered: bool,
    /// Where the browser goes from here: a path of this host.
    pub way_back: &'a str,
    /// What is wrong with what was sent.
    pub problem: Option<Problem>,
}

/// Why the page is shown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nothing was typed.
    Empty,
    /// What was typed cannot be an address.
    Invalid,
    /// There is no such user, and there are no decoys.
    Unknown,
    /// Nobody can say where the user is now.
    Unavailable,
    /// Another site has sent the form.
    Foreign,
    /// A login form with a password that is wrong, or of nobody.
    Rejected,
    /// A login form with the right password, of somebody who may not log in.
    Denied,
    /// A login form of somebody of whom too many are undecided.
    TooMany,
}

/// What a template is given; its names are promised to operators.
#[derive(Serialize)]
struct Given<'a> {
    language: &'static str,
    text: &'static Texts,
    nonce: &'a str,
    host: &'a str,
    action: &'static str,
    forget: &'static str,
    address: &'a str,
    remembered: bool,
    to: &'a str,
    problem: Option<&'static str>,
}

impl Page {
    /// The page that comes with Waypost.
    pub fn embedded() -> Self {
        Self::from_template(EMBEDDED).expect("the page that comes with Waypost is one")
    }

    /// A page of the operator's: a Jinja template, HTML, in which everything is escaped.
    ///
    /// # Errors
    /// Every view of it is tried, so that what is wrong with it shows when it is read.
    pub fn from_template(source: &str) -> Result<Self, PageError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_template_owned(NAME, source.to_owned()).map_err(template_error)?;
        let page = Self { environment, source: source.into() };
        let address = "user@example.test";
        for problem in Problem::ALL.into_iter().map(Some).chain([None]) {
            for is_remembered in [false, true] {
                let view = View { problem, is_remembered, address, ..View::default() };
                let html = page.render(&view, "nonce").map_err(template_error)?;
                if !html.contains(&format!("name=\"{ADDRESS_FIELD}\"")) {
                    return Err(PageError::NoField);
                }
            }
        }
        Ok(page)
    }

    /// The answer that shows it. Neither the browser nor anybody on the way keeps it.
    pub fn answer(&self, view: &View<'_>) -> Response<Bytes> {
        let shown = nonce().ok().and_then(|nonce| {
            let html = self.render(view, &nonce).ok()?;
            Some((html, HeaderValue::try_from(policy(&nonce)).ok()?))
        });
        let Some((html, policy)) = shown else {
            tracing::error!(target: "waypost::webmail", "the page cannot be shown");
            let mut answer = Response::new(Bytes::new());
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return answer;
        };
        let mut answer = Response::new(Bytes::from(html));
        *answer.status_mut() = view.problem.map_or(StatusCode::OK, Problem::status);
        let headers = answer.headers_mut();
        for (name, value) in FIELDS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(view.language.tag()));
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        if matches!(view.problem, Some(Problem::Unavailable | Problem::TooMany)) {
            headers.insert(RETRY_AFTER, RETRY_SECONDS);
        }
        answer
    }

    fn render(&self, view: &View<'_>, nonce: &str) -> Result<String, minijinja::Error> {
        let text = view.language.texts();
        let given = Given {
            language: view.language.tag(),
            text,
            nonce,
            host: view.host,
            action: PREFIX,
            forget: FORGET,
            address: view.address,
            remembered: view.is_remembered,
            to: view.way_back,
            problem: view.problem.map(|problem| problem.text(text)),
        };
        self.environment.get_template(NAME)?.render(given)
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Page")
    }
}

impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Page {}

impl Problem {
    const ALL: [Self; 8] = [
        Self::Empty,
        Self::Invalid,
        Self::Unknown,
        Self::Unavailable,
        Self::Foreign,
        Self::Rejected,
        Self::Denied,
        Self::TooMany,
    ];

    /// Not 401 for a wrong password: that would have browsers ask for another one themselves (RFC
    /// 9110 section 15.5.2), which no form has sent.
    fn status(self) -> StatusCode {
        match self {
            Self::Empty | Self::Invalid | Self::Unknown | Self::Rejected => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Foreign | Self::Denied => StatusCode::FORBIDDEN,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn text(self, texts: &'static Texts) -> &'static str {
        match self {
            Self::Empty => texts.empty,
            Self::Invalid => texts.invalid,
            Self::Unknown => texts.unknown,
            Self::Unavailable => texts.unavailable,
            Self::Foreign => texts.foreign,
            Self::Rejected => texts.rejected,
            Self::Denied => texts.denied,
            Self::TooMany => texts.too_many,
        }
    }
}

/// With `no-referrer` a browser would send `Origin: null` with the form, and nobody could tell it
/// from another site's.
const FIELDS: [(HeaderName, &str); 6] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "same-origin"),
    (VARY, "Accept-Language, Cookie"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// No script, no frame, nothing loaded; a style and pictures of its own. Where the form leads must
/// hold for the redirections behind it too, and a back end may send its users to a single sign-on
/// elsewhere: so to any site with TLS.
fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; font-src data:; \
         form-action 'self' https:; frame-ancestors 'none'; base-uri 'none'"
    )
}

fn nonce() -> Result<String, Unspecified> {
    let mut octets = [0; 16];
    aws_lc_rs::rand::fill(&mut octets)?;
    Ok(STANDARD.encode(octets))
}

/// With the line, and what is wrong there.
fn template_error(error: minijinja::Error) -> PageError {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    PageError::Template(format!("{line}{}{detail}", error.kind()))
}
