//! Certificates that clients show: whose are taken, whom they name, and what outlives a resumption.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, SanType, SerialNumber, date_time_ymd,
};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use waypost_net::Stream;
use waypost_net::tls::{
    Acceptor, AcceptorSettings, CertificateFileError, CertificateFiles, CertificateProblem,
    Certificates, ClientCertificateSettings, ClientCertificates, NameField, NoName, TlsError,
    TlsStream,
};

use crate::peer::{self, TLS12, TLS13, Version};
use crate::support::{Authority, soon, tcp_pair};

const NAME: &str = "ann@a.test";
const UPN: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 20, 2, 3];
const EMAIL_ADDRESS: [u64; 7] = [1, 2, 840, 113_549, 1, 9, 1];

/// A server, and the authority of its clients.
struct House {
    server: Authority,
    clients: Authority,
    certificates: Arc<ClientCertificates>,
    acceptor: Acceptor,
}

impl House {
    fn new(change: impl FnOnce(&mut ClientCertificateSettings, &Authority)) -> Self {
        let (server, clients) = (Authority::new(), Authority::new());
        let mut settings = ClientCertificateSettings {
            ca: clients.file(),
            crls: None,
            required: false,
            name_from: Some(NameField::Rfc822Name),
        };
        change(&mut settings, &clients);
        let certificates = ClientCertificates::load(settings).unwrap();
        let acceptor = acceptor(&server, &certificates);
        Self { server, clients, certificates, acceptor }
    }

    /// A client that shows such a certificate, or none.
    fn client(&self, version: Version, files: Option<&CertificateFiles>) -> Arc<ClientConfig> {
        Arc::new(match files {
            Some(files) => peer::client_config_with(&self.server, version, files),
            None => peer::client_config(&self.server, version),
        })
    }

    async fn visit(&self, client: &Arc<ClientConfig>) -> Result<Visit, TlsError> {
        visit(&self.acceptor, client).await
    }
}

fn acceptor(server: &Authority, certificates: &Arc<ClientCertificates>) -> Acceptor {
    let shown = Certificates::load(vec![server.issue("server", &["a.test"])]).unwrap();
    let client_certificates = Some(certificates.clone());
    let settings = AcceptorSettings { client_certificates, ..AcceptorSettings::default() };
    Acceptor::new(shown, settings).unwrap()
}

/// What the server has learnt of a client.
#[derive(Debug, PartialEq, Eq)]
struct Visit {
    resumed: bool,
    name: Option<Result<Arc<str>, NoName>>,
}

fn full(name: &str) -> Visit {
    Visit { resumed: false, name: Some(Ok(name.into())) }
}

fn resumed(name: &str) -> Visit {
    Visit { resumed: true, name: Some(Ok(name.into())) }
}

async fn visit(acceptor: &Acceptor, client: &Arc<ClientConfig>) -> Result<Visit, TlsError> {
    let (near, far) = tcp_pair().await;
    let talking = async {
        let Ok(mut client) = peer::connect(client, "a.test", near).await else { return };
        // The ticket travels with the server's first bytes, or there is an alert.
        let _ = client.write_all(b"a NOOP").await;
        let _ = client.read(&mut [0; 4]).await;
    };
    let serving = async {
        let stream: Box<TlsStream> = acceptor.accept(far, soon()).await?;
        let seen = Visit { resumed: stream.is_resumed(), name: acceptor.certificate_name(&stream) };
        Stream::from(stream).write_all(b"* OK").await?;
        Ok(seen)
    };
    tokio::join!(talking, serving).1
}

/// A certificate with these addresses.
fn addresses(parameters: &mut CertificateParams, addresses: &[&str]) {
    let name = |address: &&str| SanType::Rfc822Name((*address).try_into().unwrap());
    parameters.subject_alt_names = addresses.iter().map(name).collect();
    parameters.distinguished_name = DistinguishedName::new();
}

fn anns(house: &House) -> CertificateFiles {
    house.clients.issue_with("ann", &[], |parameters| addresses(parameters, &[NAME]))
}

