//! A client's command, read from its line.

use crate::http;
use crate::sasl::{MAX_LINE, MAX_NAME};

/// The longest ordinary command without its CRLF (RFC 2449 section 4 counts 255 octets with it).
const MAX_COMMAND: usize = 253;
/// The longest password, in octets. RFC 2449 leaves 248; generated ones and tokens that pose as
/// passwords are longer.
const MAX_PASSWORD: usize = 4096;
/// The longest XCLIENT, in octets: Dovecot has further attributes, of any length.
const MAX_XCLIENT: usize = 4096;
/// Room for the verb, the mechanism and the spaces of an AUTH before its initial response.
const MAX_AUTH_START: usize = 64;

/// What the client wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// The name as it stands behind the verb and one space; not empty.
    User(&'a [u8]),
    /// The password: all that stands behind the verb and one space, further spaces included
    /// (RFC 1939 section 7); may be empty.
    Pass(&'a [u8]),
    /// Name and digest, as they stand behind the verb and one space.
    Apop(&'a [u8]),
    /// A mechanism's name and, where one is given, the initial response.
    Auth(&'a [u8], Option<&'a [u8]>),
    /// AUTH alone: clients from before RFC 5034 ask so for the mechanisms.
    Mechanisms,
    Capa,
    Stls,
    /// Dovecot's, from proxies; with its arguments.
    Xclient(&'a [u8]),
    Noop,
    Quit,
    /// A command of the transaction state: not before the login.
    Transaction,
    /// A known verb with an argument missing or too many.
    Malformed,
    /// The first line of a browser's request.
    Http,
    Unknown,
}

/// How long the line at the start of `input` may be without its terminator. The answer does not
/// change while more of the line arrives, unless the line is still shorter than every limit.
pub(super) fn limit(input: &[u8]) -> usize {
    let starts =
        |verb: &[u8]| input.get(..verb.len()).is_some_and(|start| start.eq_ignore_ascii_case(verb));
    if starts(b"AUTH ") {
        MAX_AUTH_START + MAX_LINE
    } else if starts(b"PASS ") {
        b"PASS ".len() + MAX_PASSWORD
    } else if starts(b"APOP ") {
        b"APOP ".len() + MAX_NAME + 33
    } else if starts(b"XCLIENT ") {
        MAX_XCLIENT
    } else if starts(b"USER ") {
        b"USER ".len() + MAX_NAME
    } else {
        MAX_COMMAND
    }
}

/// Reads a whole line, without its terminator.
pub(super) fn parse(line: &[u8]) -> Command<'_> {
    let (verb, argument) = match memchr::memchr(b' ', line) {
        Some(space) => {
            (line.get(..space).unwrap_or_default(), line.get(space + 1..).unwrap_or_default())
        }
        None => (line, &[][..]),
    };
    if http::is_request(line) {
        return Command::Http;
    }
    let alone =
        |command| if argument.trim_ascii().is_empty() { command } else { Command::Malformed };
    if verb.eq_ignore_ascii_case(b"XCLIENT") {
        return Command::Xclient(argument);
    }
    match &upper_case(verb) {
        b"USER" if argument.is_empty() => Command::Malformed,
        b"USER" => Command::User(argument),
        b"PASS" => Command::Pass(argument),
        b"APOP" => Command::Apop(argument),
        b"AUTH" => auth(argument),
        b"CAPA" => alone(Command::Capa),
        b"STLS" => alone(Command::Stls),
        b"NOOP" => alone(Command::Noop),
        b"QUIT" => alone(Command::Quit),
        b"STAT" | b"LIST" | b"RETR" | b"DELE" | b"RSET" | b"TOP\0" | b"UIDL" | b"LAST" => {
            Command::Transaction
        }
        _ => Command::Unknown,
    }
}

/// Verbs have three or four letters (RFC 1939 section 3); zeros stand for what is missing, and for
/// a longer word, which is no verb.
fn upper_case(verb: &[u8]) -> [u8; 4] {
    let mut upper = [0; 4];
    if let Some(room) = upper.get_mut(..verb.len()) {
        room.copy_from_slice(verb);
        room.make_ascii_uppercase();
    }
    upper
}

fn auth(argument: &[u8]) -> Command<'_> {
    let mut words = argument.trim_ascii_end().splitn(2, |&octet| octet == b' ');
    match (words.next().unwrap_or_default(), words.next()) {
        (b"", _) if argument.trim_ascii().is_empty() => Command::Mechanisms,
        (b"", _) => Command::Malformed,
        (mechanism, initial_response) => Command::Auth(mechanism, initial_response),
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, limit, parse};

    #[test]
    fn verbs_in_any_case() {
        assert_eq!(parse(b"user ann@a.test"), Command::User(b"ann@a.test"));
        assert_eq!(parse(b"QuIt"), Command::Quit);
        assert_eq!(parse(b"CAPA "), Command::Capa);
        assert_eq!(parse(b"stat"), Command::Transaction);
        assert_eq!(parse(b"xclient TTL=1"), Command::Xclient(b"TTL=1"));
    }

    #[test]
    fn spaces_belong_to_the_password() {
        assert_eq!(parse(b"PASS  two words "), Command::Pass(b" two words "));
        assert_eq!(parse(b"PASS "), Command::Pass(b""));
        assert_eq!(parse(b"PASS"), Command::Pass(b""));
    }

    #[test]
    fn auth_in_its_three_forms() {
        assert_eq!(parse(b"AUTH"), Command::Mechanisms);
        assert_eq!(parse(b"auth  "), Command::Mechanisms);
        assert_eq!(parse(b"AUTH plain"), Command::Auth(b"plain", None));
        assert_eq!(parse(b"AUTH PLAIN ="), Command::Auth(b"PLAIN", Some(b"=")));
        assert_eq!(parse(b"AUTH PLAIN a b"), Command::Auth(b"PLAIN", Some(b"a b")));
        assert_eq!(parse(b"AUTH  PLAIN"), Command::Malformed);
    }

    #[test]
    fn what_is_not_a_command() {
        assert_eq!(parse(b""), Command::Unknown);
        assert_eq!(parse(b" QUIT"), Command::Unknown);
        assert_eq!(parse(b"QUIT now"), Command::Malformed);
        assert_eq!(parse(b"USER"), Command::Malformed);
        assert_eq!(parse(b"USER "), Command::Malformed);
        assert_eq!(parse(b"POST / HTTP/1.1"), Command::Http);
        assert_eq!(parse(b"Post"), Command::Unknown);
    }

    #[test]
    fn the_limit_is_the_verbs() {
        assert_eq!(limit(b"pass x"), 4101);
        assert_eq!(limit(b"AUTH PLAIN"), 12_352);
        for short in [&b""[..], b"AUTH", b"PASSWORD x", b"CAPA"] {
            assert_eq!(limit(short), 253, "{short:?}");
        }
    }
}
