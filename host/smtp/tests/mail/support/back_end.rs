use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use waypost_wire::proxy::{self, Decoded, Header};

/// One thing that a scripted back end does.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    /// Says this; its lines end with CRLF.
    Say(&'static str),
    /// Says nothing, and stays.
    Silence,
    /// Closes the connection.
    Close,
    /// Says this and closes the connection.
    SayAndClose(&'static str),
    /// Does it after a while.
    After(Duration, &'static str),
}

/// What it does with content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Take,
    /// Takes it, more slowly than a client may send it, and keeps nothing.
    Forget,
    /// Takes so many octets and no more.
    Stall(usize),
    /// Takes so many octets and closes.
    CloseAfter(usize),
    /// Takes so many octets and says something that nobody has asked for.
    TalkAfter(usize, &'static str),
}

/// How a back end behaves.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    pub(crate) lmtp: bool,
    pub(crate) greeting: Do,
    /// The answer to EHLO or LHLO.
    pub(crate) hello: Do,
    /// The answer to XCLIENT, where it is known.
    pub(crate) xclient: Option<Do>,
    /// A line with a PROXY header comes first.
    pub(crate) proxy: bool,
    pub(crate) mail: Do,
    /// The answer to MAIL on a connection that has brought a message, where it is another.
    pub(crate) mail_again: Option<Do>,
    /// By recipient, where it differs from the rest.
    pub(crate) recipients: HashMap<&'static str, Do>,
    pub(crate) recipient: Do,
    pub(crate) data: Do,
    pub(crate) content: Content,
    /// After the dot: over LMTP one for each accepted recipient, the last for those beyond.
    pub(crate) end: Vec<Do>,
    pub(crate) reset: Do,
    /// Closes the connection with the answer to the dot.
    pub(crate) close_after_end: bool,
}

const PLAIN: &str = "250-back.example.test\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n\
                     250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n";

impl Default for Ways {
    fn default() -> Self {
        Self {
            lmtp: false,
            greeting: Do::Say("220 back.example.test ready\r\n"),
            hello: Do::Say(PLAIN),
            xclient: None,
            proxy: false,
            mail: Do::Say("250 2.1.0 ok\r\n"),
            mail_again: None,
            recipients: HashMap::new(),
            recipient: Do::Say("250 2.1.5 ok\r\n"),
            data: Do::Say("354 go\r\n"),
            content: Content::Take,
            end: vec![Do::Say("250 2.0.0 taken\r\n")],
            reset: Do::Say("250 2.0.0 reset\r\n"),
            close_after_end: false,
        }
    }
}

impl Ways {
    pub(crate) fn lmtp() -> Self {
        Self { lmtp: true, ..Self::default() }
    }

    pub(crate) fn ending(end: Do) -> Self {
        Self { end: vec![end], ..Self::default() }
    }

    pub(crate) fn refusing(recipient: &'static str, with: Do) -> Self {
        Self { recipients: HashMap::from([(recipient, with)]), ..Self::default() }
    }
}

/// A message that a back end has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) sender: String,
    /// Those of whom it said 2yz at the end.
    pub(crate) recipients: Vec<String>,
    /// As content: without dots.
    pub(crate) content: Vec<u8>,
}

impl Delivered {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Every command, in the order in which they came on all connections.
    pub(crate) commands: Vec<String>,
    /// The PROXY headers.
    pub(crate) headers: Vec<Header>,
    pub(crate) delivered: Vec<Delivered>,
    pub(crate) connections: usize,
    /// How many connections have ended.
    pub(crate) closed: usize,
    /// How often content has ended with a dot.
    pub(crate) dots: usize,
    /// How much content has come, in octets on the wire.
    pub(crate) content: usize,
}

/// A back end that follows a script.
pub(crate) struct BackEnd {
    pub(crate) address: SocketAddr,
    pub(crate) heard: Arc<Mutex<Heard>>,
    ways: Arc<Mutex<Ways>>,
    task: tokio::task::JoinHandle<()>,
}

