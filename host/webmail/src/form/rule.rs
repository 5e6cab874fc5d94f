use http::header::{HeaderMap, LOCATION};
use http::{Method, StatusCode};
use url::Url;
use waypost_model::Secret;

use super::fields::is_named;
use super::{Fields, FormError};
use crate::place::Place;

/// A login form of the back ends' webmail: an entry of `login-forms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormRule {
    /// Where it is sent, with what must stand in the query or in the form itself; `None` for a form
    /// that is a login wherever it goes.
    pub place: Option<Place>,
    /// The field with the user's name.
    pub user: String,
    /// The field with the password: without it the form is another one. Where there is none, the
    /// front cannot check passwords.
    pub password: Option<String>,
    /// How a back end's answer looks that has not let the user in.
    pub failed: FailedAnswer,
}

/// How the answer to a login form looks that has failed; with nothing in it nobody can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedAnswer {
    /// `failed-status`: its status.
    pub status: Option<u16>,
    /// `failed-location`: where it sends the browser.
    pub location: Option<Place>,
}

impl FormRule {
    /// Whether a request may bring this form, as far as its head says.
    pub fn is_for(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && self.place.as_ref().is_none_or(|place| place.is_path(path))
    }

    /// Who logs in with it; `None` if it is another form. `query` is that of its request.
    ///
    /// # Errors
    /// [`FormError::Twice`] where the form names two, or where what says who logs in may be read in
    /// two ways.
    pub fn user(&self, fields: &Fields, query: Option<&str>) -> Result<Option<String>, FormError> {
        let is_here = |place: &Place| place.has_all(query, |name, text| fields.says(name, text));
        if !self.place.as_ref().is_none_or(is_here) {
            return Ok(None);
        }
        if self.password.as_ref().is_some_and(|password| !fields.may_have(password)) {
            return Ok(None);
        }
        let user = fields.only(&self.user)?.map(str::trim).filter(|user| !user.is_empty());
        let Some(user) = user else { return self.check_nobody(query) };
        if fields.is_doubtful() {
            return Err(FormError::Malformed);
        }
        self.check_query(query, user)?;
        Ok(Some(user.to_owned()))
    }

    /// What tells this form from others, by which one is known that is too long to be read.
    pub fn mark(&self) -> &str {
        self.password.as_deref().unwrap_or(&self.user)
    }

    /// The password in it; `None` where no field is known to hold it.
    ///
    /// # Errors
    /// [`FormError::Twice`] where there are two, or something else by its name.
    pub fn password(&self, fields: &Fields) -> Result<Option<Secret>, FormError> {
        let Some(name) = &self.password else { return Ok(None) };
        match fields.only(name)? {
            Some(password) => Ok(Some(Secret::from(password))),
            // A number, which some read as a text.
            None if fields.may_have(name) => Err(FormError::Twice),
            None => Ok(None),
        }
    }

    /// Looks whether the query of the form's request says who logs in, too, and says something else:
    /// there are back ends to which fields and parameters are the same.
    ///
    /// # Errors
    /// [`FormError::Twice`] then.
    fn check_query(&self, query: Option<&str>, user: &str) -> Result<(), FormError> {
        let mut parameters = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let is_another = parameters.any(|(name, value)| {
            (is_named(&name, &self.user) && value.trim() != user)
                || self.password.as_ref().is_some_and(|password| is_named(&name, password))
        });
        if is_another { Err(FormError::Twice) } else { Ok(()) }
    }

    /// A form with a password and without a user is no login, unless the query has the user.
    fn check_nobody(&self, query: Option<&str>) -> Result<Option<String>, FormError> {
        let mut parameters = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        match self.password.is_some() && parameters.any(|(name, _)| is_named(&name, &self.user)) {
            true => Err(FormError::Twice),
            false => Ok(None),
        }
    }

    /// Whether a query has what may be taken for this form's password.
    pub fn is_password_in(&self, query: &str) -> bool {
        let Some(password) = &self.password else { return false };
        form_urlencoded::parse(query.as_bytes()).any(|(name, _)| is_named(&name, password))
    }
}

impl FailedAnswer {
    /// Whether this is such an answer.
    pub fn is(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        self.status == Some(status.as_u16())
            || self.location.as_ref().is_some_and(|place| {
                let location = headers.get(LOCATION).and_then(|field| field.to_str().ok());
                status.is_redirection() && location.is_some_and(|it| leads_to(it, place))
            })
    }
}

/// Whichever host it names: a back end may not know how it is called here.
fn leads_to(location: &str, place: &Place) -> bool {
    let Ok(here) = Url::parse("https://here.invalid/") else { return false };
    here.join(location).is_ok_and(|there| place.is(there.path(), there.query()))
}
