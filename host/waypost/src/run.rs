//! Serving: start, reload, stop.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use waypost_config::{Config, LogAddresses};
use waypost_login::Driver;
use waypost_net::listener::{Bound, Inherited, bind};
use waypost_net::privileges;
use waypost_net::session::SessionTable;
use waypost_net::tls::Certificates;
use waypost_routing::LoadedPolicy;
use waypost_session::{Generation, Process, Seldom, SessionIds, Users};
use waypost_smtp::{Queue, Service};
use waypost_verify::{Decoys, Failures, Verifier};

use crate::assembly::{self, Metrics};
use crate::builtin::SYSTEM;
use crate::cli::RecordArgs;
use crate::control::Reload;
use crate::doors::{Services, doors};
use crate::generation::Maker;
use crate::rights::{self, Who};
use crate::workers::Workers;
use crate::{control, logging, mail, metrics, record, reload, web};

/// How often the files of certificates and keys are looked at.
pub(crate) const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(10);

/// Serves the configuration at `path` until a signal ends it; calls `ready` once clients may come.
/// Decisions are recorded as `record` says.
pub(crate) fn serve(path: &Path, record: &RecordArgs, ready: impl FnOnce()) -> anyhow::Result<()> {
    let config = Arc::new(Config::load(path, &SYSTEM)?);
    logging::start(config.server.log);
    let mut registry = Registry::default();
    let all = Metrics::register(&mut registry);
    let opened = open(&config, &all.net)?;
    // Before the first thread starts: each would keep what it began with.
    let who = Who::become_of(&config)?;
    if who.is_root() {
        tracing::warn!(target: "waypost", "serving as root; set `user` in [server]");
    }

    let control = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()?;
    control.block_on(async {
        // Read again as who serves: what a reload could not read stops the start instead.
        let config = Arc::new(who.reads(Config::load(path, &SYSTEM))?);
        config.warnings.0.iter().for_each(|warning| {
            tracing::warn!(target: "waypost::config", "{}", warning.one_line());
        });
        let users = match config.server.log.addresses {
            LogAddresses::Clear => Users::Clear,
            LogAddresses::Hash => Users::hashed(),
        };
        let recorder = record::start(record)?;
        let code_cache = assembly::code_cache(&config);
        let maker = assembly::maker(&users, &all, code_cache, recorder.clone())?;
        let control = who.reads(control::bind(&config))?;
        // The engine has opened its own page map, which is root's from here on.
        privileges::forbid_core_dumps().context("core dumps cannot be switched off")?;
        let made = who.reads(maker.make(&config).await)?;
        let generation = maker.adopt(made);
        let (sockets, driver) = assemble(&config, opened, generation, users, &all)?;
        let process = driver.process.clone();
        let mail = who.reads(mail::service(&config, &process, &all))?;
        let certificates = who.reads(certificates(&config, &all.net))?;
        let web = who.reads(web::service(&config, &process, &all))?;
        let services = Services { driver: &driver, mail: mail.as_ref(), web: web.as_ref() };
        let doors = who.reads(doors(&config, &services, certificates.as_ref(), &all.net))?;
        if let Some(listener) = sockets.metrics {
            tokio::spawn(metrics::serve(listener, Arc::new(registry)));
        }
        tokio::spawn(process.sessions.clone().sweep_forever());
        if let Some(certificates) = certificates.clone() {
            tokio::spawn(certificates.watch(CERTIFICATE_INTERVAL));
        }
        if let Some(web) = &web {
            tokio::spawn(web.keys.clone().watch(CERTIFICATE_INTERVAL));
        }
        if let Some(service) = &mail
            && let Some(queue) = &service.queue
        {
            tokio::spawn(queue.clone().run(service.clone()));
        }
        let workers = Workers::start(sockets.workers, &Arc::new(doors))?;
        let queue = mail.as_ref().and_then(|service| service.queue.clone());
        let (commands, reloads) = control::Process::new(queue);
        if let Some(control) = control {
            tokio::spawn(control.serve(commands));
        }
        for listener in &config.listeners {
            let settings = &listener.settings;
            let addresses: Vec<_> = settings.bind.iter().map(ToString::to_string).collect();
            tracing::info!(
                target: "waypost",
                listener = &*settings.name, protocol = settings.protocol.as_str(),
                addresses = addresses.join(" "),
                "listening"
            );
        }
        tracing::info!(target: "waypost", version = env!("CARGO_PKG_VERSION"), "ready");
        ready();
        let serving =
            Serving { path, started: config, maker, process, mail, web, certificates, workers };
        let ended = serving.until_told_to_stop(reloads).await;
        if let Some(recorder) = recorder {
            recorder.finish();
        }
        ended
    })
}

/// The sockets, opened while there is the right to.
struct Opened {
    bound: Bound,
    metrics: Option<std::net::TcpListener>,
}

