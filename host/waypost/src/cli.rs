use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use waypost_model::Protocol;

/// The front door of a mail cluster.
///
/// Waypost accepts IMAP and POP3, asks a policy where the user's mailbox lives, and takes the
/// session there.
#[derive(Debug, Parser)]
#[command(name = "waypost", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a whole cluster on loopback to try: a directory, two back ends, Waypost in front.
    Demo(DemoArgs),
    /// Serve.
    Run(ConfigArgs),
    /// Say what is wrong with a configuration, its plugins, directories, certificates and back
    /// ends.
    Check(CheckArgs),
    /// Say where an address would be taken, and why.
    Route(RouteArgs),
    /// Have the process that serves load its configuration anew: all of it, or nothing and the
    /// reason.
    Reload(ControlArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = "/etc/waypost/waypost.toml")]
    pub(crate) config: PathBuf,
}

/// How a command reaches the process that serves.
#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The control socket, instead of the one in the configuration.
    #[arg(long, value_name = "SOCKET")]
    pub(crate) control: Option<PathBuf>,
    /// How many seconds to wait for the end of the command.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) patience: u32,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where IMAP and POP3 listen, instead of 1143 and 1110.
    #[arg(long, num_args = 2, value_names = ["IMAP", "POP3"])]
    pub(crate) ports: Option<Vec<u16>>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Look at the files only: open no connection.
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RouteArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The address, or a bare login name where the listener has a default domain.
    pub(crate) address: String,
    /// As whom to ask.
    #[arg(long, value_enum, default_value_t = FrontProtocol::Imap)]
    pub(crate) protocol: FrontProtocol,
    /// The client's address.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) client: std::net::IpAddr,
}

/// The protocols whose listeners this version serves.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FrontProtocol {
    Imap,
    Pop3,
}

impl From<FrontProtocol> for Protocol {
    fn from(protocol: FrontProtocol) -> Self {
        match protocol {
            FrontProtocol::Imap => Self::Imap,
            FrontProtocol::Pop3 => Self::Pop3,
        }
    }
}
