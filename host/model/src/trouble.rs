use std::fmt;

/// The plugin's word that it cannot answer now. The client is told to come back later; the
/// difference is for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A directory could not be asked.
    DirectoryUnavailable,
    /// More candidates than the settings allow.
    Ambiguous(u32),
    /// The directory holds something that cannot be used.
    BadData(String),
    /// The settings turned out to be wrong.
    Misconfigured(String),
    /// Anything else, in the plugin's words.
    Other(String),
}

impl Failure {
    /// The name in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::DirectoryUnavailable => "directory-unavailable",
            Self::Ambiguous(_) => "ambiguous",
            Self::BadData(_) => "bad-data",
            Self::Misconfigured(_) => "misconfigured",
            Self::Other(_) => "other",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DirectoryUnavailable => f.write_str("the directory cannot be asked"),
            Self::Ambiguous(candidates) => {
                write!(f, "{candidates} candidates where one is allowed")
            }
            Self::BadData(what) => write!(f, "unusable data in the directory: {what}"),
            Self::Misconfigured(what) => write!(f, "the policy's settings are wrong: {what}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// What the host saw a plugin do wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The guest trapped; with the backtrace.
    Trap(String),
    /// The guest computed for longer than its budget.
    Cpu,
    /// The decision took longer than its wall time.
    Deadline,
    /// The guest wanted more memory than its budget.
    Memory,
    /// An answer that breaks the interface's rules, or a budget on what a plugin may say or ask.
    InvalidOutput(String),
    /// As many decisions as allowed were under way, and none ended in time.
    Saturated,
    /// The policy is held back by its breaker, or could not be loaded.
    NotLoaded,
}

impl Fault {
    /// Every kind, as named in logs and metrics.
    pub const KINDS: [&str; 7] =
        ["trap", "cpu", "deadline", "memory", "invalid-output", "saturated", "not-loaded"];

    /// The name in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::Cpu => "cpu",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::InvalidOutput(_) => "invalid-output",
            Self::Saturated => "saturated",
            Self::NotLoaded => "not-loaded",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trap(what) => write!(f, "the plugin trapped: {what}"),
            Self::Cpu => f.write_str("the plugin used up its processor time"),
            Self::Deadline => f.write_str("the decision took too long"),
            Self::Memory => f.write_str("the plugin used up its memory"),
            Self::InvalidOutput(what) => write!(f, "the plugin broke a rule: {what}"),
            Self::Saturated => f.write_str("too many decisions are under way"),
            Self::NotLoaded => f.write_str("the policy is held back after repeated faults"),
        }
    }
}

/// Why there is no saying now where a mailbox lives. To the client each is a temporary error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The plugin's own word.
    Failure(Failure),
    /// What the host saw.
    Fault(Fault),
    /// The policy named a target outside its grant.
    TargetDenied(String),
    /// The policy asked for a way of checking passwords outside its grant; which.
    VerificationDenied(&'static str),
    /// The policy decided so: the mailbox must not be opened at present; why, in the plugin's words.
    /// No consultation ends in this, which is an answer; it is what the answer means to who asked.
    Deferred(String),
}

impl Trouble {
    /// The name in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Failure(failure) => failure.kind(),
            Self::Fault(fault) => fault.kind(),
            Self::TargetDenied(_) => "target-denied",
            Self::VerificationDenied(_) => "verification-denied",
            Self::Deferred(_) => "deferred",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(failure) => failure.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
            Self::TargetDenied(target) => {
                write!(f, "the policy named {target}, which its `targets` do not allow")
            }
            Self::Deferred(why) => write!(f, "not at present, says the policy: {why}"),
            Self::VerificationDenied(kind) => {
                write!(
                    f,
                    "the policy asked for verification by {kind}, which its `verification` does not allow"
                )
            }
        }
    }
}
