use std::fmt;
use std::time::Duration;

use super::{CaseReport, Report};

impl fmt::Display for Report {
    /// For people: a line for each case, and below it where it differs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.path.display(), self.plugin)?;
        if let Some(digest) = &self.digest {
            writeln!(f, "      sha256 {digest}")?;
        }
        for case in &self.cases {
            write_case(f, self, case)?;
        }
        let (cases, failed) = (self.cases.len(), self.failed());
        write!(f, "{cases} case{}, {failed} failed", if cases == 1 { "" } else { "s" })?;
        match self.left_out {
            0 => writeln!(f),
            left_out => writeln!(f, ", {left_out} left out"),
        }
    }
}

fn write_case(f: &mut fmt::Formatter<'_>, report: &Report, case: &CaseReport) -> fmt::Result {
    if case.is_well() {
        writeln!(f, "ok    {}", case.name)?;
    } else {
        writeln!(f, "FAIL  {} ({}:{})", case.name, report.path.display(), case.line)?;
    }
    if let Some(cost) = &case.cost {
        let limits = &case.limits;
        writeln!(
            f,
            "      time {} of {}, cpu {} of {}, memory {} of {}, searches {} of {}, bytes {} of \
             {}, host calls {}",
            time(cost.time),
            time(limits.wall),
            time(cost.cpu),
            time(limits.cpu),
            size(cost.memory),
            size(limits.memory),
            cost.searches,
            limits.searches,
            size(cost.bytes),
            size(limits.bytes),
            cost.host_calls,
        )?;
    }
    for difference in &case.differences {
        let (expected, found) = (&difference.expected, &difference.found);
        writeln!(f, "        {}", difference.what)?;
        write_lines(f, "expected", expected)?;
        write_lines(f, "found   ", found)?;
    }
    Ok(())
}

fn write_lines(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    for (number, line) in text.lines().enumerate() {
        let label = if number == 0 { label } else { "        " };
        writeln!(f, "          {label}  {line}")?;
    }
    Ok(())
}

pub(in crate::cases) fn time(time: Duration) -> String {
    if time < Duration::from_millis(1) {
        return format!("{} µs", time.as_micros());
    }
    if time < Duration::from_secs(1) {
        return format!("{:.1} ms", time.as_secs_f64() * 1e3);
    }
    format!("{:.1} s", time.as_secs_f64())
}

pub(in crate::cases) fn size(octets: usize) -> String {
    match octets {
        0..1024 => format!("{octets} B"),
        1024..1_048_576 => format!("{} KiB", octets.div_ceil(1024)),
        _ => format!("{:.1} MiB", octets as f64 / 1_048_576.0),
    }
}
