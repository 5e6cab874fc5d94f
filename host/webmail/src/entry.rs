//! With what a request enters a back end: whose name and password it brings there.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::HeaderValue;
use waypost_model::Secret;
use waypost_net::backend::{Entry, MasterForm};

use crate::basic::Basic;
use crate::form::{Replacement, Unwritable};
use crate::reception::Visit;
use crate::visitor::FormLogin;

/// A login on its way to the targets of one route.
pub(crate) struct Login<'a> {
    pub(crate) visit: &'a Visit,
    /// The name to log in with, where the policy gives another than the client's.
    pub(crate) identity: Option<Cow<'a, str>>,
    /// Whether the front has found the password right.
    pub(crate) is_verified: bool,
}

/// What one back end gets in the place of what the client has sent.
#[derive(Debug, Default)]
pub(crate) struct Key {
    /// The credentials in the head.
    pub(crate) authorization: Option<HeaderValue>,
    /// The body.
    pub(crate) form: Option<Bytes>,
}

/// Why a back end cannot be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoEntry {
    /// The back end would let in whoever the front sends, and the front does not know who that is.
    #[error(
        "its `enter` lets in whom the front has verified, and the policy leaves that to the back end"
    )]
    NotVerified,
    /// HTTP has one name, not two.
    #[error(
        "its `enter` names a master user by authorisation-id, which webmail has not: say by = \"separator\""
    )]
    AuthorisationId,
    /// The name and the password cannot be written as Basic credentials.
    #[error("the name or the password to enter with cannot stand in Basic credentials")]
    Basic,
    /// Nor as a form.
    #[error("{0}")]
    Form(#[from] Unwritable),
}

impl Login<'_> {
    /// What to say to a back end that is entered so. What the front has checked is written anew,
    /// even where nothing in it changes.
    pub(crate) fn key(&self, entry: &Entry) -> Result<Key, NoEntry> {
        match self.visit {
            Visit::Cookie { .. } => Ok(Key::default()),
            // As programs send it, request by request.
            Visit::Basic(_) if *entry == Entry::Client && self.identity.is_none() => {
                Ok(Key::default())
            }
            Visit::Basic(basic) => {
                let own_name = basic.login_name();
                basic_key(basic, &self.said(entry, &own_name)?)
            }
            Visit::Form(form) => form_key(form, &self.said(entry, &form.user)?, self.is_verified),
        }
    }

    /// Whose name and password are said, where not the client's own. `own_name`: the client's, as it
    /// was read.
    fn said<'a>(&'a self, entry: &'a Entry, own_name: &'a str) -> Result<Said<'a>, NoEntry> {
        let identity = self.identity.as_deref();
        if *entry == Entry::Client {
            return Ok(Said { name: identity.map(Cow::Borrowed), password: None });
        }
        if !self.is_verified {
            return Err(NoEntry::NotVerified);
        }
        // The name that was read, not the client's own spelling of it, which may be read otherwise.
        let user = identity.unwrap_or(own_name);
        match entry {
            Entry::Client => Err(NoEntry::NotVerified),
            Entry::Password(password) => {
                Ok(Said { name: Some(Cow::Borrowed(user)), password: Some(password) })
            }
            Entry::Master(master) => match master.form {
                MasterForm::AuthorisationId => Err(NoEntry::AuthorisationId),
                MasterForm::Separator(separator) => {
                    let name = format!("{user}{separator}{}", master.name);
                    Ok(Said { name: Some(Cow::Owned(name)), password: Some(&master.password) })
                }
            },
        }
    }
}

/// What is said in the place of the client's name and password.
struct Said<'a> {
    name: Option<Cow<'a, str>>,
    password: Option<&'a Secret>,
}

fn basic_key(basic: &Basic, said: &Said<'_>) -> Result<Key, NoEntry> {
    if said.name.is_none() && said.password.is_none() {
        return Ok(Key::default());
    }
    let name = said.name.as_deref().unwrap_or(&basic.user);
    let password = said.password.unwrap_or(&basic.password);
    let authorization = Basic::field(name, password).ok_or(NoEntry::Basic)?;
    Ok(Key { authorization: Some(authorization), form: None })
}

