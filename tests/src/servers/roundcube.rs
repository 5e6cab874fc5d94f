use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Background, run, wait_for};

/// Where Debian puts what a web server may show of Roundcube.
const DOCUMENTS: &str = "/var/lib/roundcube/public_html";
const SCHEMA: &str = "/usr/share/roundcube/SQL/sqlite.initial.sql";

/// A Roundcube with a configuration folder and a database of its own, behind PHP's own server.
#[derive(Debug)]
pub(crate) struct Roundcube {
    folder: TempDir,
    _process: Background,
}

impl Roundcube {
    /// Starts one that calls itself `name`, reads mail at `imap` and sends it at `smtp`.
    pub fn start(
        address: IpAddr,
        port: u16,
        name: &str,
        imap: SocketAddr,
        smtp: SocketAddr,
    ) -> Self {
        let folder = tempfile::Builder::new().prefix("roundcube-").tempdir().unwrap();
        let path = folder.path();
        for part in ["config", "logs", "temp", "sessions"] {
            fs::create_dir(path.join(part)).unwrap();
        }
        for file in ["defaults.inc.php", "mimetypes.php"] {
            symlink(Path::new("/etc/roundcube").join(file), path.join("config").join(file))
                .unwrap();
        }
        let configuration = configuration(path, name, imap, smtp);
        fs::write(path.join("config/config.inc.php"), configuration).unwrap();
        make_database(&path.join("database"));

        let at = SocketAddr::new(address, port);
        let mut command = Command::new("/usr/bin/php");
        command
            .args(["-d", "date.timezone=UTC", "-d", "display_errors=0"])
            .arg("-d")
            .arg(format!("session.save_path={}", path.join("sessions").display()))
            .args(["-S", &at.to_string(), "-t", DOCUMENTS])
            // A browser asks for several things at once.
            .env("PHP_CLI_SERVER_WORKERS", "4")
            .env("ROUNDCUBE_CONFIG_DIR", path.join("config"));
        let process = Background::start("roundcube", &mut command, path);
        wait_for("Roundcube", Duration::from_secs(20), || {
            std::net::TcpStream::connect(at).ok().map(|_| ())
        });
        Self { folder, _process: process }
    }

    /// What it has logged of mail that was sent and of what went wrong.
    pub fn log(&self) -> String {
        let logs = fs::read_dir(self.folder.path().join("logs")).unwrap();
        let read = |entry: std::io::Result<fs::DirEntry>| fs::read_to_string(entry.unwrap().path());
        logs.map(|entry| read(entry).unwrap_or_default()).collect()
    }
}

fn configuration(path: &Path, name: &str, imap: SocketAddr, smtp: SocketAddr) -> String {
    let path = path.display();
    format!(
        "<?php\n\
         $config['db_dsnw'] = 'sqlite:///{path}/database?mode=0640';\n\
         $config['imap_host'] = '{imap}';\n\
         $config['smtp_host'] = '{smtp}';\n\
         $config['smtp_user'] = '';\n\
         $config['smtp_pass'] = '';\n\
         $config['log_driver'] = 'file';\n\
         $config['log_dir'] = '{path}/logs/';\n\
         $config['temp_dir'] = '{path}/temp/';\n\
         $config['des_key'] = 'a key of 24 octets, here';\n\
         $config['product_name'] = '{name}';\n\
         $config['plugins'] = [];\n\
         $config['skin'] = 'elastic';\n\
         $config['language'] = 'en_US';\n\
         $config['create_default_folders'] = true;\n\
         $config['enable_spellcheck'] = false;\n"
    )
}

/// The tables as Roundcube's own installer makes them.
fn make_database(path: &Path) {
    let script = "$database = new SQLite3($argv[1]); \
                  exit($database->exec(file_get_contents($argv[2])) ? 0 : 1);";
    let mut command = Command::new("/usr/bin/php");
    let output = run(command.args(["-r", script, "--"]).arg(path).arg(SCHEMA));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
