//! `waypost reload`: a new generation, and at this terminal why there is none.

use crate::output::say;
use serde_json::Value;
use waypost_control::Request;

use crate::cli::ControlArgs;
use crate::control;

/// Has the process that serves load its configuration anew.
pub(crate) fn run(arguments: &ControlArgs) -> anyhow::Result<()> {
    let loaded = control::command(arguments, &Request::new("reload"))?;
    let remarks = loaded.get("remarks").and_then(Value::as_array).map(Vec::as_slice);
    for remark in remarks.unwrap_or_default() {
        eprintln!("waypost: {}", remark.as_str().unwrap_or_default());
    }
    say!("the configuration was loaded anew");
    Ok(())
}
