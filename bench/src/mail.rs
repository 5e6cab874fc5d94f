//! Inbound mail: a message of 4 KiB to one recipient, to ten on one back end, and to ten over five,
//! whose back ends are Postfix's `smtp-sink`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::process::{Process, free, part};
use crate::report::Report;
use crate::usage::ProcessorTime;
use crate::waypost::{LDIF, Setup};

/// Postfix's null back end.
const SINK: &str = "/usr/sbin/smtp-sink";
/// Where the back ends are; a user's number says at which the user lives.
const BACK_ENDS: [&str; 5] = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"];
/// How many users there are: as many at each back end.
pub(crate) const USERS: usize = 50;
/// Clients at once.
const AT_ONCE: usize = 4;
/// What a round is repeated for; the median counts.
const ROUNDS: usize = 3;

/// What a load is: so many recipients, on back ends so many.
const LOADS: [(&str, usize, usize); 3] = [
    ("a message of 4 KiB, one recipient", 1, 1),
    ("a message of 4 KiB, ten recipients on one back end", 10, 1),
    ("a message of 4 KiB, ten recipients over five", 10, 5),
];

pub(crate) fn measure(report: &mut Report, quick: bool) -> anyhow::Result<()> {
    report.begin("bare relay");
    let count: usize = if quick { 100 } else { 3_000 };
    let folder = tempfile::tempdir()?;
    // All back ends share their port, as the back-end table wants it.
    let port = free(BACK_ENDS[0])?.port();
    let sinks = BACK_ENDS.iter().map(|ip| sink(SocketAddr::new(ip.parse()?, port)));
    let _sinks: Vec<Process> = sinks.collect::<anyhow::Result<_>>()?;
    let door = free("127.0.0.1")?;
    let waypost = start(folder.path(), door, port)?;
    let (floor, target) = (free("127.0.0.1")?, SocketAddr::new(BACK_ENDS[0].parse()?, port));
    let mut command = part(&["floor", &floor.to_string(), &target.to_string()])?;
    let bare = Process::start(&mut command, "ready")?;

    for (what, recipients, back_ends) in LOADS {
        let load = [count, AT_ONCE, recipients, back_ends].map(|number| number.to_string());
        // A relay that knows no protocol takes a message to one back end only.
        let bare = (back_ends == 1).then_some((bare.id(), floor));
        let [ours, floor] = compare((waypost.id(), door), bare, &load)?;
        let ours = ours.context("nothing was measured")?;
        let each = |cost: Cost| cost.processor.as_secs_f64() * 1e6 / count as f64;
        let goal = (recipients == 1).then_some(160.0);
        report.add(what, each(ours), "µs", floor.map(each), goal);
        let rate = |cost: Cost| count as f64 / cost.wall.as_secs_f64();
        report.add("  the same, messages a second", rate(ours), "/s", floor.map(rate), None);
    }
    Ok(())
}

/// What a load has taken.
#[derive(Clone, Copy)]
struct Cost {
    processor: Duration,
    wall: Duration,
}

/// Both under the same load, in turn: medians.
fn compare(
    ours: (u32, SocketAddr),
    bare: Option<(u32, SocketAddr)>,
    load: &[String],
) -> anyhow::Result<[Option<Cost>; 2]> {
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (proxy, costs) in [Some(ours), bare].into_iter().zip(&mut costs) {
            let Some((process, address)) = proxy else { continue };
            std::thread::sleep(Duration::from_millis(300));
            let mut command = part(&["client", &address.to_string(), "mail"])?;
            let (before, began) = (ProcessorTime::of(process)?, Instant::now());
            Process::start(command.args(load), "started")?.finish()?;
            let wall = began.elapsed();
            costs.push(Cost { processor: ProcessorTime::since(process, &before)?, wall });
        }
    }
    Ok(costs.map(|mut costs| {
        costs.sort_by_key(|cost| cost.processor);
        costs.get(costs.len() / 2).copied()
    }))
}

fn sink(address: SocketAddr) -> anyhow::Result<Process> {
    ensure!(Path::new(SINK).exists(), "{SINK} is missing: Debian has it in the package postfix");
    let mut command = Command::new(SINK);
    // As root it wants to be told to become somebody else.
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "nobody"]);
    }
    Process::start_server(command.arg(address.to_string()).arg("1000"), address)
}

fn start(folder: &Path, door: SocketAddr, port: u16) -> anyhow::Result<Process> {
    std::fs::write(folder.join("directory.ldif"), crate::decision::ldif(USERS, &BACK_ENDS))?;
    let listeners = format!(
        r#"[listener.mx]
protocol = "smtp"
bind = ["{door}"]
tls = "none"
max-connections-per-address = 1000000

[smtp]
postmaster = "user0@bench.test"

[spool]
folder = "spool""#
    );
    let back_ends = format!("smtp = {{ port = {port}, tls = \"none\" }}");
    let setup =
        Setup { listeners: &listeners, directory: LDIF, verify: "backend", back_ends: &back_ends };
    setup.start(folder, door)
}

/// Whom message number `number` goes to: `recipients` of those who live on the first `back_ends`.
pub(crate) fn recipients(
    number: usize,
    recipients: usize,
    back_ends: usize,
) -> impl Iterator<Item = usize> {
    let users: Vec<usize> = (0..USERS).filter(|user| user % BACK_ENDS.len() < back_ends).collect();
    let skip = (number * recipients) % users.len();
    users.into_iter().cycle().skip(skip).take(recipients)
}