impl BackEnd {
    pub(crate) async fn start(ways: Ways) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), ways).await
    }

    pub(crate) async fn start_at(address: SocketAddr, ways: Ways) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let ways = Arc::new(Mutex::new(ways));
        let (ears, manners) = (heard.clone(), ways.clone());
        let task = tokio::spawn(async move {
            let mut sessions = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                ears.lock().connections += 1;
                let (heard, ways) = (ears.clone(), manners.clone());
                sessions.spawn(async move {
                    let mut session = Session::new(stream, ways, heard.clone());
                    session.run().await;
                    heard.lock().closed += 1;
                });
            }
        });
        Self { address, heard, ways, task }
    }

    /// An ordinary one.
    pub(crate) async fn good() -> Self {
        Self::start(Ways::default()).await
    }

    /// From now on it behaves like this.
    pub(crate) fn behave(&self, ways: Ways) {
        *self.ways.lock() = ways;
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.heard.lock().commands.clone()
    }

    pub(crate) fn headers(&self) -> Vec<Header> {
        self.heard.lock().headers.clone()
    }

    pub(crate) fn delivered(&self) -> Vec<Delivered> {
        self.heard.lock().delivered.clone()
    }

    /// The messages that one recipient has got.
    pub(crate) fn mailbox(&self, recipient: &str) -> Vec<Delivered> {
        let has = |it: &Delivered| it.recipients.iter().any(|other| other == recipient);
        self.delivered().into_iter().filter(has).collect()
    }

    pub(crate) fn dots(&self) -> usize {
        self.heard.lock().dots
    }
}

impl Drop for BackEnd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Session {
    stream: TcpStream,
    unread: Vec<u8>,
    ways: Arc<Mutex<Ways>>,
    heard: Arc<Mutex<Heard>>,
    sender: String,
    recipients: Vec<String>,
    messages: usize,
}

impl Session {
    fn new(stream: TcpStream, ways: Arc<Mutex<Ways>>, heard: Arc<Mutex<Heard>>) -> Self {
        let (sender, recipients) = (String::new(), Vec::new());
        Self { stream, unread: Vec::new(), ways, heard, sender, recipients, messages: 0 }
    }

    async fn run(&mut self) -> Option<()> {
        if self.ways.lock().proxy {
            let header = self.header().await?;
            self.heard.lock().headers.push(header);
        }
        let greeting = self.ways.lock().greeting.clone();
        self.act(&greeting).await?;
        loop {
            let line = self.line().await?;
            self.heard.lock().commands.push(line.clone());
            let ways = self.ways.lock().clone();
            let upper = line.to_ascii_uppercase();
            if upper.starts_with("EHLO") || upper.starts_with("LHLO") {
                assert_eq!(upper.starts_with("LHLO"), ways.lmtp, "{line}");
                self.act(&ways.hello).await?;
            } else if let Some(sender) = between(&line, "MAIL FROM:<") {
                (self.sender, self.recipients) = (sender, Vec::new());
                let again = ways.mail_again.as_ref().filter(|_| self.messages > 0);
                self.act(again.unwrap_or(&ways.mail)).await?;
            } else if let Some(recipient) = between(&line, "RCPT TO:<") {
                let reply = ways.recipients.get(recipient.as_str()).unwrap_or(&ways.recipient);
                if is_yes(reply) {
                    self.recipients.push(recipient);
                }
                self.act(reply).await?;
            } else if upper == "DATA" {
                self.act(&ways.data).await?;
                if matches!(ways.data, Do::Say(text) if text.starts_with('3')) {
                    self.message(&ways).await?;
                }
            } else if let Some(reply) =
                ways.xclient.as_ref().filter(|_| upper.starts_with("XCLIENT"))
            {
                self.act(reply).await?;
            } else if upper == "RSET" {
                self.act(&ways.reset).await?;
            } else if upper == "QUIT" {
                self.act(&Do::SayAndClose("221 bye\r\n")).await?;
            } else {
                self.act(&Do::Say("500 what?\r\n")).await?;
            }
        }
    }

