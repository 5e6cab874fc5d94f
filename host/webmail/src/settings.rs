use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use waypost_net::networks::Networks;

use crate::Identification;

/// How webmail is served, on every listener: the table `[webmail]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Our own name, in `Via`. `localhost`.
    pub hostname: Arc<str>,
    /// `auth-failure-delay` of `[login]`: after how long rejected credentials are answered,
    /// measured from the request, with up to a quarter more by chance. 2 s.
    pub auth_failure_delay: Duration,
    /// `realm`: what browsers show when they ask for a password. `Webmail`.
    pub realm: Arc<str>,
    /// `trusted-proxies`: peers whose `Forwarded` and `X-Forwarded-*` fields are believed. Nobody.
    pub trusted_proxies: Networks,
    /// `header-timeout`: how long each of these may take: a TLS handshake, the first octet behind
    /// it, the head of an HTTP/1.1 request from its first octet to its last, and an HTTP/2 client
    /// to show that it is still there. 10 s.
    pub header_timeout: Duration,
    /// `keep-alive`: how long a connection may wait for its next request. 75 s.
    pub keep_alive: Duration,
    /// `stall-timeout`: how long a body may come no further, or a peer may take nothing. 60 s.
    pub stall_timeout: Duration,
    /// `answer-timeout`: how long a back end may take from the whole request to the head of its
    /// answer. 2 min.
    pub answer_timeout: Duration,
    /// `push-timeout`: the same where the back end answers when something happens: ActiveSync's
    /// Ping and Sync wait for up to an hour. 65 min.
    pub push_timeout: Duration,
    /// `tunnel-timeout`: how long a WebSocket, or what else a connection was upgraded to, may be
    /// silent. 1 h.
    pub tunnel_timeout: Duration,
    /// `max-header-size`: the longest head of a request, in octets. 32 KiB.
    pub max_header_size: usize,
    /// `max-headers`: the most fields of a request. 100.
    pub max_headers: usize,
    /// `max-body-size`: the longest body of a request, in octets. 128 MiB.
    pub max_body_size: u64,
    /// `max-streams`: requests at once on one HTTP/2 connection. 100.
    pub max_streams: u32,
    /// `max-requests`: requests at once in the whole process. 10,000.
    pub max_requests: usize,
    /// `max-requests-per-user`: requests at once of one user. 100.
    pub max_requests_per_user: usize,
    /// `idle-backends`: how many idle connections with one back end a worker keeps. 64.
    pub idle_backends: NonZeroUsize,
    /// `idle-backend-timeout`: for how long one is kept. Shorter than back ends keep theirs. 4 s.
    pub idle_backend_timeout: Duration,
    /// `backend-age`: no connection with a back end is used for longer, so that what has moved
    /// behind a name is noticed. 10 min.
    pub backend_age: Duration,
    /// How users are made out who bring no Basic credentials.
    pub identification: Identification,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hostname: "localhost".into(),
            auth_failure_delay: Duration::from_secs(2),
            realm: "Webmail".into(),
            trusted_proxies: Networks::default(),
            header_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(60),
            answer_timeout: Duration::from_secs(120),
            push_timeout: Duration::from_secs(65 * 60),
            tunnel_timeout: Duration::from_secs(3600),
            max_header_size: 32 << 10,
            max_headers: 100,
            max_body_size: 128 << 20,
            max_streams: 100,
            max_requests: 10_000,
            max_requests_per_user: 100,
            idle_backends: const { NonZeroUsize::new(64).unwrap() },
            idle_backend_timeout: Duration::from_secs(4),
            backend_age: Duration::from_secs(600),
            identification: Identification::default(),
        }
    }
}
