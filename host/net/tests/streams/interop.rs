//! OpenSSL on both ends, by Python's ssl module, with the relay between them.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use waypost_net::relay::{EndCause, Leg, relay};
use waypost_net::tls::MinimumVersion;

use crate::support::{Authority, host, record, soon};

const BACK_END: &str = r#"
import socket, ssl, sys
chain, key, version = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)
context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection = context.wrap_socket(listener.accept()[0], server_side=True)
connection.sendall(b"* OK hello\r\n")
while data := connection.recv(65536):
    connection.sendall(data)
connection.sendall(b"* BYE\r\n")
connection.unwrap().close()
"#;

const CLIENT: &str = r#"
import socket, ssl, sys, threading
port, authority, version = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
raw = socket.create_connection(("127.0.0.1", int(port)))
connection = context.wrap_socket(raw, server_hostname="client.test")
assert connection.recv(12) == b"* OK hello\r\n"
data = bytes(range(256)) * 4000
sender = threading.Thread(target=connection.sendall, args=(data,))
sender.start()
received = b""
while len(received) < len(data):
    received += connection.recv(65536)
sender.join()
assert received == data
# Our own end first; the peer's last word comes after it.
try:
    connection.unwrap()
except ssl.SSLError as error:
    # OpenSSL will not take data after its own close_notify: it arrived, which is the point.
    assert error.reason == "APPLICATION_DATA_AFTER_CLOSE_NOTIFY", error
print("well", flush=True)
"#;

fn python(script: &str, arguments: &[&str]) -> Child {
    Command::new("python3")
        .args(["-c", script])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs python3 with its ssl module")
}

async fn first_line(child: &mut Child) -> String {
    let output = child.stdout.take().unwrap();
    let read = move || {
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        line.trim().to_owned()
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn openssl_is_understood_on_both_legs() {
    let authority = Authority::new();
    let files = authority.issue("backend", &["a.test"]);
    let file = authority.file();
    for version in ["TLSv1_2", "TLSv1_3"] {
        let mut back_end = python(BACK_END, &[text(&files.chain), text(&files.key), version]);
        let port: u16 = first_line(&mut back_end).await.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let our_port = listener.local_addr().unwrap().port().to_string();
        let mut client = python(CLIENT, &[&our_port, text(&file), version]);

        let (accepted, _) = listener.accept().await.unwrap();
        let acceptor = authority.acceptor(&["client.test"]);
        let client_leg = acceptor.accept(accepted, soon()).await.unwrap();
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let connector = authority.connector(MinimumVersion::Tls12);
        let back_end_leg = connector.connect(tcp, &host("a.test"), soon()).await.unwrap();
        let (_table, record) = record();
        let relay = relay(
            Leg { stream: client_leg.into(), pending: Vec::new() },
            Leg { stream: back_end_leg.into(), pending: Vec::new() },
            record,
        );
        let relay = tokio::spawn(tokio::time::timeout(Duration::from_secs(20), relay));
        assert_eq!(first_line(&mut client).await, "well", "{version}");
        assert!(client.wait().unwrap().success());
        assert!(back_end.wait().unwrap().success());
        let end = relay.await.unwrap().expect("the relay never ends");
        assert_eq!(end.cause, EndCause::ClientClosed, "{version}");
        assert_eq!(end.from_backend, 12 + 1_024_000 + 7);
    }
}
