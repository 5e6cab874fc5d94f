//! A message that could not be delivered, its report, and a reader that is not ours.

use std::time::Duration;

use mail_parser::{HeaderValue, MessageParser, MimeHeaders as _};
use waypost_model::Address;
use waypost_smtp::legs::Promised;
use waypost_smtp::outcome::{Loss, Outcome};
use waypost_smtp::record::{Envelope, EnvelopeRecipient, Record, Schedule, UnixTime};
use waypost_smtp::report::{self, Abilities, COPY_PREFIX, Issuer, Original, Rendered};
use waypost_wire::smtp::{EnhancedCode, Mail, MailParameters, RecipientParameters, Reply};

pub(crate) const SCHEDULE: Schedule = Schedule {
    expire_after: Duration::from_secs(5 * 24 * 3600),
    retry_after: Duration::from_secs(60),
    retry_at_most: Duration::from_secs(4 * 3600),
};
pub(crate) const ARRIVED: UnixTime = UnixTime(1_469_922_850);
pub(crate) const NOW: UnixTime = UnixTime(1_469_922_860);

/// What is reported on.
pub(crate) struct Scene {
    pub(crate) envelope: Envelope,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) copy: Vec<u8>,
    pub(crate) postmaster: Address,
    pub(crate) eight_bit: bool,
}

pub(crate) fn refused(code: u16, enhanced: &str, text: &str) -> Outcome {
    let enhanced: Option<EnhancedCode> = enhanced.parse().ok();
    Outcome::Permanent(Reply::worded(code, enhanced, text))
}

pub(crate) fn accepted() -> Outcome {
    Outcome::Accepted(Reply::new(250, EnhancedCode::new(2, 0, 0), "Ok"))
}

pub(crate) fn recipient(path: &str, original: Option<&str>) -> EnvelopeRecipient {
    EnvelopeRecipient {
        path: path.parse().unwrap(),
        parameters: RecipientParameters {
            notify: None,
            original_recipient: original.map(|it| it.parse().unwrap()),
        },
        lookup: Address::new("user@example.test", None).unwrap(),
    }
}

impl Scene {
    /// Three recipients: one has it, two do not exist.
    pub(crate) fn new() -> Self {
        let unknown = |name| refused(550, "5.1.1", &format!("No such user: {name}"));
        Self {
            envelope: Envelope {
                id: "01ARZ3NDEK".into(),
                arrived: ARRIVED,
                client: [192, 0, 2, 1].into(),
                listener: "mx".into(),
                hostname: "mail.example.test".into(),
                mail: Mail {
                    sender: "<ann@example.org>".parse().unwrap(),
                    parameters: MailParameters::default(),
                },
                size: 0,
                recipients: vec![
                    recipient("<bob@example.test>", None),
                    recipient("<carol@example.test>", None),
                    recipient("<dan@example.test>", Some("rfc822;Dan+2BOther@example.test")),
                ],
            },
            outcomes: vec![unknown("bob"), accepted(), unknown("dan")],
            copy: b"Received: from ann\r\nMessage-ID: <1@ann.example.org>\r\nSubject: Hello\r\n\
                \r\nHow are you?\r\n"
                .to_vec(),
            postmaster: Address::new("postmaster@example.test", None).unwrap(),
            eight_bit: true,
        }
    }

    pub(crate) fn parameters(&mut self) -> &mut MailParameters {
        &mut self.envelope.mail.parameters
    }

    pub(crate) fn record(&self) -> Record {
        let promised: Vec<Promised> = self
            .outcomes
            .iter()
            .map(|outcome| Promised { outcome: outcome.clone(), heard_for: Duration::ZERO })
            .collect();
        Record::promise(self.envelope.clone(), &promised, NOW, &SCHEDULE, 0.0)
    }

    /// The first report.
    pub(crate) fn rendered(&self) -> Rendered {
        let mut record = self.record();
        if !record.begin_report(NOW, &SCHEDULE) {
            let expires = record.expires();
            let due = record.due(expires).attempt;
            let silence = Outcome::Late(Loss::Closed);
            record.settle(&due, &silence, expires, &SCHEDULE, 0.0);
            assert!(record.begin_report(expires, &SCHEDULE));
        }
        self.render(&record)
    }

    pub(crate) fn render(&self, record: &Record) -> Rendered {
        let due = record.reports_due(UnixTime(u64::MAX));
        let octets = self.copy.get(..COPY_PREFIX).unwrap_or(&self.copy);
        let rendered = report::render(
            record,
            due.last().unwrap(),
            &Issuer { postmaster: &self.postmaster, now: NOW },
            &Original { octets, whole: octets.len() == self.copy.len() },
            Abilities { eight_bit: self.eight_bit },
        )
        .unwrap();
        check(&rendered);
        rendered
    }

    pub(crate) fn read(&self) -> Read {
        Read::new(&self.rendered().octets)
    }
}

/// What holds of every report.
fn check(rendered: &Rendered) {
    let octets = &rendered.octets;
    assert!(octets.ends_with(b"\r\n"));
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r\n").expect("CRLF");
        assert!(line.len() <= 998, "{}", line.len());
        assert!(!line.iter().any(|octet| matches!(octet, 0 | b'\r')));
    }
    assert!(rendered.eight_bit || octets.is_ascii());
    let header = octets.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert!(rendered.smtputf8 || octets[..header].is_ascii());
}

/// A report as its reader sees it.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) header: Vec<(String, String)>,
    pub(crate) parts: Vec<ReadPart>,
}

#[derive(Debug)]
pub(crate) struct ReadPart {
    pub(crate) content_type: String,
    pub(crate) description: String,
    pub(crate) encoding: String,
    /// Decoded.
    pub(crate) body: Vec<u8>,
}

impl Read {
    pub(crate) fn new(octets: &[u8]) -> Self {
        let message = MessageParser::default().parse(octets).expect("a message");
        let header = message.headers_raw();
        let header = header.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        let kind = message.content_type().unwrap();
        assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("report")));
        assert_eq!(kind.attribute("report-type"), Some("delivery-status"));
        let parts = message.root_part().sub_parts().unwrap().iter().map(|number| {
            let part = message.part(*number).unwrap();
            let kind = part.content_type().unwrap();
            ReadPart {
                content_type: format!("{}/{}", kind.ctype(), kind.subtype().unwrap()),
                description: part.content_description().unwrap_or_default().to_owned(),
                encoding: match part
                    .headers
                    .iter()
                    .find(|it| it.name() == "Content-Transfer-Encoding")
                {
                    Some(field) => match &field.value {
                        HeaderValue::Text(text) => text.to_string(),
                        other => panic!("{other:?}"),
                    },
                    None => String::new(),
                },
                body: part.contents().to_vec(),
            }
        });
        let read = Self { header: header.collect(), parts: parts.collect() };
        assert_eq!(read.parts.len(), 3, "{read:#?}");
        read
    }

    /// The value of the only field of that name.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        let mut found = self.header.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
        let (_, value) = found.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(found.next().is_none(), "{name} twice");
        value
    }

    pub(crate) fn words(&self) -> &str {
        str::from_utf8(&self.parts[0].body).unwrap()
    }

    /// The groups of fields of the part for programs: of the message, then of each recipient.
    pub(crate) fn status(&self) -> Vec<Vec<(String, String)>> {
        let text = str::from_utf8(&self.parts[1].body).unwrap();
        let text = text.replace("\r\n ", " ");
        let field = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
            (name.to_owned(), value.to_owned())
        };
        text.trim_end().split("\r\n\r\n").map(|group| group.lines().map(field).collect()).collect()
    }
}
