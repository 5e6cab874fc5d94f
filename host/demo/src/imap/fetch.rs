use crate::Message;

use super::words::words;

/// A set of message numbers or UIDs (RFC 3501 section 9, sequence-set).
pub(super) struct NumberSet(Vec<(Number, Number)>);

#[derive(Clone, Copy)]
enum Number {
    Is(usize),
    Last,
}

impl NumberSet {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| match text {
            "*" => Some(Number::Last),
            _ => text.parse().ok().map(Number::Is),
        };
        let range = |part: &str| match part.split_once(':') {
            Some((from, to)) => Some((number(from)?, number(to)?)),
            None => number(part).map(|number| (number, number)),
        };
        text.split(',').map(range).collect::<Option<_>>().map(Self)
    }

    /// The indexes of the messages in the set.
    pub(super) fn choose(&self, messages: &[Message], by_uid: bool) -> Vec<usize> {
        let key = |at: usize, message: &Message| if by_uid { message.uid as usize } else { at + 1 };
        let last = messages.iter().enumerate().map(|(at, message)| key(at, message)).max();
        let value = |number: Number| match number {
            Number::Is(number) => number,
            Number::Last => last.unwrap_or(0),
        };
        let inside = |wanted: usize| {
            self.0.iter().any(|(from, to)| {
                let (from, to) = (value(*from), value(*to));
                (from.min(to)..=from.max(to)).contains(&wanted)
            })
        };
        let chosen = messages.iter().enumerate().filter(|(at, message)| inside(key(*at, message)));
        chosen.map(|(at, _)| at).collect()
    }
}

/// `* n FETCH (…)`; `None` where an item is not understood.
pub(super) fn fetch_response(
    at: usize,
    message: &mut Message,
    items: &[String],
    by_uid: bool,
) -> Option<String> {
    let joined = items.join(" ");
    let inside = joined.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let mut wanted = Vec::new();
    for item in words(inside.unwrap_or(&joined)) {
        match item.to_ascii_uppercase().as_str() {
            "ALL" | "FAST" | "FULL" => {
                wanted.extend(["FLAGS", "INTERNALDATE", "RFC822.SIZE"].map(str::to_owned));
            }
            _ => wanted.push(item),
        }
    }
    if by_uid && !wanted.iter().any(|item| item.eq_ignore_ascii_case("UID")) {
        wanted.insert(0, "UID".to_owned());
    }
    let data: Option<Vec<String>> = wanted.iter().map(|item| data_item(message, item)).collect();
    Some(format!("* {} FETCH ({})\r\n", at + 1, data?.join(" ")))
}

pub(super) fn flags(message: &Message) -> String {
    let set = [(message.seen, "\\Seen"), (message.deleted, "\\Deleted")];
    let names: Vec<&str> = set.iter().filter_map(|(set, name)| set.then_some(*name)).collect();
    format!("({})", names.join(" "))
}

fn data_item(message: &mut Message, item: &str) -> Option<String> {
    let upper = item.to_ascii_uppercase();
    Some(match upper.as_str() {
        "UID" => format!("UID {}", message.uid),
        "FLAGS" => format!("FLAGS {}", flags(message)),
        "INTERNALDATE" => "INTERNALDATE \"01-Jan-2026 12:00:00 +0000\"".to_owned(),
        "RFC822.SIZE" => format!("RFC822.SIZE {}", message.text().len()),
        "RFC822" => {
            message.seen = true;
            literal("RFC822", message.text())
        }
        "RFC822.HEADER" => literal("RFC822.HEADER", message.header()),
        "RFC822.TEXT" => literal("RFC822.TEXT", message.body()),
        "ENVELOPE" => envelope(message),
        "BODY" | "BODYSTRUCTURE" => format!(
            "{upper} (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"UTF-8\") NIL NIL \"8BIT\" {} {})",
            message.body().len(),
            message.body().lines().count()
        ),
        _ => return section(message, &upper),
    })
}

