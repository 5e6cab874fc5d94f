use std::num::NonZeroU16;
use std::sync::LazyLock;

use proptest::prelude::*;
use waypost_model::{Encryption, Host, HostPort, Protocol, Target};

use super::{Backend, BackendSettings, BackendTable, EndpointError, Pattern, Twice};
use crate::tls::{Connector, ConnectorSettings};

/// Settings that can speak TLS, with whomever.
fn settings(protocol: Protocol) -> BackendSettings {
    static TLS: LazyLock<Connector> = LazyLock::new(|| {
        let settings = ConnectorSettings { verify: false, ..ConnectorSettings::default() };
        Connector::new(settings).unwrap()
    });
    BackendSettings { tls: Some(TLS.clone()), ..BackendSettings::new(protocol) }
}

/// An entry that is known by its IMAP port.
fn entry(pattern: &str, port: u16) -> (Pattern, Backend) {
    let backend = Backend::new(|protocol| BackendSettings {
        port: NonZeroU16::new(port),
        ..settings(protocol)
    });
    (pattern.parse().unwrap(), backend)
}

fn table(patterns: &[&str]) -> BackendTable {
    let entries = patterns.iter().zip(1..).map(|(pattern, port)| entry(pattern, port));
    BackendTable::new(entries, Backend::new(settings)).unwrap()
}

fn target(text: &str) -> Target {
    let HostPort { host, port } = text.parse().unwrap();
    Target { host, port, encryption: None, tls_name: None }
}

/// Which pattern of the table counts for a host.
#[track_caller]
fn winner<'a>(patterns: &[&'a str], host: &str) -> &'a str {
    let host: Host = host.parse().unwrap();
    let table = table(patterns);
    match table.lookup(&host).settings(Protocol::Imap).port {
        Some(port) => patterns[usize::from(u16::from(port)) - 1],
        None => "default",
    }
}

#[test]
fn the_most_specific_pattern_wins_in_any_order_of_the_file() {
    let mut patterns = ["*", "*.example.test", "*.mail.example.test", "a.mail.example.test"];
    for _ in 0..patterns.len() {
        patterns.rotate_left(1);
        assert_eq!(winner(&patterns, "a.mail.example.test"), "a.mail.example.test");
        assert_eq!(winner(&patterns, "b.mail.example.test"), "*.mail.example.test");
        assert_eq!(winner(&patterns, "x.b.mail.example.test"), "*.mail.example.test");
        assert_eq!(winner(&patterns, "mail.example.test"), "*.example.test");
        assert_eq!(winner(&patterns, "example.test"), "*");
        assert_eq!(winner(&patterns, "notexample.test"), "*");
        assert_eq!(winner(&patterns, "10.0.0.1"), "*");
    }
    let mut patterns = ["*", "10.0.0.0/8", "10.1.0.0/16", "10.1.0.1", "2001:db8::/32"];
    for _ in 0..patterns.len() {
        patterns.rotate_left(1);
        assert_eq!(winner(&patterns, "10.1.0.1"), "10.1.0.1");
        assert_eq!(winner(&patterns, "::ffff:10.1.0.1"), "10.1.0.1");
        assert_eq!(winner(&patterns, "10.1.0.2"), "10.1.0.0/16");
        assert_eq!(winner(&patterns, "10.2.0.1"), "10.0.0.0/8");
        assert_eq!(winner(&patterns, "2001:db8::1"), "2001:db8::/32");
        assert_eq!(winner(&patterns, "2001:db9::1"), "*");
        assert_eq!(winner(&patterns, "mail.example.test"), "*");
    }
}

#[test]
fn without_a_star_the_defaults_stand_in() {
    assert_eq!(winner(&["a.test"], "b.test"), "default");
    let table = table(&[]);
    let endpoint = table.endpoint(&target("b.test"), Protocol::Imap).unwrap();
    assert_eq!((endpoint.port, endpoint.encryption), (143, Encryption::Starttls));
}

#[test]
fn a_pattern_occurs_once() {
    for pattern in ["*", "a.test", "*.a.test", "10.0.0.1", "10.0.0.0/8"] {
        let entries = [entry(pattern, 1), entry("other.test", 2), entry(pattern, 3)];
        let twice = BackendTable::new(entries, Backend::new(settings)).unwrap_err();
        assert_eq!(twice, Twice(pattern.parse().unwrap()));
    }
}

