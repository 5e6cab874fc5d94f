//! Attribute descriptions (RFC 4512 section 2.5): a type, by name or by OID, with options.

use std::borrow::Cow;

/// The longest attribute description, in octets.
pub(crate) const MAX_ATTRIBUTE: usize = 255;

/// A well-formed attribute description, as it was spelt and as it is compared.
#[derive(Clone, Debug)]
pub(crate) struct AttributeName {
    spelt: Box<str>,
    /// Where the type ends and the options begin.
    type_end: usize,
    key: Cow<'static, str>,
    options: Box<[Box<str>]>,
}

impl AttributeName {
    /// Parses `descr` or `numericoid`, each with any number of options. Nothing else is an
    /// attribute: neither `*`, `+` and `@class` (RFC 3673, RFC 4529) nor RFC 1779's `OID.2.5.4.3`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_ATTRIBUTE {
            return None;
        }
        let (name, options) = match text.split_once(';') {
            Some((name, options)) => (name, parse_options(options)?),
            None => (text, Box::default()),
        };
        if !is_type(name) {
            return None;
        }
        Some(Self { spelt: text.into(), type_end: name.len(), key: key_of(name), options })
    }

    /// As it was written.
    pub(crate) fn spelt(&self) -> &str {
        &self.spelt
    }

    /// The type as it was written, without options.
    pub(crate) fn type_spelt(&self) -> &str {
        self.spelt.get(..self.type_end).unwrap_or_default()
    }

    /// The type in one spelling: in lower case, and for the attributes of the common schemas by
    /// its first name, whichever name or OID was written.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether the type is written as an OID.
    pub(crate) fn is_numeric(&self) -> bool {
        self.spelt.starts_with(|c: char| c.is_ascii_digit())
    }

    /// Whether there is an option.
    pub(crate) fn has_options(&self) -> bool {
        !self.options.is_empty()
    }

    /// Whether who asks for `self` gets `other`: the same type with at least the same options
    /// (RFC 4512 section 2.5.2: `cn;lang-en` is a subtype of `cn`).
    pub(crate) fn selects(&self, other: &Self) -> bool {
        self.key == other.key && self.options.iter().all(|option| other.options.contains(option))
    }
}

/// Whether two are the same attribute, however they are spelt.
impl PartialEq for AttributeName {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.options == other.options
    }
}

impl Eq for AttributeName {}

/// Whether `text` is a type, by name or by OID.
pub(crate) fn is_type(text: &str) -> bool {
    text.len() <= MAX_ATTRIBUTE && (is_descr(text) || is_numeric_oid(text))
}

fn is_descr(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(is_key_char)
}

fn is_numeric_oid(text: &str) -> bool {
    let number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part.len() == 1 || !part.starts_with('0'))
    };
    text.contains('.') && text.split('.').all(number)
}

fn is_key_char(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-'
}

/// The options in lower case, sorted, each once.
fn parse_options(text: &str) -> Option<Box<[Box<str>]>> {
    let mut options = Vec::new();
    for option in text.split(';') {
        if option.is_empty() || !option.bytes().all(is_key_char) {
            return None;
        }
        options.push(Box::from(option.to_ascii_lowercase()));
    }
    options.sort_unstable();
    options.dedup();
    Some(options.into())
}

/// The key of a type; allocates only where the type is none of the common ones.
fn key_of(name: &str) -> Cow<'static, str> {
    let mut buffer = [0; 32];
    if let Some(lower) = buffer.get_mut(..name.len()) {
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        if let Some(key) = std::str::from_utf8(lower).ok().and_then(common) {
            return Cow::Borrowed(key);
        }
    }
    Cow::Owned(name.to_ascii_lowercase())
}

