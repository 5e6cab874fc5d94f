//! Inbound mail: its service, and the spool and the queue behind it.

use std::sync::Arc;

use anyhow::Context as _;
use waypost_config::Config;
use waypost_routing::LoadedPolicy;
use waypost_session::Process;
use waypost_smtp::{FailPoints, Queue, Service};
use waypost_spool::{Opened, Spool};

use crate::assembly::Metrics;

/// The service that takes mail; `None` where no listener does. Opens the spool, so it is to be
/// called as who serves, and before anybody is served.
pub(crate) fn service(
    config: &Config,
    process: &Arc<Process<LoadedPolicy>>,
    metrics: &Metrics,
) -> anyhow::Result<Option<Arc<Service<LoadedPolicy>>>> {
    let Some(settings) = &config.smtp else { return Ok(None) };
    let settings = Arc::new(settings.clone());
    let queue = match &config.spool {
        Some(spool) => {
            let Opened { spool, messages, findings } = open(spool, metrics)?;
            for finding in findings {
                tracing::warn!(target: "waypost::spool", "{finding}");
            }
            if !messages.is_empty() {
                let messages = messages.len();
                tracing::info!(target: "waypost::spool", messages, "kept messages were found");
            }
            Some(Queue::new(spool, messages, settings.clone(), metrics.smtp.clone()))
        }
        None => None,
    };
    Ok(Some(Arc::new(Service {
        process: process.clone(),
        settings,
        queue,
        metrics: metrics.smtp.clone(),
        fail_points: FailPoints::from_environment(),
    })))
}

fn open(spool: &waypost_config::Spool, metrics: &Metrics) -> anyhow::Result<Opened> {
    let settings = waypost_spool::Settings {
        max_bytes: spool.max_bytes,
        ..waypost_spool::Settings::default()
    };
    Spool::open(&spool.folder, settings, metrics.spool.clone()).context("the spool cannot be used")
}
