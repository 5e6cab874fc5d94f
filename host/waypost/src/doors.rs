//! What serves the sessions of each listener.

use std::collections::HashMap;
use std::sync::Arc;

use waypost_config::{Config, Listener, Spoken};
use waypost_login::Driver;
use waypost_model::Encryption;
use waypost_net::listener::Accepted;
use waypost_net::session::SessionKind;
use waypost_net::tls::{Acceptor, AcceptorSettings, Certificates};
use waypost_routing::LoadedPolicy;
use waypost_smtp::Service;

/// The listeners, by name.
pub(crate) type Doors = HashMap<Arc<str>, Door>;

/// What serves the sessions of one listener.
#[derive(Clone)]
pub(crate) enum Door {
    /// One whose clients log in.
    Login(Arc<Driver<LoadedPolicy>>, Arc<waypost_login::Entrance>),
    /// One for inbound mail.
    Mail(Arc<Service<LoadedPolicy>>, Arc<waypost_smtp::Entrance>),
}

impl Door {
    /// Serves a connection in a task of its own, on the worker that calls.
    pub(crate) fn open(&self, accepted: Accepted) {
        match self.clone() {
            Self::Login(driver, entrance) => {
                tokio::spawn(waypost_login::serve(driver, entrance, accepted));
            }
            Self::Mail(service, entrance) => {
                tokio::spawn(waypost_smtp::serve(service, entrance, accepted));
            }
        }
    }
}

/// A door for each listener. `mail` is there where one of them takes mail.
pub(crate) fn doors(
    config: &Config,
    driver: &Arc<Driver<LoadedPolicy>>,
    mail: Option<&Arc<Service<LoadedPolicy>>>,
    certificates: Option<&Arc<Certificates>>,
    metrics: &waypost_net::Metrics,
) -> anyhow::Result<Doors> {
    let mut doors = HashMap::new();
    for listener in &config.listeners {
        let acceptor = acceptor(config, listener, certificates, metrics)?;
        let door = match (&listener.spoken, mail) {
            (Spoken::Login(login), _) => {
                let entrance = waypost_login::Entrance {
                    kind: kind(listener, login.idle_timeout),
                    acceptor,
                    front: Arc::new(login.front.clone()),
                    names: login.names.clone(),
                };
                Door::Login(driver.clone(), Arc::new(entrance))
            }
            (Spoken::Mail(mail), Some(service)) => {
                let settings = &service.settings;
                // The session looks after its own timeouts; the sweep is for what forgets to.
                let idle_limit = settings.command_timeout + settings.reply_timeout;
                let kind = kind(listener, idle_limit);
                let entrance = waypost_smtp::Entrance::new(kind, acceptor, mail.clone(), settings);
                Door::Mail(service.clone(), Arc::new(entrance))
            }
            // A configuration with such a listener says how mail is treated.
            (Spoken::Mail(_), None) => continue,
        };
        doors.insert(listener.settings.name.clone(), door);
    }
    Ok(doors)
}

fn kind(listener: &Listener, idle_limit: std::time::Duration) -> Arc<SessionKind> {
    let listener = &listener.settings;
    let (protocol, listener) = (listener.protocol, listener.name.clone());
    Arc::new(SessionKind { listener, protocol, idle_limit })
}

fn acceptor(
    config: &Config,
    listener: &Listener,
    certificates: Option<&Arc<Certificates>>,
    metrics: &waypost_net::Metrics,
) -> anyhow::Result<Option<Acceptor>> {
    let settings = &listener.settings;
    let Some(certificates) = certificates.filter(|_| settings.tls != Encryption::None) else {
        return Ok(None);
    };
    let tls = AcceptorSettings {
        application_protocols: vec![settings.protocol.as_str().into()],
        minimum_version: config.tls.minimum_version,
    };
    Ok(Some(Acceptor::new(certificates.clone(), tls)?.counted(metrics)))
}
