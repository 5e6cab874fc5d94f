//! Keeps one connection up: connects, notices the end, connects anew, and replaces what is worn
//! out or goes to a server that is not the first.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::connector::{Connector, Slot, jittered_time};
use super::link::{Link, Reason};

/// A connection that ends sooner than this counts as a failure to connect.
const SHORT_LIVED: Duration = Duration::from_secs(2);

/// How many times the longest wait to wait after a wrong password.
const WRONG_PASSWORD: u32 = 6;

/// Runs until it is aborted.
pub(super) async fn keep(connector: Arc<Connector>, slot: usize) {
    let mut backoff = Backoff::new(&connector);
    loop {
        let link = match connect_any(&connector).await {
            Ok(link) => link,
            Err(failure) => {
                let wait = backoff.next(failure.wrong_password);
                connector.set_slot(slot, Slot::Down(failure.reason));
                sleep(wait).await;
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
        // Not a warning: servers close connections on which nothing was asked for long. If it
        // cannot be connected anew, that is one.
        tracing::info!(
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
            sleep(backoff.next(false)).await;
        } else {
            connector.set_lost(slot);
        }
    }
}

/// Why no server could be connected to.
struct Failure {
    reason: Reason,
    /// Whether any of them refused the password.
    wrong_password: bool,
}

/// Connects to the first server that can be connected to.
async fn connect_any(connector: &Connector) -> Result<Arc<Link>, Failure> {
    let reason = Reason::from("no server is configured");
    let mut failure = Failure { reason, wrong_password: false };
    for server in connector.order() {
        match connector.connect(server).await {
            Ok(link) => return Ok(link),
            Err(error) => {
                failure.wrong_password |= error.is_wrong_password();
                failure.reason = Reason::from(format!("{}: {error}", connector.url(server)));
            }
        }
    }
    Err(failure)
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

    fn next(&mut self, wrong_password: bool) -> Duration {
        let mut this = self.next.min(self.max);
        self.next = this.saturating_mul(2);
        if wrong_password {
            this = self.max.saturating_mul(WRONG_PASSWORD);
        }
        jittered_time(this)
    }
}
