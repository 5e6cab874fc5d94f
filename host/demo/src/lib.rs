//! Two small back ends in one process: what `waypost demo` puts behind the real proxy.
//!
//! They hold a handful of mailboxes in memory and speak as much IMAP and POP3 as mail clients need
//! to list and read them. They are real servers on real sockets, but not meant for anything else:
//! no TLS, one mailbox per user, nothing survives the process.

mod imap;
mod lines;
mod mailbox;
mod message;
mod pop3;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use mailbox::{Mailbox, MailboxStore, User};
pub use message::Message;

/// Ports of a back end that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Where it speaks IMAP.
    pub imap: SocketAddr,
    /// Where it speaks POP3.
    pub pop3: SocketAddr,
}

/// A back end that is running. It stops when this is dropped; sessions in progress end with the
/// runtime.
#[derive(Debug)]
pub struct BackEnd {
    addresses: Addresses,
    accepting: [JoinHandle<()>; 2],
}

impl BackEnd {
    /// Binds both ports (zero takes a free one) and serves `store` on the current runtime.
    ///
    /// # Errors
    /// When a port cannot be bound.
    pub async fn start(wanted: Addresses, store: Arc<MailboxStore>) -> io::Result<Self> {
        let imap = TcpListener::bind(wanted.imap).await?;
        let pop3 = TcpListener::bind(wanted.pop3).await?;
        let addresses = Addresses { imap: imap.local_addr()?, pop3: pop3.local_addr()? };
        let imap_store = store.clone();
        let accepting = [
            tokio::spawn(async move {
                while let Ok((stream, _)) = imap.accept().await {
                    let store = imap_store.clone();
                    tokio::spawn(async move { imap::serve(stream, &store).await.ok() });
                }
            }),
            tokio::spawn(async move {
                while let Ok((stream, _)) = pop3.accept().await {
                    let store = store.clone();
                    tokio::spawn(async move { pop3::serve(stream, &store).await.ok() });
                }
            }),
        ];
        Ok(Self { addresses, accepting })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }
}

impl Drop for BackEnd {
    fn drop(&mut self) {
        for task in &self.accepting {
            task.abort();
        }
    }
}
