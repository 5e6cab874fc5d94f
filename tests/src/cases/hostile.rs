//! Plugins that loop, eat memory, trap or return rubbish cost their own domain's sessions the
//! temporary error, and no other session anything.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Case;
use crate::clusters::mailboxes::{Cluster, Doors, Plan};
use crate::plugins::{LOOP, MEMORY_BOMB, Plugins, TRAP};
use crate::servers::free_port;
use crate::talk::Talk;

pub(crate) const CASES: &[Case] =
    &[("hostile::bad_plugins_cost_only_their_own_domains_sessions", bad_plugins)];

/// How much longer than without hostile neighbours a good login may take.
const DISTURBANCE: Duration = Duration::from_secs(1);
/// For how long Waypost tries a temporary error again, the usual plan's `retry-for`, and slack for
/// a busy machine. One decision's own budget is 50 ms.
const BUDGET: Duration = Duration::from_secs(4);

/// A hostile policy: its name, and the fault that the log tells of.
const HOSTILE: [(&str, &str); 5] = [
    ("loops", "cpu"),
    ("hoards", "memory"),
    ("traps", "trap"),
    ("babbles", "invalid-output"),
    ("strays", "target-denied"),
];

fn bad_plugins() {
    let plugins = Plugins::new();
    let metrics = free_port();
    let mut more = format!("[metrics]\nbind = \"127.0.0.1:{metrics}\"\n\n");
    for (name, file) in [
        ("loops", plugins.add("loops", LOOP)),
        ("hoards", plugins.add("hoards", MEMORY_BOMB)),
        ("traps", plugins.add("traps", TRAP)),
        ("babbles", plugins.add_route_to("babbles", "no host, but a sentence")),
        // The grant below holds the back ends, not this.
        ("strays", plugins.add_route_to("strays", "192.0.2.1")),
    ] {
        more += &policy(name, &file);
    }
    let cluster = Cluster::start(&Plan { more, ..Plan::default() });
    let alone = worst(20, || good_login(cluster.doors));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let good = scope.spawn(|| {
            let mut logins = (0, Duration::ZERO);
            while !over.load(Ordering::Relaxed) {
                logins = (logins.0 + 1, logins.1.max(good_login(cluster.doors)));
            }
            logins
        });
        // All of them at once, each by both protocols.
        thread::scope(|scope| {
            for (name, _) in HOSTILE {
                scope.spawn(move || hostile_logins(cluster.doors, name));
            }
        });
        over.store(true, Ordering::Relaxed);
        let (count, slowest) = good.join().unwrap();
        assert!(count >= 5, "only {count} good logins meanwhile");
        assert!(slowest < alone + DISTURBANCE, "{slowest:?} of {count}, alone {alone:?}");
    });
    faults_are_told(&cluster.waypost.log(), &scrape(metrics));
}

fn policy(name: &str, file: &Path) -> String {
    let mut text = format!("[policy.{name}]\nplugin = \"{}\"\n", file.display());
    let _ = writeln!(text, "targets = [\"127.0.0.0/8\"]\n");
    let _ = writeln!(text, "[domain.\"{name}.test\"]\npolicies = [\"{name}\"]\n");
    text
}

fn worst(times: usize, login: impl Fn() -> Duration) -> Duration {
    (0..times).map(|_| login()).max().unwrap()
}

/// Logs in to the good domain; how long that took.
fn good_login(doors: Doors) -> Duration {
    let began = Instant::now();
    let mut talk = Talk::greeted(doors.imap);
    let said = talk.imap("a", "LOGIN user1@localdomain.test user1");
    assert!(said.starts_with("a OK"), "{said}");
    let took = began.elapsed();
    talk.imap("b", "LOGOUT");
    took
}

fn hostile_logins(doors: Doors, name: &str) {
    let began = Instant::now();
    let mut talk = Talk::greeted(doors.imap);
    let said = talk.imap("a", &format!("LOGIN user1@{name}.test user1"));
    assert!(said.starts_with("a NO [UNAVAILABLE]"), "{name}: {said}");
    assert!(began.elapsed() < BUDGET, "{name}: {:?}", began.elapsed());
    let began = Instant::now();
    let mut talk = Talk::greeted(doors.pop3);
    let said = talk.pop3_login(&format!("user1@{name}.test"), "user1");
    assert!(said.starts_with("-ERR [SYS/TEMP]"), "{name}: {said}");
    assert!(began.elapsed() < BUDGET, "{name}: {:?}", began.elapsed());
    // The session has survived it.
    let said = talk.pop3("CAPA");
    assert!(said.starts_with("+OK"), "{name}: {said}");
}

fn faults_are_told(log: &str, metrics: &str) {
    for (name, fault) in HOSTILE {
        let told = log.lines().any(|line| line.contains(name) && line.contains(fault));
        assert!(told, "no line names {name} and {fault}: {log}");
        let (family, label) = match fault {
            "target-denied" => ("waypost_policy_decisions_total", "outcome"),
            _ => ("waypost_policy_faults_total", "kind"),
        };
        let sample = format!("{family}{{policy=\"{name}\",{label}=\"{fault}\"}} ");
        let count = metrics.lines().find_map(|line| line.strip_prefix(&sample));
        let count: f64 = count.unwrap_or_else(|| panic!("{sample}: {metrics}")).parse().unwrap();
        assert!(count >= 2.0, "{sample}{count}");
    }
    let good = "waypost_policy_faults_total{policy=\"ldap\"";
    let mut good = metrics.lines().filter(|line| line.starts_with(good));
    assert!(good.all(|line| line.ends_with(" 0")), "the good policy has no fault: {metrics}");
}

fn scrape(port: u16) -> String {
    let mut talk = Talk::connect(port);
    talk.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    talk.rest()
}
