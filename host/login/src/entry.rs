//! With what a session enters a back end, once the front has verified who the client is.

use std::borrow::Cow;

use waypost_model::Secret;
use waypost_net::backend::{Entry, MasterForm};
use waypost_wire::login::{Credential, Mechanism};

/// What is said to the back end: whose name and password.
pub(crate) struct Key<'a> {
    pub(crate) credential: Cow<'a, Credential>,
    /// The name to log in with, where it is not the credential's own.
    pub(crate) identity: Option<&'a str>,
}

/// Why a back end cannot be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoEntry {
    /// The back end would let in whoever the front sends, and the front does not know who that is.
    #[error(
        "its `enter` lets in whom the front has verified, and the policy leaves that to the back end"
    )]
    NotVerified,
    /// SCRAM, where the route passes on another name than the client's.
    #[error("SCRAM proves the name too, and the policy passes on another than the client's")]
    AnotherName,
    /// EXTERNAL, where the client's own password is passed on, and there is none.
    #[error(
        "who logs in with a certificate has no password to pass on; set `enter` of [backend] with \
         \"master-user\" or \"password\""
    )]
    NoPassword,
    /// The front has verified somebody in another's name.
    #[error("its `enter` has no way for somebody who logs in in another's name")]
    OnBehalf,
}

/// Chooses what is said to a back end. `verified`: whether the front knows who the client is;
/// `clear`: the client's password, where it has shown a digest of it.
pub(crate) fn key<'a>(
    entry: &Entry,
    credential: &'a Credential,
    identity: Option<&'a str>,
    verified: bool,
    clear: Option<&Secret>,
) -> Result<Key<'a>, NoEntry> {
    match (entry, credential, clear) {
        // The proofs are over the name as well.
        (Entry::Client, Credential::Token { mechanism, user, .. }, _) if mechanism.is_scram() => {
            return match identity {
                Some(other) if other != user => Err(NoEntry::AnotherName),
                _ => Ok(Key { credential: Cow::Borrowed(credential), identity: None }),
            };
        }
        // The client's own password, of which it has shown a digest.
        (Entry::Client, Credential::Digest { user, .. }, Some(password)) => {
            let credential = with_password(user, password);
            return Ok(Key { credential: Cow::Owned(credential), identity });
        }
        (Entry::Client, Credential::Certificate { .. }, _) => return Err(NoEntry::NoPassword),
        (Entry::Client, ..) => return Ok(Key { credential: Cow::Borrowed(credential), identity }),
        _ => {}
    }
    if !verified {
        return Err(NoEntry::NotVerified);
    }
    if credential.authentication_id().is_some() {
        return Err(NoEntry::OnBehalf);
    }
    let user = identity.unwrap_or_else(|| credential.name());
    let credential = match entry {
        Entry::Client => return Err(NoEntry::NotVerified),
        Entry::Password(password) => with_password(user, password),
        Entry::Master(master) => match master.form {
            MasterForm::AuthorisationId => Credential::Password {
                mechanism: Some(Mechanism::Plain),
                authentication_id: master.name.clone(),
                authorisation_id: Some(user.to_owned()),
                password: master.password.clone(),
            },
            MasterForm::Separator(separator) => {
                with_password(&format!("{user}{separator}{}", master.name), &master.password)
            }
        },
    };
    Ok(Key { credential: Cow::Owned(credential), identity: None })
}

fn with_password(user: &str, password: &Secret) -> Credential {
    Credential::Password {
        mechanism: None,
        authentication_id: user.to_owned(),
        authorisation_id: None,
        password: password.clone(),
    }
}

#[cfg(test)]
mod tests {
    use waypost_model::Secret;
    use waypost_net::backend::{Entry, MasterForm, MasterUser};
    use waypost_wire::login::{Credential, Mechanism};

    use super::{NoEntry, key};

