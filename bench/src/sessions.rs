//! Logins, bytes relayed, and idle sessions, in clear and over TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::client::USERS;
use crate::process::{Process, free, part};
use crate::report::Report;
use crate::usage::{ProcessorTime, memory};
use crate::waypost::{LDIF, Setup, certificate};

/// How much a run does.
struct Size {
    logins: usize,
    tls_logins: usize,
    bytes: usize,
    churn: usize,
    held: usize,
}

const FULL: Size =
    Size { logins: 20_000, tls_logins: 4_000, bytes: 2 << 30, churn: 10_000, held: 10_000 };
const QUICK: Size = Size { logins: 500, tls_logins: 200, bytes: 64 << 20, churn: 200, held: 200 };

/// What a round is repeated for; the median counts.
const ROUNDS: usize = 3;

pub(crate) fn measure(report: &mut Report, quick: bool) -> anyhow::Result<()> {
    report.begin("bare relay");
    let mut size = if quick { QUICK } else { FULL };
    let folder = tempfile::tempdir()?;
    let certificate = certificate(folder.path())?;
    let backend = free("127.0.0.2")?;
    let _backend = Process::start(&mut part(&["backend", &backend.to_string()])?, "ready")?;

    let (plain, tls) = (free("127.0.0.1")?, free("127.0.0.1")?);
    let waypost = start(folder.path(), backend, plain, tls)?;
    let (floor_plain, floor_tls) = (free("127.0.0.1")?, free("127.0.0.1")?);
    let floor = |listen: SocketAddr, certificate: &[&str]| {
        let (listen, target) = (listen.to_string(), backend.to_string());
        Process::start(&mut part(&[&["floor", &listen, &target], certificate].concat())?, "ready")
    };
    let bare_plain = floor(floor_plain, &[])?;
    let bare_tls = floor(floor_tls, &[&certificate])?;
    let plain = [(waypost.id(), plain), (bare_plain.id(), floor_plain)];
    let tls = [(waypost.id(), tls), (bare_tls.id(), floor_tls)];

    let login = |count| ["logins".to_owned(), usize::to_string(&count), "4".to_owned()];
    let [ours, bare] = compare(plain, false, &login(size.logins))?;
    let each = |time: Duration, count: usize| time.as_secs_f64() * 1e6 / count as f64;
    let (ours, bare) = (each(ours, size.logins), each(bare, size.logins));
    report.add("login and logout, decision cached", ours, "µs", Some(bare), Some(90.0));
    let [ours, bare] = compare(tls, true, &login(size.tls_logins))?;
    let (ours, bare) = (each(ours, size.tls_logins), each(bare, size.tls_logins));
    report.add("the same over TLS, full handshake", ours, "µs", Some(bare), Some(315.0));

    let fetch = ["fetch".to_owned(), size.bytes.to_string()];
    let each = |time: Duration| time.as_secs_f64() * 1e3 / (size.bytes as f64 / 1e6);
    let [ours, bare] = compare(plain, false, &fetch)?;
    report.add("a megabyte relayed", each(ours), "ms", Some(each(bare)), Some(0.32));
    let [ours, bare] = compare(tls, true, &fetch)?;
    report.add("a megabyte relayed over TLS", each(ours), "ms", Some(each(bare)), Some(0.60));

    let carried = carried();
    if carried < size.held {
        size.held = carried;
        println!("the hard limit on descriptors carries {carried} sessions");
    }
    let [ours, bare] = idle(plain, false, &size)?;
    let what = format!("an idle session, {} held", size.held);
    report.add(what, ours, "KiB", Some(bare), Some(3.0));
    let [ours, bare] = idle(tls, true, &size)?;
    let what = format!("an idle session, client over TLS, {} held", size.held);
    report.add(what, ours, "KiB", Some(bare), Some(10.5));
    Ok(())
}

/// Starts Waypost in front of `backend`, in clear at `plain` and over TLS at `tls`.
fn start(
    folder: &Path,
    backend: SocketAddr,
    plain: SocketAddr,
    tls: SocketAddr,
) -> anyhow::Result<Process> {
    let ldif = crate::decision::ldif(USERS, &[&backend.ip().to_string()]);
    std::fs::write(folder.join("directory.ldif"), ldif)?;
    let listeners = format!(
        r#"[listener.plain]
protocol = "imap"
bind = ["{plain}"]
tls = "none"
allow-plaintext-login = true
max-connections-per-address = 1000000
max-connections-per-user = 1000000

[listener.tls]
protocol = "imap"
bind = ["{tls}"]
tls = "implicit"
max-connections-per-address = 1000000
max-connections-per-user = 1000000

[tls]
certificates = [{{ chain = "chain.pem", key = "key.pem" }}]

[login]
max-attempts-in-flight = 0"#
    );
    let back_ends = format!("imap = {{ port = {}, tls = \"none\" }}", backend.port());
    let setup =
        Setup { listeners: &listeners, directory: LDIF, verify: "backend", back_ends: &back_ends };
    setup.start(folder, plain)
}

/// The processor time that each of the two takes for the same load: medians of rounds in turn.
fn compare(
    proxies: [(u32, SocketAddr); 2],
    tls: bool,
    load: &[String],
) -> anyhow::Result<[Duration; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for ((process, address), times) in proxies.iter().zip(&mut times) {
            // Whatever the last load left behind is done with by then.
            std::thread::sleep(Duration::from_millis(300));
            let before = ProcessorTime::of(*process)?;
            client(*address, tls, load)?.finish()?;
            times.push(ProcessorTime::since(*process, &before)?);
        }
    }
    Ok(times.map(|mut times| {
        times.sort();
        times.get(ROUNDS / 2).copied().unwrap_or_default()
    }))
}

/// KiB for each idle session, after many others have come and gone.
fn idle(proxies: [(u32, SocketAddr); 2], tls: bool, size: &Size) -> anyhow::Result<[f64; 2]> {
    let mut used = [0.0; 2];
    for ((process, address), used) in proxies.into_iter().zip(&mut used) {
        let load = ["logins".to_owned(), size.churn.to_string(), "32".to_owned()];
        client(address, tls, &load)?.finish()?;
        std::thread::sleep(Duration::from_secs(2));
        let before = memory(process)?;
        let mut holder = client(address, tls, &["hold".to_owned(), size.held.to_string()])?;
        holder.wait_for("held")?;
        let held = memory(process)?.saturating_sub(before);
        *used = held as f64 / 1024.0 / size.held as f64;
        holder.finish()?;
    }
    Ok(used)
}

fn client(address: SocketAddr, tls: bool, load: &[String]) -> anyhow::Result<Process> {
    let mut command = part(&["client", &address.to_string()])?;
    if tls {
        command.arg("--tls");
    }
    command.args(load);
    Process::start(&mut command, "started")
}

/// How many sessions the hard limit on descriptors carries: two for each in the proxies.
fn carried() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    usize::try_from(hard.saturating_sub(512) / 2).unwrap_or(usize::MAX)
}
