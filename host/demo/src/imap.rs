//! As much IMAP4rev1 (RFC 3501) as clients need to find and read one mailbox.

mod fetch;
mod words;

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::lines::Lines;
use crate::{Mailbox, MailboxStore, User, pop3};

use fetch::{NumberSet, fetch_response};
use words::{literal, words};

const CAPABILITY: &str = "IMAP4rev1 SASL-IR AUTH=PLAIN ID IDLE NAMESPACE UIDPLUS";

pub(crate) async fn serve(stream: TcpStream, store: &MailboxStore) -> io::Result<()> {
    let mut session = Session { lines: Lines::new(stream), user: None, selected: false };
    session.lines.write(&format!("* OK [CAPABILITY {CAPABILITY}] ready\r\n")).await?;
    while let Some(command) = session.read_command().await? {
        let (tag, rest) = command.split_once(' ').unwrap_or((&command, ""));
        let arguments = words(rest);
        let reply = session.run(tag, &arguments, store).await?;
        session.lines.write(&reply).await?;
        if arguments.first().is_some_and(|verb| verb.eq_ignore_ascii_case("logout")) {
            break;
        }
    }
    Ok(())
}

struct Session {
    lines: Lines,
    user: Option<Arc<User>>,
    selected: bool,
}

impl Session {
    /// One command with its literals put in as quoted strings.
    async fn read_command(&mut self) -> io::Result<Option<String>> {
        let Some(mut command) = self.lines.next().await? else { return Ok(None) };
        while let Some((before, count, synchronising)) = literal(&command) {
            if synchronising {
                self.lines.write("+ go on\r\n").await?;
            }
            let bytes = self.lines.exactly(count).await?;
            let Some(rest) = self.lines.next().await? else { return Ok(None) };
            let quoted = bytes.replace('\\', "\\\\").replace('"', "\\\"");
            command = format!("{before}\"{quoted}\"{rest}");
        }
        Ok(Some(command))
    }

    async fn run(
        &mut self,
        tag: &str,
        arguments: &[String],
        store: &MailboxStore,
    ) -> io::Result<String> {
        let verb = arguments.first().map(|verb| verb.to_ascii_uppercase()).unwrap_or_default();
        let rest = arguments.get(1..).unwrap_or_default();
        let ok = |untagged: &str| format!("{untagged}{tag} OK {verb} completed\r\n");
        Ok(match (verb.as_str(), &self.user) {
            ("CAPABILITY", _) => ok(&format!("* CAPABILITY {CAPABILITY}\r\n")),
            ("NOOP" | "CHECK", _) => ok(""),
            ("ID", _) => ok("* ID (\"name\" \"Waypost demo\")\r\n"),
            ("LOGOUT", _) => ok("* BYE see you\r\n"),
            ("LOGIN", None) => {
                let user = match rest {
                    [name, password] => store.log_in(name, password),
                    _ => None,
                };
                self.logged_in(tag, user)
            }
            ("AUTHENTICATE", None) => {
                let response = match rest.get(1) {
                    Some(initial) => initial.clone(),
                    None => {
                        self.lines.write("+ \r\n").await?;
                        self.lines.next().await?.unwrap_or_default()
                    }
                };
                self.logged_in(tag, pop3::plain(store, &response))
            }
            (_, None) => format!("{tag} BAD log in first\r\n"),
            ("IDLE", Some(_)) => {
                self.lines.write("+ idling\r\n").await?;
                self.lines.next().await?;
                ok("")
            }
            (_, Some(user)) => {
                let user = user.clone();
                let mut mailbox = user.mailbox().lock();
                match mailbox_command(&mut mailbox, &mut self.selected, &verb, rest) {
                    Some(untagged) => ok(&untagged),
                    None => format!("{tag} BAD unknown command or wrong arguments\r\n"),
                }
            }
        })
    }

    fn logged_in(&mut self, tag: &str, user: Option<Arc<User>>) -> String {
        self.user = user;
        match self.user {
            Some(_) => format!("{tag} OK [CAPABILITY {CAPABILITY}] logged in\r\n"),
            None => format!("{tag} NO [AUTHENTICATIONFAILED] wrong name or password\r\n"),
        }
    }
}

