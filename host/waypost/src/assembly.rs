//! The parts of a process that `check` and `route` need as well as `run`.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use waypost_config::Config;
use waypost_harness::record::Recorder;
use waypost_model::Address;
use waypost_net::OwnListeners;
use waypost_net::connect::Connector;
use waypost_net::health::Health;
use waypost_net::resolve::{Resolver, ResolverError};
use waypost_policy::{AddressForm, CodeCache, EngineSettings, Host, HostError};
use waypost_routing::Router;
use waypost_session::Users;

use crate::generation::Maker;

/// What every crate counts.
pub(crate) struct Metrics {
    pub(crate) directory: waypost_directory::Metrics,
    pub(crate) policy: waypost_policy::Metrics,
    pub(crate) net: waypost_net::Metrics,
    pub(crate) routing: waypost_routing::Metrics,
    pub(crate) login: waypost_login::Metrics,
    pub(crate) smtp: waypost_smtp::Metrics,
    pub(crate) verify: waypost_verify::Metrics,
    pub(crate) spool: waypost_spool::Metrics,
    pub(crate) webmail: waypost_webmail::Metrics,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        Self {
            directory: waypost_directory::Metrics::register(registry),
            policy: waypost_policy::Metrics::register(registry),
            net: waypost_net::Metrics::register(registry),
            routing: waypost_routing::Metrics::register(registry),
            login: waypost_login::Metrics::register(registry),
            smtp: waypost_smtp::Metrics::register(registry),
            verify: waypost_verify::Metrics::register(registry),
            spool: waypost_spool::Metrics::register(registry),
            webmail: waypost_webmail::Metrics::register(registry),
        }
    }
}

/// What makes generations; policies' log lines name users as `users` says, their decisions go to
/// `recorder`.
pub(crate) fn maker(
    users: &Users,
    metrics: &Metrics,
    code_cache: Option<CodeCache>,
    recorder: Option<Recorder>,
) -> Result<Maker, HostError> {
    let users = users.clone();
    let form = move |address: &Address| users.label(address.as_str()).to_string();
    let address_form: Option<AddressForm> = Some(Arc::new(form));
    let settings = EngineSettings { address_form, code_cache, ..Default::default() };
    let host = Host::new(&settings, metrics.policy.clone())?;
    Ok(Maker::new(host, metrics.directory.clone(), recorder))
}

/// The code cache of whoever serves; made where it is not there. One that is not safe is not used,
/// and the log says why: that compiling takes longer is no reason to serve nobody.
pub(crate) fn code_cache(config: &Config) -> Option<CodeCache> {
    let settings = config.code_cache.as_ref()?;
    CodeCache::open(settings)
        .inspect_err(|error| {
            tracing::error!(
                target: "waypost::policy",
                "the code cache is not used, plugins are compiled anew: {error}"
            );
        })
        .ok()
}

/// The code cache for a command that looks at what serves: used where it is there and belongs to
/// who asks, and not made.
pub(crate) fn existing_code_cache(config: &Config) -> Option<CodeCache> {
    CodeCache::existing(config.code_cache.as_ref()?).ok().flatten()
}

pub(crate) fn router(config: &Config, metrics: &Metrics) -> Router {
    Router::new(config.cache.clone(), metrics.routing.clone())
}

/// What opens connections to targets. To be called in the runtime that resolves their names.
pub(crate) fn connector(
    config: &Config,
    own: OwnListeners,
    metrics: &Metrics,
) -> Result<Connector, ResolverError> {
    let resolver = Resolver::new(config.resolver.clone(), metrics.net.clone())?;
    let health = Health::new(config.health.clone(), metrics.net.clone());
    Ok(Connector::new(resolver, health, own, metrics.net.clone()))
}
