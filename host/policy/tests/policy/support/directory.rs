//! Directories for the tests.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use waypost_directory::{
    Directory, FaultyDirectory, Grant, LdifDirectory, LdifSettings, LdifSource, Metrics,
};
use waypost_policy::GrantedDirectory;

/// Two users, one with a password.
const LDIF: &str = "\
dn: dc=example,dc=test
objectClass: domain
dc: example

dn: uid=user,dc=example,dc=test
objectClass: inetOrgPerson
uid: user
mail: user@example.test
mailHost: north.example.test
userPassword: secret

dn: uid=twin1,dc=example,dc=test
objectClass: inetOrgPerson
uid: twin1
mail: twin@example.test

dn: uid=twin2,dc=example,dc=test
objectClass: inetOrgPerson
uid: twin2
mail: twin@example.test
";

/// The directory `main` of two users, of which `uid`, `mail` and `mailHost` are granted, and the
/// handle that makes it fail.
pub(crate) fn directory() -> (GrantedDirectory, FaultyDirectory) {
    let mut settings = LdifSettings::new("main", LdifSource::Content(Arc::from(LDIF.as_bytes())));
    settings.password_field = Some("userPassword".into());
    let metrics = Metrics::register(&mut Registry::default());
    let ldif = Directory::Ldif(LdifDirectory::load(settings, &metrics).unwrap());
    let grant = Grant::new(["uid", "mail", "mailHost"], ldif.secret_attributes()).unwrap();
    let faulty = FaultyDirectory::new(ldif);
    (GrantedDirectory { directory: Directory::Faulty(faulty.clone()), grant }, faulty)
}
