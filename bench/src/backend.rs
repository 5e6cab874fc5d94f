//! A null back end: as much IMAP as a login needs, and a command that sends as many bytes as asked.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const GREETING: &[u8] = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] null\r\n";
const CHUNK: usize = 64 * 1024;

pub(crate) async fn serve(address: SocketAddr) -> anyhow::Result<()> {
    serve_each(address, converse).await
}

/// Says `ready`, and converses over each connection that comes, whatever is spoken there.
pub(crate) async fn serve_each<C>(
    address: SocketAddr,
    converse: impl Fn(TcpStream) -> C,
) -> anyhow::Result<()>
where
    C: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind(address).await?;
    crate::client::raise_descriptor_limit()?;
    println!("ready");
    loop {
        let (stream, _) = listener.accept().await?;
        let conversation = converse(stream);
        tokio::spawn(async move { conversation.await.ok() });
    }
}

async fn converse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(GREETING).await?;
    let mut unread = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            if !answer(&mut stream, &String::from_utf8_lossy(&line)).await? {
                return Ok(());
            }
        }
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            length => unread.extend_from_slice(&buffer[..length]),
        }
    }
}

async fn answer(stream: &mut TcpStream, line: &str) -> std::io::Result<bool> {
    let mut words = line.split_whitespace();
    let tag = words.next().unwrap_or("*");
    match words.next() {
        Some("LOGIN") => {
            let reply = format!("{tag} OK [CAPABILITY IMAP4rev1 IDLE] in\r\n");
            stream.write_all(reply.as_bytes()).await?;
        }
        Some("SEND") => {
            let mut left: usize = words.next().and_then(|count| count.parse().ok()).unwrap_or(0);
            let zeros = vec![0; CHUNK];
            while left > 0 {
                let count = left.min(CHUNK);
                stream.write_all(&zeros[..count]).await?;
                left -= count;
            }
        }
        Some("LOGOUT") => {
            stream.write_all(format!("* BYE\r\n{tag} OK bye\r\n").as_bytes()).await?;
            return Ok(false);
        }
        _ => stream.write_all(format!("{tag} OK\r\n").as_bytes()).await?,
    }
    Ok(true)
}
