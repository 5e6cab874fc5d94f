//! The part for people.

use super::part::Part;
use super::returned::What;
use super::{Failure, fold};
use crate::received::name;
use crate::record::Record;

/// Where a line is folded, in octets.
const WIDTH: usize = 72;

pub(super) fn part(record: &Record, failures: &[Failure<'_>], returned: What) -> Part {
    let body = text(record, failures, returned);
    Part {
        content_type: if body.is_ascii() {
            "text/plain; charset=us-ascii"
        } else {
            "text/plain; charset=utf-8"
        },
        description: "Notification".to_owned(),
        body: body.into_bytes(),
        as_eight_bit: true,
        as_quoted: true,
    }
}

fn text(record: &Record, failures: &[Failure<'_>], returned: What) -> String {
    let envelope = record.envelope();
    let mut text = format!(
        "This is the mail system at {}.\r\n\
         \r\n\
         Your message, which came here on {},\r\n\
         could not be delivered to the following recipients, and nobody will try\r\n\
         again. Recipients that are not named here are not concerned.\r\n",
        name(&envelope.hostname),
        envelope.arrived.date(),
    );
    for failure in failures {
        let Failure { mailbox, last, expired, .. } = failure;
        text.push_str(&format!("\r\n<{mailbox}>\r\n"));
        text.push_str(match (expired, last.is_reply) {
            (false, _) => "    The answer of the recipient's mail server was:\r\n",
            (true, true) => "    It was tried for a long time. The last answer was:\r\n",
            (true, false) => "    It was tried for a long time, the last time like this:\r\n",
        });
        text.push_str(&format!("    {}\r\n", fold::fold(&last.text, WIDTH, "\r\n    ")));
    }
    text.push_str(match returned {
        What::Whole => "\r\nA report for programs follows, then your message.\r\n",
        What::Beginning => {
            "\r\nA report for programs follows, then the beginning of your message.\r\n"
        }
        What::Header => "\r\nA report for programs follows, then the header of your message.\r\n",
    });
    text
}
