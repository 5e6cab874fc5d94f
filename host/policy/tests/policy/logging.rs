//! What reaches the operator's log.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;
use waypost_model::Fault;
use waypost_policy::EngineSettings;

use crate::support::{Bench, ask, fault, plugin};

/// The log as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().clone()).unwrap().lines().map(str::to_owned).collect()
    }

    fn collect(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(self.clone())
            .with_ansi(false)
            .without_time()
            .with_max_level(tracing::Level::DEBUG)
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn lines_of_a_plugin_are_few_short_and_tame() {
    let policy = Bench::new().load(&plugin("log-flood", &[("LINE", "one\nWARN two\u{1b}[2J")]));
    let log = Log::default();
    let guard = log.collect();
    assert!(ask(&policy).await.result.is_ok());
    drop(guard);
    let lines = log.lines();
    let said: Vec<_> = lines.iter().filter(|line| line.contains("waypost::plugin")).collect();
    assert_eq!(said.len(), 33, "{lines:#?}");
    assert!(said[0].contains("one\u{fffd}WARN two\u{fffd}[2J"), "{}", said[0]);
    assert!(said[0].contains("WARN") && said[0].contains("policy=\"p\""), "{}", said[0]);
    assert!(said[32].contains("lines=968"), "{}", said[32]);
}

#[tokio::test]
async fn a_long_line_is_cut() {
    let line = "ü".repeat(5000);
    let policy = Bench::new().load(&plugin("log-flood", &[("LINE", &line)]));
    let log = Log::default();
    let guard = log.collect();
    assert!(ask(&policy).await.result.is_ok());
    drop(guard);
    assert!(log.lines().iter().all(|line| line.len() < 4300));
}

#[tokio::test]
async fn a_flood_over_many_decisions_is_slowed_down() {
    let policy = Bench::new().load(&plugin("log-flood", &[("LINE", "line")]));
    let log = Log::default();
    let guard = log.collect();
    for _ in 0..50 {
        assert!(ask(&policy).await.result.is_ok());
    }
    drop(guard);
    let lines = log.lines().len();
    assert!((200..400).contains(&lines), "{lines}");
}

#[tokio::test]
async fn a_fault_is_a_warning_with_its_kind_and_the_user() {
    let log = Log::default();
    let guard = log.collect();
    let policy = Bench::new().load(&plugin("trap", &[]));
    assert!(matches!(fault(&ask(&policy).await), Fault::Trap(_)));
    let warnings = |log: &Log| {
        log.lines().into_iter().filter(|line| line.contains("WARN")).collect::<Vec<_>>()
    };
    let seen = warnings(&log);
    assert_eq!(seen.len(), 1, "{seen:#?}");
    for part in [
        "waypost::policy",
        "policy=\"p\"",
        "kind=\"trap\"",
        "user=\"user@example.test\"",
        "give_up",
    ] {
        assert!(seen[0].contains(part), "{}", seen[0]);
    }

    // An operator who does not want addresses in the log has them in another form.
    let bench = Bench::with(&EngineSettings {
        concurrency: 4,
        address_form: Some(Arc::new(|_| "#1234".into())),
        ..EngineSettings::default()
    });
    let policy = bench.load(&plugin("trap", &[]));
    ask(&policy).await;
    drop(guard);
    let seen = warnings(&log);
    assert!(seen[1].contains("user=\"#1234\"") && !seen[1].contains("user@"), "{}", seen[1]);
}
