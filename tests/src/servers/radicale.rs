use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Background, wait_for};

/// A CalDAV and CardDAV server: Radicale, with users of its own.
#[derive(Debug)]
pub(crate) struct Radicale {
    folder: TempDir,
    _process: Background,
}

impl Radicale {
    /// Starts one with these users, each with a password.
    pub fn start(address: IpAddr, port: u16, users: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("radicale-").tempdir().unwrap();
        let path = folder.path();
        let lines: String =
            users.iter().map(|(user, password)| format!("{user}:{password}\n")).collect();
        fs::write(path.join("users"), lines).unwrap();
        let at = SocketAddr::new(address, port);
        let shown = path.display();
        let configuration = format!(
            "[server]\nhosts = {at}\n\
             [auth]\ntype = htpasswd\nhtpasswd_filename = {shown}/users\n\
             htpasswd_encryption = plain\ndelay = 0\n\
             [rights]\ntype = owner_only\n\
             [storage]\nfilesystem_folder = {shown}/data\n"
        );
        fs::write(path.join("configuration"), configuration).unwrap();
        let mut command = Command::new("/usr/bin/radicale");
        command.arg("--config").arg(path.join("configuration"));
        let process = Background::start("radicale", &mut command, path);
        wait_for("Radicale", Duration::from_secs(20), || {
            std::net::TcpStream::connect(at).ok().map(|_| ())
        });
        Self { folder, _process: process }
    }

    /// Whether a user has ever got in: a home is made then.
    pub fn has_seen(&self, user: &str) -> bool {
        self.folder.path().join("data/collection-root").join(user).is_dir()
    }

    /// What is kept of a user, as the names of files below the user's folder.
    pub fn kept(&self, user: &str) -> Vec<String> {
        let root = self.folder.path().join("data/collection-root").join(user);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                if name.contains(".Radicale") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(name);
                }
            }
        }
        found.sort();
        found
    }
}
