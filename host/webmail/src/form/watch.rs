//! Looks for a field in a form that is not read as a whole: one that is too long to be a login form
//! and may be one all the same, with something long in front.
//!
//! It keeps no more than the name that is just being read, and rather finds a field too many than one
//! too few: it reads as the most lenient of servers does.

use super::fields::{Kind, is_named};

/// The longest name of a field, as it is written. PHP drops spaces in front of one: what is longer may
/// end in any name.
const MAX_NAME: usize = 1024;
/// The longest head of a part.
const MAX_HEAD: usize = 16 * 1024;

/// Looks for a field with one of these names.
#[derive(Debug)]
pub struct Watch {
    names: Vec<String>,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    /// Of a kind that nobody has said: what it begins with shows it.
    Unknown,
    Urlencoded(Urlencoded),
    Multipart(Multipart),
    Json(Json),
}

impl Watch {
    /// `kind`: of which the form is, where its media type says.
    pub fn new(kind: Option<&Kind>, names: Vec<String>) -> Self {
        let reader = match kind {
            None => Reader::Unknown,
            Some(Kind::Urlencoded) => Reader::Urlencoded(Urlencoded::new(true)),
            Some(Kind::Json) => Reader::Json(Json::default()),
            Some(Kind::Multipart { boundary }) => Reader::Multipart(Multipart::new(boundary)),
        };
        Self { names, reader }
    }

    /// Reads on; whether a field with one of the names has begun by now.
    pub fn finds(&mut self, octets: &[u8]) -> bool {
        if let Reader::Unknown = self.reader {
            self.reader = match Kind::guess(octets) {
                None => return false,
                Some(Kind::Json) => Reader::Json(Json::default()),
                Some(_) => Reader::Urlencoded(Urlencoded::new(false)),
            };
        }
        let names = &self.names;
        let is_one = |name: &str| names.iter().any(|wanted| is_named(name, wanted));
        match &mut self.reader {
            Reader::Unknown => false,
            Reader::Urlencoded(reader) => reader.finds(octets, is_one),
            Reader::Multipart(reader) => octets.iter().any(|octet| reader.reads(*octet, is_one)),
            Reader::Json(reader) => octets.iter().any(|octet| reader.reads(*octet, is_one)),
        }
    }
}

#[derive(Debug)]
struct Urlencoded {
    /// The name that is being read; `None` behind its `=`.
    name: Option<Vec<u8>>,
    /// Its media type says that it is a form: then no name in it is as long as what else it might be.
    is_certain: bool,
}

impl Urlencoded {
    const fn new(is_certain: bool) -> Self {
        Self { name: Some(Vec::new()), is_certain }
    }

    fn finds(&mut self, octets: &[u8], is_one: impl Fn(&str) -> bool) -> bool {
        // What comes without a break is one piece of a name or of a text.
        for piece in octets.split_inclusive(|octet| matches!(octet, b'&' | b'=')) {
            let (text, end) = match piece.split_last() {
                Some((end @ (b'&' | b'='), text)) => (text, Some(*end)),
                _ => (piece, None),
            };
            if let Some(name) = &mut self.name {
                if name.len() <= MAX_NAME {
                    name.extend(text.iter().take(MAX_NAME + 1));
                }
                if self.is_certain && name.len() > MAX_NAME {
                    return true;
                }
                if end.is_some() && name.len() <= MAX_NAME {
                    let mut read = form_urlencoded::parse(name);
                    if read.next().is_some_and(|(name, _)| is_one(&name)) {
                        return true;
                    }
                }
            }
            match end {
                Some(b'&') => self.name = Some(Vec::new()),
                Some(_) => self.name = None,
                None => {}
            }
        }
        false
    }
}

#[derive(Debug)]
struct Multipart {
    /// What a line begins with that stands between two parts.
    delimiter: Vec<u8>,
    /// The beginning of the line that is being read.
    line: Vec<u8>,
    /// The head of a part that is being read.
    head: Option<Vec<u8>>,
}

impl Multipart {
    fn new(boundary: &str) -> Self {
        let delimiter = format!("--{boundary}").into_bytes();
        Self { delimiter, line: Vec::new(), head: None }
    }

    fn reads(&mut self, octet: u8, is_one: impl Fn(&str) -> bool) -> bool {
        if let Some(head) = &mut self.head {
            head.push(octet);
            // PHP takes a bare LF for the end of a line, too.
            let has_ended = head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n");
            if !has_ended {
                return head.len() > MAX_HEAD;
            }
            let found = names_in(&String::from_utf8_lossy(head)).any(|name| is_one(&name));
            self.head = None;
            self.line.clear();
            return found;
        }
        if octet != b'\n' {
            if self.line.len() < self.delimiter.len() {
                self.line.push(octet);
            }
            return false;
        }
        if self.line == self.delimiter {
            // A head may be empty.
            self.head = Some(vec![b'\n']);
        }
        self.line.clear();
        false
    }
}

/// Whatever a part's head says that ends in `name`, read in each way in which it may be written: in
/// quotes of either kind, without, and as RFC 8187 has it.
fn names_in(head: &str) -> impl Iterator<Item = String> {
    let lower = head.to_ascii_lowercase();
    let places: Vec<usize> =
        lower.match_indices("name").map(|(at, found)| at + found.len()).collect();
    let values = places.into_iter().filter_map(|at| {
        let rest = head.get(at..)?.trim_start().trim_start_matches('*').trim_start();
        Some(value(rest.strip_prefix('=')?.trim_start()))
    });
    let mut names = Vec::new();
    for value in values {
        let decoded = percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned();
        names.extend(decoded.rsplit('\'').next().map(str::to_owned));
        names.extend([decoded, value]);
    }
    names.into_iter()
}

fn value(text: &str) -> String {
    let mut signs = text.chars();
    let Some(quote @ ('"' | '\'')) = text.chars().next() else {
        return signs.take_while(|c| !matches!(c, ';' | ',') && !c.is_whitespace()).collect();
    };
    signs.next();
    let mut value = String::new();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => value.extend(signs.next()),
            sign if sign == quote => break,
            sign => value.push(sign),
        }
    }
    value
}

#[derive(Debug, Default)]
struct Json {
    depth: u32,
    /// The string that is being read, or that has just ended.
    string: Vec<u8>,
    is_in_string: bool,
    is_escaped: bool,
}

impl Json {
    fn reads(&mut self, octet: u8, is_one: impl Fn(&str) -> bool) -> bool {
        if self.is_in_string {
            match octet {
                b'"' if !self.is_escaped => self.is_in_string = false,
                _ => {
                    self.is_escaped = octet == b'\\' && !self.is_escaped;
                    if self.string.len() <= MAX_NAME {
                        self.string.push(octet);
                    }
                }
            }
            return false;
        }
        match octet {
            b'"' => {
                self.string.clear();
                self.is_in_string = true;
            }
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            // Of who logs in the outermost object speaks.
            b':' if self.depth == 1 => {
                let quoted = [b"\"", &*self.string, b"\""].concat();
                return serde_json::from_slice::<String>(&quoted).is_ok_and(|name| is_one(&name));
            }
            _ => {}
        }
        false
    }
}
