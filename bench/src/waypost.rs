//! Waypost as every measurement starts it: users routed by `ldap-routing`, the rest as the
//! measurement says.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use crate::process::Process;

/// For [`Setup::directory`]: users in `directory.ldif` beside the configuration.
pub(crate) const LDIF: &str = "ldif = \"directory.ldif\"";

/// What differs from one measurement to the next.
pub(crate) struct Setup<'a> {
    /// The tables of the listeners, and of what belongs to them.
    pub(crate) listeners: &'a str,
    /// The keys of `[directory.main]` that say where the users are.
    pub(crate) directory: &'a str,
    /// Who checks passwords: `backend`, `bind` or `password`.
    pub(crate) verify: &'a str,
    /// The keys of `[backend."*"]`.
    pub(crate) back_ends: &'a str,
}

impl Setup<'_> {
    /// Starts Waypost with its configuration in `folder`, and waits until `door` is open.
    pub(crate) fn start(&self, folder: &Path, door: SocketAddr) -> anyhow::Result<Process> {
        let file = folder.join("waypost.toml");
        fs::write(&file, self.configuration())?;
        Process::start_server(Command::new(program()?).arg("run").arg("--config").arg(file), door)
    }

    fn configuration(&self) -> String {
        let Self { listeners, directory, verify, back_ends } = self;
        format!(
            r#"[server]
hostname = "waypost.bench.test"
log-level = "error"

{listeners}

[directory.main]
{directory}
base = "dc=bench,dc=test"

[policy.ldap]
plugin = "builtin:ldap-routing"
directories = {{ main = ["mail", "mailHost"] }}
targets = ["127.0.0.0/8"]
verification = ["{verify}"]

[policy.ldap.settings]
directory = "main"
search-base = "%s"
search-pattern = "mail=%e"
host-field = "mailHost"
use-first = true
verify = "{verify}"

[domain."bench.test"]
policies = ["ldap"]

[backend."*"]
{back_ends}
"#
        )
    }
}

/// The program under test, which lies beside this one.
fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("waypost");
    let built = "build it as this program was built: cargo build --release -p waypost";
    ensure!(program.exists(), "{} is missing; {built}", program.display());
    Ok(program)
}

/// A certificate for `localhost`: `chain.pem` and `key.pem` for Waypost, and the path of one file with
/// both, as others want it.
pub(crate) fn certificate(folder: &Path) -> anyhow::Result<String> {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let (chain, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    fs::write(folder.join("chain.pem"), &chain)?;
    fs::write(folder.join("key.pem"), &key)?;
    let both = folder.join("both.pem");
    fs::write(&both, chain + &key)?;
    Ok(both.display().to_string())
}
