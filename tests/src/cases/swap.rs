//! Policies that are swapped under load: nobody notices, and nothing is left behind.
//!
//! Ten seconds here; `WAYPOST_SWAP_SECONDS=60` makes it a whole minute.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::Case;
use crate::servers::{NullBackEnd, Waypost, free_port, free_port_on};

pub(crate) const CASES: &[Case] =
    &[("swap::policies_are_swapped_under_load_and_every_login_meets_the_one_in_force", swap)];

/// The domain that clients log in under. Nobody lives there: each policy looks its users up, and
/// passes them on, under a domain of its own.
const ALIAS: &str = "alias.test";
/// Under which domains the two policies know the users, in turn.
const DOMAINS: [&str; 2] = ["localdomain.test", "elsewhere.test"];
/// From one swap to the next.
const INTERVAL: Duration = Duration::from_millis(100);
/// Clients that log in and out without a pause.
const CLIENTS: usize = 8;
const USERS: usize = 1000;
/// How long nothing is counted: until every pool and every buffer has its size.
const WARM_UP: Duration = Duration::from_secs(3);
/// What memory may grow by from the first half of the time to the second, in KiB. It comes and goes by
/// a generation (sixteen MiB, most of it the directory's file), whenever one is looked at before the
/// last session has let go of it. Fifty swaps lie between the halves of the short run: if each left a
/// thirtieth of its generation behind, it would show.
const GROWTH: u64 = 24 << 10;
/// No login takes longer: a client would not notice less.
const SLOWEST: Duration = Duration::from_secs(5);

/// What there is to say of the logins.
#[derive(Default)]
struct Tally {
    logins: AtomicUsize,
    /// How many began and ended between two swaps, by the policy that was in force.
    between: [AtomicUsize; 2],
    slowest: Mutex<Duration>,
    wrong: Mutex<Vec<String>>,
}

fn swap() {
    let seconds = std::env::var("WAYPOST_SWAP_SECONDS");
    let time = Duration::from_secs(seconds.map_or(10, |seconds| seconds.parse().unwrap()));
    let at = ["127.0.0.2", "127.0.0.3"].map(|address| address.parse::<IpAddr>().unwrap());
    let back_end = free_port_on(&at);
    NullBackEnd::start("north", (at[0], back_end).into());
    NullBackEnd::start("south", (at[1], back_end).into());
    let port = free_port();
    let configurations = DOMAINS.map(|domain| configuration(port, back_end, domain));
    let waypost = Waypost::start(&configurations[0], &[("users.ldif", &users())]);
    let swaps = Swaps::new(waypost.configuration(), waypost.file("control"), configurations);
    // Both are compiled and cached after this.
    swaps.swap();

    let (tally, over) = (Arc::new(Tally::default()), Arc::new(AtomicBool::new(false)));
    let clients = (0..CLIENTS).map(|client| {
        let (tally, over, swaps) = (tally.clone(), over.clone(), swaps.clone());
        thread::spawn(move || {
            let mut user = client;
            while !over.load(Ordering::Relaxed) {
                tally.log_in(port, user % USERS, &swaps);
                user += CLIENTS;
            }
        })
    });
    let clients: Vec<_> = clients.collect();

    let mut memory = Vec::new();
    let mut late = 0;
    let started = Instant::now();
    let (mut next, mut measured) = (started, started + WARM_UP);
    while started.elapsed() < WARM_UP + time {
        swaps.swap();
        if Instant::now() >= measured {
            memory.push(proportional_set(waypost.id()));
            measured += Duration::from_secs(1);
        }
        next += INTERVAL;
        match next.checked_duration_since(Instant::now()) {
            Some(pause) => thread::sleep(pause),
            None => {
                late += 1;
                next = Instant::now();
            }
        }
    }
    let took = started.elapsed();
    over.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().unwrap());

    let logins = tally.logins.load(Ordering::Relaxed);
    let slowest = *tally.slowest.lock().unwrap();
    let halves = memory.split_at(memory.len() / 2);
    let [before, after] = [halves.0, halves.1].map(|half| half.iter().min().copied().unwrap());
    let shown = memory.iter().fold(String::new(), |mut text, kib| {
        let _ = write!(text, " {:.1}", *kib as f64 / 1024.0);
        text
    });
    let swaps = swaps.done.load(Ordering::SeqCst);
    let between = tally.between.each_ref().map(|count| count.load(Ordering::Relaxed));
    println!(
        "{swaps} swaps ({late} late) and {logins} logins in {took:.1?}, {:.0} a second, the slowest \
         {slowest:.0?}; {between:?} between two swaps; memory each second in MiB:{shown}",
        logins as f64 / took.as_secs_f64()
    );
    let wrong = tally.wrong.lock().unwrap();
    assert!(wrong.is_empty(), "{} of {logins} went wrong: {:#?}", wrong.len(), wrong.first());
    assert!(slowest < SLOWEST, "{slowest:?}");
    // A machine that is busy with other tests carries fewer; what is here carries far more.
    assert!(logins > 50 * CLIENTS, "{logins}");
    // Ten a second, unless other tests keep the machine from it.
    assert!(swaps as f64 > 4.0 * took.as_secs_f64(), "{swaps} in {took:?}");
    assert!(between.iter().all(|count| *count > CLIENTS), "{between:?} of {logins}");
    assert!(after <= before + GROWTH, "from {before} KiB to {after} KiB:{shown}");
    let log = waypost.log();
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
}

