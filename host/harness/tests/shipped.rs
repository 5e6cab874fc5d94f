//! What the shipped components do in the host that they are shipped for: their rules are tested
//! natively, beside their sources; here it is that the bytes in the repository follow them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use prometheus_client::registry::Registry;
use waypost_directory::{
    Directory, FaultyDirectory, Grant, LdifDirectory, LdifSettings, LdifSource, SearchError,
};
use waypost_model::{
    Address, Consultation, Context, ContextReads, Decision, Failure, Lookup, Protocol, Purpose,
    Refusal, Trouble, VerificationGrant,
};
use waypost_policy::{
    EngineSettings, GrantedDirectory, Host, Limits, LoadError, PluginSource, Policy,
    PolicySettings, TargetPatterns,
};

const LDIF: &str = "\
dn: dc=localdomain,dc=test
objectClass: domain
dc: localdomain

dn: uid=user1,dc=localdomain,dc=test
objectClass: inetLocalMailRecipient
mail: user1@localdomain.test
mailHost: 10.0.0.2
userPassword: user1

dn: uid=user2,dc=localdomain,dc=test
objectClass: inetLocalMailRecipient
mail: user2@localdomain.test
mailHost: [2001:db8::3]:143, south.example.test

dn: uid=user3,dc=localdomain,dc=test
objectClass: inetLocalMailRecipient
mail: user3@localdomain.test
mailHost: north.example.test
mailHost: south.example.test

dn: uid=user4,dc=localdomain,dc=test
objectClass: inetLocalMailRecipient
mail: user4@localdomain.test

dn: uid=user5,dc=localdomain,dc=test
objectClass: inetLocalMailRecipient
mail: user5@localdomain.test
mailHost: not a host
";

/// Settings of the design's own example, with more.
fn settings(more: &str) -> String {
    format!(
        r#"{{"directory": "main", "search-base": "%s", "search-pattern": "mail=%e",
            "host-field": "mailHost", {more}}}"#
    )
}

/// A policy of the shipped component, over a directory that can be made to fail.
fn load(settings: &str) -> Result<(Policy, FaultyDirectory), LoadError> {
    let mut ldif = LdifSettings::new("main", LdifSource::Content(LDIF.as_bytes().into()));
    ldif.password_field = Some("userPassword".into());
    let metrics = waypost_directory::Metrics::register(&mut Registry::default());
    let ldif = LdifDirectory::load(ldif, &metrics).unwrap();
    let faulty = FaultyDirectory::new(Directory::Ldif(ldif));
    let directory = Directory::Faulty(faulty.clone());
    let grant = Grant::new(["mail", "mailHost"], directory.secret_attributes()).unwrap();
    let metrics = waypost_policy::Metrics::unregistered();
    let engine = EngineSettings { concurrency: 4, ..EngineSettings::default() };
    let component = "../../plugins/prebuilt/ldap-routing.wasm";
    let policy = Policy::load(
        &Host::new(&engine, metrics).unwrap(),
        PolicySettings {
            name: "ldap".into(),
            plugin: PluginSource::File(Path::new(env!("CARGO_MANIFEST_DIR")).join(component)),
            sha256: None,
            settings_json: settings.into(),
            directories: vec![GrantedDirectory { directory, grant }],
            targets: TargetPatterns::parse(&["10.0.0.0/8", "2001:db8::/32", "*.example.test"])
                .unwrap(),
            verification: VerificationGrant::ALL,
            limits: Limits::default(),
        },
    )?;
    Ok((policy, faulty))
}

async fn consult(policy: &Policy, address: &str) -> Consultation {
    let address = Address::new(address, None).unwrap();
    let context = Context {
        protocol: Protocol::Imap,
        listener: Arc::from("imap"),
        client_address: [192, 0, 2, 1].into(),
        encrypted: true,
        mechanism: None,
        login_name: None,
        authentication_id: None,
        certificate_name: None,
        sender: None,
        now: SystemTime::UNIX_EPOCH,
    };
    policy.decide(&Lookup { purpose: Purpose::Login, address }, &context, true).await
}

