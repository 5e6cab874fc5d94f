//! Named places at which a test may end the process, to see that what was promised is kept.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

/// A change of state on the way of a message: before and after each effect that lasts or leaves the
/// process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailPoint {
    /// Space is reserved, nothing of the message has come.
    Reserved,
    /// DATA is about to be sent to the back ends.
    BeforeData,
    /// DATA has been sent to them.
    AfterData,
    /// The client is about to hear 354.
    BeforeContinue,
    /// The client's end of data has come.
    Ended,
    /// The copy is about to be synced.
    BeforeCopySync,
    /// The copy is on stable storage, no dot has been sent.
    AfterCopySync,
    /// A final dot is about to be sent.
    BeforeDot,
    /// It has been sent.
    AfterDot,
    /// A back end's final reply has come.
    Replied,
    /// The promise is about to be written.
    BeforePromise,
    /// The promise is on stable storage, the client knows nothing of it.
    AfterPromise,
    /// The client is about to be answered.
    BeforeAnswer,
    /// The client has been answered.
    AfterAnswer,
    /// A copy that nobody needs any more is about to be removed.
    BeforeCopyDrop,
    /// A late leg's outcome is about to be written.
    BeforeUpdate,
    /// It has been written.
    AfterUpdate,
    /// A kept message is about to be tried again.
    BeforeRetry,
    /// It has been tried; its record does not know yet.
    AfterRetry,
    /// The record knows what came of it.
    AfterRetryUpdate,
    /// A report is about to be fixed in the record.
    BeforeReport,
    /// It is fixed, and not sent.
    AfterReportBegun,
    /// It has been sent; the record does not know yet.
    AfterReportSent,
    /// The record knows.
    AfterReportUpdate,
    /// A message of which nothing is left to do is about to be removed.
    BeforeRemove,
    /// It has been removed.
    AfterRemove,
}

/// What is to happen at a fail point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    GoOn,
    /// Whoever came here does not come any further, as if the process had ended.
    Stop,
}

/// What stands at the fail points: nothing, but in tests.
#[derive(Clone, Default)]
pub struct FailPoints(Option<Arc<dyn Fn(FailPoint) -> Fate + Send + Sync>>);

impl FailPoint {
    /// Every one, in the order in which a message comes to them.
    pub const ALL: [Self; 26] = [
        Self::Reserved,
        Self::BeforeData,
        Self::AfterData,
        Self::BeforeContinue,
        Self::Ended,
        Self::BeforeCopySync,
        Self::AfterCopySync,
        Self::BeforeDot,
        Self::AfterDot,
        Self::Replied,
        Self::BeforePromise,
        Self::AfterPromise,
        Self::BeforeAnswer,
        Self::AfterAnswer,
        Self::BeforeCopyDrop,
        Self::BeforeUpdate,
        Self::AfterUpdate,
        Self::BeforeRetry,
        Self::AfterRetry,
        Self::AfterRetryUpdate,
        Self::BeforeReport,
        Self::AfterReportBegun,
        Self::AfterReportSent,
        Self::AfterReportUpdate,
        Self::BeforeRemove,
        Self::AfterRemove,
    ];

    /// The name, as `WAYPOST_FAIL_POINT` has it.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

impl FailPoints {
    /// Asks `fate` at each of them.
    pub fn new(fate: impl Fn(FailPoint) -> Fate + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(fate)))
    }

    /// In a debug build the process aborts at the one that the environment's `WAYPOST_FAIL_POINT`
    /// names. A release build looks at nothing.
    pub fn from_environment() -> Self {
        if !cfg!(debug_assertions) {
            return Self::default();
        }
        let Ok(name) = std::env::var("WAYPOST_FAIL_POINT") else { return Self::default() };
        Self::new(move |point| {
            if point.name() == name {
                std::process::abort();
            }
            Fate::GoOn
        })
    }

    /// Passes one. Does not come back where a test wants it so.
    pub(crate) async fn pass(&self, point: FailPoint) {
        let Some(fate) = &self.0 else { return };
        if fate(point) == Fate::Stop {
            pending::<()>().await;
        }
    }
}

impl fmt::Debug for FailPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FailPoints").field(&self.0.is_some()).finish()
    }
}
