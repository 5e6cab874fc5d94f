use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// An enhanced status code (RFC 3463), such as 5.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    class: u8,
    subject: u16,
    detail: u16,
}

/// A text that is no enhanced status code.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an enhanced status code looks like 5.1.1")]
pub struct EnhancedCodeError;

impl EnhancedCode {
    /// The code of that class (2, 4 or 5), subject and detail (below 1000).
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        debug_assert!(matches!(class, 2 | 4 | 5) && subject < 1000 && detail < 1000);
        Self { class, subject, detail }
    }

    /// The code of that class of which nothing is known but the class (RFC 3463 section 3.1):
    /// what is added to a reply without one. None for a reply that carries none.
    pub const fn of(code: u16) -> Option<Self> {
        match code / 100 {
            2 => Some(Self::new(2, 0, 0)),
            4 => Some(Self::new(4, 0, 0)),
            5 => Some(Self::new(5, 0, 0)),
            _ => None,
        }
    }

    /// 2: success. 4: transient. 5: permanent.
    pub const fn class(self) -> u8 {
        self.class
    }

    /// What it is about: 1 addresses, 2 mailboxes, 7 security …
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// The precise condition.
    pub const fn detail(self) -> u16 {
        self.detail
    }

    /// Reads a code that the whole of `text` is. Zeros in front are taken.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text.split(|&octet| octet == b'.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let class = match class {
            b"2" => 2,
            b"4" => 4,
            b"5" => 5,
            _ => return None,
        };
        if parts.next().is_some() {
            return None;
        }
        Some(Self { class, subject: number(subject)?, detail: number(detail)? })
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        out.push(b'0' + self.class);
        for part in [self.subject, self.detail] {
            out.push(b'.');
            for power in [100, 10].into_iter().filter(|power| part >= *power) {
                out.push(super::digit(part / power));
            }
            out.push(super::digit(part));
        }
    }
}

/// One to three digits (RFC 2034 section 4).
fn number(digits: &[u8]) -> Option<u16> {
    if !(1..=3).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl FromStr for EnhancedCode {
    type Err = EnhancedCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes()).ok_or(EnhancedCodeError)
    }
}
