//! Paths that the operator names: of login forms, of logging out, of programs' interfaces.

use std::str::FromStr;

use thiserror::Error;

/// A path, with what must stand in the query beside it: `/`, `/?_task=logout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    path: String,
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
    /// Whether a request for this path and query is for this place. The path must be the same; of
    /// the query, what is named must be in it, whatever else is, and nothing else of its name.
    pub fn is(&self, path: &str, query: Option<&str>) -> bool {
        if self.path != path {
            return false;
        }
        if self.query.is_empty() {
            return true;
        }
        let query = query.unwrap_or_default().as_bytes();
        self.query.iter().all(|(name, value)| {
            let mut values = form_urlencoded::parse(query).filter(|(other, _)| other == name);
            values.next().is_some_and(|(_, first)| first == *value) && values.next().is_none()
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
        Ok(Self { path: path.to_owned(), query })
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

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#')
}
