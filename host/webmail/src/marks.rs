//! Whose a cookie is: each that a back end sets gets another beside it that says so, its *mark*.
//!
//! The mark has the same attributes, so that a browser sends, expires and deletes both together,
//! whatever the path. Name and value of the cookie itself stay as they are: scripts read them, and
//! may be as long as a browser takes. No node keeps anything, and nothing is lost between answers
//! that come at the same time.

use std::collections::HashMap;

use http::HeaderMap;
use http::header::{HeaderValue, SET_COOKIE};

use crate::cookie;
use crate::home::Home;
use crate::seal::{MARK_LENGTH, Mark, SealKeys};

/// The longest cookie that browsers take, name and value together (RFC 6265bis section 5.7).
const MAX_COOKIE: usize = 4096;
/// How many marks of one name are looked at: cookies of that many paths.
const MAX_MARKS: usize = 8;

/// The marks of a request, by the names of the cookies that hold them. `None` stands for one that we
/// have not sealed, or nobody knows any more: it is nobody's.
#[derive(Debug, Default)]
pub struct Marks(HashMap<Vec<u8>, Vec<Option<Mark>>>);

/// Who has set a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setter {
    /// The back end that was asked about, for this user.
    Here,
    /// Another back end, or the same for another user.
    Elsewhere,
    /// Nobody says: no back end behind us.
    Nobody,
}

impl Marks {
    /// Reads those of a request.
    pub fn of(headers: &HeaderMap, keys: &SealKeys) -> Self {
        let mut marks = HashMap::<Vec<u8>, Vec<Option<Mark>>>::new();
        for (name, sealed) in cookie::marks(headers) {
            let of_name = marks.entry(name.to_vec()).or_default();
            match of_name.len() {
                MAX_MARKS => of_name.push(None),
                0..MAX_MARKS => of_name.push(Mark::open(sealed, name, keys)),
                _ => {}
            }
        }
        Self(marks)
    }

    /// Who has set a cookie, as far as this home goes.
    ///
    /// A cookie whose value no mark is for was changed by a script. It is the back end's still, if
    /// all of that name are.
    pub fn setter(&self, name: &[u8], value: &[u8], home: Home) -> Setter {
        let Some(marks) = self.0.get(&cookie::mark_name(name)) else { return Setter::Nobody };
        let is_here = |mark: &Option<Mark>| mark.is_some_and(|mark| mark.is_of(home));
        let here = Some(Mark::new(home, value));
        let is_value = |mark: &Option<Mark>| mark.is_some_and(|mark| mark.is_for(value));
        let is_set_here = match marks.iter().any(is_value) {
            true => marks.contains(&here),
            false => marks.iter().all(is_here),
        };
        if is_set_here { Setter::Here } else { Setter::Elsewhere }
    }

    /// Whether a cookie of a request has none.
    pub fn lack_one(&self, headers: &HeaderMap) -> bool {
        cookie::others(headers).any(|(name, _)| !self.0.contains_key(&cookie::mark_name(name)))
    }
}

/// Puts its mark before each cookie that an answer sets.
pub fn mark(answer: &mut HeaderMap, home: Home, keys: &SealKeys) {
    let set: Vec<HeaderValue> = answer.get_all(SET_COOKIE).iter().cloned().collect();
    answer.remove(SET_COOKIE);
    for field in set {
        match mark_of(&field, home, keys) {
            Found::Mark(mark) => {
                answer.append(SET_COOKIE, mark);
                answer.append(SET_COOKIE, field);
            }
            Found::NoCookie => {
                answer.append(SET_COOKIE, field);
            }
            Found::Unmarkable => {}
        }
    }
}

enum Found {
    Mark(HeaderValue),
    /// Browsers take no cookie from it.
    NoCookie,
    /// One that would come back and nobody could say whose it is.
    Unmarkable,
}

/// Reads a field as browsers do (RFC 6265bis section 5.6).
fn mark_of(field: &HeaderValue, home: Home, keys: &SealKeys) -> Found {
    let octets = field.as_bytes();
    let end = octets.iter().position(|octet| *octet == b';').unwrap_or(octets.len());
    let (pair, attributes) = octets.split_at(end);
    let (name, value) = match pair.iter().position(|octet| *octet == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (&[][..], pair),
    };
    let (name, value) = (name.trim_ascii(), value.trim_ascii());
    if name.len() + value.len() > MAX_COOKIE || name.is_empty() && value.is_empty() {
        return Found::NoCookie;
    }
    let mark_name = cookie::mark_name(name);
    // Without a name it comes back as its value, in which the `=` would end a name.
    let is_another = name.is_empty() && value.contains(&b'=');
    if is_another || mark_name.len() + MARK_LENGTH > MAX_COOKIE {
        return Found::Unmarkable;
    }
    let Some(sealed) = Mark::new(home, value).seal(&mark_name, keys) else {
        return Found::Unmarkable;
    };
    let is_hidden = attributes
        .split(|octet| *octet == b';')
        .any(|attribute| attribute.trim_ascii().eq_ignore_ascii_case(b"HttpOnly"));
    let hidden: &[u8] = if is_hidden { b"" } else { b"; HttpOnly" };
    let mark = [&mark_name, &b"="[..], sealed.as_bytes(), attributes, hidden].concat();
    HeaderValue::from_bytes(&mark).map_or(Found::Unmarkable, Found::Mark)
}
