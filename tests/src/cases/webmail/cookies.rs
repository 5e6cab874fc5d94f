//! Which cookies a back end is shown: its own, of the user who asks.

use std::io::Write as _;
use std::net::{IpAddr, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::cases::Case;
use crate::clusters::mailboxes::{DOMAIN, NORTH, SOUTH};
use crate::clusters::webmails::{Curled, WebCluster, WebPlan, smtp_door};
use crate::servers::{Asked, ScriptedWeb, Then, free_port_on};

pub(crate) const CASES: &[Case] = &[
    ("webmail::cookies::a_back_end_is_shown_its_own_and_nobody_elses", own),
    ("webmail::cookies::a_change_is_remembered_by_the_route_cookie_alone", by_hand),
    ("webmail::cookies::who_logs_out_is_forgotten_if_the_back_end_does_so", refused),
    ("webmail::cookies::no_other_site_has_a_user_forgotten", foreign),
];

/// Two back ends that record, and a browser before them.
struct Scene {
    cluster: WebCluster,
    north: ScriptedWeb,
    south: ScriptedWeb,
    jar: PathBuf,
}

impl Scene {
    fn start() -> Self {
        let addresses = [NORTH, SOUTH].map(|at| at.parse::<IpAddr>().unwrap());
        let port = free_port_on(&addresses);
        let [north, south] = addresses.map(|ip| ScriptedWeb::start_at((ip, port).into(), answer));
        let settings = "log-out = [\"/out\"]\n".to_owned();
        let plan = WebPlan { webmail: port, lmtp: 1, settings, ..WebPlan::default() };
        let cluster = WebCluster::start(&plan, smtp_door());
        let jar = cluster.waypost.file("jar");
        Self { cluster, north, south, jar }
    }

    /// What the browser gets.
    fn ask_with(&self, more: &[&str], path: &str) -> Curled {
        let jar = self.jar.to_str().unwrap();
        self.cluster.curl(&[&["-b", jar, "-c", jar][..], more].concat(), path)
    }

    fn ask(&self, path: &str) -> Curled {
        let answer = self.ask_with(&[], path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer
    }

    /// Somebody says who they are.
    fn introduce(&self, user: &str) {
        let answer = self.ask_with(&["-d", &address(user)], "/.waypost/");
        assert_eq!(answer.status, 303, "{answer:?}");
    }

    fn log_out(&self) {
        let answer = self.ask_with(&[], "/out");
        assert_eq!((answer.status, answer.field("location")), (303, "/.waypost/"), "{answer:?}");
    }

    /// Whether the browser remembers its user still.
    fn is_known(&self) -> bool {
        self.ask_with(&[], "/").status == 200
    }
}

/// Sets what stands in the query. A log-out is answered with the status there.
fn answer(asked: &Asked, stream: &mut TcpStream) -> Then {
    let (path, query) = asked.target().split_once('?').unwrap_or_else(|| (asked.target(), ""));
    let (status, field) = match path {
        "/out" if !query.is_empty() => (query, String::new()),
        _ if query.is_empty() => ("200", String::new()),
        _ => ("200", format!("Set-Cookie: {query}\r\n")),
    };
    let answer = format!("HTTP/1.1 {status} Said\r\n{field}Content-Length: 2\r\n\r\nok");
    let _ = stream.write_all(answer.as_bytes());
    Then::Next
}

fn address(user: &str) -> String {
    format!("address={user}%40{DOMAIN}&to=/")
}

/// The cookies of the only request for this target, in the order of their names.
fn shown(server: &ScriptedWeb, target: &str) -> Vec<String> {
    let seen = server.seen_for(target);
    assert_eq!(seen.len(), 1, "{target}: {seen:?}");
    let field = seen[0].field("cookie").unwrap_or_default();
    let mut cookies: Vec<String> =
        field.split("; ").filter(|cookie| !cookie.is_empty()).map(str::to_owned).collect();
    cookies.sort();
    cookies
}

const NONE: [&str; 0] = [];

fn own() {
    let scene = Scene::start();
    let Scene { north, south, .. } = &scene;
    scene.introduce("user1");
    scene.ask("/set?r=1");
    scene.ask("/app/set?h=1;HttpOnly");
    scene.ask("/app/set?s=1;Path=/app/");
    scene.ask("/app/user1");
    assert_eq!(shown(north, "/app/user1"), ["h=1", "r=1", "s=1"]);

    // Another user, who says so where the old one's cookies are not sent.
    scene.introduce("user3");
    scene.ask("/app/user3");
    assert_eq!(shown(south, "/app/user3"), NONE);
    scene.ask("/app/set?s=3;Path=/app/");
    scene.ask("/app/user3/again");
    assert_eq!(shown(south, "/app/user3/again"), ["s=3"], "its own, over the other's");
    // On the same back end, and back.
    scene.introduce("user4");
    scene.ask("/app/user4");
    assert_eq!(shown(south, "/app/user4"), NONE);
    scene.introduce("user3");
    scene.ask("/app/user3/back");
    assert_eq!(shown(south, "/app/user3/back"), ["s=3"]);

    // Who is moved, and comes first where the old back end's cookies are not sent.
    scene.cluster.slapd.move_user("user3", NORTH);
    thread::sleep(Duration::from_millis(1200));
    scene.ask("/moved");
    assert_eq!(shown(north, "/moved"), NONE);
    scene.ask("/app/moved");
    assert_eq!(shown(north, "/app/moved"), NONE);

    // Out and in: somebody else, and who was there first.
    scene.log_out();
    scene.introduce("user2");
    scene.ask("/app/user2");
    assert_eq!(shown(north, "/app/user2"), NONE);
    scene.log_out();
    scene.introduce("user1");
    scene.ask("/app/user1/back");
    assert_eq!(shown(north, "/app/user1/back"), ["h=1", "r=1"], "`s` is another's by now");
}

/// A cookie of which nobody knows who has set it, in a browser that has changed hands.
fn by_hand() {
    let Scene { cluster, north, south, .. } = Scene::start();
    let introduced = cluster.curl(&["-d", &address("user1")], "/.waypost/").cookie().unwrap();
    let first = cluster.curl(&["-b", &introduced], "/").cookie().unwrap();
    let with = |cookie: &str| format!("{cookie}; s=1");
    cluster.curl(&["-b", &with(&first)], "/app/user1");
    assert_eq!(shown(&north, "/app/user1"), ["s=1"], "there was nobody else");
    for (known, target) in [(&introduced, "/app/early"), (&first, "/app/late")] {
        let sent = address("user3");
        let second = cluster.curl(&["-b", known, "-d", &sent], "/.waypost/").cookie().unwrap();
        let answer = cluster.curl(&["-b", &with(&second)], target);
        assert_eq!(shown(&south, target), NONE);
        let again = format!("{target}/again");
        cluster.curl(&["-b", &with(&answer.cookie().unwrap_or(second))], &again);
        assert_eq!(shown(&south, &again), NONE);
    }
}

fn refused() {
    let scene = Scene::start();
    for status in ["401", "403", "500", "503"] {
        scene.introduce("user1");
        let answer = scene.ask_with(&[], &format!("/out?{status}"));
        assert_eq!(answer.status.to_string(), status, "{answer:?}");
        assert!(scene.is_known(), "{status}");
    }
    for status in ["200", "204", "302"] {
        scene.introduce("user1");
        let answer = scene.ask_with(&[], &format!("/out?{status}"));
        assert_eq!((answer.status, answer.field("location")), (303, "/.waypost/"), "{answer:?}");
        assert!(!scene.is_known(), "{status}");
    }
}

fn foreign() {
    let scene = Scene::start();
    scene.introduce("user1");
    let own = scene.cluster.url();
    for more in [
        &["-H", "Sec-Fetch-Site: cross-site"][..],
        &["-H", "Sec-Fetch-Site: same-site"],
        &["-d", "x=y", "-H", "Origin: https://elsewhere.test"],
        &["-d", "x=y", "-H", "Origin: null"],
    ] {
        let answer = scene.ask_with(more, "/out");
        assert_eq!(answer.status, 200, "the back end's own answer: {more:?} {answer:?}");
        assert!(scene.is_known(), "{more:?}");
    }
    for more in [
        &["-H", "Sec-Fetch-Site: same-origin"][..],
        &["-H", "Sec-Fetch-Site: none"],
        &["-d", "x=y", "-H", &format!("Origin: {own}")],
    ] {
        scene.introduce("user1");
        assert_eq!(scene.ask_with(more, "/out").status, 303, "{more:?}");
        assert!(!scene.is_known(), "{more:?}");
    }
}
