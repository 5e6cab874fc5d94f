//! `/etc/hosts`, which comes before DNS (hosts(5), nsswitch.conf(5)).

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use std::{fs, io};

use parking_lot::Mutex;
use waypost_model::Domain;

/// The names of the file, read anew when it changes.
#[derive(Debug)]
pub(super) struct HostsFile {
    path: PathBuf,
    known: Mutex<Known>,
}

type Names = Arc<HashMap<Domain, Vec<IpAddr>>>;

#[derive(Debug, Default)]
struct Known {
    /// When it was written and how long it is; `None` while there is no file.
    version: Option<(SystemTime, u64)>,
    names: Names,
}

impl HostsFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, known: Mutex::default() }
    }

    /// The addresses of a name that the file holds, in the file's order. A name that it holds is
    /// never asked for in DNS, not even for the other family. Reads the file if it changed, so it
    /// may block for as long as that takes.
    pub(super) fn addresses(&self, name: &Domain) -> Option<Vec<IpAddr>> {
        let names = self.names();
        names.get(name).cloned()
    }

    fn names(&self) -> Names {
        let version = version(&self.path).ok();
        let mut known = self.known.lock();
        if known.version != version {
            let names = fs::read(&self.path).map(|content| parse(&content)).unwrap_or_default();
            *known = Known { version, names: Arc::new(names) };
        }
        known.names.clone()
    }
}

fn version(path: &Path) -> io::Result<(SystemTime, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.modified()?, metadata.len()))
}

/// Lines that make no sense are skipped, as every other reader of the file does.
pub(super) fn parse(content: &[u8]) -> HashMap<Domain, Vec<IpAddr>> {
    let mut names: HashMap<Domain, Vec<IpAddr>> = HashMap::new();
    for line in String::from_utf8_lossy(content).lines() {
        let line = line.split_once('#').map_or(line, |(before, _)| before);
        let mut words = line.split_ascii_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else { continue };
        for name in words.filter_map(|word| Domain::new(word).ok()) {
            let addresses = names.entry(name).or_default();
            if !addresses.contains(&address.to_canonical()) {
                addresses.push(address.to_canonical());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::IpAddr;

    use proptest::prelude::*;
    use waypost_model::Domain;

    use super::{HostsFile, parse};

    fn addresses(hosts: &HostsFile, name: &str) -> Vec<String> {
        let found = hosts.addresses(&Domain::new(name).unwrap()).unwrap_or_default();
        found.iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn names_are_found_whatever_their_case_and_comments_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        let content = "# 10.0.0.9 north\n10.0.0.1\tNorth.Example.test north # 10.0.0.8 south\n\
             ::1 north\n10.0.0.1 north\nrubbish south\nfe80::1%lo0 south\n10.0.0.2 _bad south\n";
        fs::write(&path, content).unwrap();
        let hosts = HostsFile::new(path);
        assert_eq!(addresses(&hosts, "north.example.TEST"), ["10.0.0.1"]);
        assert_eq!(addresses(&hosts, "north"), ["10.0.0.1", "::1"]);
        assert_eq!(addresses(&hosts, "south"), ["10.0.0.2"]);
        assert_eq!(hosts.addresses(&Domain::new("west").unwrap()), None);
    }

    #[test]
    fn the_file_is_read_anew_when_it_changes_comes_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        let hosts = HostsFile::new(path.clone());
        assert!(addresses(&hosts, "north").is_empty());
        fs::write(&path, "10.0.0.1 north\n").unwrap();
        assert_eq!(addresses(&hosts, "north"), ["10.0.0.1"]);
        fs::write(&path, "10.0.0.22 north\n").unwrap();
        assert_eq!(addresses(&hosts, "north"), ["10.0.0.22"]);
        fs::remove_file(&path).unwrap();
        assert!(addresses(&hosts, "north").is_empty());
    }

    proptest! {
        #[test]
        fn nothing_panics(content in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&content);
        }
    }
}
