//! Paths that the operator names: of login forms, of logging out, of programs' interfaces.

use std::str::FromStr;

use thiserror::Error;

/// A path, with what must stand in the query beside it: `/`, `/?_task=logout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    path: String,
    /// The same, as [`lenient`] reads it.
    segments: Vec<Vec<u8>>,
    query: Vec<(String, String)>,
}

/// Why a text names no place.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PlaceError {
    /// Not a path from the root.
    #[error("expected a path that starts with /, as in a request: \"/\" or \"/?_task=logout\"")]
    Path,
}

/// A path and everything below it: `/dav` is `/dav/user1` too, and never `/david`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch(String);

impl Place {
    /// Whether a request for this path and query is for this place, or a server might take it for
    /// one: the path is another way to write the same; of the query, what is named is in it,
    /// whatever else is. Whoever wants to be taken for nobody must not find a way to write it.
    pub fn is(&self, path: &str, query: Option<&str>) -> bool {
        self.is_path(path) && self.has_all(query, |_, _| false)
    }

    /// Whether it is the path of this place, or another way to write it.
    pub fn is_path(&self, path: &str) -> bool {
        self.path == path || (has_other_readings(path) && lenient(path) == self.segments)
    }

    /// Whether all that must stand in the query is in it, or is said elsewhere: there are back ends to
    /// which parameters and fields of a form are the same.
    pub fn has_all(&self, query: Option<&str>, says: impl Fn(&str, &str) -> bool) -> bool {
        let query = query.unwrap_or_default().as_bytes();
        self.query.iter().all(|(name, value)| {
            // Of two of a name some servers take the first, and some the last.
            let mut parameters = form_urlencoded::parse(query);
            parameters.any(|(other, text)| other == *name && text == *value) || says(name, value)
        })
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        if !is_path(path) {
            return Err(PlaceError::Path);
        }
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(Self { path: path.to_owned(), segments: lenient(path), query })
    }
}

impl Branch {
    /// Whether a path is this one or lies below it. Upper and lower case are the same: programs do
    /// not agree on how `/Microsoft-Server-ActiveSync` is written.
    pub fn holds(&self, path: &str) -> bool {
        let (Some(start), Some(rest)) = (path.get(..self.0.len()), path.get(self.0.len()..)) else {
            return false;
        };
        start.eq_ignore_ascii_case(&self.0) && (rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for Branch {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let path = text.strip_suffix('/').unwrap_or(text);
        // The root would leave no page to anybody.
        if path.is_empty() || !is_path(path) {
            return Err(PlaceError::Path);
        }
        Ok(Self(path.to_owned()))
    }
}

/// Whether there are servers that read a path as another one than it is written.
fn has_other_readings(path: &str) -> bool {
    let is_plain = |octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/');
    !path.bytes().all(is_plain) || path.contains("//") || path.contains("/.") || path.ends_with('/')
}

/// The segments of a path as the most lenient of servers reads it: decoded (RFC 3986 section
/// 6.2.2), with `\` for `/`, without parameters, empty segments and dots, in lower case.
fn lenient(path: &str) -> Vec<Vec<u8>> {
    let octets: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    let mut segments = Vec::new();
    for segment in octets.split(|octet| matches!(octet, b'/' | b'\\')) {
        match segment.split(|octet| *octet == b';').next().unwrap_or_default() {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            name => segments.push(name.to_ascii_lowercase()),
        }
    }
    segments
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#')
}
