//! Encryption and logging in, with a real slapd.

use std::time::Duration;

use waypost_directory::{Bind, LdapDirectory, LdapSettings, Metrics, SettingsError, TlsSettings};
use waypost_model::Secret;

use crate::support::certificates::Certificates;
use crate::support::slapd::{ADMIN, ADMIN_PASSWORD};
use crate::support::{PEOPLE, finding, ldap, look_up, settings, slapd};

/// Nobody but those named sees anything.
fn only(who: &str) -> String {
    format!("access to * by {who} read by * none\n")
}

fn simple(password: &str) -> Bind {
    Bind::Simple { dn: ADMIN.to_owned(), password: Secret::from(password) }
}

fn with_ca(mut settings: LdapSettings, certificates: &Certificates) -> LdapSettings {
    settings.tls.ca = Some(certificates.ca.clone());
    settings
}

#[tokio::test]
async fn starttls_and_ldaps_with_a_private_authority() {
    let certificates = Certificates::new();
    let slapd =
        slapd::with(PEOPLE).global("security ssf=128\n").tls(certificates.folder.path()).start();

    let implicit = with_ca(settings(&[slapd.ldaps_url("localhost")]), &certificates);
    let directory = ldap(implicit.clone());
    assert_eq!(look_up(&directory).await.unwrap().entries.len(), 1);
    let found = finding(&directory).await.unwrap();
    assert!(found.starts_with("connected over TLSv1_3, anonymous, "), "{found}");

    let mut upgraded = with_ca(settings(&[slapd.named_url("localhost")]), &certificates);
    upgraded.tls.starttls = true;
    let directory = ldap(upgraded.clone());
    assert_eq!(look_up(&directory).await.unwrap().entries.len(), 1);

    // The server wants encryption, so it was encryption that made these work.
    let clear = ldap(LdapSettings { tls: TlsSettings::default(), ..upgraded.clone() });
    assert!(look_up(&clear).await.is_err());

    // A certificate for another name, or from an authority that nobody trusts.
    let by_address = with_ca(settings(&[slapd.ldaps_url("127.0.0.1")]), &certificates);
    let error = finding(&ldap(by_address.clone())).await.unwrap_err();
    assert!(error.contains("use the name in the URL"), "{error}");
    let strangers = with_ca(upgraded, &Certificates::new());
    let directory = ldap(strangers);
    let error = finding(&directory).await.unwrap_err();
    assert!(error.contains("configure the CA that issued it"), "{error}");
    assert!(look_up(&directory).await.is_err());

    // Where the operator does not want to know.
    let mut anybody = by_address;
    anybody.tls = TlsSettings { verify: false, ..TlsSettings::default() };
    assert_eq!(look_up(&ldap(anybody)).await.unwrap().entries.len(), 1);

    // TLS spoken to a port that does not, and the other way round.
    let wrong = slapd.named_url("localhost").replace("ldap:", "ldaps:");
    assert!(finding(&ldap(with_ca(settings(&[wrong]), &certificates))).await.is_err());
    let wrong = slapd.ldaps_url("localhost").replace("ldaps:", "ldap:");
    assert!(finding(&ldap(settings(&[wrong]))).await.is_err());
}

#[tokio::test]
async fn there_is_no_going_on_without_starttls() {
    let slapd = slapd::with(PEOPLE).start();
    let mut settings = settings(&[slapd.named_url("localhost")]);
    settings.tls = TlsSettings { starttls: true, verify: false, ..TlsSettings::default() };
    settings.bind = simple(ADMIN_PASSWORD);
    let directory = ldap(settings);
    let error = finding(&directory).await.unwrap_err();
    assert!(error.contains("the server refuses StartTLS"), "{error}");
    assert!(look_up(&directory).await.is_err());
    assert!(!slapd.log().contains("BIND"), "the password went over the wire: {}", slapd.log());
}

