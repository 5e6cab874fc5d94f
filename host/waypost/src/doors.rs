//! What serves the sessions of each listener.

use std::collections::HashMap;
use std::sync::Arc;

use waypost_config::{Config, Listener, Spoken};
use waypost_login::Driver;
use waypost_model::{Encryption, Protocol};
use waypost_net::listener::Accepted;
use waypost_net::session::SessionKind;
use waypost_net::tls::{Acceptor, AcceptorSettings, Certificates, ClientCertificates};
use waypost_routing::LoadedPolicy;
use waypost_smtp::Service;

use crate::run::CERTIFICATE_INTERVAL;

/// The listeners, by name.
pub(crate) type Doors = HashMap<Arc<str>, Door>;

/// What serves the sessions of one listener.
#[derive(Clone)]
pub(crate) enum Door {
    /// One whose clients log in.
    Login(Arc<Driver<LoadedPolicy>>, Arc<waypost_login::Entrance>),
    /// One for inbound mail.
    Mail(Arc<Service<LoadedPolicy>>, Arc<waypost_smtp::Entrance>),
    /// One for webmail.
    Web(Arc<waypost_webmail::Service<LoadedPolicy>>, Arc<waypost_webmail::Entrance>),
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
            Self::Web(service, entrance) => {
                tokio::spawn(waypost_webmail::serve(service, entrance, accepted));
            }
        }
    }
}

/// What serves the listeners: `mail` and `web` are there where one of them is for it.
pub(crate) struct Services<'a> {
    pub(crate) driver: &'a Arc<Driver<LoadedPolicy>>,
    pub(crate) mail: Option<&'a Arc<Service<LoadedPolicy>>>,
    pub(crate) web: Option<&'a Arc<waypost_webmail::Service<LoadedPolicy>>>,
}

/// A door for each listener. To be called in the runtime that is to watch the files of what they
/// ask of clients' certificates.
pub(crate) fn doors(
    config: &Config,
    services: &Services<'_>,
    certificates: Option<&Arc<Certificates>>,
    metrics: &waypost_net::Metrics,
) -> anyhow::Result<Doors> {
    let mut doors = HashMap::new();
    for listener in &config.listeners {
        let acceptor = acceptor(config, listener, certificates, metrics)?;
        let door = match &listener.spoken {
            Spoken::Login(login) => {
                let entrance = waypost_login::Entrance {
                    kind: kind(listener, login.idle_timeout),
                    acceptor,
                    front: Arc::new(login.front.clone()),
                    names: login.names.clone(),
                };
                Door::Login(services.driver.clone(), Arc::new(entrance))
            }
            Spoken::Mail(mail) => {
                // A configuration with such a listener says how mail is treated.
                let Some(service) = services.mail else { continue };
                let settings = &service.settings;
                // The session looks after its own timeouts; the sweep is for what forgets to.
                let idle_limit = settings.command_timeout + settings.reply_timeout;
                let kind = kind(listener, idle_limit);
                let entrance = waypost_smtp::Entrance::new(kind, acceptor, mail.clone(), settings);
                Door::Mail(service.clone(), Arc::new(entrance))
            }
            Spoken::Web(web) => {
                let Some(service) = services.web else { continue };
                let settings = &service.settings;
                // Requests and tunnels have their own time; the sweep is for what forgets to.
                let longest = settings.push_timeout.max(settings.tunnel_timeout);
                let entrance = waypost_webmail::Entrance {
                    kind: kind(listener, longest + settings.answer_timeout),
                    acceptor,
                    names: web.names.clone(),
                    allow_plaintext: web.allow_plaintext,
                };
                Door::Web(service.clone(), Arc::new(entrance))
            }
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
    let client_certificates = match &listener.spoken {
        Spoken::Login(login) => login.client_certificates.clone(),
        Spoken::Mail(_) | Spoken::Web(_) => None,
    };
    let client_certificates = client_certificates.map(ClientCertificates::load).transpose()?;
    if let Some(certificates) = client_certificates.clone() {
        tokio::spawn(certificates.watch(CERTIFICATE_INTERVAL));
    }
    let tls = AcceptorSettings {
        application_protocols: match settings.protocol {
            // RFC 9113 section 3.1, RFC 7301 section 6.
            Protocol::Webmail => vec!["h2".into(), "http/1.1".into()],
            protocol => vec![protocol.as_str().into()],
        },
        minimum_version: config.tls.minimum_version,
        client_certificates,
    };
    Ok(Some(Acceptor::new(certificates.clone(), tls)?.counted(metrics)))
}
