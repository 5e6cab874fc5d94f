//! Webmail: its service.

use std::sync::Arc;

use waypost_config::{Config, Spoken};
use waypost_routing::LoadedPolicy;
use waypost_session::Process;
use waypost_webmail::Service;
use waypost_webmail::seal::KeyRing;

use crate::assembly::Metrics;

/// The service behind the listeners for webmail; `None` where there is none.
pub(crate) fn service(
    config: &Config,
    process: &Arc<Process<LoadedPolicy>>,
    metrics: &Metrics,
) -> anyhow::Result<Option<Arc<Service<LoadedPolicy>>>> {
    let serves = |spoken: &Spoken| matches!(spoken, Spoken::Web(_));
    if !config.listeners.iter().any(|listener| serves(&listener.spoken)) {
        return Ok(None);
    }
    let settings = Arc::new(config.webmail.clone());
    let keys = match &settings.identification.key_file {
        Some(path) => KeyRing::load(path)?,
        None => KeyRing::random(),
    };
    let service = Service::new(process.clone(), settings, Arc::new(keys), metrics.webmail.clone());
    Ok(Some(Arc::new(service)))
}
