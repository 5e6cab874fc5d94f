use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{CaseReport, Report};

/// The reports as one JUnit document, as CI systems read it.
///
/// # Errors
/// None that this program could cause: text that XML cannot hold is left out.
pub fn junit(reports: &[Report]) -> Result<String, quick_junit::SerializeError> {
    let mut document = quick_junit::Report::new("waypost plugin test");
    for report in reports {
        let mut suite = TestSuite::new(report.path.to_string_lossy().into_owned());
        suite.add_property(("plugin", report.plugin.as_str()));
        if let Some(digest) = &report.digest {
            suite.add_property(("sha256", digest.as_str()));
        }
        suite.add_test_cases(report.cases.iter().map(|case| test_case(report, case)));
        document.add_test_suite(suite);
    }
    document.to_string()
}

fn test_case(report: &Report, case: &CaseReport) -> TestCase {
    let mut status = TestCaseStatus::success();
    if !case.is_well() {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let each = case.differences.iter();
        let each = each.map(|d| format!("{}: expected {}, found {}", d.what, d.expected, d.found));
        let text: Vec<_> = each.collect();
        let place = format!("{}:{}", report.path.display(), case.line);
        status.set_message(text.first().cloned().unwrap_or_default());
        status.set_type("difference");
        status.set_description(format!("{place}\n{}", text.join("\n")));
    }
    let mut test = TestCase::new(case.name.clone(), status);
    test.set_classname(report.path.to_string_lossy().into_owned());
    if let Some(cost) = &case.cost {
        test.set_time(cost.time);
        let limits = &case.limits;
        for (name, value) in [
            ("cpu-microseconds", cost.cpu.as_micros().to_string()),
            ("cpu-limit-microseconds", limits.cpu.as_micros().to_string()),
            ("memory-octets", cost.memory.to_string()),
            ("memory-limit-octets", limits.memory.to_string()),
            ("searches", cost.searches.to_string()),
            ("searches-limit", limits.searches.to_string()),
            ("bytes", cost.bytes.to_string()),
            ("bytes-limit", limits.bytes.to_string()),
            ("host-calls", cost.host_calls.to_string()),
        ] {
            test.add_property((name, value.as_str()));
        }
    }
    test
}
