//! `waypost check`: everything that can be found wrong before a client comes.

mod policies;
mod process;

use crate::output::say;
use std::collections::BTreeSet;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use waypost_config::{Config, Listener, Spoken};
use waypost_login::{Probed, probe};
use waypost_model::{Host, Protocol};
use waypost_net::OwnListeners;
use waypost_net::backend::Pattern;
use waypost_net::connect::Connector;
use waypost_net::privileges;
use waypost_net::tls::{Certificates, ClientCertificates};
use waypost_policy::CodeCache;
use waypost_session::Users;
use waypost_wire::login::FrontSettings;

use crate::assembly::{self, Metrics};
use crate::builtin::SYSTEM;
use crate::cli::CheckArgs;
use crate::generation::Made;
use crate::web;

/// What was found, good and bad.
#[derive(Default)]
struct Findings {
    problems: usize,
}

impl Findings {
    fn add(&mut self, subject: &str, result: Result<String, String>) {
        match result {
            Ok(found) => say!("ok     {subject}: {found}"),
            Err(wrong) => {
                self.problems += 1;
                say!("WRONG  {subject}: {wrong}");
            }
        }
    }
}

/// Checks a configuration; an error when something is wrong.
pub(crate) fn run(arguments: &CheckArgs) -> anyhow::Result<()> {
    let path = &arguments.config.config;
    let config = Config::load(path, &SYSTEM)?;
    let mut findings = Findings::default();
    // In the order in which `run` does it. A thread would keep the user that it began with.
    process::check_descriptors(&config, &mut findings);
    let who = process::become_who_serves(&config, &mut findings);
    let config = Arc::new(who.reads(Config::load(path, &SYSTEM))?);
    for warning in &config.warnings.0 {
        say!("{warning}");
    }
    findings.add("configuration", Ok(path.display().to_string()));
    process::check_control(&config, &mut findings);
    process::check_spool(&config, &mut findings);
    check_certificates(&config, &mut findings);
    check_web_keys(&config, &mut findings);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let metrics = Metrics::register(&mut Registry::default());
        let code_cache = check_code_cache(&config, &mut findings);
        let maker = assembly::maker(&Users::Clear, &metrics, code_cache, None)?;
        let made = who.reads(maker.make(&config).await)?;
        for policy in &config.policies {
            if let Some(loaded) = made.policies.get(&policy.name) {
                let digest = loaded.policy().digest();
                let found =
                    format!("{} loads and accepts its settings, sha256 {digest}", policy.plugin);
                findings.add(&format!("policy {}", policy.name), Ok(found));
            }
        }
        policies::ask_policies(&config, &made, arguments.offline, &mut findings).await;
        if !arguments.offline {
            check_directories(&made, &mut findings).await;
            check_back_ends(&config, &made, &metrics, &mut findings).await?;
        }
        anyhow::ensure!(findings.problems == 0, "{} thing(s) wrong, see above", findings.problems);
        Ok(())
    })
}

fn check_certificates(config: &Config, findings: &mut Findings) {
    for listener in &config.listeners {
        let Spoken::Login(login) = &listener.spoken else { continue };
        let Some(settings) = login.client_certificates.clone() else { continue };
        findings.add(
            &format!("client certificates of listener {}", listener.settings.name),
            ClientCertificates::load(settings)
                .map(|_| "their authorities are usable".to_owned())
                .map_err(|error| error.to_string()),
        );
    }
    if config.tls.certificates.is_empty() {
        return;
    }
    let loaded = Certificates::load(config.tls.certificates.clone());
    let count = config.tls.certificates.len();
    findings.add(
        "certificates",
        loaded.map(|_| format!("{count} usable")).map_err(|error| error.to_string()),
    );
}

fn check_web_keys(config: &Config, findings: &mut Findings) {
    let Some(keys) = web::keys(config) else { return };
    if config.webmail.identification.key_file.is_some() {
        let found = keys.map(|_| "usable".to_owned());
        findings.add("keys of the web cookie", found.map_err(|error| error.to_string()));
    }
}