fn with(encryption: Encryption, port: Option<u16>) -> BackendTable {
    let backend = Backend::new(|protocol| BackendSettings {
        port: port.and_then(NonZeroU16::new),
        encryption,
        ..settings(protocol)
    });
    BackendTable::new([(Pattern::Any, backend)], Backend::new(settings)).unwrap()
}

#[test]
fn the_port_is_the_targets_then_the_tables_then_the_usual_one() {
    let table = with(Encryption::Starttls, Some(1143));
    let port = |target: &Target, protocol| table.endpoint(target, protocol).unwrap().port;
    assert_eq!(port(&target("a.test:2143"), Protocol::Imap), 2143);
    assert_eq!(port(&target("a.test"), Protocol::Imap), 1143);
    // The table's port is for STARTTLS; a target that wants TLS at once means another.
    let implicit = Target { encryption: Some(Encryption::Implicit), ..target("a.test") };
    assert_eq!(port(&implicit, Protocol::Imap), 993);
    assert_eq!(port(&implicit, Protocol::Pop3), 995);
    let same = Target { encryption: Some(Encryption::Starttls), ..target("a.test") };
    assert_eq!(port(&same, Protocol::Imap), 1143);

    let usual = with(Encryption::None, None);
    for (protocol, expected) in [(Protocol::Imap, 143), (Protocol::Pop3, 110)] {
        assert_eq!(usual.endpoint(&target("a.test"), protocol).unwrap().port, expected);
    }
}

#[test]
fn the_port_follows_the_protocol_spoken_with_the_back_end() {
    let backend = Backend::new(|protocol| match protocol {
        Protocol::Smtp => settings(Protocol::Lmtp),
        other => settings(other),
    });
    let table = BackendTable::new([], backend).unwrap();
    assert_eq!(table.endpoint(&target("a.test"), Protocol::Smtp).unwrap().port, 24);
}

#[test]
fn the_certificate_bears_the_targets_name_unless_the_policy_names_another() {
    let table = with(Encryption::Implicit, None);
    let named = table.endpoint(&target("10.0.0.1"), Protocol::Imap).unwrap();
    assert_eq!(named.tls_name.to_string(), "10.0.0.1");
    let tls_name = Some("mail.example.test".parse().map(|host| match host {
        Host::Name(name) => name,
        Host::Address(_) => unreachable!(),
    }));
    let other = Target { tls_name: tls_name.transpose().unwrap(), ..target("10.0.0.1") };
    let endpoint = table.endpoint(&other, Protocol::Imap).unwrap();
    assert_eq!(endpoint.tls_name.to_string(), "mail.example.test");
}

#[test]
fn without_authorities_to_trust_there_is_no_tls() {
    let table = BackendTable::new([], Backend::new(BackendSettings::new)).unwrap();
    let refused = table.endpoint(&target("a.test"), Protocol::Imap).unwrap_err();
    assert_eq!(refused, EndpointError::NoTls(Encryption::Starttls));

    let clear = |protocol| BackendSettings {
        encryption: Encryption::None,
        ..BackendSettings::new(protocol)
    };
    let table = BackendTable::new([], Backend::new(clear)).unwrap();
    assert!(table.endpoint(&target("a.test"), Protocol::Imap).unwrap().tls.is_none());
    let stronger = Target { encryption: Some(Encryption::Implicit), ..target("a.test") };
    let refused = table.endpoint(&stronger, Protocol::Imap).unwrap_err();
    assert_eq!(refused, EndpointError::NoTls(Encryption::Implicit));
}

fn any_encryption() -> impl Strategy<Value = Encryption> {
    prop_oneof![Just(Encryption::None), Just(Encryption::Starttls), Just(Encryption::Implicit)]
}

proptest! {
    #[test]
    fn a_target_strengthens_and_never_weakens(
        demanded in any_encryption(),
        asked in prop::option::of(any_encryption()),
        port in prop::option::of(1_u16..),
    ) {
        let target = Target { encryption: asked, ..target("a.test") };
        match with(demanded, port).endpoint(&target, Protocol::Imap) {
            Ok(endpoint) => {
                prop_assert!(endpoint.encryption >= demanded);
                prop_assert_eq!(endpoint.encryption, asked.unwrap_or(demanded));
            }
            Err(EndpointError::TooWeak { .. }) => {
                prop_assert!(asked.is_some_and(|asked| asked < demanded));
            }
            Err(EndpointError::NoTls(_)) => prop_assert!(false, "there is TLS"),
        }
    }
}
