//! What a server says: the messages of RFC 4511 as far as they concern a client that searches.

use super::ber::{self, ENUMERATED, INTEGER, Malformed, OCTET_STRING, Reader, SEQUENCE};

pub(super) const BIND_RESPONSE: u8 = 0x61;
pub(super) const SEARCH_ENTRY: u8 = 0x64;
pub(super) const SEARCH_DONE: u8 = 0x65;
pub(super) const SEARCH_REFERENCE: u8 = 0x73;
pub(super) const EXTENDED_RESPONSE: u8 = 0x78;
const INTERMEDIATE: u8 = 0x79;
/// The place of `referral` in a result.
const REFERRAL: u8 = 0xa3;
/// The place of controls in a message.
const CONTROLS: u8 = 0xa0;
pub(super) const BOOLEAN: u8 = 0x01;

/// One message.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) id: u32,
    /// The tag of the operation.
    pub(super) operation: u8,
    pub(super) content: &'a [u8],
    /// What follows the operation.
    rest: Reader<'a>,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: u32,
    pub(super) text: String,
}

/// What to do with a message that came after login.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The LDAP client can take it.
    Pass,
    /// The server is about to close the connection (RFC 4511 section 4.4.1).
    Goodbye(Outcome),
}

impl<'a> Message<'a> {
    /// Takes a whole message apart.
    pub(super) fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Reader(octets);
        let mut inside = Reader(outer.expect(SEQUENCE)?);
        let id = inside.number(INTEGER)?;
        let operation = inside.next()?.ok_or(Malformed::Structure)?;
        Ok(Self { id, operation: operation.tag, content: operation.content, rest: inside })
    }
}

impl Outcome {
    /// Reads an `LDAPResult` (RFC 4511 section 4.1.9).
    pub(super) fn parse(content: &[u8]) -> Result<Self, Malformed> {
        Self::read(&mut Reader(content))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let code = reader.number(ENUMERATED)?;
        reader.text()?;
        Ok(Self { code, text: reader.text()?.to_owned() })
    }
}

/// Looks at a whole message that came after login. What passes is of a kind that an answer to a
/// search can be, and built in a way on which the LDAP client does not trip.
pub(super) fn inspect(octets: &[u8]) -> Result<Verdict, Malformed> {
    ber::check_nesting(octets)?;
    let mut message = Message::parse(octets)?;
    if message.id != 0 {
        check_controls(&mut message.rest)?;
    }
    match (message.id, message.operation) {
        (0, EXTENDED_RESPONSE) => Ok(Verdict::Goodbye(Outcome::parse(message.content)?)),
        (1.., SEARCH_ENTRY | SEARCH_REFERENCE | INTERMEDIATE) => Ok(Verdict::Pass),
        (1.., SEARCH_DONE) => {
            check_done(message.content)?;
            Ok(Verdict::Pass)
        }
        _ => Err(Malformed::Structure),
    }
}

/// Checks what may follow an operation: controls (RFC 4511 section 4.1.11), or nothing.
fn check_controls(rest: &mut Reader<'_>) -> Result<(), Malformed> {
    let Some(controls) = rest.next()? else { return Ok(()) };
    if controls.tag != CONTROLS || rest.next()?.is_some() {
        return Err(Malformed::Structure);
    }
    let mut controls = Reader(controls.content);
    while let Some(control) = controls.next()? {
        if control.tag != SEQUENCE {
            return Err(Malformed::Structure);
        }
        check_control(Reader(control.content))?;
    }
    Ok(())
}

fn check_control(mut parts: Reader<'_>) -> Result<(), Malformed> {
    parts.text()?;
    let mut next = parts.next()?;
    if next.is_some_and(|part| part.tag == BOOLEAN && part.content.len() == 1) {
        next = parts.next()?;
    }
    match next {
        None => Ok(()),
        Some(value) if value.tag == OCTET_STRING && parts.next()?.is_none() => Ok(()),
        Some(_) => Err(Malformed::Structure),
    }
}

fn check_done(content: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader(content);
    Outcome::read(&mut reader)?;
    while let Some(element) = reader.next()? {
        if element.tag != REFERRAL {
            return Err(Malformed::Structure);
        }
        let mut urls = Reader(element.content);
        while let Some(url) = urls.next()? {
            if url.tag != OCTET_STRING || std::str::from_utf8(url.content).is_err() {
                return Err(Malformed::Structure);
            }
        }
    }
    Ok(())
}

/// The name of a result code (RFC 4511 appendix A.2).
pub(super) fn code_name(code: u32) -> &'static str {
    match code {
        0 => "success",
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        7 => "authMethodNotSupported",
        8 => "strongerAuthRequired",
        10 => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        14 => "saslBindInProgress",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        18 => "inappropriateMatching",
        21 => "invalidAttributeSyntax",
        32 => "noSuchObject",
        33 => "aliasProblem",
        34 => "invalidDNSyntax",
        36 => "aliasDereferencingProblem",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        54 => "loopDetect",
        80 => "other",
        _ => "an unknown result",
    }
}

/// A result in one line for the log: the code, its name and the server's words, made harmless.
pub(super) fn describe(code: u32, text: &str) -> String {
    let words: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    let separator = if words.is_empty() { "" } else { ": " };
    format!("{} ({code}){separator}{words}", code_name(code))
}
