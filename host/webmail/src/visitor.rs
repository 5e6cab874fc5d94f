//! Who a request comes from.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use waypost_model::Secret;

use crate::answer::Reason;
use crate::basic::{Basic, BasicError};
use crate::body::{Ahead, ClientBody};
use crate::cookie;
use crate::form::{Fields, FormError, FormRule, Kind, MAX_FORM};
use crate::scrutiny::Misfit;
use crate::seal::{RouteCookie, SealKeys};

/// Who a request comes from, as far as the request itself says: the first of these that there is.
#[derive(Debug)]
pub(crate) enum Visitor {
    /// Credentials in the request (RFC 7617).
    Basic(Basic),
    /// Somebody who logs in with a back end's own form.
    Form(Box<FormLogin>),
    /// A browser that remembers its user.
    Cookie(RouteCookie),
    /// Nobody says.
    Nobody,
}

/// A login form, as it was read.
#[derive(Debug)]
pub(crate) struct FormLogin {
    /// The name that stands in it.
    pub(crate) user: String,
    /// The password, where the rule says which field holds it.
    pub(crate) password: Option<Secret>,
    pub(crate) kind: Kind,
    pub(crate) fields: Fields,
    pub(crate) rule: FormRule,
}

impl Visitor {
    /// Looks at the head of a request, and at its body where a rule of `forms` is for it. Such a
    /// body is read ahead.
    ///
    /// # Errors
    /// Credentials that are none, and forms that cannot be read.
    pub(crate) async fn of(
        parts: &Parts,
        body: &mut ClientBody,
        remembered: Option<&RouteCookie>,
        forms: &[FormRule],
    ) -> Result<Self, Reason> {
        match Basic::read(&parts.headers) {
            Ok(Some(basic)) => return Ok(Self::Basic(basic)),
            Ok(None) => {}
            Err(BasicError::Twice) => return Err(Misfit::TwoAuthorizations.into()),
            Err(BasicError::Malformed) => return Err(Reason::Credentials),
        }
        let (path, query) = (parts.uri.path(), parts.uri.query());
        let mut rules = forms.iter().filter(|rule| rule.is_for(&parts.method, path, query));
        if let Some(rule) = rules.next()
            && let Some(login) = read_form(rule, parts, body, remembered.is_some()).await?
        {
            return Ok(Self::Form(Box::new(login)));
        }
        Ok(remembered.cloned().map_or(Self::Nobody, Self::Cookie))
    }
}

/// What a browser remembers. A cookie that cannot be opened is none; why is for the metrics.
pub(crate) fn remembered(
    headers: &HeaderMap,
    encrypted: bool,
    keys: &SealKeys,
    lifetime: Duration,
) -> Result<Option<RouteCookie>, &'static str> {
    let Some(sealed) = cookie::ours(headers, encrypted) else { return Ok(None) };
    let opened = RouteCookie::open(sealed, keys, SystemTime::now(), lifetime);
    opened.map(Some).map_err(|error| error.kind())
}

async fn read_form(
    rule: &FormRule,
    parts: &Parts,
    body: &mut ClientBody,
    is_known: bool,
) -> Result<Option<FormLogin>, Reason> {
    let media_type = parts.headers.get(CONTENT_TYPE).and_then(|field| field.to_str().ok());
    let kind = Kind::of(media_type.unwrap_or_default()).map_err(|_| FormError::Malformed)?;
    let Some(kind) = kind else { return Ok(None) };
    let form = match read_ahead(body).await? {
        Some(form) => form,
        // Too long for a login: an upload to the same place, from somebody who is known by now.
        None if is_known => return Ok(None),
        None => return Err(FormError::TooLong.into()),
    };
    let fields = Fields::read(&kind, &form).await?;
    let Some(user) = rule.user(&fields)? else { return Ok(None) };
    let password = rule.password(&fields)?;
    rule.check_query(parts.uri.query(), &user)?;
    Ok(Some(FormLogin { user, password, kind, fields, rule: rule.clone() }))
}

/// The whole body, if it is no longer than a form. The body stays as it was.
async fn read_ahead(body: &mut ClientBody) -> Result<Option<Bytes>, Reason> {
    match body.read_ahead(MAX_FORM).await? {
        Ahead::Whole(form) => Ok(Some(form)),
        Ahead::More => Ok(None),
    }
}
