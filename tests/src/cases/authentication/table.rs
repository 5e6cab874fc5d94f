//! Each mechanism with each check of the password and each way into a back end, over each protocol,
//! with real servers: what the client hears, what the log says, and whose password goes on.

use std::time::Duration;

use super::clients::{Login, Mechanism};
use super::traces::shows;
use crate::cases::Case;
use crate::clusters::logins::{
    BACK_ENDS_OWN, Check, Entry, LoginCluster, PASSWORD, Protocol, user, welcome,
};
use crate::clusters::mailboxes::MASTER_PASSWORD;
use crate::servers::wait_for;

pub(crate) const CASES: &[Case] =
    &[("authentication::every_mechanism_check_and_entry_over_every_protocol", every_cell)];

/// A cell of the table.
#[derive(Clone, Copy, Debug)]
struct Cell {
    protocol: Protocol,
    mechanism: Mechanism,
    check: Check,
    entry: Entry,
}

/// What comes of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    In,
    /// As a wrong password; with the log's word for it.
    Refused(&'static str),
    /// A temporary error; with the log's word for it.
    Temporary(&'static str),
}

impl Cell {
    fn all() -> impl Iterator<Item = Self> {
        Protocol::ALL.into_iter().flat_map(|protocol| {
            Check::ALL.into_iter().flat_map(move |check| {
                Entry::ALL.into_iter().flat_map(move |entry| {
                    let mechanisms =
                        Mechanism::ALL.into_iter().filter(move |it| it.is_of(protocol));
                    mechanisms.map(move |mechanism| Self { protocol, mechanism, check, entry })
                })
            })
        })
    }

    /// As the table in docs/src/authentication.md has it.
    fn outcome(self) -> Outcome {
        use Mechanism::{
            Apop, Command, CramMd5, InAnothersName, Login, OauthBearer, Plain, ScramSha1,
            ScramSha256, XOauth2,
        };
        match (self.mechanism, self.check) {
            (CramMd5 | Apop, Check::Password) => Outcome::In,
            (CramMd5 | Apop, _) => Outcome::Refused("needs-clear-password"),
            (_, Check::BackEnd) if self.entry == Entry::Client => Outcome::In,
            (_, Check::BackEnd) => Outcome::Temporary("no-entry-configured"),
            (Command | Plain | Login, _) => Outcome::In,
            (XOauth2 | OauthBearer | ScramSha1 | ScramSha256, _) => {
                Outcome::Refused("not-for-the-front")
            }
            (InAnothersName, _) => Outcome::Refused("on-behalf"),
        }
    }

    fn user(self) -> String {
        user(self.check, self.entry)
    }

    /// The subject of the message that is sent in this cell.
    fn subject(self) -> String {
        format!("{:?} for {}", self.mechanism, self.user())
    }

    /// Logs in, and says what is not as it should be.
    fn try_out(self, cluster: &LoginCluster) -> Result<(), String> {
        let back_end = cluster.back_end(self.entry);
        let heard_before = (back_end.heard.said().len(), back_end.heard.connections());
        let logged_before = cluster.waypost.log().len();
        let user = self.user();
        let Self { protocol, mechanism, .. } = self;
        let login = Login { protocol, mechanism, user: &user, password: PASSWORD };
        let (is_in, said) = login.run(cluster, &self.subject());
        let heard = back_end.heard.said().split_off(heard_before.0);
        let no = match self.outcome() {
            Outcome::In => {
                let welcome = welcome(self.check, self.entry);
                let is_theirs = protocol == Protocol::Submission || said.contains(&welcome);
                return match self.misses(&heard) {
                    _ if !is_in || !is_theirs => Err(format!("not in: {said}")),
                    Some(whose) => Err(format!("{whose}: {}", String::from_utf8_lossy(&heard))),
                    None => Ok(()),
                };
            }
            Outcome::Refused(reason) => (reason, refusal(protocol)),
            Outcome::Temporary(reason) => (reason, unavailable(protocol)),
        };
        let (reason, words) = no;
        if is_in || !said.contains(words) {
            return Err(format!("not {words}: {said}"));
        }
        if (heard_before.0 + heard.len(), back_end.heard.connections()) != heard_before {
            return Err(format!("the back end heard of it: {}", String::from_utf8_lossy(&heard)));
        }
        let log = cluster.waypost.log().split_off(logged_before);
        if !log.contains(&format!("outcome={reason} ")) {
            return Err(format!("the log has no {reason}: {log}; {said}"));
        }
        Ok(())
    }

    /// What is wrong with what the back end has heard of somebody who is in.
    fn misses(self, heard: &[u8]) -> Option<&'static str> {
        let shows_password = [
            Mechanism::Command,
            Mechanism::Plain,
            Mechanism::Login,
            Mechanism::CramMd5,
            Mechanism::Apop,
        ]
        .contains(&self.mechanism);
        let (whose, expected) = match self.entry {
            Entry::Client => ("the client's password", PASSWORD),
            Entry::Master => ("the master user's password", MASTER_PASSWORD),
            Entry::Own => ("the back end's own password", BACK_ENDS_OWN),
        };
        let others = self.entry != Entry::Client && shows(heard, PASSWORD);
        (others || shows_password && !shows(heard, expected)).then_some(whose)
    }
}

const fn refusal(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Imap => "[AUTHENTICATIONFAILED]",
        Protocol::Pop3 => "-ERR [AUTH]",
        Protocol::Submission => "535",
    }
}

const fn unavailable(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Imap => "[UNAVAILABLE]",
        Protocol::Pop3 => "-ERR [SYS/TEMP]",
        Protocol::Submission => "454",
    }
}

fn every_cell() {
    let cluster = LoginCluster::start("", "");
    let wrong: Vec<String> = Cell::all()
        .filter_map(|cell| {
            let wrong = cell.try_out(&cluster).err()?;
            Some(format!("{cell:?}, {:?} expected: {wrong}", cell.outcome()))
        })
        .collect();
    assert!(wrong.is_empty(), "{} cells: {}", wrong.len(), wrong.join("\n\n"));
    every_message_has_arrived(&cluster);
}

/// Who was let in has sent one message each, in their own name, and nobody else has sent any.
fn every_message_has_arrived(cluster: &LoginCluster) {
    for entry in Entry::ALL {
        let postfix = &cluster.back_end(entry).postfix;
        wait_for("Postfix to deliver", Duration::from_secs(20), || postfix.is_idle().then_some(()));
        let sent = Cell::all().filter(|cell| {
            cell.protocol == Protocol::Submission
                && cell.entry == entry
                && cell.outcome() == Outcome::In
        });
        let mut sent: Vec<String> = sent.map(Cell::subject).collect();
        let mailbox = postfix.mailbox("inbox");
        let mut arrived: Vec<&str> =
            mailbox.iter().filter_map(|message| message.field("Subject")).collect();
        sent.sort();
        arrived.sort_unstable();
        assert_eq!(arrived, sent, "{entry:?}");
        for check in Check::ALL {
            let user = user(check, entry);
            let as_user = sent.iter().filter(|subject| subject.ends_with(&user)).count();
            let logged = postfix.log().matches(&format!("sasl_username={user}")).count();
            assert_eq!(logged, as_user, "{user}: {}", postfix.log());
        }
    }
}
