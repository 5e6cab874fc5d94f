use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A web server that keeps what it is sent, and lets in who brings one of its passwords.
///
/// Basic credentials are looked at everywhere but at `/open`; a form at `/login` has the fields `u`
/// and `p`, and sends its user on, to `/login?error=1` where they are wrong. At `/slow` it takes its
/// time.
#[derive(Debug)]
pub(crate) struct WebRecorder {
    seen: Arc<Mutex<Vec<String>>>,
}

/// How long it thinks at `/slow`.
pub(crate) const SLOW: Duration = Duration::from_secs(3);

impl WebRecorder {
    /// Starts one for these users, each `(name, password)`. It lives as long as the process of all
    /// tests.
    pub fn start(address: SocketAddr, users: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let seen = Arc::new(Mutex::default());
        let users: Arc<Vec<(String, String)>> =
            Arc::new(users.iter().map(|(u, p)| ((*u).to_owned(), (*p).to_owned())).collect());
        let shared = seen.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (shared, users) = (shared.clone(), users.clone());
                thread::spawn(move || serve(client, &shared, &users));
            }
        });
        Self { seen }
    }

    /// What it was sent since it was last asked: whole requests, with `Basic` credentials in clear.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn serve(client: TcpStream, seen: &Mutex<Vec<String>>, users: &[(String, String)]) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    let mut length = 0;
    let mut basic = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            let value = value.trim();
            match &*name.to_lowercase() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => {
                    basic = value.strip_prefix("Basic ").map(decoded);
                    let shown = basic.as_deref().unwrap_or(value);
                    line = format!("authorization: {shown}\r\n");
                }
                _ => {}
            }
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(format!("{head}\r\n{body}"));
    if target.starts_with("/slow") {
        thread::sleep(SLOW);
    }
    let knows =
        |pair: &str| users.iter().any(|(user, password)| format!("{user}:{password}") == pair);
    let answer = match basic {
        Some(_) if target.starts_with("/open") => "200 OK\r\n",
        Some(pair) if knows(&pair) => "200 OK\r\n",
        Some(_) => "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"recorder\"\r\n",
        None if target.starts_with("/login") && head.starts_with("POST") => {
            let field = |name: &str| {
                let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
                pairs.find(|(other, _)| *other == name).map(|(_, value)| value.replace("%40", "@"))
            };
            let pair =
                format!("{}:{}", field("u").unwrap_or_default(), field("p").unwrap_or_default());
            match knows(&pair) {
                true => "303 See Other\r\nLocation: /inbox\r\nSet-Cookie: session=1\r\n",
                false => "303 See Other\r\nLocation: /login?error=1\r\n",
            }
        }
        None => "200 OK\r\n",
    };
    let text = "recorded\n";
    let length = text.len();
    let _ = (&client).write_all(
        format!("HTTP/1.1 {answer}Content-Length: {length}\r\nConnection: close\r\n\r\n{text}")
            .as_bytes(),
    );
}

/// Of Base64, without which no test would read what it expects.
fn decoded(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut octets = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for octet in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|other| *other == octet).unwrap();
        bits = (bits << 6) | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push(u8::try_from((bits >> count) & 0xff).unwrap());
        }
    }
    String::from_utf8(octets).unwrap()
}
