//! The reverse proxy, with real web servers behind it.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};

use super::super::Case;
use crate::clusters::mailboxes::{NORTH, SOUTH};
use crate::clusters::web_servers::{WebServers, in_clear, started};
use crate::servers::{ScriptedWeb, Then, free_port, run_within, wait_for};
use crate::talk::http1::{USER1, ask};

pub(crate) const CASES: &[Case] = &[
    ("webmail::proxy::curl_reaches_the_users_own_back_end", own_back_end),
    ("webmail::proxy::dav_methods_and_long_bodies_pass", dav),
    ("webmail::proxy::who_is_not_let_in_is_asked_again_after_the_delay", rejected),
    ("webmail::proxy::a_password_that_the_front_must_check_reaches_nobody", unverified),
    ("webmail::proxy::only_trusted_proxies_say_who_the_client_is", trusted_proxies),
    ("webmail::proxy::options_goes_as_far_as_it_may", max_forwards),
    ("webmail::proxy::a_moved_user_lands_on_the_new_back_end", moved),
    ("webmail::proxy::a_websocket_echoes", websocket),
    ("webmail::proxy::ten_thousand_requests_on_one_connection_leave_memory_flat", memory),
    ("webmail::proxy::idle_browsers_do_not_hold_up_the_end", drain),
];

fn own_back_end() {
    let mut cluster = WebServers::start("");
    for version in ["--http1.1", "--http2"] {
        for (user, page) in [("user1", "This is north.\n"), ("user2", "This is south.\n")] {
            let fetched = cluster.curl(user, "/", &[version]);
            assert_eq!((fetched.status(), &*fetched.body), (200, page), "{fetched:?}");
            let via = fetched.field("via");
            assert_eq!(via, Some("1.1 waypost.localdomain.test"), "{fetched:?}");
        }
        let told = cluster.curl(
            "user1",
            "/echo",
            &[version, "-H", "X-Forwarded-For: 192.0.2.1", "-H", "Cookie: a=b; waypost=c"],
        );
        let port = cluster.https;
        for line in [
            "HTTP_X_FORWARDED_FOR=127.0.0.1".to_owned(),
            "HTTP_X_FORWARDED_PROTO=https".to_owned(),
            format!("HTTP_X_FORWARDED_HOST=localhost:{port}"),
            format!("HTTP_HOST=localhost:{port}"),
            format!("HTTP_FORWARDED=for=127.0.0.1;host=\"localhost:{port}\";proto=https"),
            "REMOTE_USER=user1@localdomain.test".to_owned(),
        ] {
            assert!(told.body.lines().any(|told| told == line), "{line}: {}", told.body);
        }
        // Nobody knows whose session such a cookie is, and ours is for nobody else.
        assert!(!told.body.contains("HTTP_COOKIE"), "{}", told.body);
    }
    cluster.waypost.stop();
    let log = cluster.waypost.log();
    let ended = log.lines().filter(|line| line.contains("session ended"));
    assert_eq!(ended.filter(|line| line.contains("protocol=webmail")).count(), 6, "{log}");
    assert!(!log.contains("dXNlcj"), "no credential in the log: {log}");
}

fn dav() {
    let cluster = WebServers::start("");
    let long: String = (0..200_000).map(|n| format!("{n}\n")).collect();
    let file = cluster.waypost.file("long.txt");
    std::fs::write(&file, &long).unwrap();
    let file = file.to_str().unwrap();
    for (version, name) in [("--http1.1", "one"), ("--http2", "two")] {
        let path = format!("/dav/{name}");
        // A body of more than a megabyte makes curl ask for 100 Continue.
        let stored = cluster.curl("user1", &path, &[version, "-T", file]);
        assert_eq!(stored.status(), 201, "{stored:?}");
        assert_eq!(cluster.north.stored(name).as_deref(), Some(long.as_bytes()));
        assert_eq!(cluster.south.stored(name), None);
        let chunked = ["-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"];
        if version == "--http1.1" {
            let arguments = [&[version, "-T", file][..], &chunked].concat();
            assert_eq!(cluster.curl("user1", &path, &arguments).status(), 204);
        }
        assert_eq!(cluster.curl("user1", &path, &[version]).body, long);
        let found = cluster.curl("user1", "/dav/", &[version, "-X", "PROPFIND", "-H", "Depth: 1"]);
        assert_eq!(found.status(), 207);
        assert!(found.body.contains(&path), "{found:?}");
    }
    let collection = cluster.curl("user2", "/dav/new/", &["-X", "MKCOL"]);
    assert_eq!(collection.status(), 201, "{collection:?}");
}

