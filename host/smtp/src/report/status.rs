//! The part for programs (RFC 3464 section 2, RFC 6533 section 4).

use waypost_wire::smtp::OriginalRecipient;

use super::part::Part;
use super::{Failure, fold};
use crate::received::name;
use crate::record::Envelope;

/// Where a line is folded, in octets.
const WIDTH: usize = 76;

pub(super) fn part(envelope: &Envelope, failures: &[Failure<'_>]) -> Part {
    let description = "Delivery report".to_owned();
    if envelope.mail.parameters.smtputf8 {
        let fields = fields(envelope, failures, true);
        if !fields.is_ascii() {
            return Part {
                content_type: "message/global-delivery-status",
                description,
                body: fields.into_bytes(),
                as_eight_bit: true,
                as_quoted: true,
            };
        }
    }
    Part {
        content_type: "message/delivery-status",
        description,
        body: fields(envelope, failures, false).into_bytes(),
        as_eight_bit: false,
        as_quoted: false,
    }
}

fn fields(envelope: &Envelope, failures: &[Failure<'_>], utf8: bool) -> String {
    let mut fields = format!("Reporting-MTA: dns; {}\r\n", name(&envelope.hostname));
    if let Some(id) = &envelope.mail.parameters.envelope_id {
        fields.push_str(&format!("Original-Envelope-Id: {}\r\n", id.as_str()));
    }
    fields.push_str(&format!("Arrival-Date: {}\r\n", envelope.arrived.date()));
    for failure in failures {
        fields.push_str("\r\n");
        push_failure(&mut fields, failure, &envelope.id, utf8);
    }
    fields
}

fn push_failure(fields: &mut String, failure: &Failure<'_>, id: &str, utf8: bool) {
    let Failure { mailbox, original, last, .. } = failure;
    // RFC 3461 section 6.3 (d): where the sender has not said it, it must not appear.
    if let Some(original) = original {
        fields.push_str(&format!("Original-Recipient: {}\r\n", original_recipient(original, utf8)));
    }
    // As the sender knows it: whom a policy passes on instead is the cluster's own affair.
    let address = mailbox.to_string();
    let recipient = match (address.is_ascii(), utf8) {
        (true, _) => format!("rfc822; {address}"),
        (false, true) => format!("utf-8; {address}"),
        (false, false) => format!("utf-8; {}", escaped(&address)),
    };
    fields.push_str(&format!("Final-Recipient: {recipient}\r\nAction: failed\r\n"));
    fields.push_str(&format!("Status: {}\r\n", failure.status()));
    if last.is_reply {
        let text: String = match utf8 {
            true => last.text.clone(),
            false => last.text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect(),
        };
        let text = fold::fold(&text, WIDTH, "\r\n ");
        fields.push_str(&format!("Diagnostic-Code: smtp;\r\n {text}\r\n"));
    }
    fields.push_str(&format!("Last-Attempt-Date: {}\r\n", last.at.date()));
    fields.push_str(&format!("Final-Log-ID: {}\r\n", name(id)));
}

/// The type and the address; in ASCII where the part must be.
fn original_recipient(original: &OriginalRecipient, utf8: bool) -> String {
    let (kind, address) = (original.address_type(), original.address());
    if kind.eq_ignore_ascii_case("utf-8") && !utf8 {
        return format!("{kind}; {}", escaped(address));
    }
    format!("{kind}; {address}")
}

/// utf-8-addr-xtext (RFC 6533 section 3).
fn escaped(address: &str) -> String {
    let mut escaped = String::with_capacity(address.len());
    for c in address.chars() {
        if c.is_ascii_graphic() && !matches!(c, '+' | '=' | '\\') {
            escaped.push(c);
        } else {
            escaped.push_str(&format!("\\x{{{:02X}}}", u32::from(c)));
        }
    }
    escaped
}
