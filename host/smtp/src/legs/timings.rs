use std::time::Duration;

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timings {
    /// `stall-timeout`: for how long a back end may leave DATA unanswered. 30 s. (That it takes no
    /// content for as long is the driver's to see.)
    pub stall: Duration,
    /// `answer-within`: after how long from the client's end of data it is answered where there is a
    /// copy, whatever is undecided. 60 s.
    pub answer_within: Duration,
    /// `reply-timeout`: after how long from the client's end of data it is answered in any case.
    /// 9 min 30 s: a client waits for ten minutes (RFC 5321 section 4.5.3.2.6).
    pub reply: Duration,
    /// For how long from its final dot a back end is heard once the client has been answered. Ten
    /// minutes, for the same reason.
    pub hear: Duration,
}

impl Timings {
    /// For a delivery from the spool, where no client waits: each back end has all the time it
    /// needs as long as it takes something and answers its dot. A day ends it in any case.
    #[must_use]
    pub const fn without_client(self) -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self { answer_within: day, reply: day, ..self }
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            answer_within: Duration::from_secs(60),
            reply: Duration::from_secs(570),
            hear: Duration::from_secs(600),
        }
    }
}
