use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// As many sessions as one back end has under way at the same time; further ones wait.
const AT_ONCE: usize = 16;
/// A session that says nothing for so long is over.
const PATIENCE: Duration = Duration::from_secs(30);

/// A back end that costs nearly nothing: as much IMAP as a login needs, and the command `WHO`, which
/// tells its name and the user. It lives as long as the process of all tests.
#[derive(Debug)]
pub(crate) struct NullBackEnd;

impl NullBackEnd {
    /// Starts one that calls itself `name`.
    pub fn start(name: &'static str, address: SocketAddr) {
        let listener = Arc::new(TcpListener::bind(address).unwrap());
        for _ in 0..AT_ONCE {
            let listener = listener.clone();
            thread::spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    // Whoever hangs up has the next one served.
                    let _ = converse(name, stream);
                }
            });
        }
    }
}

fn converse(name: &str, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let mut user = String::new();
    writer.write_all(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] null\r\n")?;
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let tag = words.next().unwrap_or("*");
        let reply = match words.next() {
            Some("LOGIN") => {
                user = words.next().unwrap_or_default().trim_matches('"').to_owned();
                format!("{tag} OK [CAPABILITY IMAP4rev1 IDLE] in\r\n")
            }
            Some("WHO") => format!("{tag} OK {name} {user}\r\n"),
            Some("LOGOUT") => {
                return writer.write_all(format!("* BYE\r\n{tag} OK bye\r\n").as_bytes());
            }
            _ => format!("{tag} OK\r\n"),
        };
        writer.write_all(reply.as_bytes())?;
    }
}
