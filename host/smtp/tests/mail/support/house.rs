use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use waypost_model::{Address, Encryption, Protocol};
use waypost_net::backend::{Backend, BackendSettings, BackendTable};
use waypost_net::connect::Connector;
use waypost_net::health::{Health, HealthSettings};
use waypost_net::limits::Limits;
use waypost_net::listener::{Inherited, Listener, ListenerSettings, bind};
use waypost_net::resolve::{Resolver, ResolverSettings};
use waypost_net::session::{SessionKind, SessionTable};
use waypost_routing::{DomainTable, OnFault, Router, Served};
use waypost_session::{Generation, Process, Seldom, SessionIds, Users};
use waypost_smtp::{Entrance, EntranceSettings, FailPoints, Metrics, Queue, Service, Settings};
use waypost_spool::simulated::Simulated;
use waypost_spool::{Opened, Spool};
use waypost_verify::{Failures, Verifier};

use super::Client;
use super::policy::{Answer, Scripted};

/// Where messages are kept.
#[derive(Clone, Debug)]
pub(crate) enum Spooling {
    None,
    Simulated(Simulated),
    Folder(PathBuf, u64),
}

/// What a test may set.
pub(crate) struct Plan {
    pub(crate) lmtp: bool,
    pub(crate) settings: Settings,
    pub(crate) entrance: EntranceSettings,
    pub(crate) backend: BackendSettings,
    pub(crate) spooling: Spooling,
    pub(crate) max_connections: Option<u32>,
    pub(crate) cache_for: Duration,
    pub(crate) fail_points: FailPoints,
    pub(crate) users: Users,
}

impl Default for Plan {
    fn default() -> Self {
        let mut settings =
            Settings::new("mx.example.test", Address::new("postmaster@a.test", None).unwrap());
        settings.retry_after = Duration::from_secs(1);
        let backend = BackendSettings {
            encryption: Encryption::None,
            connect_timeout: Duration::from_millis(500),
            reply_timeout: Duration::from_millis(500),
            ..BackendSettings::new(Protocol::Smtp)
        };
        Self {
            lmtp: false,
            settings,
            entrance: EntranceSettings {
                smtputf8: true,
                dsn: true,
                ..EntranceSettings::new(Encryption::None)
            },
            backend,
            spooling: Spooling::Simulated(Simulated::new()),
            max_connections: None,
            cache_for: Duration::from_secs(60),
            fail_points: FailPoints::default(),
            users: Users::Clear,
        }
    }
}

impl Plan {
    pub(crate) fn lmtp() -> Self {
        Self { lmtp: true, ..Self::default() }
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut plan = Self::default();
        change(&mut plan.settings);
        plan
    }
}

/// A Waypost with one listener, and one scripted policy for `a.test` and `b.test`. Back ends at
/// 127.0.0.2 speak LMTP.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) service: Arc<Service<Scripted>>,
    pub(crate) policy: Arc<Scripted>,
    pub(crate) queue: Option<Arc<Queue>>,
}

impl House {
    pub(crate) fn start() -> Self {
        Self::start_with(Plan::default())
    }

    pub(crate) fn start_with(plan: Plan) -> Self {
        let policy = Arc::new(Scripted::new());
        Self::start_for(plan, policy)
    }

