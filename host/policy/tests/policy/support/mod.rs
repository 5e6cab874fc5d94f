//! Plugins, policies and questions for the tests.

mod directory;
mod image;
mod plugin;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use tempfile::TempDir;
use waypost_model::{
    Address, Consultation, Context, Fault, Lookup, Protocol, Purpose, Trouble, VerificationGrant,
};
use waypost_policy::{
    EngineSettings, Host, Limits, LoadError, Metrics, PluginSource, Policy, PolicySettings,
    TargetPatterns,
};

pub(crate) use directory::directory;
pub(crate) use image::{Hint, Image, target};
pub(crate) use plugin::{changed_wit, component, plugin, source, wit, with_data};

/// A host and a place for plugins.
pub(crate) struct Bench {
    pub(crate) host: Host,
    folder: TempDir,
    files: AtomicU32,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(&EngineSettings { concurrency: 16, ..EngineSettings::default() })
    }

    pub(crate) fn with(settings: &EngineSettings) -> Self {
        Self::on(Host::new(settings, Metrics::unregistered()).unwrap())
    }

    pub(crate) fn on(host: Host) -> Self {
        Self { host, folder: TempDir::new().unwrap(), files: AtomicU32::new(0) }
    }

    /// Settings for a policy `p` that runs `component` and may name 10.0.0.0/8 and
    /// *.example.test.
    pub(crate) fn settings(&self, component: &[u8]) -> PolicySettings {
        let file = self.files.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("{file}.wasm"));
        std::fs::write(&path, component).unwrap();
        PolicySettings {
            name: "p".into(),
            plugin: PluginSource::File(path),
            sha256: None,
            settings_json: "{}".into(),
            directories: Vec::new(),
            targets: TargetPatterns::parse(&["10.0.0.0/8", "*.example.test"]).unwrap(),
            verification: VerificationGrant::ALL,
            limits: Limits::default(),
        }
    }

    /// Loads `component` with `change` applied to its settings.
    pub(crate) fn try_load(
        &self,
        component: &[u8],
        change: impl FnOnce(&mut PolicySettings),
    ) -> Result<Arc<Policy>, LoadError> {
        let mut settings = self.settings(component);
        change(&mut settings);
        Policy::load(&self.host, settings).map(Arc::new)
    }

    #[track_caller]
    pub(crate) fn load(&self, component: &[u8]) -> Arc<Policy> {
        self.try_load(component, |_| ()).unwrap()
    }

    /// Loads `component`, which must not load, and says why.
    #[track_caller]
    pub(crate) fn refusal(&self, component: &[u8]) -> String {
        self.try_load(component, |_| ()).unwrap_err().to_string()
    }
}

/// A login of `name`@example.test.
pub(crate) fn login(name: &str) -> Lookup {
    let address = Address::new(&format!("{name}@example.test"), None).unwrap();
    Lookup { purpose: Purpose::Login, address }
}

/// A client at 192.0.2.1.
pub(crate) fn context() -> Context {
    Context {
        protocol: Protocol::Imap,
        listener: "imap".into(),
        client_address: [192, 0, 2, 1].into(),
        encrypted: true,
        mechanism: Some("PLAIN".into()),
        login_name: Some("user".into()),
        authentication_id: None,
        certificate_name: None,
        sender: None,
        now: SystemTime::UNIX_EPOCH,
    }
}

/// Asks for user@example.test.
pub(crate) async fn ask(policy: &Policy) -> Consultation {
    policy.decide(&login("user"), &context(), true).await
}

/// The fault that a consultation must have ended in.
#[track_caller]
pub(crate) fn fault(consultation: &Consultation) -> &Fault {
    match &consultation.result {
        Err(Trouble::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    }
}
