use bytes::Bytes;
use http_body_util::{BodyDataStream, Full};
use multer::{Constraints, Multipart, SizeLimit};
use serde_json::Value;
use thiserror::Error;
use zeroize::Zeroize;

use super::MAX_FORM;

/// How a form is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// `multipart/form-data`: RFC 7578.
    Multipart {
        /// What stands between the parts.
        boundary: String,
    },
    /// `application/json`: an object.
    Json,
}

/// A media type of forms that cannot be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a multipart form has no boundary")]
pub struct KindError;

/// The fields of a form that has been read: names and texts. They hold a password, and are
/// overwritten when they go.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, String)>);

/// Why a form is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FormError {
    /// Not what its media type says.
    #[error("the form is malformed")]
    Malformed,
    /// A field that says who logs in stands there twice: a back end may read the other one.
    #[error("the form names its user twice")]
    Twice,
    /// Longer than [`MAX_FORM`].
    #[error("the form is longer than a login form")]
    TooLong,
}

impl Kind {
    /// The kind of form that a `Content-Type` announces; `None` for what is no form.
    ///
    /// # Errors
    /// For a form that cannot be read.
    pub fn of(content_type: &str) -> Result<Option<Self>, KindError> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        if is("application/x-www-form-urlencoded") {
            return Ok(Some(Self::Urlencoded));
        }
        if is("application/json") {
            return Ok(Some(Self::Json));
        }
        if is("multipart/form-data") {
            let boundary = multer::parse_boundary(content_type).map_err(|_| KindError)?;
            return Ok(Some(Self::Multipart { boundary }));
        }
        Ok(None)
    }
}

impl Fields {
    /// Reads a form. What it holds is in memory already: this waits for nothing.
    ///
    /// # Errors
    /// A form that is too long, or not what `kind` says.
    pub async fn read(kind: &Kind, form: &Bytes) -> Result<Self, FormError> {
        if form.len() > MAX_FORM {
            return Err(FormError::TooLong);
        }
        match kind {
            Kind::Urlencoded => urlencoded(form),
            Kind::Multipart { boundary } => multipart(boundary, form).await,
            Kind::Json => json(form),
        }
    }

    /// Whether there is a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }

    /// The text of the only field of this name.
    ///
    /// # Errors
    /// [`FormError::Twice`] where there are two.
    pub fn only(&self, name: &str) -> Result<Option<&str>, FormError> {
        let mut texts = self.0.iter().filter(|(other, _)| other == name);
        let first = texts.next().map(|(_, text)| text.as_str());
        match texts.next() {
            Some(_) => Err(FormError::Twice),
            None => Ok(first),
        }
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, text)| text.zeroize());
    }
}

fn urlencoded(form: &Bytes) -> Result<Fields, FormError> {
    // Browsers write nothing else, and whatever is in it, in these characters.
    if !form.is_ascii() {
        return Err(FormError::Malformed);
    }
    Ok(Fields(form_urlencoded::parse(form).into_owned().collect()))
}

/// Files are passed over: who logs in does not stand in a file.
async fn multipart(boundary: &str, form: &Bytes) -> Result<Fields, FormError> {
    let limit = SizeLimit::new().whole_stream(MAX_FORM as u64);
    let body = BodyDataStream::new(Full::new(form.clone()));
    let mut parts =
        Multipart::with_constraints(body, boundary, Constraints::new().size_limit(limit));
    let mut fields = Fields::default();
    while let Some(part) = parts.next_field().await.map_err(|_| FormError::Malformed)? {
        let name = part.name().map(str::to_owned);
        let is_file = part.file_name().is_some();
        let octets = part.bytes().await.map_err(|_| FormError::Malformed)?;
        if let Some(name) = name.filter(|_| !is_file) {
            let text = str::from_utf8(&octets).map_err(|_| FormError::Malformed)?;
            fields.0.push((name, text.to_owned()));
        }
    }
    Ok(fields)
}

/// The members of an object that are texts.
fn json(form: &Bytes) -> Result<Fields, FormError> {
    let Members(members) = serde_json::from_slice(form).map_err(|_| FormError::Malformed)?;
    let text = |(name, value)| match value {
        Value::String(text) => Some((name, text)),
        _ => None,
    };
    Ok(Fields(members.into_iter().filter_map(text).collect()))
}

/// An object with its members as they stand there: a map would keep one of two of the same name.
struct Members(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> serde::de::Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
