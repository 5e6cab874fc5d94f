//! What the relay costs, beside a naive one in the same run.
//!
//! `cargo run --release -p waypost-net --example relay_cost` prints, for plain and TLS client legs,
//! the processor time of the relay's process for each MB and each small exchange, that of a TLS
//! session from handshake to close, and the memory of an idle session. The naive relay is
//! `tokio::io::copy_bidirectional`, with tokio-rustls for TLS. Client and back end are in another
//! process; figures drift with the machine, so compare within one run only.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, io};

use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use waypost_model::Protocol;
use waypost_net::session::{SessionKind, SessionTable};
use waypost_net::tls::{
    Acceptor, AcceptorSettings, CertificateFiles, Certificates, Connector, ConnectorSettings, Roots,
};
use waypost_net::{Leg, Stream, relay};

type Anything<T> = Result<T, Box<dyn Error + Send + Sync>>;

const TRANSFER: usize = 1 << 30;
const EXCHANGES: usize = 50_000;
const HANDSHAKES: usize = 2_000;
const SESSIONS: usize = 2_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Relay {
    Waypost,
    Naive,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientLeg {
    Plain,
    Tls,
}

impl Relay {
    fn name(self) -> &'static str {
        match self {
            Self::Waypost => "waypost",
            Self::Naive => "naive",
        }
    }
}

impl ClientLeg {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
        }
    }
}

fn main() -> Anything<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match *arguments.as_slice() {
        ["relay", kind, leg, back_end, folder] => {
            let kind = if kind == "waypost" { Relay::Waypost } else { Relay::Naive };
            let leg = if leg == "tls" { ClientLeg::Tls } else { ClientLeg::Plain };
            runtime.block_on(serve(kind, leg, back_end.parse()?, Path::new(folder)))
        }
        _ => runtime.block_on(measure_all(&arguments)),
    }
}

/// Measures every combination, or those that `only` names by leg, relay or both.
async fn measure_all(only: &[&str]) -> Anything<()> {
    let folder = tempfile::tempdir()?;
    let mut parameters = CertificateParams::new(vec!["relay.test".to_owned()])?;
    parameters.is_ca = rcgen::IsCa::NoCa;
    let key = KeyPair::generate()?;
    fs::write(folder.path().join("cert.pem"), parameters.self_signed(&key)?.pem())?;
    fs::write(folder.path().join("key.pem"), key.serialize_pem())?;

    println!(
        "client leg  relay     ms/MB down  ms/MB up  us/exchange  us/session  KiB/idle session"
    );
    for leg in [ClientLeg::Plain, ClientLeg::Tls] {
        for kind in [Relay::Naive, Relay::Waypost] {
            if only.iter().all(|&name| name == kind.name() || name == leg.name()) {
                measure(kind, leg, folder.path()).await?;
            }
        }
    }
    Ok(())
}

async fn measure(kind: Relay, leg: ClientLeg, folder: &Path) -> Anything<()> {
    let back_end = TcpListener::bind("127.0.0.1:0").await?;
    let bench = Bench {
        process: Process::start(kind, leg, back_end.local_addr()?, folder)?,
        back_end,
        connector: match leg {
            ClientLeg::Plain => None,
            ClientLeg::Tls => Some(Connector::new(ConnectorSettings {
                roots: Roots::File(folder.join("cert.pem")),
                ..Default::default()
            })?),
        },
    };
    // Once unmeasured, so that everything is loaded and every buffer is there.
    bench.transfer(TRANSFER / 8, Way::Down).await?;
    bench.transfer(TRANSFER / 8, Way::Up).await?;
    let megabytes = (TRANSFER >> 20) as f64;
    let down = bench.transfer(TRANSFER, Way::Down).await?.as_secs_f64() * 1e3 / megabytes;
    let up = bench.transfer(TRANSFER, Way::Up).await?.as_secs_f64() * 1e3 / megabytes;
    let exchange = bench.exchanges().await?.as_secs_f64() * 1e6 / EXCHANGES as f64;
    let session = bench.sessions().await?.as_secs_f64() * 1e6 / HANDSHAKES as f64;
    let memory = bench.idle_memory().await?;
    println!(
        "{:<11} {:<9} {down:10.3} {up:9.3} {exchange:12.2} {session:11.1} {memory:17.2}",
        leg.name(),
        kind.name(),
    );
    Ok(())
}

