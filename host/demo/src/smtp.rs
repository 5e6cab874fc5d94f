//! SMTP (RFC 5321) as a server of mailboxes needs it: mail comes in for those who live here, and
//! goes out, by submission (RFC 6409), for those who log in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::lines::Lines;
use crate::pop3::plain;
use crate::{MailboxStore, User};

/// The largest message, in octets.
const MAX_MESSAGE: usize = 10 << 20;
/// More recipients than anybody tries a demo with.
const MAX_RECIPIENTS: usize = 100;

/// What a port is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Mail for the mailboxes here.
    Incoming,
    /// Mail of those who have a mailbox here, which goes on to the cluster's own front door: it
    /// knows where everybody lives.
    Submission { front: SocketAddr },
}

/// What a client has said so far.
#[derive(Default)]
struct Transaction {
    sender: Option<String>,
    recipients: Vec<String>,
}

pub(crate) async fn serve(stream: TcpStream, store: &MailboxStore, role: Role) -> io::Result<()> {
    let mut lines = Lines::new(stream);
    let mut user: Option<Arc<User>> = None;
    let mut transaction = Transaction::default();
    lines.write("220 demo ESMTP\r\n").await?;
    while let Some(line) = lines.next().await? {
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let may_send = matches!(role, Role::Incoming) || user.is_some();
        let reply = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                transaction = Transaction::default();
                greeting(role)
            }
            "HELO" => "250 demo\r\n",
            "AUTH" if matches!(role, Role::Submission { .. }) && user.is_none() => {
                user = auth(&mut lines, store, rest).await?;
                match user {
                    Some(_) => "235 2.7.0 logged in\r\n",
                    None => "535 5.7.8 wrong name or password\r\n",
                }
            }
            "MAIL" | "RCPT" | "DATA" if !may_send => "530 5.7.0 log in first\r\n",
            "MAIL" => match path(rest, "FROM:") {
                Some(sender) => {
                    transaction = Transaction { sender: Some(sender), recipients: Vec::new() };
                    "250 2.1.0 ok\r\n"
                }
                None => "501 5.5.4 expected MAIL FROM:<address>\r\n",
            },
            "RCPT" => transaction.recipient(store, role, rest),
            "DATA" if transaction.recipients.is_empty() => "503 5.5.1 no recipients\r\n",
            "DATA" => {
                lines.write("354 go ahead\r\n").await?;
                let text = message(&mut lines).await?;
                let transaction = std::mem::take(&mut transaction);
                let reply = match text {
                    Some(text) => transaction.send(store, role, &text).await,
                    None => "552 5.3.4 too large\r\n".to_owned(),
                };
                lines.write(&reply).await?;
                continue;
            }
            "RSET" => {
                transaction = Transaction::default();
                "250 2.0.0 ok\r\n"
            }
            "NOOP" => "250 2.0.0 ok\r\n",
            "QUIT" => {
                lines.write("221 2.0.0 bye\r\n").await?;
                return Ok(());
            }
            _ => "500 5.5.1 what?\r\n",
        };
        lines.write(reply).await?;
    }
    Ok(())
}

const fn greeting(role: Role) -> &'static str {
    match role {
        Role::Incoming => {
            "250-demo\r\n250-8BITMIME\r\n250-SIZE 10485760\r\n250 ENHANCEDSTATUSCODES\r\n"
        }
        Role::Submission { .. } => {
            "250-demo\r\n250-8BITMIME\r\n250-SIZE 10485760\r\n250-AUTH PLAIN\r\n\
             250 ENHANCEDSTATUSCODES\r\n"
        }
    }
}

/// AUTH PLAIN, with or without an initial response (RFC 4954 section 4).
async fn auth(
    lines: &mut Lines,
    store: &MailboxStore,
    rest: &str,
) -> io::Result<Option<Arc<User>>> {
    let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
    if !mechanism.eq_ignore_ascii_case("PLAIN") {
        return Ok(None);
    }
    if !initial.is_empty() {
        return Ok(plain(store, initial));
    }
    lines.write("334 \r\n").await?;
    let response = lines.next().await?.unwrap_or_default();
    Ok(plain(store, &response))
}

