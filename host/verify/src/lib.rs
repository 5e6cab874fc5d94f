//! Passwords checked at the front, and what failed logins cost those who try.
//!
//! A route says how its user's password is checked. [`Verifier`] does it where the back end does not:
//! by a bind as the user's entry, or against the entry's password attribute. [`Failures`] charges
//! each attempt to its user and to its client's network when it starts, and says how long it has to
//! wait. Both live as long as the process and are shared by every front. [`Repeated`] makes one login
//! of the many requests that bring the same credential.

mod cache;
mod challenge;
mod decoys;
mod failures;
mod keyed;
mod metrics;
mod repeated;
mod settings;
mod verifier;

pub use challenge::Challenge;
pub use decoys::Decoys;
pub use failures::{Attempt, Failures, TooMany};
pub use metrics::Metrics;
pub use repeated::{CredentialPrint, JointAttempt, Repeated, Right};
pub use settings::{FailureSettings, Settings};
pub use verifier::{Unverified, Verified, Verifier};
