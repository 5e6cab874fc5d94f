//! From a lookup to a decision, whoever asks: domains, policies in order, the route cache and
//! single flight.
//!
//! A front turns what its client said into a [`Lookup`](waypost_model::Lookup), for logins with
//! [`LoginNameRules::read`], and asks the [`Router`] with the [`DomainTable`] of the current
//! generation. The router answers out of its cache where it can; else it asks the domain's
//! policies in order, each question once however many wait for the answer. When a back end then
//! rejects what a cached route led to, [`Router::renew`] says whether the rejection stands.
//!
//! What may be reused, and by whom, is one rule: a decision holds for everybody who asks the same
//! policy the same question and shows the same in every getter of the context that the decision
//! read. It lives in the `seen` and `cache` modules.

mod cache;
mod decide;
mod domains;
mod explain;
mod flight;
mod interner;
mod login_name;
mod metrics;
mod outage;
mod policy;
mod renewal;
mod resolution;
mod router;
mod seen;
mod settings;
mod shadow;
#[cfg(test)]
mod testing;
mod walk;

pub use decide::{Decide, PolicyIdentity};
pub use domains::{DomainPattern, DomainTable, DomainTableError, OnFault, Served};
pub use explain::{Explanation, KnownDecision, Step};
pub use login_name::{LoginName, LoginNameError, LoginNameRules};
pub use metrics::Metrics;
pub use policy::{LoadedPolicy, Watch};
pub use resolution::{Renewal, Resolution, Routed, Source};
pub use router::Router;
pub use settings::Settings;
