//! A clock that is cheap to read and coarse to the second, for what is swept once a second.

use rustix::time::{ClockId, clock_gettime};

/// Seconds since some moment before this process began; never goes back. 32 bits last 136 years.
pub(crate) fn seconds() -> u32 {
    u32::try_from(clock_gettime(ClockId::MonotonicCoarse).tv_sec).unwrap_or(u32::MAX)
}