/// What is left of them for the threads.
struct Sockets {
    workers: Vec<Vec<waypost_net::listener::BoundSocket>>,
    metrics: Option<std::net::TcpListener>,
}

/// Everything that may need root: descriptors and ports.
fn open(config: &Config, metrics: &waypost_net::Metrics) -> anyhow::Result<Opened> {
    let limits = rights::limits(config)?;
    let listeners: Vec<_> =
        config.listeners.iter().map(|listener| Arc::new(listener.settings.clone())).collect();
    let bound =
        bind(&listeners, workers(config), Inherited::from_service_manager()?, &limits, metrics)?;
    let metrics = match config.metrics {
        Some(address) => {
            let context = || format!("the metrics endpoint cannot listen on {address}");
            Some(metrics::bind(address).with_context(context)?)
        }
        None => None,
    };
    Ok(Opened { bound, metrics })
}

fn workers(config: &Config) -> NonZeroUsize {
    let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    config.server.workers.unwrap_or(processors)
}

fn assemble(
    config: &Config,
    opened: Opened,
    generation: Generation<LoadedPolicy>,
    users: Users,
    metrics: &Metrics,
) -> anyhow::Result<(Sockets, Arc<Driver<LoadedPolicy>>)> {
    let Opened { bound, metrics: endpoint } = opened;
    let process = Process {
        generation: ArcSwap::from_pointee(generation),
        router: assembly::router(config, metrics),
        connector: assembly::connector(config, bound.own, metrics)?,
        verifier: Verifier::new(config.verification.clone(), metrics.verify.clone()),
        failures: Failures::new(config.failures.clone(), metrics.verify.clone()),
        sessions: SessionTable::counted(&metrics.net),
        session_ids: SessionIds::new(),
        warned: Seldom::default(),
        users,
    };
    let driver = Driver {
        process: Arc::new(process),
        settings: config.login.clone(),
        decoys: Decoys::new(config.scram_key.as_ref()),
        metrics: metrics.login.clone(),
    };
    Ok((Sockets { workers: bound.workers, metrics: endpoint }, Arc::new(driver)))
}

fn certificates(
    config: &Config,
    metrics: &waypost_net::Metrics,
) -> anyhow::Result<Option<Arc<Certificates>>> {
    if config.tls.certificates.is_empty() {
        return Ok(None);
    }
    let certificates = Certificates::load(config.tls.certificates.clone())?;
    certificates.report_to(metrics);
    Ok(Some(certificates))
}

/// A process that serves, and waits for signals.
struct Serving<'a> {
    path: &'a Path,
    /// As it was at the start: what is the process's and not the generation's stays so.
    started: Arc<Config>,
    maker: Maker,
    process: Arc<Process<LoadedPolicy>>,
    mail: Option<Arc<Service<LoadedPolicy>>>,
    web: Option<Arc<waypost_webmail::Service<LoadedPolicy>>>,
    certificates: Option<Arc<Certificates>>,
    workers: Workers,
}

