//! The delivery of one message, from DATA on, as a state machine: every transfer, the copy, the
//! promise and the client's answer.
//!
//! A [`Delivery`] is made when DATA has been sent to every back end that accepted recipients. The
//! driver tells it what happens as [`Event`]s and carries out the [`Action`]s in their order, until
//! [`Delivery::is_finished`].
//!
//! What always holds, whatever the order of events:
//! - No final dot goes out before the client's end of data has come and its content may be passed
//!   on; where there is a copy, not before that is on stable storage.
//! - The client is answered once. `250` means that every leg has accepted, or that the promise to
//!   deliver or report is on stable storage.
//! - A copy is either dropped or promised.
//! - Nothing is said about a transfer any more once it is abandoned.

mod action;
mod delivery;
mod ending;
mod event;
mod plan;
mod timings;
mod transfer;
mod wording;

pub use action::{Action, Promised};
pub use delivery::Delivery;
pub use event::Event;
pub use plan::{Mode, Plan, PlanError};
pub use timings::Timings;
