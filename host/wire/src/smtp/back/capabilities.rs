use std::fmt::Write as _;

use crate::sasl::Mechanism;
use crate::smtp::parameters::number;
use crate::smtp::xclient::XclientAttributes;
use crate::smtp::{Body, MailParameters, RecipientParameters, Reply};

/// What a back end says that it can do, in its answer to EHLO or LHLO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// RFC 2920: commands may follow each other without waiting.
    pub pipelining: bool,
    /// RFC 1870: the largest message that it takes, in octets; `u64::MAX` where it does not say.
    /// None: it does not offer SIZE.
    pub size: Option<u64>,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 3030: BDAT.
    pub chunking: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
    /// RFC 3207.
    pub starttls: bool,
    /// RFC 4954: the mechanisms that Waypost knows.
    pub mechanisms: Vec<Mechanism>,
    /// RFC 5802: SCRAM with channel binding, which is not among them.
    pub binds_channels: bool,
    pub(in crate::smtp) xclient: XclientAttributes,
    /// The lines as they came.
    lines: Vec<String>,
}

/// What a back end lacks to take a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// It takes no message as large as this one is said to be.
    pub size: bool,
    /// It has no 8BITMIME, and the message was said to be BODY=8BITMIME.
    pub eight_bit_mime: bool,
    /// It has no SMTPUTF8, and the message wants it.
    pub smtputf8: bool,
}

impl Capabilities {
    /// Reads the answer to EHLO or LHLO. Its first line says nothing that counts.
    pub(super) fn parse(reply: &Reply) -> Self {
        let mut known = Self::default();
        for line in reply.lines().skip(1) {
            known.add(line);
            known.lines.push(line.to_owned());
        }
        known
    }

    fn add(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        match keyword.as_str() {
            "PIPELINING" => self.pipelining = true,
            "SIZE" => self.size = Some(limit(words.next())),
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "DSN" => self.dsn = true,
            "CHUNKING" => self.chunking = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "STARTTLS" => self.starttls = true,
            "XCLIENT" => self.xclient = XclientAttributes::parse(words),
            "AUTH" => words.for_each(|word| self.add_mechanism(word)),
            // As servers wrote it before RFC 2554, and write it beside the other for old clients.
            _ => {
                if let Some(first) = keyword.strip_prefix("AUTH=") {
                    self.add_mechanism(first);
                    words.for_each(|word| self.add_mechanism(word));
                }
            }
        }
    }

    fn add_mechanism(&mut self, word: &str) {
        let upper = word.to_ascii_uppercase();
        self.binds_channels |= upper.starts_with("SCRAM-") && upper.ends_with("-PLUS");
        if let Some(mechanism) = Mechanism::from_name(word.as_bytes())
            && !self.mechanisms.contains(&mechanism)
        {
            self.mechanisms.push(mechanism);
        }
    }

    /// What the back end lacks to take such a message.
    pub fn lacks(&self, parameters: &MailParameters) -> Lacks {
        let limit = self.size.unwrap_or(u64::MAX);
        Lacks {
            size: parameters.size.is_some_and(|size| size > limit),
            eight_bit_mime: parameters.body == Some(Body::EightBitMime) && !self.eight_bit_mime,
            smtputf8: parameters.smtputf8 && !self.smtputf8,
        }
    }

    /// Whether a client that was told of `extension`, a line such as `SIZE 1000` or `DSN`, finds it
    /// here: the keyword with each of its words, a SIZE at least as large. SIZE by itself promises
    /// the parameter and says nothing of a limit (RFC 1870 section 4).
    pub fn cover(&self, extension: &str) -> bool {
        let mut wanted = extension.split_ascii_whitespace();
        let Some(keyword) = wanted.next() else { return true };
        if keyword.eq_ignore_ascii_case("SIZE") {
            let least = wanted.next().map_or(0, |size| limit(Some(size)));
            return self.size.is_some_and(|offered| offered >= least);
        }
        self.lines.iter().any(|line| {
            let mut offered = line.split_ascii_whitespace();
            offered.next().is_some_and(|it| it.eq_ignore_ascii_case(keyword))
                && wanted
                    .clone()
                    .all(|word| offered.clone().any(|offered| offered.eq_ignore_ascii_case(word)))
        })
    }

    /// The parameters of MAIL that the back end knows, a space before each.
    pub(super) fn of_mail(&self, parameters: &MailParameters) -> String {
        let mut text = String::new();
        if let Some(size) = parameters.size.filter(|_| self.size.is_some()) {
            let _ = write!(text, " SIZE={size}");
        }
        if let Some(body) = parameters.body.filter(|_| self.eight_bit_mime) {
            let _ = write!(text, " BODY={}", body.as_str());
        }
        if parameters.smtputf8 && self.smtputf8 {
            text.push_str(" SMTPUTF8");
        }
        if let Some(ret) = parameters.ret.filter(|_| self.dsn) {
            let _ = write!(text, " RET={}", ret.as_str());
        }
        if let Some(id) = parameters.envelope_id.as_ref().filter(|_| self.dsn) {
            let _ = write!(text, " ENVID={id}");
        }
        text
    }

    /// The parameters of RCPT that the back end knows, a space before each.
    pub(super) fn of_recipient(&self, parameters: &RecipientParameters) -> String {
        let mut text = String::new();
        if let Some(notify) = parameters.notify.filter(|_| self.dsn) {
            let _ = write!(text, " NOTIFY={}", notify.as_str());
        }
        if let Some(original) = parameters.original_recipient.as_ref().filter(|_| self.dsn) {
            let _ = write!(text, " ORCPT={original}");
        }
        text
    }
}

/// RFC 1870 section 4: none and 0 say that there is no limit that could be told.
fn limit(word: Option<&str>) -> u64 {
    word.and_then(|word| number(word.as_bytes())).filter(|size| *size > 0).unwrap_or(u64::MAX)
}
