//! What a decision costs: the shipped `ldap-routing` over an LDIF directory, each decision in a
//! fresh instance, one after the other on one thread.
//!
//! `cargo run --release -p waypost-policy --example decide_cost -- [DECISIONS]`

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use prometheus_client::registry::Registry;
use waypost_directory::{Directory, Grant, LdifDirectory, LdifSettings, LdifSource};
use waypost_model::{Address, Context, Decision, Lookup, Protocol, Purpose, VerificationGrant};
use waypost_policy::{
    EngineSettings, GrantedDirectory, Host, Limits, Metrics, PluginSource, Policy, PolicySettings,
    TargetPatterns,
};

/// Users in the directory.
const USERS: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let decisions = std::env::args().nth(1).map_or(Ok(20_000), |count| count.parse())?;
    let settings = EngineSettings { concurrency: 64, ..EngineSettings::default() };
    let host = Host::new(&settings, Metrics::unregistered())?;
    let started = Instant::now();
    let policy = Policy::load(&host, policy_settings()?)?;
    println!(
        "load: {:.1} ms, memory of configure kept: {}",
        started.elapsed().as_secs_f64() * 1e3,
        policy.is_snapshot()
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut times = vec![Duration::ZERO; decisions];
        measure(&policy, &mut times).await;
        let resident = resident_kib();
        measure(&policy, &mut times).await;
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
        let mean = times.iter().sum::<Duration>().as_secs_f64() * 1e6 / times.len() as f64;
        println!(
            "decide, one search: mean {mean:.1} µs, p50 {:.1}, p90 {:.1}, p99 {:.1} (goal 15, at most 33)",
            at(0.5), at(0.9), at(0.99)
        );
        println!("resident memory grew by {} KiB", resident_kib() - resident);
    });
    Ok(())
}

fn policy_settings() -> Result<PolicySettings, Box<dyn Error>> {
    let plugin =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/prebuilt/ldap-routing.wasm");
    let ldif = LdifSettings::new("main", LdifSource::Content(ldif().into_bytes().into()));
    let metrics = waypost_directory::Metrics::register(&mut Registry::default());
    let directory = Directory::Ldif(LdifDirectory::load(ldif, &metrics)?);
    let grant = Grant::new(["mail", "mailHost"], directory.secret_attributes())?;
    Ok(PolicySettings {
        name: "ldap".into(),
        plugin: PluginSource::File(plugin),
        sha256: None,
        settings_json: r#"{
            "directory": "main", "search-base": "%s", "search-pattern": "mail=%e",
            "host-field": "mailHost", "use-first": true
        }"#
        .into(),
        directories: vec![GrantedDirectory { directory, grant }],
        targets: TargetPatterns::parse(&["*.example.test"])?,
        verification: VerificationGrant::ALL,
        limits: Limits::default(),
    })
}

fn ldif() -> String {
    let mut ldif = "dn: dc=example,dc=test\nobjectClass: domain\ndc: example\n\n".to_owned();
    for user in 0..USERS {
        ldif += &format!(
            "dn: uid=user{user},dc=example,dc=test\nobjectClass: inetOrgPerson\nuid: user{user}\n\
             mail: user{user}@example.test\nmailHost: store{}.example.test\n\n",
            user % 4
        );
    }
    ldif
}

async fn measure(policy: &Policy, times: &mut [Duration]) {
    let context = Context {
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
    };
    for (n, time) in times.iter_mut().enumerate() {
        let address = Address::new(&format!("user{}@example.test", n % USERS), None);
        let address = address.expect("an address");
        let lookup = Lookup { purpose: Purpose::Login, address };
        let started = Instant::now();
        let consultation = policy.decide(&lookup, &context, false).await;
        *time = started.elapsed();
        let answer = consultation.result.expect("a decision");
        assert!(matches!(answer.decision, Decision::Route(_)), "{answer:?}");
    }
}

fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}
