use serde_json::{Value, json};

use super::{CaseReport, Report};

impl Report {
    /// For programs. Times are in microseconds, sizes in octets.
    pub fn to_json(&self) -> Value {
        json!({
            "path": self.path.to_string_lossy(),
            "plugin": self.plugin,
            "sha256": self.digest,
            "failed": self.failed(),
            "left-out": self.left_out,
            "cases": self.cases.iter().map(case).collect::<Vec<_>>(),
        })
    }
}

fn case(case: &CaseReport) -> Value {
    let differences = case.differences.iter().map(|difference| {
        json!({
            "what": difference.what,
            "expected": difference.expected,
            "found": difference.found,
        })
    });
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let limits = &case.limits;
    json!({
        "name": case.name,
        "line": case.line,
        "well": case.is_well(),
        "differences": differences.collect::<Vec<_>>(),
        "cost": case.cost.map(|cost| json!({
            "time": micros(cost.time),
            "cpu": micros(cost.cpu),
            "memory": cost.memory,
            "searches": cost.searches,
            "bytes": cost.bytes,
            "host-calls": cost.host_calls,
        })),
        "limits": {
            "time": micros(limits.wall),
            "cpu": micros(limits.cpu),
            "memory": limits.memory,
            "searches": limits.searches,
            "bytes": limits.bytes,
        },
    })
}
