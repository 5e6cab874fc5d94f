//! Starts OpenLDAP's slapd in a folder of its own and stops it by its process id.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::BASE;

const SLAPD: &str = "/usr/sbin/slapd";
const SLAPADD: &str = "/usr/sbin/slapadd";

pub(crate) const ADMIN: &str = "cn=admin,dc=example,dc=test";
pub(crate) const ADMIN_PASSWORD: &str = "an administrator's";

/// A server to be.
pub(crate) struct Builder {
    content: String,
    /// Further lines of the configuration: before the database, and in it.
    global: String,
    database: String,
    /// Whether to listen with TLS from the first octet as well.
    ldaps: bool,
}

/// A running server. Dropping it kills it.
pub(crate) struct Slapd {
    folder: TempDir,
    child: Child,
    port: u16,
    ldaps_port: u16,
    ldaps: bool,
}

/// A server with these entries.
pub(crate) fn with(content: &str) -> Builder {
    Builder {
        content: content.to_owned(),
        global: String::new(),
        database: String::new(),
        ldaps: false,
    }
}

impl Builder {
    pub(crate) fn global(mut self, lines: &str) -> Self {
        self.global.push_str(lines);
        self
    }

    pub(crate) fn database(mut self, lines: &str) -> Self {
        self.database.push_str(lines);
        self
    }

    /// Uses a certificate and its key, in PEM, for StartTLS and for `ldaps`.
    pub(crate) fn tls(mut self, folder: &Path) -> Self {
        self.ldaps = true;
        let file = |name: &str| folder.join(name).display().to_string();
        self.global(&format!(
            "TLSCACertificateFile {}\nTLSCertificateFile {}\nTLSCertificateKeyFile {}\n",
            file("ca.pem"),
            file("server.pem"),
            file("server.key")
        ))
    }

    pub(crate) fn start(self) -> Slapd {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("slapd.conf"), self.configuration(folder.path())).unwrap();
        fs::write(folder.path().join("content.ldif"), &self.content).unwrap();
        let loaded = Command::new(SLAPADD)
            .current_dir(&folder)
            .args(["-q", "-f", "slapd.conf", "-l", "content.ldif"])
            .output()
            .unwrap_or_else(|e| panic!("{SLAPADD}: {e}: install the package slapd"));
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        let (port, ldaps_port) = (free_port(), free_port());
        let child = start(folder.path(), port, self.ldaps.then_some(ldaps_port));
        Slapd { folder, child, port, ldaps_port, ldaps: self.ldaps }
    }

    fn configuration(&self, folder: &Path) -> String {
        let schemas = ["core", "cosine", "inetorgperson", "misc", "nis"]
            .map(|schema| format!("include /etc/ldap/schema/{schema}.schema\n"))
            .concat();
        format!(
            "{schemas}modulepath /usr/lib/ldap\nmoduleload back_mdb\nthreads 4\n{}\n\
             database mdb\nmaxsize 67108864\nsuffix {BASE:?}\nrootdn {ADMIN:?}\n\
             rootpw {ADMIN_PASSWORD:?}\ndirectory {:?}\ndbnosync\nindex objectClass,mail eq\n{}\n",
            self.global,
            folder.join("data"),
            self.database
        )
    }
}

fn start(folder: &Path, port: u16, ldaps_port: Option<u16>) -> Child {
    let mut urls = format!("ldap://127.0.0.1:{port}/ {}", ldapi(folder));
    if let Some(port) = ldaps_port {
        urls.push_str(&format!(" ldaps://127.0.0.1:{port}/"));
    }
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let child = Command::new(SLAPD)
        .current_dir(folder)
        .args(["-d", "stats", "-f", "slapd.conf", "-h", &urls])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|e| panic!("{SLAPD}: {e}: install the package slapd"));
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(begun.elapsed() < Duration::from_secs(20), "slapd does not start: {log}");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn ldapi(folder: &Path) -> String {
    format!("ldapi://{}", folder.join("ldapi").display().to_string().replace('/', "%2F"))
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Slapd {
    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// The URL with a name to which the certificate was issued.
    pub(crate) fn ldaps_url(&self, host: &str) -> String {
        format!("ldaps://{host}:{}", self.ldaps_port)
    }

    pub(crate) fn named_url(&self, host: &str) -> String {
        format!("ldap://{host}:{}", self.port)
    }

    pub(crate) fn ldapi_url(&self) -> String {
        ldapi(self.folder.path())
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        let path: PathBuf = self.folder.path().join("log");
        String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
    }

    /// Makes the server hang: the kernel goes on taking connections for it.
    pub(crate) fn hang(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        // A signal is delivered when the kernel gets to it.
        while !self.all_threads_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn all_threads_stopped(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let stopped = |task: PathBuf| {
            fs::read_to_string(task.join("stat")).is_ok_and(|stat| stat.contains(") T "))
        };
        tasks.into_iter().all(|task| stopped(task.unwrap().path()))
    }

    pub(crate) fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the server again, at the same place.
    pub(crate) fn restart(&mut self) {
        let ldaps_port = self.ldaps.then_some(self.ldaps_port);
        self.child = start(self.folder.path(), self.port, ldaps_port);
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
