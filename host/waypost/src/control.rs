//! The control socket's two ends: what the process does when it is asked, and how commands ask.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use waypost_config::Config;
use waypost_control::{Answer, Commands, Request, Server, ask};
use waypost_smtp::Queue;
use waypost_spool::Id;

use crate::builtin::SYSTEM;
use crate::cli::ControlArgs;
use crate::{reload, spool};

/// Somebody asks for a reload.
pub(crate) struct Reload {
    /// The configuration that they mean, where they name one.
    pub(crate) config: Option<PathBuf>,
    /// Where the outcome goes.
    pub(crate) outcome: oneshot::Sender<Result<Value, String>>,
}

/// To commands for a spool.
const NO_SPOOL: &str = "the process that serves has no spool";

/// What commands do in the process that serves.
pub(crate) struct Process {
    reloads: mpsc::Sender<Reload>,
    /// The messages that are kept, where any are.
    queue: Option<Arc<Queue>>,
}

impl Process {
    /// With it comes the end at which reloads are asked for, one after the other.
    pub(crate) fn new(queue: Option<Arc<Queue>>) -> (Self, mpsc::Receiver<Reload>) {
        let (reloads, asked) = mpsc::channel(1);
        (Self { reloads, queue }, asked)
    }

    async fn reload(&self, request: &Request) -> Answer {
        let config = request.arguments.get(reload::CONFIG).and_then(Value::as_str);
        let (outcome, told) = oneshot::channel();
        let asked = Reload { config: config.map(PathBuf::from), outcome };
        let told = match self.reloads.send(asked).await {
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

impl Process {
    /// Has messages tried again: those that the request names, or all.
    fn retry(&self, request: &Request) -> Answer {
        let Some(queue) = &self.queue else { return Answer::Refused(NO_SPOOL.into()) };
        let named = match ids(request) {
            Ok(named) => named,
            Err(why) => return Answer::Refused(why),
        };
        let all = named.is_empty();
        let ids = if all { queue.ids() } else { named };
        let mut done = Vec::new();
        for id in ids {
            match queue.retry_now(id) {
                Ok(()) => done.push(id),
                // Of all, those count that can be tried.
                Err(_) if all => {}
                Err(error) => return so_far(&done, Some(&error)),
            }
        }
        so_far(&done, None)
    }

    /// Forgets the messages that the request names, one after the other up to the first that
    /// cannot be.
    async fn forget(&self, request: &Request) -> Answer {
        let Some(queue) = &self.queue else { return Answer::Refused(NO_SPOOL.into()) };
        let ids = match ids(request) {
            Ok(ids) => ids,
            Err(why) => return Answer::Refused(why),
        };
        let mut done = Vec::new();
        for id in ids {
            match queue.drop_message(id).await {
                Ok(()) => done.push(id),
                Err(error) => return so_far(&done, Some(&error)),
            }
        }
        so_far(&done, None)
    }
}

/// With which messages it is done, and what stood in the way of the next.
fn so_far(done: &[Id], error: Option<&dyn Display>) -> Answer {
    let error = error.map(ToString::to_string);
    match error {
        Some(error) if done.is_empty() => Answer::Refused(error),
        error => {
            let done: Vec<String> = done.iter().map(Id::to_string).collect();
            Answer::Done(json!({ spool::IDS: done, spool::FAILED: error }))
        }
    }
}

/// The messages that a request names.
fn ids(request: &Request) -> Result<Vec<Id>, String> {
    let named = request.arguments.get(spool::IDS).and_then(Value::as_array);
    let name = |value: &Value| {
        let id = value.as_str().and_then(|text| text.parse().ok());
        id.ok_or_else(|| format!("{value} is no message's name"))
    };
    named.into_iter().flatten().map(name).collect()
}

impl Commands for Process {
    async fn run(&self, request: Request) -> Answer {
        match request.command.as_str() {
            reload::RELOAD => self.reload(&request).await,
            spool::RETRY => self.retry(&request),
            spool::DROP => self.forget(&request).await,
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

fn configured_socket(config: &Path) -> anyhow::Result<PathBuf> {
    Config::control_socket(config, &SYSTEM)?.with_context(|| {
        format!(
            "{} has no control socket: set `control` in [server] and start waypost again",
            config.display()
        )
    })
}
