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
#[error("a multipart form has no boundary, or not without doubt")]
pub struct KindError;

/// The fields of a form that has been read, in their order. They hold a password, and are
/// overwritten when they go.
#[derive(Debug, Default)]
pub struct Fields {
    fields: Vec<Field>,
    /// There are octets in it that nobody writes there, and that are read in more than one way.
    is_doubtful: bool,
}

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
        // So PHP has it: whatever stands behind one of these is passed over.
        let ends = |c: char| matches!(c, ';' | ',') || c.is_whitespace();
        let essence = content_type.trim_start().split(ends).next().unwrap_or_default();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        if is("application/x-www-form-urlencoded") {
            return Ok(Some(Self::Urlencoded));
        }
        if is("application/json") {
            return Ok(Some(Self::Json));
        }
        if is("multipart/form-data") {
            let boundary = multer::parse_boundary(content_type).map_err(|_| KindError)?;
            // PHP takes the first parameter whose name ends so, and its end at a comma.
            let is_one = content_type.to_ascii_lowercase().matches("boundary").count() == 1;
            return match is_one && boundary.bytes().all(is_of_boundary) {
                true => Ok(Some(Self::Multipart { boundary })),
                false => Err(KindError),
            };
        }
        Ok(None)
    }

    /// The kind of form that octets may be of which nothing says so: there are back ends that read a
    /// form whatever its media type is. `None` for nothing but space.
    pub fn guess(octets: &[u8]) -> Option<Self> {
        match octets.trim_ascii_start().first()? {
            b'{' => Some(Self::Json),
            _ => Some(Self::Urlencoded),
        }
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
            Kind::Urlencoded => Ok(urlencoded(form)),
            Kind::Multipart { boundary } => multipart(boundary, form).await,
            Kind::Json => json(form),
        }
    }

    /// Whether there is a field of this name, or one that may be taken for it, whatever is in it.
    pub fn may_have(&self, name: &str) -> bool {
        self.fields.iter().any(|field| is_named(&field.name, name))
    }

    /// Whether there is a field of this name with this text.
    pub fn says(&self, name: &str, text: &str) -> bool {
        self.texts(name).any(|other| other == text)
    }

    /// Whether more than one reader might read other texts in it.
    pub const fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// The text of the only field of this name.
    ///
    /// # Errors
    /// [`FormError::Twice`] where there are two, or one that a back end might take for it: with
    /// another name, or a file.
    pub fn only(&self, name: &str) -> Result<Option<&str>, FormError> {
        let mut texts = self.texts(name);
        let first = texts.next();
        let is_taken_for_it = |field: &Field| {
            is_taken_for(&field.name, name)
                || (field.name == name && matches!(field.content, Content::File))
        };
        match texts.next() {
            Some(_) => Err(FormError::Twice),
            None if self.fields.iter().any(is_taken_for_it) => Err(FormError::Twice),
            None => Ok(first),
        }
    }

    fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |field| field.name == name).filter_map(|field| match &field
            .content
        {
            Content::Text(text) => Some(text.as_str()),
            Content::Other(_) | Content::File => None,
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter()
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        for field in &mut self.fields {
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

/// Whether a back end might read `wanted` where this name stands.
pub(super) fn is_named(name: &str, wanted: &str) -> bool {
    name == wanted || is_taken_for(name, wanted)
}

/// RFC 2046 section 5.1.1, without what ends a parameter to one reader or another.
const fn is_of_boundary(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b'\'' | b'(' | b')' | b'+' | b'_' | b'-' | b'.' | b'/' | b':' | b'=' | b'?'
        )
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

fn urlencoded(form: &Bytes) -> Fields {
    let fields = form_urlencoded::parse(form).into_owned();
    Fields {
        fields: fields.map(|(name, text)| Field { name, content: Content::Text(text) }).collect(),
        // Browsers write nothing else, and whatever is in it, in these characters.
        is_doubtful: !form.is_ascii(),
    }
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
        fields.fields.push(Field { name, content });
    }
    Ok(fields)
}

fn json(form: &Bytes) -> Result<Fields, FormError> {
    let Members(members) = serde_json::from_slice(form).map_err(|_| FormError::Malformed)?;
    let field = |(name, value)| match value {
        Value::String(text) => Field { name, content: Content::Text(text) },
        other => Field { name, content: Content::Other(other) },
    };
    Ok(Fields { fields: members.into_iter().map(field).collect(), is_doubtful: false })
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
