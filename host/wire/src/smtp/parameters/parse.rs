use super::{
    Body, EnvelopeId, MailParameters, Notify, OriginalRecipient, ParameterError,
    RecipientParameters, Ret,
};

/// Which extensions a listener offers beside those that all offer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Offers {
    /// SMTPUTF8.
    pub(crate) smtputf8: bool,
    /// DSN: RET, ENVID, NOTIFY, ORCPT.
    pub(crate) dsn: bool,
}

impl MailParameters {
    /// Reads what stands behind MAIL's path.
    pub(in crate::smtp) fn parse(text: &[u8], offers: Offers) -> Result<Self, ParameterError> {
        let mut said = Self::default();
        let mut submitter = None;
        for parameter in parameters(text)? {
            let Parameter { name, value } = parameter?;
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            if is("SIZE") {
                set("SIZE", &mut said.size, value.and_then(number))?;
            } else if is("BODY") {
                if value.is_some_and(|value| value.eq_ignore_ascii_case(b"BINARYMIME")) {
                    return Err(ParameterError::BinaryMime);
                }
                set("BODY", &mut said.body, value.and_then(body))?;
            } else if is("SMTPUTF8") && offers.smtputf8 {
                if value.is_some() {
                    return Err(ParameterError::Value("SMTPUTF8"));
                }
                if std::mem::replace(&mut said.smtputf8, true) {
                    return Err(ParameterError::Twice("SMTPUTF8"));
                }
            } else if is("RET") && offers.dsn {
                set("RET", &mut said.ret, value.and_then(ret))?;
            } else if is("ENVID") && offers.dsn {
                set("ENVID", &mut said.envelope_id, value.and_then(EnvelopeId::parse))?;
            } else if is("AUTH") {
                // RFC 4954 section 5: to be taken, and worth nothing where the client is not
                // trusted to say it.
                set("AUTH", &mut submitter, value.map(|_| ()))?;
            } else {
                return Err(ParameterError::Unknown);
            }
        }
        Ok(said)
    }
}

impl RecipientParameters {
    /// Reads what stands behind RCPT's path.
    pub(in crate::smtp) fn parse(text: &[u8], offers: Offers) -> Result<Self, ParameterError> {
        let mut said = Self::default();
        for parameter in parameters(text)? {
            let Parameter { name, value } = parameter?;
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            if is("NOTIFY") && offers.dsn {
                set("NOTIFY", &mut said.notify, value.and_then(notify))?;
            } else if is("ORCPT") && offers.dsn {
                set(
                    "ORCPT",
                    &mut said.original_recipient,
                    value.and_then(OriginalRecipient::parse),
                )?;
            } else {
                return Err(ParameterError::Unknown);
            }
        }
        Ok(said)
    }
}

struct Parameter<'a> {
    name: &'a [u8],
    value: Option<&'a [u8]>,
}

/// The parameters of `text`, which is what stands behind a `>`.
fn parameters(
    text: &[u8],
) -> Result<impl Iterator<Item = Result<Parameter<'_>, ParameterError>>, ParameterError> {
    if !text.is_empty() && !text.starts_with(b" ") {
        return Err(ParameterError::Syntax);
    }
    let words = text.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
    Ok(words.map(parameter))
}

/// RFC 5321 section 4.1.2: esmtp-param, but that a value may hold further `=`.
fn parameter(word: &[u8]) -> Result<Parameter<'_>, ParameterError> {
    let (name, value) = match memchr::memchr(b'=', word) {
        Some(place) => (word.get(..place), word.get(place + 1..)),
        None => (Some(word), None),
    };
    let name = name.unwrap_or_default();
    let is_name = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
    let sound =
        !name.is_empty() && name.iter().all(is_name) && value.is_none_or(|it| !it.is_empty());
    if sound { Ok(Parameter { name, value }) } else { Err(ParameterError::Syntax) }
}

fn set<T>(
    name: &'static str,
    place: &mut Option<T>,
    value: Option<T>,
) -> Result<(), ParameterError> {
    let value = value.ok_or(ParameterError::Value(name))?;
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParameterError::Twice(name)),
    }
}

/// RFC 1870 section 4: up to twenty digits, which is more than there are octets.
pub(in crate::smtp) fn number(digits: &[u8]) -> Option<u64> {
    if !(1..=20).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0_u64, |number, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0')))
    }))
}

fn body(value: &[u8]) -> Option<Body> {
    [Body::SevenBit, Body::EightBitMime]
        .into_iter()
        .find(|body| value.eq_ignore_ascii_case(body.as_str().as_bytes()))
}

fn ret(value: &[u8]) -> Option<Ret> {
    [Ret::Full, Ret::Headers]
        .into_iter()
        .find(|ret| value.eq_ignore_ascii_case(ret.as_str().as_bytes()))
}

/// RFC 3461 section 4.1: NEVER alone, or some of the others.
fn notify(value: &[u8]) -> Option<Notify> {
    if value.eq_ignore_ascii_case(b"NEVER") {
        return Some(Notify::default());
    }
    let mut notify = Notify::default();
    for word in value.split(|&octet| octet == b',') {
        let flag = match word {
            _ if word.eq_ignore_ascii_case(b"SUCCESS") => &mut notify.success,
            _ if word.eq_ignore_ascii_case(b"FAILURE") => &mut notify.failure,
            _ if word.eq_ignore_ascii_case(b"DELAY") => &mut notify.delay,
            _ => return None,
        };
        *flag = true;
    }
    Some(notify)
}
