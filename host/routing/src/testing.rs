//! Contexts and routes for the unit tests.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use waypost_model::{Context, Protocol, Route, Target, Verification};

pub(crate) fn context() -> Context {
    Context {
        protocol: Protocol::Imap,
        listener: Arc::from("imaps"),
        client_address: [192, 0, 2, 1].into(),
        encrypted: true,
        mechanism: None,
        login_name: Some(Arc::from("user1")),
        authentication_id: None,
        certificate_name: None,
        sender: None,
        now: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
    }
}

/// Differs from [`context`] in every field.
pub(crate) fn other_context() -> Context {
    Context {
        protocol: Protocol::Pop3,
        listener: Arc::from("pop3"),
        client_address: [192, 0, 2, 2].into(),
        encrypted: false,
        mechanism: Some(Arc::from("PLAIN")),
        login_name: None,
        authentication_id: Some(Arc::from("root")),
        certificate_name: Some(Arc::from("client")),
        sender: Some(Arc::from("")),
        now: SystemTime::UNIX_EPOCH + Duration::from_secs(2),
    }
}

pub(crate) fn route(host: &str) -> Arc<Route> {
    let target =
        Target { host: host.parse().unwrap(), port: None, encryption: None, tls_name: None };
    Arc::new(Route { targets: vec![target], identity: None, verification: Verification::ByBackend })
}
