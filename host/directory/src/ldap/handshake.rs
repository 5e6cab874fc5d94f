//! From a URL to a connection that is encrypted and logged in.
//!
//! This is done here and not by the LDAP client, which only searches: so the bind password is in
//! no buffer that is not overwritten, octets behind the answer to StartTLS are seen, and TLS is
//! ours on every path.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use waypost_model::{Host, Secret};
use zeroize::Zeroizing;

use super::LdapUrl;
use super::ber::{self, ENUMERATED, INTEGER, Malformed, OCTET_STRING, Reader, SEQUENCE};
use super::message::{
    BIND_RESPONSE, BOOLEAN, EXTENDED_RESPONSE, Message, Outcome, SEARCH_DONE, SEARCH_ENTRY,
    SEARCH_REFERENCE, code_name, describe,
};
use super::settings::Bind;
use super::stream::ServerStream;
use crate::attribute::AttributeName;

/// The largest answer before login, in octets.
const MAX_ANSWER: usize = 16 * 1024;
/// The most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

/// A connection on which nothing is said for long is lost in many a firewall, without a word.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(10))
    .with_retries(6);

const BIND_REQUEST: u8 = 0x60;
const SEARCH_REQUEST: u8 = 0x63;
/// The filter `present` (RFC 4511 section 4.5.1.7).
const PRESENT: u8 = 0x87;
const SET: u8 = 0x31;
const SIMPLE: u8 = 0x80;
const SASL: u8 = 0xa3;
const EXTENDED_REQUEST: u8 = 0x77;
const REQUEST_NAME: u8 = 0x80;
const STARTTLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

pub(super) const SUCCESS: u32 = 0;
pub(super) const INVALID_CREDENTIALS: u32 = 49;
const BUSY: u32 = 51;
const UNAVAILABLE: u32 = 52;

/// What logging in takes.
pub(super) struct Login<'a> {
    /// `None`: the connection is opened and nobody logs in.
    pub(super) bind: Option<&'a Bind>,
    pub(super) starttls: bool,
    pub(super) tls: Option<&'a Arc<ClientConfig>>,
    /// For each address.
    pub(super) timeout: Duration,
}

/// A connection that is open, and logged in where somebody was to log in.
pub(super) struct Opened {
    pub(super) stream: ServerStream,
    /// What the server has said since.
    pub(super) unread: Vec<u8>,
}

