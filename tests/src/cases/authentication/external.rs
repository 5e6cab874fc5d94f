//! Logins with a client's certificate (SASL EXTERNAL), by real clients, in front of real back ends.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::checked_by;
use crate::cases::Case;
use crate::clients::{self, Tls};
use crate::clusters::mail::{MailCluster, MailPlan};
use crate::clusters::mailboxes::{Cluster, DOMAIN, Door, MASTER_PASSWORD, Plan, SOUTH};
use crate::servers::{ClientAuthority, ClientCertificate, free_port, run, wait_for};

pub(crate) const CASES: &[Case] = &[
    ("authentication::external::real_clients_read_their_mail_with_a_certificate", real_clients),
    ("authentication::external::nobody_acts_for_somebody_else", somebody_else),
    ("authentication::external::whoever_shows_no_certificate_is_offered_passwords", no_certificate),
    ("authentication::external::a_certificate_may_be_required_beside_a_password", required),
    ("authentication::external::a_certificate_that_names_several_is_of_no_use", several_names),
    ("authentication::external::each_field_of_a_certificate_can_name_the_user", fields),
    (
        "authentication::external::a_back_end_that_wants_the_clients_password_is_not_entered",
        no_way_in,
    ),
    ("authentication::external::a_message_is_submitted_with_a_certificate", submission),
    ("authentication::external::who_has_been_revoked_is_refused", revoked),
];

const USER1: &str = "user1@localdomain.test";

/// A cluster with listeners that ask for certificates, and who issues those.
struct House {
    cluster: Cluster,
    clients: ClientAuthority,
    imap: u16,
    imaps: u16,
    pop3: u16,
}

impl House {
    /// `certificates` are further lines of the listeners' `client-certificates`.
    fn new(certificates: &str, plan: &Plan) -> Self {
        let clients = ClientAuthority::new();
        let (imap, imaps, pop3) = (
            Door::imap("imap-certified", &table("imap-certified", certificates)),
            Door::imap("imaps-certified", &table("imaps-certified", certificates)),
            Door::pop3("pop3-certified", &table("pop3-certified", certificates)),
        );
        let implicit = imaps.text.replace("tls = \"starttls\"", "tls = \"implicit\"");
        let plan = Plan {
            more: [&plan.more, &imap.text, &implicit, &pop3.text].map(String::as_str).concat(),
            backend: format!(
                "{}enter = {{ with = \"master-user\", name = \"waypost\", \
                 password = {{ file = \"master.secret\" }} }}\n",
                plan.backend
            ),
            files: vec![
                ("clients-ca.pem".to_owned(), clients.pem()),
                ("crls.pem".to_owned(), clients.revoked()),
            ],
            ..plan.clone()
        };
        let cluster = Cluster::start(&plan);
        Self { cluster, clients, imap: imap.port, imaps: imaps.port, pop3: pop3.port }
    }

    fn user1s(&self) -> ClientCertificate {
        self.clients.issue("user1", "/CN=whoever", &format!("email:{USER1}"))
    }

    /// Reads a mailbox by curl, which says the name itself.
    fn curl(&self, url: &str, certificate: &ClientCertificate, user: &str) -> (bool, String) {
        let mut command = Command::new("/usr/bin/curl");
        command.args(["-sSv", "--max-time", "20", "--ssl-reqd", "--cacert"]).arg(self.cluster.ca());
        command.arg("--cert").arg(&certificate.certificate).arg("--key").arg(&certificate.key);
        command.args(["--login-options", "AUTH=EXTERNAL", "-u", &format!("{user}:"), url]);
        said_by(&mut command)
    }

    fn imap_url(&self) -> String {
        format!(
            "imaps://127.0.0.1:{}/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)",
            self.imaps
        )
    }

    /// Logs in with gsasl by STARTTLS, `authorisation_id` being what it says.
    fn gsasl(&self, certificate: &ClientCertificate, authorisation_id: &str) -> String {
        let mut command = Command::new("/usr/bin/gsasl");
        command.args(["--imap", "--starttls", "-m", "EXTERNAL", "-z", authorisation_id]);
        command.arg("--x509-ca-file").arg(self.cluster.ca());
        command.arg("--x509-cert-file").arg(&certificate.certificate);
        command.arg("--x509-key-file").arg(&certificate.key);
        command.args(["localhost", &self.imap.to_string()]);
        said_by(&mut command).1
    }

