//! The control socket's two ends: what the process does when it is asked, and how commands ask.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use waypost_config::Config;
use waypost_control::{Answer, Commands, Request, Server, ask};

use crate::builtin::SYSTEM;
use crate::cli::ControlArgs;

/// Where a reload's outcome goes.
pub(crate) type Reload = oneshot::Sender<Result<Value, String>>;

/// What commands do in the process that serves.
pub(crate) struct Process {
    reloads: mpsc::Sender<Reload>,
}

impl Process {
    /// With it comes the end at which reloads are asked for, one after the other.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Reload>) {
        let (reloads, asked) = mpsc::channel(1);
        (Self { reloads }, asked)
    }

    async fn reload(&self) -> Answer {
        let (outcome, told) = oneshot::channel();
        let told = match self.reloads.send(outcome).await {
            Ok(()) => told.await.ok(),
            Err(_) => None,
        };
        match told {
            Some(Ok(loaded)) => Answer::Done(loaded),
            Some(Err(why)) => Answer::Refused(why),
            None => Answer::Refused("waypost is stopping".into()),
        }
    }
}

impl Commands for Process {
    async fn run(&self, request: Request) -> Answer {
        match request.command.as_str() {
            "reload" => self.reload().await,
            _ => Answer::unknown(&request),
        }
    }
}

/// Binds the socket that the configuration asks for, as who serves.
pub(crate) fn bind(config: &Config) -> anyhow::Result<Option<Server>> {
    let Some(path) = &config.server.control else { return Ok(None) };
    Ok(Some(Server::bind(path)?))
}

/// Asks the process that serves, and answers what it says is done.
///
/// # Errors
/// When it cannot be asked, or refuses; why, for the operator.
pub(crate) fn command(arguments: &ControlArgs, request: &Request) -> anyhow::Result<Value> {
    let configured;
    let socket = match &arguments.control {
        Some(socket) => socket,
        None => {
            configured = configured_socket(&arguments.config.config)?;
            &configured
        }
    };
    let patience = Duration::from_secs(arguments.patience.max(1).into());
    match ask(socket, request, patience)? {
        Answer::Done(value) => Ok(value),
        Answer::Refused(why) => Err(anyhow::anyhow!(why)),
    }
}

fn configured_socket(config: &Path) -> anyhow::Result<std::path::PathBuf> {
    Config::control_socket(config, &SYSTEM)?.with_context(|| {
        format!(
            "{} has no control socket: set `control` in [server] and start waypost again",
            config.display()
        )
    })
}
