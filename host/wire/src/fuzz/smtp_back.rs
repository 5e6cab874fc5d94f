use std::collections::VecDeque;
use std::sync::Arc;

use waypost_model::Encryption;

use super::dialogue::{Next, Player, check_lines, check_same, crumbs, lines, play};
use crate::smtp::{
    Asked, Back, BackAction, BackSettings, Body, ClientIdentity, ClientProtocol, ForwardPath,
    MailParameters, RecipientParameters, Reply, ReversePath,
};

/// How many recipients the player names.
const RECIPIENTS: usize = 3;

/// SMTP and LMTP as back ends that take mail speak them. The first octet chooses the settings, the
/// rest is what the server sends, each line when the one before has been dealt with; the player
/// sends one message and says QUIT.
///
/// However a line is cut, output and actions are the same. Before TLS nothing but the way to it is
/// said; each command has one reply, in their order; after the dot an LMTP server's count as many
/// as it accepted recipients; and no dot goes out that the server has not asked for.
pub fn smtp_back(data: &[u8]) {
    let Some((&choice, input)) = data.split_first() else { return };
    let player = || BackPlayer {
        back: Back::new(settings(choice)),
        lmtp: choice & 2 != 0,
        encrypted: choice & 1 == 0,
        ready: false,
        due: VecDeque::new(),
        accepted: Vec::new(),
    };
    let by_line = play(lines(input), player());
    check_same(&by_line, &play(crumbs(input), player()), "octet by octet");
    // Uncut, replies come before they are asked for, which is another story; it must end as well.
    play([input], player());
}

fn settings(choice: u8) -> BackSettings {
    let client = ClientIdentity {
        client: ([192, 0, 2, 1], 50123).into(),
        local: ([192, 0, 2, 2], 25).into(),
        hello: (choice & 8 != 0).then(|| Arc::from("ann.test")),
        protocol: ClientProtocol::Esmtp,
        session: None,
        ttl: None,
    };
    BackSettings {
        encryption: if choice & 1 == 0 { Encryption::None } else { Encryption::Starttls },
        lmtp: choice & 2 != 0,
        name: Arc::from("mx.test"),
        client: (choice & 4 != 0).then_some(client),
    }
}

struct BackPlayer {
    back: Back,
    lmtp: bool,
    encrypted: bool,
    ready: bool,
    /// What replies are due.
    due: VecDeque<Asked>,
    accepted: Vec<usize>,
}

impl Player for BackPlayer {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, Next) {
        let start = record.len();
        let advance = self.back.advance(unread, record);
        let said = &record[start..];
        check_lines(said);
        let hello: &[u8] = if self.lmtp { b"LHLO mx.test\r\n" } else { b"EHLO mx.test\r\n" };
        if !self.encrypted {
            assert!([&b""[..], hello, b"STARTTLS\r\n"].contains(&said), "said in clear");
        } else if self.ready {
            assert!(said.is_empty(), "said of itself");
        }
        (advance.consumed, self.act(advance.action, record))
    }
}

impl BackPlayer {
    fn act(&mut self, action: BackAction, record: &mut Vec<u8>) -> Next {
        let start = record.len();
        match action {
            BackAction::Read => return Next::Read,
            BackAction::StartTls => {
                assert!(!self.encrypted, "TLS twice");
                self.encrypted = true;
                record.extend_from_slice(b"[tls]");
                self.back.tls_started();
            }
            BackAction::Ready => {
                assert!(self.encrypted && !self.ready, "ready in clear, or twice");
                self.ready = true;
                self.begin(record);
                check_lines(&record[start..]);
            }
            BackAction::Reply(asked, reply) => {
                assert_eq!(self.due.pop_front(), Some(asked), "a reply out of order");
                check_reply(&reply);
                record.extend_from_slice(format!("[{asked:?} {reply}]").as_bytes());
                if reply.is_goodbye() {
                    let next = self.back.advance(b"", &mut Vec::new());
                    assert!(matches!(next.action, BackAction::Failed(_)), "goes on after 421");
                    self.due.clear();
                } else if asked == Asked::Quit {
                    return Next::End;
                } else {
                    let start = record.len();
                    self.go_on(asked, &reply, record);
                    check_lines(&record[start..]);
                }
                assert_eq!(self.back.pending(), self.due.len());
            }
            BackAction::Failed(failure) => {
                failure.reply().into_iter().for_each(check_reply);
                record.extend_from_slice(format!("[{failure}]").as_bytes());
                let again = self.back.advance(b"250 Ok\r\n", &mut Vec::new());
                assert_eq!((again.consumed, again.action), (0, BackAction::Failed(failure)));
                return Next::End;
            }
        }
        Next::Act
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        let mail = MailParameters {
            size: Some(7),
            body: Some(Body::EightBitMime),
            ..MailParameters::default()
        };
        self.back.mail(&ReversePath::Null, &mail, out);
        self.due.push_back(Asked::Mail);
        for number in 0..RECIPIENTS {
            let nothing = RecipientParameters::default();
            assert_eq!(self.back.recipient(&ForwardPath::Postmaster, &nothing, out), number);
            self.due.push_back(Asked::Recipient(number));
        }
        self.back.data(out);
        self.due.push_back(Asked::Data);
    }

    fn go_on(&mut self, asked: Asked, reply: &Reply, out: &mut Vec<u8>) {
        let start = out.len();
        let mut dot = false;
        match asked {
            Asked::Recipient(number) if reply.is_positive() => self.accepted.push(number),
            Asked::Data if reply.is_intermediate() => {
                dot = true;
                match self.lmtp {
                    true => self.due.extend(self.accepted.drain(..).map(Asked::Delivered)),
                    false => self.due.push_back(Asked::EndOfData),
                }
            }
            _ => {}
        }
        self.back.end_of_data(out);
        assert_eq!(&out[start..] == b".\r\n", dot, "a dot where none is due, or none where one is");
        if self.due.is_empty() {
            self.back.quit(out);
            self.due.push_back(Asked::Quit);
        }
    }
}

fn check_reply(reply: &Reply) {
    assert!((200..600).contains(&reply.code()));
    let mut out = Vec::new();
    reply.write(true, &mut out);
    check_lines(&out);
    let text = str::from_utf8(&out).expect("a reply is UTF-8");
    assert!(!text.replace("\r\n", "").contains(char::is_control));
    assert!(text.split_inclusive("\r\n").all(|line| line.len() <= 512));
}
