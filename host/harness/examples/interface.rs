//! Writes `docs/src/interface.md` to standard output.

use std::path::Path;

fn main() -> Result<(), String> {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    print!("{}", waypost_harness::interface::reference(&wit)?);
    Ok(())
}