    async fn message(&mut self, ways: &Ways) -> Option<()> {
        let content = self.content(ways).await?;
        self.heard.lock().dots += 1;
        self.messages += 1;
        let recipients = std::mem::take(&mut self.recipients);
        let replies = if ways.lmtp { recipients.len() } else { 1 };
        for number in 0..replies {
            let reply = ways.end.get(number).or_else(|| ways.end.last()).unwrap().clone();
            if let Do::After(wait, _) = reply {
                tokio::time::sleep(wait).await;
            }
            if is_yes(&reply) {
                let of_this_reply =
                    if ways.lmtp { vec![recipients[number].clone()] } else { recipients.clone() };
                let sender = self.sender.clone();
                let (recipients, content) = (of_this_reply, content.clone());
                self.heard.lock().delivered.push(Delivered { sender, recipients, content });
            }
            match reply {
                Do::After(_, text) => self.act(&Do::Say(text)).await?,
                reply => self.act(&reply).await?,
            }
        }
        if ways.close_after_end { None } else { Some(()) }
    }

    /// Content up to the dot, decoded.
    async fn content(&mut self, ways: &Ways) -> Option<Vec<u8>> {
        let mut lines = Vec::new();
        let mut taken = 0;
        loop {
            match ways.content {
                Content::Stall(after) if taken >= after => std::future::pending().await,
                Content::CloseAfter(after) if taken >= after => return None,
                Content::TalkAfter(after, words) if taken >= after => {
                    self.act(&Do::Say(words)).await?;
                    while self.fill().await.is_some() {}
                    return None;
                }
                _ => {}
            }
            let line = self.raw_line().await?;
            taken += line.len();
            self.heard.lock().content += line.len();
            if line == b".\r\n" {
                return Some(lines);
            }
            if ways.content == Content::Forget && self.unread.len() < line.len() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            if ways.content != Content::Forget {
                lines.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            }
        }
    }

    async fn act(&mut self, what: &Do) -> Option<()> {
        match what {
            Do::Say(text) => self.stream.write_all(text.as_bytes()).await.ok(),
            Do::After(wait, text) => {
                tokio::time::sleep(*wait).await;
                self.stream.write_all(text.as_bytes()).await.ok()
            }
            Do::Silence => {
                while self.fill().await.is_some() {}
                None
            }
            Do::Close => None,
            Do::SayAndClose(text) => {
                let _ = self.stream.write_all(text.as_bytes()).await;
                None
            }
        }
    }

    async fn header(&mut self) -> Option<Header> {
        loop {
            match proxy::decode(&self.unread) {
                Decoded::NeedMore(_) => self.fill().await?,
                Decoded::Header(header, len) => {
                    self.unread.drain(..len);
                    return Some(*header);
                }
                Decoded::Invalid(invalid) => panic!("{invalid}"),
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        let line = self.raw_line().await?;
        Some(String::from_utf8(line).unwrap().trim_end().to_owned())
    }

    async fn raw_line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|window| window == b"\r\n") {
                return Some(self.unread.drain(..end + 2).collect());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Option<()> {
        let mut buffer = vec![0; 65536];
        let length = self.stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
        self.unread.extend_from_slice(&buffer[..length]);
        Some(())
    }
}

fn between(line: &str, start: &str) -> Option<String> {
    let rest = line
        .get(start.len()..)
        .filter(|_| line.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start)))?;
    Some(rest[..rest.rfind('>')?].to_owned())
}

/// Whether it takes something, whether or not anybody hears of it.
fn is_yes(reply: &Do) -> bool {
    match reply {
        Do::Say(text) | Do::After(_, text) | Do::SayAndClose(text) => text.starts_with('2'),
        Do::Silence | Do::Close => false,
    }
}
