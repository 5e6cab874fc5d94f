use std::process::Command;

/// Set where a test runs again in a process of its own.
const CHILD: &str = "WAYPOST_TEST_CHILD";

/// Whether this is the process of its own, and what it was told.
pub(crate) fn told() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// Runs a test again in a process of its own, by way of `program` and its arguments, which end with
/// the command to run.
pub(crate) fn run_again(test: &str, tell: &str, program: &[&str]) {
    let own = std::env::current_exe().unwrap();
    let mut command = match program {
        [] => Command::new(own),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(own);
            command
        }
    };
    let output = command
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, tell)
        .output()
        .expect("the program is there");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "the child ran no test:\n{text}");
}
