//! Two small back ends in one process: what `waypost demo` puts behind the real proxy.
//!
//! They hold a handful of mailboxes in memory, speak as much IMAP and POP3 as mail clients need to
//! list and read them, as much SMTP as it takes to bring mail in and out, and show a mailbox on a
//! page. They are real servers on real sockets, but not meant for anything else: no TLS, one mailbox
//! per user, nothing survives the process.

mod imap;
mod lines;
mod mailbox;
mod message;
mod pop3;
mod smtp;
pub mod web;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::smtp::Role;

pub use mailbox::{Mailbox, MailboxStore, User};
pub use message::Message;

/// Ports of a back end that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Where it speaks IMAP.
    pub imap: SocketAddr,
    /// Where it speaks POP3.
    pub pop3: SocketAddr,
    /// Where it takes mail for its mailboxes.
    pub smtp: SocketAddr,
    /// Where it takes mail of its users.
    pub submission: SocketAddr,
    /// Where it shows mailboxes to browsers.
    pub web: SocketAddr,
}

/// A back end that is running. It stops when this is dropped; sessions in progress end with the
/// runtime.
#[derive(Debug)]
pub struct BackEnd {
    addresses: Addresses,
    accepting: [JoinHandle<()>; 5],
}

impl BackEnd {
    /// Binds the ports (zero takes a free one) and serves `store` on the current runtime. What its
    /// users send goes on to `front`, by SMTP.
    ///
    /// # Errors
    /// When a port cannot be bound.
    pub async fn start(
        wanted: Addresses,
        store: Arc<MailboxStore>,
        front: SocketAddr,
    ) -> io::Result<Self> {
        let imap = TcpListener::bind(wanted.imap).await?;
        let pop3 = TcpListener::bind(wanted.pop3).await?;
        let smtp = TcpListener::bind(wanted.smtp).await?;
        let submission = TcpListener::bind(wanted.submission).await?;
        let web = TcpListener::bind(wanted.web).await?;
        let addresses = Addresses {
            imap: imap.local_addr()?,
            pop3: pop3.local_addr()?,
            smtp: smtp.local_addr()?,
            submission: submission.local_addr()?,
            web: web.local_addr()?,
        };
        let accepting = [
            (imap, Port::Imap),
            (pop3, Port::Pop3),
            (smtp, Port::Smtp(Role::Incoming)),
            (submission, Port::Smtp(Role::Submission { front })),
            (web, Port::Web),
        ]
        .map(|(listener, port)| tokio::spawn(accept(listener, port, store.clone())));
        Ok(Self { addresses, accepting })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }
}

/// What is spoken on a port.
#[derive(Clone, Copy, Debug)]
enum Port {
    Imap,
    Pop3,
    Smtp(Role),
    Web,
}

async fn accept(listener: TcpListener, port: Port, store: Arc<MailboxStore>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, port, store.clone()));
    }
}

async fn serve(stream: TcpStream, port: Port, store: Arc<MailboxStore>) {
    // A client that goes away is no concern of anybody's.
    let _ = match port {
        Port::Imap => imap::serve(stream, &store).await,
        Port::Pop3 => pop3::serve(stream, &store).await,
        Port::Smtp(role) => smtp::serve(stream, &store, role).await,
        Port::Web => {
            web::serve(stream, &store).await;
            Ok(())
        }
    };
}

impl Drop for BackEnd {
    fn drop(&mut self) {
        for task in &self.accepting {
            task.abort();
        }
    }
}
