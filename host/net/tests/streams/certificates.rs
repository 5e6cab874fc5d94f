//! Which certificate a client is shown, and when a new one takes its place.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::time::timeout;
use waypost_net::Metrics;
use waypost_net::tls::{Acceptor, CertificateFileError, CertificateFiles, Certificates};

use crate::peer::{self, TLS13};
use crate::support::{Authority, acceptor_for, soon, tcp_pair};

/// The certificate that a client sees who asks for `name`, whoever it is for.
async fn shown(authority: &Authority, acceptor: &Acceptor, name: &str) -> CertificateDer<'static> {
    let mut config = peer::client_config(authority, TLS13);
    config.dangerous().set_certificate_verifier(Arc::new(crate::peer::Credulous));
    let config = Arc::new(config);
    let (near, far) = tcp_pair().await;
    let (client, server) =
        tokio::join!(peer::connect(&config, name, near), acceptor.accept(far, soon()));
    server.unwrap();
    client.unwrap().get_ref().1.peer_certificates().unwrap()[0].clone()
}

fn in_file(files: &CertificateFiles) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.chain).unwrap()
}

fn copy(from: &CertificateFiles, to: &CertificateFiles) {
    fs::copy(&from.chain, &to.chain).unwrap();
    fs::copy(&from.key, &to.key).unwrap();
}

#[tokio::test]
async fn the_name_that_the_client_asks_for_decides() {
    let authority = Authority::new();
    let first = authority.issue("first", &["first.test"]);
    let exact = authority.issue("exact", &["mail.a.test", "other.test"]);
    let wildcard = authority.issue("wildcard", &["*.a.test"]);
    let all = vec![first.clone(), wildcard.clone(), exact.clone()];
    let acceptor = acceptor_for(Certificates::load(all).unwrap());
    for (name, expected) in [
        ("mail.a.test", &exact),
        ("MAIL.A.TEST", &exact),
        ("other.test", &exact),
        ("imap.a.test", &wildcard),
        ("deep.imap.a.test", &first),
        ("a.test", &first),
        ("nobody.test", &first),
        // An address is not sent as a name.
        ("127.0.0.1", &first),
    ] {
        let certificate = shown(&authority, &acceptor, name).await;
        assert_eq!(certificate, in_file(expected), "{name}");
    }
}

#[tokio::test]
async fn a_changed_file_is_used_without_a_restart() {
    let authority = Authority::new();
    let files = authority.issue("server", &["a.test"]);
    let certificates = Certificates::load(vec![files.clone()]).unwrap();
    let acceptor = acceptor_for(certificates.clone());
    let before = in_file(&files);
    assert_eq!(shown(&authority, &acceptor, "a.test").await, before);
    assert_eq!(certificates.refresh().renewed, 0);

    copy(&authority.issue("renewed", &["a.test"]), &files);
    let refreshed = certificates.refresh();
    assert_eq!((refreshed.renewed, refreshed.failed.len()), (1, 0));
    let after = in_file(&files);
    assert_ne!(after, before);
    assert_eq!(shown(&authority, &acceptor, "a.test").await, after);
}

#[tokio::test]
async fn a_broken_file_keeps_the_certificate_that_was_there() {
    let authority = Authority::new();
    let files = authority.issue("server", &["a.test"]);
    let other = authority.issue("other", &["b.test"]);
    let certificates = Certificates::load(vec![files.clone(), other.clone()]).unwrap();
    let acceptor = acceptor_for(certificates.clone());
    let before = in_file(&files);
    let renewed = authority.issue("renewed", &["a.test"]);

    // A renewal as certbot's deploy hooks do it: for a moment chain and key do not match.
    fs::copy(&renewed.chain, &files.chain).unwrap();
    copy(&authority.issue("renewed-other", &["b.test"]), &other);
    let refreshed = certificates.refresh();
    assert_eq!((refreshed.renewed, refreshed.failed.len()), (1, 1));
    assert!(refreshed.failed[0].to_string().contains("server.key"), "{}", refreshed.failed[0]);
    assert_eq!(shown(&authority, &acceptor, "a.test").await, before);
    assert_eq!(shown(&authority, &acceptor, "b.test").await, in_file(&other));
    assert!(certificates.refresh().failed.is_empty(), "it is said once");

    fs::copy(&renewed.key, &files.key).unwrap();
    assert_eq!(certificates.refresh().renewed, 1);
    assert_eq!(shown(&authority, &acceptor, "a.test").await, in_file(&files));

    fs::remove_file(&files.chain).unwrap();
    assert_eq!(certificates.refresh().failed.len(), 1);
    assert_eq!(shown(&authority, &acceptor, "a.test").await, in_file(&renewed));
}

#[tokio::test]
async fn files_are_watched() {
    let authority = Authority::new();
    let files = authority.issue("server", &["a.test"]);
    let certificates = Certificates::load(vec![files.clone()]).unwrap();
    let acceptor = acceptor_for(certificates.clone());
    tokio::spawn(certificates.watch(Duration::from_millis(10)));
    copy(&authority.issue("renewed", &["a.test"]), &files);
    let renewed = in_file(&files);
    timeout(Duration::from_secs(10), async {
        while shown(&authority, &acceptor, "a.test").await != renewed {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("nobody looked");
}

#[test]
fn what_cannot_be_used_is_refused_with_its_file() {
    let authority = Authority::new();
    let good = authority.issue("good", &["a.test"]);
    let other = authority.issue("other", &["a.test"]);
    let load = |chain: &std::path::Path, key: &std::path::Path| {
        let files = CertificateFiles { chain: chain.to_owned(), key: key.to_owned() };
        Certificates::load(vec![files]).unwrap_err().to_string()
    };
    assert!(matches!(Certificates::load(vec![]), Err(CertificateFileError::None)));
    assert!(load(&good.chain, &other.key).contains("other.key"));
    assert!(load(&good.key, &good.key).contains("no certificate"));
    assert!(load(&good.chain, &good.chain).contains("no private key"));
    let missing = good.chain.with_file_name("missing.pem");
    assert!(load(&missing, &good.key).contains("missing.pem"));
    let empty = good.chain.with_file_name("empty.pem");
    fs::write(&empty, "").unwrap();
    assert!(load(&empty, &good.key).contains("empty.pem"));
    let key = fs::read_to_string(&good.key).unwrap();
    let secret = key.lines().nth(1).unwrap();
    assert!(!load(&good.key, &good.key).contains(secret));
}

#[tokio::test]
async fn handshakes_and_the_ends_of_certificates_are_counted() {
    let authority = Authority::new();
    let files = authority.issue_with("server", &["a.test"], |parameters| {
        parameters.not_after = rcgen::date_time_ymd(2100, 1, 1);
    });
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let certificates = Certificates::load(vec![files.clone()]).unwrap();
    certificates.report_to(&metrics);
    let acceptor = acceptor_for(certificates).counted(&metrics);
    shown(&authority, &acceptor, "a.test").await;
    let (near, far) = tcp_pair().await;
    drop(near);
    acceptor.accept(far, soon()).await.unwrap_err();

    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "waypost_net_tls_handshakes_total{outcome=\"TLSv1.3\",kind=\"full\"} 1".to_owned(),
        "waypost_net_tls_handshakes_total{outcome=\"closed\",kind=\"failed\"} 1".to_owned(),
        format!(
            "waypost_net_certificate_end_timestamp_seconds{{file=\"{}\"}} 4102444800",
            files.chain.display()
        ),
    ] {
        assert!(text.contains(&line), "{line} in\n{text}");
    }
}