/// The key of an attribute of the common schemas: RFC 4512, RFC 4519, RFC 4524, RFC 2798, RFC 2307
/// and mail routing's. `name` is in lower case.
pub(crate) fn common(name: &str) -> Option<&'static str> {
    Some(match name {
        "objectclass" | "2.5.4.0" => "objectclass",
        "cn" | "commonname" | "2.5.4.3" => "cn",
        "sn" | "surname" | "2.5.4.4" => "sn",
        "serialnumber" | "2.5.4.5" => "serialnumber",
        "c" | "countryname" | "2.5.4.6" => "c",
        "l" | "localityname" | "2.5.4.7" => "l",
        "st" | "stateorprovincename" | "2.5.4.8" => "st",
        "street" | "streetaddress" | "2.5.4.9" => "street",
        "o" | "organizationname" | "2.5.4.10" => "o",
        "ou" | "organizationalunitname" | "2.5.4.11" => "ou",
        "title" | "2.5.4.12" => "title",
        "description" | "2.5.4.13" => "description",
        "member" | "2.5.4.31" => "member",
        "userpassword" | "2.5.4.35" => "userpassword",
        "name" | "2.5.4.41" => "name",
        "givenname" | "gn" | "2.5.4.42" => "givenname",
        "uid" | "userid" | "0.9.2342.19200300.100.1.1" => "uid",
        "mail" | "rfc822mailbox" | "0.9.2342.19200300.100.1.3" => "mail",
        "dc" | "domaincomponent" | "0.9.2342.19200300.100.1.25" => "dc",
        "associateddomain" | "0.9.2342.19200300.100.1.37" => "associateddomain",
        "employeenumber" | "2.16.840.1.113730.3.1.3" => "employeenumber",
        "employeetype" | "2.16.840.1.113730.3.1.4" => "employeetype",
        "displayname" | "2.16.840.1.113730.3.1.241" => "displayname",
        "maillocaladdress" | "2.16.840.1.113730.3.1.13" => "maillocaladdress",
        "mailhost" | "2.16.840.1.113730.3.1.18" => "mailhost",
        "mailroutingaddress" | "2.16.840.1.113730.3.1.47" => "mailroutingaddress",
        "uidnumber" | "1.3.6.1.1.1.1.0" => "uidnumber",
        "gidnumber" | "1.3.6.1.1.1.1.1" => "gidnumber",
        "homedirectory" | "1.3.6.1.1.1.1.3" => "homedirectory",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::AttributeName;

    fn parse(text: &str) -> AttributeName {
        AttributeName::parse(text).unwrap_or_else(|| panic!("{text:?}"))
    }

    #[test]
    fn spelling_does_not_matter() {
        for text in ["mail", "MAIL", "rfc822Mailbox", "0.9.2342.19200300.100.1.3"] {
            assert_eq!(parse(text), parse("mail"), "{text}");
        }
        assert_eq!(parse("x-Mine;b;A"), parse("X-mine;a;B"));
        assert_eq!(parse("cn;lang-en").type_spelt(), "cn");
    }

    #[test]
    fn a_type_selects_itself_with_more_options() {
        assert!(parse("cn").selects(&parse("CN;lang-en")));
        assert!(parse("cn;lang-en").selects(&parse("cn;x;lang-en")));
        assert!(!parse("cn;lang-en").selects(&parse("cn")));
        assert!(!parse("cn").selects(&parse("sn")));
    }

    #[test]
    fn what_is_no_attribute() {
        let long = "x".repeat(256);
        for text in [
            "",
            "*",
            "+",
            "@person",
            "OID.2.5.4.35",
            "2.5.4.035",
            "2.",
            ".5",
            "2",
            "1cn",
            "-cn",
            "c n",
            "cn ",
            " cn",
            "cn;",
            ";x",
            "cn;;x",
            "cn;a b",
            "cn=",
            "cn:dn",
            "c_n",
            "c\u{e9}",
            "cn\0",
            "{0}",
            &long,
        ] {
            assert!(AttributeName::parse(text).is_none(), "{text:?}");
        }
    }
}
