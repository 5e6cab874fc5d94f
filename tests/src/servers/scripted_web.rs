use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A connection that says nothing for so long is over.
const PATIENCE: Duration = Duration::from_secs(30);

/// A web server that answers as a test wants it, octet for octet, and remembers what it was asked.
/// It lives as long as the process of all tests.
#[derive(Clone, Debug)]
pub(crate) struct ScriptedWeb {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Asked>>>,
}

/// A request, as far as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its head, with the empty line.
    pub head: String,
    /// Its body as it came, chunks and trailers and all.
    pub body: String,
    /// All of it came.
    pub is_whole: bool,
}

/// What comes behind an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Next,
    Close,
}

impl Asked {
    /// The target of the request's line.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// The value of the only field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.trim());
        assert!(values.next().is_none(), "{name} is there twice: {}", self.head);
        value
    }
}

impl ScriptedWeb {
    /// Starts one at `ip`. `answer` writes what it wants to each request.
    pub fn start(
        ip: &str,
        answer: impl Fn(&Asked, &mut TcpStream) -> Then + Send + Sync + 'static,
    ) -> Self {
        Self::start_at(SocketAddr::new(ip.parse().unwrap(), 0), answer)
    }

    /// The same at a port that others have, too.
    pub fn start_at(
        address: SocketAddr,
        answer: impl Fn(&Asked, &mut TcpStream) -> Then + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let server = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let (seen, answer) = (server.seen.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (seen.clone(), answer.clone());
                // Whoever hangs up has had enough.
                thread::spawn(move || converse(stream, &seen, &*answer));
            }
        });
        server
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }

    /// Those for this target.
    pub fn seen_for(&self, target: &str) -> Vec<Asked> {
        let mut seen = self.seen();
        seen.retain(|asked| asked.target() == target);
        seen
    }
}

fn converse(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Asked>>,
    answer: &dyn Fn(&Asked, &mut TcpStream) -> Then,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (head, has_ended) = lines_to_empty(&mut reader)?;
        if head.is_empty() {
            return Ok(());
        }
        let mut asked = Asked { head, body: String::new(), is_whole: false };
        // Others may look before the body has come.
        let place = {
            let mut seen = seen.lock().unwrap();
            seen.push(asked.clone());
            seen.len() - 1
        };
        asked.is_whole = has_ended && read_body(&mut reader, &mut asked)?;
        if let Some(seen) = seen.lock().unwrap().get_mut(place) {
            *seen = asked.clone();
        }
        if !asked.is_whole || answer(&asked, &mut stream) == Then::Close {
            return Ok(());
        }
    }
}

/// Lines with an empty one at the end, and whether it came.
fn lines_to_empty(reader: &mut BufReader<TcpStream>) -> std::io::Result<(String, bool)> {
    let mut lines = Vec::new();
    loop {
        let before = lines.len();
        let ended = reader.read_until(b'\n', &mut lines)? == 0;
        if ended || lines.get(before..) == Some(b"\r\n") {
            return Ok((String::from_utf8_lossy(&lines).into_owned(), !ended));
        }
    }
}

/// Reads the body of a request; whether all of it came.
fn read_body(reader: &mut BufReader<TcpStream>, asked: &mut Asked) -> std::io::Result<bool> {
    if asked.field("transfer-encoding") == Some("chunked") {
        return read_chunks(reader, &mut asked.body);
    }
    let length = asked.field("content-length").map_or(0, |length| length.parse().unwrap());
    read_exactly(reader, length, &mut asked.body)
}

fn read_chunks(reader: &mut BufReader<TcpStream>, body: &mut String) -> std::io::Result<bool> {
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        body.push_str(&line);
        match u64::from_str_radix(line.trim_end(), 16).unwrap() {
            0 => {
                let (trailers, has_ended) = lines_to_empty(reader)?;
                body.push_str(&trailers);
                return Ok(has_ended);
            }
            size if !read_exactly(reader, size + 2, body)? => return Ok(false),
            _ => {}
        }
    }
}

fn read_exactly(
    reader: &mut BufReader<TcpStream>,
    length: u64,
    into: &mut String,
) -> std::io::Result<bool> {
    let mut octets = Vec::new();
    reader.take(length).read_to_end(&mut octets)?;
    into.push_str(&String::from_utf8_lossy(&octets));
    Ok(octets.len() as u64 == length)
}
