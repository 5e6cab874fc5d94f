use crate::smtp::command::{Command, Offers, parse};
use crate::smtp::{
    EnvelopeId, ForwardPath, Mail, Mailbox, OriginalRecipient, Recipient, ReversePath,
};

const ALL: Offers = Offers { smtputf8: true, dsn: true };

/// The line of MAIL or RCPT, without its terminator, where all is offered.
///
/// What is read is written so that it can be read again as the same, on one line, with spaces and
/// angle brackets nowhere but between quotes. An address that can be routed by is a mailbox again.
pub fn smtp_path(data: &[u8]) {
    match parse(data) {
        Command::Mail(argument) => {
            let _ = Mail::parse(argument, ALL).map(|mail| check_mail(&mail));
        }
        Command::Rcpt(argument) => {
            let _ = Recipient::parse(argument, ALL, true).map(|it| check_recipient(&it));
        }
        _ => {}
    }
}

fn check_mail(Mail { sender, parameters }: &Mail) {
    let written = sender.to_string();
    check_path(&written);
    assert_eq!(written.parse::<ReversePath>().as_ref(), Ok(sender));
    assert_eq!(sender.is_ascii(), written.is_ascii());
    assert!(sender.is_ascii() || parameters.smtputf8);
    if let Some(id) = &parameters.envelope_id {
        let written = id.to_string();
        check_word(&written);
        assert_eq!(written.parse::<EnvelopeId>().as_ref(), Ok(id));
    }
}

fn check_recipient(Recipient { path, parameters }: &Recipient) {
    let written = path.to_string();
    check_path(&written);
    assert_eq!(written.parse::<ForwardPath>().as_ref(), Ok(path));
    assert_eq!(path.is_ascii(), written.is_ascii());
    if let Some(mailbox) = path.mailbox() {
        assert!(!mailbox.may_relay());
        if let Ok(address) = mailbox.address() {
            let again = Mailbox::from(&address);
            assert_eq!(again.address().as_ref(), Ok(&address));
            check_path(&format!("<{again}>"));
        }
    }
    if let Some(original) = &parameters.original_recipient {
        let written = original.to_string();
        check_word(&written);
        assert_eq!(written.parse::<OriginalRecipient>().as_ref(), Ok(original));
    }
}

fn check_path(path: &str) {
    assert!(!path.contains(char::is_control), "a control character");
    let inside = path.strip_prefix('<').and_then(|path| path.strip_suffix('>'));
    let (mut quoted, mut escaped) = (false, false);
    for c in inside.expect("angle brackets").chars() {
        assert!(quoted || !matches!(c, '<' | '>' | ' '), "breaks out of its brackets");
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    assert!(!quoted && !escaped, "a quote that does not end");
}

fn check_word(value: &str) {
    assert!(value.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'='));
}