impl Transaction {
    fn recipient(&mut self, store: &MailboxStore, role: Role, rest: &str) -> &'static str {
        if self.sender.is_none() {
            return "503 5.5.1 MAIL first\r\n";
        }
        if self.recipients.len() >= MAX_RECIPIENTS {
            return "452 4.5.3 too many recipients\r\n";
        }
        let Some(name) = path(rest, "TO:") else {
            return "501 5.5.4 expected RCPT TO:<address>\r\n";
        };
        if matches!(role, Role::Incoming) && store.user(&name).is_none() {
            return "550 5.1.1 nobody of that name lives here\r\n";
        }
        self.recipients.push(name);
        "250 2.1.5 ok\r\n"
    }

    async fn send(self, store: &MailboxStore, role: Role, text: &str) -> String {
        match role {
            Role::Incoming => {
                for user in self.recipients.iter().filter_map(|name| store.user(name)) {
                    user.mailbox().lock().deliver(text);
                }
                "250 2.0.0 delivered\r\n".to_owned()
            }
            Role::Submission { front } => match self.pass_on(front, text).await {
                Ok(reply) => reply,
                Err(_) => "451 4.4.1 the cluster's front door is closed\r\n".to_owned(),
            },
        }
    }

    /// Sends the message to the cluster's front door, and answers with the first reply that is no
    /// yes, or the last one.
    async fn pass_on(&self, front: SocketAddr, text: &str) -> io::Result<String> {
        let mut lines = Lines::new(TcpStream::connect(front).await?);
        let sender = self.sender.as_deref().unwrap_or_default();
        let mut commands =
            vec![String::new(), "EHLO demo\r\n".to_owned(), format!("MAIL FROM:<{sender}>\r\n")];
        commands.extend(self.recipients.iter().map(|name| format!("RCPT TO:<{name}>\r\n")));
        commands.push("DATA\r\n".to_owned());
        let mut stuffed = String::with_capacity(text.len());
        for line in text.lines() {
            let dot = if line.starts_with('.') { "." } else { "" };
            stuffed.extend([dot, line, "\r\n"]);
        }
        commands.push(stuffed + ".\r\n");
        let mut reply = String::new();
        for command in commands {
            lines.write(&command).await?;
            reply = said(&mut lines).await?;
            if !reply.starts_with(['2', '3']) {
                break;
            }
        }
        lines.write("QUIT\r\n").await?;
        Ok(reply + "\r\n")
    }
}

/// The last line of a reply (RFC 5321 section 4.2.1).
async fn said(lines: &mut Lines) -> io::Result<String> {
    loop {
        let line = lines.next().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
}

/// The address in `FROM:<address>` or `TO:<address>`, whatever parameters follow.
fn path(rest: &str, keyword: &str) -> Option<String> {
    let (found, rest) = rest.split_at_checked(keyword.len())?;
    if !found.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let (address, _parameters) = rest.trim_start().strip_prefix('<')?.split_once('>')?;
    Some(address.to_owned())
}

/// Reads a message up to its dot; `None` where it is too large.
async fn message(lines: &mut Lines) -> io::Result<Option<String>> {
    let mut text = String::new();
    let mut fits = true;
    loop {
        let line = lines.next().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line == "." {
            return Ok(fits.then_some(text));
        }
        fits &= text.len() + line.len() <= MAX_MESSAGE;
        if fits {
            text += line.strip_prefix('.').unwrap_or(&line);
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn an_address_stands_in_brackets() {
        assert_eq!(path("FROM:<a@b.test> SIZE=7", "FROM:").as_deref(), Some("a@b.test"));
        assert_eq!(path("to: <a@b.test>", "TO:").as_deref(), Some("a@b.test"));
        assert_eq!(path("FROM:<>", "FROM:").as_deref(), Some(""));
        assert_eq!(path("FROM:a@b.test", "FROM:"), None);
        assert_eq!(path("TO", "TO:"), None);
    }
}
