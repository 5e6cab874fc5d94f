//! SMTP and LMTP as a back end that takes mail meets them, however its replies are cut.

use std::sync::Arc;

use waypost_model::Encryption;
use waypost_wire::smtp::{
    Asked, Back, BackAction, BackFailure, BackSettings, Body, ClientIdentity, ClientProtocol,
    EnhancedCode, ForwardPath, MailParameters, Notify, RecipientParameters, Reply, Ret,
    ReversePath,
};

use crate::replay::{Player, replay};

/// Sends one message to some recipients, as quickly as the back end allows.
struct Driver {
    back: Back,
    mail: MailParameters,
    recipients: Vec<&'static str>,
    named: usize,
    accepted: usize,
    over: bool,
}

impl Player for Driver {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, bool) {
        if self.over {
            return (0, false);
        }
        let advance = self.back.advance(unread, record);
        assert!(advance.consumed <= unread.len());
        match advance.action {
            BackAction::Read => return (advance.consumed, false),
            BackAction::StartTls => {
                record.extend_from_slice(b"[tls]\r\n");
                self.back.tls_started();
            }
            BackAction::Ready => {
                record.extend_from_slice(b"[ready]\r\n");
                self.back.mail(&"<ann@a.test>".parse().unwrap(), &self.mail, record);
                if self.back.capabilities().pipelining {
                    while self.named < self.recipients.len() {
                        self.recipient(record);
                    }
                    self.back.data(record);
                }
            }
            BackAction::Reply(asked, reply) => {
                record.extend_from_slice(format!("[{asked:?}: {reply}]\r\n").as_bytes());
                if !reply.is_goodbye() {
                    self.go_on(asked, &reply, record);
                }
            }
            BackAction::Failed(failure) => {
                record.extend_from_slice(format!("[failed {failure}]\r\n").as_bytes());
                let again = self.back.advance(b"250 Ok\r\n", record);
                assert_eq!((again.consumed, again.action), (0, BackAction::Failed(failure)));
                self.over = true;
            }
        }
        (advance.consumed, true)
    }
}

impl Driver {
    fn recipient(&mut self, out: &mut Vec<u8>) {
        let path = self.recipients[self.named].parse().unwrap();
        let number = self.back.recipient(&path, &RecipientParameters::default(), out);
        assert_eq!(number, self.named);
        self.named += 1;
    }

    fn go_on(&mut self, asked: Asked, reply: &Reply, out: &mut Vec<u8>) {
        match asked {
            Asked::Recipient(_) if reply.is_positive() => self.accepted += 1,
            Asked::Data if reply.is_intermediate() => {
                out.extend_from_slice(b"Subject: x\r\n\r\n..x\r\n");
                return self.back.end_of_data(out);
            }
            _ => {}
        }
        if self.back.pending() > 0 {
            return;
        }
        match asked {
            Asked::Mail | Asked::Recipient(_) if !reply.is_positive() && self.accepted == 0 => {
                self.back.reset(out);
            }
            Asked::Mail | Asked::Recipient(_) if self.named < self.recipients.len() => {
                self.recipient(out);
            }
            Asked::Mail | Asked::Recipient(_) => self.back.data(out),
            Asked::Quit => {}
            _ => self.back.quit(out),
        }
    }
}

fn settings(encryption: Encryption) -> BackSettings {
    BackSettings { encryption, lmtp: false, name: Arc::from("mx.test"), client: None }
}

fn plain() -> BackSettings {
    settings(Encryption::None)
}

fn lmtp() -> BackSettings {
    BackSettings { lmtp: true, ..plain() }
}

fn telling() -> BackSettings {
    let client = ClientIdentity {
        client: "192.0.2.7:50123".parse().unwrap(),
        local: "198.51.100.1:25".parse().unwrap(),
        hello: Some(Arc::from("ann.test")),
        protocol: ClientProtocol::Esmtp,
        session: None,
        ttl: None,
    };
    BackSettings { client: Some(client), ..plain() }
}