fn rejected() {
    let cluster = WebServers::start("[webmail]\nrealm = \"Our mail\"\n");
    let challenge = Some("Basic realm=\"Our mail\", charset=\"UTF-8\"");
    let nobody = cluster.curl("nobody", "/", &[]);
    assert_eq!((nobody.status(), nobody.field("www-authenticate")), (401, challenge));
    let anonymous = cluster.curl("user1", "/.well-known/caldav", &["-H", "Authorization:"]);
    assert_eq!((anonymous.status(), anonymous.field("www-authenticate")), (401, challenge));
    let began = Instant::now();
    let wrong = cluster.curl("user1", "/", &["-u", "user1@localdomain.test:wrong"]);
    assert_eq!(
        (wrong.status(), wrong.field("www-authenticate")),
        (401, Some("Basic realm=\"north\""))
    );
    assert!(began.elapsed() >= Duration::from_millis(200));
}

fn moved() {
    let cluster = WebServers::start("[cache]\ncache-for = \"1h\"\n");
    assert_eq!(cluster.curl("user1", "/", &[]).status(), 200);
    cluster.move_user1(SOUTH);
    wait_for("the new back end", Duration::from_secs(20), || {
        // It does not know this user yet: its own word is what they get.
        let fetched = cluster.curl("user1", "/", &[]);
        (fetched.field("www-authenticate") == Some("Basic realm=\"south\"")).then_some(())
    });
}

fn unverified() {
    let listener = TcpListener::bind((NORTH, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let (waypost, _, http) = started(listener.local_addr().unwrap().port(), |text| {
        let grant = "targets = [\"127.0.0.0/8\"]";
        let field = "host-field = \"mailHost\"";
        let ldif = "ldif = \"users.ldif\"";
        text.replace(ldif, &format!("{ldif}\npassword-field = \"userPassword\""))
            .replace(grant, &format!("{grant}\nverification = [\"password\"]"))
            .replace(field, &format!("{field}\nverify = \"password\""))
            + "[webmail]\nlogin-forms = [{ path = \"/in\", user = \"u\", password = \"p\" }]\n"
    });
    // The users of the file have no password, so that none is right.
    let basic = (["-u", "user1@localdomain.test:user1"], "401");
    let form = (["-d", "u=user1%40localdomain.test&p=user1"], "422");
    for (credentials, expected) in [basic, form] {
        let mut command = Command::new("/usr/bin/curl");
        command.args(["-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}"]);
        command.args(credentials).arg(format!("http://127.0.0.1:{http}/in"));
        let output = run_within(&mut command, Duration::from_secs(30));
        let status = String::from_utf8_lossy(&output.stdout);
        assert_eq!(status, expected, "{credentials:?}: {}", waypost.log());
    }
    let reached = listener.accept();
    assert!(reached.is_err(), "a back end was reached: {reached:?}");
    assert!(waypost.log().contains("wrong-password"), "{}", waypost.log());
}

fn trusted_proxies() {
    // A browser that has come by TLS, as far as the proxies say, gets a cookie for TLS alone.
    let for_2 = "X-Forwarded-For: 192.0.2.2:5\r\nX-Forwarded-Proto: https\r\n";
    let forged = "X-Forwarded-For: 192.0.2.9, 192.0.2.3\r\nX-Forwarded-Proto: https, http\r\n";
    for (trusted, fields, secure, client) in [
        ("127.0.0.1", "", false, "127.0.0.1"),
        ("127.0.0.1", "Forwarded: for=\"192.0.2.1:5\";proto=https\r\n", true, "192.0.2.1"),
        ("127.0.0.1", for_2, true, "192.0.2.2"),
        ("127.0.0.1", forged, false, "192.0.2.3"),
        ("10.0.0.0/8", "Forwarded: for=192.0.2.4;proto=https\r\n", false, "127.0.0.1"),
        ("10.0.0.0/8", for_2, false, "127.0.0.1"),
    ] {
        let more = format!("[webmail]\ntrusted-proxies = [\"{trusted}\"]\n");
        let (mut waypost, _, port) = in_clear(free_port(), &more);
        let form = "address=user1@localdomain.test";
        let length = form.len();
        let request = format!(
            "POST /.waypost/ HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {length}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
        );
        let answer = ask(port, &request);
        let cookie = answer.field("set-cookie").unwrap();
        assert_eq!(cookie.contains("; Secure"), secure, "{trusted} {fields}: {answer:?}");
        waypost.stop();
        let log = waypost.log();
        assert!(log.contains(&format!("client={client}")), "{trusted} {fields}: {log}");
    }
}

/// RFC 9110 section 7.6.2.
fn max_forwards() {
    let back_end = ScriptedWeb::start(NORTH, |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Then::Next
    });
    let (_waypost, _, port) = in_clear(back_end.address.port(), "");
    let asked = |method: &str, field: &str| {
        let line = format!("{method} /dav HTTP/1.1\r\nHost: localhost\r\n{USER1}\r\n");
        let answer = ask(port, &format!("{line}{field}\r\n\r\n"));
        let seen = back_end.seen_for("/dav").len();
        let told =
            back_end.seen().last().and_then(|it| it.field("max-forwards").map(str::to_owned));
        (answer, seen, told)
    };
    let (own, seen, _) = asked("OPTIONS", "Max-Forwards: 0");
    assert_eq!((own.status, seen), (200, 0), "{own:?}");
    assert!(own.field("allow").unwrap().contains("PROPFIND"), "{own:?}");
    for (number, (method, field, told)) in [
        ("OPTIONS", "Max-Forwards: 1", Some("0")),
        ("OPTIONS", "Max-Forwards: 10", Some("9")),
        ("OPTIONS", "Max-Forwards: 99999999999999999999", Some("4294967294")),
        ("OPTIONS", "Max-Forwards: x", Some("x")),
        ("OPTIONS", "X: y", None),
        ("GET", "Max-Forwards: 0", Some("0")),
    ]
    .into_iter()
    .enumerate()
    {
        let (answer, seen, said) = asked(method, field);
        assert_eq!((&*answer.body, seen), ("ok", number + 1), "{method} {field}: {answer:?}");
        assert_eq!(said.as_deref(), told, "{method} {field}");
    }
    assert_eq!(asked("TRACE", "Max-Forwards: 0").0.status, 405);
}

fn websocket() {
    let listener = TcpListener::bind((NORTH, 0)).unwrap();
    let (_waypost, _, http) = in_clear(listener.local_addr().unwrap().port(), "");
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut socket = tungstenite::accept(stream).unwrap();
        while let Ok(message) = socket.read() {
            if message.is_text() || message.is_binary() {
                socket.send(message).unwrap();
            }
        }
    });
    let mut request = format!("ws://127.0.0.1:{http}/socket").into_client_request().unwrap();
    let credentials = "Basic dXNlcjFAbG9jYWxkb21haW4udGVzdDp1c2VyMQ==";
    request.headers_mut().insert("authorization", credentials.parse().unwrap());
    let stream = std::net::TcpStream::connect(("127.0.0.1", http)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut socket, answer) = tungstenite::client(request, stream).unwrap();
    assert_eq!(answer.status(), 101);
    for text in ["hello", "and again", &"long ".repeat(100_000)] {
        socket.send(Message::text(text)).unwrap();
        assert_eq!(socket.read().unwrap(), Message::text(text));
    }
    socket.close(None).unwrap();
    assert!(matches!(socket.read(), Ok(Message::Close(_))));
}

