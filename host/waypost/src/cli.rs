use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use waypost_harness::template::PluginName;
use waypost_model::Protocol;
use waypost_spool::Id;

/// The front door of a mail cluster.
///
/// Waypost accepts IMAP, POP3, submission, SMTP, LMTP and webmail, asks a policy where the user's
/// mailbox lives, and takes the session or the message there.
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
    Run(RunArgs),
    /// Say what is wrong with a configuration, its plugins, directories, certificates and back
    /// ends.
    Check(CheckArgs),
    /// Say where an address would be taken, and why.
    Route(RouteArgs),
    /// Look at the messages that are kept, have them tried again, forget them.
    Spool(SpoolArgs),
    /// Have the process that serves load its configuration anew: all of it, or nothing and the
    /// reason.
    Reload(ControlArgs),
    /// Begin, build, look at and test a plugin: what decides where users go.
    #[command(subcommand, after_help = PLUGIN_CODES)]
    Plugin(PluginCommand),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration.
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "/etc/waypost/waypost.toml",
        global = true
    )]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
}

/// Whether decisions are written down.
#[derive(Debug, Default, Args)]
pub(crate) struct RecordArgs {
    /// Write what policies are asked and what they get into this folder, one file for each policy,
    /// as cases for `waypost plugin test`. Words stand for other words, unless the policy's
    /// settings name them.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) record: Option<PathBuf>,
    /// Write addresses and values as they are.
    #[arg(long, requires = "record")]
    pub(crate) record_clear: bool,
}

/// What `waypost plugin` tells by its exit code.
const PLUGIN_CODES: &str = "Exit codes:
   0  all is well
   1  a case failed
   2  the command line is wrong
  10  a file cannot be read
  11  the component is larger than any
  12  the component is not the one that was pinned
  13  this is no component
  14  this is a core module, not a component
  15  the component does not compile
  16  the component does not fit the policy interface of this version
  17  the plugin refuses its settings
  18  the plugin failed in configure
  19  no instance of the plugin can be made within its limits
  20  the cases cannot be read
  21  this machine cannot run policies
  22  what this plugin is built with is not installed
  23  the plugin does not build
  24  the folder of a new plugin is not empty";

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Begin a plugin: a folder that builds as it stands, with the interface in it.
    New(PluginNewArgs),
    /// Make a component of the plugin in a folder.
    Build(PluginBuildArgs),
    /// Say what stands against serving with a component.
    Check(PluginCheckArgs),
    /// Show what a component imports and exports, and what it wants.
    Inspect(PluginInspectArgs),
    /// Run cases against a component, in the engine that serves sessions.
    Test(PluginTestArgs),
    /// Ask the questions of cases over and over, and print what a decision costs.
    Bench(PluginBenchArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PluginNewArgs {
    /// Its name: lower-case letters, digits and hyphens.
    pub(crate) name: PluginName,
    /// What it is written in.
    #[arg(long = "lang", value_enum, default_value_t = PluginLanguage::Rust)]
    pub(crate) language: PluginLanguage,
    /// Its folder, new or empty, instead of one of its name here.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

/// The languages that there is a template for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PluginLanguage {
    Rust,
    Python,
    Js,
}

#[derive(Debug, Args)]
pub(crate) struct PluginBenchArgs {
    /// The file of cases, with the policy and what it is asked.
    pub(crate) cases: PathBuf,
    /// The component, instead of the one that the cases name: a file, or builtin:NAME.
    #[arg(long, value_name = "COMPONENT")]
    pub(crate) plugin: Option<PathBuf>,
    /// Ask only the cases with this in their name.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) filter: String,
    /// Ask for this address, of the policy as the file has it, instead of what the cases ask.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// How often each question is asked.
    #[arg(long, value_name = "NUMBER", default_value = "1000")]
    pub(crate) decisions: NonZeroU32,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = BenchFormat::Text)]
    pub(crate) format: BenchFormat,
}