#[track_caller]
fn sending(
    settings: &BackSettings,
    mail: &MailParameters,
    recipients: &[&'static str],
    replies: &[&str],
    expected: &str,
) {
    let segments: Vec<&[u8]> = replies.iter().map(|reply| reply.as_bytes()).collect();
    let record = replay(&segments, || Driver {
        back: Back::new(settings.clone()),
        mail: mail.clone(),
        recipients: recipients.to_vec(),
        named: 0,
        accepted: 0,
        over: false,
    });
    assert_eq!(record, expected);
}

#[track_caller]
fn session(settings: &BackSettings, replies: &[&str], expected: &str) {
    sending(settings, &MailParameters::default(), &["<bob@b.test>"], replies, expected);
}

/// A back end that has said EHLO's answer and waits for MAIL.
fn ready(settings: BackSettings, capabilities: &str) -> Back {
    let mut back = Back::new(settings);
    let mut out = Vec::new();
    assert_eq!(back.advance(b"220 mx\r\n", &mut out).action, BackAction::Read);
    let (mut reply, mut action) = (format!("250-mx\r\n{capabilities}"), BackAction::Read);
    while !reply.is_empty() {
        assert_eq!(action, BackAction::Read);
        let advance = back.advance(reply.as_bytes(), &mut out);
        reply.drain(..advance.consumed);
        action = advance.action;
    }
    assert_eq!(action, BackAction::Ready);
    back
}

#[test]
fn one_command_after_the_other() {
    session(
        &plain(),
        &[
            "220 mx ESMTP\r\n",
            "250-mx\r\n250 SIZE 1000\r\n",
            "250 2.1.0 Ok\r\n",
            "250 2.1.5 Ok\r\n",
            "354 End data with <CR><LF>.<CR><LF>\r\n",
            "250-2.0.0 Ok:\r\n250 2.0.0 queued as 1\r\n",
            "221 2.0.0 Bye\r\n",
        ],
        "EHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\n[Mail: 250 2.1.0 Ok]\n\
         RCPT TO:<bob@b.test>\n[Recipient(0): 250 2.1.5 Ok]\nDATA\n\
         [Data: 354 End data with <CR><LF>.<CR><LF>]\nSubject: x\n\n..x\n.\n\
         [EndOfData: 250 2.0.0 Ok: / queued as 1]\nQUIT\n[Quit: 221 2.0.0 Bye]\n",
    );
}

#[test]
fn a_group_of_commands_where_pipelining_is_offered() {
    sending(
        &plain(),
        &MailParameters::default(),
        &["<a@b.test>", "<b@b.test>", "<c@b.test>"],
        &[
            "220-mx\r\n220 ESMTP\r\n",
            "250-mx\r\n250-pipelining\r\n250 8BITMIME\r\n",
            "250 Ok\r\n250 Ok\r\n550-5.1.1 no\r\n550 5.1.1 such\r\n451 later\r\n354 go\r\n",
            "250 Ok\r\n",
        ],
        "EHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\nRCPT TO:<a@b.test>\nRCPT TO:<b@b.test>\n\
         RCPT TO:<c@b.test>\nDATA\n[Mail: 250 Ok]\n[Recipient(0): 250 Ok]\n\
         [Recipient(1): 550 5.1.1 no / such]\n[Recipient(2): 451 later]\n[Data: 354 go]\n\
         Subject: x\n\n..x\n.\n[EndOfData: 250 Ok]\nQUIT\n",
    );
}

#[test]
fn lmtp_answers_for_each_accepted_recipient() {
    sending(
        &lmtp(),
        &MailParameters::default(),
        &["<a@b.test>", "<b@b.test>", "<c@b.test>"],
        &[
            "220 mx LMTP\r\n",
            "250-mx\r\n250 PIPELINING\r\n",
            "250 Ok\r\n250 Ok\r\n550 no\r\n251 Ok\r\n354 go\r\n",
            "250 2.0.0 a\r\n452 4.2.2 full\r\n",
        ],
        "LHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\nRCPT TO:<a@b.test>\nRCPT TO:<b@b.test>\n\
         RCPT TO:<c@b.test>\nDATA\n[Mail: 250 Ok]\n[Recipient(0): 250 Ok]\n\
         [Recipient(1): 550 no]\n[Recipient(2): 251 Ok]\n[Data: 354 go]\n\
         Subject: x\n\n..x\n.\n[Delivered(0): 250 2.0.0 a]\n[Delivered(2): 452 4.2.2 full]\nQUIT\n",
    );
}

/// RFC 5321 section 4.2.1: who knows no more of a reply goes by its first digit.
#[test]
fn a_yes_is_one_whatever_its_other_digits() {
    session(
        &plain(),
        &[
            "220 mx\r\n",
            "250 mx\r\n",
            "200 a\r\n",
            "240 b\r\n",
            "354 go\r\n",
            "200 taken\r\n",
            "221 Bye\r\n",
        ],
        "EHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\n[Mail: 200 a]\nRCPT TO:<bob@b.test>\n\
         [Recipient(0): 240 b]\nDATA\n[Data: 354 go]\nSubject: x\n\n..x\n.\n\
         [EndOfData: 200 taken]\nQUIT\n[Quit: 221 Bye]\n",
    );
}

#[test]
fn refusals_are_replies_and_the_connection_goes_on() {
    session(
        &plain(),
        &["220 mx\r\n", "250 mx\r\n", "550 5.7.1 not you\r\n", "250 Ok\r\n", "221 Bye\r\n"],
        "EHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\n[Mail: 550 5.7.1 not you]\nRSET\n\
         [Reset: 250 Ok]\nQUIT\n[Quit: 221 Bye]\n",
    );
    session(
        &plain(),
        &["220 mx\r\n", "250 mx\r\n", "250 Ok\r\n", "250 Ok\r\n", "554 no\r\n"],
        "EHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\n[Mail: 250 Ok]\nRCPT TO:<bob@b.test>\n\
         [Recipient(0): 250 Ok]\nDATA\n[Data: 554 no]\nQUIT\n",
    );
}

#[test]
fn a_greeting_that_is_none_fails_the_target() {
    for (greeting, failure) in [
        ("554 5.7.1 go away\r\n", "the back end greets with: 554 5.7.1 go away"),
        ("450 busy\r\n", "the back end greets with: 450 busy"),
        ("421-4.3.2 not\r\n421 4.3.2 now\r\n", "the back end greets with: 421 4.3.2 not / now"),
        ("250 mx\r\n", "the back end answers a connection with: 250 mx"),
        ("354 mx\r\n", "the back end answers a connection with: 354 mx"),
        (
            "220mx\r\n",
            "the back end does not speak the protocol: the code is followed by neither a space nor a hyphen",
        ),
        (
            "299-a\r\n298 b\r\n",
            "the back end does not speak the protocol: the lines of a reply have different codes",
        ),
    ] {
        session(&plain(), &[greeting], &format!("[failed {failure}]\n"));
    }
    for other in ["* OK IMAP4rev1\r\n", "+OK POP3\r\n", "SSH-2.0\r\n", "\x15\x03", "\r\n"] {
        let mut back = Back::new(plain());
        let advance = back.advance(&other.as_bytes()[..1], &mut Vec::new());
        let failed = BackAction::Failed(BackFailure::Protocol("a greeting"));
        assert_eq!(advance.action, failed, "{other:?}");
    }
}

#[test]
fn helo_where_ehlo_is_unknown() {
    for code in ["500", "502"] {
        session(
            &plain(),
            &["220 mx\r\n", &format!("{code} what?\r\n"), "250 mx\r\n"],
            "EHLO mx.test\nHELO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\n",
        );
    }
    session(
        &plain(),
        &["220 mx\r\n", "502 what?\r\n", "550 no\r\n"],
        "EHLO mx.test\nHELO mx.test\n[failed the back end refuses our greeting: 550 no]\n",
    );
    // There is no LMTP without LHLO, no way to TLS without EHLO, and no other code says that a
    // command is unknown.
    let refused = "[failed the back end refuses our greeting: 502 what?]\n";
    session(&lmtp(), &["220 mx\r\n", "502 what?\r\n"], &format!("LHLO mx.test\n{refused}"));
    session(
        &settings(Encryption::Starttls),
        &["220 mx\r\n", "502 what?\r\n"],
        &format!("EHLO mx.test\n{refused}"),
    );
    session(
        &plain(),
        &["220 mx\r\n", "550 5.7.1 no\r\n"],
        "EHLO mx.test\n[failed the back end refuses our greeting: 550 5.7.1 no]\n",
    );
}

#[test]
fn starttls_comes_before_everything_and_what_was_learnt_is_forgotten() {
    sending(
        &settings(Encryption::Starttls),
        &MailParameters { size: Some(99), ..MailParameters::default() },
        &["<bob@b.test>"],
        &[
            "220 mx\r\n",
            "250-mx\r\n250-PIPELINING\r\n250-SIZE\r\n250 STARTTLS\r\n",
            "220 2.0.0 go\r\n",
            "250-mx\r\n250 8BITMIME\r\n",
            "250 Ok\r\n",
        ],
        "EHLO mx.test\nSTARTTLS\n[tls]\nEHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\n\
         [Mail: 250 Ok]\nRCPT TO:<bob@b.test>\n",
    );
    session(
        &settings(Encryption::Starttls),
        &["220 mx\r\n", "250-mx\r\n250 SIZE\r\n"],
        "EHLO mx.test\n[failed the back end does not offer STARTTLS]\n",
    );
    session(
        &settings(Encryption::Starttls),
        &["220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "454 4.7.0 not now\r\n"],
        "EHLO mx.test\nSTARTTLS\n[failed the back end refuses to start TLS: 454 4.7.0 not now]\n",
    );
}

#[test]
fn octets_behind_the_agreement_to_start_tls_fail_the_target() {
    let started = || {
        let (mut back, mut out) = (Back::new(settings(Encryption::Starttls)), Vec::new());
        back.advance(b"220 mx\r\n", &mut out);
        back.advance(b"250-mx\r\n", &mut out);
        back.advance(b"250 STARTTLS\r\n", &mut out);
        back
    };
    let failed = BackAction::Failed(BackFailure::PlaintextAfterStarttls);
    let mut back = started();
    assert_eq!(back.advance(b"220 go\r\n250 mx\r\n", &mut Vec::new()).action, failed);

    let mut back = started();
    assert_eq!(back.advance(b"220 go\r\n", &mut Vec::new()).action, BackAction::StartTls);
    assert_eq!(back.advance(b"", &mut Vec::new()).action, BackAction::Read);
    assert_eq!(back.advance(b"2", &mut Vec::new()).action, failed);

    // Nor may anything be there over TLS before EHLO was said.
    let mut back = started();
    assert_eq!(back.advance(b"220 go\r\n", &mut Vec::new()).action, BackAction::StartTls);
    back.tls_started();
    let failed = BackAction::Failed(BackFailure::Unasked);
    assert_eq!(back.advance(b"250 mx\r\n", &mut Vec::new()).action, failed);
}

#[test]
fn xclient_and_a_new_beginning_behind_it() {
    let offered = "250-mx\r\n250-PIPELINING\r\n250 XCLIENT NAME ADDR PROTO HELO PORT\r\n";
    let told = "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=50123 PROTO=ESMTP HELO=ann.test";
    session(
        &telling(),
        &["220 mx\r\n", offered, "220 mx\r\n", "250-mx\r\n250 XCLIENT ADDR\r\n", "250 Ok\r\n"],
        &format!(
            "EHLO mx.test\n{told}\nEHLO ann.test\n[ready]\nMAIL FROM:<ann@a.test>\n\
             [Mail: 250 Ok]\nRCPT TO:<bob@b.test>\n"
        ),
    );
    // What the client calls itself is no reason to do without its back end.
    session(
        &telling(),
        &["220 mx\r\n", offered, "220 mx\r\n", "501 your name\r\n", "250 mx\r\n"],
        &format!(
            "EHLO mx.test\n{told}\nEHLO ann.test\nEHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\n"
        ),
    );
    // What was offered before it counts no more.
    session(
        &telling(),
        &["220 mx\r\n", offered, "220 mx\r\n", "502 what?\r\n", "502 what?\r\n", "250 mx\r\n"],
        &format!(
            "EHLO mx.test\n{told}\nEHLO ann.test\nEHLO mx.test\nHELO mx.test\n[ready]\n\
             MAIL FROM:<ann@a.test>\n"
        ),
    );
    session(
        &telling(),
        &["220 mx\r\n", offered, "550 5.7.0 not you\r\n", "250 Ok\r\n250 Ok\r\n354 go\r\n"],
        &format!(
            "EHLO mx.test\n{told}\n[ready]\nMAIL FROM:<ann@a.test>\nRCPT TO:<bob@b.test>\nDATA\n\
             [Mail: 250 Ok]\n[Recipient(0): 250 Ok]\n[Data: 354 go]\nSubject: x\n\n..x\n.\n"
        ),
    );
    session(
        &telling(),
        &["220 mx\r\n", offered, "421 4.7.0 bye\r\n"],
        &format!("EHLO mx.test\n{told}\n[failed the back end says goodbye: 421 4.7.0 bye]\n"),
    );
    session(
        &telling(),
        &["220 mx\r\n", "250-mx\r\n250 SIZE\r\n"],
        "EHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\n",
    );
    session(
        &plain(),
        &["220 mx\r\n", "250-mx\r\n250 XCLIENT ADDR\r\n"],
        "EHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\n",
    );
}

#[test]
fn only_parameters_that_the_back_end_knows_are_said() {
    let mail = MailParameters {
        size: Some(500),
        body: Some(Body::EightBitMime),
        smtputf8: true,
        ret: Some(Ret::Headers),
        envelope_id: Some("a+2Bb".parse().unwrap()),
    };
    let recipient = RecipientParameters {
        notify: Some(Notify { failure: true, ..Notify::default() }),
        original_recipient: Some("rfc822;bob@b.test".parse().unwrap()),
    };
    let said = |capabilities: &str| {
        let mut back = ready(plain(), capabilities);
        let mut out = Vec::new();
        back.mail(&ReversePath::Null, &mail, &mut out);
        back.recipient(&ForwardPath::Postmaster, &recipient, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(said("250 HELP\r\n"), "MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n");
    assert_eq!(
        said("250-SIZE\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"),
        "MAIL FROM:<> SIZE=500 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<Postmaster>\r\n"
    );
    assert_eq!(
        said("250 DSN\r\n"),
        "MAIL FROM:<> RET=HDRS ENVID=a+2Bb\r\n\
         RCPT TO:<Postmaster> NOTIFY=FAILURE ORCPT=rfc822;bob@b.test\r\n"
    );

    let lacks = |capabilities: &str| {
        let lacks = ready(plain(), capabilities).lacks(&mail);
        [lacks.size, lacks.eight_bit_mime, lacks.smtputf8]
    };
    assert_eq!(lacks("250 HELP\r\n"), [false, true, true]);
    assert_eq!(lacks("250-size 499\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"), [true, false, false]);
    assert_eq!(lacks("250-SIZE 500\r\n250 8bitmime\r\n"), [false, false, true]);
    assert_eq!(lacks("250 SIZE 0\r\n"), [false, true, true]);
    let nothing = MailParameters::default();
    assert_eq!(ready(plain(), "250 SIZE 1\r\n").lacks(&nothing), Default::default());
}

#[test]
fn capabilities_are_read() {
    let back = ready(
        plain(),
        "250-PIPELINING\r\n250-SIZE 99999999999999999999999\r\n250-ETRN\r\n250-STARTTLS\r\n\
         250-AUTH PLAIN SCRAM-SHA-1 xoauth2\r\n250-AUTH=LOGIN PLAIN\r\n\
         250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250 CHUNKING\r\n",
    );
    let offered = back.capabilities();
    assert!(offered.pipelining && offered.enhanced_status_codes && offered.dsn);
    assert!(offered.starttls && offered.chunking);
    assert!(!offered.eight_bit_mime && !offered.smtputf8);
    let mechanisms: Vec<&str> = offered.mechanisms.iter().map(|it| it.as_str()).collect();
    assert_eq!(mechanisms, ["PLAIN", "SCRAM-SHA-1", "XOAUTH2", "LOGIN"]);

    let covers = |extension: &str| offered.cover(extension);
    assert!(covers("dsn") && covers("SIZE") && covers("SIZE 52428800") && covers("AUTH PLAIN"));
    assert!(!covers("8BITMIME") && !covers("AUTH CRAM-MD5") && !covers("AUTHX"));
    // The first line is the server's name, whatever it looks like.
    let mut back = Back::new(plain());
    back.advance(b"220 dsn\r\n", &mut Vec::new());
    assert_eq!(back.advance(b"250 DSN\r\n", &mut Vec::new()).action, BackAction::Ready);
    assert!(!back.capabilities().dsn);

    let small = ready(plain(), "250 SIZE 1000\r\n");
    let covers = |extension: &str| small.capabilities().cover(extension);
    assert!(covers("size 1000") && !covers("SIZE 1001") && covers("SIZE") && !covers("SIZE 0"));
    assert!(!ready(plain(), "250 HELP\r\n").capabilities().cover("SIZE"));
}

#[test]
fn a_goodbye_ends_the_connection_at_any_time() {
    session(
        &plain(),
        &["220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n", "421 4.3.2 bye\r\n"],
        "EHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\nRCPT TO:<bob@b.test>\nDATA\n\
         [Mail: 421 4.3.2 bye]\n[failed the back end says goodbye: 421 4.3.2 bye]\n",
    );
    let mut back = ready(plain(), "250 HELP\r\n");
    let mut out = Vec::new();
    for cut in [&b"4"[..], b"42", b"421 4.4.2 ti"] {
        assert_eq!(back.advance(cut, &mut out).action, BackAction::Read, "{cut:?}");
    }
    let goodbye = Reply::new(421, EnhancedCode::new(4, 4, 2), "time");
    assert_eq!(
        back.advance(b"421 4.4.2 time\r\n", &mut out).action,
        BackAction::Failed(BackFailure::Goodbye(goodbye))
    );
    assert!(out.is_empty());
}

#[test]
fn behind_the_answer_to_quit_nothing_counts() {
    let mut back = ready(plain(), "250 HELP\r\n");
    let mut out = Vec::new();
    back.quit(&mut out);
    assert!(matches!(back.advance(b"221 bye\r\n", &mut out).action, BackAction::Reply(..)));
    for rest in [&b""[..], b"250 Ok\r\n", b"421 bye\r\n"] {
        let advance = back.advance(rest, &mut out);
        assert_eq!((advance.consumed, advance.action), (0, BackAction::Read));
    }
    assert_eq!(out, b"QUIT\r\n");
}

#[test]
fn unasked_replies_fail_the_connection() {
    // In place of an answer, and behind it.
    for early in ["220 mx\r\n250 mx\r\n", "220 mx\r\n4"] {
        let mut back = Back::new(plain());
        let mut out = Vec::new();
        let advance = back.advance(early.as_bytes(), &mut out);
        assert_eq!(advance.action, BackAction::Failed(BackFailure::Unasked));
        assert!(out.is_empty(), "EHLO was said");
    }
    for unasked in ["250 Ok\r\n", "2", "45", "x", "\r\n"] {
        let mut back = ready(plain(), "250 HELP\r\n");
        let advance = back.advance(unasked.as_bytes(), &mut Vec::new());
        assert_eq!(advance.action, BackAction::Failed(BackFailure::Unasked), "{unasked:?}");
    }
    session(
        &plain(),
        &["220 mx\r\n", "250 mx\r\n", "250 Ok\r\n", "250 Ok\r\n250 Ok\r\n250 Ok\r\n"],
        "EHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\n[Mail: 250 Ok]\nRCPT TO:<bob@b.test>\n\
         [Recipient(0): 250 Ok]\nDATA\n[failed the back end answers DATA with: 250 Ok]\nunread: \
         250 Ok\\r\\n",
    );
}

/// A back end that has agreed to take the message.
fn taking_data() -> Back {
    let mut back = ready(plain(), "250 PIPELINING\r\n");
    let mut out = Vec::new();
    back.mail(&ReversePath::Null, &MailParameters::default(), &mut out);
    back.recipient(&ForwardPath::Postmaster, &RecipientParameters::default(), &mut out);
    back.data(&mut out);
    for reply in [&b"250 Ok\r\n"[..], b"250 Ok\r\n", b"354 go\r\n"] {
        assert!(matches!(back.advance(reply, &mut out).action, BackAction::Reply(..)));
    }
    back
}

#[test]
fn whoever_talks_into_the_message_fails() {
    for word in ["250 Ok\r\n", "354 go\r\n", "552 too big\r\n"] {
        let advance = taking_data().advance(word.as_bytes(), &mut Vec::new());
        assert_eq!(advance.action, BackAction::Failed(BackFailure::Unasked), "{word:?}");
    }
    let advance = taking_data().advance(b"421 time\r\n", &mut Vec::new());
    assert!(matches!(advance.action, BackAction::Failed(BackFailure::Goodbye(_))));
}

#[test]
fn no_dot_goes_where_no_message_does() {
    let mut back = ready(plain(), "250 HELP\r\n");
    let mut out = Vec::new();
    back.end_of_data(&mut out);
    assert!(out.is_empty() && back.pending() == 0);

    let mut back = taking_data();
    back.end_of_data(&mut out);
    back.end_of_data(&mut out);
    assert_eq!((out.as_slice(), back.pending()), (&b".\r\n"[..], 1));

    let mut back = ready(plain(), "250 HELP\r\n");
    out.clear();
    back.data(&mut out);
    assert!(matches!(back.advance(b"503 no\r\n", &mut out).action, BackAction::Reply(..)));
    back.end_of_data(&mut out);
    assert_eq!(out, b"DATA\r\n");
}

#[test]
fn replies_of_another_shape_fail_the_connection() {
    for (replies, failure) in [
        (&["354 go\r\n"][..], "the back end answers MAIL with: 354 go"),
        (&["220 mx\r\n"], "the back end answers MAIL with: 220 mx"),
        (
            &["250-a\r\n550 b\r\n"],
            "the back end does not speak the protocol: the lines of a reply have different codes",
        ),
        (
            &["650 what\r\n"],
            "the back end does not speak the protocol: the line begins with no reply code",
        ),
        (&["Ok\r\n"], "the back end does not speak the protocol: a reply was expected"),
        (&["\r\n"], "the back end does not speak the protocol: a reply was expected"),
    ] {
        let replies: Vec<&str> =
            ["220 mx\r\n", "250 mx\r\n"].iter().chain(replies).copied().collect();
        let record =
            replay(&replies.iter().map(|it| it.as_bytes()).collect::<Vec<_>>(), || Driver {
                back: Back::new(plain()),
                mail: MailParameters::default(),
                recipients: vec!["<bob@b.test>"],
                named: 0,
                accepted: 0,
                over: false,
            });
        let record = record.split("unread: ").next().unwrap_or_default();
        assert_eq!(
            record,
            format!("EHLO mx.test\n[ready]\nMAIL FROM:<ann@a.test>\n[failed {failure}]\n")
        );
    }
}

#[test]
fn endless_replies_are_bounded() {
    let mut back = Back::new(plain());
    let long = format!("220 {}", "x".repeat(3000));
    let advance = back.advance(long.as_bytes(), &mut Vec::new());
    assert_eq!(advance.action, BackAction::Failed(BackFailure::TooLong));

    let mut back = Back::new(plain());
    let mut lines = 0;
    let failure = loop {
        match back.advance(b"220-welcome\r\n", &mut Vec::new()).action {
            BackAction::Read => lines += 1,
            action => break action,
        }
        assert!(lines < 1000);
    };
    assert_eq!(failure, BackAction::Failed(BackFailure::TooLong));
}

#[test]
fn recipients_of_an_earlier_transaction_do_not_count() {
    let mut back = ready(lmtp(), "250 PIPELINING\r\n");
    let mut out = Vec::new();
    let (none, nothing) = (MailParameters::default(), RecipientParameters::default());
    back.mail(&ReversePath::Null, &none, &mut out);
    back.recipient(&ForwardPath::Postmaster, &nothing, &mut out);
    back.reset(&mut out);
    back.mail(&ReversePath::Null, &none, &mut out);
    assert_eq!(back.recipient(&ForwardPath::Postmaster, &nothing, &mut out), 0);
    back.data(&mut out);
    let expected =
        [Asked::Mail, Asked::Recipient(0), Asked::Reset, Asked::Mail, Asked::Recipient(0)];
    for asked in expected {
        let BackAction::Reply(said, _) = back.advance(b"250 Ok\r\n", &mut out).action else {
            panic!("no reply")
        };
        assert_eq!(said, asked);
    }
    back.advance(b"354 go\r\n", &mut out);
    back.end_of_data(&mut out);
    assert_eq!(back.pending(), 1);
    let BackAction::Reply(asked, _) = back.advance(b"250 Ok\r\n", &mut out).action else {
        panic!("no reply")
    };
    assert_eq!(asked, Asked::Delivered(0));
}
