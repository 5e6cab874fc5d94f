//! A listener with the real driver behind it, scripted policies, and scripted back ends.

#![expect(clippy::unwrap_used, reason = "what cannot be set up has failed the test")]

pub(crate) mod certificates;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use waypost_directory::Directory;
use waypost_login::{Driver, Entrance, Metrics, Settings};
use waypost_model::{
    Answer, Consultation, Context, ContextReads, Decision, Domain, Encryption, Failure, Host,
    Lookup, Protocol, Route, Target, Trouble, Verification,
};
use waypost_net::backend::{Backend, BackendSettings, BackendTable};
use waypost_net::connect::Connector;
use waypost_net::health::{Health, HealthSettings};
use waypost_net::limits::Limits;
use waypost_net::listener::{Inherited, Listener, ListenerSettings, bind};
use waypost_net::resolve::{Resolver, ResolverSettings};
use waypost_net::session::{SessionKind, SessionTable};
use waypost_routing::{
    Decide, DomainTable, LoginNameRules, OnFault, PolicyIdentity, Router, Served,
};
use waypost_session::{Generation, Grant, Process, Seldom, SessionIds, Users};
use waypost_verify::{Decoys, FailureSettings, Failures, Verifier};
use waypost_wire::login::{FrontSettings, Mechanism};

use self::certificates::Certified;

/// What the scripted policy answers now.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// These hosts, in this order.
    To(Vec<SocketAddr>),
    Unknown,
    DirectoryDown,
}

pub(crate) struct Scripted {
    name: Arc<str>,
    grant: Arc<Loopback>,
    pub(crate) script: ArcSwap<Script>,
    verification: Verification,
    pub(crate) asked: AtomicUsize,
    /// What was known of the client who was asked about last.
    pub(crate) context: ArcSwapOption<Context>,
}

/// Grants 127.0.0.0/8 but 127.0.0.99.
#[derive(Debug)]
pub(crate) struct Loopback;

impl Grant for Loopback {
    fn allows_resolved(&self, _host: &Host, address: &IpAddr) -> bool {
        address.is_loopback() && *address != IpAddr::from([127, 0, 0, 99])
    }
}

impl Decide for Scripted {
    type Targets = Loopback;

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn identity(&self) -> PolicyIdentity {
        PolicyIdentity::from_digest(&[1; 32])
    }

    fn targets(&self) -> &Arc<Loopback> {
        &self.grant
    }

    async fn decide(&self, _: Arc<Lookup>, context: Arc<Context>, _: bool) -> Consultation {
        self.context.store(Some(context));
        self.asked.fetch_add(1, Ordering::Relaxed);
        let decision = match &**self.script.load() {
            Script::To(hosts) => Ok(Decision::Route(Arc::new(Route {
                targets: hosts.iter().map(target).collect(),
                identity: None,
                verification: self.verification.clone(),
            }))),
            Script::Unknown => Ok(Decision::Refuse(waypost_model::Refusal::UnknownUser)),
            Script::DirectoryDown => Err(Trouble::Failure(Failure::DirectoryUnavailable)),
        };
        Consultation {
            result: decision.map(|decision| Answer { decision, cache_for: None }),
            reads: ContextReads::NONE,
            degraded: false,
            searches: Vec::new(),
        }
    }
}

fn target(address: &SocketAddr) -> Target {
    Target {
        host: Host::Address(address.ip()),
        port: address.port().try_into().ok(),
        encryption: None,
        tls_name: None,
    }
}

/// A Waypost around the driver: one listener, one scripted policy for `a.test`.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) process: Arc<Process<Scripted>>,
    pub(crate) policy: Arc<Scripted>,
    greeting: &'static str,
    certified: Option<Certified>,
}

/// What a test may set.
pub(crate) struct Plan {
    pub(crate) protocol: Protocol,
    pub(crate) settings: Settings,
    pub(crate) backend: BackendSettings,
    pub(crate) max_connections_per_user: Option<u32>,
    pub(crate) cache_for: Duration,
    /// How the routes say that passwords are checked.
    pub(crate) by: Verification,
    pub(crate) directories: HashMap<Arc<str>, Directory>,
    pub(crate) verification: waypost_verify::Settings,
    pub(crate) failures: FailureSettings,
    pub(crate) master_separator: Option<char>,
    pub(crate) mechanisms: Vec<Mechanism>,
    /// Offers STARTTLS, and asks clients for certificates.
    pub(crate) certified: Option<Certified>,
}