impl Tally {
    /// Logs in, asks where it is and as whom, and logs out.
    fn log_in(&self, port: u16, user: usize, swaps: &Swaps) {
        let started = Instant::now();
        let before = swaps.done.load(Ordering::SeqCst);
        let done = converse(port, user);
        let after = swaps.begun.load(Ordering::SeqCst);
        let done = done.and_then(|domain| {
            let in_force: BTreeSet<_> = (before..=after).map(|swap| swap % 2).collect();
            if let [policy] = Vec::from_iter(in_force.iter().copied())[..] {
                self.between[policy].fetch_add(1, Ordering::Relaxed);
            }
            if in_force.contains(&domain) {
                return Ok(());
            }
            Err(format!("after swap {before} user{user} was taken to {}", DOMAINS[domain]))
        });
        self.logins.fetch_add(1, Ordering::Relaxed);
        let took = started.elapsed();
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = slowest.max(took);
        drop(slowest);
        if let Err(wrong) = done {
            self.wrong.lock().unwrap().push(wrong);
        }
    }
}

/// The two policies, in turn.
struct Swaps {
    file: PathBuf,
    control: PathBuf,
    configurations: [String; 2],
    /// How many have been asked for, and how many of them have been answered: whoever begins to log
    /// in after that meets the new policy.
    begun: AtomicUsize,
    done: AtomicUsize,
}

impl Swaps {
    /// The first of the two is in force.
    fn new(file: PathBuf, control: PathBuf, configurations: [String; 2]) -> Arc<Self> {
        let (begun, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { file, control, configurations, begun, done })
    }

    fn swap(&self) {
        let swap = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        replace(&self.file, &self.configurations[swap % 2]);
        reload(&self.control);
        self.done.store(swap, Ordering::SeqCst);
    }
}

/// The back end on which a user lives.
fn home(user: usize) -> &'static str {
    if user.is_multiple_of(2) { "north" } else { "south" }
}

/// What was said to a user, and by which policy: its place in [`DOMAINS`].
fn converse(port: u16, number: usize) -> Result<usize, String> {
    let user = format!("user{number}@{ALIAS}");
    let told = |error: std::io::Error| format!("{user}: {error}");
    let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).map_err(told)?;
    stream.set_nodelay(true).map_err(told)?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(told)?;
    let mut writer = stream.try_clone().map_err(told)?;
    let mut reader = BufReader::new(stream);
    let mut until = |start: &str| loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line).map_err(told)?;
        if line.starts_with(start) {
            return Ok(line);
        }
        if read == 0 || line.starts_with(start.get(..2).unwrap_or_default()) {
            return Err(format!("{user}: {line:?} where {start:?} was expected"));
        }
    };
    until("* OK")?;
    writer.write_all(format!("a LOGIN {user} secret\r\n").as_bytes()).map_err(told)?;
    until("a OK")?;
    writer.write_all(b"b WHO\r\n").map_err(told)?;
    let who = until("b OK")?;
    let domain = DOMAINS.iter().position(|domain| {
        who.trim_end() == format!("b OK {} user{number}@{domain}", home(number))
    });
    let domain = domain.ok_or_else(|| format!("{user} was taken to the wrong back end: {who}"))?;
    writer.write_all(b"c LOGOUT\r\n").map_err(told)?;
    until("c OK")?;
    Ok(domain)
}

/// Puts a new configuration in the place of the old one, whole.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

/// As `waypost reload` does it, without a process for each.
fn reload(control: &Path) {
    let mut stream = UnixStream::connect(control).unwrap();
    stream.write_all(b"{\"command\":\"reload\"}\n").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert!(answer.starts_with("{\"done\""), "{answer}");
}

/// The proportional set size of a process, in KiB.
fn proportional_set(process: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The same users under both domains.
fn users() -> String {
    let mut ldif = "version: 1\n\ndn: dc=test\nobjectClass: domain\ndc: test\n".to_owned();
    for domain in DOMAINS {
        let name = domain.trim_end_matches(".test");
        let base = format!("dc={name},dc=test");
        let _ = write!(ldif, "\ndn: {base}\nobjectClass: domain\ndc: {name}\n");
        for number in 0..USERS {
            let host = if home(number) == "north" { "127.0.0.2" } else { "127.0.0.3" };
            let _ = write!(
                ldif,
                "\ndn: uid=user{number},{base}\nobjectClass: inetOrgPerson\nuid: user{number}\n\
                 mail: user{number}@{domain}\nmailHost: {host}\n"
            );
        }
    }
    ldif
}

/// Nothing is remembered, so that each login asks the policy that is in force. The clients are many
/// users behind one address, as a webmail host's.
fn configuration(port: u16, back_end: u16, domain: &str) -> String {
    format!(
        r#"[server]
hostname = "mail.localdomain.test"
control = "control"

[code-cache]
folder = "code"

[cache]
cache-for = "0s"
negative-for = "0s"
stale-for = "0s"

[listener.imap]
protocol = "imap"
bind = ["127.0.0.1:{port}"]
tls = "none"
allow-plaintext-login = true
exempt-networks = ["127.0.0.0/8"]

[directory.main]
ldif = "users.ldif"
base = "dc=test"

[policy.ldap]
plugin = "builtin:ldap-routing"
directories = {{ main = ["mail", "mailHost"] }}
targets = ["127.0.0.0/8"]

[policy.ldap.settings]
directory = "main"
search-base = "%s"
search-pattern = "mail=%e"
host-field = "mailHost"
alias-domains = {{ "{ALIAS}" = "{domain}" }}

[domain."{ALIAS}"]
policies = ["ldap"]

[backend."*"]
imap = {{ port = {back_end}, tls = "none" }}
"#
    )
}
