//! Keeps one connection up: connects, notices the end, connects anew, and replaces what is worn
//! out or goes to a server that is not the first.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::connector::{Connector, Slot, jittered_time};
use super::link::{Link, Reason};

/// A connection that ends sooner than this counts as a failure to connect.
const SHORT_LIVED: Duration = Duration::from_secs(2);

/// Runs until it is aborted.
pub(super) async fn keep(connector: Arc<Connector>, slot: usize) {
    let mut backoff = Backoff::new(&connector);
    loop {
        let link = match connect_any(&connector).await {
            Ok(link) => link,
            Err(reason) => {
                connector.set_slot(slot, Slot::Down(reason));
                sleep(backoff.next()).await;
                continue;
            }
        };
        tracing::info!(
            target: "waypost::directory",
            directory = %connector.settings.name,
            server = %connector.url(link.server),
            protection = %link.protection,
            "connected to the directory"
        );
        let since = Instant::now();
        connector.set_slot(slot, Slot::Up(link.clone()));
        let (server, reason) = tend(&connector, slot, link).await;
        tracing::warn!(
            target: "waypost::directory",
            directory = %connector.settings.name,
            server = %connector.url(server),
            %reason,
            "the connection to the directory ended"
        );
        let short_lived = since.elapsed() < SHORT_LIVED;
        if short_lived {
            connector.note_failure(server);
        } else {
            backoff = Backoff::new(&connector);
        }
        if short_lived && !connector.has_untroubled() {
            connector.set_slot(slot, Slot::Down(reason));
            sleep(backoff.next()).await;
        } else {
            connector.set_lost(slot);
        }
    }
}

/// Connects to the first server that can be connected to.
async fn connect_any(connector: &Connector) -> Result<Arc<Link>, Reason> {
    let mut last = Reason::from("no server is configured");
    for server in connector.order() {
        match connector.connect(server).await {
            Ok(link) => return Ok(link),
            Err(error) => last = Reason::from(format!("{}: {error}", connector.url(server))),
        }
    }
    Err(last)
}

/// Waits for the end of a connection, replacing it meanwhile when its time has come. Answers which
/// server ended the last one, and why.
async fn tend(connector: &Connector, slot: usize, mut link: Arc<Link>) -> (usize, Reason) {
    loop {
        let replacement = tokio::select! {
            reason = link.ended() => return (link.server, reason),
            replacement = replace(connector, &link) => replacement,
        };
        // The old connection ends when the searches on it have.
        link = replacement;
        connector.set_slot(slot, Slot::Up(link.clone()));
        tracing::debug!(
            target: "waypost::directory",
            directory = %connector.settings.name,
            server = %connector.url(link.server),
            "the connection to the directory was replaced"
        );
    }
}

/// Waits until a connection is to be replaced and can be. Dropped when that one ends.
async fn replace(connector: &Connector, link: &Link) -> Arc<Link> {
    let settings = &connector.settings;
    let mut old_at = Instant::now() + jittered_time(settings.recycle_age);
    let mut try_better_at = Instant::now() + jittered_time(settings.fail_back_after);
    let mut worn = false;
    loop {
        let better = tokio::select! {
            () = link.worn(), if !worn => false,
            () = sleep_until(old_at) => false,
            () = sleep_until(try_better_at), if link.server > 0 => true,
        };
        if better {
            for server in 0..link.server {
                if let Ok(link) = connector.connect(server).await {
                    return link;
                }
            }
            try_better_at = Instant::now() + jittered_time(settings.fail_back_after);
        } else {
            worn = true;
            if let Ok(link) = connect_any(connector).await {
                return link;
            }
            // Worn out is better than none.
            old_at = Instant::now() + jittered_time(settings.backoff_max);
        }
    }
}

/// How long to wait between attempts: longer each time, and never quite the same.
struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    fn new(connector: &Connector) -> Self {
        Self { next: connector.settings.backoff_min, max: connector.settings.backoff_max }
    }

    fn next(&mut self) -> Duration {
        let this = self.next.min(self.max);
        self.next = this.saturating_mul(2);
        jittered_time(this)
    }
}