/// The untagged responses to a command on mailboxes; `None` where it is not understood.
fn mailbox_command(
    mailbox: &mut Mailbox,
    selected: &mut bool,
    verb: &str,
    arguments: &[String],
) -> Option<String> {
    match (verb, arguments) {
        ("LIST" | "LSUB", [_, pattern]) => Some(list(verb, pattern)),
        ("NAMESPACE", _) => Some("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n".to_owned()),
        ("STATUS", [name, ..]) if is_inbox(name) => Some(status(mailbox)),
        ("SELECT" | "EXAMINE", [name, ..]) if is_inbox(name) => {
            *selected = true;
            Some(select(mailbox))
        }
        ("CLOSE" | "UNSELECT", _) if *selected => {
            *selected = false;
            if verb == "CLOSE" {
                mailbox.remove(|message| message.deleted);
            }
            Some(String::new())
        }
        ("UID", [verb, rest @ ..]) if *selected => {
            message_command(mailbox, &verb.to_ascii_uppercase(), rest, true)
        }
        _ if *selected => message_command(mailbox, verb, arguments, false),
        _ => None,
    }
}

fn message_command(
    mailbox: &mut Mailbox,
    verb: &str,
    arguments: &[String],
    by_uid: bool,
) -> Option<String> {
    match (verb, arguments) {
        ("FETCH", [set, items @ ..]) => {
            let chosen = NumberSet::parse(set)?.choose(mailbox.messages(), by_uid);
            let messages = mailbox.messages_mut();
            chosen
                .into_iter()
                .map(|at| fetch_response(at, messages.get_mut(at)?, items, by_uid))
                .collect()
        }
        ("STORE", [set, how, flags @ ..]) => {
            let chosen = NumberSet::parse(set)?.choose(mailbox.messages(), by_uid);
            Some(store_flags(mailbox, &chosen, how, flags))
        }
        ("SEARCH", keys) => Some(search(mailbox, keys, by_uid)),
        ("EXPUNGE", _) => {
            let removed = mailbox.remove(|message| message.deleted);
            Some(removed.iter().map(|number| format!("* {number} EXPUNGE\r\n")).collect())
        }
        _ => None,
    }
}

fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case("INBOX")
}

fn list(verb: &str, pattern: &str) -> String {
    match pattern {
        "" => format!("* {verb} (\\Noselect) \"/\" \"\"\r\n"),
        _ if pattern.contains(['*', '%']) || is_inbox(pattern) => {
            format!("* {verb} (\\HasNoChildren) \"/\" INBOX\r\n")
        }
        _ => String::new(),
    }
}

fn select(mailbox: &Mailbox) -> String {
    format!(
        "* FLAGS (\\Seen \\Deleted)\r\n* OK [PERMANENTFLAGS (\\Seen \\Deleted)] kept while the \
         demo runs\r\n* {} EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 1] fixed\r\n\
         * OK [UIDNEXT {}] next\r\n",
        mailbox.messages().len(),
        mailbox.next_uid(),
    )
}

fn status(mailbox: &Mailbox) -> String {
    format!(
        "* STATUS INBOX (MESSAGES {} RECENT 0 UIDNEXT {} UIDVALIDITY 1 UNSEEN {})\r\n",
        mailbox.messages().len(),
        mailbox.next_uid(),
        mailbox.messages().iter().filter(|message| !message.seen).count(),
    )
}

fn search(mailbox: &Mailbox, keys: &[String], by_uid: bool) -> String {
    let has = |key: &str| keys.iter().any(|word| word.eq_ignore_ascii_case(key));
    let found = mailbox.messages().iter().enumerate().filter(|(_, message)| {
        (!has("UNSEEN") || !message.seen)
            && (!has("SEEN") || message.seen)
            && (!has("DELETED") || message.deleted)
            && (!has("UNDELETED") || !message.deleted)
    });
    let numbers: String = found
        .map(|(at, message)| if by_uid { message.uid as usize } else { at + 1 })
        .map(|number| format!(" {number}"))
        .collect();
    format!("* SEARCH{numbers}\r\n")
}

fn store_flags(mailbox: &mut Mailbox, chosen: &[usize], how: &str, flags: &[String]) -> String {
    let silent = how.to_ascii_uppercase().ends_with(".SILENT");
    let named = |flag: &str| {
        flags.iter().any(|word| word.trim_matches(['(', ')']).eq_ignore_ascii_case(flag))
    };
    let mut untagged = String::new();
    for at in chosen {
        let Some(message) = mailbox.messages_mut().get_mut(*at) else { continue };
        for (flag, value) in [("\\Seen", &mut message.seen), ("\\Deleted", &mut message.deleted)] {
            match how.as_bytes().first() {
                Some(b'+') => *value |= named(flag),
                Some(b'-') => *value &= !named(flag),
                _ => *value = named(flag),
            }
        }
        if !silent {
            untagged += &format!("* {} FETCH (FLAGS {})\r\n", at + 1, fetch::flags(message));
        }
    }
    untagged
}