#[tokio::test]
async fn a_client_is_who_its_certificate_says() {
    let house = House::new(|_, _| {});
    let ann = anns(&house);
    for version in [TLS12, TLS13] {
        assert_eq!(house.visit(&house.client(version, Some(&ann))).await.unwrap(), full(NAME));
        let nobody = house.visit(&house.client(version, None)).await.unwrap();
        assert_eq!(nobody, Visit { resumed: false, name: None });
    }
}

#[tokio::test]
async fn whoever_is_not_verified_is_nobody() {
    let house = House::new(|_, _| {});
    let others = Authority::new();
    let by_others = others.issue_with("ann", &[], |it| addresses(it, &[NAME]));
    let expired = house.clients.issue_with("old", &[], |it| {
        addresses(it, &[NAME]);
        it.not_after = date_time_ymd(2020, 1, 1);
    });
    let only_server = house.clients.issue_with("server", &[], |it| {
        addresses(it, &[NAME]);
        it.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    for version in [TLS12, TLS13] {
        for (files, problem) in [
            (&by_others, Some(CertificateProblem::UnknownIssuer)),
            (&expired, Some(CertificateProblem::Expired)),
            (&only_server, None),
        ] {
            let error = house.visit(&house.client(version, Some(files))).await.unwrap_err();
            let TlsError::Certificate(found) = error else { panic!("{error}") };
            assert!(problem.is_none_or(|problem| problem == found), "{found}");
        }
    }
}

#[tokio::test]
async fn a_certificate_may_be_required() {
    let house = House::new(|settings, _| settings.required = true);
    let ann = anns(&house);
    for version in [TLS12, TLS13] {
        let client = house.client(version, Some(&ann));
        assert_eq!(house.visit(&client).await.unwrap(), full(NAME));
        assert_eq!(house.visit(&client).await.unwrap(), resumed(NAME));
        let error = house.visit(&house.client(version, None)).await.unwrap_err();
        assert!(matches!(error, TlsError::NoCertificate), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_need_not_name_anybody() {
    let house = House::new(|settings, _| settings.name_from = None);
    let visit = house.visit(&house.client(TLS13, Some(&anns(&house)))).await.unwrap();
    assert_eq!(visit, Visit { resumed: false, name: None });
}

/// A certificate, the field to look into, and the name or what is wrong with it.
type Sample = (NameField, fn(&mut CertificateParams), Result<&'static str, &'static str>);

fn upn(name: &str) -> SanType {
    SanType::OtherName((UPN.to_vec(), name.into()))
}

fn subject(parameters: &mut CertificateParams, kind: DnType, value: DnValue) {
    parameters.distinguished_name.push(kind, value);
}

#[tokio::test]
async fn each_field_names_one_user() {
    let samples: [Sample; 14] = [
        (NameField::Rfc822Name, |it| addresses(it, &[NAME]), Ok(NAME)),
        (NameField::Rfc822Name, |it| addresses(it, &[NAME, NAME]), Ok(NAME)),
        (
            NameField::Rfc822Name,
            |it| addresses(it, &[NAME, "bob@a.test"]),
            Err("it has several different rfc822Name in subjectAltName: ann@a.test, bob@a.test"),
        ),
        (
            NameField::Rfc822Name,
            |it| addresses(it, &["ann@a.test\0@b.test"]),
            Err("its rfc822Name in subjectAltName cannot be a user's name"),
        ),
        (
            NameField::Rfc822Name,
            |it| addresses(it, &[""]),
            Err("its rfc822Name in subjectAltName cannot be a user's name"),
        ),
        // What another field says is not asked.
        (
            NameField::Rfc822Name,
            |it| subject(it, DnType::CommonName, NAME.into()),
            Err("it has no rfc822Name in subjectAltName"),
        ),
        (
            NameField::UserPrincipalName,
            |it| {
                addresses(it, &["somebody@else.test"]);
                it.subject_alt_names.push(upn(NAME));
            },
            Ok(NAME),
        ),
        (
            NameField::UserPrincipalName,
            |it| it.subject_alt_names = vec![upn(NAME), upn("bob@a.test")],
            Err("it has several different user principal name in subjectAltName: ann@a.test, \
                 bob@a.test"),
        ),
        (
            NameField::UserPrincipalName,
            |it| it.subject_alt_names = vec![SanType::OtherName((vec![1, 2, 3], NAME.into()))],
            Err("it has no user principal name in subjectAltName"),
        ),
        (
            NameField::EmailAddress,
            |it| {
                let kind = DnType::CustomDnType(EMAIL_ADDRESS.to_vec());
                subject(it, kind, DnValue::Ia5String(NAME.try_into().unwrap()));
            },
            Ok(NAME),
        ),
        (
            NameField::EmailAddress,
            |it| addresses(it, &[NAME]),
            Err("it has no emailAddress in its subject"),
        ),
        (NameField::CommonName, |it| subject(it, DnType::CommonName, "ann".into()), Ok("ann")),
        (
            NameField::CommonName,
            |it| subject(it, DnType::CommonName, "\u{c4}nn\u{e9}".into()),
            Ok("\u{c4}nn\u{e9}"),
        ),
        // UCS-2 is no text that everybody would read alike.
        (
            NameField::CommonName,
            |it| {
                let name = DnValue::BmpString("ann".try_into().unwrap());
                subject(it, DnType::CommonName, name);
            },
            Err("its commonName in its subject cannot be a user's name"),
        ),
    ];
    for (field, change, expected) in samples {
        let house = House::new(|settings, _| settings.name_from = Some(field));
        let files = house.clients.issue_with("ann", &[], |parameters| {
            parameters.distinguished_name = DistinguishedName::new();
            change(parameters);
        });
        let visit = house.visit(&house.client(TLS13, Some(&files))).await.unwrap();
        let name = visit.name.expect("there is a certificate");
        let found = name.as_deref().map_err(ToString::to_string);
        assert_eq!(found, expected.map_err(str::to_owned), "{field:?}");
    }
}

#[tokio::test]
async fn a_resumed_session_is_the_same_clients() {
    let house = House::new(|_, _| {});
    let ann = anns(&house);
    let bob = house.clients.issue_with("bob", &[], |it| addresses(it, &["bob@a.test"]));
    for version in [TLS12, TLS13] {
        let (first, second) =
            (house.client(version, Some(&ann)), house.client(version, Some(&bob)));
        let nobody = house.client(version, None);
        for round in 0..3 {
            let seen = if round == 0 { full } else { resumed };
            assert_eq!(house.visit(&first).await.unwrap(), seen(NAME));
            assert_eq!(house.visit(&second).await.unwrap(), seen("bob@a.test"));
            let visit = house.visit(&nobody).await.unwrap();
            assert_eq!(visit, Visit { resumed: round > 0, name: None });
        }
    }
}

/// What one listener has verified is no other's word: they trust different authorities.
#[tokio::test]
async fn a_ticket_is_for_one_listener() {
    let house = House::new(|_, _| {});
    let ann = anns(&house);
    let others = Authority::new();
    let settings = ClientCertificateSettings {
        ca: others.file(),
        crls: None,
        required: false,
        name_from: Some(NameField::Rfc822Name),
    };
    let other = acceptor(&house.server, &ClientCertificates::load(settings).unwrap());
    for version in [TLS12, TLS13] {
        let client = house.client(version, Some(&ann));
        assert_eq!(house.visit(&client).await.unwrap(), full(NAME));
        let error = visit(&other, &client).await.unwrap_err();
        let TlsError::Certificate(problem) = error else { panic!("{error}") };
        assert_eq!(problem, CertificateProblem::UnknownIssuer);
    }
}

fn write_list(clients: &Authority, revoked: &[u64], next_year: i32) -> PathBuf {
    let path = clients.file().with_file_name("crls.pem");
    fs::write(&path, clients.revocations(revoked, next_year)).unwrap();
    path
}

#[tokio::test]
async fn who_has_been_revoked_is_refused_and_not_resumed_either() {
    let house = House::new(|settings, clients| {
        settings.crls = Some(write_list(clients, &[], 2100));
    });
    let ann = house.clients.issue_with("ann", &[], |it| {
        addresses(it, &[NAME]);
        it.serial_number = Some(SerialNumber::from(7_u64));
    });
    let bob = house.clients.issue_with("bob", &[], |it| {
        addresses(it, &["bob@a.test"]);
        it.serial_number = Some(SerialNumber::from(8_u64));
    });
    let mut known = Vec::new();
    for version in [TLS12, TLS13] {
        let (ann, bob) = (house.client(version, Some(&ann)), house.client(version, Some(&bob)));
        assert_eq!(house.visit(&ann).await.unwrap(), full(NAME));
        assert_eq!(house.visit(&ann).await.unwrap(), resumed(NAME));
        assert_eq!(house.visit(&bob).await.unwrap(), full("bob@a.test"));
        known.push((ann, bob));
    }
    write_list(&house.clients, &[7, 9, 10, 11], 2100);
    house.certificates.refresh();
    for (known_ann, known_bob) in &known {
        let error = house.visit(known_ann).await.unwrap_err();
        assert!(
            matches!(error, TlsError::Certificate(CertificateProblem::Revoked)),
            "resumed: {error}"
        );
        assert_eq!(house.visit(known_bob).await.unwrap(), resumed("bob@a.test"));
    }
    for version in [TLS12, TLS13] {
        let error = house.visit(&house.client(version, Some(&ann))).await.unwrap_err();
        assert!(matches!(error, TlsError::Certificate(CertificateProblem::Revoked)), "{error}");
    }
    // A list that is not renewed in time says nothing of who has been revoked since.
    write_list(&house.clients, &[], 2021);
    house.certificates.refresh();
    let error = house.visit(&house.client(TLS13, Some(&bob))).await.unwrap_err();
    assert!(matches!(error, TlsError::Certificate(_)), "{error}");
}

#[tokio::test]
async fn authorities_are_read_anew_when_they_change() {
    let house = House::new(|_, _| {});
    let others = Authority::new();
    let ann = anns(&house);
    let bob = others.issue_with("bob", &[], |it| addresses(it, &["bob@a.test"]));
    let client = house.client(TLS13, Some(&ann));
    assert_eq!(house.visit(&client).await.unwrap(), full(NAME));
    // What cannot be used changes nothing.
    let good = fs::read(house.clients.file()).unwrap();
    fs::write(house.clients.file(), "no certificate").unwrap();
    house.certificates.refresh();
    assert_eq!(house.visit(&client).await.unwrap(), resumed(NAME));
    let both = [good, fs::read(others.file()).unwrap()].concat();
    fs::write(house.clients.file(), both).unwrap();
    house.certificates.refresh();
    let visit = house.visit(&house.client(TLS13, Some(&bob))).await.unwrap();
    assert_eq!(visit, full("bob@a.test"));
    fs::copy(others.file(), house.clients.file()).unwrap();
    house.certificates.refresh();
    let error = house.visit(&client).await.unwrap_err();
    assert!(matches!(error, TlsError::Certificate(_)), "{error}");
}

#[test]
fn files_that_are_of_no_use() {
    let clients = Authority::new();
    let settings = |ca: PathBuf, crls| ClientCertificateSettings {
        ca,
        crls,
        required: false,
        name_from: None,
    };
    let nowhere = clients.file().with_file_name("nowhere.pem");
    let of = |settings| ClientCertificates::load(settings).unwrap_err();
    let error = of(settings(nowhere.clone(), None));
    assert!(matches!(error, CertificateFileError::Read { .. }), "{error}");
    let error = of(settings(clients.file(), Some(nowhere)));
    assert!(matches!(error, CertificateFileError::Read { .. }), "{error}");
    let error = of(settings(clients.file(), Some(clients.file())));
    assert!(error.to_string().ends_with("no revocation list in PEM form is in it"), "{error}");
}
