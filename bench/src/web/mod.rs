//! Webmail: requests of a user whom the sealed cookie names, or Basic credentials, beside haproxy
//! with the same load and the same null back end (Debian: `haproxy`, `nghttp2-client`).

pub(crate) mod backend;
mod browser;
mod h2load;
mod haproxy;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::client::USERS;
use crate::process::{Process, free, part};
use crate::report::Report;
use crate::usage::ProcessorTime;
use crate::waypost::{LDIF, Setup, certificate};
use h2load::Load;

/// `user0@bench.test`, whose password is `secret`.
const BASIC: &str = "authorization: Basic dXNlcjBAYmVuY2gudGVzdDpzZWNyZXQ=";
const SMALL: usize = 1 << 10;
const LARGE: usize = 1 << 20;
/// What a round is repeated for; the median counts.
const ROUNDS: usize = 3;

/// How a user is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Cookie,
    Basic,
}

const LOADS: [(&str, Known, Load); 6] = [
    ("HTTP/1.1, 1 KiB", Known::Cookie, Load { http2: false, tls: false, length: SMALL }),
    ("HTTP/1.1, 1 KiB, by Basic", Known::Basic, Load { http2: false, tls: false, length: SMALL }),
    ("HTTP/1.1 over TLS, 1 KiB", Known::Cookie, Load { http2: false, tls: true, length: SMALL }),
    ("HTTP/2 over TLS, 1 KiB", Known::Cookie, Load { http2: true, tls: true, length: SMALL }),
    ("HTTP/1.1, 1 MiB", Known::Cookie, Load { http2: false, tls: false, length: LARGE }),
    ("HTTP/2 over TLS, 1 MiB", Known::Cookie, Load { http2: true, tls: true, length: LARGE }),
];

pub(crate) fn measure(report: &mut Report, quick: bool) -> anyhow::Result<()> {
    report.begin("haproxy");
    let folder = tempfile::tempdir()?;
    let certificate = certificate(folder.path())?;
    let back_end = free("127.0.0.2")?;
    let _back_end = Process::start(&mut part(&["web-backend", &back_end.to_string()])?, "ready")?;
    let doors = [free("127.0.0.1")?, free("127.0.0.1")?];
    let waypost = start(folder.path(), back_end, doors)?;
    let cookies = [false, true].map(|tls| browser::cookie(at(doors, tls), tls, "user0@bench.test"));
    let [plain_cookie, tls_cookie] = cookies;
    let cookies = [plain_cookie?, tls_cookie?];
    let others = [free("127.0.0.1")?, free("127.0.0.1")?];
    let haproxy = haproxy::start(folder.path(), back_end, others, &certificate)?;

    for (what, known, load) in &LOADS {
        let count = match (load.length == LARGE, quick) {
            (false, false) => 20_000,
            (false, true) => 200,
            (true, false) => 1_000,
            (true, true) => 16,
        };
        let field = match known {
            Known::Cookie => &*cookies[usize::from(load.tls)],
            Known::Basic => BASIC,
        };
        let proxies = [(waypost.id(), at(doors, load.tls)), (haproxy.id(), at(others, load.tls))];
        let [ours, theirs] = compare(proxies, load, field, count)?;
        report.add(format!("a request, {what}"), ours.micros, "µs", Some(theirs.micros), None);
        let rates = (ours.rate, Some(theirs.rate));
        report.add("  the same, requests a second", rates.0, "/s", rates.1, None);
    }
    Ok(())
}

fn at([plain, encrypted]: [SocketAddr; 2], tls: bool) -> SocketAddr {
    if tls { encrypted } else { plain }
}

/// What a load has taken.
#[derive(Clone, Copy)]
struct Cost {
    /// Of the processor, for each request.
    micros: f64,
    /// Requests a second.
    rate: f64,
}

/// Both proxies under the same load, in turn: medians.
fn compare(
    proxies: [(u32, SocketAddr); 2],
    load: &Load,
    field: &str,
    count: usize,
) -> anyhow::Result<[Cost; 2]> {
    let mut costs = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for ((process, address), costs) in proxies.iter().zip(&mut costs) {
            std::thread::sleep(Duration::from_millis(300));
            let before = ProcessorTime::of(*process)?;
            let rate = load.run(*address, field, count)?;
            let processor = ProcessorTime::since(*process, &before)?;
            // The first round fills what is kept: decisions, connections, memory.
            if round > 0 {
                costs.push(Cost { micros: processor.as_secs_f64() * 1e6 / count as f64, rate });
            }
        }
    }
    let [ours, theirs] = costs.map(median);
    Ok([ours.context("nothing was measured")?, theirs.context("nothing was measured")?])
}

fn median(mut costs: Vec<Cost>) -> Option<Cost> {
    costs.sort_by(|a, b| a.micros.total_cmp(&b.micros));
    costs.get(costs.len() / 2).copied()
}

/// Starts Waypost in front of `back_end`, in clear and over TLS.
fn start(
    folder: &Path,
    back_end: SocketAddr,
    [plain, tls]: [SocketAddr; 2],
) -> anyhow::Result<Process> {
    let ldif = crate::decision::ldif(USERS, &[&back_end.ip().to_string()]);
    std::fs::write(folder.join("directory.ldif"), ldif)?;
    let listeners = format!(
        r#"[listener.plain]
protocol = "webmail"
bind = ["{plain}"]
tls = "none"
allow-plaintext-login = true

[listener.tls]
protocol = "webmail"
bind = ["{tls}"]
tls = "implicit"

[tls]
certificates = [{{ chain = "chain.pem", key = "key.pem" }}]

[cache]
cache-for = "10m""#
    );
    let back_ends = format!("webmail = {{ port = {}, tls = \"none\" }}", back_end.port());
    let setup =
        Setup { listeners: &listeners, directory: LDIF, verify: "backend", back_ends: &back_ends };
    setup.start(folder, plain)
}