/// How the costs are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum BenchFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct PluginBuildArgs {
    /// The plugin's folder, with its Cargo.toml, package.json or requirements.txt.
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Where the component goes, instead of target/NAME.wasm in the folder.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PluginCheckArgs {
    /// The component: a file, or one that comes with Waypost as builtin:NAME.
    pub(crate) component: String,
    /// The SHA-256 that it must have, in hexadecimal.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) sha256: Option<String>,
    /// Its settings, in TOML: what stands in [policy.NAME.settings]. Without, none are given.
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// A file that becomes a setting: what stands in [policy.NAME.files].
    #[arg(long = "file", value_name = "SETTING=FILE")]
    pub(crate) files: Vec<Assignment>,
    /// A limit other than production's, such as memory=128MiB: what stands in [policy.NAME.limits].
    #[arg(long = "limit", value_name = "LIMIT=VALUE")]
    pub(crate) limits: Vec<Assignment>,
}

/// `KEY=VALUE`.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for Assignment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => {
                Ok(Self { key: key.into(), value: value.into() })
            }
            _ => Err("expected a name and a value with = between them"),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PluginInspectArgs {
    /// The component: a file, or one that comes with Waypost as builtin:NAME.
    pub(crate) component: String,
}

#[derive(Debug, Args)]
pub(crate) struct PluginTestArgs {
    /// The files of cases.
    #[arg(required = true)]
    pub(crate) cases: Vec<PathBuf>,
    /// The component, instead of the one that the cases name: a file, or builtin:NAME.
    #[arg(long, value_name = "COMPONENT")]
    pub(crate) plugin: Option<PathBuf>,
    /// Run only the cases with this in their name.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) filter: String,
    /// For people, for CI, or for programs.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
    /// Where the report goes, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Junit,
    Json,
}

/// How a command reaches the process that serves.
#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The control socket, instead of the one in the configuration.
    #[arg(long, value_name = "SOCKET", global = true)]
    pub(crate) control: Option<PathBuf>,
    /// How many seconds to wait for the end of the command.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, global = true)]
    pub(crate) patience: u32,
}

#[derive(Debug, Args)]
pub(crate) struct SpoolArgs {
    #[command(flatten)]
    pub(crate) control: ControlArgs,
    /// The folder of the spool to look at, instead of the one in the configuration.
    #[arg(long, value_name = "FOLDER", global = true)]
    pub(crate) folder: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: SpoolCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SpoolCommand {
    /// List the messages that are kept, the oldest first, with what is left to do: name, age, size
    /// and sender, then each recipient that waits.
    List,
    /// Show what is known of a message.
    Show {
        /// Its name.
        id: Id,
        /// Print the message itself instead.
        #[arg(long)]
        copy: bool,
    },
    /// Have messages tried again now.
    Retry {
        /// Their names; without, all of them.
        ids: Vec<Id>,
    },
    /// Forget messages: nobody gets them, and nobody is told.
    Drop {
        /// Their names.
        #[arg(required = true)]
        ids: Vec<Id>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where IMAP, POP3, SMTP, submission and webmail listen, instead of 1143, 1110, 2525, 1587 and
    /// 8080.
    #[arg(long, num_args = 5, value_names = ["IMAP", "POP3", "SMTP", "SUBMISSION", "WEBMAIL"])]
    pub(crate) ports: Option<Vec<u16>>,
    /// A component that decides instead of the usual one: a file, or builtin:NAME.
    #[arg(long, value_name = "COMPONENT")]
    pub(crate) plugin: Option<PathBuf>,
    /// Its settings, in TOML.
    #[arg(long, value_name = "FILE", requires = "plugin")]
    pub(crate) settings: Option<PathBuf>,
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
    /// The sender of a message to that address; without, the null sender.
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    pub(crate) sender: String,
    /// The client's address.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) client: std::net::IpAddr,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
}

/// The protocols whose listeners this version serves.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FrontProtocol {
    Imap,
    Pop3,
    Submission,
    Smtp,
    Lmtp,
    Webmail,
}

impl From<FrontProtocol> for Protocol {
    fn from(protocol: FrontProtocol) -> Self {
        match protocol {
            FrontProtocol::Imap => Self::Imap,
            FrontProtocol::Pop3 => Self::Pop3,
            FrontProtocol::Submission => Self::Submission,
            FrontProtocol::Smtp => Self::Smtp,
            FrontProtocol::Lmtp => Self::Lmtp,
            FrontProtocol::Webmail => Self::Webmail,
        }
    }
}
