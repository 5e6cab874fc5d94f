//! What these tests share: a scripted name server, listeners, children.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use waypost_model::{Encryption, Host, Protocol};
use waypost_net::Metrics;
use waypost_net::limits::Limits;
use waypost_net::listener::{Bound, Inherited, Listener, ListenerSettings, bind};
use waypost_net::resolve::{Resolver, ResolverSettings};

/// Longer than anything that is to happen takes, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that happens soon.
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        let done = timeout(PATIENCE, future).await;
        done.unwrap_or_else(|_| panic!("{caller}: this did not happen in time"))
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(mut is_so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "{caller}: this did not become so in time");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn host(text: &str) -> Host {
    text.parse().unwrap()
}

/// An IMAP listener in clear at `bind`.
pub(crate) fn settings(name: &str, bind: &[&str]) -> ListenerSettings {
    ListenerSettings {
        bind: bind.iter().map(|text| address(text)).collect(),
        ..ListenerSettings::new(name, Protocol::Imap, Encryption::None)
    }
}

/// Binds listeners for a number of workers, with room for every connection.
pub(crate) fn bind_for(
    workers: usize,
    listeners: impl IntoIterator<Item = ListenerSettings>,
) -> Result<Bound, waypost_net::listener::BindError> {
    let listeners: Vec<_> = listeners.into_iter().map(Arc::new).collect();
    let workers = NonZeroUsize::new(workers).unwrap();
    bind(&listeners, workers, Inherited::none(), &Limits::new(1000), &Metrics::default())
}

/// One listener of one worker, with its address and the counts of its process.
pub(crate) fn listen(settings: ListenerSettings) -> (Listener, SocketAddr, Arc<Limits>) {
    let limits = Limits::new(1000);
    let one = NonZeroUsize::MIN;
    let listeners = [Arc::new(settings)];
    let mut bound = bind(&listeners, one, Inherited::none(), &limits, &Metrics::default()).unwrap();
    let socket = bound.workers.remove(0).remove(0);
    let address = socket.address();
    (Listener::new(socket).unwrap(), address, limits)
}

/// What the name server does with one name.
#[derive(Clone, Debug)]
pub(crate) enum Zone {
    /// These addresses, for so many seconds. A family without an address is an empty answer.
    Addresses(Vec<IpAddr>, u32),
    /// The same, but questions for the other family are swallowed.
    OnlyAnswers(RecordType, Vec<IpAddr>),
    /// SERVFAIL.
    Fails,
    /// No answer.
    Silent,
}

/// A name server on loopback that knows a few names and says NXDOMAIN for all others.
pub(crate) struct NameServer {
    address: SocketAddr,
    zones: Arc<Mutex<HashMap<String, Zone>>>,
    questions: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl NameServer {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let zones = Arc::new(Mutex::new(HashMap::new()));
        let questions = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(serve(socket, zones.clone(), questions.clone()));
        Self { address, zones, questions, task }
    }

    pub(crate) fn set(&self, name: &str, zone: Zone) {
        self.zones.lock().unwrap().insert(format!("{name}."), zone);
    }

    pub(crate) fn addresses(&self, name: &str, addresses: &[&str], ttl: u32) {
        self.set(name, Zone::Addresses(addresses.iter().map(|text| ip(text)).collect(), ttl));
    }

    /// How many questions came.
    pub(crate) fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }

    /// Settings that ask this server and no hosts file, with short times.
    pub(crate) fn settings(&self) -> ResolverSettings {
        ResolverSettings {
            servers: Some(vec![self.address]),
            hosts_file: PathBuf::from("/nonexistent/hosts"),
            deadline: Duration::from_millis(1500),
            stale_after: Duration::from_millis(200),
            ..ResolverSettings::default()
        }
    }

    pub(crate) fn resolver(&self) -> Resolver {
        Resolver::new(self.settings(), Metrics::default()).unwrap()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    socket: UdpSocket,
    zones: Arc<Mutex<HashMap<String, Zone>>>,
    questions: Arc<AtomicUsize>,
) {
    let mut buffer = [0; 1500];
    loop {
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        questions.fetch_add(1, Ordering::SeqCst);
        let question = Message::from_vec(&buffer[..length]).unwrap();
        let name = question.queries[0].name().to_ascii().to_lowercase();
        let zone = zones.lock().unwrap().get(&name).cloned();
        if let Some(reply) = answer(&question, zone) {
            socket.send_to(&reply.to_vec().unwrap(), client).await.unwrap();
        }
    }
}

fn answer(question: &Message, zone: Option<Zone>) -> Option<Message> {
    let query = &question.queries[0];
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.metadata.message_type = MessageType::Response;
    reply.metadata.recursion_available = true;
    reply.add_query(query.clone());
    let (addresses, ttl) = match zone {
        None => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            return Some(reply);
        }
        Some(Zone::Fails) => {
            reply.metadata.response_code = ResponseCode::ServFail;
            return Some(reply);
        }
        Some(Zone::Silent) => return None,
        Some(Zone::OnlyAnswers(kind, _)) if kind != query.query_type() => return None,
        Some(Zone::OnlyAnswers(_, addresses)) => (addresses, 60),
        Some(Zone::Addresses(addresses, ttl)) => (addresses, ttl),
    };
    for address in addresses {
        let data = RData::from(address);
        if data.record_type() == query.query_type() {
            reply.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
        }
    }
    Some(reply)
}

/// Set in a child process that [`in_child`] started.
const CHILD: &str = "WAYPOST_TEST_CHILD";

/// Runs `body` in a process of its own, for what changes the whole process. `test` is the full name
/// of the calling test.
pub(crate) fn in_child(test: &str, body: impl FnOnce()) {
    in_prepared_child(test, |_| {}, body);
}

/// The same with a hand in how the child is started.
pub(crate) fn in_prepared_child(
    test: &str,
    prepare: impl FnOnce(&mut Command),
    body: impl FnOnce(),
) {
    if std::env::var_os(CHILD).is_some() {
        return body();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    prepare(&mut command);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the child failed:\n{text}");
    assert!(text.contains("1 passed"), "the child ran no test:\n{text}");
}