/// Why there is no connection, and what to do.
#[derive(Debug, Error)]
pub(super) enum ConnectError {
    #[error("the name cannot be resolved: {0}")]
    Resolve(io::Error),
    #[error("the name has no address")]
    NoAddress,
    #[error("no connection to {0}: {1}: is the server running, and does it listen there?")]
    Connect(String, io::Error),
    #[error("no answer from {0} within the connect timeout")]
    Timeout(String),
    #[error("{0} cannot stand in a certificate")]
    Name(String),
    #[error("TLS is not set up")]
    NoTls,
    #[error("TLS fails: {0}{1}")]
    Tls(io::Error, &'static str),
    #[error("the server refuses StartTLS: {0}: use ldaps:// or set up TLS on the server")]
    StartTls(String),
    #[error("the server sent more behind its answer to StartTLS: somebody may sit in between")]
    BehindStartTls,
    #[error("the server refuses the bind: {}{}", describe(.0.code, &.0.text), bind_hint(.0.code))]
    Bind(Outcome),
    #[error("the server closed the connection while Waypost logged in")]
    Closed,
    #[error("the connection failed while Waypost logged in: {0}")]
    Io(io::Error),
    #[error("this is not LDAP: {0}: is the port right, and does it expect TLS?")]
    Malformed(#[from] Malformed),
    #[error("the LDAP client does not start: {0}")]
    Client(String),
}

impl ConnectError {
    /// Whether the server refused the password.
    pub(super) fn is_wrong_password(&self) -> bool {
        matches!(self, Self::Bind(outcome) if outcome.code == INVALID_CREDENTIALS)
    }
}

/// Connects to one server, trying each of its addresses.
pub(super) async fn open(url: &LdapUrl, login: &Login<'_>) -> Result<Opened, ConnectError> {
    let (host, port) = match url {
        LdapUrl::Ldapi(path) => {
            let attempt = async {
                let stream = UnixStream::connect(path)
                    .await
                    .map_err(|error| ConnectError::Connect(path.display().to_string(), error))?;
                Session::new(ServerStream::Unix(stream)).bind(login.bind, 1).await
            };
            return within(login.timeout, &path.display().to_string(), attempt).await;
        }
        LdapUrl::Ldap(host, port) | LdapUrl::Ldaps(host, port) => (host, port.get()),
    };
    let mut last = ConnectError::NoAddress;
    for address in resolve(host, port, login.timeout).await?.into_iter().take(MAX_ADDRESSES) {
        let attempt = open_tcp(url, host, address, login);
        match within(login.timeout, &address.to_string(), attempt).await {
            Ok(opened) => return Ok(opened),
            // Another address is another chance only where it was the address that failed.
            Err(error @ ConnectError::Bind(..)) => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn within(
    limit: Duration,
    place: &str,
    attempt: impl Future<Output = Result<Opened, ConnectError>>,
) -> Result<Opened, ConnectError> {
    // Boxed: a TLS handshake is large, and this is not done often.
    let result = timeout(limit, Box::pin(attempt)).await;
    result.unwrap_or_else(|_| Err(ConnectError::Timeout(place.to_owned())))
}

async fn resolve(host: &Host, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, ConnectError> {
    match host {
        Host::Address(address) => Ok(vec![SocketAddr::new(*address, port)]),
        Host::Name(name) => match timeout(limit, lookup_host((name.as_str(), port))).await {
            Ok(Ok(addresses)) => Ok(addresses.collect()),
            Ok(Err(error)) => Err(ConnectError::Resolve(error)),
            Err(_) => Err(ConnectError::Resolve(io::ErrorKind::TimedOut.into())),
        },
    }
}

async fn open_tcp(
    url: &LdapUrl,
    host: &Host,
    address: SocketAddr,
    login: &Login<'_>,
) -> Result<Opened, ConnectError> {
    let failed = |error| ConnectError::Connect(address.to_string(), error);
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE).map_err(failed)?;
    match url {
        LdapUrl::Ldaps(..) => {
            let stream = encrypt(stream, host, login).await?;
            Session::new(stream).bind(login.bind, 1).await
        }
        _ if login.starttls => {
            let stream = start_tls(stream).await?;
            let stream = encrypt(stream, host, login).await?;
            Session::new(stream).bind(login.bind, 2).await
        }
        _ => Session::new(ServerStream::Tcp(stream)).bind(login.bind, 1).await,
    }
}

/// Asks for TLS and waits for the go-ahead (RFC 4511 section 4.14).
async fn start_tls(stream: TcpStream) -> Result<TcpStream, ConnectError> {
    let mut session = Session::new(ServerStream::Tcp(stream));
    let mut name = buffer(64);
    ber::append(&mut name, REQUEST_NAME, STARTTLS);
    let outcome = session.ask(1, EXTENDED_REQUEST, &name, EXTENDED_RESPONSE).await?;
    if outcome.code != SUCCESS {
        return Err(ConnectError::StartTls(describe(outcome.code, &outcome.text)));
    }
    match session {
        Session { stream: ServerStream::Tcp(stream), unread } if unread.is_empty() => Ok(stream),
        _ => Err(ConnectError::BehindStartTls),
    }
}

async fn encrypt(
    stream: TcpStream,
    host: &Host,
    login: &Login<'_>,
) -> Result<ServerStream, ConnectError> {
    let config = login.tls.ok_or(ConnectError::NoTls)?;
    let name = match host {
        Host::Name(name) => ServerName::try_from(name.as_str().to_owned())
            .map_err(|_| ConnectError::Name(name.to_string()))?,
        Host::Address(address) => ServerName::from(*address),
    };
    let connector = TlsConnector::from(config.clone());
    match connector.connect(name, stream).await {
        Ok(stream) => Ok(ServerStream::Tls(Box::new(stream))),
        Err(error) => {
            let hint = tls_hint(&error);
            Err(ConnectError::Tls(error, hint))
        }
    }
}

fn tls_hint(error: &io::Error) -> &'static str {
    use rustls::CertificateError as Certificate;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(
            Certificate::UnknownIssuer | Certificate::BadSignature,
        )) => ": the certificate's issuer is not among the CAs: configure the CA that issued it",
        Some(rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        )) => ": use the name in the URL for which the certificate was issued",
        Some(rustls::Error::InvalidMessage(_)) => ": does the port expect StartTLS (ldap://)?",
        _ => "",
    }
}

/// A connection on which one question is asked at a time.
pub(super) struct Session {
    stream: ServerStream,
    /// Read, and behind the answers that were taken.
    unread: Vec<u8>,
}

impl From<Opened> for Session {
    fn from(Opened { stream, unread }: Opened) -> Self {
        Self { stream, unread }
    }
}

impl Session {
    fn new(stream: ServerStream) -> Self {
        // Room enough for any answer: what an answer holds may be secret, and a buffer that grows
        // leaves copies behind.
        Self { stream, unread: Vec::with_capacity(MAX_ANSWER) }
    }

