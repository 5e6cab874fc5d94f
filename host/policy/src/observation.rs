//! Everything that can be seen of one decision, for those who test and record policies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use waypost_directory::Exchange;
use waypost_model::{Consultation, Search};

/// One decision with everything that the plugin did and what that cost.
#[derive(Clone, Debug)]
pub struct Observation {
    /// What came of it, the searches among it.
    pub consultation: Consultation,
    /// The searches, with what they brought the plugin.
    pub exchanges: Vec<Exchanged>,
    /// What the plugin logged, in order, as the log would show it at level `debug`.
    pub lines: Vec<LogLine>,
    /// What it cost.
    pub cost: Cost,
}

/// One search of a decision.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// The directory's name in the configuration.
    pub directory: Arc<str>,
    /// What was asked, and what the plugin got. A base or a filter that could not be bound stands
    /// as the plugin gave it.
    pub exchange: Exchange,
    /// It was bound, and within the grant: the directory was asked.
    pub is_sent: bool,
    /// The decision ended before the search did: the plugin got nothing.
    pub is_cut_off: bool,
    /// From the call to its end.
    pub took: Duration,
}

/// One line of a plugin's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: LineLevel,
    /// The line, cut and tamed.
    pub message: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.level.as_str(), self.message)
    }
}

/// How much a line of a plugin's matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LineLevel {
    Debug,
    Info,
    Warn,
    Error,
}

impl LineLevel {
    /// The name in the policy interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// What a decision used of its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// From its start to its end, waiting for directories included, for its turn excluded.
    pub time: Duration,
    /// Time for which the thread ran the plugin, the making of its instance included, searches
    /// excluded.
    pub cpu: Duration,
    /// The most of linear memories and tables, summed, in octets.
    pub memory: usize,
    /// How many searches.
    pub searches: u32,
    /// How many octets the searches brought.
    pub bytes: usize,
    /// How often the plugin called the host, searches among it.
    pub host_calls: u32,
}

impl Exchanged {
    /// The same as `waypost route` shows it.
    pub(crate) fn search(&self) -> Search {
        Search {
            directory: self.directory.clone(),
            base: self.exchange.base.clone(),
            filter: self.exchange.filter.clone(),
            result: match &self.exchange.answer {
                _ if self.is_cut_off => Err("the decision ended before the search did".into()),
                Ok(page) => Ok(page.entries.len()),
                Err(error) => Err(error.to_string()),
            },
            took: self.took,
        }
    }
}
