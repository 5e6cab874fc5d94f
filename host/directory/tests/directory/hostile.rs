//! Servers that break every rule: no search takes longer than it may, nothing panics where it is
//! felt, memory stays bounded, and as soon as the server behaves, so does the directory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use waypost_directory::{Bind, Directory, LdapSettings, SearchError, TlsSettings};
use waypost_model::Secret;

use crate::support::{finding, ldap, look_up, settings, until};

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84], length.as_slice(), content].concat()
}

fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    element(0x30, &[element(2, &[id]), operation.to_vec()].concat())
}

fn result(tag: u8, code: u8, text: &[u8]) -> Vec<u8> {
    element(tag, &[element(10, &[code]), element(4, b""), element(4, text)].concat())
}

fn entry(dn: &[u8], attribute: &[u8], value: &[u8]) -> Vec<u8> {
    let values = element(0x31, &element(4, value));
    let attribute = element(0x30, &[element(4, attribute), values].concat());
    element(0x64, &[element(4, dn), element(0x30, &attribute)].concat())
}

fn good_entry(id: u8) -> Vec<u8> {
    message(id, &entry(b"uid=bert,dc=example,dc=test", b"uid", b"bert"))
}

fn done(id: u8, code: u8) -> Vec<u8> {
    message(id, &result(0x65, code, b""))
}

/// What a server says to a search, and what it does then.
#[derive(Clone)]
enum Say {
    /// Says this, and waits for the next search.
    This(fn(u8) -> Vec<u8>),
    /// Says this and closes the connection.
    AndClose(fn(u8) -> Vec<u8>),
    /// Says this for as long as anybody listens.
    Forever(fn(u8) -> Vec<u8>),
    /// Says this, an octet at a time, very slowly.
    Slowly(fn(u8) -> Vec<u8>),
}

struct Server {
    url: String,
    /// What is said to the first message, and to searches.
    hello: Arc<Mutex<Say>>,
    answer: Arc<Mutex<Say>>,
    connections: Arc<AtomicUsize>,
    /// The tags of the requests that came.
    requests: Arc<Mutex<Vec<u8>>>,
}

const GOOD_HELLO: Say = Say::This(|id| message(id, &result(0x61, 0, b"")));
const GOOD_ANSWER: Say = Say::This(|id| [good_entry(id), done(id, 0)].concat());

impl Server {
    async fn start(hello: Say, answer: Say) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("ldap://{}", listener.local_addr().unwrap()),
            hello: Arc::new(Mutex::new(hello)),
            answer: Arc::new(Mutex::new(answer)),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (hello, answer) = (server.hello.clone(), server.answer.clone());
        let (connections, requests) = (server.connections.clone(), server.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, hello.clone(), answer.clone(), requests.clone()));
            }
        });
        server
    }

    fn behave(&self) {
        *self.hello.lock() = GOOD_HELLO;
        *self.answer.lock() = GOOD_ANSWER;
    }
}

