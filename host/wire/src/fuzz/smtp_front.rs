use std::num::NonZeroUsize;
use std::sync::Arc;

use waypost_model::Encryption;

use super::dialogue::{Next, Player, check_lines, check_same, crumbs, lines, play};
use crate::smtp::{EnhancedCode, Front, FrontAction, FrontSettings, Reply};

/// SMTP and LMTP as mail clients speak them. The first octet of `data` chooses the settings, the
/// second the driver's decisions, the rest is what the client sends.
///
/// However the input is cut, output, actions and content are the same. What the driver is asked
/// comes in an order that makes sense, a chunk is as long as it was said to be, and a message has
/// one reply, or in LMTP one for each recipient.
pub fn smtp_front(data: &[u8]) {
    let Some(([choice, decisions], input)) = data.split_first_chunk::<2>() else { return };
    let settings = Arc::new(FrontSettings {
        encryption: if choice & 1 == 0 { Encryption::Implicit } else { Encryption::Starttls },
        lmtp: choice & 2 != 0,
        smtputf8: choice & 4 != 0,
        dsn: choice & 8 != 0,
        max_size: if choice & 16 == 0 { 50 << 20 } else { 100 },
        max_errors: NonZeroUsize::MIN.saturating_add(usize::from(choice >> 5)),
        ..FrontSettings::default()
    });
    let player = || FrontPlayer {
        front: Front::new(settings.clone()),
        lmtp: settings.lmtp,
        decisions: *decisions,
        recipients: None,
        message: Message::None,
    };

    let by_line = play(lines(input), player());
    check_same(&by_line, &play(crumbs(input), player()), "octet by octet");
    // What stands behind STARTTLS closes the session, so there the cuts matter.
    if !by_line.windows(5).any(|part| part == b"[tls]") {
        check_same(&by_line, &play([input], player()), "uncut");
    }
}

struct FrontPlayer {
    front: Front,
    lmtp: bool,
    decisions: u8,
    /// How many a transaction has.
    recipients: Option<usize>,
    message: Message,
}

/// What comes of a message.
#[derive(Debug, PartialEq)]
enum Message {
    None,
    Data,
    /// So many octets more of a chunk.
    Chunk {
        left: u64,
        last: bool,
    },
    /// A part has come.
    Between,
    /// A part was refused.
    Refused,
}

impl Player for FrontPlayer {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, Next) {
        let start = record.len();
        let advance = self.front.advance(unread, record);
        check_lines(&record[start..]);
        let next = match advance.action {
            FrontAction::Read => Next::Read,
            FrontAction::Close(reason) => {
                record.extend_from_slice(format!("[{}]", reason.as_str()).as_bytes());
                Next::End
            }
            action => {
                self.act(action, record);
                Next::Act
            }
        };
        (advance.consumed, next)
    }
}

impl FrontPlayer {
    fn act(&mut self, action: FrontAction<'_>, record: &mut Vec<u8>) {
        if !matches!(action, FrontAction::Content(_)) {
            record.extend_from_slice(format!("[{action:?}]").as_bytes());
        }
        match action {
            FrontAction::Read | FrontAction::Close(_) => unreachable!("dealt with"),
            FrontAction::StartTls => {
                assert_eq!(self.recipients, None, "TLS inside a transaction");
                record.extend_from_slice(b"[tls]");
                self.front.tls_started();
            }
            FrontAction::Mail(mail) => {
                assert_eq!(self.recipients, None, "a transaction inside another");
                assert!(self.front.hello().is_some());
                assert!(mail.sender.is_ascii() || mail.parameters.smtputf8);
                self.recipients = self.reply(record).then_some(0);
                self.message = Message::None;
            }
            FrontAction::Recipient(_) => {
                assert_eq!(self.message, Message::None, "a recipient inside a message");
                let accepted = self.reply(record);
                let recipients = self.recipients.as_mut().expect("a transaction");
                *recipients += usize::from(accepted);
            }
            FrontAction::Data => {
                assert_eq!(self.message, Message::None, "DATA behind BDAT");
                assert_ne!(self.recipients.expect("a transaction"), 0);
                if self.go_ahead(record) {
                    self.message = Message::Data;
                } else {
                    self.recipients = None;
                }
            }
            FrontAction::Chunk(chunk) => {
                assert!(matches!(self.message, Message::None | Message::Between));
                assert_ne!(self.recipients.expect("a transaction"), 0);
                if self.go_ahead(record) {
                    self.message = Message::Chunk { left: chunk.size, last: chunk.last };
                } else {
                    self.message = Message::Refused;
                    self.recipients = self.recipients.filter(|_| !chunk.last);
                }
            }
            FrontAction::Content(octets) => {
                assert!(!octets.is_empty());
                record.extend_from_slice(octets);
                match &mut self.message {
                    Message::Data => {}
                    Message::Chunk { left, .. } => {
                        let len = u64::try_from(octets.len()).expect("fewer");
                        *left = left.checked_sub(len).expect("more than was said");
                    }
                    other => panic!("content where there is none: {other:?}"),
                }
            }
            FrontAction::ChunkEnd => {
                assert_eq!(self.message, Message::Chunk { left: 0, last: false });
                self.message = match self.reply(record) {
                    true => Message::Between,
                    false => Message::Refused,
                };
            }
            FrontAction::ContentEnd => {
                assert!(matches!(
                    self.message,
                    Message::Data | Message::Chunk { left: 0, last: true }
                ));
                self.end(record);
            }
            FrontAction::Reset => {
                self.recipients.take().expect("a transaction");
            }
        }
    }

    fn end(&mut self, record: &mut Vec<u8>) {
        let start = record.len();
        let recipients = self.recipients.take().expect("a transaction");
        match self.decide() {
            0 => self.front.replies([&OK], record),
            1 => self.front.replies(std::iter::repeat_n(&NO, 9), record),
            _ => self.front.reply(&OK, record),
        }
        let replies = lines(&record[start..]).count();
        assert_eq!(replies, if self.lmtp { recipients } else { 1 });
    }

    fn go_ahead(&mut self, record: &mut Vec<u8>) -> bool {
        let goes = self.decide() != 1;
        if goes {
            self.front.go_ahead(record);
        } else {
            self.front.reply(&NO, record);
        }
        goes
    }

    fn reply(&mut self, record: &mut Vec<u8>) -> bool {
        let accepts = self.decide() != 1;
        self.front.reply(if accepts { &OK } else { &NO }, record);
        accepts
    }

    fn decide(&mut self) -> u8 {
        let decision = self.decisions & 3;
        self.decisions = self.decisions.rotate_right(2);
        decision
    }
}

static OK: Reply = Reply::new(250, EnhancedCode::new(2, 0, 0), "Yes.");
static NO: Reply = Reply::new(450, EnhancedCode::new(4, 2, 0), "No.");
