//! Writes `config/reference.toml` to standard output.

fn main() {
    print!("{}", waypost_config::reference());
}
