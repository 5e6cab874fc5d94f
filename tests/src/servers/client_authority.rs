use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::run;

/// A certificate authority for clients, as an operator makes one with openssl.
#[derive(Debug)]
pub(crate) struct ClientAuthority {
    folder: TempDir,
}

/// A client's certificate and its key, by their files.
#[derive(Clone, Debug)]
pub(crate) struct ClientCertificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl ClientAuthority {
    /// A new one, which has revoked nothing.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("clients-").tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("index.txt"), "").unwrap();
        fs::write(path.join("crlnumber"), "01\n").unwrap();
        fs::write(
            path.join("ca.cnf"),
            "[ca]\ndefault_ca = it\n[it]\ndatabase = index.txt\nserial = serial\ncrlnumber = crlnumber\n\
             certificate = ca.pem\nprivate_key = ca.key\nnew_certs_dir = .\ndefault_md = sha256\n\
             default_days = 2\ndefault_crl_days = 2\nunique_subject = no\npolicy = any\n\
             copy_extensions = copy\nemail_in_dn = yes\n\
             [any]\ncommonName = optional\nemailAddress = optional\n",
        )
        .unwrap();
        let authority = Self { folder };
        authority.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -sha256 \
             -subj /CN=Clients -keyout ca.key -out ca.pem",
        );
        authority.list();
        authority
    }

    /// Whom Waypost is to believe.
    pub fn pem(&self) -> String {
        fs::read_to_string(self.folder.path().join("ca.pem")).unwrap()
    }

    /// What has been revoked.
    pub fn revoked(&self) -> String {
        fs::read_to_string(self.folder.path().join("crls.pem")).unwrap()
    }

    /// A certificate with this subject and these alternative names, each as openssl writes it.
    pub fn issue(&self, file: &str, subject: &str, names: &str) -> ClientCertificate {
        let extension = match names {
            "" => String::new(),
            names => format!("-addext subjectAltName={names}"),
        };
        self.openssl(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj {subject} \
             -keyout {file}.key -out {file}.csr {extension}"
        ));
        self.openssl(&format!(
            "ca -batch -notext -config ca.cnf -rand_serial -in {file}.csr -out {file}.pem"
        ));
        let path = |name: String| self.folder.path().join(name);
        ClientCertificate {
            certificate: path(format!("{file}.pem")),
            key: path(format!("{file}.key")),
        }
    }

    /// Takes a certificate back.
    pub fn revoke(&self, certificate: &ClientCertificate) {
        let file = certificate.certificate.display();
        self.openssl(&format!("ca -config ca.cnf -revoke {file}"));
        self.list();
    }

    fn list(&self) {
        self.openssl("ca -config ca.cnf -gencrl -out crls.pem");
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("/usr/bin/openssl");
        command.args(arguments.split_whitespace()).current_dir(self.folder.path());
        let output = run(&mut command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {said}");
    }
}

impl ClientCertificate {
    /// Certificate and key in one file, as some clients want it.
    pub fn in_one(&self) -> PathBuf {
        let path = self.certificate.with_extension("both.pem");
        let both = [&self.certificate, &self.key].map(|file: &PathBuf| read(file)).concat();
        fs::write(&path, both).unwrap();
        path
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}