impl Serving<'_> {
    async fn until_told_to_stop(self, mut reloads: mpsc::Receiver<Reload>) -> anyhow::Result<()> {
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut look_after = tokio::time::interval(Duration::from_secs(1));
        let gently = loop {
            tokio::select! {
                _ = hang_up.recv() => {
                    // The log has said what came of it.
                    let _ = self.reload().await;
                }
                Some(Reload { config, outcome }) = reloads.recv() => {
                    let loaded = match self.is_mine(config.as_deref()) {
                        Ok(()) => self.reload().await,
                        Err(why) => Err(why),
                    };
                    // Who asked may have gone.
                    let _ = outcome.send(loaded);
                }
                _ = terminate.recv() => break true,
                // Somebody at a terminal does not want to wait.
                _ = interrupt.recv() => break false,
                _ = look_after.tick() => {
                    anyhow::ensure!(!self.workers.any_ended(), "a worker thread has ended");
                }
            }
        };
        // Who asks from now on is told that it is too late.
        drop(reloads);
        let queue = self.mail.as_ref().and_then(|service| service.queue.clone());
        if let Some(queue) = &queue {
            queue.stop();
        }
        if gently {
            self.drain(queue.as_deref(), &mut interrupt).await;
        }
        self.workers.drain();
        let sessions = self.process.sessions.kill_all();
        if sessions > 0 {
            tracing::info!(target: "waypost", sessions, "ending the sessions that are left");
            // Each says goodbye and writes its line.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let messages = queue.as_ref().map_or(0, |queue| queue.under_way());
        if messages > 0 {
            tracing::warn!(
                target: "waypost",
                messages, "kept messages are still on their way, and may arrive twice"
            );
        }
        let workers = self.workers;
        tokio::task::spawn_blocking(move || workers.end()).await?;
        // What is on its way until now is still written.
        if let Some(queue) = queue {
            queue.close().await;
        }
        tracing::info!(target: "waypost", "stopped");
        Ok(())
    }

    /// A new generation, all or nothing. What came of it goes to the log, and to whoever asked.
    async fn reload(&self) -> Result<Value, String> {
        let troubles = self.renew_files().await;
        match self.load().await {
            Ok((config, generation)) => {
                self.process.generation.store(Arc::new(generation));
                let remarks = self.remarks(&config);
                for remark in &remarks {
                    tracing::warn!(target: "waypost", "{remark}");
                }
                tracing::info!(target: "waypost", "the configuration was loaded anew");
                let file = reload::plain(self.path).display().to_string();
                Ok(json!({
                    reload::CONFIG: file,
                    reload::REMARKS: remarks,
                    reload::TROUBLES: troubles,
                }))
            }
            Err(error) => {
                let why = format!(
                    "the configuration was not loaded, the one before stays in force:\n{error}"
                );
                tracing::error!(target: "waypost", "{why}");
                Err(why)
            }
        }
    }

    /// Whether whoever asks for a reload means the configuration of this process.
    fn is_mine(&self, meant: Option<&Path>) -> Result<(), String> {
        let own = reload::plain(self.path);
        match meant {
            Some(meant) if meant != own => Err(format!(
                "this process serves {}, and was not asked to load that anew but {}; start it with \
                 that file to have it serve that",
                own.display(),
                meant.display()
            )),
            _ => Ok(()),
        }
    }

    /// Has the files of certificates and keys looked at, and says of which nothing came. Those
    /// before stay in force then.
    async fn renew_files(&self) -> Vec<String> {
        let certificates = self.certificates.clone();
        let keys = self.web.as_ref().map(|web| web.keys.clone());
        let started = self.started.clone();
        let renewing = tokio::task::spawn_blocking(move || {
            let mut troubles = Vec::new();
            // What was found wrong before is not read again until it changes, so it is judged apart.
            if let Some(certificates) = certificates {
                let _ = certificates.refresh();
                let files = started.tls.certificates.clone();
                troubles.extend(Certificates::load(files).err().map(|error| error.to_string()));
            }
            if let Some(keys) = keys {
                let _ = keys.refresh();
                let found = web::keys(&started).and_then(Result::err);
                troubles.extend(found.map(|error| error.to_string()));
            }
            troubles
        });
        let troubles = renewing.await.unwrap_or_default();
        let before = "what was read before stays in force";
        troubles.into_iter().map(|trouble| format!("{trouble}; {before}")).collect()
    }

    async fn load(&self) -> anyhow::Result<(Arc<Config>, Generation<LoadedPolicy>)> {
        let config = Arc::new(Config::load(self.path, &SYSTEM)?);
        let made = self.maker.make(&config).await?;
        Ok((config, self.maker.adopt(made)))
    }

    /// What is probably not meant as it is written, and what waits for the next start: some things
    /// are the process's and not the generation's.
    fn remarks(&self, config: &Config) -> Vec<String> {
        let started = &self.started;
        let listeners = |config: &Config| format!("{:?}", config.listeners);
        let net = |config: &Config| format!("{:?} {:?}", config.resolver, config.health);
        let changed = [
            ("[listener]", listeners(config) != listeners(started)),
            ("[server]", config.server != started.server),
            ("[login]", (&config.login, &config.failures) != (&started.login, &started.failures)),
            ("[verification]", config.verification != started.verification),
            ("[smtp] or [spool]", (&config.smtp, &config.spool) != (&started.smtp, &started.spool)),
            ("[webmail]", config.webmail != started.webmail),
            ("[cache]", config.cache != started.cache),
            ("[code-cache]", config.code_cache != started.code_cache),
            ("[metrics]", config.metrics != started.metrics),
            ("[tls]", config.tls != started.tls),
            ("[resolver] or [health]", net(config) != net(started)),
        ];
        let waits = changed
            .into_iter()
            .filter(|(_, is)| *is)
            .map(|(what, _)| format!("a change in {what} takes effect at the next start"));
        config.warnings.0.iter().map(|warning| warning.one_line()).chain(waits).collect()
    }

    /// Accepts nobody any more, and waits for the sessions to end, and for what a back end may have
    /// of the kept messages, as long as the grace lasts and nobody is impatient.
    async fn drain(&self, queue: Option<&Queue>, impatience: &mut tokio::signal::unix::Signal) {
        self.workers.drain();
        if let Some(web) = &self.web {
            web.drain();
        }
        let grace = self.started.server.shutdown_grace;
        tracing::info!(
            target: "waypost",
            sessions = self.process.sessions.count(),
            messages = queue.map_or(0, Queue::under_way),
            seconds = grace.as_secs(),
            "draining"
        );
        let drained = async {
            while self.process.sessions.count() > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            // Sessions come first: a late back end is a session's legacy.
            if let Some(queue) = queue {
                queue.settled().await;
            }
        };
        tokio::select! {
            () = drained => {}
            () = tokio::time::sleep(grace) => {}
            _ = impatience.recv() => {}
        }
    }
}
