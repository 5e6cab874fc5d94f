use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Authority, Background, free_port, run, wait_for};

/// An OpenLDAP server with the schemas that mail routing wants, below `dc=localdomain,dc=test`.
#[derive(Debug)]
pub(crate) struct Slapd {
    folder: TempDir,
    process: Option<Background>,
    port: u16,
    secure_port: u16,
    /// A second one over TLS, as domain controllers have for the global catalogue.
    catalog_port: u16,
}

/// Who may write.
const ADMIN: &str = "cn=admin,dc=localdomain,dc=test";
/// As in the document that these tests follow.
const PASSWORD: &str = "secret";

impl Slapd {
    /// Starts one that holds its suffix's entry. Its certificate is for 127.0.0.1.
    pub fn start(authority: &Authority) -> Self {
        Self::start_with(authority, "")
    }

    /// The same with further lines of schema.
    pub fn start_with(authority: &Authority, schema: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("slapd-").tempdir().unwrap();
        let path = folder.path();
        fs::create_dir(path.join("data")).unwrap();
        let (chain, key) = authority.issue(&["127.0.0.1"]);
        for (file, content) in
            [("ca.pem", authority.pem()), ("chain.pem", &chain), ("key.pem", &key)]
        {
            fs::write(path.join(file), content).unwrap();
        }
        let shown = path.display();
        // `inetLocalMailRecipient` is not in the core schema: Debian ships it in misc.schema.
        let configuration = format!(
            "include /etc/ldap/schema/core.schema\n\
             include /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/inetorgperson.schema\n\
             include /etc/ldap/schema/misc.schema\n\
             {schema}\
             pidfile {shown}/pid\n\
             TLSCACertificateFile {shown}/ca.pem\n\
             TLSCertificateFile {shown}/chain.pem\nTLSCertificateKeyFile {shown}/key.pem\n\
             modulepath /usr/lib/ldap\nmoduleload back_mdb\n\
             database mdb\nsuffix dc=localdomain,dc=test\ndirectory {shown}/data\n\
             rootdn {ADMIN}\nrootpw {PASSWORD}\nindex mail eq\n"
        );
        fs::write(path.join("slapd.conf"), configuration).unwrap();
        let (port, secure_port, catalog_port) = (free_port(), free_port(), free_port());
        let mut slapd = Self { process: None, port, secure_port, catalog_port, folder };
        slapd.resume();
        slapd.add(
            "dn: dc=localdomain,dc=test\nobjectClass: dcObject\nobjectClass: organization\n\
             dc: localdomain\no: test\n",
        );
        slapd
    }

    /// Where it listens in clear.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)
    }

    /// Its URL, in clear and for StartTLS.
    pub fn url(&self) -> String {
        format!("ldap://{}", self.address())
    }

    /// Its URL for TLS from the first octet.
    pub fn secure_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.secure_port)
    }

    /// Its other URL for TLS.
    pub fn catalog_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.catalog_port)
    }

    /// Whom Waypost binds as.
    pub fn bind_dn(&self) -> &'static str {
        ADMIN
    }

    /// The password for that.
    pub fn bind_password(&self) -> &'static str {
        PASSWORD
    }

    /// Adds entries given as LDIF.
    pub fn add(&self, ldif: &str) {
        self.modify("ldapadd", ldif);
    }

    /// Adds a user as the document does, under the suffix's domain.
    pub fn add_user(&self, name: &str, host: &str) {
        self.add(&user(name, host));
    }

    /// Adds many users at once.
    pub fn add_users(&self, users: &[(String, String)]) {
        let users: Vec<String> = users.iter().map(|(name, host)| user(name, host)).collect();
        self.add(&users.join("\n"));
    }

    /// Changes a user's `mailHost`.
    pub fn move_user(&self, name: &str, host: &str) {
        self.replace(name, "mailHost", host);
    }

    /// Gives a user's entry another value.
    pub fn replace(&self, name: &str, attribute: &str, value: &str) {
        let ldif = format!(
            "dn: cn={name},dc=localdomain,dc=test\nchangetype: modify\n\
             replace: {attribute}\n{attribute}: {value}\n"
        );
        self.modify("ldapmodify", &ldif);
    }

    /// Changes a user's password.
    pub fn set_password(&self, name: &str, password: &str) {
        let ldif = format!(
            "dn: cn={name},dc=localdomain,dc=test\nchangetype: modify\n\
             replace: userPassword\nuserPassword: {password}\n"
        );
        self.modify("ldapmodify", &ldif);
    }

    /// Deletes a user.
    pub fn delete_user(&self, name: &str) {
        // ldapdelete takes the last octet of its file for a line end, whatever it is.
        let dn = format!("cn={name},dc=localdomain,dc=test\n");
        self.modify("ldapdelete", &dn);
    }

    /// The server's process, to freeze and thaw.
    pub fn process(&self) -> &Background {
        self.process.as_ref().expect("slapd is running")
    }

    /// Stops it: connections are refused.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again, with the same data on the same port.
    pub fn resume(&mut self) {
        let path = self.folder.path();
        let mut command = Command::new("/usr/sbin/slapd");
        // -d keeps it in the foreground; 256 logs operations and their results.
        command.arg("-d").arg("256").arg("-f").arg(path.join("slapd.conf"));
        command.arg("-h").arg(format!(
            "{} {} {}",
            self.url(),
            self.secure_url(),
            self.catalog_url()
        ));
        self.process = Some(Background::start("slapd", &mut command, path));
        wait_for("slapd", Duration::from_secs(20), || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    fn modify(&self, tool: &str, input: &str) {
        let file = self.folder.path().join("input");
        fs::write(&file, input).unwrap();
        let mut command = Command::new(format!("/usr/bin/{}", tool));
        command.args(["-x", "-H", &self.url(), "-D", ADMIN, "-w", PASSWORD, "-f"]).arg(&file);
        let output = run(&mut command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}\n{input}", tool);
    }
}

fn user(name: &str, host: &str) -> String {
    format!(
        "dn: cn={name},dc=localdomain,dc=test\nobjectClass: inetOrgPerson\n\
         objectClass: inetLocalMailRecipient\ncn: {name}\nsn: {name}\n\
         mail: {name}@localdomain.test\nuserPassword: {name}\nmailHost: {host}\n"
    )
}
