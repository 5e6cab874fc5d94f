//! The policy that comes with Waypost, as it is shipped.

use std::path::Path;

use waypost_model::{Decision, Refusal};
use waypost_policy::{LoadError, PluginSource};

use crate::support::{Bench, context, directory, login};

const PLUGIN: &str = "../../plugins/prebuilt/ldap-routing.wasm";

const SETTINGS: &str = r#"{
    "directory": "main",
    "search-base": "%s",
    "search-pattern": "mail=%e",
    "host-field": "mailHost",
    "use-first": true
}"#;

fn file() -> PluginSource {
    PluginSource::File(Path::new(env!("CARGO_MANIFEST_DIR")).join(PLUGIN))
}

#[tokio::test]
async fn it_routes_by_the_directory() {
    let (granted, directory) = directory();
    let policy = Bench::new().try_load(b"", |settings| {
        settings.plugin = file();
        settings.settings_json = SETTINGS.into();
        settings.directories = vec![granted];
    });
    let policy = policy.unwrap();
    assert!(policy.is_snapshot());
    let consultation = policy.decide(&login("user"), &context(), true).await;
    let Decision::Route(route) = consultation.result.unwrap().decision else { panic!() };
    assert_eq!(route.targets[0].to_string(), "north.example.test");
    assert_eq!(consultation.searches[0].filter, "(mail=user@example.test)");
    let consultation = policy.decide(&login("nobody"), &context(), true).await;
    let decision = consultation.result.unwrap().decision;
    assert_eq!(decision, Decision::Refuse(Refusal::UnknownUser));
    assert!(directory.searches() >= 2);
}

#[test]
fn its_problems_have_places() {
    let refused = Bench::new().try_load(b"", |settings| {
        settings.plugin = file();
        settings.settings_json = SETTINGS.replace("%e", "%q");
    });
    match refused {
        Err(LoadError::Problems(problems)) => assert_eq!(problems[0].0, "/search-pattern"),
        other => panic!("{other:?}"),
    }
}
