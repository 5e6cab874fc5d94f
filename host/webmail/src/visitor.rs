//! Who a request comes from.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use waypost_model::Secret;

use crate::answer::Reason;
use crate::basic::{Basic, BasicError};
use crate::body::{Ahead, ClientBody};
use crate::cookie;
use crate::form::{Fields, FormError, FormRule, Kind, MAX_FORM, Watch};
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
        let is_for = |rule: &&FormRule| rule.is_for(&parts.method, parts.uri.path());
        let rules: Vec<&FormRule> = forms.iter().filter(is_for).collect();
        if !rules.is_empty()
            && let Some(login) = read_form(&rules, parts, body).await?
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

/// The login in a form, by the first of these rules that finds one.
async fn read_form(
    rules: &[&FormRule],
    parts: &Parts,
    body: &mut ClientBody,
) -> Result<Option<FormLogin>, Reason> {
    let media_type = parts.headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let announced = Kind::of(&String::from_utf8_lossy(media_type));
    let announced = announced.map_err(|_| FormError::Malformed)?;
    let marks = rules.iter().map(|rule| rule.mark().to_owned()).collect();
    let mut watch = Watch::new(announced.as_ref(), marks);
    let Ahead::Whole(form) = body.read_ahead(MAX_FORM).await? else {
        // Too long for a login, and maybe a message or an upload: what is in it shows on the way.
        body.watch(watch);
        return Ok(None);
    };
    let is_announced = announced.is_some();
    let Some(kind) = announced.or_else(|| Kind::guess(&form)) else { return Ok(None) };
    let fields = match Fields::read(&kind, &form).await {
        Ok(fields) => fields,
        // Not what somebody says it is, or has the right to be something else: a list, in JSON.
        Err(FormError::Malformed) if may_be_another(rules, &kind, is_announced) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    for rule in rules {
        let Some(user) = rule.user(&fields, parts.uri.query())? else { continue };
        let password = rule.password(&fields)?;
        let rule = (*rule).clone();
        return Ok(Some(FormLogin { user, password, kind, fields, rule }));
    }
    let is_read = rules.iter().any(|rule| fields.may_have(rule.mark()));
    // A more lenient reader has found a field where this one has not.
    match !is_read && watch.finds(&form) {
        true => Err(FormError::Twice.into()),
        false => Ok(None),
    }
}

/// Whether what cannot be read is to be left to the back end: where nothing says that it is a form,
/// and where it is JSON of any kind, at a path that is not that of a login form.
fn may_be_another(rules: &[&FormRule], kind: &Kind, is_announced: bool) -> bool {
    !is_announced || (*kind == Kind::Json && rules.iter().all(|rule| rule.place.is_none()))
}
