//! Who is it, and where do they go? What a request hears that is for no back end.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, COOKIE, HeaderValue, LOCATION, REFERER, SET_COOKIE,
};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, Method, Response, StatusCode, Uri};
use tokio::time::sleep_until;
use waypost_model::{Address, Context, Lookup, Purpose, Secret};
use waypost_net::jittered;
use waypost_routing::{Decide, LoginName, Resolution};
use waypost_session::Grant;

use crate::answer::Reason;
use crate::basic::Basic;
use crate::body::{Ahead, AnswerBody, ClientBody};
use crate::browser::{Browser, Memory};
use crate::exchange::Exchange;
use crate::form::{Fields, FormError, Kind, MAX_FORM};
use crate::identification::Identification;
use crate::page::{ADDRESS_FIELD, FORGET, Language, PREFIX, Problem, View, WAY_BACK_FIELD};
use crate::same_origin::is_same_origin;
use crate::seal::RouteCookie;
use crate::visitor::{FormLogin, Visitor, remembered};
use crate::way_back::WayBack;

/// Who asks, and how policies are asked about them.
pub(crate) struct Asker {
    pub(crate) name: LoginName,
    pub(crate) context: Arc<Context>,
    pub(crate) browser: Browser,
    pub(crate) visit: Visit,
}

/// How the asker is known.
pub(crate) enum Visit {
    /// By credentials in each request.
    Basic(Basic),
    /// By a login form.
    Form(Box<FormLogin>),
    /// By what the browser remembers.
    Cookie {
        /// The request is to log out, at the user's own wish: the user is forgotten if the back
        /// end does so.
        leaves: bool,
    },
}

impl Visit {
    /// The password that is at hand.
    pub(crate) fn password(&self) -> Option<&Secret> {
        match self {
            Self::Basic(basic) => Some(&basic.password),
            Self::Form(form) => form.password.as_ref(),
            Self::Cookie { .. } => None,
        }
    }
}

/// An answer of ours that is no refusal.
#[derive(Debug)]
pub(crate) struct Reply {
    /// What it is, in logs and metrics.
    pub(crate) kind: &'static str,
    pub(crate) response: Response<Bytes>,
}

