//! A client that says exactly what a test wants it to say, octet for octet, in clear or over TLS.

pub(crate) mod http1;
pub(crate) mod http2;

use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long a server may be silent before the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
pub(crate) struct Talk(BufReader<Box<dyn Stream>>);

trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

impl Talk {
    /// Connects to a port of 127.0.0.1 and reads nothing.
    pub fn connect(port: u16) -> Self {
        Self::connect_to((Ipv4Addr::LOCALHOST, port).into())
    }

    /// Connects to `server` and reads nothing.
    pub fn connect_to(server: SocketAddr) -> Self {
        Self(BufReader::new(Box::new(open(server))))
    }

    /// Connects over TLS to a port of 127.0.0.1, whose certificate is from the authority in this
    /// file, and reads nothing.
    pub fn connect_securely(port: u16, authority: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = open((Ipv4Addr::LOCALHOST, port).into());
        Self(BufReader::new(Box::new(StreamOwned::new(tls, stream))))
    }

    /// Connects and skips the greeting, which must be a welcome.
    pub fn greeted(port: u16) -> Self {
        let mut talk = Self::connect(port);
        let greeting = talk.line();
        assert!(greeting.starts_with("* OK") || greeting.starts_with("+OK"), "{greeting}");
        talk
    }

    /// Sends octets. A peer that has closed already shows itself at the next read.
    pub fn send(&mut self, octets: &[u8]) {
        let stream = self.0.get_mut();
        let _ = stream.write_all(octets).and_then(|()| stream.flush());
    }

    /// Sends a line.
    pub fn say(&mut self, line: &str) {
        self.send(format!("{line}\r\n").as_bytes());
    }

    /// The next line without its end; empty when the server has closed the connection.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        heard(self.0.read_until(b'\n', &mut line));
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }

    /// So many octets, or as many as come before the server closes the connection.
    pub fn octets(&mut self, count: u64) -> Vec<u8> {
        let mut octets = Vec::new();
        heard((&mut self.0).take(count).read_to_end(&mut octets));
        octets
    }

    /// Everything until the server closes the connection, which it must.
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        heard(self.0.read_to_end(&mut rest));
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Says an IMAP command and answers with its tagged response; with `* BYE` or nothing where
    /// there is none.
    pub fn imap(&mut self, tag: &str, command: &str) -> String {
        self.say(&format!("{tag} {command}"));
        loop {
            let line = self.line();
            if line.is_empty() || line.starts_with(&format!("{tag} ")) || line.starts_with("* BYE")
            {
                return line;
            }
        }
    }

    /// The next reply of SMTP or LMTP, all its lines.
    pub fn smtp_reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let line = self.line();
            reply += &line;
            if line.get(3..4) != Some("-") {
                return reply;
            }
            reply.push('\n');
        }
    }

    /// Says an SMTP command and answers with its reply.
    pub fn smtp(&mut self, command: &str) -> String {
        self.say(command);
        self.smtp_reply()
    }

    /// Says a POP3 command and answers with the first line of its response.
    pub fn pop3(&mut self, command: &str) -> String {
        self.say(command);
        self.line()
    }

    /// Logs in by USER and PASS; the answer to the latter.
    pub fn pop3_login(&mut self, user: &str, password: &str) -> String {
        let user = self.pop3(&format!("USER {user}"));
        assert!(user.starts_with("+OK"), "{user}");
        self.pop3(&format!("PASS {password}"))
    }
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Talk").finish_non_exhaustive()
    }
}

fn open(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A connection that is reset is closed too; one that stays silent has failed the test.
fn heard(read: std::io::Result<usize>) {
    if let Err(error) = read {
        let is_silent = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!is_silent, "nothing was heard within {PATIENCE:?}");
    }
}