#[tokio::test]
async fn simple_binds() {
    let slapd = slapd::with(PEOPLE).database(&only(&format!("dn.exact={ADMIN:?}"))).start();
    let anonymous = settings(&[slapd.url()]);
    assert!(look_up(&ldap(anonymous.clone())).await.unwrap().entries.is_empty());
    let error = finding(&ldap(anonymous.clone())).await.unwrap_err();
    assert!(error.contains("is not there or may not be seen"), "{error}");

    let right = LdapSettings { bind: simple(ADMIN_PASSWORD), ..anonymous.clone() };
    let directory = ldap(right);
    assert_eq!(look_up(&directory).await.unwrap().entries.len(), 1);
    let found = finding(&directory).await.unwrap();
    assert!(found.contains("logged in as \"cn=admin,dc=example,dc=test\""), "{found}");

    let wrong = LdapSettings { bind: simple("another's"), ..anonymous };
    let directory = ldap(wrong.clone());
    let error = finding(&directory).await.unwrap_err();
    let expected = "invalidCredentials (49): check the bind DN and the bind password";
    assert!(error.contains(expected), "{error}");
    let error = look_up(&directory).await.unwrap_err();
    assert_eq!(error.kind(), "unavailable");
    assert!(error.to_string().contains(expected), "{error}");
    assert!(!format!("{wrong:?} {error}").contains("another's"));
    // Nobody tries a wrong password again and again: one attempt by each connection, and the
    // probe's.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(slapd.log().matches("err=49").count(), 3);
}

#[tokio::test]
async fn external_over_a_socket() {
    let me = format!(
        "dn.exact=\"gidNumber={}+uidNumber={},cn=peercred,cn=external,cn=auth\"",
        rustix::process::getgid().as_raw(),
        rustix::process::getuid().as_raw()
    );
    let slapd = slapd::with(PEOPLE).database(&only(&me)).start();
    let mut settings = settings(&[slapd.ldapi_url()]);
    assert!(look_up(&ldap(settings.clone())).await.unwrap().entries.is_empty());
    settings.bind = Bind::External;
    let directory = ldap(settings.clone());
    assert_eq!(look_up(&directory).await.unwrap().entries.len(), 1);
    let found = finding(&directory).await.unwrap();
    assert!(found.starts_with("connected over a local socket, logged in by EXTERNAL"), "{found}");

    // Over TCP without a certificate nothing external is known.
    settings.urls = vec![slapd.url().parse().unwrap()];
    let error = finding(&ldap(settings)).await.unwrap_err();
    assert!(error.contains("EXTERNAL works over ldapi:// or with a client certificate"), "{error}");
}

#[tokio::test]
async fn external_with_a_certificate() {
    let certificates = Certificates::new();
    let slapd = slapd::with(PEOPLE)
        .global("TLSVerifyClient try\n")
        .tls(certificates.folder.path())
        .database(&only("dn.exact=\"cn=waypost\""))
        .start();
    let mut settings = with_ca(settings(&[slapd.ldaps_url("localhost")]), &certificates);
    settings.bind = Bind::External;
    settings.tls.identity = Some(certificates.client("waypost"));
    assert_eq!(look_up(&ldap(settings.clone())).await.unwrap().entries.len(), 1);
    settings.tls.identity = Some(certificates.client("somebody else"));
    assert!(look_up(&ldap(settings)).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let refused = |change: &dyn Fn(&mut LdapSettings)| {
        let mut settings = settings(&["ldaps://ldap.example.test".to_owned()]);
        change(&mut settings);
        LdapDirectory::new(settings, &Metrics::default()).err().unwrap()
    };
    assert_eq!(refused(&|s| s.urls.clear()), SettingsError::NoUrl);
    assert_eq!(refused(&|s| s.connections = 0), SettingsError::Zero("connections"));
    assert_eq!(refused(&|s| s.bind = simple("")), SettingsError::EmptyPassword);
    let nameless = |dn: &str| Bind::Simple { dn: dn.to_owned(), password: Secret::from("x") };
    assert_eq!(refused(&|s| s.bind = nameless("")), SettingsError::NoBindDn);
    assert!(matches!(refused(&|s| s.bind = nameless("admin")), SettingsError::BindDn(_)));
    assert!(matches!(refused(&|s| s.base = "example.test".into()), SettingsError::Base(_)));
    let field = |s: &mut LdapSettings| s.password_field = Some("*".into());
    assert_eq!(refused(&field), SettingsError::PasswordField("*".into()));
    for ca in [&b""[..], b"not PEM"] {
        assert!(matches!(refused(&|s| s.tls.ca = Some(ca.into())), SettingsError::Ca(_)));
    }
    let mut broken = Certificates::new().client("waypost");
    broken.key = Secret::from("not a key");
    let identity = |s: &mut LdapSettings| {
        s.tls.verify = false;
        s.tls.identity = Some(broken.clone());
    };
    assert!(matches!(refused(&identity), SettingsError::Identity(_)));
}
