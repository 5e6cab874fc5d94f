//! Words in the place of words, addresses in the place of addresses.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value as Json;

use super::Recorded;

/// Words that values have in common and that say nothing about anybody. Policies compare with them.
const COMMON: [&str; 16] = [
    "true", "false", "yes", "no", "on", "off", "active", "inactive", "enabled", "disabled", "smtp",
    "lmtp", "imap", "pop3", "tcp", "tls",
];
/// The most addresses that are told apart.
const MAX_ADDRESSES: usize = 100_000;
/// Where invented IPv4 addresses come from (RFC 2544, for benchmarks).
const IPV4: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Where invented IPv6 addresses come from (RFC 3849, for documents).
const IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// What stands for what in a recording. The key is forgotten with it.
pub(super) struct Pseudonyms {
    key: [u8; 32],
    /// Addresses have too few values for a digest: they are numbered.
    addresses: HashMap<IpAddr, IpAddr>,
}

/// What of a policy's texts is written as it is.
#[derive(Default)]
pub(super) struct Cover {
    /// Words of its settings, in lower case: it may look for them.
    words: HashSet<String>,
    /// Addresses in its settings.
    addresses: HashSet<IpAddr>,
}

impl Cover {
    /// What stands in a policy's settings; nothing where everything is written as it is anyway.
    pub(super) fn of(policy: &Recorded, is_covered: bool) -> Self {
        let mut cover = Self::default();
        if is_covered {
            let settings = serde_json::from_str(&policy.settings.settings_json);
            cover.add(&settings.unwrap_or(Json::Null));
            cover.words.extend(COMMON.map(str::to_owned));
        }
        cover
    }

    fn add(&mut self, settings: &Json) {
        match settings {
            Json::String(text) => {
                for piece in Pieces::of(text) {
                    match piece {
                        Piece::Word(word) => drop(self.words.insert(word.to_lowercase())),
                        Piece::Address(address) => drop(self.addresses.insert(address)),
                        Piece::Sign(_) => {}
                    }
                }
            }
            Json::Array(values) => values.iter().for_each(|value| self.add(value)),
            Json::Object(table) => table.values().for_each(|value| self.add(value)),
            Json::Number(number) => drop(self.words.insert(number.to_string())),
            Json::Null | Json::Bool(_) => {}
        }
    }
}

impl Pseudonyms {
    pub(super) fn new() -> Self {
        Self { key: rand::random(), addresses: HashMap::new() }
    }

    /// A text with another word for each that `cover` does not name. Signs between words stay, and
    /// so do ports.
    pub(super) fn text(&mut self, text: &str, cover: &Cover) -> String {
        let mut covered = String::with_capacity(text.len());
        for piece in Pieces::of(text) {
            match piece {
                Piece::Sign(sign) => covered.push(sign),
                Piece::Address(address) if cover.addresses.contains(&address) => {
                    // Writing to a string does not fail.
                    let _ = write!(covered, "{address}");
                }
                Piece::Address(address) => {
                    let _ = write!(covered, "{}", self.address(address));
                }
                Piece::Word(word) if is_port(word, &covered) => covered.push_str(word),
                Piece::Word(word) => {
                    let lower = word.to_lowercase();
                    if cover.words.contains(&lower) {
                        covered.push_str(word);
                    } else {
                        covered.push_str(&self.word(lower.as_bytes()));
                    }
                }
            }
        }
        covered
    }

    /// A value with other words; of octets that are no text, other octets.
    pub(super) fn octets(&mut self, value: &[u8], cover: &Cover) -> Vec<u8> {
        match std::str::from_utf8(value) {
            Ok(text) => self.text(text, cover).into_bytes(),
            // The first octet is none that UTF-8 has, so that it stays no text.
            Err(_) => [&[0xff], &self.digest(value).as_bytes()[..8]].concat(),
        }
    }

    /// The address that stands for this one.
    pub(super) fn address(&mut self, address: IpAddr) -> IpAddr {
        let number = u32::try_from(self.addresses.len().min(MAX_ADDRESSES)).unwrap_or_default();
        let invented = match address {
            IpAddr::V4(_) => IpAddr::V4(IPV4.to_bits().wrapping_add(number).into()),
            IpAddr::V6(_) => IpAddr::V6(IPV6.to_bits().wrapping_add(number.into()).into()),
        };
        if self.addresses.len() >= MAX_ADDRESSES {
            return self.addresses.get(&address).copied().unwrap_or(invented);
        }
        *self.addresses.entry(address).or_insert(invented)
    }

    /// A word that may stand in a name of a host and in the local part of an address.
    fn word(&self, word: &[u8]) -> String {
        let digest = self.digest(word).to_hex();
        format!("h{}", digest.get(..12).unwrap_or_default())
    }

