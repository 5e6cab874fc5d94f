use std::sync::Arc;

use thiserror::Error;
use waypost_model::{Address, AddressError, Domain, Lookup, MAX_ADDRESS, Purpose};

/// How login names are read: from the listener and the `[login]` table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginNameRules {
    /// `default-domain` of the listener: what is added to a bare name. None.
    pub default_domain: Option<Domain>,
    /// `master-separator`: splits `user*master`, where `master` authenticates and `user` is routed.
    /// Off.
    pub master_separator: Option<char>,
    /// `authorisation-id`: whether a SASL authorisation identity that differs from the
    /// authentication identity is accepted; the session is routed by it. Off.
    pub authorisation_id: bool,
}

/// Whom a login asks for, and who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginName {
    /// The question for the policies, with the purpose `login`.
    pub lookup: Arc<Lookup>,
    /// Who authenticates, as the client wrote it, where that is not whom the session is for.
    pub authentication_id: Option<Arc<str>>,
}

/// Why a login name is refused before anybody is asked. To the client each is a wrong password.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum LoginNameError {
    /// It cannot be an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The name of who authenticates cannot be one.
    #[error("who authenticates is not a name: {0}")]
    AuthenticationId(AddressError),
    /// An authorisation identity where the configuration does not accept any.
    #[error("an authorisation identity was given, and `authorisation-id` is off")]
    AuthorisationOff,
}

impl LoginNameRules {
    /// Reads the names of a login: the one that authenticates and, from SASL, the one to be
    /// authorised as.
    ///
    /// An authorisation identity that is empty or says the same once more is none
    /// (RFC 4616 section 2).
    pub fn read(
        &self,
        authentication_id: &str,
        authorisation_id: Option<&str>,
    ) -> Result<LoginName, LoginNameError> {
        let authorisation_id =
            authorisation_id.filter(|id| !id.is_empty() && *id != authentication_id);
        if let Some(user) = authorisation_id {
            if !self.authorisation_id {
                return Err(LoginNameError::AuthorisationOff);
            }
            return self.on_behalf(user, authentication_id);
        }
        let split = self.master_separator.and_then(|at| authentication_id.split_once(at));
        match split {
            Some((user, master)) => self.on_behalf(user, master),
            None => self.login_name(authentication_id, None),
        }
    }

    fn on_behalf(&self, user: &str, master: &str) -> Result<LoginName, LoginNameError> {
        check_name(master).map_err(LoginNameError::AuthenticationId)?;
        self.login_name(user, Some(Arc::from(master)))
    }

    fn login_name(
        &self,
        user: &str,
        authentication_id: Option<Arc<str>>,
    ) -> Result<LoginName, LoginNameError> {
        let address = Address::new(user, self.default_domain.as_ref())?;
        let lookup = Arc::new(Lookup { purpose: Purpose::Login, address });
        Ok(LoginName { lookup, authentication_id })
    }
}

/// Who authenticates need not be an address, but it travels to policies and back ends.
fn check_name(name: &str) -> Result<(), AddressError> {
    if name.is_empty() {
        return Err(AddressError::Empty);
    }
    if name.len() > MAX_ADDRESS {
        return Err(AddressError::TooLong);
    }
    if name.chars().any(char::is_control) {
        return Err(AddressError::Control);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waypost_model::{AddressError, Domain, Purpose};

    use super::{LoginNameError, LoginNameRules};

    fn rules() -> LoginNameRules {
        LoginNameRules {
            default_domain: Some(Domain::new("example.test").unwrap()),
            master_separator: Some('*'),
            authorisation_id: true,
        }
    }

    /// Whom the session is for and who authenticates.
    #[track_caller]
    fn read(rules: &LoginNameRules, name: &str, authorisation_id: &str) -> (String, String) {
        let login = rules.read(name, Some(authorisation_id)).unwrap();
        assert_eq!(login.lookup.purpose, Purpose::Login);
        let master = login.authentication_id.as_deref().unwrap_or("-");
        (login.lookup.address.as_str().to_owned(), master.to_owned())
    }

    #[test]
    fn a_bare_name_gets_the_default_domain_of_the_listener() {
        assert_eq!(read(&rules(), "user1", ""), ("user1@example.test".into(), "-".into()));
        let none = LoginNameRules::default();
        assert_eq!(none.read("user1", None), Err(AddressError::NoDomain.into()));
    }

    #[test]
    fn the_master_separator_splits_user_and_master() {
        let rules = rules();
        assert_eq!(read(&rules, "user1*root", ""), ("user1@example.test".into(), "root".into()));
        assert_eq!(read(&rules, "u@a.test*r@b.test", ""), ("u@a.test".into(), "r@b.test".into()));
        assert_eq!(read(&rules, "u*a*b", ""), ("u@example.test".into(), "a*b".into()));
        assert_eq!(rules.read("*root", None), Err(AddressError::Empty.into()));
        let no_master = Err(LoginNameError::AuthenticationId(AddressError::Empty));
        assert_eq!(rules.read("user1*", None), no_master);
    }

    #[test]
    fn without_a_master_separator_nothing_is_split() {
        let rules = LoginNameRules { master_separator: None, ..rules() };
        assert_eq!(read(&rules, "u*root", ""), ("u*root@example.test".into(), "-".into()));
    }

    #[test]
    fn an_authorisation_identity_is_routed_where_it_is_switched_on() {
        assert_eq!(read(&rules(), "root", "user1"), ("user1@example.test".into(), "root".into()));
        let off = LoginNameRules { authorisation_id: false, ..rules() };
        assert_eq!(off.read("root", Some("user1")), Err(LoginNameError::AuthorisationOff));
    }

    #[test]
    fn an_authorisation_identity_that_says_nothing_new_is_none() {
        let off = LoginNameRules { authorisation_id: false, ..rules() };
        assert_eq!(read(&off, "user1", ""), ("user1@example.test".into(), "-".into()));
        assert_eq!(read(&off, "user1", "user1"), ("user1@example.test".into(), "-".into()));
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        let rules = rules();
        assert_eq!(rules.read("u\r\n", None), Err(AddressError::Control.into()));
        let control = Err(LoginNameError::AuthenticationId(AddressError::Control));
        assert_eq!(rules.read("u*\0", None), control);
        assert_eq!(rules.read("r\0", Some("u")), control);
        let long = "x".repeat(10_000);
        assert!(rules.read(&format!("u*{long}"), None).is_err());
        assert!(rules.read(&long, None).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics_and_no_control_character_passes(
            name in any::<String>(), authorisation_id in any::<Option<String>>()
        ) {
            if let Ok(login) = rules().read(&name, authorisation_id.as_deref()) {
                prop_assert!(!login.lookup.address.as_str().contains(char::is_control));
                let id = login.authentication_id.unwrap_or_default();
                prop_assert!(!id.contains(char::is_control));
            }
        }
    }
}
