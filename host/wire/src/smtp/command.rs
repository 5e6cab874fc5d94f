//! A client's command, read from its line (RFC 5321 section 4.1.1).

use thiserror::Error;

pub(crate) use super::parameters::Offers;
use super::parameters::number;
use super::{
    EnhancedCode, ForwardPath, MailParameters, ParameterError, PathError, RecipientParameters,
    Reply, ReversePath,
};
use crate::http;

/// The longest command without its terminator. RFC 5321 section 4.5.3.1.4 wants 510 octets, the
/// extensions that are offered up to 1,100 more behind MAIL or RCPT.
pub(super) const MAX_COMMAND: usize = 2048;
/// The longest name of a client in EHLO, HELO or LHLO, in octets (RFC 5321 section 4.5.3.1.2).
const MAX_HELLO: usize = 255;

/// What the client wants. An argument stands behind the verb and its spaces, and does not end with
/// one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    /// With what the client calls itself: [`hello`].
    Ehlo(&'a [u8]),
    /// As EHLO.
    Helo(&'a [u8]),
    /// As EHLO.
    Lhlo(&'a [u8]),
    /// [`Mail::parse`].
    Mail(&'a [u8]),
    /// [`Recipient::parse`].
    Rcpt(&'a [u8]),
    Data,
    /// [`Chunk::parse`].
    Bdat(&'a [u8]),
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
    StartTls,
    /// A mechanism's name and, where one is given, the initial response (RFC 4954 section 4).
    Auth(&'a [u8], Option<&'a [u8]>),
    /// Postfix's and Dovecot's, from proxies; with its arguments.
    Xclient(&'a [u8]),
    /// A verb that some servers know.
    Unimplemented,
    /// An argument where none may be.
    Argument,
    /// Control characters, or octets outside of ASCII where none may be.
    Octets,
    /// The first line of a browser's request.
    Http,
    Unknown,
}

/// What MAIL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Who sends.
    pub sender: ReversePath,
    /// What is said of the message.
    pub parameters: MailParameters,
}

/// What RCPT says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Who receives.
    pub path: ForwardPath,
    /// What is said of the recipient.
    pub parameters: RecipientParameters,
}

/// What BDAT says (RFC 3030 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// How many octets follow. A number beyond all numbers is the largest.
    pub size: u64,
    /// Whether the message ends with them.
    pub last: bool,
}

/// Why MAIL or RCPT is not taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CommandError {
    /// The sender.
    #[error("the sender: {0}")]
    Sender(PathError),
    /// The recipient.
    #[error("the recipient: {0}")]
    Recipient(PathError),
    /// A parameter.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

/// Reads a whole line, without its terminator.
pub(crate) fn parse(line: &[u8]) -> Command<'_> {
    if http::is_request(line) {
        return Command::Http;
    }
    let line = trim_end(line);
    if line.iter().any(u8::is_ascii_control) {
        return Command::Octets;
    }
    let (verb, argument) = match memchr::memchr(b' ', line) {
        Some(space) => line.split_at(space),
        None => (line, &[][..]),
    };
    let argument = trim_start(argument);
    let alone = |command| if argument.is_empty() { command } else { Command::Argument };
    let command = match &upper_case(verb) {
        b"MAIL\0\0\0\0" => return Command::Mail(argument),
        b"RCPT\0\0\0\0" => return Command::Rcpt(argument),
        b"EHLO\0\0\0\0" => Command::Ehlo(argument),
        b"HELO\0\0\0\0" => Command::Helo(argument),
        b"LHLO\0\0\0\0" => Command::Lhlo(argument),
        b"DATA\0\0\0\0" => alone(Command::Data),
        b"BDAT\0\0\0\0" => Command::Bdat(argument),
        b"RSET\0\0\0\0" => alone(Command::Rset),
        b"NOOP\0\0\0\0" => Command::Noop,
        b"VRFY\0\0\0\0" => Command::Vrfy,
        b"EXPN\0\0\0\0" => Command::Expn,
        b"HELP\0\0\0\0" => Command::Help,
        b"QUIT\0\0\0\0" => alone(Command::Quit),
        b"STARTTLS" => alone(Command::StartTls),
        b"AUTH\0\0\0\0" => auth(argument),
        b"XCLIENT\0" => Command::Xclient(argument),
        b"SEND\0\0\0\0" | b"SOML\0\0\0\0" | b"SAML\0\0\0\0" | b"TURN\0\0\0\0" | b"ATRN\0\0\0\0"
        | b"ETRN\0\0\0\0" | b"BURL\0\0\0\0" | b"XFORWARD" => Command::Unimplemented,
        _ => Command::Unknown,
    };
    if line.is_ascii() { command } else { Command::Octets }
}

/// What a client calls itself: graphic ASCII, which is more than a host name or an address literal,
/// but nothing that would mean something else in a `Received` field.
pub(super) fn hello(argument: &[u8]) -> Option<&str> {
    let fits = (1..=MAX_HELLO).contains(&argument.len());
    let clean =
        argument.iter().all(|octet| octet.is_ascii_graphic() && !b"()<>\\\",;".contains(octet));
    str::from_utf8(argument).ok().filter(|_| fits && clean)
}

impl Mail {
    /// Reads MAIL's argument.
    pub(crate) fn parse(argument: &[u8], offers: Offers) -> Result<Self, CommandError> {
        let path = behind(argument, b"FROM:").ok_or(PathError::Brackets);
        let path = path.and_then(ReversePath::parse).map_err(CommandError::Sender);
        let (sender, parameters) = path?;
        let parameters = MailParameters::parse(parameters, offers)?;
        if !argument.is_ascii() && !parameters.smtputf8 {
            return Err(CommandError::Sender(PathError::NonAscii));
        }
        Ok(Self { sender, parameters })
    }
}

impl Recipient {
    /// Reads RCPT's argument; `smtputf8` is what MAIL said. A recipient that may relay is refused.
    pub(crate) fn parse(
        argument: &[u8],
        offers: Offers,
        smtputf8: bool,
    ) -> Result<Self, CommandError> {
        if !argument.is_ascii() && !smtputf8 {
            return Err(CommandError::Recipient(PathError::NonAscii));
        }
        let path = behind(argument, b"TO:").ok_or(PathError::Brackets);
        let path = path.and_then(ForwardPath::parse).map_err(CommandError::Recipient);
        let (path, parameters) = path?;
        if path.mailbox().is_some_and(super::Mailbox::may_relay) {
            return Err(CommandError::Recipient(PathError::Relay));
        }
        Ok(Self { path, parameters: RecipientParameters::parse(parameters, offers)? })
    }
}

impl Chunk {
    /// Reads BDAT's argument.
    pub(super) fn parse(argument: &[u8]) -> Option<Self> {
        let mut words = argument.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
        let size = words.next().and_then(number)?;
        let last = match words.next() {
            None => false,
            Some(word) if word.eq_ignore_ascii_case(b"LAST") => true,
            Some(_) => return None,
        };
        words.next().is_none().then_some(Self { size, last })
    }
}

impl CommandError {
    /// What the client is told.
    pub const fn reply(self) -> Reply {
        match self {
            Self::Sender(error) => error.sender_reply(),
            Self::Recipient(error) => error.recipient_reply(),
            Self::Parameter(error) => error.reply(),
        }
    }
}

/// The unknown verb's, and the empty line's.
pub(super) const UNKNOWN: Reply = Reply::new(500, INVALID, "Unknown command.");
/// A verb's that is known and not served.
pub(super) const UNIMPLEMENTED: Reply = Reply::new(502, INVALID, "This command is not available.");
/// [`Command::Argument`]'s.
pub(super) const ARGUMENT: Reply =
    Reply::new(501, EnhancedCode::new(5, 5, 4), "This command takes no argument.");
/// [`Command::Octets`]'.
pub(super) const OCTETS: Reply =
    Reply::new(500, EnhancedCode::new(5, 5, 2), "A command is printable ASCII.");
/// A line's beyond [`MAX_COMMAND`].
pub(super) const TOO_LONG: Reply =
    Reply::new(500, EnhancedCode::new(5, 5, 2), "This line is too long.");
/// A client's that does not say who it is.
pub(super) const NO_HELLO: Reply = Reply::plain(501, "Say who you are: a host name.");
/// [`Chunk::parse`]'s.
pub(super) const NO_CHUNK: Reply =
    Reply::new(501, EnhancedCode::new(5, 5, 4), "Syntax: BDAT size [LAST]");

const INVALID: EnhancedCode = EnhancedCode::new(5, 5, 1);

fn auth(argument: &[u8]) -> Command<'_> {
    match memchr::memchr(b' ', argument) {
        Some(space) => {
            let (mechanism, initial_response) = argument.split_at(space);
            Command::Auth(mechanism, Some(trim_start(initial_response)))
        }
        None => Command::Auth(argument, None),
    }
}

/// What stands behind `FROM:` or `TO:`. Many clients put a space between colon and path.
fn behind<'a>(argument: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = argument.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then(|| trim_start(rest))
}

/// Verbs have up to eight letters; zeros stand for what is missing, and for a longer word, which is
/// no verb.
fn upper_case(verb: &[u8]) -> [u8; 8] {
    let mut upper = [0; 8];
    if let Some(room) = upper.get_mut(..verb.len()) {
        room.copy_from_slice(verb);
        room.make_ascii_uppercase();
    }
    upper
}

fn trim_start(text: &[u8]) -> &[u8] {
    let blank = text.iter().take_while(|octet| **octet == b' ').count();
    text.get(blank..).unwrap_or_default()
}

/// Without spaces and tabs at the end, which do no harm (RFC 5321 section 4.1.1).
fn trim_end(text: &[u8]) -> &[u8] {
    let blank = text.iter().rev().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    text.get(..text.len().saturating_sub(blank)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
