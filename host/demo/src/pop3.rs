//! POP3 (RFC 1939) with CAPA, TOP, UIDL and AUTH PLAIN (RFC 2449, RFC 5034).

use std::io;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tokio::net::TcpStream;

use crate::lines::Lines;
use crate::{MailboxStore, Message, User};

const CAPA: &str = "+OK capabilities follow\r\nTOP\r\nUIDL\r\nUSER\r\nSASL PLAIN\r\n\
                    RESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n.\r\n";

pub(crate) async fn serve(stream: TcpStream, store: &MailboxStore) -> io::Result<()> {
    let mut lines = Lines::new(stream);
    lines.write("+OK ready\r\n").await?;
    let Some(user) = log_in(&mut lines, store).await? else { return Ok(()) };
    // RFC 1939 section 3: the maildrop does not change under an open session.
    let messages: Vec<Message> = user.mailbox().lock().messages().to_vec();
    transactions(&mut lines, &user, &messages).await
}

async fn log_in(lines: &mut Lines, store: &MailboxStore) -> io::Result<Option<Arc<User>>> {
    let mut name = String::new();
    while let Some(line) = lines.next().await? {
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let attempt = match verb.to_ascii_uppercase().as_str() {
            "USER" => {
                rest.clone_into(&mut name);
                lines.write("+OK\r\n").await?;
                continue;
            }
            "PASS" => store.log_in(&name, rest),
            "AUTH" => auth_plain(lines, store, rest).await?,
            "CAPA" => {
                lines.write(CAPA).await?;
                continue;
            }
            "QUIT" => {
                lines.write("+OK bye\r\n").await?;
                return Ok(None);
            }
            _ => {
                lines.write("-ERR log in first\r\n").await?;
                continue;
            }
        };
        if let Some(user) = attempt {
            lines.write("+OK logged in\r\n").await?;
            return Ok(Some(user));
        }
        lines.write("-ERR [AUTH] wrong name or password\r\n").await?;
    }
    Ok(None)
}

async fn auth_plain(
    lines: &mut Lines,
    store: &MailboxStore,
    rest: &str,
) -> io::Result<Option<Arc<User>>> {
    let response = match rest.split_once(' ') {
        Some((_plain, initial)) => initial.to_owned(),
        None => {
            lines.write("+ \r\n").await?;
            lines.next().await?.unwrap_or_default()
        }
    };
    Ok(plain(store, &response))
}

/// RFC 4616 section 2; these back ends know no authorisation identity.
pub(crate) fn plain(store: &MailboxStore, response: &str) -> Option<Arc<User>> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(response).ok()?).ok()?;
    let mut parts = decoded.split('\0').skip(1);
    store.log_in(parts.next()?, parts.next()?)
}

async fn transactions(lines: &mut Lines, user: &User, messages: &[Message]) -> io::Result<()> {
    let mut deleted = vec![false; messages.len()];
    while let Some(line) = lines.next().await? {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        let number = words.next().and_then(|word| word.parse::<usize>().ok());
        let chosen = number
            .and_then(|number| number.checked_sub(1))
            .filter(|at| deleted.get(*at) == Some(&false))
            .and_then(|at| messages.get(at).map(|message| (at, message)));
        let kept = || messages.iter().enumerate().filter(|(at, _)| !deleted[*at]);
        let reply = match (verb.as_str(), chosen) {
            ("STAT", _) => {
                let octets: usize = kept().map(|(_, message)| message.text().len()).sum();
                format!("+OK {} {octets}\r\n", kept().count())
            }
            ("LIST", None) if number.is_none() => {
                listing(kept().map(|(at, message)| (at, message.text().len().to_string())))
            }
            ("UIDL", None) if number.is_none() => {
                listing(kept().map(|(at, message)| (at, message.uid.to_string())))
            }
            ("LIST", Some((at, message))) => format!("+OK {} {}\r\n", at + 1, message.text().len()),
            ("UIDL", Some((at, message))) => format!("+OK {} {}\r\n", at + 1, message.uid),
            ("RETR", Some((_, message))) => multi_line(message.text().lines()),
            ("TOP", Some((_, message))) => {
                let count = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
                multi_line(message.header().lines().chain(message.body().lines().take(count)))
            }
            ("DELE", Some((at, _))) => {
                deleted[at] = true;
                "+OK deleted\r\n".to_owned()
            }
            ("RSET", _) => {
                deleted.fill(false);
                "+OK\r\n".to_owned()
            }
            ("NOOP", _) => "+OK\r\n".to_owned(),
            ("CAPA", _) => CAPA.to_owned(),
            ("QUIT", _) => {
                let gone: Vec<u32> = (messages.iter().zip(&deleted))
                    .filter_map(|(message, deleted)| deleted.then_some(message.uid))
                    .collect();
                user.mailbox().lock().remove(|message| gone.contains(&message.uid));
                return lines.write("+OK bye\r\n").await;
            }
            ("LIST" | "UIDL" | "RETR" | "TOP" | "DELE", None) => {
                "-ERR no such message\r\n".to_owned()
            }
            _ => "-ERR unknown command\r\n".to_owned(),
        };
        lines.write(&reply).await?;
    }
    Ok(())
}

fn listing(rows: impl Iterator<Item = (usize, String)>) -> String {
    let rows: String = rows.map(|(at, value)| format!("{} {value}\r\n", at + 1)).collect();
    format!("+OK\r\n{rows}.\r\n")
}

/// RFC 1939 section 3: a line that starts with the termination octet is stuffed with another.
fn multi_line<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut reply = "+OK\r\n".to_owned();
    for line in lines {
        if line.starts_with('.') {
            reply.push('.');
        }
        reply.push_str(line);
        reply.push_str("\r\n");
    }
    reply.push_str(".\r\n");
    reply
}
