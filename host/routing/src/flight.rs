use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::Instrument;
use waypost_model::{Consultation, Context, Decision, Lookup, Trouble};

use crate::decide::PolicyIdentity;
use crate::seen::Seen;

/// Decisions that are under way. Whoever asks the same waits for the same.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<FlightKey, Waiting>>);

/// What askers must have in common to wait for the same decision: the question, and of what the
/// client shows as much as decisions about this address are known to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FlightKey {
    pub(crate) policy: PolicyIdentity,
    pub(crate) lookup: Arc<Lookup>,
    pub(crate) seen: Seen,
}

/// A decision that has come in.
#[derive(Debug)]
pub(crate) struct Landed {
    pub(crate) result: Result<Decision, Trouble>,
    /// The directory could not be asked.
    pub(crate) unavailable: bool,
    seen: Seen,
}

impl Landed {
    /// `context` is the one that the policy was asked with.
    pub(crate) fn new(
        consultation: &Consultation,
        result: Result<Decision, Trouble>,
        unavailable: bool,
        context: &Context,
    ) -> Self {
        Self { result, unavailable, seen: Seen::of(context, consultation.reads) }
    }

    /// What the decision saw of the client that it was made for.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }
}

/// The decision's task has ended without one: its worker is being stopped, or it panicked.
#[derive(Debug)]
pub(crate) struct Lost;

/// A place in a flight.
#[derive(Clone)]
pub(crate) struct Waiting(watch::Receiver<Option<Arc<Landed>>>);

impl Waiting {
    pub(crate) async fn landed(mut self) -> Result<Arc<Landed>, Lost> {
        let landed = self.0.wait_for(Option::is_some).await.map_err(|_| Lost)?;
        landed.clone().ok_or(Lost)
    }
}

impl Flights {
    /// Joins the flight of this key, or starts one with what `decision` makes. The decision runs in
    /// a task of its own: it does not end with the session that asked first.
    ///
    /// Also says whether somebody else had started it.
    pub(crate) fn board<F>(
        self: &Arc<Self>,
        key: FlightKey,
        decision: impl FnOnce() -> F,
    ) -> (Waiting, bool)
    where
        F: Future<Output = Landed> + Send + 'static,
    {
        let mut flights = self.0.lock();
        if let Some(waiting) = flights.get(&key) {
            return (waiting.clone(), true);
        }
        let (landing, waiting) = watch::channel(None);
        let waiting = Waiting(waiting);
        flights.insert(key.clone(), waiting.clone());
        drop(flights);

        let leave = Leave { flights: self.clone(), key };
        let decision = decision();
        let flight = async move {
            let landed = decision.await;
            // Who asks from now on finds the cache, or asks anew.
            drop(leave);
            landing.send_replace(Some(Arc::new(landed)));
        };
        tokio::spawn(flight.in_current_span());
        (waiting, false)
    }
}

/// Takes a flight off the list, however it ends.
struct Leave {
    flights: Arc<Flights>,
    key: FlightKey,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.flights.0.lock().remove(&self.key);
    }
}
