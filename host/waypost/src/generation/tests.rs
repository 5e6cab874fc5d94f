use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use waypost_config::Config;
use waypost_model::{Address, Context, Lookup, Protocol, Purpose};
use waypost_policy::CodeSource;
use waypost_routing::Resolution;
use waypost_session::Users;

use super::Maker;
use crate::assembly::{self, Metrics};
use crate::builtin::SYSTEM;

const USERS: &str = "dn: uid=user1,dc=a,dc=test\nmail: user1@a.test\nmailHost: 127.0.0.2\n";

/// A folder with a configuration of two policies, one in the other's shadow.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.ldif"), USERS).unwrap();
    write(folder.path(), "use-first = true");
    folder
}

fn write(folder: &Path, setting: &str) {
    let policy = |name: &str| {
        format!(
            "[policy.{name}]\nplugin = \"builtin:ldap-routing\"\n\
             directories = {{ main = [\"mail\", \"mailHost\"] }}\ntargets = [\"127.0.0.2\"]\n\
             [policy.{name}.settings]\ndirectory = \"main\"\nsearch-base = \"%s\"\n\
             search-pattern = \"mail=%e\"\nhost-field = \"mailHost\"\n{setting}\n\n"
        )
    };
    let (live, shadow) = (policy("live"), policy("shade"));
    let text = format!(
        "[listener.imap]\nprotocol = \"imap\"\nbind = [\"127.0.0.1:143\"]\ntls = \"none\"\n\
         allow-plaintext-login = true\n\n[directory.main]\nldif = \"users.ldif\"\n\
         base = \"dc=a,dc=test\"\n\n{live}{shadow}\
         [domain.\"a.test\"]\npolicies = [\"live\"]\nshadow = \"shade\"\n"
    );
    std::fs::write(folder.join("waypost.toml"), text).unwrap();
}

fn context() -> Arc<Context> {
    Arc::new(Context {
        protocol: Protocol::Imap,
        listener: "imap".into(),
        client_address: [127, 0, 0, 1].into(),
        encrypted: false,
        mechanism: None,
        login_name: None,
        authentication_id: None,
        certificate_name: None,
        sender: None,
        now: SystemTime::now(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generation_is_freed_as_soon_as_another_is_in_force() {
    let folder = folder();
    let metrics = Metrics::register(&mut Registry::default());
    let maker: Maker = assembly::maker(&Users::Clear, &metrics, None, None).unwrap();
    let load = || Config::load(&folder.path().join("waypost.toml"), &SYSTEM).unwrap();
    let config = Arc::new(load());
    let router = assembly::router(&config, &metrics);
    let made = maker.make(&config).await.unwrap();
    let old: Vec<Weak<_>> = made.policies.values().map(Arc::downgrade).collect();
    let current = ArcSwap::from_pointee(maker.adopt(made));
    let old_generation = Arc::downgrade(&current.load_full());

    let address = Address::new("user1@a.test", None).unwrap();
    let lookup = Arc::new(Lookup { purpose: Purpose::Login, address });
    let resolve = async || {
        let generation = current.load_full();
        router.resolve(&generation.domains, &lookup, &context()).await
    };
    let Resolution::Route(held) = resolve().await else { panic!("no route") };

    // Nothing has changed: the compiled code is handed on.
    let again = maker.make(&config).await.unwrap();
    let source = again.policies.values().next().unwrap().policy().code_source();
    assert_eq!(source, CodeSource::Shared);
    drop(again);

    write(folder.path(), "use-first = false");
    let made = maker.make(&Arc::new(load())).await.unwrap();
    let source = made.policies.values().map(|policy| policy.policy().code_source());
    assert!(source.into_iter().any(|source| source == CodeSource::Compiled));
    current.store(Arc::new(maker.adopt(made)));
    // A shadow that is asked at this moment may hold on to its own for as long as that takes.
    for _ in 0..500 {
        if old.iter().all(|policy| policy.strong_count() == 0) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(old_generation.strong_count(), 0);
    assert!(old.iter().all(|policy| policy.strong_count() == 0));
    // What a session has of the old generation is its route, and what the router has, too.
    assert_eq!(held.route.targets[0].to_string(), "127.0.0.2");
    assert!(matches!(resolve().await, Resolution::Route(_)));
}
