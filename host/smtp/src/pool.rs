//! Connections with back ends that wait for the session's next message.

use std::sync::{Arc, Weak};

use waypost_model::Target;
use waypost_routing::{Decide, Routed};
use waypost_session::{Generation, Grant};

use crate::backend::Connection;

/// How many wait at most; a message to more back ends than that is rare, and the next one rarer.
const MOST: usize = 16;

/// Connections that are open and in no transaction. They serve as long as the generation lives
/// under which they were opened, since the next one may demand more of a back end.
#[derive(Debug)]
pub(crate) struct Pool<P>(Vec<(Weak<Generation<P>>, Connection)>);

impl<P> Default for Pool<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<P: Decide> Pool<P>
where
    P::Targets: Grant,
{
    /// One with `target`, where there is one and the policy may name it at its address.
    pub(crate) async fn take(
        &mut self,
        target: &Target,
        routed: &Routed<P::Targets>,
        generation: &Arc<Generation<P>>,
    ) -> Option<Connection> {
        let stale =
            |weak: &Weak<Generation<P>>| !std::ptr::eq(weak.as_ptr(), Arc::as_ptr(generation));
        for (_, connection) in self.0.extract_if(.., |(weak, _)| stale(weak)) {
            connection.quit().await;
        }
        let place = self.0.iter().position(|(_, connection)| {
            connection.target == *target
                && routed.targets.allows_resolved(&target.host, &connection.address.ip())
        })?;
        Some(self.0.swap_remove(place).1)
    }

    /// Keeps a connection that is in step.
    pub(crate) async fn keep(&mut self, connection: Connection, generation: &Arc<Generation<P>>) {
        self.0.push((Arc::downgrade(generation), connection));
        if self.0.len() > MOST {
            self.0.remove(0).1.quit().await;
        }
    }

    /// Says goodbye to all.
    pub(crate) async fn quit(&mut self) {
        for (_, connection) in self.0.drain(..) {
            connection.quit().await;
        }
    }
}
