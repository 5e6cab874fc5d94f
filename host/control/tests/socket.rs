//! What the control socket promises, over a real one.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use waypost_control::{Answer, AskError, BindError, Commands, MAX_REQUEST, Request, Server, ask};

const PATIENCE: Duration = Duration::from_secs(20);

/// `echo` answers its arguments, `wait` answers once it is let go, `panic` panics.
#[derive(Clone, Default)]
struct Script {
    go: Arc<Notify>,
    done: Arc<AtomicUsize>,
}

impl Commands for Script {
    async fn run(&self, request: Request) -> Answer {
        match request.command.as_str() {
            "echo" => Answer::Done(Value::Object(request.arguments)),
            "wait" => {
                self.go.notified().await;
                self.done.fetch_add(1, Ordering::SeqCst);
                Answer::Done(Value::Null)
            }
            "long" => Answer::Done(Value::String("x".repeat(17 << 20))),
            "panic" => panic!("as asked"),
            _ => Answer::unknown(&request),
        }
    }
}

struct Served {
    path: PathBuf,
    script: Script,
    // In this order: the runtime, and the server in it, ends before the folder.
    runtime: Option<Runtime>,
    folder: TempDir,
}

impl Served {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("control");
        let script = Script::default();
        let server = Server::bind(&path).unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(server.serve(script.clone()));
        Self { path, script, runtime: Some(runtime), folder }
    }

    fn ask(&self, request: &Request) -> Result<Answer, AskError> {
        ask(&self.path, request, PATIENCE)
    }

    /// What comes back for octets that are no request of ours.
    fn say(&self, octets: &[u8]) -> String {
        let mut stream = UnixStream::connect(&self.path).unwrap();
        // The server may have said enough before it has heard everything.
        let _ = stream.write_all(octets);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said);
        said
    }
}

fn refusal(answer: Answer) -> String {
    match answer {
        Answer::Refused(why) => why,
        Answer::Done(value) => panic!("done: {value}"),
    }
}

#[test]
fn a_command_is_answered() {
    let served = Served::start();
    let request = Request::new("echo").with("address", "ü@example.test\n").with("count", 3);
    let answer = served.ask(&request).unwrap();
    assert_eq!(answer, Answer::Done(json!({"address": "ü@example.test\n", "count": 3})));
    assert!(refusal(served.ask(&Request::new("spool")).unwrap()).contains("\"spool\""));
}