async fn serve(
    mut stream: TcpStream,
    hello: Arc<Mutex<Say>>,
    answer: Arc<Mutex<Say>>,
    requests: Arc<Mutex<Vec<u8>>>,
) {
    while let Some((id, operation)) = read_request(&mut stream).await {
        requests.lock().push(operation);
        // Abandon has no answer.
        let say = match operation {
            0x60 | 0x77 => hello.lock().clone(),
            0x63 => answer.lock().clone(),
            _ => continue,
        };
        match say {
            Say::This(octets) => drop(stream.write_all(&octets(id)).await),
            Say::AndClose(octets) => {
                let _ = stream.write_all(&octets(id)).await;
                return;
            }
            Say::Forever(octets) => while stream.write_all(&octets(id)).await.is_ok() {},
            Say::Slowly(octets) => {
                for octet in octets(id) {
                    let _ = stream.write_all(&[octet]).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// The id and the tag of the next request; all that a client says here is shorter than 128 octets
/// or has its length in long form.
async fn read_request(stream: &mut TcpStream) -> Option<(u8, u8)> {
    let mut header = [0; 2];
    stream.read_exact(&mut header).await.ok()?;
    let mut length = usize::from(header[1]);
    if length > 0x80 {
        let mut digits = vec![0; length - 0x80];
        stream.read_exact(&mut digits).await.ok()?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
    }
    let mut content = vec![0; length];
    stream.read_exact(&mut content).await.ok()?;
    let id_length = usize::from(*content.get(1)?);
    Some((*content.get(1 + id_length)?, *content.get(2 + id_length)?))
}

/// Asks within the time that it may take.
async fn ask(directory: &Directory) -> Result<usize, SearchError> {
    let start = Instant::now();
    let answer = look_up(directory).await.map(|page| page.entries.len());
    assert!(start.elapsed() < Duration::from_millis(2000), "{:?}", start.elapsed());
    answer
}

#[tokio::test]
async fn answers_that_break_the_rules() {
    // Each with the kinds of error that may come of it.
    let broken = ["unavailable"].as_slice();
    let cases: &[(&str, Say, &[&str])] = &[
        ("garbage", Say::This(|_| b"\x00\xff\x13garbage".to_vec()), broken),
        ("HTTP", Say::AndClose(|_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), broken),
        ("a length of 4 GiB", Say::This(|_| b"\x30\x84\xff\xff\xff\xff".to_vec()), broken),
        ("an indefinite length", Say::This(|_| b"\x30\x80\x02\x01\x01".to_vec()), broken),
        (
            "a large message",
            Say::This(|id| message(id, &entry(b"uid=x", b"uid", &vec![b'x'; 3 << 20]))),
            broken,
        ),
        (
            "deep nesting",
            Say::This(|id| {
                // Well below the largest message: as deep as some hundred thousand.
                let depth = 100_000;
                let mut nested = Vec::with_capacity(depth * 6);
                for level in 0..depth {
                    let length = u32::try_from((depth - level - 1) * 6).unwrap().to_be_bytes();
                    nested.extend_from_slice(&[0x30, 0x84]);
                    nested.extend_from_slice(&length);
                }
                message(id, &element(0x64, &nested))
            }),
            broken,
        ),
        ("an empty message", Say::This(|_| b"\x30\x00".to_vec()), broken),
        ("no operation", Say::This(|_| b"\x30\x03\x02\x01\x01".to_vec()), broken),
        ("no id", Say::This(|_| element(0x30, &result(0x65, 0, b""))), broken),
        ("a negative id", Say::This(|_| done(0xff, 0)), broken),
        (
            "an id of 8 octets",
            Say::This(|_| element(0x30, &[element(2, &[1; 8]), result(0x65, 0, b"")].concat())),
            broken,
        ),
        ("another operation", Say::This(|id| message(id, &result(0x61, 0, b""))), broken),
        ("an unknown operation", Say::This(|id| message(id, &result(0x7e, 0, b""))), broken),
        (
            "a text that is not UTF-8",
            Say::This(|id| message(id, &result(0x65, 0, b"\xff"))),
            broken,
        ),
        ("a result cut short", Say::This(|id| message(id, &element(0x65, b"\x0a\x01"))), broken),
        ("goodbye", Say::AndClose(|_| message(0, &result(0x78, 52, b"maintenance"))), broken),
        ("a close", Say::AndClose(|_| Vec::new()), broken),
        ("a close within a message", Say::AndClose(|id| good_entry(id)[..9].to_vec()), broken),
        ("a close behind an entry", Say::AndClose(good_entry), broken),
        (
            "malformed controls",
            Say::This(|id| {
                let parts =
                    [element(2, &[id]), result(0x65, 0, b""), element(0xa0, &element(0x30, b""))];
                element(0x30, &parts.concat())
            }),
            broken,
        ),
        ("silence", Say::This(|_| Vec::new()), &["timeout"]),
        ("another's id", Say::This(|id| done(id + 1, 0)), &["timeout"]),
        (
            "an octet at a time",
            Say::Slowly(|id| done(id, 0).repeat(10)),
            &["timeout", "unavailable"],
        ),
        (
            "an entry that is none",
            Say::This(|id| message(id, &element(0x64, b"\x04\x00"))),
            &["other"],
        ),
        (
            "a name that is not UTF-8",
            Say::This(|id| message(id, &entry(b"\xff", b"uid", b"x"))),
            &["other"],
        ),
        (
            "large entries without end",
            Say::Forever(|id| message(id, &entry(b"uid=x", b"uid", &vec![b'x'; 400_000]))),
            &["too-large", "timeout"],
        ),
        ("busy", Say::This(|id| done(id, 51)), &["unavailable"]),
        ("time limit exceeded", Say::This(|id| done(id, 3)), &["timeout"]),
        ("administrative limit exceeded", Say::This(|id| done(id, 11)), &["too-large"]),
        ("insufficient access", Say::This(|id| done(id, 50)), &["other"]),
        ("an unknown code", Say::This(|id| done(id, 127)), &["other"]),
    ];
    for (name, say, kinds) in cases {
        let server = Server::start(GOOD_HELLO, say.clone()).await;
        let directory = ldap(settings(std::slice::from_ref(&server.url)));
        for _ in 0..2 {
            let error = ask(&directory).await.expect_err(name);
            assert!(
                kinds.contains(&error.kind()) || error.kind() == "unavailable",
                "{name}: {error:?}"
            );
        }
        server.behave();
        until(name, async || ask(&directory).await == Ok(1)).await;
    }
}

#[tokio::test]
async fn what_is_unusual_but_allowed() {
    let cases: &[(&str, Say)] = &[
        (
            "references and intermediate messages",
            Say::This(|id| {
                let reference = message(id, &element(0x73, &element(4, b"ldap://elsewhere")));
                let intermediate = message(id, &element(0x79, b""));
                [reference, intermediate, good_entry(id), done(id, 0)].concat()
            }),
        ),
        (
            "attributes that nobody asked for",
            Say::This(|id| {
                let secret =
                    message(id, &entry(b"uid=bert,dc=example,dc=test", b"userPassword", b"x"));
                [secret, done(id, 0)].concat()
            }),
        ),
        (
            "an attribute that is none",
            Say::This(|id| {
                let odd =
                    message(id, &entry(b"uid=bert,dc=example,dc=test", b"\x01 ;range=0-9", b"x"));
                [odd, done(id, 0)].concat()
            }),
        ),
        (
            "a referral beside success",
            Say::This(|id| {
                let inside = [
                    element(10, &[0]),
                    element(4, b""),
                    element(4, b""),
                    element(0xa3, &element(4, b"ldap://elsewhere")),
                ]
                .concat();
                [good_entry(id), message(id, &element(0x65, &inside))].concat()
            }),
        ),
    ];
    for (name, say) in cases {
        let server = Server::start(GOOD_HELLO, say.clone()).await;
        let directory = ldap(settings(std::slice::from_ref(&server.url)));
        let page = look_up(&directory).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(page.entries.len(), 1, "{name}");
        let names = page.entries[0].attributes.iter().map(|(name, _)| name.as_str());
        assert!(names.into_iter().all(|name| name == "uid"), "{name}");
    }
}

#[tokio::test]
async fn more_entries_than_asked_for_are_cut() {
    let say = Say::This(|id| [good_entry(id).repeat(500), done(id, 0)].concat());
    let server = Server::start(GOOD_HELLO, say).await;
    let directory = ldap(settings(std::slice::from_ref(&server.url)));
    let page = look_up(&directory).await.unwrap();
    assert_eq!((page.entries.len(), page.complete), (100, false));
    // Even if they never end.
    *server.answer.lock() = Say::Forever(good_entry);
    let page = look_up(&directory).await.unwrap();
    assert_eq!((page.entries.len(), page.complete), (100, false));
    // Nobody listens for ever to what nobody asked.
    until("a new connection", async || server.connections.load(Ordering::SeqCst) > 2).await;
    server.behave();
    until("good behaviour", async || ask(&directory).await == Ok(1)).await;
}

#[tokio::test]
async fn logging_in_to_a_server_that_breaks_the_rules() {
    let cases: &[(&str, Say, &str)] = &[
        ("garbage", Say::This(|_| b"\x00\xff".to_vec()), "this is not LDAP"),
        ("a greeting", Say::This(|_| b"* OK IMAP4rev1 ready\r\n".to_vec()), "this is not LDAP"),
        ("a large answer", Say::This(|_| b"\x30\x82\xff\xff".to_vec()), "larger than 16384"),
        ("another's id", Say::This(|id| message(id + 1, &result(0x61, 0, b""))), "not LDAP"),
        ("another answer", Say::This(|id| message(id, &result(0x65, 0, b""))), "not LDAP"),
        ("a close", Say::AndClose(|_| Vec::new()), "closed the connection"),
        ("a close within", Say::AndClose(|_| b"\x30\x0c\x02".to_vec()), "closed the connection"),
        ("goodbye", Say::AndClose(|_| message(0, &result(0x78, 52, b""))), "unavailable (52)"),
        ("a challenge", Say::This(|id| message(id, &result(0x61, 14, b""))), "saslBindInProgress"),
        (
            "words with controls",
            Say::This(|id| message(id, &result(0x61, 53, b"\x1b[2Jno\n"))),
            "unwillingToPerform (53): [2Jno",
        ),
        ("silence", Say::This(|_| Vec::new()), "within the connect timeout"),
    ];
    for (name, say, words) in cases {
        let server = Server::start(say.clone(), GOOD_ANSWER).await;
        let directory = ldap(LdapSettings {
            bind: Bind::Simple { dn: "cn=x".into(), password: Secret::from("a secret") },
            connect_timeout: Duration::from_millis(400),
            ..settings(std::slice::from_ref(&server.url))
        });
        let error = finding(&directory).await.expect_err(name);
        assert!(error.contains(words), "{name}: {error}");
        assert_eq!(ask(&directory).await.expect_err(name).kind(), "unavailable");
        server.behave();
        until(name, async || ask(&directory).await == Ok(1)).await;
    }
}

#[tokio::test]
async fn octets_behind_the_answer_to_starttls_end_the_connection() {
    let say = Say::This(|id| {
        [message(id, &result(0x78, 0, b"")), message(2, &result(0x61, 0, b""))].concat()
    });
    let server = Server::start(say, GOOD_ANSWER).await;
    let mut settings = settings(std::slice::from_ref(&server.url));
    settings.tls = TlsSettings { starttls: true, verify: false, ..TlsSettings::default() };
    let error = finding(&ldap(settings)).await.unwrap_err();
    assert!(error.contains("sent more behind its answer to StartTLS"), "{error}");
}

/// A server that takes connections and drops them is not asked without pause.
#[tokio::test]
async fn connecting_anew_is_done_with_measure() {
    let server = Server::start(Say::AndClose(|_| Vec::new()), GOOD_ANSWER).await;
    let _directory = ldap(LdapSettings {
        backoff_min: Duration::from_millis(50),
        backoff_max: Duration::from_millis(400),
        ..settings(std::slice::from_ref(&server.url))
    });
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let connections = server.connections.load(Ordering::SeqCst);
    assert!((4..=16).contains(&connections), "{connections}");
}

/// A search that takes too long is abandoned; the connection stays as long as others are answered.
#[tokio::test]
async fn one_slow_search_does_not_cost_the_connection() {
    let server = Server::start(GOOD_HELLO, Say::This(|_| Vec::new())).await;
    let directory =
        ldap(LdapSettings { connections: 1, ..settings(std::slice::from_ref(&server.url)) });
    let slow = tokio::spawn({
        let directory = directory.clone();
        async move { ask(&directory).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.behave();
    assert_eq!(ask(&directory).await, Ok(1));
    assert_eq!(slow.await.unwrap(), Err(SearchError::Timeout));
    until("abandoning", async || server.requests.lock().contains(&0x50)).await;
    assert_eq!(ask(&directory).await, Ok(1));
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

/// A server that always says a little, and never enough, does not keep its connection for ever.
#[tokio::test]
async fn a_server_that_is_always_too_slow_is_given_up() {
    let say = Say::This(|id| message(id, &element(0x79, b"")));
    let server = Server::start(GOOD_HELLO, say).await;
    let settings = LdapSettings {
        connections: 1,
        search_timeout: Duration::from_millis(100),
        ..settings(std::slice::from_ref(&server.url))
    };
    let directory = ldap(settings);
    for _ in 0..4 {
        assert_eq!(ask(&directory).await, Err(SearchError::Timeout));
    }
    until("connecting anew", async || server.connections.load(Ordering::SeqCst) > 1).await;
}
