//! What a decision costs, in processor time of the thread that asks: by the policy in a fresh
//! instance over an LDIF directory, and from the route cache.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, ensure};
use prometheus_client::registry::Registry;
use rustix::time::{ClockId, clock_gettime};
use waypost_directory::{
    BoundQuery, Directory, Grant, LdifDirectory, LdifSettings, LdifSource, Query, Scope,
};
use waypost_model::{Address, Context, Lookup, Protocol, Purpose, VerificationGrant};
use waypost_policy::{
    EngineSettings, GrantedDirectory, Host, Limits, PluginSource, Policy, PolicySettings,
    TargetPatterns,
};
use waypost_routing::{
    DomainTable, LoadedPolicy, OnFault, PolicyIdentity, Resolution, Router, Served, Settings,
};

use crate::client::USERS;
use crate::report::Report;

const PLUGIN: &[u8] = include_bytes!("../../plugins/prebuilt/ldap-routing.wasm");

pub(crate) async fn measure(report: &mut Report, quick: bool) -> anyhow::Result<()> {
    report.begin("");
    let count = if quick { 1_000 } else { 50_000 };
    let metrics = waypost_policy::Metrics::register(&mut Registry::default());
    let host = Host::new(&EngineSettings::default(), metrics)?;
    let settings = policy_settings()?;
    let granted = settings.directories.first().context("the directory")?.clone();
    let policy = Policy::load(&host, settings)?;
    let policy = Arc::new(LoadedPolicy::new(policy, PolicyIdentity::from_digest(&[0; 32])));
    let lookups: Vec<_> = (0..USERS).map(lookup).collect::<anyhow::Result<_>>()?;
    let context = Arc::new(context());

    let search = search(&granted, &lookups, count).await?;
    report.add("a search in an LDIF directory, by itself", search, "µs", None, None);
    for uncounted in [true, false] {
        let count = if uncounted { count / 10 } else { count };
        let before = thread_time();
        for lookup in lookups.iter().cycle().take(count) {
            let consultation = policy.policy().decide(lookup, &context, false).await;
            ensure!(consultation.result.is_ok(), "{:?}", consultation.result);
        }
        if !uncounted {
            let each = micros(thread_time() - before, count);
            report.add(
                "a decision, fresh instance, LDIF search included",
                each,
                "µs",
                None,
                Some(33.0),
            );
            report.add("what of it is beyond the search", each - search, "µs", None, Some(15.0));
        }
    }

    let router = Router::new(
        Settings::default(),
        waypost_routing::Metrics::register(&mut Registry::default()),
    );
    let served = Served {
        pattern: "bench.test".parse()?,
        policies: vec![policy],
        on_fault: OnFault::Defer,
        shadow: None,
    };
    let domains = DomainTable::new([served])?;
    for uncounted in [true, false] {
        let count = if uncounted { USERS } else { count * 10 };
        let before = thread_time();
        for lookup in lookups.iter().cycle().take(count) {
            let resolution = router.resolve(&domains, lookup, &context).await;
            ensure!(matches!(resolution, Resolution::Route(_)), "{resolution:?}");
        }
        if !uncounted {
            let each = micros(thread_time() - before, count);
            report.add("a decision from the cache", each, "µs", None, Some(1.0));
        }
    }
    Ok(())
}

/// What the search of a decision costs without a plugin around it, in µs: bound, checked against the
/// grant, answered.
async fn search(
    granted: &GrantedDirectory,
    lookups: &[Arc<Lookup>],
    count: usize,
) -> anyhow::Result<f64> {
    let attributes = ["mailHost".to_owned()];
    let mut each = 0.0;
    for uncounted in [true, false] {
        let count = if uncounted { count / 10 } else { count };
        let before = thread_time();
        for lookup in lookups.iter().cycle().take(count) {
            let domain = lookup.address.domain().as_str();
            let labels = domain.split('.').map(|label| label.as_bytes().to_vec());
            let mut parameters: Vec<_> = labels.collect();
            parameters.push(lookup.address.as_str().into());
            let query = Query {
                base: "dc={0},dc={1}",
                scope: Scope::Subtree,
                filter: "(mail={2})",
                parameters: &parameters,
                attributes: &attributes,
                size_limit: 2,
            };
            let bound = BoundQuery::bind(&query, granted.directory.base_dn())?;
            granted.grant.check(&bound)?;
            let deadline = Instant::now() + Duration::from_secs(2);
            let page = granted.directory.search(&bound, deadline).await?;
            ensure!(page.entries.len() == 1, "{page:?}");
        }
        each = micros(thread_time() - before, count);
    }
    Ok(each)
}

fn lookup(user: usize) -> anyhow::Result<Arc<Lookup>> {
    let address = Address::new(&format!("user{user}@bench.test"), None)?;
    Ok(Arc::new(Lookup { purpose: Purpose::Login, address }))
}

fn context() -> Context {
    Context {
        protocol: Protocol::Imap,
        listener: Arc::from("imap"),
        client_address: [192, 0, 2, 1].into(),
        encrypted: true,
        mechanism: None,
        login_name: Some(Arc::from("user")),
        authentication_id: None,
        certificate_name: None,
        sender: None,
        now: SystemTime::now(),
    }
}

fn policy_settings() -> anyhow::Result<PolicySettings> {
    let ldif = LdifSettings::new(
        "main",
        LdifSource::Content(ldif(USERS, &["127.0.0.2"]).into_bytes().into()),
    );
    let metrics = waypost_directory::Metrics::register(&mut Registry::default());
    let directory = Directory::Ldif(LdifDirectory::load(ldif, &metrics)?);
    let grant = Grant::new(["mail", "mailHost"], directory.secret_attributes())?;
    let settings = r#"{"directory": "main", "search-base": "%s", "search-pattern": "mail=%e",
                       "host-field": "mailHost", "use-first": true}"#;
    Ok(PolicySettings {
        name: "ldap".into(),
        plugin: PluginSource::Builtin { name: "ldap-routing", bytes: PLUGIN },
        sha256: None,
        settings_json: settings.into(),
        directories: vec![GrantedDirectory { directory, grant }],
        targets: TargetPatterns::parse(&["127.0.0.0/8"]).context("the grant")?,
        verification: VerificationGrant::ALL,
        limits: Limits::default(),
    })
}

/// The directory of every measurement: so many users, who live at each of `hosts` in turn.
pub(crate) fn ldif(users: usize, hosts: &[&str]) -> String {
    let mut ldif =
        "version: 1\n\ndn: dc=bench,dc=test\nobjectClass: domain\ndc: bench\n".to_owned();
    for (user, host) in (0..users).zip(hosts.iter().cycle()) {
        ldif += &format!(
            "\ndn: uid=user{user},dc=bench,dc=test\nobjectClass: inetOrgPerson\nuid: user{user}\n\
             cn: user{user}\nsn: user{user}\nmail: user{user}@bench.test\nmailHost: {host}\n"
        );
    }
    ldif
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}

fn micros(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}
