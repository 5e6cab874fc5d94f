//! Webmail: its service.

use std::sync::Arc;

use waypost_config::{Config, Spoken};
use waypost_routing::LoadedPolicy;
use waypost_session::Process;
use waypost_webmail::Service;
use waypost_webmail::seal::{KeyRing, KeyRingError};

use crate::assembly::Metrics;

/// The service behind the listeners for webmail; `None` where there is none.
pub(crate) fn service(
    config: &Config,
    process: &Arc<Process<LoadedPolicy>>,
    metrics: &Metrics,
) -> anyhow::Result<Option<Arc<Service<LoadedPolicy>>>> {
    let Some(keys) = keys(config) else { return Ok(None) };
    let settings = Arc::new(config.webmail.clone());
    let keys = keys?;
    let service = Service::new(process.clone(), settings, Arc::new(keys), metrics.webmail.clone());
    Ok(Some(Arc::new(service)))
}

/// The keys of its cookies; `None` where no listener is for webmail.
pub(crate) fn keys(config: &Config) -> Option<Result<KeyRing, KeyRingError>> {
    let serves = |spoken: &Spoken| matches!(spoken, Spoken::Web(_));
    config.listeners.iter().find(|listener| serves(&listener.spoken))?;
    Some(match &config.webmail.identification.key_file {
        Some(path) => KeyRing::load(path),
        None => Ok(KeyRing::random()),
    })
}
