//! `waypost route`: where an address would be taken, and why.

use crate::output::say;
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::registry::Registry;
use waypost_config::{Config, Listener, Spoken};
use waypost_model::{
    Address, Context, Decision, Lookup, Protocol, Purpose, Search, Target, Verification,
};
use waypost_routing::{Resolution, Routed, Step};
use waypost_session::Users;

use crate::assembly::{self, Metrics};
use crate::builtin::SYSTEM;
use crate::cli::RouteArgs;
use crate::record;

/// Asks the policies as a login or a message would, and prints what they did. An error when the
/// address has no route.
pub(crate) fn run(arguments: &RouteArgs) -> anyhow::Result<()> {
    let config = Arc::new(Config::load(&arguments.config.config, &SYSTEM)?);
    let protocol = Protocol::from(arguments.protocol);
    let listener = config.listeners.iter().find(|l| l.settings.protocol == protocol);
    let listener = listener
        .ok_or_else(|| anyhow::anyhow!("the configuration has no listener for {protocol}"))?;
    let (lookup, context) = question(arguments, listener)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let metrics = Metrics::register(&mut Registry::default());
        let code_cache = assembly::existing_code_cache(&config);
        let recorder = record::start(&arguments.record)?;
        let maker = assembly::maker(&Users::Clear, &metrics, code_cache, recorder.clone())?;
        let made = maker.make(&config).await?;
        let router = assembly::router(&config, &metrics);
        let generation = &made.generation;
        let explanation = router.explain(&generation.domains, &lookup, &context).await;
        if let Some(recorder) = recorder {
            recorder.finish();
        }
        say!("address  {}", lookup.address);
        match &explanation.domain {
            Some(pattern) => say!("domain   [domain.\"{pattern}\"]"),
            None => say!("domain   no policy serves {}", lookup.address.domain()),
        }
        explanation.steps.iter().for_each(print_step);
        match &explanation.resolution {
            Resolution::Route(routed) => {
                print_route(routed, context.login_name.as_deref());
                for target in &routed.route.targets {
                    say!("  {}", aim(&generation.backends, target, protocol));
                }
                Ok(())
            }
            Resolution::Refused { refusal, policy, .. } => {
                anyhow::bail!("{policy} refuses: {}", refusal.kind())
            }
            Resolution::Unknown { .. } => anyhow::bail!("every policy passed: an unknown user"),
            Resolution::NotServed => anyhow::bail!("the domain is not served"),
            Resolution::Temporary { policy, trouble } => anyhow::bail!("{policy}: {trouble}"),
        }
    })
}

/// What a client would make Waypost ask.
fn question(
    arguments: &RouteArgs,
    listener: &Listener,
) -> anyhow::Result<(Arc<Lookup>, Arc<Context>)> {
    let context = Context {
        protocol: listener.settings.protocol,
        listener: listener.settings.name.clone(),
        client_address: arguments.client,
        encrypted: true,
        mechanism: None,
        login_name: None,
        authentication_id: None,
        certificate_name: None,
        sender: None,
        now: SystemTime::now(),
    };
    let names = match &listener.spoken {
        Spoken::Login(login) => Some(&login.names),
        Spoken::Web(web) => Some(&web.names),
        Spoken::Mail(_) => None,
    };
    match names {
        Some(names) => {
            let name = names.read(&arguments.address, None)?;
            let login_name = Some(Arc::from(arguments.address.as_str()));
            let authentication_id = name.authentication_id;
            Ok((name.lookup, Arc::new(Context { login_name, authentication_id, ..context })))
        }
        None => {
            let address = Address::new(&arguments.address, None)?;
            let lookup = Lookup { purpose: Purpose::Recipient, address };
            let sender = Some(Arc::from(arguments.sender.as_str()));
            Ok((Arc::new(lookup), Arc::new(Context { sender, ..context })))
        }
    }
}

fn print_step(step: &Step) {
    say!("policy   {}", step.policy);
    step.consultation.searches.iter().for_each(print_search);
    if !step.consultation.reads.is_empty() {
        say!("  read   {:?} of the client", step.consultation.reads);
    }
    match &step.consultation.result {
        Ok(answer) => {
            let said = match &answer.decision {
                Decision::Route(_) => "a route".to_owned(),
                Decision::Refuse(refusal) => format!("refuse, {}", refusal.kind()),
                Decision::Defer(why) => format!("defer: {why}"),
                Decision::Pass => "pass".to_owned(),
            };
            say!("  says   {said}");
        }
        Err(trouble) => say!("  fails  {}: {trouble}", trouble.kind()),
    }
}

fn print_search(search: &Search) {
    let Search { directory, base, filter, result, took } = search;
    let found = match result {
        Ok(count) => format!("{count} found"),
        Err(error) => format!("failed: {error}"),
    };
    say!("  search {directory}, below {base:?}, {filter}: {found} in {took:.1?}");
}

/// `typed`: what a client logs in as, where it does.
fn print_route<T>(routed: &Routed<T>, typed: Option<&str>) {
    if let Some(name) = routed.route.identity.as_deref().or(typed) {
        say!("name     passed on as {name}");
    }
    say!("password checked by {}", checker(&routed.route.verification));
    say!("targets  in this order:");
}

/// Who checks the password, and against what.
fn checker(verification: &Verification) -> String {
    match verification {
        Verification::ByBackend => "the back end".to_owned(),
        Verification::ByBind(it) => format!("binding to {} as {}", it.directory, it.dn),
        Verification::ByPassword(it) => {
            format!("Waypost, against the password field of {} in {}", it.dn, it.directory)
        }
    }
}

fn aim(table: &waypost_net::backend::BackendTable, target: &Target, protocol: Protocol) -> String {
    match table.endpoint(target, protocol) {
        Ok(endpoint) => {
            let (port, encryption) = (endpoint.port, endpoint.encryption.as_str());
            format!(
                "{} port {port}, {} with tls {encryption}",
                target.host, endpoint.settings.protocol
            )
        }
        Err(error) => format!("{target}: {error}"),
    }
}
