use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Authority, Background, run, wait_for};

/// An Apache that asks for a password, over TLS, and says what it is and what it was told: a page
/// at `/`, a folder that takes files by DAV at `/dav/`, a program at `/echo` that shows its
/// environment.
#[derive(Debug)]
pub(crate) struct Apache {
    folder: TempDir,
    _process: Background,
}

impl Apache {
    /// Starts one at `address` that calls itself `name`, for these users; each has their name for a
    /// password.
    pub fn start(address: SocketAddr, name: &str, authority: &Authority, users: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("apache-").tempdir().unwrap();
        let path = folder.path();
        for below in ["pages", "pages/dav", "run", "cgi"] {
            fs::create_dir(path.join(below)).unwrap();
        }
        let (chain, key) = authority.issue(&[&address.ip().to_string()]);
        fs::write(path.join("chain.pem"), chain).unwrap();
        fs::write(path.join("key.pem"), key).unwrap();
        fs::write(path.join("pages/index.html"), format!("This is {name}.\n")).unwrap();
        let program = path.join("cgi/echo");
        fs::write(&program, "#!/bin/sh\necho Content-Type: text/plain\necho\nenv | sort\n")
            .unwrap();
        make_executable(&program);
        for user in users {
            let mut htpasswd = Command::new("/usr/bin/htpasswd");
            let create = if path.join("users").exists() { "-b" } else { "-cb" };
            let password = user.split('@').next().unwrap();
            htpasswd.arg(create).arg(path.join("users")).args([user, password]);
            assert!(run(&mut htpasswd).status.success());
        }
        let shown = path.display();
        let modules: String = [
            "mpm_event",
            "authn_core",
            "authn_file",
            "authz_core",
            "authz_user",
            "auth_basic",
            "dir",
            "mime",
            "alias",
            "cgid",
            "dav",
            "dav_fs",
            "ssl",
            "socache_shmcb",
        ]
        .map(|module| {
            format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n")
        })
        .concat();
        let configuration = format!(
            "{modules}ServerName {ip}\nListen {address}\nServerRoot {shown}\n\
             PidFile {shown}/run/pid\nDefaultRuntimeDir {shown}/run\nScriptSock {shown}/run/cgi\n\
             ErrorLog /dev/stderr\nTypesConfig /dev/null\nDavLockDB {shown}/run/locks\n\
             User root\nGroup root\nStartServers 1\nThreadsPerChild 32\nMaxRequestWorkers 32\n\
             SSLEngine on\nSSLCertificateFile {shown}/chain.pem\n\
             SSLCertificateKeyFile {shown}/key.pem\n\
             DocumentRoot {shown}/pages\nDirectoryIndex index.html\nScriptAlias /echo {shown}/cgi/echo\n\
             <Location />\nAuthType Basic\nAuthName {name}\nAuthUserFile {shown}/users\n\
             Require valid-user\n</Location>\n<Location /dav/>\nDav on\n</Location>\n",
            ip = address.ip(),
        );
        fs::write(
            path.join("apache.conf"),
            configuration.replace("User root\nGroup root\n", &who()),
        )
        .unwrap();
        open_to_everybody(path);
        let mut command = Command::new("/usr/sbin/apache2");
        command.args(["-X", "-f"]).arg(path.join("apache.conf"));
        let process = Background::start("apache", &mut command, path);
        wait_for("apache", Duration::from_secs(20), || {
            std::net::TcpStream::connect(address).ok().map(drop)
        });
        Self { folder, _process: process }
    }

    /// What lies in its folder for DAV under this name.
    pub fn stored(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.path().join("pages/dav").join(name)).ok()
    }
}

/// Apache does not serve as root.
fn who() -> String {
    match rustix::process::getuid().is_root() {
        true => "User www-data\nGroup www-data\n".to_owned(),
        false => String::new(),
    }
}

fn make_executable(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn open_to_everybody(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for below in ["", "pages", "pages/dav", "run", "cgi"] {
        fs::set_permissions(folder.join(below), fs::Permissions::from_mode(0o777)).unwrap();
    }
}
