//! Many mail clients in one process.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// As many users as there are in the directory.
pub(crate) const USERS: usize = 1000;

#[derive(Clone, Copy, Subcommand)]
pub(crate) enum Load {
    /// Log in and out again, so many times, so many at once.
    Logins { count: usize, at_once: usize },
    /// Log in and fetch so many bytes over one connection.
    Fetch { bytes: usize },
    /// Send so many messages, each over a connection of its own, so many at once, to so many
    /// recipients on so many back ends.
    Mail { count: usize, at_once: usize, recipients: usize, back_ends: usize },
    /// Log in so many times, say `held`, and stay until standard input ends.
    Hold { count: usize },
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(crate) async fn run(address: SocketAddr, tls: bool, load: Load) -> anyhow::Result<()> {
    raise_descriptor_limit()?;
    let tls = tls.then(connector).transpose()?;
    println!("started");
    match load {
        Load::Logins { count, at_once } => logins(address, tls, count, at_once).await,
        Load::Fetch { bytes } => fetch(address, tls, bytes).await,
        Load::Mail { count, at_once, recipients, back_ends } => {
            many(count, at_once, move |number| send(address, number, recipients, back_ends)).await
        }
        Load::Hold { count } => hold(address, tls, count).await,
    }
}

/// Thousands of connections want thousands of descriptors.
pub(crate) fn raise_descriptor_limit() -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })?;
    Ok(())
}

async fn logins(
    address: SocketAddr,
    tls: Option<TlsConnector>,
    count: usize,
    at_once: usize,
) -> anyhow::Result<()> {
    many(count, at_once, move |number| {
        let tls = tls.clone();
        async move {
            let mut stream = log_in(address, tls.as_ref(), number).await?;
            stream.write_all(b"b LOGOUT\r\n").await?;
            until(&mut *stream, "b OK").await
        }
    })
    .await
}

/// Does something `count` times, `at_once` at once; each is told its number.
async fn many<F: Future<Output = anyhow::Result<()>> + Send>(
    count: usize,
    at_once: usize,
    each: impl Fn(usize) -> F + Clone + Send + 'static,
) -> anyhow::Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let (next, each) = (next.clone(), each.clone());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(());
                }
                each(number).await?;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Sends a message of 4 KiB as a plain client does, command by command.
async fn send(
    address: SocketAddr,
    number: usize,
    recipients: usize,
    back_ends: usize,
) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    until(&mut stream, "220 ").await?;
    let mut commands =
        vec!["EHLO client.bench.test\r\n".into(), "MAIL FROM:<user0@bench.test>\r\n".into()];
    let to = crate::mail::recipients(number, recipients, back_ends);
    commands.extend(to.map(|user| format!("RCPT TO:<user{user}@bench.test>\r\n")));
    for command in commands {
        stream.write_all(command.as_bytes()).await?;
        until(&mut stream, "250 ").await?;
    }
    stream.write_all(b"DATA\r\n").await?;
    until(&mut stream, "354 ").await?;
    stream.write_all(MESSAGE.as_bytes()).await?;
    until(&mut stream, "250 ").await?;
    stream.write_all(b"QUIT\r\n").await?;
    until(&mut stream, "221 ").await
}

/// 4 KiB, its dot included.
static MESSAGE: LazyLock<String> = LazyLock::new(|| {
    let header = "Subject: bench\r\nFrom: user0@bench.test\r\n\r\n";
    let line = format!("{}\r\n", "0123456789".repeat(7));
    let lines = (4096 - header.len()) / line.len();
    format!("{header}{}.\r\n", line.repeat(lines))
});

async fn fetch(address: SocketAddr, tls: Option<TlsConnector>, bytes: usize) -> anyhow::Result<()> {
    let mut stream = log_in(address, tls.as_ref(), 0).await?;
    stream.write_all(format!("b SEND {bytes}\r\n").as_bytes()).await?;
    let mut buffer = vec![0; 256 * 1024];
    let mut left = bytes;
    while left > 0 {
        let read = stream.read(&mut buffer).await?;
        ensure!(read > 0, "the connection ended {left} bytes early");
        left = left.saturating_sub(read);
    }
    Ok(())
}

async fn hold(address: SocketAddr, tls: Option<TlsConnector>, count: usize) -> anyhow::Result<()> {
    let mut held = Vec::with_capacity(count);
    for number in 0..count {
        held.push(
            log_in(address, tls.as_ref(), number)
                .await
                .with_context(|| format!("number {number}"))?,
        );
    }
    // What was read for the last logins is given back by now.
    tokio::time::sleep(Duration::from_millis(500)).await;
    println!("held");
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    drop(held);
    Ok(())
}

async fn log_in(
    address: SocketAddr,
    tls: Option<&TlsConnector>,
    number: usize,
) -> anyhow::Result<Box<dyn Stream>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let mut stream: Box<dyn Stream> = match tls {
        Some(tls) => Box::new(tls.connect(ServerName::try_from("localhost")?, tcp).await?),
        None => Box::new(tcp),
    };
    until(&mut *stream, "* OK").await?;
    let user = number % USERS;
    stream.write_all(format!("a LOGIN user{user}@bench.test secret\r\n").as_bytes()).await?;
    until(&mut *stream, "a OK").await?;
    Ok(stream)
}

/// Reads until a line that starts like this has ended.
async fn until(stream: &mut dyn Stream, start: &str) -> anyhow::Result<()> {
    let mut text = Vec::with_capacity(256);
    loop {
        let read = stream.read_buf(&mut text).await?;
        ensure!(read > 0, "closed before {start:?}: {}", String::from_utf8_lossy(&text));
        let text = String::from_utf8_lossy(&text);
        if text.ends_with('\n') && text.lines().any(|line| line.starts_with(start)) {
            return Ok(());
        }
    }
}

fn connector() -> anyhow::Result<TlsConnector> {
    Ok(TlsConnector::from(Arc::new(tls_config()?)))
}

/// Every handshake a full one, with whatever certificate there is.
pub(crate) fn tls_config() -> anyhow::Result<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(
            provider.signature_verification_algorithms.supported_schemes(),
        )))
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

#[derive(Debug)]
struct Anybody(Vec<SignatureScheme>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
