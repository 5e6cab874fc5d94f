//! A machine on which everything that a configuration refers to is there, and a configuration.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use waypost_config::{BuiltinPlugin, Config, FileFacts, Problems, Surroundings};

pub(crate) const PATH: &str = "/etc/waypost/waypost.toml";

/// As small as a configuration can be that has one of each.
pub(crate) const GOOD: &str = r#"[server]
hostname = "mail.example.test"

[listener.imaps]
protocol = "imap"
bind = ["[::]:993"]
tls = "implicit"
default-domain = "example.test"

[tls]
certificates = [{ chain = "tls/chain.pem", key = "tls/key.pem" }]

[directory.main]
url = ["ldap://127.0.0.1"]
bind-dn = "cn=waypost,dc=example,dc=test"
bind-password = { file = "ldap.secret" }
base = "dc=example,dc=test"
password-field = "userPassword"

[policy.ldap]
plugin = "builtin:ldap-routing"
directories = { main = ["mail", "mailHost"] }
targets = ["10.0.0.0/8", "*.mail.example.test"]

[policy.ldap.settings]
directory = "main"
search-base = "%s"
search-pattern = "mail=%e"
host-field = "mailHost"

[domain."example.test"]
policies = ["ldap"]

[backend."*"]
imap = { port = 143, tls = "starttls" }
ca = "tls/internal-ca.pem"
"#;

pub(crate) struct Machine {
    missing: HashSet<PathBuf>,
    contents: HashMap<PathBuf, Vec<u8>>,
    pub(crate) world_readable: bool,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { missing: HashSet::new(), contents: HashMap::new(), world_readable: false }
    }

    pub(crate) fn without(mut self, path: &str) -> Self {
        self.missing.insert(path.into());
        self
    }

    pub(crate) fn with(mut self, path: &str, content: &str) -> Self {
        self.contents.insert(path.into(), content.into());
        self
    }
}

impl Surroundings for Machine {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.inspect(path)?;
        let usual: &[u8] = match path.extension().is_some_and(|extension| extension == "keys") {
            true => b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
            false => b"content\n",
        };
        Ok(self.contents.get(path).cloned().unwrap_or_else(|| usual.to_vec()))
    }

    fn inspect(&self, path: &Path) -> io::Result<FileFacts> {
        if self.missing.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let is_file = !path.ends_with("folder");
        Ok(FileFacts { is_file, is_world_readable: self.world_readable })
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        (name == "LDAP_PASSWORD").then(|| "from the environment".into())
    }

    fn hostname(&self) -> Option<String> {
        Some("machine.example.test".into())
    }

    fn plugins(&self) -> &[BuiltinPlugin] {
        &[BuiltinPlugin { name: "ldap-routing", bytes: b"\0asm" }]
    }
}

pub(crate) fn parse(text: &str) -> Result<Config, Problems> {
    Config::parse(Path::new(PATH), text.into(), &Machine::new())
}

/// [`GOOD`] with something else in one place.
#[track_caller]
pub(crate) fn good_with(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from:?}");
    GOOD.replace(from, to)
}

/// What is wrong, a line each, without the file's name.
pub(crate) fn told(problems: &Problems) -> Vec<String> {
    let short = |line: String| line.replace(&format!("{PATH}:"), "");
    problems.0.iter().map(|problem| short(problem.one_line())).collect()
}

/// What is wrong with a text.
#[track_caller]
pub(crate) fn problems(text: &str) -> Problems {
    parse(text).expect_err("this should be refused")
}

/// [`GOOD`] with something else in one place, and all that is told of it.
#[track_caller]
pub(crate) fn broken(from: &str, to: &str) -> Vec<String> {
    told(&problems(&good_with(from, to)))
}

/// The same for what is only warned of.
#[track_caller]
pub(crate) fn warned(from: &str, to: &str) -> Vec<String> {
    let config = parse(&good_with(from, to)).unwrap_or_else(|problems| panic!("{problems}"));
    told(&config.warnings)
}