impl<P: Decide> Exchange<'_, P>
where
    P::Targets: Grant,
{
    /// Makes out who sends a request, and takes the cookies out of it.
    ///
    /// # Errors
    /// The answer, where it is ours: the page, what is behind it, or a refusal.
    pub(crate) async fn receive(
        &self,
        parts: &mut Parts,
        body: &mut ClientBody,
        host: &Authority,
    ) -> Result<Asker, Reason> {
        let known = self.remembered(parts);
        if parts.uri.path().starts_with(PREFIX) {
            return Err(self.page(parts, body, host, known).await);
        }
        let rules = self.identification();
        let visitor = Visitor::of(parts, body, known.as_ref(), &rules.login_forms).await?;
        let (name, login_name, visit) = match visitor {
            Visitor::Nobody => return Err(stranger(parts, rules)),
            Visitor::Basic(basic) => {
                self.check_encryption()?;
                let name = self.read_name(&basic.login_name())?;
                (name, basic.user.clone(), Visit::Basic(basic))
            }
            Visitor::Form(form) => {
                self.check_encryption()?;
                let name = match self.read_name(&form.user) {
                    Ok(name) => name,
                    Err(reason) => {
                        return Err(self.tell_form(&parts.headers, host, &form.user, reason).await);
                    }
                };
                (name, form.user.clone(), Visit::Form(form))
            }
            Visitor::Cookie(cookie) => {
                let (path, query) = (parts.uri.path(), parts.uri.query());
                let leaves = rules.log_out.iter().any(|place| place.is(path, query))
                    && is_same_origin(&parts.headers, host);
                let user = cookie.address.as_str().to_owned();
                let name = LoginName { lookup: identify(cookie.address), authentication_id: None };
                (name, user, Visit::Cookie { leaves })
            }
        };
        let address = name.lookup.address.clone();
        let browser = Browser::of(address, known, &parts.headers, self.memory());
        parts.headers.remove(COOKIE);
        let context = self.context(&login_name, &name);
        Ok(Asker { name, context, browser, visit })
    }

    /// The name of somebody who logs in. One that cannot be one is a failed login of the network
    /// that it comes from.
    fn read_name(&self, name: &str) -> Result<LoginName, Reason> {
        let read = self.session.entrance.names.read(name, None);
        if read.is_err() && self.is_counted() {
            let failures = &self.session.service.process.failures;
            if let Ok(attempt) = failures.begin(None, self.origin.client) {
                attempt.failed(None);
            }
        }
        Ok(read?)
    }

    /// Whether failed logins of this client are counted.
    pub(crate) fn is_counted(&self) -> bool {
        self.session.slots.counts(self.origin.client)
    }

    /// What somebody hears who is not let to a back end: in the words of a page where there is
    /// somebody to read it.
    pub(crate) async fn tell(
        &self,
        headers: &HeaderMap,
        host: &Authority,
        asker: &Asker,
        reason: Reason,
    ) -> Reason {
        match &asker.visit {
            Visit::Basic(_) => reason,
            Visit::Form(form) => self.tell_form(headers, host, &form.user, reason).await,
            // No address would help credentials that cannot be checked.
            Visit::Cookie { .. } if matches!(reason, Reason::NotForTheFront) => reason,
            Visit::Cookie { .. } if reason.is_rejection() => {
                self.unknown(headers, host, asker).await
            }
            Visit::Cookie { .. } => reason,
        }
    }

    /// What somebody hears who is known by a cookie, and whom no policy knows, where there are no
    /// decoys.
    async fn unknown(&self, headers: &HeaderMap, host: &Authority, asker: &Asker) -> Reason {
        self.delay().await;
        let view = View {
            language: Language::of(headers),
            host: host.as_str(),
            address: asker.name.lookup.address.as_str(),
            way_back: "/",
            problem: Some(Problem::Unknown),
            is_remembered: false,
        };
        let mut response = self.identification().page.answer(&view);
        set_cookies(&mut response, asker.browser.forgetting(None));
        reply("unknown-user", response)
    }

    /// What somebody hears who has sent a login form: the page, which leads back to where the form
    /// came from. A wrong password sounds like an address of nobody, and takes as long.
    async fn tell_form(
        &self,
        headers: &HeaderMap,
        host: &Authority,
        user: &str,
        reason: Reason,
    ) -> Reason {
        if reason.is_rejection() {
            self.delay().await;
        }
        let Some(problem) = reason.problem() else { return reason };
        let way_back = came_from(headers, host);
        let view = View {
            language: Language::of(headers),
            host: host.as_str(),
            address: user,
            way_back: way_back.as_str(),
            problem: Some(problem),
            is_remembered: false,
        };
        reply(reason.kind(), self.identification().page.answer(&view))
    }

    /// After a back end has let the user leave: the page for the next one, with what the back end
    /// has set.
    pub(crate) fn farewell(
        &self,
        browser: &Browser,
        target: &str,
        answer: Response<AnswerBody>,
    ) -> Response<AnswerBody> {
        let mut page = see_other(PREFIX);
        set_cookies(&mut page, answer.headers().get_all(SET_COOKIE).iter().cloned());
        set_cookies(&mut page, browser.forgetting(Some(target)));
        let line = answer.into_body().into_line();
        let page = page.map(AnswerBody::own);
        match line {
            Some(line) => page.map(|body| body.noted(line)),
            None => page,
        }
    }

    fn identification(&self) -> &Identification {
        &self.session.service.settings.identification
    }

    fn remembered(&self, parts: &Parts) -> Option<RouteCookie> {
        let keys = self.session.service.keys.keys();
        let lifetime = self.identification().cookie_lifetime;
        match remembered(&parts.headers, self.origin.encrypted, &keys, lifetime) {
            Ok(known) => known,
            Err(why) => {
                self.session.service.metrics.cookie(why);
                None
            }
        }
    }

    fn check_encryption(&self) -> Result<(), Reason> {
        match self.origin.encrypted || self.session.entrance.allow_plaintext {
            true => Ok(()),
            false => Err(Reason::Plaintext),
        }
    }

    fn context(&self, login_name: &str, name: &LoginName) -> Arc<Context> {
        let entrance = &self.session.entrance;
        Arc::new(Context {
            protocol: entrance.kind.protocol,
            listener: entrance.kind.listener.clone(),
            client_address: self.origin.client,
            encrypted: self.origin.encrypted,
            mechanism: None,
            login_name: Some(Arc::from(login_name)),
            authentication_id: name.authentication_id.clone(),
            certificate_name: None,
            sender: None,
            now: SystemTime::now(),
        })
    }

    async fn delay(&self) {
        let delay = self.session.service.settings.auth_failure_delay;
        sleep_until(self.began + jittered(delay)).await;
    }

    fn memory(&self) -> Memory {
        Memory {
            keys: self.session.service.keys.keys(),
            lifetime: self.identification().cookie_lifetime,
            encrypted: self.origin.encrypted,
        }
    }

    /// Everything below [`PREFIX`].
    async fn page(
        &self,
        parts: &Parts,
        body: &mut ClientBody,
        host: &Authority,
        known: Option<RouteCookie>,
    ) -> Reason {
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        match parts.uri.path() {
            PREFIX if is_read => self.show(parts, host, known.as_ref()),
            PREFIX if parts.method == Method::POST => {
                let heard = self.hear(parts, body, host, known).await;
                heard.unwrap_or_else(|reason| reason)
            }
            FORGET if is_read || parts.method == Method::POST => {
                self.forget(parts, host, known.as_ref())
            }
            PREFIX | FORGET => {
                let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                let allowed = HeaderValue::from_static("GET, HEAD, POST");
                response.headers_mut().insert(ALLOW, allowed);
                reply("page", response)
            }
            _ => reply("page", empty(StatusCode::NOT_FOUND)),
        }
    }

    fn show(&self, parts: &Parts, host: &Authority, known: Option<&RouteCookie>) -> Reason {
        let way_back = way_back_of(parts.uri.query().unwrap_or_default());
        let view = View {
            language: Language::of(&parts.headers),
            host: host.as_str(),
            address: known.map_or("", |known| known.address.as_str()),
            is_remembered: known.is_some(),
            way_back: way_back.as_str(),
            problem: None,
        };
        reply("page", self.identification().page.answer(&view))
    }

    /// An address was sent: remembers it and sends the browser on its way.
    async fn hear(
        &self,
        parts: &Parts,
        body: &mut ClientBody,
        host: &Authority,
        known: Option<RouteCookie>,
    ) -> Result<Reason, Reason> {
        let rules = self.identification();
        self.check_encryption()?;
        let form = match body.read_ahead(MAX_FORM).await? {
            Ahead::Whole(form) => form,
            Ahead::More => return Err(FormError::TooLong.into()),
        };
        let fields = Fields::read(&Kind::Urlencoded, &form).await?;
        let typed = fields.only(ADDRESS_FIELD)?.unwrap_or_default().trim();
        let way_back = WayBack::read(fields.only(WAY_BACK_FIELD)?.unwrap_or_default());
        let again = |problem| {
            let view = View {
                language: Language::of(&parts.headers),
                host: host.as_str(),
                address: typed,
                is_remembered: false,
                way_back: way_back.as_str(),
                problem: Some(problem),
            };
            reply("page", rules.page.answer(&view))
        };
        if !is_same_origin(&parts.headers, host) {
            return Ok(again(Problem::Foreign));
        }
        if typed.is_empty() {
            return Ok(again(Problem::Empty));
        }
        let Ok(mut name) = self.session.entrance.names.read(typed, None) else {
            return Ok(again(Problem::Invalid));
        };
        let address = name.lookup.address.clone();
        name.lookup = identify(address.clone());
        let process = &self.session.service.process;
        let generation = process.generation.load_full();
        let context = self.context(typed, &name);
        match process.router.resolve(&generation.domains, &name.lookup, &context).await {
            Resolution::Route(_) => {}
            Resolution::Temporary { .. } => return Ok(again(Problem::Unavailable)),
            _ if rules.decoys.is_empty() => {
                self.delay().await;
                return Ok(again(Problem::Unknown));
            }
            _ => {}
        }
        let onward = match rules.address_parameter.as_deref() {
            Some(parameter) => way_back.with(parameter, address.as_str()),
            None => way_back.clone(),
        };
        let mut response = see_other(onward.as_str());
        let browser = Browser::of(address, known, &parts.headers, self.memory());
        set_cookies(&mut response, browser.introduction());
        Ok(reply("identified", response))
    }

    /// Forgets the user at the user's own wish, and shows the page.
    fn forget(&self, parts: &Parts, host: &Authority, known: Option<&RouteCookie>) -> Reason {
        let mut response = see_other(PREFIX);
        if is_same_origin(&parts.headers, host) {
            let past = known.map(|known| known.past).unwrap_or_default();
            set_cookies(&mut response, self.memory().forget(past));
        }
        reply("forgotten", response)
    }
}