fn memory() {
    let cluster = WebServers::start("");
    // What the first requests take once is not what is looked for.
    let requests = |count: usize| {
        let mut command = Command::new("/usr/bin/h2load");
        command.args(["-n", &count.to_string(), "-c", "1", "-m", "1", "-t", "1"]);
        command.args(["-H", "authorization: Basic dXNlcjFAbG9jYWxkb21haW4udGVzdDp1c2VyMQ=="]);
        command.arg(format!("https://127.0.0.1:{}/", cluster.https));
        let output = run_within(&mut command, Duration::from_secs(240));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("Application protocol: h2"), "{said}");
        assert!(said.contains(&format!("status codes: {count} 2xx")), "{said}");
    };
    requests(10_000);
    let before = own_memory(cluster.waypost.id());
    requests(10_000);
    let after = own_memory(cluster.waypost.id());
    println!("{before} KiB before, {after} KiB after 10,000 requests");
    // A hundred octets of each would be 976 KiB.
    assert!(after < before + 512, "{before} KiB before, {after} KiB after");
}

/// What is its own alone, in KiB: what it shares with other processes of the program changes with
/// their number.
fn own_memory(process: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn drain() {
    let mut cluster = WebServers::start("");
    // A connection that has been used, and is kept for more.
    let mut idle = std::net::TcpStream::connect(("127.0.0.1", cluster.http)).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\
                   Authorization: Basic dXNlcjFAbG9jYWxkb21haW4udGVzdDp1c2VyMQ==\r\n\r\n";
    std::io::Write::write_all(&mut idle, request.as_bytes()).unwrap();
    let mut answer = [0; 1024];
    let count = std::io::Read::read(&mut idle, &mut answer).unwrap();
    assert!(answer[..count].starts_with(b"HTTP/1.1 200"));
    let began = Instant::now();
    assert_eq!(cluster.waypost.stop(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