impl Default for Plan {
    fn default() -> Self {
        let settings = Settings {
            auth_failure_delay: Duration::from_millis(100),
            retry_for: Duration::ZERO,
            ..Settings::default()
        };
        let backend = BackendSettings {
            encryption: Encryption::None,
            connect_timeout: Duration::from_millis(500),
            reply_timeout: Duration::from_millis(500),
            ..BackendSettings::new(Protocol::Imap)
        };
        Self {
            protocol: Protocol::Imap,
            settings,
            backend,
            max_connections_per_user: None,
            cache_for: Duration::from_secs(60),
            by: Verification::ByBackend,
            directories: HashMap::new(),
            verification: waypost_verify::Settings::default(),
            failures: FailureSettings::default(),
            master_separator: None,
            mechanisms: Mechanism::ALL.to_vec(),
            certified: None,
        }
    }
}

impl House {
    pub(crate) fn start(script: Script) -> Self {
        Self::start_with(script, Plan::default())
    }

    pub(crate) fn start_with(script: Script, plan: Plan) -> Self {
        let policy = Arc::new(Scripted {
            name: Arc::from("scripted"),
            grant: Arc::new(Loopback),
            script: ArcSwap::from_pointee(script),
            verification: plan.by,
            asked: AtomicUsize::new(0),
            context: ArcSwapOption::empty(),
        });
        let limits = Limits::new(1000);
        let metrics = waypost_net::Metrics::default();
        let listener = ListenerSettings {
            bind: vec!["127.0.0.1:0".parse().unwrap()],
            max_connections_per_user: plan.max_connections_per_user,
            ..ListenerSettings::new("door", plan.protocol, Encryption::None)
        };
        let one = NonZeroUsize::MIN;
        let bound = bind(&[Arc::new(listener)], one, Inherited::default(), &limits, &metrics);
        let mut bound = bound.unwrap();
        let socket = bound.workers.remove(0).remove(0);
        let address = socket.address();
        let backend = plan.backend;
        let table = BackendTable::new([], Backend::new(|_| backend.clone())).unwrap();
        let served = Served {
            pattern: "a.test".parse().unwrap(),
            policies: vec![policy.clone()],
            on_fault: OnFault::Defer,
            shadow: None,
        };
        let generation = Generation {
            domains: DomainTable::new([served]).unwrap(),
            backends: table,
            directories: plan.directories,
        };
        let resolver = Resolver::new(ResolverSettings::default(), metrics.clone()).unwrap();
        let health = Health::new(HealthSettings::default(), metrics.clone());
        let cache = waypost_routing::Settings { cache_for: plan.cache_for, ..Default::default() };
        let process = Arc::new(Process {
            generation: ArcSwap::from_pointee(generation),
            router: Router::new(cache, routing_metrics()),
            connector: Connector::new(resolver, health, bound.own, metrics),
            verifier: Verifier::new(plan.verification, waypost_verify::Metrics::default()),
            failures: Failures::new(plan.failures, waypost_verify::Metrics::default()),
            sessions: SessionTable::new(),
            session_ids: SessionIds::new(),
            warned: Seldom::default(),
            users: Users::Clear,
        });
        let driver = Arc::new(Driver {
            process: process.clone(),
            settings: plan.settings,
            decoys: Decoys::default(),
            metrics: Metrics::default(),
        });
        let entrance = Arc::new(Entrance {
            kind: Arc::new(SessionKind {
                listener: Arc::from("door"),
                protocol: plan.protocol,
                idle_limit: Duration::from_secs(1860),
            }),
            acceptor: plan.certified.as_ref().map(|certified| certified.acceptor.clone()),
            front: Arc::new(FrontSettings {
                encryption: match &plan.certified {
                    Some(_) => Encryption::Starttls,
                    None => Encryption::None,
                },
                allow_plaintext: true,
                hostname: Arc::from("mx.test"),
                mechanisms: plan.mechanisms,
                apop: true,
                ..FrontSettings::default()
            }),
            names: LoginNameRules {
                default_domain: Some(Domain::new("a.test").unwrap()),
                master_separator: plan.master_separator,
                ..LoginNameRules::default()
            },
        });
        let listener = Listener::new(socket).unwrap();
        tokio::spawn(async move {
            loop {
                let accepted = listener.accept().await;
                let (driver, entrance) = (driver.clone(), entrance.clone());
                tokio::spawn(waypost_login::serve(driver, entrance, accepted));
            }
        });
        let greeting = if plan.protocol == Protocol::Imap { "* OK" } else { "220 mx.test" };
        Self { address, process, policy, greeting, certified: plan.certified }
    }

    /// From now on the policy answers this.
    pub(crate) fn answer(&self, script: Script) {
        self.policy.script.store(Arc::new(script));
    }