#[derive(Clone, Copy)]
enum Way {
    Down,
    Up,
}

struct Bench {
    process: Process,
    back_end: TcpListener,
    connector: Option<Connector>,
}

impl Bench {
    /// A session through the relay: the client's end and the back end's.
    async fn session(&self) -> Anything<(Stream, Stream)> {
        let client = async {
            let tcp = TcpStream::connect(self.process.address).await?;
            tcp.set_nodelay(true)?;
            let Some(connector) = &self.connector else {
                return Ok::<_, Box<dyn Error + Send + Sync>>(tcp.into());
            };
            let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
            let tls = connector.connect(tcp, &"relay.test".parse()?, deadline).await?;
            Ok(Stream::from(tls))
        };
        let (client, accepted) = tokio::join!(client, self.back_end.accept());
        let (back_end, _) = accepted?;
        back_end.set_nodelay(true)?;
        Ok((client?, back_end.into()))
    }

    /// The relay's processor time while so many bytes pass one way.
    async fn transfer(&self, total: usize, way: Way) -> Anything<Duration> {
        let (client, back_end) = self.session().await?;
        let (mut sender, mut receiver) = match way {
            Way::Down => (back_end, client),
            Way::Up => (client, back_end),
        };
        let before = self.process.processor_time()?;
        let send = async {
            let bytes = vec![b'x'; 256 * 1024];
            for _ in 0..total / bytes.len() {
                sender.write_all(&bytes).await?;
            }
            io::Result::Ok(())
        };
        let receive = async {
            let mut buffer = vec![0; 256 * 1024];
            let mut received = 0;
            while received < total {
                match receiver.read(&mut buffer).await? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => received += count,
                }
            }
            Ok(())
        };
        tokio::try_join!(send, receive)?;
        Ok(self.process.processor_time()? - before)
    }

    /// The relay's processor time for questions of 60 bytes with answers of 200.
    async fn exchanges(&self) -> Anything<Duration> {
        let (mut client, mut back_end) = self.session().await?;
        let mut buffer = [0; 1024];
        let before = self.process.processor_time()?;
        for _ in 0..EXCHANGES {
            client.write_all(&[b'q'; 60]).await?;
            back_end.read(&mut buffer).await?;
            back_end.write_all(&[b'a'; 200]).await?;
            client.read(&mut buffer).await?;
        }
        Ok(self.process.processor_time()? - before)
    }

    /// The relay's processor time for whole sessions with one exchange each; over TLS with a full
    /// handshake, since each client is a new one.
    async fn sessions(&self) -> Anything<Duration> {
        let before = self.process.processor_time()?;
        for _ in 0..HANDSHAKES {
            let (mut client, mut back_end) = self.fresh().session().await?;
            exchange(&mut client, &mut back_end).await?;
            client.shutdown().await?;
            back_end.read(&mut [0; 1]).await?;
            back_end.shutdown().await?;
            client.read(&mut [0; 1]).await?;
        }
        Ok(self.process.processor_time()? - before)
    }

    /// KiB of the relay's proportional set size for each of many sessions that have exchanged a
    /// few bytes and are silent.
    async fn idle_memory(&self) -> Anything<f64> {
        let before = self.process.memory()?;
        let mut sessions = Vec::with_capacity(SESSIONS);
        for _ in 0..SESSIONS {
            let (mut client, mut back_end) = self.session().await?;
            exchange(&mut client, &mut back_end).await?;
            sessions.push((client, back_end));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let after = self.process.memory()?;
        drop(sessions);
        Ok((after as f64 - before as f64) / SESSIONS as f64)
    }

    /// A client that remembers no session to resume.
    fn fresh(&self) -> &Self {
        if let Some(connector) = &self.connector {
            connector.forget_sessions();
        }
        self
    }
}

