//! One decision, from the queue to the checked answer.

use std::pin::pin;
use std::time::Instant;

use tokio::sync::{AcquireError, SemaphorePermit};
use tokio::time::timeout;
use wasmtime::Store;
use wasmtime::component::Resource;
use waypost_model::{Answer, Consultation, Context, ContextReads, Fault, Lookup, Purpose, Trouble};

use crate::bindings::waypost::policy::types as wit;
use crate::breaker::{BreakerState, Verdict};
use crate::clock::timed;
use crate::fault::classify;
use crate::guest::{Asked, AtTick, Breach, Guest, Meter, Voice, new_store};
use crate::{Limits, Policy, output};

/// What comes back from the plugin: its word, or why there is none.
type Said = wasmtime::Result<Result<wit::Answer, wit::Failure>>;

impl Policy {
    /// Asks the policy. Ends within `queue_wait` and `wall` of its limits, with a fault if need be;
    /// never panics. Needs tokio's timer.
    ///
    /// With `explain` the consultation lists the searches that were made.
    ///
    /// A future that is dropped half-way stops the plugin where it is.
    pub async fn decide(&self, lookup: &Lookup, context: &Context, explain: bool) -> Consultation {
        let consultation = match self.admitted(lookup, context, explain).await {
            Ok(consultation) => consultation,
            Err(fault) => Consultation {
                result: Err(Trouble::Fault(fault)),
                reads: ContextReads::NONE,
                degraded: false,
                searches: Vec::new(),
            },
        };
        self.metrics.consulted(&consultation);
        if let Err(Trouble::Fault(fault)) = &consultation.result {
            self.log_fault(fault, lookup);
        }
        consultation
    }

    /// Passes the breaker and the queue, then runs the plugin.
    async fn admitted(
        &self,
        lookup: &Lookup,
        context: &Context,
        explain: bool,
    ) -> Result<Consultation, Fault> {
        // A policy that is held back is not queued for, and what has waited in the queue while the
        // breaker opened does not run.
        if self.breaker.state(Instant::now()) == BreakerState::Open {
            return Err(Fault::NotLoaded);
        }
        let _turn = self.turn().await?;
        let address = lookup.address.as_str();
        let pass = self.breaker.admit(address, Instant::now()).ok_or(Fault::NotLoaded)?;
        if pass.is_probe() {
            self.metrics.breaker(BreakerState::HalfOpen);
        }
        let consultation = self.run(lookup, context, explain).await;
        let fault = match &consultation.result {
            Err(Trouble::Fault(fault)) => Some(fault),
            _ => None,
        };
        let change = self.breaker.record(pass, Verdict::of(fault), Instant::now());
        if let Some(state) = change {
            self.breaker_changed(state);
        }
        Ok(consultation)
    }

    fn log_fault(&self, fault: &Fault, lookup: &Lookup) {
        // A policy that is held back or full says so for every login.
        let Some(not_shown) = self.fault_lines.pass(Instant::now()) else { return };
        tracing::warn!(
            target: "waypost::policy",
            policy = &*self.name,
            kind = fault.kind(),
            user = self.host.address_for_log(&lookup.address),
            not_shown,
            "{fault}"
        );
    }

    fn breaker_changed(&self, state: BreakerState) {
        self.metrics.breaker(state);
        let policy: &str = &self.name;
        if state == BreakerState::Open {
            tracing::error!(
                target: "waypost::policy",
                policy,
                "the policy is held back: its plugin keeps failing"
            );
        } else {
            tracing::info!(target: "waypost::policy", policy, "the policy is asked again");
        }
    }

    /// Waits for one of the policy's places and one of the pool's.
    async fn turn(&self) -> Result<[SemaphorePermit<'_>; 2], Fault> {
        if let (Ok(own), Ok(slot)) = (self.turns.try_acquire(), self.host.slots.try_acquire()) {
            return Ok([own, slot]);
        }
        let started = Instant::now();
        let both = async {
            let own = self.turns.acquire().await?;
            Ok::<_, AcquireError>([own, self.host.slots.acquire().await?])
        };
        let turn = timeout(self.limits.queue_wait, both).await;
        self.metrics.queued(started.elapsed());
        // The semaphores are never closed.
        turn.ok().and_then(Result::ok).ok_or(Fault::Saturated)
    }

    async fn run(&self, lookup: &Lookup, context: &Context, explain: bool) -> Consultation {
        let _clock = self.host.run_clock();
        let started = Instant::now();
        let Limits { cpu, wall, memory, .. } = self.limits;
        let directories = self.directories.clone();
        let asked = Asked::new(context, directories, &self.limits, started + wall, explain);
        let guest = Guest {
            voice: Voice::new(self.name.clone(), self.gate.clone()),
            meter: Meter::new(cpu, memory, None),
            configuring: false,
            asked: Some(asked),
        };
        let mut store = new_store(self.prepared.pre.engine(), guest, AtTick::Yield);
        let (said, busy) = {
            let asking = pin!(self.ask(&mut store, lookup));
            timed(timeout(wall, asking)).await
        };
        let result = self.judge(said.ok(), store.data());
        let asked = store.into_data().asked;
        let searching = asked.as_ref().map(|asked| asked.access.busy()).unwrap_or_default();
        self.metrics.took(started.elapsed(), busy.saturating_sub(searching));
        Consultation {
            result,
            reads: asked.as_ref().map_or(ContextReads::NONE, |asked| asked.reads),
            degraded: asked.as_ref().is_some_and(|asked| asked.access.degraded()),
            searches: asked.and_then(|asked| asked.explained).unwrap_or_default(),
        }
    }

    /// Runs the plugin to its end.
    async fn ask(&self, store: &mut Store<Guest>, lookup: &Lookup) -> Said {
        let plugin = self.prepared.pre.instantiate_async(&mut *store).await?;
        let mapping = plugin.waypost_policy_mapping();
        if let Some(settings) = &self.prepared.settings {
            store.data_mut().configuring = true;
            let content = mapping.call_configure(&mut *store, settings).await?;
            content.map_err(|_| Breach::error("configure refused what it had accepted before"))?;
            store.data_mut().configuring = false;
        }
        mapping.call_route(&mut *store, &question(lookup), Resource::new_borrow(0)).await
    }

    /// What the plugin's word, or its silence, comes to.
    fn judge(&self, said: Option<Said>, guest: &Guest) -> Result<Answer, Trouble> {
        match (said, &guest.asked) {
            (None, _) => Err(Trouble::Fault(Fault::Deadline)),
            (Some(Err(error)), _) => Err(Trouble::Fault(classify(&error, guest))),
            (Some(Ok(Err(failure))), _) => Err(Trouble::Failure(output::failure(failure))),
            (Some(Ok(Ok(answer))), Some(asked)) => {
                output::answer(answer, &asked.access, &self.targets)
            }
            (Some(Ok(Ok(_))), None) => Err(Trouble::Fault(Fault::NotLoaded)),
        }
    }
}

fn question(lookup: &Lookup) -> wit::Lookup {
    wit::Lookup {
        purpose: match lookup.purpose {
            Purpose::Login => wit::Purpose::Login,
            Purpose::Recipient => wit::Purpose::Recipient,
            Purpose::Identify => wit::Purpose::Identify,
        },
        address: lookup.address.to_string(),
        local_part: lookup.address.local_part().to_owned(),
        domain: lookup.address.domain().to_string(),
    }
}
