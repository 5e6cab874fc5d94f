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

/// The fields of a form that has been read, in their order. They hold a password, and are
/// overwritten when they go.
#[derive(Debug, Default)]
pub struct Fields(Vec<Field>);

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    /// What else a member of a JSON object may be.
    Other(Value),
    /// Passed over: who logs in does not stand in a file.
    File,
}

/// Why a form is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FormError {
    /// Not what its media type says.
    #[error("the form is malformed")]
    Malformed,
    /// What says who logs in stands there twice, or something that may be taken for it: a back end
    /// may read the other one.
    #[error("the form, or its path, says twice who logs in")]
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
        self.texts(name).next().is_some()
    }

    /// The text of the only field of this name.
    ///
    /// # Errors
    /// [`FormError::Twice`] where there are two, or one that a back end might take for it.
    pub fn only(&self, name: &str) -> Result<Option<&str>, FormError> {
        let mut texts = self.texts(name);
        let first = texts.next();
        match texts.next() {
            Some(_) => Err(FormError::Twice),
            None if self.0.iter().any(|field| is_taken_for(&field.name, name)) => {
                Err(FormError::Twice)
            }
            None => Ok(first),
        }
    }

    fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |field| field.name == name).filter_map(|field| {
            match &field.content {
                Content::Text(text) => Some(text.as_str()),
                Content::Other(_) | Content::File => None,
            }
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        for field in &mut self.0 {
            if let Content::Text(text) = &mut field.content {
                text.zeroize();
            }
        }
    }
}

/// Whether a back end might read `wanted` where another name stands: there are some to which case is
/// the same, and PHP drops leading spaces, ends a name at a NUL, writes `_` for other signs, and
/// reads `name[]` as `name`.
pub(super) fn is_taken_for(other: &str, wanted: &str) -> bool {
    other != wanted && folded(other) == folded(wanted)
}

fn folded(name: &str) -> String {
    let name = name.split('\0').next().unwrap_or_default().trim_start();
    let sign = |c: char| match c {
        '.' | ' ' | '[' | ']' => '_',
        _ => c,
    };
    let folded: String = name.chars().map(sign).flat_map(char::to_lowercase).collect();
    folded.trim_end_matches('_').to_owned()
}

fn urlencoded(form: &Bytes) -> Result<Fields, FormError> {
    // Browsers write nothing else, and whatever is in it, in these characters.
    if !form.is_ascii() {
        return Err(FormError::Malformed);
    }
    let fields = form_urlencoded::parse(form).into_owned();
    Ok(Fields(fields.map(|(name, text)| Field { name, content: Content::Text(text) }).collect()))
}

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
        let Some(name) = name else { continue };
        let content = match is_file {
            true => Content::File,
            false => {
                let text = str::from_utf8(&octets).map_err(|_| FormError::Malformed)?;
                Content::Text(text.to_owned())
            }
        };
        fields.0.push(Field { name, content });
    }
    Ok(fields)
}

fn json(form: &Bytes) -> Result<Fields, FormError> {
    let Members(members) = serde_json::from_slice(form).map_err(|_| FormError::Malformed)?;
    let field = |(name, value)| match value {
        Value::String(text) => Field { name, content: Content::Text(text) },
        other => Field { name, content: Content::Other(other) },
    };
    Ok(Fields(members.into_iter().map(field).collect()))
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
