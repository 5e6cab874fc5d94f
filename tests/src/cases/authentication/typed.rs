//! Logins as nobody's program says them, octet for octet.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::clusters::logins::{LoginCluster, Protocol};
use crate::talk::Talk;

/// A session that nobody has logged in to yet.
pub(super) struct Typed {
    pub(super) talk: Talk,
    protocol: Protocol,
}

/// How the name and the password are said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// IMAP's LOGIN with literals, POP3's USER and PASS.
    Command,
    /// PLAIN with an initial response.
    Plain,
    /// PLAIN in an answer to the challenge.
    PlainAsked,
    Login,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Command, Self::Plain, Self::PlainAsked, Self::Login];

    /// Whether a protocol can say these octets so.
    pub(super) fn carries(self, protocol: Protocol, octets: &[u8]) -> bool {
        let ends_line = octets.iter().any(|octet| b"\r\n".contains(octet));
        match (self, protocol) {
            (Self::Command, Protocol::Submission) => false,
            (Self::Command, Protocol::Pop3) => !ends_line,
            _ => true,
        }
    }
}

impl Typed {
    /// Connects and is greeted.
    pub(super) fn greeted(cluster: &LoginCluster, protocol: Protocol) -> Self {
        Self::welcomed(Talk::connect(cluster.door(protocol)), protocol)
    }

    /// The same over TLS.
    pub(super) fn greeted_securely(cluster: &LoginCluster, protocol: Protocol) -> Self {
        let door = cluster.secure_door(protocol);
        Self::welcomed(Talk::connect_securely(door, &cluster.ca()), protocol)
    }

    fn welcomed(talk: Talk, protocol: Protocol) -> Self {
        let mut typed = Self { talk, protocol };
        let greeting = typed.talk.line();
        let is_welcome = ["* OK", "+OK", "220"].iter().any(|it| greeting.starts_with(it));
        assert!(is_welcome, "{greeting}");
        if protocol == Protocol::Submission {
            let said = typed.talk.smtp("EHLO client.test");
            assert!(said.starts_with("250"), "{said}");
        }
        typed
    }

    /// Logs in, and answers with the last word on it.
    pub(super) fn log_in(&mut self, way: Way, name: &[u8], password: &[u8]) -> String {
        let message = [b"\0", name, b"\0", password].concat();
        match (way, self.protocol) {
            (Way::Plain, _) => self.begin("PLAIN", Some(&message)),
            (Way::PlainAsked, _) => self.exchange("PLAIN", &[&message]),
            (Way::Login, _) => self.exchange("LOGIN", &[name, password]),
            (Way::Command, Protocol::Imap) => {
                let mut octets = format!("a LOGIN {{{}+}}\r\n", name.len()).into_bytes();
                octets.extend_from_slice(name);
                octets.extend(format!(" {{{}+}}\r\n", password.len()).into_bytes());
                octets.extend_from_slice(password);
                octets.extend_from_slice(b"\r\n");
                self.talk.send(&octets);
                self.reply()
            }
            (Way::Command, _) => {
                self.talk.send(&[b"USER ", name, b"\r\n"].concat());
                let said = self.reply();
                if !said.starts_with("+OK") {
                    return said;
                }
                self.talk.send(&[b"PASS ", password, b"\r\n"].concat());
                self.reply()
            }
        }
    }

    /// Begins an exchange; the answer is a challenge or the last word.
    pub(super) fn begin(&mut self, mechanism: &str, initial: Option<&[u8]>) -> String {
        let initial = initial.map(|octets| format!(" {}", STANDARD.encode(octets)));
        let verb = if self.protocol == Protocol::Imap { "a AUTHENTICATE" } else { "AUTH" };
        self.talk.say(&format!("{verb} {mechanism}{}", initial.unwrap_or_default()));
        self.reply()
    }

    /// Says a message of the exchange.
    pub(super) fn respond(&mut self, message: &[u8]) -> String {
        self.talk.say(&STANDARD.encode(message));
        self.reply()
    }

    /// Answers each challenge with the next message, up to the last word.
    fn exchange(&mut self, mechanism: &str, messages: &[&[u8]]) -> String {
        let mut said = self.begin(mechanism, None);
        for message in messages {
            if !self.is_challenge(&said) {
                break;
            }
            said = self.respond(message);
        }
        said
    }

    /// Takes back what it has begun.
    pub(super) fn cancel(&mut self) -> String {
        self.talk.say("*");
        self.reply()
    }

    /// Whether the server wants to hear more.
    pub(super) fn is_challenge(&self, said: &str) -> bool {
        match self.protocol {
            Protocol::Imap | Protocol::Pop3 => said == "+" || said.starts_with("+ "),
            Protocol::Submission => said.starts_with("334"),
        }
    }

    /// Whether the session goes on.
    pub(super) fn is_alive(&mut self) -> bool {
        match self.protocol {
            Protocol::Imap => self.talk.imap("z", "NOOP").starts_with("z OK"),
            Protocol::Pop3 => self.talk.pop3("NOOP").starts_with("+OK"),
            Protocol::Submission => self.talk.smtp("NOOP").starts_with("250"),
        }
    }

    /// The next reply, IMAP's untagged lines left out; nothing where the connection is closed.
    pub(super) fn reply(&mut self) -> String {
        match self.protocol {
            Protocol::Imap => loop {
                let line = self.talk.line();
                if !line.starts_with("* ") || line.starts_with("* BYE") {
                    return line;
                }
            },
            Protocol::Pop3 => self.talk.line(),
            Protocol::Submission => self.talk.smtp_reply(),
        }
    }
}

/// Whether the last word lets the client in.
pub(super) fn is_in(said: &str) -> bool {
    ["a OK", "+OK", "235"].iter().any(|word| said.starts_with(word))
}