fn form_key(form: &FormLogin, said: &Said<'_>, is_verified: bool) -> Result<Key, NoEntry> {
    if said.name.is_none() && said.password.is_none() && !is_verified {
        return Ok(Key::default());
    }
    let name = said.name.as_deref().map(Secret::from);
    let name = name.as_ref().map(|text| Replacement { name: &form.rule.user, text });
    let field = form.rule.password.as_deref();
    let password = field.zip(said.password).map(|(name, text)| Replacement { name, text });
    let replacements: Vec<Replacement<'_>> = name.into_iter().chain(password).collect();
    let written = form.fields.write(&form.kind, &replacements)?;
    // Overwritten when the last piece of it has gone out.
    Ok(Key { authorization: None, form: Some(Bytes::from_owner(written)) })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use bytes::Bytes;
    use http::HeaderMap;
    use waypost_model::Secret;
    use waypost_net::backend::{Entry, MasterForm, MasterUser};

    use super::{Login, NoEntry};
    use crate::basic::Basic;
    use crate::form::{FailedAnswer, Fields, FormRule, Kind};
    use crate::reception::Visit;
    use crate::visitor::FormLogin;

    fn basic(user: &str) -> Visit {
        Visit::Basic(Basic { user: user.into(), password: Secret::from("own") })
    }

    async fn form() -> Visit {
        let (kind, sent) = (Kind::Urlencoded, Bytes::from_static(b"t=;&u=ann&p=own"));
        let rule = FormRule {
            place: None,
            user: "u".into(),
            password: Some("p".into()),
            failed: FailedAnswer::default(),
        };
        let fields = Fields::read(&kind, &sent).await.unwrap();
        let (user, password) = ("ann".into(), Some(Secret::from("own")));
        Visit::Form(Box::new(FormLogin { user, password, kind, fields, rule }))
    }

    fn master(form: MasterForm) -> Entry {
        Entry::Master(MasterUser { name: "root".into(), password: "master".into(), form })
    }

    /// What is put in the place of what the client has sent: `-` for nothing.
    fn said(
        visit: &Visit,
        entry: &Entry,
        identity: Option<&str>,
        is_verified: bool,
    ) -> Result<String, NoEntry> {
        let login = Login { visit, identity: identity.map(Cow::Borrowed), is_verified };
        let key = login.key(entry)?;
        let basic = key.authorization.map(|field| {
            let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, field)]);
            let Basic { user, password } = Basic::read(&headers).unwrap().unwrap();
            format!("{user}:{}", String::from_utf8_lossy(password.expose()))
        });
        let form = key.form.map(|form| String::from_utf8_lossy(&form).into_owned());
        Ok(basic.or(form).unwrap_or_else(|| "-".to_owned()))
    }

    #[tokio::test]
    async fn each_way_in() {
        let by_name = master(MasterForm::Separator('*'));
        let own = Entry::Password("shared".into());
        for (entry, identity, by_basic, by_form) in [
            (&Entry::Client, None, "-", "t=%3B&u=ann&p=own"),
            (&Entry::Client, Some("a.n"), "a.n:own", "t=%3B&u=a.n&p=own"),
            (&by_name, None, "ann*root:master", "t=%3B&u=ann*root&p=master"),
            (&by_name, Some("a.n"), "a.n*root:master", "t=%3B&u=a.n*root&p=master"),
            (&own, None, "ann:shared", "t=%3B&u=ann&p=shared"),
            (&own, Some("a.n"), "a.n:shared", "t=%3B&u=a.n&p=shared"),
        ] {
            let basic = said(&basic("ann"), entry, identity, true);
            assert_eq!(basic.as_deref(), Ok(by_basic), "{entry:?}");
            let form = said(&form().await, entry, identity, true);
            assert_eq!(form.as_deref(), Ok(by_form), "{entry:?}");
        }
        let windows = said(&basic("EXAMPLE\\ann"), &own, None, true);
        assert_eq!(windows.as_deref(), Ok("ann:shared"), "as it was read");
    }

    #[tokio::test]
    async fn what_nobody_has_checked_goes_on_as_it_is() {
        for (identity, by_basic, by_form) in
            [(None, "-", "-"), (Some("a.n"), "a.n:own", "t=%3B&u=a.n&p=own")]
        {
            let basic = said(&basic("ann"), &Entry::Client, identity, false);
            assert_eq!(basic.as_deref(), Ok(by_basic));
            let form = said(&form().await, &Entry::Client, identity, false);
            assert_eq!(form.as_deref(), Ok(by_form));
        }
        for entry in [master(MasterForm::Separator('*')), Entry::Password("shared".into())] {
            for visit in [basic("ann"), form().await] {
                assert_eq!(said(&visit, &entry, None, false), Err(NoEntry::NotVerified));
            }
        }
    }

    #[tokio::test]
    async fn what_http_cannot_say_is_not_said() {
        let entry = master(MasterForm::AuthorisationId);
        assert_eq!(said(&basic("ann"), &entry, None, true), Err(NoEntry::AuthorisationId));
        let own = Entry::Password("shared".into());
        assert_eq!(said(&basic("ann"), &own, Some("a:b"), true), Err(NoEntry::Basic));
        let cookie = Visit::Cookie { leaves: false };
        assert_eq!(said(&cookie, &own, None, true).as_deref(), Ok("-"), "it logs nobody in");
    }
}
