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
use crate::guest::{Access, Asked, AtTick, Breach, Guest, Meter, Voice, new_store};
use crate::observation::{Cost, Exchanged, Observation};
use crate::{Limits, Policy, output};

/// How much of a decision somebody wants to see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    /// What came of it.
    Outcome,
    /// Its searches too.
    Searches,
    /// Its log lines too.
    Everything,
}

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
        let detail = if explain { Detail::Searches } else { Detail::Outcome };
        let Observation { mut consultation, exchanges, .. } =
            self.consult(lookup, context, detail).await;
        consultation.searches = exchanges.iter().map(Exchanged::search).collect();
        consultation
    }

    /// Asks the policy as [`decide`](Self::decide) does, and tells everything that can be seen of
    /// it: for those who test and record policies.
    pub async fn observe(&self, lookup: &Lookup, context: &Context) -> Observation {
        let mut seen = self.consult(lookup, context, Detail::Everything).await;
        seen.consultation.searches = seen.exchanges.iter().map(Exchanged::search).collect();
        seen
    }

    async fn consult(&self, lookup: &Lookup, context: &Context, detail: Detail) -> Observation {
        let seen = match self.admitted(lookup, context, detail).await {
            Ok(seen) => seen,
            Err(fault) => Observation {
                consultation: Consultation {
                    result: Err(Trouble::Fault(fault)),
                    reads: ContextReads::NONE,
                    degraded: false,
                    searches: Vec::new(),
                },
                exchanges: Vec::new(),
                lines: Vec::new(),
                cost: Cost::default(),
            },
        };
        self.metrics.consulted(&seen.consultation);
        if let Err(Trouble::Fault(fault)) = &seen.consultation.result {
            self.log_fault(fault, lookup);
        }
        seen
    }

    /// Passes the breaker and the queue, then runs the plugin.
    async fn admitted(
        &self,
        lookup: &Lookup,
        context: &Context,
        detail: Detail,
    ) -> Result<Observation, Fault> {
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
        let seen = self.run(lookup, context, detail).await;
        let fault = match &seen.consultation.result {
            Err(Trouble::Fault(fault)) => Some(fault),
            _ => None,
        };
        let change = self.breaker.record(pass, Verdict::of(fault), Instant::now());
        if let Some(state) = change {
            self.breaker_changed(state);
        }
        Ok(seen)
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

    async fn run(&self, lookup: &Lookup, context: &Context, detail: Detail) -> Observation {
        let _clock = self.host.run_clock();
        let started = Instant::now();
        let Limits { cpu, wall, memory, .. } = self.limits;
        let directories = self.directories.clone();
        let explain = detail >= Detail::Searches;
        let asked = Asked::new(context, directories, &self.limits, started + wall, explain);
        let voice = Voice::new(self.name.clone(), self.gate.clone());
        let guest = Guest {
            voice: if detail == Detail::Everything { voice.heard() } else { voice },
            meter: Meter::new(cpu, memory, None),
            configuring: false,
            asked: Some(asked),
            host_calls: 0,
        };
        let mut store = new_store(self.prepared.pre.engine(), guest, AtTick::Yield);
        let (said, busy) = {
            let asking = pin!(self.ask(&mut store, lookup));
            timed(timeout(wall, asking)).await
        };
        let result = self.judge(said.ok(), store.data());
        let Guest { mut voice, meter, asked, host_calls, .. } = store.into_data();
        let access = asked.as_ref().map(|asked| &asked.access);
        let searching = access.map(Access::busy).unwrap_or_default();
        let (searches, bytes) = access.map(|a| a.used(&self.limits)).unwrap_or_default();
        let cost = Cost {
            time: started.elapsed(),
            cpu: busy.saturating_sub(searching),
            memory: meter.used(),
            searches,
            bytes,
            host_calls,
        };
        self.metrics.took(cost.time, cost.cpu);
        Observation {
            consultation: Consultation {
                result,
                reads: asked.as_ref().map_or(ContextReads::NONE, |asked| asked.reads),
                degraded: access.is_some_and(Access::degraded),
                searches: Vec::new(),
            },
            lines: voice.take_heard(),
            exchanges: asked.and_then(|asked| asked.explained).unwrap_or_default(),
            cost,
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
                output::answer(answer, &asked.access, &self.targets, self.verification)
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