async fn exchange(client: &mut Stream, back_end: &mut Stream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    client.write_all(b"a1 NOOP\r\n").await?;
    back_end.read(&mut buffer).await?;
    back_end.write_all(b"a1 OK done\r\n").await?;
    client.read(&mut buffer).await?;
    Ok(())
}

/// The process under measurement: this program again.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(kind: Relay, leg: ClientLeg, back_end: SocketAddr, folder: &Path) -> Anything<Self> {
        let mut child = Command::new(env::current_exe()?)
            .arg("relay")
            .args([kind.name(), leg.name()])
            .arg(back_end.to_string())
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }

    fn processor_time(&self) -> Anything<Duration> {
        // proc(5): time on the processor, in nanoseconds.
        let path = format!("/proc/{}/schedstat", self.child.id());
        let text = fs::read_to_string(path)?;
        let nanoseconds = text.split_whitespace().next().ok_or("no figure")?.parse()?;
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// In KiB.
    fn memory(&self) -> Anything<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = text.lines().find(|line| line.starts_with("Pss:")).ok_or("no figure")?;
        Ok(line.split_whitespace().nth(1).ok_or("no figure")?.parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn serve(kind: Relay, leg: ClientLeg, back_end: SocketAddr, folder: &Path) -> Anything<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    io::stdout().flush()?;
    match kind {
        Relay::Waypost => serve_waypost(listener, leg, back_end, folder).await,
        Relay::Naive => serve_naive(listener, leg, back_end, folder).await,
    }
}

async fn serve_waypost(
    listener: TcpListener,
    leg: ClientLeg,
    back_end: SocketAddr,
    folder: &Path,
) -> Anything<()> {
    let files = CertificateFiles { chain: folder.join("cert.pem"), key: folder.join("key.pem") };
    let acceptor = match leg {
        ClientLeg::Plain => None,
        ClientLeg::Tls => {
            Some(Acceptor::new(Certificates::load(vec![files])?, AcceptorSettings::default())?)
        }
    };
    let table = SessionTable::new();
    tokio::spawn(table.clone().sweep_forever());
    let kind = Arc::new(SessionKind {
        listener: "bench".into(),
        protocol: Protocol::Imap,
        idle_limit: Duration::from_secs(1860),
    });
    loop {
        let (client, peer) = listener.accept().await?;
        client.set_nodelay(true)?;
        let (acceptor, record) = (acceptor.clone(), table.open(&kind, peer));
        // As in a login: the task of the handshake ends by spawning the relay, which is smaller.
        tokio::spawn(async move {
            let client: Stream = match acceptor {
                None => client.into(),
                Some(acceptor) => {
                    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
                    acceptor.accept(client, deadline).await?.into()
                }
            };
            let back_end = TcpStream::connect(back_end).await?;
            back_end.set_nodelay(true)?;
            record.set_route("user@example.test", "north:143");
            tokio::spawn(relay(Leg::from(client), Leg::from(Stream::from(back_end)), record));
            Anything::Ok(())
        });
    }
}

async fn serve_naive(
    listener: TcpListener,
    leg: ClientLeg,
    back_end: SocketAddr,
    folder: &Path,
) -> Anything<()> {
    let acceptor = match leg {
        ClientLeg::Plain => None,
        ClientLeg::Tls => Some(naive_acceptor(folder)?),
    };
    loop {
        let (mut client, _) = listener.accept().await?;
        client.set_nodelay(true)?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let mut back_end = TcpStream::connect(back_end).await?;
            back_end.set_nodelay(true)?;
            match acceptor {
                None => tokio::io::copy_bidirectional(&mut client, &mut back_end).await?,
                Some(acceptor) => {
                    let mut client = acceptor.accept(client).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut back_end).await?
                }
            };
            io::Result::Ok(())
        });
    }
}

fn naive_acceptor(folder: &Path) -> Anything<tokio_rustls::TlsAcceptor> {
    let file = |name: &str| -> PathBuf { folder.join(name) };
    let chain = vec![CertificateDer::from_pem_file(file("cert.pem"))?];
    let key = PrivateKeyDer::from_pem_file(file("key.pem"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(tokio_rustls::TlsAcceptor::from(Arc::new(config)))
}
