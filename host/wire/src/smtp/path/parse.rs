use std::net::{Ipv4Addr, Ipv6Addr};

use waypost_model::{Domain, DomainError, MAX_DOMAIN, MAX_LOCAL_PART};

use super::{ForwardPath, Mailbox, PathError, ReversePath};

/// What stands between the angle brackets.
enum Named {
    Nobody,
    /// A local part alone.
    Bare(String),
    Mailbox(Mailbox),
}

impl ReversePath {
    /// Reads the path that `input` begins with; with it, what stands behind the `>`. UTF-8 is
    /// taken: whether the transaction allows it is the caller's to say.
    pub(in crate::smtp) fn parse(input: &[u8]) -> Result<(Self, &[u8]), PathError> {
        let (named, rest) = path(input)?;
        match named {
            Named::Nobody => Ok((Self::Null, rest)),
            Named::Bare(_) => Err(PathError::NoDomain),
            Named::Mailbox(mailbox) => Ok((Self::Mailbox(mailbox), rest)),
        }
    }
}

impl ForwardPath {
    /// As [`ReversePath::parse`].
    pub(in crate::smtp) fn parse(input: &[u8]) -> Result<(Self, &[u8]), PathError> {
        let (named, rest) = path(input)?;
        match named {
            Named::Nobody => Err(PathError::Missing),
            Named::Bare(name) if name.eq_ignore_ascii_case("postmaster") => {
                Ok((Self::Postmaster, rest))
            }
            Named::Bare(_) => Err(PathError::NoDomain),
            Named::Mailbox(mailbox) => Ok((Self::Mailbox(mailbox), rest)),
        }
    }
}

fn path(input: &[u8]) -> Result<(Named, &[u8]), PathError> {
    let inside = input.strip_prefix(b"<").ok_or(PathError::Brackets)?;
    if let Some(rest) = inside.strip_prefix(b">") {
        return Ok((Named::Nobody, rest));
    }
    let (local_part, rest) = local_part(behind_route(inside)?)?;
    let Some(rest) = rest.strip_prefix(b"@") else {
        return Ok((Named::Bare(local_part), end(rest)?));
    };
    let (domain, rest) = domain(rest)?;
    let rest = end(rest)?;
    if local_part.is_empty() {
        return Err(PathError::Empty);
    }
    Ok((Named::Mailbox(Mailbox { local_part, domain }), rest))
}

/// What stands behind the `>` that must come now.
fn end(rest: &[u8]) -> Result<&[u8], PathError> {
    match rest.split_first() {
        Some((b'>', rest)) => Ok(rest),
        Some(_) => Err(PathError::Syntax),
        None => Err(PathError::Brackets),
    }
}

/// Skips a source route, `@a,@b:`, which is to be accepted and ignored (RFC 5321 appendix C).
fn behind_route(inside: &[u8]) -> Result<&[u8], PathError> {
    if !inside.starts_with(b"@") {
        return Ok(inside);
    }
    let (route, rest) = split(inside, |octet| octet != b':');
    let rest = rest.strip_prefix(b":").ok_or(PathError::Syntax)?;
    for hop in route.split(|&octet| octet == b',') {
        let named = hop.strip_prefix(b"@").ok_or(PathError::Syntax)?;
        let (_, behind) = domain(named)?;
        if !behind.is_empty() {
            return Err(PathError::Syntax);
        }
    }
    Ok(rest)
}

fn local_part(input: &[u8]) -> Result<(String, &[u8]), PathError> {
    let (octets, rest) = match input.strip_prefix(b"\"") {
        Some(quoted) => quoted_string(quoted)?,
        None => {
            let (atoms, rest) = split(input, |octet| is_atext(octet) || octet == b'.');
            if atoms.is_empty() && !rest.starts_with(b"@") {
                return Err(PathError::Syntax);
            }
            (atoms.to_vec(), rest)
        }
    };
    if octets.len() > MAX_LOCAL_PART {
        return Err(PathError::TooLong);
    }
    let text = String::from_utf8(octets).map_err(|_| PathError::Syntax)?;
    // The quoted string lets no ASCII one in; there are others.
    if text.chars().any(char::is_control) {
        return Err(PathError::Syntax);
    }
    Ok((text, rest))
}

/// What a quoted string means, and what stands behind its second quote.
fn quoted_string(input: &[u8]) -> Result<(Vec<u8>, &[u8]), PathError> {
    let mut meant = Vec::new();
    let mut rest = input;
    loop {
        let (plain, behind) =
            split(rest, |octet| !octet.is_ascii_control() && !matches!(octet, b'"' | b'\\'));
        meant.extend_from_slice(plain);
        match behind {
            [b'"', behind @ ..] => return Ok((meant, behind)),
            [b'\\', octet @ b' '..=b'~', behind @ ..] => {
                meant.push(*octet);
                rest = behind;
            }
            _ => return Err(PathError::Syntax),
        }
    }
}

/// A name or an address literal, in ASCII, and what stands behind it.
fn domain(input: &[u8]) -> Result<(String, &[u8]), PathError> {
    if let Some(literal) = input.strip_prefix(b"[") {
        return address_literal(literal);
    }
    let (name, rest) = split(input, |octet| {
        octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.') || !octet.is_ascii()
    });
    let name = str::from_utf8(name).map_err(|_| PathError::Syntax)?;
    if !name.is_ascii() {
        return match Domain::new(name) {
            Ok(domain) => Ok((domain.as_str().to_owned(), rest)),
            Err(DomainError::TooLong) => Err(PathError::TooLong),
            Err(DomainError::Empty | DomainError::Invalid) => Err(PathError::Syntax),
        };
    }
    // The dot of the root is not SMTP's, but does no harm.
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > MAX_DOMAIN {
        return Err(PathError::TooLong);
    }
    if name.split('.').any(str::is_empty) {
        return Err(PathError::Syntax);
    }
    Ok((name.to_owned(), rest))
}

/// RFC 5321 section 4.1.3. There are no literals but those of the two versions of IP.
fn address_literal(input: &[u8]) -> Result<(String, &[u8]), PathError> {
    const IPV6: usize = "IPv6:".len();
    let (literal, rest) = split(input, |octet| octet != b']');
    let rest = rest.strip_prefix(b"]").ok_or(PathError::Syntax)?;
    let literal = str::from_utf8(literal).map_err(|_| PathError::Syntax)?;
    let sound = match literal.split_at_checked(IPV6) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6:") => {
            address.parse::<Ipv6Addr>().is_ok()
        }
        _ => literal.parse::<Ipv4Addr>().is_ok(),
    };
    if sound { Ok((format!("[{literal}]"), rest)) } else { Err(PathError::Syntax) }
}

/// RFC 5321 section 4.1.2: what needs no quotes. Dots at the edges or in a row do, though clients
/// that have such addresses send them without, and they are taken.
pub(super) fn is_dot_string(local_part: &str) -> bool {
    local_part.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// RFC 5322 section 3.2.3, RFC 6531 section 3.3.
fn is_atext(octet: u8) -> bool {
    const SIGNS: &[u8] = b"!#$%&'*+-/=?^_`{|}~";
    octet.is_ascii_alphanumeric() || !octet.is_ascii() || SIGNS.contains(&octet)
}

/// Splits where the first octet stands that does not belong.
fn split(input: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let len = input.iter().take_while(|&&octet| belongs(octet)).count();
    input.split_at(len)
}