    /// Logs in with Python's imaplib, which says nothing, and reads the subjects.
    fn imaplib(&self, certificate: &ClientCertificate) -> (bool, String) {
        let script = "import imaplib, ssl, sys\n\
             port, ca, certificate, key = sys.argv[1:]\n\
             context = ssl.create_default_context(cafile=ca)\n\
             context.load_cert_chain(certificate, key)\n\
             c = imaplib.IMAP4('127.0.0.1', int(port), timeout=20)\n\
             c.starttls(context)\n\
             print(c.capabilities)\n\
             c.authenticate('EXTERNAL', lambda challenge: b'')\n\
             c.select('INBOX')\n\
             for n in c.search(None, 'ALL')[1][0].split():\n    \
             print(c.fetch(n, '(BODY.PEEK[HEADER.FIELDS (SUBJECT)])')[1][0][1].decode().strip())\n\
             c.logout()\n";
        let mut command = Command::new("python3");
        command.arg("-c").arg(script).arg(self.imap.to_string()).arg(self.cluster.ca());
        command.arg(&certificate.certificate).arg(&certificate.key);
        said_by(&mut command)
    }

    fn log(&self) -> String {
        self.cluster.waypost.log()
    }
}

/// The table of a listener, behind whatever else it has.
fn table(listener: &str, lines: &str) -> String {
    format!("[listener.{listener}.client-certificates]\nca = \"clients-ca.pem\"\n{lines}")
}

const BY_ADDRESS: &str = "name-from = \"rfc822-name\"\n";

