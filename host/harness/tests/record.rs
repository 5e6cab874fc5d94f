//! What a recording promises: it replays with the same decisions, and names nobody.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::registry::Registry;
use tempfile::TempDir;
use waypost_directory::{
    Directory, FaultyDirectory, Grant, LdifDirectory, LdifSettings, LdifSource, SearchError,
};
use waypost_harness::cases::{Builtin, Report, Suite};
use waypost_harness::record::{Recorded, Recorder};
use waypost_model::{Address, Context, Lookup, Protocol, Purpose, VerificationGrant};
use waypost_policy::{
    EngineSettings, GrantedDirectory, Host, Limits, Metrics, PluginSource, Policy, PolicySettings,
    TargetPatterns,
};

const ROUTING: Builtin = Builtin {
    name: "ldap-routing",
    bytes: include_bytes!("../../../plugins/prebuilt/ldap-routing.wasm"),
};

const LDIF: &str = "
dn: dc=example,dc=test
objectClass: domain
dc: example

dn: uid=alice,ou=Müller\\, Söhne,dc=example,dc=test
mail: Alice.Smith@example.test
mailHost: 10.0.0.1
mailHost: 10.0.0.2:1143
userPassword: hunter2

dn: uid=bob,dc=example,dc=test
mail: bob@example.test
mailHost: south.cluster.example.test

dn: uid=carol,dc=example,dc=test
mail: carol@example.test
mailHost: 192.0.2.7

dn: uid=dave,dc=example,dc=test
mail: dave@example.test
mailHost: no host at all
";

const SETTINGS: &str = r#"{"directory":"main","search-base":"%s",
    "search-pattern":"(&(mail=%e)(!(mailHost=10.9.9.9)))","host-field":"mailHost",
    "use-first":true}"#;

/// The policy that is recorded, and its directory.
struct World {
    policy: Policy,
    recorded: Arc<Recorded>,
    directory: FaultyDirectory,
    folder: TempDir,
}

fn settings(directory: &FaultyDirectory) -> PolicySettings {
    let granted = Directory::Faulty(directory.clone());
    let grant = Grant::new(["mail", "mailHost"], granted.secret_attributes()).unwrap();
    PolicySettings {
        name: "ldap".into(),
        plugin: PluginSource::Builtin { name: ROUTING.name, bytes: ROUTING.bytes },
        sha256: None,
        settings_json: SETTINGS.into(),
        directories: vec![GrantedDirectory { directory: granted, grant }],
        targets: TargetPatterns::parse(&["10.0.0.0/8", "*.example.test"]).unwrap(),
        verification: VerificationGrant::ALL,
        limits: Limits { searches: 3, ..Limits::default() },
    }
}

impl World {
    fn new() -> Self {
        let ldif = LdifSettings {
            base: Some("dc=example,dc=test".into()),
            password_field: Some("userPassword".into()),
            ..LdifSettings::new("main", LdifSource::Content(LDIF.as_bytes().into()))
        };
        let metrics = waypost_directory::Metrics::register(&mut Registry::default());
        let directory = Directory::Ldif(LdifDirectory::load(ldif, &metrics).unwrap());
        let directory = FaultyDirectory::new(directory);
        let engine = EngineSettings { concurrency: 2, ..EngineSettings::default() };
        let host = Host::new(&engine, Metrics::unregistered()).unwrap();
        let policy = Policy::load(&host, settings(&directory)).unwrap();
        let recorded = Recorded::new(
            settings(&directory),
            vec![("main".into(), ["mail", "mailHost"].map(str::to_owned).to_vec())],
            ["10.0.0.0/8", "*.example.test"].map(str::to_owned).to_vec(),
            policy.digest(),
        );
        let folder = tempfile::tempdir().unwrap();
        Self { policy, recorded: Arc::new(recorded), directory, folder }
    }

    /// Asks for these users, and for one while the directory cannot be asked.
    async fn record(&self, clear: bool) -> PathBuf {
        let folder = self.folder.path().join("recording");
        let recorder = Recorder::start(&folder, clear).unwrap();
        for user in ["Alice.Smith", "bob", "carol", "dave", "nobody"] {
            self.ask(&recorder, user).await;
        }
        self.directory.fail(SearchError::Unavailable("10.0.0.53 is down".into()));
        self.ask(&recorder, "erin").await;
        self.directory.heal();
        recorder.finish();
        folder
    }

    async fn ask(&self, recorder: &Recorder, user: &str) {
        let address = Address::new(&format!("{user}@example.test"), None).unwrap();
        let lookup = Arc::new(Lookup { purpose: Purpose::Login, address });
        let context = Arc::new(context());
        let seen = self.policy.observe(&lookup, &context).await;
        recorder.saw(&self.recorded, &lookup, &context, seen);
    }
}