/// Looks at the code cache, and uses it. It belongs to who serves: somebody else can say nothing
/// of it, and must not load what lies there.
fn check_code_cache(config: &Config, findings: &mut Findings) -> Option<CodeCache> {
    let settings = config.code_cache.as_ref()?;
    if config.server.user.is_some() && privileges::is_root() {
        say!("note   the code cache is not looked at: it belongs to who serves, not to root");
        return None;
    }
    let folder = settings.folder.display();
    match CodeCache::existing(settings) {
        Ok(found) => {
            let what = if found.is_some() { "is usable" } else { "will be made" };
            findings.add("code cache", Ok(format!("{folder} {what}")));
            found
        }
        Err(error) => {
            // No reason not to serve, and so none to fail here.
            say!("note   the code cache is not used, plugins are compiled anew: {error}");
            None
        }
    }
}

async fn check_directories(made: &Made, findings: &mut Findings) {
    for (name, directory) in &made.directories {
        for finding in directory.probe().await {
            findings.add(&format!("directory {name}, {}", finding.subject), finding.result);
        }
    }
}

/// Every back end that the configuration names by itself; those that only the directory names are
/// met when somebody logs in.
async fn check_back_ends(
    config: &Config,
    made: &Made,
    metrics: &Metrics,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let connector = assembly::connector(config, OwnListeners::default(), metrics)?;
    let named = config.backends.iter().filter_map(|backend| match &backend.pattern {
        Pattern::Exact(host) => Some(host.clone()),
        _ => None,
    });
    let granted = config.policies.iter().flat_map(|policy| policy.exact_targets());
    let hosts: BTreeSet<Host> = named.chain(granted).collect();
    let protocols: BTreeSet<Protocol> =
        config.listeners.iter().map(|listener| listener.settings.protocol).collect();
    for host in &hosts {
        for protocol in &protocols {
            let found = check_back_end(config, made, &connector, host, *protocol).await;
            findings.add(&format!("back end {host}, {protocol}"), found);
        }
    }
    if hosts.is_empty() {
        say!("note   no back end is named in the configuration; the directory names them");
    }
    Ok(())
}

fn front(listener: &Listener) -> Option<&FrontSettings> {
    match &listener.spoken {
        Spoken::Login(login) => Some(&login.front),
        Spoken::Mail(_) | Spoken::Web(_) => None,
    }
}

async fn check_back_end(
    config: &Config,
    made: &Made,
    connector: &Connector,
    host: &Host,
    protocol: Protocol,
) -> Result<String, String> {
    let backends = &made.generation.backends;
    if let (Protocol::Smtp | Protocol::Lmtp, Some(smtp)) = (protocol, &config.smtp) {
        let probed = waypost_smtp::probe(connector, backends, host, protocol, smtp).await;
        return match probed {
            Ok(address) => Ok(format!("{address} is ready for mail")),
            Err(error) => Err(error.to_string()),
        };
    }
    if protocol == Protocol::Webmail {
        return match waypost_webmail::probe(connector, backends, host).await {
            Ok((address, status)) => Ok(format!("{address} answers with {status}")),
            Err(error) => Err(error.to_string()),
        };
    }
    match probe(connector, backends, host, protocol, &config.server.hostname).await {
        Ok(probed) => compare(config, protocol, &probed),
        Err(error) => Err(error.to_string()),
    }
}

/// Compares with what the fronts promise before it is known which back end will answer.
fn compare(config: &Config, protocol: Protocol, probed: &Probed) -> Result<String, String> {
    let listeners = config.listeners.iter().filter(|l| l.settings.protocol == protocol);
    let missing: BTreeSet<&str> =
        listeners.filter_map(front).flat_map(|front| probed.missing(front)).collect();
    if missing.is_empty() {
        return Ok(format!("{} is ready for a login", probed.address));
    }
    let missing: Vec<&str> = missing.into_iter().collect();
    let setting = match protocol {
        Protocol::Submission => "submission-extensions",
        _ => "pop3-capabilities",
    };
    Err(format!(
        "{} does not offer {}, which clients are promised; see {setting}",
        probed.address,
        missing.join(", ")
    ))
}
