//! Webmail: a login page and the mailbox on a page, over HTTP/1.1.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{MailboxStore, Message, User};

/// The parameter, and the field of the login form, with the user's address.
pub const USER: &str = "user";
/// The field of the login form with the password.
pub const PASSWORD: &str = "password";
/// Where the login form goes.
pub const LOG_IN: &str = "/login";
/// Where the button to log out leads.
pub const LOG_OUT: &str = "/logout";

const SESSION: &str = "session";
/// More than a login form holds.
const MAX_FORM: usize = 16 * 1024;

pub(crate) async fn serve(stream: TcpStream, store: &Arc<MailboxStore>) {
    let service = service_fn(|request| async {
        Ok::<_, Infallible>(
            answer(request, store)
                .await
                .unwrap_or_else(|status| page(status, "Error", &format!("<h1>{status}</h1>"))),
        )
    });
    // A browser that goes away is no concern of anybody's.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type Answer = Result<Response<Full<Bytes>>, StatusCode>;

async fn answer(request: Request<Incoming>, store: &MailboxStore) -> Answer {
    let user = user_of(request.headers(), store);
    match (request.method().clone(), request.uri().path()) {
        (Method::GET | Method::HEAD, "/") => Ok(match user {
            Some(user) => mailbox(store.name(), &user),
            None => login(store.name(), &parameter(request.uri().query(), USER), false),
        }),
        (Method::POST, LOG_IN) => log_in(request, store).await,
        (Method::POST, LOG_OUT) => {
            store.end_session(&session_of(request.headers()));
            Ok(to_start(&format!("{SESSION}=; Path=/; Max-Age=0")))
        }
        (_, "/" | LOG_IN | LOG_OUT) => Err(StatusCode::METHOD_NOT_ALLOWED),
        _ => Err(StatusCode::NOT_FOUND),
    }
}

/// Whom a session or Basic credentials (RFC 7617) are of.
fn user_of(headers: &HeaderMap, store: &MailboxStore) -> Option<Arc<User>> {
    if let Some(user) = store.session(&session_of(headers)) {
        return Some(user);
    }
    let credentials = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(BASE64_STANDARD.decode(credentials).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    store.log_in(name, password)
}

fn session_of(headers: &HeaderMap) -> String {
    let cookies = headers.get(COOKIE).and_then(|field| field.to_str().ok()).unwrap_or_default();
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    let session = pairs.find(|(name, _)| *name == SESSION);
    session.map(|(_, token)| token.to_owned()).unwrap_or_default()
}

async fn log_in(request: Request<Incoming>, store: &MailboxStore) -> Answer {
    let form = Limited::new(request.into_body(), MAX_FORM).collect().await;
    let form = form.map_err(|_| StatusCode::BAD_REQUEST)?.to_bytes();
    let form = str::from_utf8(&form).map_err(|_| StatusCode::BAD_REQUEST)?;
    let name = parameter(Some(form), USER);
    let Some(user) = store.log_in(&name, &parameter(Some(form), PASSWORD)) else {
        return Ok(login(store.name(), &name, true));
    };
    let token = store.begin_session(user);
    Ok(to_start(&format!("{SESSION}={token}; Path=/; HttpOnly; SameSite=Lax")))
}

fn parameter(query: Option<&str>, name: &str) -> String {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let value = pairs.find(|(other, _)| other == name);
    value.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn login(host: &str, name: &str, is_wrong: bool) -> Response<Full<Bytes>> {
    let (host, name) = (escaped(host), escaped(name));
    let wrong = if is_wrong { "<p role=\"alert\">Wrong name or password.</p>" } else { "" };
    let body = format!(
        "<h1>Log in to {host}</h1>{wrong}<form method=\"post\" action=\"{LOG_IN}\">\
         <p><label>Address<br><input name=\"{USER}\" value=\"{name}\" autocomplete=\"username\" \
         required></label></p><p><label>Password<br><input type=\"password\" \
         name=\"{PASSWORD}\" autocomplete=\"current-password\" required autofocus></label></p>\
         <p><button>Log in</button></p></form>"
    );
    page(StatusCode::OK, &format!("Log in to {host}"), &body)
}

fn mailbox(host: &str, user: &User) -> Response<Full<Bytes>> {
    let (host, name) = (escaped(host), escaped(user.name()));
    let mut body = format!("<h1>{name}</h1><p>on <strong>{host}</strong></p>");
    for message in user.mailbox().lock().messages() {
        write_message(&mut body, message);
    }
    let _ =
        write!(body, "<form method=\"post\" action=\"{LOG_OUT}\"><button>Log out</button></form>");
    page(StatusCode::OK, &format!("{name} on {host}"), &body)
}

fn write_message(body: &mut String, message: &Message) {
    let subject = escaped(message.field("Subject").unwrap_or("(no subject)"));
    let (from, text) =
        (escaped(message.field("From").unwrap_or_default()), escaped(message.body()));
    let _ = write!(
        body,
        "<details><summary><strong>{subject}</strong> {from}</summary><pre>{text}</pre></details>"
    );
}

fn to_start(cookie: &str) -> Response<Full<Bytes>> {
    let mut response = page(StatusCode::SEE_OTHER, "", "");
    let headers = response.headers_mut();
    headers.insert(LOCATION, hyper::header::HeaderValue::from_static("/"));
    if let Ok(cookie) = cookie.parse() {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}

fn page(status: StatusCode, title: &str, body: &str) -> Response<Full<Bytes>> {
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>:root{{color-scheme:light dark}}body{{font:1rem/1.5 sans-serif;max-width:40rem;\
         margin:2rem auto;padding:0 1rem}}</style>{body}</html>\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let fields = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    for (name, value) in fields {
        headers.insert(name, hyper::header::HeaderValue::from_static(value));
    }
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
