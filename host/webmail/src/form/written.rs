//! A form written anew, so that the back end reads what the front has read.
//!
//! What the front has checked, or puts in, must be what counts there: so no octet of the client's
//! own spelling goes on, in which a second reader might find other fields than the first.

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use thiserror::Error;
use waypost_model::Secret;
use zeroize::Zeroizing;

use super::MAX_FORM;
use super::fields::{Content, Field, Fields, Kind};

/// A text for the field of this name, in the place of what stands there.
#[derive(Clone, Copy, Debug)]
pub struct Replacement<'a> {
    /// The field's name.
    pub name: &'a str,
    /// What is to stand there, in UTF-8.
    pub text: &'a Secret,
}

/// What cannot be written as a form of this kind.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Unwritable {
    /// A file, which no login form has.
    #[error("a login form brings a file")]
    File,
    /// A text with characters that this kind of form cannot carry, or not without doubt.
    #[error("a text of the login cannot stand in a form")]
    Text,
}

impl Fields {
    /// Writes all fields in their order, with replacements.
    ///
    /// # Errors
    /// See [`Unwritable`].
    pub fn write(
        &self,
        kind: &Kind,
        replacements: &[Replacement<'_>],
    ) -> Result<Zeroizing<Vec<u8>>, Unwritable> {
        let written = |field| Ok::<_, Unwritable>((field, text_of(field, replacements)?));
        let fields: Vec<(&Field, Option<&str>)> =
            self.iter().map(written).collect::<Result<_, _>>()?;
        match kind {
            Kind::Urlencoded => Ok(urlencoded(&fields)),
            Kind::Multipart { boundary } => multipart(boundary, &fields),
            Kind::Json => json(&fields),
        }
    }
}

/// The text to be written for a field; `None` where its content is no text.
fn text_of<'a>(
    field: &'a Field,
    replacements: &[Replacement<'a>],
) -> Result<Option<&'a str>, Unwritable> {
    let own = match &field.content {
        Content::Text(own) => own,
        Content::Other(_) => return Ok(None),
        Content::File => return Err(Unwritable::File),
    };
    let Some(replacement) = replacements.iter().find(|it| it.name == field.name) else {
        return Ok(Some(own));
    };
    let text = str::from_utf8(replacement.text.expose()).map_err(|_| Unwritable::Text)?;
    match text.contains(char::is_control) {
        true => Err(Unwritable::Text),
        false => Ok(Some(text)),
    }
}

fn urlencoded(fields: &[(&Field, Option<&str>)]) -> Zeroizing<Vec<u8>> {
    let length = |text: &str| text.len() * 3 + 1;
    let lengths = fields.iter().map(|(f, text)| length(&f.name) + text.map_or(0, length));
    let mut form = Zeroizing::new(Vec::with_capacity(lengths.sum()));
    for (field, text) in fields {
        if !form.is_empty() {
            form.push(b'&');
        }
        put(&mut form, &field.name);
        form.push(b'=');
        put(&mut form, text.unwrap_or_default());
    }
    form
}

fn put(form: &mut Vec<u8>, text: &str) {
    for piece in form_urlencoded::byte_serialize(text.as_bytes()) {
        form.extend_from_slice(piece.as_bytes());
    }
}

/// RFC 7578, with nothing but names in the parts' heads. The client's own boundary is used again,
/// since it stands in the head of the request.
fn multipart(
    boundary: &str,
    fields: &[(&Field, Option<&str>)],
) -> Result<Zeroizing<Vec<u8>>, Unwritable> {
    let around = boundary.len() + 64;
    let lengths =
        fields.iter().map(|(field, text)| field.name.len() * 3 + text.map_or(0, str::len) + around);
    let mut form = Zeroizing::new(Vec::with_capacity(lengths.sum::<usize>() + around));
    let delimiter = format!("\r\n--{boundary}");
    for (field, text) in fields {
        let text = text.unwrap_or_default();
        if format!("\r\n{text}").contains(&delimiter) {
            return Err(Unwritable::Text);
        }
        form.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        form.extend_from_slice(b"Content-Disposition: form-data; name=\"");
        form.extend_from_slice(quoted(&field.name).as_bytes());
        form.extend_from_slice(b"\"\r\n\r\n");
        form.extend_from_slice(text.as_bytes());
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(form)
}

/// As browsers escape names (WHATWG HTML, multipart form data).
fn quoted(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

fn json(fields: &[(&Field, Option<&str>)]) -> Result<Zeroizing<Vec<u8>>, Unwritable> {
    let mut form = Zeroizing::new(Vec::with_capacity(MAX_FORM));
    serde_json::to_writer(&mut *form, &Object(fields)).map_err(|_| Unwritable::Text)?;
    Ok(form)
}

struct Object<'a>(&'a [(&'a Field, Option<&'a str>)]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, text) in self.0 {
            match (&field.content, text) {
                (Content::Other(value), _) => map.serialize_entry(&field.name, value)?,
                (_, text) => map.serialize_entry(&field.name, text)?,
            }
        }
        map.end()
    }
}