/// `BODY[…]` and `BODY.PEEK[…]`, with `<from.count>` (RFC 3501 section 6.4.5).
fn section(message: &mut Message, item: &str) -> Option<String> {
    let (peek, rest) = match item.strip_prefix("BODY.PEEK[") {
        Some(rest) => (true, rest),
        None => (false, item.strip_prefix("BODY[")?),
    };
    let (section, partial) = rest.rsplit_once(']')?;
    let text = match section {
        "" => message.text().to_owned(),
        "HEADER" | "MIME" | "1.MIME" => message.header().to_owned(),
        "TEXT" | "1" => message.body().to_owned(),
        _ => header_fields(message, section)?,
    };
    message.seen |= !peek;
    match partial.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        Some(range) => {
            let (from, count) = range.split_once('.')?;
            let (from, count): (usize, usize) = (from.parse().ok()?, count.parse().ok()?);
            let from = from.min(text.len());
            let part = text.get(from..from.saturating_add(count).min(text.len()))?;
            Some(literal(&format!("BODY[{section}]<{from}>"), part))
        }
        None => Some(literal(&format!("BODY[{section}]"), &text)),
    }
}

fn header_fields(message: &Message, section: &str) -> Option<String> {
    let (negated, names) = match section.strip_prefix("HEADER.FIELDS.NOT (") {
        Some(names) => (true, names),
        None => (false, section.strip_prefix("HEADER.FIELDS (")?),
    };
    let names: Vec<&str> = names.strip_suffix(')')?.split(' ').collect();
    let named = |line: &&str| {
        let field = line.split(':').next().unwrap_or_default();
        names.iter().any(|name| name.trim_matches('"').eq_ignore_ascii_case(field)) != negated
    };
    let fields = message.header().lines().filter(|line| !line.is_empty()).filter(named);
    Some(fields.flat_map(|line| [line, "\r\n"]).chain(["\r\n"]).collect())
}

fn envelope(message: &Message) -> String {
    let string = |name: &str| match message.field(name) {
        Some(value) => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
        None => "NIL".to_owned(),
    };
    let address = |name: &str| {
        let written = message.field(name)?;
        let (display, bare) = match written.split_once('<') {
            Some((display, bare)) => (display.trim().trim_matches('"'), bare.trim_end_matches('>')),
            None => ("", written),
        };
        let display = if display.is_empty() { "NIL".to_owned() } else { format!("\"{display}\"") };
        let (user, domain) = bare.split_once('@')?;
        Some(format!("(({display} NIL \"{user}\" \"{domain}\"))"))
    };
    let address = |name: &str| address(name).unwrap_or_else(|| "NIL".to_owned());
    let from = address("From");
    format!(
        "ENVELOPE ({} {} {from} {from} {from} {} {} NIL NIL {})",
        string("Date"),
        string("Subject"),
        address("To"),
        address("Cc"),
        string("Message-ID"),
    )
}

fn literal(name: &str, text: &str) -> String {
    format!("{name} {{{}}}\r\n{text}", text.len())
}

#[cfg(test)]
mod tests {
    use super::{NumberSet, fetch_response};
    use crate::Mailbox;

    fn mailbox() -> Mailbox {
        let mut mailbox = Mailbox::default();
        mailbox.deliver("Subject: one\nFrom: A <a@b.test>\n\nfirst\n");
        mailbox.deliver("Subject: two\n\nsecond\n");
        mailbox
    }

    #[test]
    fn sets_choose_by_number_and_by_uid() {
        let mut mailbox = mailbox();
        mailbox.remove(|message| message.uid == 1);
        let choose = |set: &str, by_uid| {
            NumberSet::parse(set).map(|set| set.choose(mailbox.messages(), by_uid))
        };
        assert_eq!(choose("1:*", false), Some(vec![0]));
        assert_eq!(choose("2", true), Some(vec![0]));
        assert_eq!(choose("1", true), Some(vec![]));
        assert_eq!(choose("x", true), None);
    }

    #[test]
    fn parts_of_a_message() {
        let mut mailbox = mailbox();
        let message = &mut mailbox.messages_mut()[0];
        let mut fetch = |items: &str| {
            fetch_response(0, message, &[items.to_owned()], false).unwrap_or_default()
        };
        assert_eq!(
            fetch("(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"),
            "* 1 FETCH (FLAGS () BODY[HEADER.FIELDS (SUBJECT)] {16}\r\nSubject: one\r\n\r\n)\r\n"
        );
        assert_eq!(fetch("BODY[TEXT]<1.3>"), "* 1 FETCH (BODY[TEXT]<1> {3}\r\nirs)\r\n");
        assert_eq!(fetch("FLAGS"), "* 1 FETCH (FLAGS (\\Seen))\r\n");
        assert_eq!(fetch("NONSENSE"), "");
    }
}
