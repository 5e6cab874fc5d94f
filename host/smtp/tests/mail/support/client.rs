use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A mail client.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    /// A client that has heard the greeting.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut client = Self::connect_only(address).await;
        let greeting = client.reply().await;
        assert!(greeting.starts_with("220 mx.example.test "), "{greeting}");
        client
    }

    pub(crate) async fn connect_only(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self { stream, unread: Vec::new() }
    }

    pub(crate) async fn say(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
    }

    /// Says a command and comes back with its reply.
    pub(crate) async fn ask(&mut self, command: &str) -> String {
        self.say(format!("{command}\r\n")).await;
        self.reply().await
    }

    /// Says a command that must be answered with this code.
    #[track_caller]
    pub(crate) fn expect(&mut self, command: &str, code: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        let command = command.to_owned();
        let code = code.to_owned();
        async move {
            let reply = self.ask(&command).await;
            assert!(reply.starts_with(&code), "{command} at {place}: {reply}");
        }
    }

    /// The next line; empty when the server has closed.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                return String::from_utf8(line).unwrap().trim_end().to_owned();
            }
            let mut buffer = [0; 4096];
            let reading = self.stream.read(&mut buffer);
            let read = tokio::time::timeout(Duration::from_secs(30), reading).await;
            match read.expect("the server says something") {
                Ok(0) | Err(_) => {
                    return String::from_utf8(std::mem::take(&mut self.unread)).unwrap();
                }
                Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
            }
        }
    }

    /// The next reply, its lines joined by LF; empty when the server has closed.
    pub(crate) async fn reply(&mut self) -> String {
        let mut reply = self.line().await;
        while reply.lines().last().is_some_and(|line| line.as_bytes().get(3) == Some(&b'-')) {
            reply = format!("{reply}\n{}", self.line().await);
        }
        reply
    }

    /// EHLO or LHLO.
    pub(crate) async fn hello(&mut self, lmtp: bool) -> String {
        self.ask(if lmtp { "LHLO client.example.test" } else { "EHLO client.example.test" }).await
    }

    /// Everything up to the answer to DATA, for recipients that must be taken.
    pub(crate) async fn envelope(&mut self, sender: &str, recipients: &[&str]) {
        self.expect(&format!("MAIL FROM:<{sender}>"), "250 2.1.0").await;
        for recipient in recipients {
            self.expect(&format!("RCPT TO:<{recipient}>"), "250").await;
        }
    }

    /// Sends a message to recipients that must be taken, and comes back with the answer to it.
    pub(crate) async fn send(&mut self, sender: &str, recipients: &[&str], body: &str) -> String {
        self.envelope(sender, recipients).await;
        self.expect("DATA", "354").await;
        self.say(format!("{body}.\r\n")).await;
        self.reply().await
    }

    /// Whether the server has closed the connection, nothing further said.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.line().await.is_empty()
    }
}