    fn digest(&self, octets: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.key, octets)
    }
}

/// Whether a word is the port behind a host.
fn is_port(word: &str, before: &str) -> bool {
    before.ends_with(':') && word.len() <= 5 && word.bytes().all(|b| b.is_ascii_digit())
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    /// Letters, digits, hyphens and underlines.
    Word(&'a str),
    Address(IpAddr),
    /// Anything else.
    Sign(char),
}

struct Pieces<'a>(&'a str);

impl<'a> Pieces<'a> {
    fn of(text: &'a str) -> Self {
        Self(text)
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        // Every piece but a sign ends where a word ends, so that a word or an address begins here.
        let first = self.0.chars().next()?;
        if let Some((address, rest)) = leading_address(self.0) {
            self.0 = rest;
            return Some(Piece::Address(address));
        }
        if !is_of_word(first) {
            self.0 = self.0.get(first.len_utf8()..).unwrap_or_default();
            return Some(Piece::Sign(first));
        }
        let end = self.0.find(|c| !is_of_word(c)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(Piece::Word(word))
    }
}

/// An Internet address that a text begins with, and what follows.
fn leading_address(text: &str) -> Option<(IpAddr, &str)> {
    let kinds: [fn(char) -> bool; 2] =
        [|c| c.is_ascii_hexdigit() || c == ':' || c == '.', |c| c.is_ascii_digit() || c == '.'];
    for is_part in kinds {
        let (candidate, rest) = text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()));
        // A sentence may end behind an address.
        let candidate = candidate.trim_end_matches('.');
        if rest.starts_with(is_of_word) {
            continue;
        }
        if let Ok(address) = candidate.parse::<IpAddr>() {
            return Some((address, text.get(candidate.len()..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Cover, Pseudonyms};

    fn cover(words: &[&str]) -> Cover {
        Cover {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            addresses: ["10.0.0.9".parse().unwrap()].into(),
        }
    }

    #[test]
    fn what_is_put_together_is_covered_as_its_parts_are() {
        let mut pseudonyms = Pseudonyms::new();
        let cover = cover(&["test"]);
        let mut text = |text: &str| pseudonyms.text(text, &cover);
        let (user, domain) = (text("User1"), text("example.test"));
        assert_eq!(user.len(), 13);
        assert!(domain.ends_with(".test") && !domain.contains("example"), "{domain}");
        assert_eq!(
            text("user1@Example.Test"),
            format!("{user}@{}", domain.replace(".test", ".Test"))
        );
        assert_eq!(text("smtp:user1@example.test"), format!("{}:{user}@{domain}", text("smtp")));
        assert_eq!(text("user1+news@example.test"), format!("{user}+{}@{domain}", text("news")));
        assert_ne!(text("user2"), user);
        assert_eq!(text("Grüße, Jürgen"), format!("{}, {}", text("grüße"), text("jürgen")));
        assert_eq!(text(""), "");
    }

    #[test]
    fn hosts_stay_hosts_and_ports_stay_ports() {
        let mut pseudonyms = Pseudonyms::new();
        let cover = cover(&["mail"]);
        let mut text = |text: &str| pseudonyms.text(text, &cover);
        let north = text("10.0.0.1");
        assert_eq!(north, "198.18.0.1");
        assert_eq!(text("10.0.0.1:143,10.0.0.2"), "198.18.0.1:143,198.18.0.2");
        assert_eq!(text("10.0.0.9"), "10.0.0.9", "the settings name it");
        let v6 = text("2001:db8:1::5");
        assert!(v6.starts_with("2001:db8::") && v6 != "2001:db8:1::5", "{v6}");
        assert_eq!(text("[2001:db8:1::5]:993"), format!("[{v6}]:993"));
        let host = text("north.mail:1143");
        assert!(host.ends_with(".mail:1143"), "{host}");
        // A number that stands elsewhere is somebody's.
        assert!(text("4711").starts_with('h') && text("10.0.0").starts_with('h'));
        assert!(text("10.0.0.1x").contains("h"), "not an address");
    }

    #[test]
    fn two_recordings_have_nothing_in_common() {
        let cover = Cover::default();
        let [one, other] = [0, 1].map(|_| Pseudonyms::new().text("user1", &cover));
        assert_ne!(one, other);
    }

    #[test]
    fn octets_that_are_no_text_stay_none() {
        let mut pseudonyms = Pseudonyms::new();
        let covered = pseudonyms.octets(&[0xff, 1, 2], &Cover::default());
        assert!(std::str::from_utf8(&covered).is_err());
        assert_eq!(covered, pseudonyms.octets(&[0xff, 1, 2], &Cover::default()));
        assert_ne!(covered, pseudonyms.octets(&[0xff, 1, 3], &Cover::default()));
    }
}