#[test]
fn only_the_owner_can_reach_it() {
    let served = Served::start();
    let mode = fs::metadata(&served.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn commands_do_not_wait_for_each_other() {
    let served = Served::start();
    let path = served.path.clone();
    let waiting = std::thread::spawn(move || ask(&path, &Request::new("wait"), PATIENCE).unwrap());
    let others: Vec<_> = (0..4).map(|_| served.ask(&Request::new("echo")).unwrap()).collect();
    assert_eq!(others, vec![Answer::Done(json!({})); 4]);
    served.script.go.notify_one();
    assert_eq!(waiting.join().unwrap(), Answer::Done(Value::Null));
}

#[test]
fn a_command_goes_on_when_who_asked_has_gone() {
    let served = Served::start();
    let mut stream = UnixStream::connect(&served.path).unwrap();
    stream.write_all(b"{\"command\":\"wait\"}\n").unwrap();
    drop(stream);
    served.script.go.notify_one();
    let began = Instant::now();
    while served.script.done.load(Ordering::SeqCst) == 0 {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_command_that_panics_is_answered() {
    let served = Served::start();
    assert!(refusal(served.ask(&Request::new("panic")).unwrap()).contains("unexpectedly"));
    assert!(matches!(served.ask(&Request::new("echo")), Ok(Answer::Done(_))));
}

#[test]
fn what_is_no_request_is_refused_with_the_reason() {
    let served = Served::start();
    for (octets, part) in [
        (&b"reload\n"[..], "expected value"),
        (b"{\"command\":\"echo\"}", "line end"),
        (b"{\"command\":\"echo\",\"more\":1}\n", "`more`"),
        (b"{\"command\":7}\n", "expected a string"),
        (b"\xff\xfe\n", "this is no request"),
        (b"{}\n", "`command`"),
    ] {
        let said = served.say(octets);
        assert!(said.starts_with("{\"refused\":\"") && said.contains(part), "{part}: {said}");
    }
    assert_eq!(served.say(b""), "");
}

#[test]
fn a_request_without_an_end_is_cut_off() {
    let served = Served::start();
    assert!(served.say(&vec![b' '; MAX_REQUEST + 1]).contains("too long"));
    assert!(served.say(&vec![b'['; MAX_REQUEST * 4]).len() < 200);
    // The longest that fits is taken.
    let mut longest = b"{\"command\":\"echo\"}".to_vec();
    longest.resize(MAX_REQUEST - 1, b' ');
    longest.push(b'\n');
    assert_eq!(served.say(&longest), "{\"done\":{}}\n");
}

#[test]
fn an_answer_beyond_all_measure_is_none() {
    let served = Served::start();
    assert!(refusal(served.ask(&Request::new("long")).unwrap()).contains("too long"));
}

#[test]
fn who_says_nothing_keeps_nobody_else_out() {
    let served = Served::start();
    let silent: Vec<_> = (0..16).map(|_| UnixStream::connect(&served.path).unwrap()).collect();
    // All places are taken, until those who say nothing are let go.
    let began = Instant::now();
    loop {
        match served.ask(&Request::new("echo")).unwrap() {
            Answer::Done(_) => break,
            Answer::Refused(why) => assert!(why.contains("too many"), "{why}"),
        }
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(silent);
}

#[test]
fn patience_ends() {
    let served = Served::start();
    let asked = ask(&served.path, &Request::new("wait"), Duration::from_millis(50));
    assert!(matches!(asked, Err(AskError::Patience(_))), "{asked:?}");
}

#[test]
fn nobody_there_is_said() {
    let mut served = Served::start();
    let path = served.path.clone();
    drop(served.runtime.take());
    assert!(!path.exists(), "the socket goes with the server");
    let asked = ask(&path, &Request::new("echo"), PATIENCE).unwrap_err();
    assert!(asked.to_string().contains("nobody listens"), "{asked}");
    // One that was left behind, too.
    drop(UnixListener::bind(&path).unwrap());
    let asked = ask(&path, &Request::new("echo"), PATIENCE).unwrap_err();
    assert!(matches!(asked, AskError::Nobody(_)), "{asked}");
    drop(served.folder);
}

#[test]
fn what_is_not_waypost_is_not_believed() {
    let folder = TempDir::new().unwrap();
    for words in ["HELLO\n", "{\"done\":1", ""] {
        let path = folder.path().join(format!("other{}", words.len()));
        let listener = UnixListener::bind(&path).unwrap();
        let other = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(words.as_bytes()).unwrap();
            // Until it has been asked, so that the question finds an open door.
            let _ = stream.read(&mut [0; 64]);
        });
        let asked = ask(&path, &Request::new("echo"), PATIENCE);
        assert!(matches!(asked, Err(AskError::Garbage { .. })), "{words:?}: {asked:?}");
        other.join().unwrap();
    }
}

#[test]
fn the_place_of_a_living_process_is_not_taken() {
    let served = Served::start();
    assert!(matches!(Server::bind(&served.path), Err(BindError::InUse(_))));
    assert!(matches!(served.ask(&Request::new("echo")), Ok(Answer::Done(_))));
}

#[test]
fn what_an_ended_process_left_behind_is_replaced() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("control");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    Server::bind(&path).unwrap();
}

#[test]
fn no_other_file_is_removed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("control");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(Server::bind(&path), Err(BindError::NoSocket(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    let nowhere = Server::bind(Path::new("/nonexistent/folder/control")).unwrap_err();
    assert!(nowhere.to_string().contains("folder"), "{nowhere}");
}