    /// Logs in. An anonymous session logs in as well, to see that the server answers.
    async fn bind(mut self, bind: Option<&Bind>, id: u8) -> Result<Opened, ConnectError> {
        let Some(bind) = bind else {
            return Ok(Opened { stream: self.stream, unread: self.unread });
        };
        let outcome = self.ask(id, BIND_REQUEST, &bind_request(bind), BIND_RESPONSE).await?;
        let refused = match (bind, outcome.code) {
            (_, SUCCESS) => false,
            // A server that wants no anonymous binds may allow anonymous searches all the same.
            (Bind::Anonymous, code) => matches!(code, BUSY | UNAVAILABLE),
            _ => true,
        };
        if refused {
            return Err(ConnectError::Bind(outcome));
        }
        Ok(Opened { stream: self.stream, unread: self.unread })
    }

    /// Binds as somebody else, and says how that ended. Whoever was bound before is nobody now
    /// (RFC 4513 section 4), whatever comes of it.
    pub(super) async fn bind_as(
        &mut self,
        dn: &str,
        password: &[u8],
        id: u8,
    ) -> Result<Outcome, ConnectError> {
        self.ask(id, BIND_REQUEST, &simple_bind(dn, password), BIND_RESPONSE).await
    }

    /// Reads the values of one attribute of the entry `dn`, in none of whose buffers a copy is left
    /// behind; and how that ended.
    pub(super) async fn read_secret(
        &mut self,
        dn: &str,
        attribute: &AttributeName,
        id: u8,
    ) -> Result<(Vec<Secret>, Outcome), ConnectError> {
        self.send(id, SEARCH_REQUEST, &base_search(dn, attribute.spelt())).await?;
        let mut values = Vec::new();
        loop {
            let octets = Zeroizing::new(self.read_message().await?);
            let message = Message::parse(&octets)?;
            if message.id == 0 && message.operation == EXTENDED_RESPONSE {
                return Err(ConnectError::Closed);
            }
            if message.id != u32::from(id) {
                return Err(Malformed::Structure.into());
            }
            match message.operation {
                SEARCH_ENTRY => collect_values(message.content, attribute, &mut values)?,
                // Referrals are not followed: the directory is what its URLs say.
                SEARCH_REFERENCE => {}
                SEARCH_DONE => return Ok((values, Outcome::parse(message.content)?)),
                _ => return Err(Malformed::Structure.into()),
            }
        }
    }

    /// Sends a request and reads its answer, which must be the next message.
    async fn ask(
        &mut self,
        id: u8,
        operation: u8,
        content: &[u8],
        answer: u8,
    ) -> Result<Outcome, ConnectError> {
        self.send(id, operation, content).await?;
        let octets = self.read_message().await?;
        let message = Message::parse(&octets)?;
        let goodbye = message.id == 0 && message.operation == EXTENDED_RESPONSE;
        if !goodbye && (message.id != u32::from(id) || message.operation != answer) {
            return Err(Malformed::Structure.into());
        }
        let outcome = Outcome::parse(message.content)?;
        if goodbye && outcome.code == SUCCESS {
            return Err(ConnectError::Closed);
        }
        Ok(outcome)
    }

    async fn send(&mut self, id: u8, operation: u8, content: &[u8]) -> Result<(), ConnectError> {
        let mut inside = buffer(content.len() + 16);
        ber::append(&mut inside, INTEGER, &[id]);
        ber::append(&mut inside, operation, content);
        let mut request = buffer(inside.len() + 16);
        ber::append(&mut request, SEQUENCE, &inside);
        self.stream.write_all(&request).await.map_err(ConnectError::Io)?;
        self.stream.flush().await.map_err(ConnectError::Io)
    }

