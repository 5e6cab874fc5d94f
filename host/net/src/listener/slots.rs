use std::net::IpAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::{Connection, Shared};
use crate::limits::{ConnectionSlot, LimitReached, UserSlot};

/// The slots that a session holds; dropping it gives them back.
#[derive(Debug)]
#[must_use = "dropping the slots gives them back"]
pub struct Slots {
    _connection: ConnectionSlot,
    user: Option<UserSlot>,
    shared: Arc<Shared>,
    counted: bool,
}

impl Connection {
    /// Whether the client is counted, by address and by user: whether it is in none of the
    /// listener's `exempt-networks`.
    pub fn is_counted(&self) -> bool {
        self.shared.settings.counts(self.client.ip())
    }

    /// Parts the client's bytes from what is held for as long as the session lives.
    pub fn split(self) -> (TcpStream, Slots) {
        let Self { stream, client, slot, shared, .. } = self;
        let counted = shared.settings.counts(client.ip());
        (stream, Slots { _connection: slot, user: None, shared, counted })
    }
}

impl Slots {
    /// Whether a client is counted of whom a trusted proxy speaks that has this connection: whether
    /// it is in none of the listener's `exempt-networks`.
    pub fn counts(&self, client: IpAddr) -> bool {
        self.shared.settings.counts(client)
    }

    /// Takes a slot for `user` as well, under `max-connections-per-user`. A client in
    /// `exempt-networks` needs none.
    pub fn take_user(&mut self, user: &str) -> Result<(), LimitReached> {
        if !self.counted {
            return Ok(());
        }
        let max = self.shared.settings.max_connections_per_user;
        let taken = self.shared.limits.process().user(user, max);
        match taken {
            Ok(slot) => self.user = Some(slot),
            Err(reached) => {
                self.shared.metrics.refused(reached.as_str());
                return Err(reached);
            }
        }
        Ok(())
    }
}
