use http::header::{HeaderMap, LOCATION};
use http::{Method, StatusCode};
use url::Url;
use waypost_model::Secret;

use super::fields::is_taken_for;
use super::{Fields, FormError};
use crate::place::Place;

/// A login form of the back ends' webmail: an entry of `login-forms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormRule {
    /// Where it is sent.
    pub place: Place,
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
    /// Whether a request may bring this form.
    pub fn is_for(&self, method: &Method, path: &str, query: Option<&str>) -> bool {
        method == Method::POST && self.place.is(path, query)
    }

    /// Who logs in with it; `None` if it is another form.
    ///
    /// # Errors
    /// [`FormError::Twice`] where the form names two.
    pub fn user(&self, fields: &Fields) -> Result<Option<String>, FormError> {
        if let Some(password) = &self.password
            && !fields.has(password)
        {
            return Ok(None);
        }
        let user = fields.only(&self.user)?;
        Ok(user.map(str::trim).filter(|user| !user.is_empty()).map(str::to_owned))
    }

    /// The password in it; `None` where no field is known to hold it.
    ///
    /// # Errors
    /// [`FormError::Twice`] where there are two.
    pub fn password(&self, fields: &Fields) -> Result<Option<Secret>, FormError> {
        let Some(name) = &self.password else { return Ok(None) };
        Ok(fields.only(name)?.map(Secret::from))
    }

    /// Looks whether the query of the form's request says who logs in, too, and says something else:
    /// there are back ends to which fields and parameters are the same.
    ///
    /// # Errors
    /// [`FormError::Twice`] then.
    pub fn check_query(&self, query: Option<&str>, user: &str) -> Result<(), FormError> {
        let mut parameters = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let is_another = parameters.any(|(name, value)| {
            (is_named(&name, &self.user) && value.trim() != user)
                || self.password.as_ref().is_some_and(|password| is_named(&name, password))
        });
        if is_another { Err(FormError::Twice) } else { Ok(()) }
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

fn is_named(name: &str, wanted: &str) -> bool {
    name == wanted || is_taken_for(name, wanted)
}

/// Whichever host it names: a back end may not know how it is called here.
fn leads_to(location: &str, place: &Place) -> bool {
    let Ok(here) = Url::parse("https://here.invalid/") else { return false };
    here.join(location).is_ok_and(|there| place.is(there.path(), there.query()))
}
