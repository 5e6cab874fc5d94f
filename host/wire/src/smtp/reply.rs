//! A reply (RFC 5321 section 4.2): its code, its enhanced code, its words.

mod enhanced;
mod parser;

use std::borrow::Cow;
use std::fmt;

pub use enhanced::{EnhancedCode, EnhancedCodeError};
pub use parser::{MAX_REPLY_LINE, ReplyError, ReplyParser};

/// The longest text of one line, in octets. With a code, an enhanced code and CRLF it makes the
/// 512 octets that RFC 5321 section 4.5.3.1.5 allows.
pub const MAX_REPLY_TEXT: usize = 496;
/// The most lines of one reply.
pub const MAX_REPLY_LINES: usize = 128;

/// What a server says to a command, or as its greeting.
///
/// Its text is made of lines of at most [`MAX_REPLY_TEXT`] octets of UTF-8 without control
/// characters, so that a reply can be written, passed on and logged whoever it came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    /// The lines, LF between them.
    text: Cow<'static, str>,
}

impl Reply {
    /// A reply of our own, of one line or, with LF between them, of several. `code` has three
    /// digits; `text` is printable ASCII. Costs nothing.
    pub const fn new(code: u16, enhanced: EnhancedCode, text: &'static str) -> Self {
        debug_assert!(enhanced.class() as u16 == code / 100, "RFC 2034 section 4");
        Self::checked(code, Some(enhanced), text)
    }

    /// As [`Reply::new`], for the replies that carry no enhanced code: greetings, the answers to
    /// HELO, EHLO and LHLO, and 3yz (RFC 2034 section 4).
    pub const fn plain(code: u16, text: &'static str) -> Self {
        Self::checked(code, None, text)
    }

    const fn checked(code: u16, enhanced: Option<EnhancedCode>, text: &'static str) -> Self {
        debug_assert!(code >= 200 && code <= 599, "a reply's code has three digits");
        debug_assert!(is_clean(text), "a reply of our own is printable ASCII");
        Self { code, enhanced, text: Cow::Borrowed(text) }
    }

    /// A reply with a text that is put together, by whomever: control characters become `?`, lines
    /// end at LF, and what is too long is cut. An `enhanced` code of another class than `code` is
    /// left out, and a `code` outside of 200 to 599 is 451.
    pub fn worded(code: u16, enhanced: Option<EnhancedCode>, text: &str) -> Self {
        let code = if (200..=599).contains(&code) { code } else { 451 };
        let enhanced = enhanced.filter(|enhanced| u16::from(enhanced.class()) == code / 100);
        let mut clean = String::with_capacity(text.len());
        for (number, line) in text.split('\n').take(MAX_REPLY_LINES).enumerate() {
            if number > 0 {
                clean.push('\n');
            }
            push_clean(&mut clean, line.as_bytes());
        }
        Self { code, enhanced, text: Cow::Owned(clean) }
    }

    /// The same words under other codes. [`Reply::worded`] says which are taken.
    #[must_use]
    pub fn recoded(self, code: u16, enhanced: Option<EnhancedCode>) -> Self {
        let Self { code, enhanced, .. } = Self::worded(code, enhanced, "");
        Self { code, enhanced, text: self.text }
    }

    /// The code, 200 to 599.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced code, of the class of [`Reply::code`].
    pub const fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// The lines, without codes and terminators; at least one, which may be empty.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n')
    }

    /// The lines as one text, LF between them.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// 2yz: done.
    pub const fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 3yz: go on.
    pub const fn is_intermediate(&self) -> bool {
        self.code / 100 == 3
    }

    /// 4yz: not now.
    pub const fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5yz: no.
    pub const fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// 421: the server closes the connection, whatever was asked (RFC 5321 section 3.8).
    pub const fn is_goodbye(&self) -> bool {
        self.code == 421
    }

    /// Appends the reply with its codes on every line. `utf8` is for a transaction with SMTPUTF8
    /// (RFC 6531 section 3.7.4); without it each character outside of ASCII becomes `?`.
    pub fn write(&self, utf8: bool, out: &mut Vec<u8>) {
        let mut lines = self.lines().peekable();
        while let Some(line) = lines.next() {
            out.extend([100, 10, 1].map(|power| digit(self.code / power)));
            // The space stands even before nothing (RFC 5321 section 4.2.1).
            out.push(if lines.peek().is_some() { b'-' } else { b' ' });
            if let Some(enhanced) = self.enhanced {
                enhanced.write(out);
                out.push(b' ');
            }
            if utf8 {
                out.extend_from_slice(line.as_bytes());
            } else {
                out.extend(
                    line.chars().map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?')),
                );
            }
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// For logs and reports: one line, the lines of the text joined by ` / `.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for (number, line) in self.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            f.write_str(if number == 0 { " " } else { " / " })?;
            f.write_str(line)?;
        }
        Ok(())
    }
}

const fn is_clean(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [octet, behind @ ..] = rest {
        if !matches!(octet, b' '..=b'~' | b'\n') {
            return false;
        }
        rest = behind;
    }
    true
}

/// Appends a line, made fit to be one of a reply's.
fn push_clean(text: &mut String, line: &[u8]) {
    let room = text.len() + MAX_REPLY_TEXT;
    for chunk in line.utf8_chunks() {
        let lost = if chunk.invalid().is_empty() { None } else { Some('?') };
        for c in chunk.valid().chars().chain(lost) {
            let c = if c.is_control() { '?' } else { c };
            if text.len() + c.len_utf8() > room {
                return;
            }
            text.push(c);
        }
    }
}

/// The last digit of a number.
fn digit(number: u16) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}

#[cfg(test)]
mod tests;
