//! Webmail: its service.

use std::sync::Arc;

use waypost_config::{Config, Spoken};
use waypost_routing::LoadedPolicy;
use waypost_session::Process;
use waypost_webmail::Service;

use crate::assembly::Metrics;

/// The service behind the listeners for webmail; `None` where there is none.
pub(crate) fn service(
    config: &Config,
    process: &Arc<Process<LoadedPolicy>>,
    metrics: &Metrics,
) -> Option<Arc<Service<LoadedPolicy>>> {
    let serves = |spoken: &Spoken| matches!(spoken, Spoken::Web(_));
    if !config.listeners.iter().any(|listener| serves(&listener.spoken)) {
        return None;
    }
    let settings = Arc::new(config.webmail.clone());
    Some(Arc::new(Service::new(process.clone(), settings, metrics.webmail.clone())))
}
