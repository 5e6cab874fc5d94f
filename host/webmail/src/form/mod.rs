//! Login forms of back ends that pass by: who is it that logs in?
//!
//! The operator names the forms; a request that may bring one is read up to [`MAX_FORM`] octets, and the
//! same octets go on to the back end of whoever stands in them, unless the front has checked the
//! password: then they are written anew. A longer one goes on under watch, and no further than to a
//! password. What is read is read by one library for each kind of form,
//! and a form that another reader might read otherwise is refused.

mod fields;
mod rule;
mod watch;
mod written;

pub use fields::{Fields, FormError, Kind, KindError};
pub use rule::{FailedAnswer, FormRule};
pub use watch::Watch;
pub use written::{Replacement, Unwritable};

/// The longest login form, in octets.
pub const MAX_FORM: usize = 64 * 1024;