    pub(crate) fn start_for(plan: Plan, policy: Arc<Scripted>) -> Self {
        let protocol = if plan.lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        let limits = Limits::new(1000);
        let metrics = waypost_net::Metrics::default();
        let listener = ListenerSettings {
            bind: vec!["127.0.0.1:0".parse().unwrap()],
            max_connections: plan.max_connections,
            max_connections_per_address: None,
            ..ListenerSettings::new("mx", protocol, Encryption::None)
        };
        let one = NonZeroUsize::MIN;
        let bound = bind(&[Arc::new(listener)], one, Inherited::default(), &limits, &metrics);
        let mut bound = bound.unwrap();
        let socket = bound.workers.remove(0).remove(0);
        let address = socket.address();
        let served = ["a.test", "b.test"].map(|domain| Served {
            pattern: domain.parse().unwrap(),
            policies: vec![policy.clone()],
            on_fault: OnFault::Defer,
            shadow: None,
        });
        let generation = Generation {
            domains: DomainTable::new(served).unwrap(),
            backends: table(&plan.backend),
            directories: HashMap::new(),
        };
        let resolver = Resolver::new(ResolverSettings::default(), metrics.clone()).unwrap();
        let health = Health::new(HealthSettings::default(), metrics.clone());
        let cache = waypost_routing::Settings { cache_for: plan.cache_for, ..Default::default() };
        let process = Arc::new(Process {
            generation: ArcSwap::from_pointee(generation),
            router: Router::new(cache, routing_metrics()),
            connector: Connector::new(resolver, health, bound.own, metrics),
            verifier: Verifier::default(),
            failures: Failures::default(),
            sessions: SessionTable::new(),
            session_ids: SessionIds::new(),
            warned: Seldom::default(),
            users: plan.users,
        });
        let settings = Arc::new(plan.settings);
        let metrics = Metrics::default();
        let queue = open(&plan.spooling).map(|opened| {
            Queue::new(opened.spool, opened.messages, settings.clone(), metrics.clone())
        });
        let service = Arc::new(Service {
            process,
            settings: settings.clone(),
            queue: queue.clone(),
            metrics,
            fail_points: plan.fail_points,
        });
        if let Some(queue) = &queue {
            tokio::spawn(queue.clone().run(service.clone()));
        }
        let kind = Arc::new(SessionKind {
            listener: Arc::from("mx"),
            protocol,
            idle_limit: Duration::from_secs(330),
        });
        let entrance = Arc::new(Entrance::new(kind, None, plan.entrance, &settings));
        let listener = Listener::new(socket).unwrap();
        let serving = service.clone();
        tokio::spawn(async move {
            loop {
                let accepted = listener.accept().await;
                tokio::spawn(waypost_smtp::serve(serving.clone(), entrance.clone(), accepted));
            }
        });
        Self { address, service, policy, queue }
    }

    /// From now on the policy answers this.
    pub(crate) fn answer(&self, address: &str, answer: Answer) {
        self.policy.answer(address, answer);
    }

    /// A client that has heard the greeting and said EHLO.
    pub(crate) async fn client(&self) -> Client {
        let mut client = Client::connect(self.address).await;
        let hello = client.hello(false).await;
        assert!(hello.starts_with("250"), "{hello}");
        client
    }

    /// A client that has heard the greeting and said LHLO.
    pub(crate) async fn lmtp_client(&self) -> Client {
        let mut client = Client::connect(self.address).await;
        let hello = client.hello(true).await;
        assert!(hello.starts_with("250"), "{hello}");
        client
    }

    /// How many messages are kept.
    pub(crate) fn kept(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.ids().len())
    }
}

fn open(spooling: &Spooling) -> Option<Opened> {
    let metrics = waypost_spool::Metrics::default();
    let opened = match spooling {
        Spooling::None => return None,
        Spooling::Simulated(disk) => {
            Spool::open_on(disk.storage(), waypost_spool::Settings::default(), metrics)
        }
        Spooling::Folder(folder, max_bytes) => {
            let settings = waypost_spool::Settings {
                max_bytes: *max_bytes,
                ..waypost_spool::Settings::default()
            };
            Spool::open(folder, settings, metrics)
        }
    };
    Some(opened.unwrap())
}

fn table(backend: &BackendSettings) -> BackendTable {
    let lmtp = BackendSettings { protocol: Protocol::Lmtp, assume_8bit: true, ..backend.clone() };
    let backend = backend.clone();
    let entries = [("127.0.0.2".parse().unwrap(), Backend::new(move |_| lmtp.clone()))];
    BackendTable::new(entries, Backend::new(move |_| backend.clone())).unwrap()
}

fn routing_metrics() -> waypost_routing::Metrics {
    waypost_routing::Metrics::register(&mut prometheus_client::registry::Registry::default())
}