    fn clients() -> Credential {
        Credential::Password {
            mechanism: Some(Mechanism::Login),
            authentication_id: "ann".into(),
            authorisation_id: None,
            password: "own".into(),
        }
    }

    fn master(form: MasterForm) -> Entry {
        Entry::Master(MasterUser { name: "root".into(), password: "master".into(), form })
    }

    /// Whose password is said, in whose name, and what it is.
    fn said(entry: &Entry, identity: Option<&str>) -> (String, String, String) {
        let clients = clients();
        let key = key(entry, &clients, identity, true, None).unwrap();
        assert!(key.identity.is_none() || *entry == Entry::Client);
        let name = key.identity.unwrap_or_else(|| key.credential.name()).to_owned();
        let password = key.credential.password().map(Secret::expose).unwrap_or_default();
        let password = String::from_utf8_lossy(password).into_owned();
        (key.credential.authentication_id().unwrap_or("-").to_owned(), name, password)
    }

    #[test]
    fn each_way_in() {
        let strings = |(a, b, c): (&str, &str, &str)| (a.into(), b.into(), c.into());
        let by_id = master(MasterForm::AuthorisationId);
        let by_name = master(MasterForm::Separator('*'));
        let own = Entry::Password("shared".into());
        for (entry, identity, expected) in [
            (&Entry::Client, None, ("-", "ann", "own")),
            (&Entry::Client, Some("ann@a.test"), ("-", "ann@a.test", "own")),
            (&by_id, None, ("root", "ann", "master")),
            (&by_id, Some("ann@a.test"), ("root", "ann@a.test", "master")),
            (&by_name, None, ("-", "ann*root", "master")),
            (&by_name, Some("ann@a.test"), ("-", "ann@a.test*root", "master")),
            (&own, None, ("-", "ann", "shared")),
            (&own, Some("ann@a.test"), ("-", "ann@a.test", "shared")),
        ] {
            assert_eq!(said(entry, identity), strings(expected), "{entry:?} {identity:?}");
        }
    }

    #[test]
    fn nobody_enters_unverified() {
        let clients = clients();
        for entry in [master(MasterForm::AuthorisationId), Entry::Password("shared".into())] {
            assert_eq!(key(&entry, &clients, None, false, None).err(), Some(NoEntry::NotVerified));
        }
        assert!(key(&Entry::Client, &clients, None, false, None).is_ok());
    }

    /// Whoever has shown a digest enters with the password that the directory has.
    #[test]
    fn a_digest_becomes_the_password() {
        let digest = Credential::Digest {
            mechanism: Some(Mechanism::CramMd5),
            user: "ann".into(),
            challenge: "<c>".into(),
            digest: [0; 16],
        };
        let clear = Secret::from("own");
        let found = key(&Entry::Client, &digest, Some("ann@a.test"), true, Some(&clear)).unwrap();
        assert_eq!(found.credential.password(), Some(&clear));
        assert_eq!(found.identity, Some("ann@a.test"));
        let by_password =
            key(&Entry::Password("shared".into()), &digest, None, true, None).unwrap();
        assert_eq!(by_password.credential.password(), Some(&Secret::from("shared")));
    }
    /// A certificate lets in by what the back end gives to Waypost, and by nothing else.
    #[test]
    fn a_certificate_has_no_password_to_pass_on() {
        let certificate = Credential::Certificate { name: "ann".into() };
        let enter = |entry: &Entry| {
            key(entry, &certificate, None, true, None).map(|key| key.credential.into_owned())
        };
        assert_eq!(enter(&Entry::Client), Err(NoEntry::NoPassword));
        let master = enter(&master(MasterForm::AuthorisationId)).unwrap();
        assert_eq!((master.name(), master.authentication_id()), ("ann", Some("root")));
        let own = enter(&Entry::Password("shared".into())).unwrap();
        assert_eq!((own.name(), own.password()), ("ann", Some(&Secret::from("shared"))));
    }
}