fn said_by(command: &mut Command) -> (bool, String) {
    let output = run(command);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The policy leaves passwords to the back ends: a certificate needs none.
fn real_clients() {
    let house = House::new(BY_ADDRESS, &Plan::default());
    let user1 = house.user1s();
    let pop3 = format!("pop3://127.0.0.1:{}/1", house.pop3);
    for url in [&house.imap_url(), &pop3] {
        let (ok, said) = house.curl(url, &user1, USER1);
        assert!(ok && said.contains("Subject: Welcome to north"), "{url}: {said}\n{}", house.log());
        assert!(said.contains(" EXTERNAL"), "{url}: {said}");
        let mut commands = said.lines().filter(|line| line.starts_with("> "));
        assert!(!commands.any(|it| it.contains("PASS") || it.contains("LOGIN")), "{url}: {said}");
    }
    let (ok, said) = house.imaplib(&user1);
    assert!(ok && said.contains("Subject: Welcome to north"), "{said}\n{}", house.log());
    for name in ["", USER1] {
        let said = house.gsasl(&user1, name);
        assert!(said.contains("OK ") && !said.contains("FAILED"), "{name:?}: {said}");
    }
    let mut imtest = Command::new("/usr/lib/cyrus/bin/imtest");
    imtest.args(["-m", "EXTERNAL", "-u", USER1, "-t"]).arg(user1.in_one());
    let (_, said) = said_by(imtest.args(["-p", &house.imap.to_string(), "127.0.0.1"]));
    assert!(said.contains("Authenticated."), "{said}");
    let log = house.cluster.north.log();
    assert!(log.contains("imap-login: Info: Login: user=<user1@localdomain.test>"), "{log}");
    assert!(!log.contains("auth failed"), "{log}");
}

fn somebody_else() {
    let house = House::new(BY_ADDRESS, &Plan::default());
    let user1 = house.user1s();
    let said = house.gsasl(&user1, "user2@localdomain.test");
    assert!(said.contains("NO [AUTHORIZATIONFAILED]"), "{said}");
    let (ok, said) = house.curl(&house.imap_url(), &user1, "user2@localdomain.test");
    assert!(!ok && said.contains("NO [AUTHORIZATIONFAILED]"), "{said}");
    let pop3 = format!("pop3://127.0.0.1:{}/1", house.pop3);
    let (ok, said) = house.curl(&pop3, &user1, "user2@localdomain.test");
    assert!(!ok && said.contains("-ERR [AUTH]"), "{said}");
    // A certificate that somebody else has issued ends TLS.
    let others = ClientAuthority::new();
    let forged = others.issue("user1", "/CN=whoever", &format!("email:{USER1}"));
    let (ok, said) = house.imaplib(&forged);
    assert!(!ok && !said.contains("Welcome"), "{said}");
    let log = house.log();
    assert!(log.contains("TLS with the client: the certificate is not accepted"), "{log}");
    assert!(!house.cluster.north.log().contains("Login: user="), "{}", house.cluster.north.log());
}

fn no_certificate() {
    // The front checks passwords, so that those who have none to show can enter too.
    let plan = checked_by("bind");
    let house = House::new(BY_ADDRESS, &plan);
    let ca = house.cluster.ca();
    let account = house.cluster.imap(Tls::Start, USER1, "user1", &ca);
    let account =
        clients::Account { server: crate::clusters::mailboxes::local(house.imap), ..account };
    assert_eq!(clients::imaplib(&account), Ok(vec!["Welcome to north".to_owned()]));
    let mut gsasl = Command::new("/usr/bin/gsasl");
    gsasl.args(["--imap", "--starttls", "-m", "EXTERNAL", "-z", USER1, "--x509-ca-file"]).arg(&ca);
    let (_, said) = said_by(gsasl.args(["localhost", &house.imap.to_string()]));
    assert!(said.contains("NO There is no such mechanism here."), "{said}");
}

/// Without `name-from` it is something to have beside something to know.
fn required() {
    let house = House::new("required = true\n", &checked_by("bind"));
    let user1 = house.user1s();
    let curl = |password: &str, certified: bool| {
        let mut command = Command::new("/usr/bin/curl");
        command.args(["-sSv", "--max-time", "20", "--cacert"]).arg(house.cluster.ca());
        if certified {
            command.arg("--cert").arg(&user1.certificate).arg("--key").arg(&user1.key);
        }
        command.args(["-u", &format!("{USER1}:{password}"), &house.imap_url()]);
        said_by(&mut command)
    };
    let (ok, said) = curl("user1", true);
    assert!(ok && said.contains("Welcome to north"), "{said}");
    assert!(!said.contains("EXTERNAL"), "{said}");
    let (ok, said) = curl("wrong", true);
    assert!(!ok && said.contains("AUTHENTICATIONFAILED"), "{said}");
    let (ok, said) = curl("user1", false);
    assert!(!ok && !said.contains("* OK"), "{said}");
    let log = house.log();
    assert!(log.contains("the client showed no certificate, and one is required"), "{log}");
}

fn several_names() {
    let house = House::new(BY_ADDRESS, &Plan::default());
    for (file, names, why) in [
        ("two", "email:user1@localdomain.test,email:user2@localdomain.test", "several different"),
        ("none", "DNS:localdomain.test", "it has no rfc822Name in subjectAltName"),
    ] {
        let certificate = house.clients.issue(file, "/CN=user1@localdomain.test", names);
        let (ok, said) = house.imaplib(&certificate);
        assert!(!ok && !said.contains("AUTH=EXTERNAL"), "{file}: {said}");
        let log = house.log();
        assert!(log.contains("the client's certificate is not taken for a login"), "{log}");
        assert!(log.contains(why), "{file}: {log}");
    }
    let twice = "email:user1@localdomain.test,email:user1@localdomain.test";
    let certificate = house.clients.issue("twice", "/CN=whoever", twice);
    let (ok, said) = house.imaplib(&certificate);
    assert!(ok && said.contains("Welcome to north"), "{said}");
}

fn fields() {
    for (field, subject, names) in [
        (
            "user-principal-name",
            "/CN=whoever",
            "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:user1@localdomain.test,\
             email:user2@localdomain.test",
        ),
        (
            "email-address",
            "/CN=whoever/emailAddress=user1@localdomain.test",
            "email:user2@localdomain.test",
        ),
        ("common-name", "/CN=user1@localdomain.test", "email:user2@localdomain.test"),
    ] {
        let house = House::new(&format!("name-from = \"{field}\"\n"), &Plan::default());
        let certificate = house.clients.issue("user1", subject, names);
        let (ok, said) = house.imaplib(&certificate);
        assert!(ok && said.contains("Welcome to north"), "{field}: {said}\n{}", house.log());
        let log = house.cluster.north.log();
        assert!(log.contains(&format!("user=<user1@{DOMAIN}>")), "{field}: {log}");
    }
}

/// The southern back end is entered with the client's own password, and there is none.
fn no_way_in() {
    let plan =
        Plan { more: format!("[backend.\"{SOUTH}\"]\nca = \"ca.pem\"\n\n"), ..Plan::default() };
    let house = House::new(BY_ADDRESS, &plan);
    let user3 = house.clients.issue("user3", "/CN=whoever", &format!("email:user3@{DOMAIN}"));
    let (ok, said) = house.imaplib(&user3);
    assert!(!ok && said.contains("[UNAVAILABLE]"), "{said}");
    let log = house.log();
    assert!(log.contains("set `enter` of [backend]"), "{log}");
    assert!(!house.cluster.south.log().contains("user3"), "{}", house.cluster.south.log());
    let (ok, said) = house.imaplib(&house.user1s());
    assert!(ok && said.contains("Welcome to north"), "{said}");
}

/// Postfix asks Dovecot whether Waypost's master user may send in the client's name.
fn submission() {
    let clients = ClientAuthority::new();
    let port = free_port();
    let cluster = MailCluster::start(&MailPlan {
        postfixes: 1,
        dovecots: 1,
        backend: "enter = { with = \"master-user\", name = \"waypost\", \
                  password = { file = \"master.secret\" } }\n",
        more: format!(
            "[listener.certified]\nprotocol = \"submission\"\nbind = [\"127.0.0.1:{port}\"]\n\
             tls = \"starttls\"\n{}\n",
            table("certified", BY_ADDRESS)
        ),
        files: vec![
            ("clients-ca.pem".to_owned(), clients.pem()),
            ("master.secret".to_owned(), MASTER_PASSWORD.to_owned()),
        ],
        ..MailPlan::default()
    });
    let users = cluster.users(0);
    let (from, to) = (&users[0], &users[1]);
    let certificate = clients.issue("sender", "/CN=whoever", &format!("email:{from}"));
    let message = cluster.waypost.file("message.eml");
    let text = format!("From: {from}\r\nTo: {to}\r\nSubject: certified\r\n\r\nHello\r\n");
    fs::write(&message, text).unwrap();
    let curl = |name: &str| {
        let mut command = Command::new("/usr/bin/curl");
        command.args(["-sSv", "--max-time", "20", "--ssl-reqd", "--cacert"]).arg(cluster.ca());
        command.arg("--cert").arg(&certificate.certificate).arg("--key").arg(&certificate.key);
        command.args(["--login-options", "AUTH=EXTERNAL", "-u", &format!("{name}:")]);
        command.args(["--mail-from", from, "--mail-rcpt", to, "-T"]).arg(&message);
        said_by(command.arg(format!("smtp://127.0.0.1:{port}/client.test")))
    };
    let (ok, said) = curl(from);
    assert!(ok && said.contains("< 235 2.7.0"), "{said}\n{}", cluster.logs());
    cluster.settle();
    assert_eq!(cluster.copies(to, "certified"), 1, "{}", cluster.logs());
    let (ok, said) = curl(to);
    assert!(!ok && said.contains("< 535 5.7.8"), "{said}");
    let mut gsasl = Command::new("/usr/bin/gsasl");
    gsasl.args(["--smtp", "--starttls", "-m", "EXTERNAL", "-z", ""]);
    gsasl.arg("--x509-ca-file").arg(cluster.ca());
    gsasl.arg("--x509-cert-file").arg(&certificate.certificate);
    gsasl.arg("--x509-key-file").arg(&certificate.key);
    let (_, said) = said_by(gsasl.args(["localhost", &port.to_string()]));
    assert!(said.contains("235 2.7.0"), "{said}");
}

/// The list is read anew while Waypost serves.
fn revoked() {
    let certificates = format!("{BY_ADDRESS}crls = \"crls.pem\"\n");
    let house = House::new(&certificates, &Plan::default());
    let (user1, user2) = (
        house.user1s(),
        house.clients.issue("user2", "/CN=whoever", &format!("email:user2@{DOMAIN}")),
    );
    for certificate in [&user1, &user2] {
        let (ok, said) = house.imaplib(certificate);
        assert!(ok && said.contains("Welcome to north"), "{said}");
    }
    house.clients.revoke(&user1);
    replace(&house.cluster.waypost.file("crls.pem"), &house.clients.revoked());
    wait_for("the list to be read anew", Duration::from_secs(30), || {
        house.log().contains("what they have revoked were read anew").then_some(())
    });
    let (ok, said) = house.imaplib(&user1);
    assert!(!ok && !said.contains("Welcome"), "{said}");
    assert!(house.log().contains("it has been revoked"), "{}", house.log());
    let (ok, said) = house.imaplib(&user2);
    assert!(ok && said.contains("Welcome to north"), "{said}");
}

/// As whoever renews such a file does: nobody sees half of it.
fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(&new, path).unwrap();
}