    /// A client that has read the greeting.
    pub(crate) async fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut client = Client { stream: Box::new(stream), unread: String::new() };
        let greeting = client.line().await;
        assert!(greeting.starts_with(self.greeting), "{greeting}");
        client
    }

    /// A client that has begun TLS and shown its certificate.
    pub(crate) async fn certified_client(&self) -> Client {
        let certified = self.certified.as_ref().expect("the house asks for certificates");
        let mut client = self.client().await;
        client.say("s STARTTLS\r\n").await;
        let reply = client.tagged("s").await;
        assert!(reply.starts_with("s OK"), "{reply}");
        Client { stream: certified.connect(client.stream).await, unread: String::new() }
    }

    /// Logs in and returns the tagged reply.
    pub(crate) async fn log_in(&self, user: &str, password: &str) -> (Client, String) {
        let mut client = self.client().await;
        client.say(&format!("a LOGIN {user} {password}\r\n")).await;
        let reply = client.tagged("a").await;
        (client, reply)
    }
}

fn routing_metrics() -> waypost_routing::Metrics {
    waypost_routing::Metrics::register(&mut prometheus_client::registry::Registry::default())
}

/// A connection, in clear or not.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A mail client.
pub(crate) struct Client {
    stream: Box<dyn Duplex>,
    unread: String,
}

impl Client {
    pub(crate) async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next line; empty when the server has closed.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.find("\r\n") {
                return self.unread.drain(..end + 2).collect();
            }
            let mut buffer = [0; 4096];
            let reading = self.stream.read(&mut buffer);
            let read = tokio::time::timeout(Duration::from_secs(20), reading).await;
            match read.expect("the server says something") {
                Ok(0) | Err(_) => return std::mem::take(&mut self.unread),
                Ok(length) => self.unread += std::str::from_utf8(&buffer[..length]).unwrap(),
            }
        }
    }

    /// The next reply, in a protocol whose replies go on while a hyphen follows their code.
    pub(crate) async fn reply(&mut self) -> String {
        let mut reply = self.line().await;
        while reply.lines().last().is_some_and(|line| line.get(3..4) == Some("-")) {
            reply += &self.line().await;
        }
        reply
    }

    /// The reply with this tag, what comes before it left out.
    pub(crate) async fn tagged(&mut self, tag: &str) -> String {
        loop {
            let line = self.line().await;
            assert!(!line.is_empty(), "closed before the reply to {tag}");
            if line.starts_with(&format!("{tag} ")) {
                return line;
            }
        }
    }
}

/// A back end that follows a script for each connection.
pub(crate) struct BackEnd {
    pub(crate) address: SocketAddr,
    heard: Arc<parking_lot::Mutex<String>>,
    task: tokio::task::JoinHandle<()>,
}

/// One thing that a scripted back end does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Do {
    Say(&'static str),
    /// Reads lines until one holds this.
    Hear(&'static str),
    /// Reads lines until one holds this, and replies with its tag and these words.
    Reply(&'static str, &'static str),
    /// Sends back whatever comes.
    Echo,
    /// Says nothing more, and stays.
    Sulk,
}

/// Greets like an ordinary server.
pub(crate) const GREET: Do = Do::Say("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID] ready\r\n");
/// Lets everybody in.
pub(crate) const ACCEPT: Do = Do::Reply("LOGIN", "OK [CAPABILITY IMAP4rev1 IDLE] in");

impl BackEnd {
    /// Follows `script` on each connection, and closes it at the script's end.
    pub(crate) async fn start(script: &'static [Do]) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script).await
    }

    pub(crate) async fn start_at(address: SocketAddr, script: &'static [Do]) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(parking_lot::Mutex::new(String::new()));
        let ears = heard.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(follow(stream, script, ears.clone()));
            }
        });
        Self { address, heard, task }
    }

    /// Everything that was said to it.
    pub(crate) fn heard(&self) -> String {
        self.heard.lock().clone()
    }
}

impl Drop for BackEnd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(
    mut stream: TcpStream,
    script: &[Do],
    heard: Arc<parking_lot::Mutex<String>>,
) -> Option<()> {
    let mut unread = String::new();
    let mut hear = async |stream: &mut TcpStream, wanted: &str| loop {
        if let Some(end) = unread.find("\r\n") {
            let line: String = unread.drain(..end + 2).collect();
            if line.contains(wanted) {
                return Some(line);
            }
            continue;
        }
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        heard.lock().push_str(&text);
        unread += &text;
    };
    for step in script {
        match step {
            Do::Say(text) => stream.write_all(text.as_bytes()).await.ok()?,
            Do::Hear(wanted) => {
                hear(&mut stream, wanted).await?;
            }
            Do::Reply(wanted, words) => {
                let line = hear(&mut stream, wanted).await?;
                let tag = line.split(' ').next()?;
                stream.write_all(format!("{tag} {words}\r\n").as_bytes()).await.ok()?;
            }
            Do::Echo => {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await.ok()?;
            }
            Do::Sulk => {
                let mut buffer = [0; 4096];
                while let Ok(length) = stream.read(&mut buffer).await
                    && length > 0
                {
                    heard.lock().push_str(&String::from_utf8_lossy(&buffer[..length]));
                }
            }
        }
    }
    Some(())
}

/// Nobody listens here.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