/// What nobody hears: a page where somebody sits before it, who can say.
fn stranger(parts: &Parts, rules: &Identification) -> Reason {
    let path = parts.uri.path();
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    // Browsers send no other methods by themselves, and no credentials of other kinds.
    let is_program = rules.api_paths.iter().any(|branch| branch.holds(path))
        || !(is_read || parts.method == Method::POST)
        || parts.headers.contains_key(AUTHORIZATION);
    if is_program {
        return Reason::Nobody;
    }
    // A picture, or what a script fetches, of somebody who is not known any more.
    let destination = parts.headers.get("sec-fetch-dest").map(HeaderValue::as_bytes);
    if destination.is_some_and(|it| !matches!(it, b"document" | b"iframe" | b"frame")) {
        return Reason::NoPage;
    }
    // What was posted is gone.
    let query = parts.uri.path_and_query().filter(|_| is_read);
    let way_back = query.map_or_else(WayBack::default, |way| WayBack::read(way.as_str()));
    reply("asked", see_other(&way_back.by_page()))
}

fn way_back_of(query: &str) -> WayBack {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let to = parameters.find(|(name, _)| name == WAY_BACK_FIELD);
    to.map_or_else(WayBack::default, |(_, to)| WayBack::read(&to))
}

/// The page of this host that has sent a request, as far as its browser says (RFC 9110 section
/// 10.1.3).
fn came_from(headers: &HeaderMap, host: &Authority) -> WayBack {
    let referer = headers.get(REFERER).and_then(|field| field.to_str().ok());
    let uri = referer.and_then(|referer| referer.parse::<Uri>().ok());
    let path = uri
        .as_ref()
        .filter(|uri| uri.authority() == Some(host))
        .and_then(|uri| uri.path_and_query())
        .map_or("/", PathAndQuery::as_str);
    WayBack::read(path)
}

fn identify(address: Address) -> Arc<Lookup> {
    Arc::new(Lookup { purpose: Purpose::Identify, address })
}

/// RFC 9110 section 15.4.4: the next request is a GET. `location` is ASCII by its making.
fn see_other(location: &str) -> Response<Bytes> {
    let mut response = empty(StatusCode::SEE_OTHER);
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(LOCATION, location);
    }
    response
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn set_cookies<B>(response: &mut Response<B>, fields: impl IntoIterator<Item = HeaderValue>) {
    for field in fields {
        response.headers_mut().append(SET_COOKIE, field);
    }
}

fn reply(kind: &'static str, response: Response<Bytes>) -> Reason {
    Reason::Reply(Box::new(Reply { kind, response }))
}