fn context() -> Context {
    Context {
        protocol: Protocol::Imap,
        listener: "imaps".into(),
        client_address: [192, 0, 2, 77].into(),
        encrypted: true,
        mechanism: None,
        login_name: Some("alice".into()),
        authentication_id: None,
        certificate_name: None,
        sender: None,
        now: SystemTime::now(),
    }
}

fn replay(file: PathBuf) -> Report {
    let run = move || Suite::read(&file, None, &[ROUTING]).unwrap().run("").unwrap();
    std::thread::spawn(run).join().unwrap()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}

#[tokio::test]
async fn a_recording_replays_with_the_same_decisions_and_names_nobody() {
    let world = World::new();
    let file = world.record(false).await.join("ldap.toml");
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o600);
    let text = read(&file);
    let report = replay(file);
    assert!(report.is_well(), "{report}\n{text}");
    assert_eq!(report.cases.len(), 6, "{text}");

    for secret in [
        "alice",
        "smith",
        "bob",
        "carol",
        "dave",
        "erin",
        "nobody",
        "example",
        "south",
        "cluster",
        "10.0.0.",
        "192.0.2.",
        "no host",
        "hunter2",
        "userpassword",
        "müller",
        "m\\\\c3",
    ] {
        assert!(!text.to_lowercase().contains(secret), "{secret} in\n{text}");
    }
    // What the settings name is no secret, and a policy may look for it.
    for kept in ["10.9.9.9", "[policy.settings]", "mailHost", "builtin:ldap-routing"] {
        assert!(text.contains(kept), "{kept} is missing in\n{text}");
    }
    for outcome in [
        "decision = \"route\"",
        "refusal = \"unknown-user\"",
        "target-denied = \"\"",
        "failure = \"bad-data\"",
        "failure = \"directory-unavailable\"",
        "error = \"unavailable\"",
    ] {
        assert!(text.contains(outcome), "{outcome} is missing in\n{text}");
    }
}

#[tokio::test]
async fn a_clear_recording_is_what_was_seen() {
    let world = World::new();
    let folder = world.record(true).await;
    let text = read(&folder.join("ldap.toml"));
    let report = replay(folder.join("ldap.toml"));
    assert!(report.is_well(), "{report}\n{text}");
    for seen in [
        "Alice.Smith@example.test",
        "10.0.0.1",
        "1143",
        "targets = [\"10.0.0.0/8\"",
        "(mail=Alice.Smith@example.test)",
        "searches = 3",
    ] {
        assert!(text.contains(seen), "{seen} is missing in\n{text}");
    }
    // Secrets stay where they are, whatever is asked for.
    assert!(!text.contains("hunter2") && !text.contains("userPassword"), "{text}");

    // A second recording writes beside the first, not over it.
    world.record(true).await;
    assert_eq!(read(&folder.join("ldap.toml")), text);
    assert_eq!(read(&folder.join("ldap-2.toml")), text);
}

#[tokio::test]
async fn what_was_decided_otherwise_is_seen() {
    let world = World::new();
    let file = world.record(false).await.join("ldap.toml");
    let text = read(&file);
    fs::write(
        &file,
        text.replacen("search-pattern = \"(&(mail=%e)", "search-pattern = \"(&(mail=%u)", 1),
    )
    .unwrap();
    let report = replay(file);
    assert_eq!(report.failed(), 6, "{report}");
    assert!(report.to_string().contains("not asked for"), "{report}");
}

#[tokio::test]
async fn nobody_waits_for_a_recording() {
    let world = World::new();
    let folder = world.folder.path().join("recording");
    let recorder = Recorder::start(&folder, false).unwrap();
    let address = Address::new("bob@example.test", None).unwrap();
    let lookup = Arc::new(Lookup { purpose: Purpose::Login, address });
    let context = Arc::new(context());
    let seen = world.policy.observe(&lookup, &context).await;
    // More than can be written at once: the rest is left out.
    for _ in 0..2_000 {
        recorder.saw(&world.recorded, &lookup, &context, seen.clone());
    }
    recorder.finish();
    let cases = read(&folder.join("ldap.toml")).matches("[[case]]").count();
    assert!((60..=2_000).contains(&cases), "{cases}");
    // Nor is anybody held up by one that has ended.
    recorder.saw(&world.recorded, &lookup, &context, seen);
    recorder.finish();
}

#[test]
fn what_is_no_folder_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Recorder::start(&file, false).is_err());
    assert!(Recorder::start(&place.path().join("a/b"), false).is_err());
    let made = place.path().join("made");
    Recorder::start(&made, false).unwrap().finish();
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o7777, 0o700);
}
