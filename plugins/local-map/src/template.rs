use regex_lite::{Captures, Regex};
use waypost_sdk::{HostError, HostList, HostPort};

/// Text with places for what the groups of a pattern matched.
#[derive(Debug)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(String),
    /// A group, by its number.
    Group(usize),
}

impl Template {
    /// Parses `$1`, `${1}`, `${name}` and `$$`; a group must be one of `regex`.
    pub(crate) fn parse(text: &str, regex: &Regex) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('$') {
            push_text(&mut pieces, before);
            rest = if let Some(behind) = behind.strip_prefix('$') {
                push_text(&mut pieces, "$");
                behind
            } else if let Some(braced) = behind.strip_prefix('{') {
                let (name, behind) =
                    braced.split_once('}').ok_or_else(|| format!("{text:?}: }} is missing"))?;
                pieces.push(Piece::Group(group(name, text, regex)?));
                behind
            } else {
                let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
                let (number, behind) = behind.split_at_checked(digits).unwrap_or((behind, ""));
                if number.is_empty() {
                    return Err(format!(
                        "{text:?}: behind $ a number, a name in braces or another $ was expected"
                    ));
                }
                pieces.push(Piece::Group(group(number, text, regex)?));
                behind
            };
        }
        push_text(&mut pieces, rest);
        Ok(Self(pieces))
    }

    /// The text with what matched in its places; a group that took no part is empty.
    pub(crate) fn fill(&self, captures: &Captures<'_>) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Group(number) => {
                captures.get(*number).map_or_else(String::new, |group| group.as_str().to_owned())
            }
        };
        self.0.iter().map(piece).collect()
    }

    /// Whether the literal text can stand in a host name.
    fn can_be_host(&self) -> bool {
        self.0.iter().all(|piece| match piece {
            Piece::Text(text) => is_host_text(text),
            Piece::Group(_) => true,
        })
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.into())),
    }
}

/// The number of the group that is called so.
fn group(name: &str, text: &str, regex: &Regex) -> Result<usize, String> {
    let missing = || format!("{text:?}: the pattern has no group {name:?}");
    let number = if name.bytes().all(|byte| byte.is_ascii_digit()) {
        name.parse().ok()
    } else {
        regex.capture_names().position(|known| known == Some(name))
    };
    number.filter(|number| *number < regex.captures_len()).ok_or_else(missing)
}

fn is_host_text(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// Hosts, some of them with places for what a pattern matched.
///
/// What is a host, a port and a separator is settled before anything is filled in: what a client
/// chose becomes part of a name and nothing else.
#[derive(Debug)]
pub(crate) enum Hosts {
    Known(HostList),
    Made(Vec<MadeHost>),
}

#[derive(Debug)]
pub(crate) struct MadeHost {
    name: Template,
    /// With its colon, or empty.
    port: String,
}

impl Hosts {
    /// Parses hosts behind a pattern.
    pub(crate) fn parse(text: &str, regex: &Regex) -> Result<Self, String> {
        if !text.contains('$') {
            let hosts = text.parse().map_err(|error: HostError| format!("{text:?}: {error}"))?;
            return Ok(Self::Known(hosts));
        }
        let made: Result<Vec<_>, _> =
            text.split(',').map(|host| MadeHost::parse(host, regex)).collect();
        let made = made?;
        if made.len() > waypost_sdk::MAX_TARGETS {
            return Err(format!("{text:?}: {}", HostError::TooMany));
        }
        Ok(Self::Made(made))
    }

    /// The hosts; `None` where what matched makes none.
    pub(crate) fn fill(&self, captures: &Captures<'_>) -> Option<HostList> {
        match self {
            Self::Known(hosts) => Some(hosts.clone()),
            Self::Made(made) => {
                let hosts: Option<_> = made.iter().map(|host| host.fill(captures)).collect();
                HostList::new(hosts?).ok()
            }
        }
    }
}

impl MadeHost {
    fn parse(text: &str, regex: &Regex) -> Result<Self, String> {
        if !text.contains('$') {
            // Only its port is taken apart here, and an IPv6 address has colons of its own.
            let host: HostPort =
                text.parse().map_err(|error: HostError| format!("{text:?}: {error}"))?;
            if host.host().contains(':') {
                return Err(format!("{text:?}: an IPv6 address cannot stand beside $"));
            }
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, digits)) => (name, format!(":{digits}")),
            None => (text, String::new()),
        };
        let name = Template::parse(name, regex)?;
        let is_port = format!("a{port}").parse::<HostPort>().is_ok();
        if !is_port || !name.can_be_host() || name.0.is_empty() {
            return Err(format!("{text:?}: this makes neither a host name nor an address"));
        }
        Ok(Self { name, port })
    }

    fn fill(&self, captures: &Captures<'_>) -> Option<HostPort> {
        let name = self.name.fill(captures);
        if !is_host_text(&name) {
            return None;
        }
        format!("{name}{}", self.port).parse().ok()
    }
}