/// What came of it in short: the targets, the refusal or the trouble.
async fn ask(policy: &Policy, address: &str) -> String {
    let consultation = consult(policy, address).await;
    // Nothing of the client but its address may part two cache entries.
    assert_eq!(consultation.reads, ContextReads::NONE);
    match consultation.result {
        Ok(answer) => match answer.decision {
            Decision::Route(route) => {
                let targets: Vec<_> = route.targets.iter().map(ToString::to_string).collect();
                let identity = route.identity.iter().map(|identity| format!(" as {identity}"));
                targets.join(",") + &identity.collect::<String>()
            }
            Decision::Refuse(Refusal::UnknownUser) => "unknown-user".into(),
            other => format!("{other:?}"),
        },
        Err(Trouble::Failure(failure)) => failure.to_string(),
        Err(trouble) => panic!("{trouble}"),
    }
}

#[tokio::test]
async fn routes_refusals_and_failures() {
    let (policy, _) = load(&settings(r#""use-first": false"#)).unwrap();
    assert!(policy.is_snapshot());
    for (address, expected) in [
        ("user1@localdomain.test", "10.0.0.2"),
        ("USER1@localdomain.test", "10.0.0.2"),
        ("user1+tag@localdomain.test", "10.0.0.2"),
        ("user2@localdomain.test", "[2001:db8::3]:143,south.example.test"),
        ("user3@localdomain.test", "2 candidates where one is allowed"),
        (
            "user4@localdomain.test",
            "unusable data in the directory: uid=user4,dc=localdomain,dc=test has no mailHost",
        ),
        (
            "user5@localdomain.test",
            "unusable data in the directory: uid=user5,dc=localdomain,dc=test: mailHost \
             \"not a host\": this is neither a host name nor an address",
        ),
        ("user6@localdomain.test", "unknown-user"),
        ("*@localdomain.test", "unknown-user"),
        ("*)(mail=user1@localdomain.test", "unknown-user"),
        ("user1@sub.localdomain.test", "unknown-user"),
        ("user1@localdomain", "unknown-user"),
        ("user1@elsewhere.test", "unknown-user"),
    ] {
        assert_eq!(ask(&policy, address).await, expected, "{address}");
    }
}

#[tokio::test]
async fn every_setting_reaches_the_component() {
    let more = r#""use-first": true, "fallback-hosts": ["spare.example.test:24"],
        "fallback-on": ["no-entry", "directory-unavailable"], "recipient-delimiter": "-",
        "alias-domains": {"old.test": "localdomain.test"}"#;
    let (policy, directory) = load(&settings(more)).unwrap();
    for (address, expected) in [
        ("user1-tag@localdomain.test", "10.0.0.2"),
        ("user1-tag@old.test", "10.0.0.2 as user1-tag@localdomain.test"),
        ("user6@localdomain.test", "spare.example.test:24"),
    ] {
        assert_eq!(ask(&policy, address).await, expected, "{address}");
    }
    let first = ask(&policy, "user3@localdomain.test").await;
    assert!(["north.example.test", "south.example.test"].contains(&first.as_str()), "{first}");
    directory.fail(SearchError::Timeout);
    assert_eq!(ask(&policy, "user1@localdomain.test").await, "spare.example.test:24");
    let (policy, directory) = load(&settings(r#""catch-all": true, "no-entry": "pass""#)).unwrap();
    assert_eq!(ask(&policy, "user6+x@localdomain.test").await, "Pass");
    assert_eq!(directory.searches(), 3);
}

#[tokio::test]
async fn a_directory_that_fails_is_a_failure() {
    let (policy, directory) = load(&settings(r#""use-first": true"#)).unwrap();
    directory.fail(SearchError::Unavailable("down".into()));
    let consultation = consult(&policy, "user1@localdomain.test").await;
    let failure = Trouble::Failure(Failure::DirectoryUnavailable);
    assert_eq!((consultation.result, consultation.degraded), (Err(failure), true));
    directory.heal();
    assert_eq!(ask(&policy, "user1@localdomain.test").await, "10.0.0.2");
}

#[tokio::test]
async fn attributes_outside_the_grant_are_a_misconfiguration() {
    let settings = r#"{"directory": "main", "search-base": "%s", "search-pattern": "uid=%u",
        "host-field": "mailHost"}"#;
    let (policy, _) = load(settings).unwrap();
    let failure = ask(&policy, "user1@localdomain.test").await;
    assert!(failure.starts_with("the policy's settings are wrong: "), "{failure}");
    assert!(failure.contains("uid"), "{failure}");
}

#[test]
fn every_bad_setting_is_a_problem_with_its_place() {
    let settings = r#"{"search-base": "ou=%s", "search-pattern": "%u=x", "host-field": "mailHost",
        "fallback-hosts": ["a", "b c"], "useFirst": true}"#;
    let error = load(settings).map(|_| ()).unwrap_err().to_string();
    for pointer in
        ["/directory", "/search-base", "/search-pattern", "/fallback-hosts/1", "/useFirst"]
    {
        assert!(error.contains(pointer), "{error}");
    }
}

/// The component's stack is small, and configuration is where recursion happens.
#[test]
fn settings_as_deep_as_can_be_are_read_within_the_stack() {
    let nested = format!("{}{}", "[".repeat(126), "]".repeat(126));
    let error = load(&settings(&format!(r#""deep": {nested}"#))).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("/deep"), "{error}");
    let error = load(&settings(&format!(r#""deep": [{nested}]"#))).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("JSON"), "{error}");
    let pattern = format!("{}(mail=%e){}", "(!".repeat(15), ")".repeat(15));
    load(&settings("\"use-first\": true").replace("mail=%e", &pattern)).map(|_| ()).unwrap();
}

/// A policy of the shipped `local-map` with so many addresses.
fn local_map(host: &Host, addresses: usize) -> Policy {
    let map: String = (0..addresses)
        .map(|user| format!("user{user}@example.test mail{}.example.test\n", user % 7))
        .collect();
    let component = "../../plugins/prebuilt/local-map.wasm";
    let settings = PolicySettings {
        name: "map".into(),
        plugin: PluginSource::File(Path::new(env!("CARGO_MANIFEST_DIR")).join(component)),
        sha256: None,
        settings_json: serde_json::json!({ "map": map }).to_string(),
        directories: Vec::new(),
        targets: TargetPatterns::parse(&["*.example.test"]).unwrap(),
        verification: VerificationGrant::ALL,
        limits: Limits::default(),
    };
    Policy::load(host, settings).unwrap()
}

/// The list is read once, at load; a decision starts from the memory that holds it.
#[tokio::test]
async fn a_hundred_thousand_addresses_cost_a_decision_what_a_hundred_do() {
    let engine = EngineSettings { concurrency: 4, ..EngineSettings::default() };
    let host = Host::new(&engine, waypost_policy::Metrics::unregistered()).unwrap();
    let policies = [100, 100_000].map(|addresses| local_map(&host, addresses));
    assert!(policies.iter().all(Policy::is_snapshot));
    let mut fastest = [Duration::MAX; 2];
    for round in 0..500 {
        for (policy, fastest) in policies.iter().zip(&mut fastest) {
            let user = round % 100;
            let address = format!("user{user}@example.test");
            let started = Instant::now();
            let answer = ask(policy, &address).await;
            *fastest = started.elapsed().min(*fastest);
            assert_eq!(answer, format!("mail{}.example.test", user % 7));
        }
    }
    let [few, many] = fastest;
    assert!(many < few * 2, "{many:?} with 100,000 addresses, {few:?} with 100");
    assert_eq!(ask(&policies[1], "user99999@example.test").await, "mail4.example.test");
}
