use http::Method;

use super::{Fields, FormError};
use crate::place::Place;

/// A login form of the back ends' webmail: an entry of `login-forms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormRule {
    /// Where it is sent.
    pub place: Place,
    /// The field with the user's name.
    pub user: String,
    /// The field with the password: without it the form is another one. What is in it is not
    /// looked at.
    pub password: Option<String>,
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
}
