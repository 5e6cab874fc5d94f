//! The log, on standard error: lines for people, or JSON for programs.

mod fields;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use waypost_config::{Log, LogFormat, LogLevel};

use self::fields::LogFmt;

/// Starts the log. What other libraries say is shown from `warn` on, unless everything is asked
/// for: their inner life is nobody's concern, and it is not theirs to know what is secret.
pub(crate) fn start(log: Log) {
    let own = log.level.as_str();
    let others = if log.level == LogLevel::Error { "error" } else { "warn" };
    let filter = EnvFilter::new(format!("{others},waypost={own}"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Only the first call counts; a reload keeps the log as it is.
    let _ = match log.format {
        LogFormat::Text => {
            builder.with_ansi(std::io::stderr().is_terminal()).fmt_fields(LogFmt).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
