//! What Waypost costs: a decision, a login, a megabyte relayed, an idle session, a message, a web
//! request.
//!
//! `cargo build --release -p waypost -p waypost-bench && target/release/waypost-bench`
//!
//! Waypost, the null back ends and the clients are processes of their own on loopback. What is
//! measured is Waypost's own processor time and memory, beside a bare relay that does nothing but
//! copy; both in one run, since machines differ and drift.

mod backend;
mod client;
mod decision;
mod floor;
mod mail;
mod process;
mod report;
mod sessions;
mod usage;
mod verification;
mod waypost;
mod web;

use std::net::SocketAddr;

use clap::{Parser, Subcommand, ValueEnum};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    /// A short run, to see that everything works; its figures mean little.
    #[arg(long)]
    quick: bool,
    /// One subject alone.
    #[arg(long)]
    only: Option<Subject>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    Decision,
    Sessions,
    Verification,
    Mail,
    Web,
}

/// The processes of a run start each other.
#[derive(Subcommand)]
enum Part {
    /// Serve as a null back end.
    #[command(hide = true)]
    Backend { address: SocketAddr },
    /// Serve as a null back end for web requests.
    #[command(hide = true)]
    WebBackend { address: SocketAddr },
    /// Relay to an address and do nothing else.
    #[command(hide = true)]
    Floor { listen: SocketAddr, target: SocketAddr, certificate: Option<std::path::PathBuf> },
    /// Be many mail clients.
    #[command(hide = true)]
    Client {
        address: SocketAddr,
        #[arg(long)]
        tls: bool,
        #[command(subcommand)]
        load: client::Load,
    },
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match cli.part {
        Some(Part::Backend { address }) => runtime.block_on(backend::serve(address)),
        Some(Part::WebBackend { address }) => runtime.block_on(web::backend::serve(address)),
        Some(Part::Floor { listen, target, certificate }) => {
            runtime.block_on(floor::serve(listen, target, certificate))
        }
        Some(Part::Client { address, tls, load }) => {
            runtime.block_on(client::run(address, tls, load))
        }
        None => {
            let mut report = report::Report::default();
            let (report, quick) = (&mut report, cli.quick);
            let subjects = Subject::value_variants().iter();
            for subject in subjects.filter(|subject| cli.only.is_none_or(|only| only == **subject))
            {
                match subject {
                    Subject::Decision => runtime.block_on(decision::measure(report, quick))?,
                    Subject::Sessions => sessions::measure(report, quick)?,
                    Subject::Verification => verification::measure(report, quick)?,
                    Subject::Mail => mail::measure(report, quick)?,
                    Subject::Web => web::measure(report, quick)?,
                }
            }
            report.print();
            Ok(())
        }
    }
}