    async fn read_message(&mut self) -> Result<Vec<u8>, ConnectError> {
        loop {
            if let Some(length) = ber::message_length(&self.unread, MAX_ANSWER)?
                && self.unread.len() >= length
            {
                let rest = self.unread.split_off(length);
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            if self.stream.read_buf(&mut self.unread).await.map_err(ConnectError::Io)? == 0 {
                return Err(ConnectError::Closed);
            }
        }
    }
}

/// A buffer that is overwritten when it is dropped, large enough to stay where it is.
fn buffer(capacity: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(capacity))
}

/// The content of a `BindRequest` (RFC 4511 section 4.2).
fn bind_request(bind: &Bind) -> Zeroizing<Vec<u8>> {
    let (name, password) = match bind {
        Bind::Anonymous => ("", &[][..]),
        Bind::Simple { dn, password } => (dn.as_str(), password.expose()),
        Bind::External => {
            let mut credentials = buffer(16);
            ber::append(&mut credentials, OCTET_STRING, b"EXTERNAL");
            // Nobody else to act for; without this the server would ask.
            ber::append(&mut credentials, OCTET_STRING, b"");
            let mut content = buffer(32);
            append_version_and_name(&mut content, "");
            ber::append(&mut content, SASL, &credentials);
            return content;
        }
    };
    simple_bind(name, password)
}

fn simple_bind(name: &str, password: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut content = buffer(name.len() + password.len() + 32);
    append_version_and_name(&mut content, name);
    ber::append(&mut content, SIMPLE, password);
    content
}

/// The content of a `SearchRequest` (RFC 4511 section 4.5.1) for one attribute of one entry.
fn base_search(dn: &str, attribute: &str) -> Zeroizing<Vec<u8>> {
    let mut wanted = buffer(attribute.len() + 4);
    ber::append(&mut wanted, OCTET_STRING, attribute.as_bytes());
    let mut content = buffer(dn.len() + attribute.len() + 64);
    ber::append(&mut content, OCTET_STRING, dn.as_bytes());
    // baseObject, neverDerefAliases.
    ber::append(&mut content, ENUMERATED, &[0]);
    ber::append(&mut content, ENUMERATED, &[0]);
    // Not more than the entry itself; the time is kept here.
    ber::append(&mut content, INTEGER, &[1]);
    ber::append(&mut content, INTEGER, &[0]);
    ber::append(&mut content, BOOLEAN, &[0]);
    ber::append(&mut content, PRESENT, b"objectClass");
    ber::append(&mut content, SEQUENCE, &wanted);
    content
}

/// Adds the values that a `SearchResultEntry` has of an attribute.
fn collect_values(
    content: &[u8],
    attribute: &AttributeName,
    values: &mut Vec<Secret>,
) -> Result<(), Malformed> {
    let mut entry = Reader(content);
    entry.expect(OCTET_STRING)?;
    let mut attributes = Reader(entry.expect(SEQUENCE)?);
    while let Some(element) = attributes.next()? {
        if element.tag != SEQUENCE {
            return Err(Malformed::Structure);
        }
        let mut parts = Reader(element.content);
        let name = AttributeName::parse(parts.text()?);
        let mut set = Reader(parts.expect(SET)?);
        let asked = name.is_some_and(|name| attribute.selects(&name));
        while let Some(value) = set.next()? {
            if value.tag != OCTET_STRING {
                return Err(Malformed::Structure);
            }
            if asked {
                values.push(Secret::from(value.content));
            }
        }
    }
    Ok(())
}

fn append_version_and_name(content: &mut Zeroizing<Vec<u8>>, name: &str) {
    ber::append(content, INTEGER, &[3]);
    ber::append(content, OCTET_STRING, name.as_bytes());
}

fn bind_hint(code: u32) -> &'static str {
    match code_name(code) {
        "invalidCredentials" => ": check the bind DN and the bind password",
        "confidentialityRequired" | "strongerAuthRequired" => {
            ": the server wants encryption: use ldaps:// or StartTLS"
        }
        "authMethodNotSupported" => {
            ": EXTERNAL works over ldapi:// or with a client certificate that the server asks for"
        }
        "inappropriateAuthentication" => ": the server does not allow this kind of bind here",
        "invalidDNSyntax" | "noSuchObject" => ": check the bind DN",
        _ => "",
    }
}
