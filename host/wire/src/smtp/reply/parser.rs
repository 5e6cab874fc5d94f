use thiserror::Error;

use super::{EnhancedCode, MAX_REPLY_LINES, Reply, push_clean};
use std::borrow::Cow;

/// The longest line of a server's reply that is taken, in octets without its terminator. RFC 5321
/// section 4.5.3.1.5 gives a server 512 with it.
pub const MAX_REPLY_LINE: usize = 2048;
/// The most octets of one reply's text.
const MAX_OCTETS: usize = 16 * 1024;

/// Why what a server said is no reply.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ReplyError {
    /// A line that begins with no code, or a code of no class that a command is answered with.
    #[error("the line begins with no reply code")]
    Code,
    /// Something else than a space, a hyphen or nothing behind the code.
    #[error("the code is followed by neither a space nor a hyphen")]
    Separator,
    /// The lines of a reply say different codes (RFC 5321 section 4.2.1).
    #[error("the lines of a reply have different codes")]
    Codes,
    /// Too many lines, or too many octets in all.
    #[error("the reply is too long")]
    TooLong,
}

/// Puts a server's reply together from its lines.
#[derive(Debug, Default)]
pub struct ReplyParser {
    /// The lines so far.
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    code: u16,
    enhanced: Option<EnhancedCode>,
    text: String,
    lines: usize,
}

impl ReplyParser {
    /// Takes the next line, without its terminator. The reply comes out with its last line. After an
    /// error nothing that the server says has a meaning.
    pub fn take(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyError> {
        let (code, rest) = split_code(line).ok_or(ReplyError::Code)?;
        let (last, text) = match rest {
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            // Some servers leave out the space before nothing (RFC 5321 section 4.2).
            [] => (true, rest),
            _ => return Err(ReplyError::Separator),
        };
        let mut reply = match self.partial.take() {
            Some(partial) if partial.code != code => return Err(ReplyError::Codes),
            Some(mut partial) => {
                partial.text.push('\n');
                partial
            }
            None => Partial { code, enhanced: None, text: String::new(), lines: 0 },
        };
        reply.push(text);
        if reply.lines > MAX_REPLY_LINES || reply.text.len() > MAX_OCTETS {
            return Err(ReplyError::TooLong);
        }
        if !last {
            self.partial = Some(reply);
            return Ok(None);
        }
        let Partial { code, enhanced, text, .. } = reply;
        Ok(Some(Reply { code, enhanced, text: Cow::Owned(text) }))
    }

    /// Whether the last line of a reply has not come yet.
    pub fn is_inside(&self) -> bool {
        self.partial.is_some()
    }
}

impl Partial {
    /// The reply's enhanced code is the first that a line says; it is taken off each line that
    /// repeats it. What is no code of this reply is text.
    fn push(&mut self, text: &[u8]) {
        let (word, words) = match memchr::memchr(b' ', text) {
            Some(space) => text.split_at(space),
            None => (text, &[][..]),
        };
        let said = EnhancedCode::parse(word).filter(|it| u16::from(it.class()) == self.code / 100);
        self.enhanced = self.enhanced.or(said);
        let repeated = said.is_some() && said == self.enhanced;
        push_clean(&mut self.text, if repeated { words.trim_ascii_start() } else { text });
        self.lines += 1;
    }
}

/// Three digits, of which the first says a class that there is.
fn split_code(line: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !matches!(digits.first(), Some(b'2'..=b'5')) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')), rest))
}
