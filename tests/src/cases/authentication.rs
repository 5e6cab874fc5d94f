//! Passwords checked at the front, against a real directory and in front of real back ends.

use std::process::Command;

use super::Case;
use crate::clients::{self, Account, Read, Tls};
use crate::cluster::{Cluster, Plan};
use crate::servers::run;
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("authentication::every_scheme_of_a_stored_password", every_scheme),
    ("authentication::a_wrong_password_reaches_no_back_end", wrong_passwords),
    ("authentication::a_master_user_enters_by_authorisation_identity", master_by_identity),
    ("authentication::a_master_user_enters_by_separator", master_by_separator),
    ("authentication::a_back_ends_own_password_enters", own_password),
    ("authentication::names_full_of_metacharacters_reach_the_directory_escaped", metacharacters),
    ("authentication::challenges_are_answered_with_a_password_in_clear", challenges),
    ("authentication::cyrus_and_gnu_clients_log_in", other_clients),
    ("authentication::scram_is_passed_through", scram),
    ("authentication::an_active_directory_and_its_accounts", active_directory),
    ("authentication::nothing_shows_or_keeps_a_password", nothing_keeps_a_password),
];

/// Waypost checks passwords so.
fn checked_by(way: &str) -> Plan {
    Plan {
        policy: format!("verification = [\"{way}\"]\n"),
        settings: format!("verify = \"{way}\"\n"),
        // Each failure of a test would hold back the next one.
        login:
            "auth-failure-delay = \"200ms\"\nretry-for = \"1s\"\nfailures-without-delay = 1000\n"
                .to_owned(),
        directory: "clear-binds-to = [\"127.0.0.1\"]\n".to_owned(),
        ..Plan::default()
    }
}

const PASSWORD: &str = "correct horse";

/// A program's whole output.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = run(Command::new(program).args(arguments));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn slappasswd(module: Option<&str>, scheme: &str) -> String {
    let module = module.map(|module| format!("module-load={module}"));
    let mut arguments: Vec<&str> = module.iter().flat_map(|module| ["-o", module]).collect();
    arguments.extend(["-h", scheme, "-s", PASSWORD]);
    output("/usr/sbin/slappasswd", &arguments)
}

/// Hashes of the password as others make them. The first are those that slapd itself can compare.
fn hashes() -> Vec<String> {
    let mut hashes: Vec<String> =
        ["{SSHA}", "{SHA}", "{MD5}", "{SMD5}"].map(|scheme| slappasswd(None, scheme)).into();
    hashes.push(PASSWORD.to_owned());
    for (module, scheme) in [
        ("pw-sha2", "{SSHA256}"),
        ("pw-sha2", "{SSHA512}"),
        ("pw-pbkdf2", "{PBKDF2-SHA256}"),
        ("argon2", "{ARGON2}"),
    ] {
        hashes.push(slappasswd(Some(module), scheme));
    }
    for method in ["-5", "-6"] {
        let hash = output("/usr/bin/openssl", &["passwd", method, PASSWORD]);
        hashes.push(format!("{{CRYPT}}{hash}"));
    }
    let doveadm = ["-o", "stats_writer_socket_path=", "pw", "-s", "BLF-CRYPT", "-p", PASSWORD];
    hashes.push(output("/usr/bin/doveadm", &doveadm));
    hashes
}

/// How many of [`hashes`] slapd can compare without further modules.
const SLAPDS_OWN: usize = 5;

fn add_person(cluster: &Cluster, name: &str, stored: Option<&str>) {
    let password = stored.map(|stored| format!("userPassword: {stored}\n")).unwrap_or_default();
    cluster.slapd.add(&format!(
        "dn: cn={name},dc=localdomain,dc=test\nobjectClass: inetOrgPerson\n\
         objectClass: inetLocalMailRecipient\ncn: {name}\nsn: {name}\n\
         mail: {name}@localdomain.test\nmailHost: 127.0.0.2\n{password}"
    ));
}

type Client = fn(&Account<'_>) -> Read;

const CLIENTS: [(&str, Client); 3] =
    [("mbsync", clients::mbsync), ("curl", clients::curl_imap), ("imaplib", clients::imaplib)];

fn every_scheme() {
    let hashes = hashes();
    for (way, count) in [("password", hashes.len()), ("bind", SLAPDS_OWN)] {
        let cluster = Cluster::start(&checked_by(way));
        let ca = cluster.ca();
        for (number, hash) in hashes.iter().take(count).enumerate() {
            let name = format!("person{number}");
            add_person(&cluster, &name, Some(hash));
            let address = format!("{name}@localdomain.test");
            cluster.north.add_user(&address, PASSWORD, "Checked");
            // Dovecot sees by the second whether the file of its users has changed.
            std::thread::sleep(std::time::Duration::from_millis(1100));
            let account = cluster.imap(Tls::Implicit, &address, PASSWORD, &ca);
            // mbsync takes no space in a password.
            let (client, read) = CLIENTS[1 + number % 2];
            assert_eq!(read(&account), Ok(vec!["Checked".to_owned()]), "{way} {hash} {client}");
            let account = cluster.pop3(Tls::Start, &address, "correct horsf", &ca);
            let said = clients::poplib(&account).unwrap_err();
            assert!(said.contains("-ERR [AUTH]"), "{way} {hash}: {said}");
        }
        let account = cluster.imap(Tls::Start, "user1@localdomain.test", "user1", &ca);
        assert_eq!(clients::mbsync(&account), Ok(vec!["Welcome to north".to_owned()]), "{way}");
        add_person(&cluster, "nobody", None);
        cluster.north.add_user("nobody@localdomain.test", PASSWORD, "Not to be read");
        let account = cluster.imap(Tls::Implicit, "nobody@localdomain.test", PASSWORD, &ca);
        let said = clients::imaplib(&account).unwrap_err();
        assert!(said.contains("AUTHENTICATIONFAILED"), "an entry without password, {way}: {said}");
    }
}

/// The back ends write every password that they do not take to their logs (`auth_verbose`).
fn wrong_passwords() {
    let mismatches = |cluster: &Cluster| {
        let log = cluster.north.log();
        log.matches("mismatch").count() + log.matches("auth failed").count()
    };
    for (way, expected) in [("backend", 1), ("bind", 0), ("password", 0)] {
        let cluster = Cluster::start(&checked_by(way));
        let ca = cluster.ca();
        let user = "user1@localdomain.test";
        let account = cluster.imap(Tls::Implicit, user, "wrong", &ca);
        for (client, read) in CLIENTS {
            let said = read(&account).unwrap_err();
            assert!(!said.is_empty(), "{client}, {way}: {said}");
        }
        let said = clients::poplib(&cluster.pop3(Tls::Implicit, user, "wrong", &ca)).unwrap_err();
        assert!(said.contains("-ERR [AUTH]"), "{way}: {said}");
        let seen = mismatches(&cluster);
        assert_eq!(usize::from(seen > 0), expected, "{way}: {}", cluster.north.log());
        let account = cluster.imap(Tls::Implicit, user, "user1", &ca);
        assert_eq!(clients::imaplib(&account), Ok(vec!["Welcome to north".to_owned()]), "{way}");
    }
}

/// The directory and the back ends have different passwords: the front alone knows the client's.
fn entered(enter: &str) {
    for way in ["bind", "password"] {
        let plan = Plan { backend: format!("enter = {{ {enter} }}\n"), ..checked_by(way) };
        let cluster = Cluster::start(&plan);
        let ca = cluster.ca();
        add_person(&cluster, "ann", Some(&slappasswd(None, "{SSHA}")));
        let ann = "ann@localdomain.test";
        cluster.north.add_user(ann, "the-master-users", "For Ann");
        let expected = Ok(vec!["For Ann".to_owned()]);
        let imap = cluster.imap(Tls::Implicit, ann, PASSWORD, &ca);
        assert_eq!(clients::imaplib(&imap), expected, "{enter}, {way}: {}", cluster.waypost.log());
        let pop3 = cluster.pop3(Tls::Implicit, ann, PASSWORD, &ca);
        assert_eq!(clients::poplib(&pop3), expected, "{enter}, {way}: {}", cluster.waypost.log());
        // What lets Waypost in is of no use to a client.
        let imap = cluster.imap(Tls::Implicit, ann, "the-master-users", &ca);
        let said = clients::imaplib(&imap).unwrap_err();
        assert!(said.contains("AUTHENTICATIONFAILED"), "{said}");
    }
}

fn master_by_identity() {
    entered("with = \"master-user\", name = \"waypost\", password = { file = \"master.secret\" }");
}

fn master_by_separator() {
    entered(
        "with = \"master-user\", name = \"waypost\", by = \"separator\", \
         password = { file = \"master.secret\" }",
    );
}

fn own_password() {
    entered("with = \"password\", password = { file = \"master.secret\" }");
}

/// What reached the directory is in slapd's log, as it understood it.
fn metacharacters() {
    let cluster = Cluster::start(&checked_by("bind"));
    let mut talk = Talk::greeted(cluster.doors.imap);
    for (tag, name) in [
        ("a", "*"),
        ("b", "user1)(mail=*"),
        ("c", "*)(|(mail=*"),
        ("d", "user1,dc=localdomain,dc=test"),
        ("e", "us\u{e9}r\\\\2a"),
    ] {
        let command = format!("LOGIN \"{name}@localdomain.test\" user1");
        talk.say(&format!("{tag} {command}"));
        let said = talk.line();
        assert!(
            said.starts_with(&format!("{tag} NO [AUTHENTICATIONFAILED]")) || said.contains("BAD"),
            "{name}: {said}"
        );
        if said.contains("BYE") {
            break;
        }
        if tag == "d" {
            talk = Talk::greeted(cluster.doors.imap);
        }
    }
    let log = cluster.slapd.process().log();
    for filter in [
        "filter=\"(mail=\\2A@localdomain.test)\"",
        "filter=\"(mail=user1\\29\\28mail=\\2A@localdomain.test)\"",
        "filter=\"(mail=\\2A\\29\\28|\\28mail=\\2A@localdomain.test)\"",
    ] {
        assert!(log.contains(filter) || log.contains(&filter.to_lowercase()), "{filter}: {log}");
    }
    assert!(!log.contains("BIND dn=\"cn=user1"), "nobody was bound as: {log}");
}

/// Answers what a client of the command line says, once it has ended.
fn said_by(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = run(Command::new(program).args(arguments));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn with_challenges(way: &str) -> Plan {
    let plan = checked_by(way);
    let mechanisms = "mechanisms = [\"plain\", \"login\", \"cram-md5\"]\napop = true\n";
    Plan { login: plan.login.clone() + mechanisms, ..plan }
}

/// CRAM-MD5 and APOP by curl, which reads the mailbox with what Waypost has found in the directory.
fn challenges() {
    let cluster = Cluster::start(&with_challenges("password"));
    let ca = cluster.ca();
    let ca = ca.to_str().unwrap();
    let (imaps, pop3s) = (cluster.doors.imaps, cluster.doors.pop3s);
    let imap =
        format!("imaps://127.0.0.1:{imaps}/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)");
    let pop3 = format!("pop3s://127.0.0.1:{pop3s}/1");
    for (options, url) in
        [("AUTH=CRAM-MD5", &imap), ("AUTH=CRAM-MD5", &pop3), ("AUTH=+APOP", &pop3)]
    {
        let curl = |password: &str| {
            let user = format!("user1@localdomain.test:{password}");
            let arguments = [
                "-sSv",
                "--max-time",
                "20",
                "--cacert",
                ca,
                "--login-options",
                options,
                "-u",
                &user,
                url,
            ];
            said_by("/usr/bin/curl", &arguments)
        };
        let (ok, said) = curl("user1");
        assert!(ok && said.contains("Welcome to north"), "{options} {url}: {said}");
        assert!(
            !said.contains("> PASS") && !said.contains("LOGIN user1"),
            "{options} {url}: {said}"
        );
        let (ok, said) = curl("wrong");
        assert!(!ok, "{options} {url}: {said}");
    }
    let log = cluster.north.log();
    assert!(!log.contains("mismatch"), "{log}");
}

/// `imtest`, `pop3test` and `gsasl`, each mechanism by its name.
fn other_clients() {
    let cluster = Cluster::start(&with_challenges("password"));
    let (imap, pop3) = (cluster.doors.imap.to_string(), cluster.doors.pop3.to_string());
    let user = "user1@localdomain.test";
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        for (program, port) in
            [("/usr/lib/cyrus/bin/imtest", &imap), ("/usr/lib/cyrus/bin/pop3test", &pop3)]
        {
            let test = |password: &str| {
                let arguments = [
                    "-m",
                    mechanism,
                    "-a",
                    user,
                    "-u",
                    user,
                    "-w",
                    password,
                    "-p",
                    port,
                    "127.0.0.1",
                ];
                said_by(program, &arguments).1
            };
            let said = test("user1");
            assert!(said.contains("Authenticated."), "{program} {mechanism}: {said}");
            let said = test("wrong");
            assert!(said.contains("Authentication failed."), "{program} {mechanism}: {said}");
        }
        let gsasl = |password: &str| {
            let arguments = [
                "--imap",
                "--no-starttls",
                "-m",
                mechanism,
                "-a",
                user,
                "-z",
                "",
                "-p",
                password,
                "127.0.0.1",
                &imap,
            ];
            said_by("/usr/bin/gsasl", &arguments)
        };
        let (_, said) = gsasl("user1");
        assert!(
            said.contains("OK ") && !said.contains("AUTHENTICATIONFAILED"),
            "{mechanism}: {said}"
        );
        let (_, said) = gsasl("wrong");
        assert!(said.contains("AUTHENTICATIONFAILED"), "{mechanism}: {said}");
    }
    let log = cluster.north.log();
    assert!(!log.contains("mismatch"), "{log}");
}

/// The back end checks the proofs, and the client those of the back end; nobody else could.
fn scram() {
    let plan = Plan {
        login:
            "auth-failure-delay = \"200ms\"\nmechanisms = [\"scram-sha-1\", \"scram-sha-256\"]\n"
                .to_owned(),
        ..Plan::default()
    };
    let cluster = Cluster::start(&plan);
    let imap = cluster.doors.imap.to_string();
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let gsasl = |user: &str, password: &str| {
            let arguments = [
                "--imap",
                "--no-starttls",
                "--no-cb",
                "-m",
                mechanism,
                "-a",
                user,
                "-z",
                "",
                "-p",
                password,
                "127.0.0.1",
                &imap,
            ];
            said_by("/usr/bin/gsasl", &arguments).1
        };
        let said = gsasl("user1@localdomain.test", "user1");
        assert!(said.contains("OK [CAPABILITY"), "{mechanism}: {said}");
        let said = gsasl("user1@localdomain.test", "wrong");
        assert!(said.contains("AUTHENTICATIONFAILED"), "{mechanism}: {said}");
        let said = gsasl("nobody@localdomain.test", "wrong");
        assert!(said.contains("AUTHENTICATIONFAILED"), "{mechanism}: {said}");
    }
}

/// What Active Directory's schema has of accounts, under OIDs that are its own.
const AD_SCHEMA: &str = "\
    attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch \
     SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n\
    attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch \
     SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n\
    attributetype ( 1.2.840.113556.1.2.210 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch \
     SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n\
    attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch \
     SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )\n\
    attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch \
     SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )\n\
    objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL \
     MAY ( sAMAccountName $ userPrincipalName $ proxyAddresses $ userAccountControl $ \
     accountExpires ) )\n";

/// A slapd that looks like it: names by every attribute, disabled and expired accounts.
fn active_directory() {
    let plan = Plan {
        settings: "verify = \"bind\"\nactive-directory = true\n".to_owned(),
        search_pattern: "(|(proxyAddresses=smtp:%e)(userPrincipalName=%e)(sAMAccountName=%u))",
        attributes: "\"proxyAddresses\", \"userPrincipalName\", \"sAMAccountName\", \"mailHost\", \
                     \"userAccountControl\", \"accountExpires\"",
        schema: AD_SCHEMA,
        ..checked_by("bind")
    };
    let cluster = Cluster::start(&plan);
    let ca = cluster.ca();
    let never = "9223372036854775807";
    for (name, control, expires) in [
        ("ann", "512", never),
        ("bob", "514", never),
        // The first day of 2020.
        ("cid", "512", "132223104000000000"),
    ] {
        cluster.slapd.add(&format!(
            "dn: cn={name},dc=localdomain,dc=test\nobjectClass: user\n\
             objectClass: inetLocalMailRecipient\ncn: {name}\nsn: {name}\n\
             sAMAccountName: {name}\nuserPrincipalName: {name}.upn@localdomain.test\n\
             proxyAddresses: SMTP:{name}.mail@localdomain.test\nproxyAddresses: x500:/o=x/cn={name}\n\
             userAccountControl: {control}\naccountExpires: {expires}\n\
             userPassword: {name}\nmailHost: 127.0.0.2\n"
        ));
    }
    let log_in = |user: &str, password: &str| {
        clients::imaplib(&cluster.imap(Tls::Implicit, user, password, &ca))
    };
    let addresses = ["ann", "ann.upn", "ann.mail"].map(|user| format!("{user}@localdomain.test"));
    // All at once: Dovecot does not look at its file twice in a second.
    addresses.iter().for_each(|address| cluster.north.add_user(address, "ann", "For Ann"));
    let by_domain = "EXAMPLE\\ann@localdomain.test".to_owned();
    for address in addresses.iter().chain([&by_domain]) {
        assert_eq!(log_in(address, "ann"), Ok(vec!["For Ann".to_owned()]), "{address}");
    }
    for (user, password) in [("bob", "bob"), ("cid", "cid"), ("ann", "wrong")] {
        let said = log_in(&format!("{user}@localdomain.test"), password).unwrap_err();
        assert!(said.contains("AUTHENTICATIONFAILED"), "{user}: {said}");
    }
    let log = cluster.slapd.process().log();
    assert!(!log.contains("BIND dn=\"cn=bob"), "a disabled account is not even bound as: {log}");
}

/// Neither the log at its loudest nor the memory of the process, once the session is a relay.
fn nothing_keeps_a_password() {
    for way in ["backend", "bind", "password"] {
        let server = "log-level = \"trace\"\n".to_owned();
        let mut cluster = Cluster::start(&Plan { server, ..checked_by(way) });
        let secret = "xyzzy-plugh-42";
        let stored = output("/usr/sbin/slappasswd", &["-h", "{SSHA}", "-s", secret]);
        add_person(&cluster, "ann", Some(&stored));
        cluster.north.add_user("ann@localdomain.test", secret, "For Ann");
        let mut talk = Talk::greeted(cluster.doors.imap);
        let said = talk.imap("a", &format!("LOGIN ann@localdomain.test {secret}"));
        assert!(said.starts_with("a OK"), "{way}: {said}");
        let said = talk.imap("b", "NOOP");
        assert!(said.starts_with("b OK"), "{way}: {said}");
        let found = occurrences(cluster.waypost.id(), secret.as_bytes());
        assert_eq!(found, 0, "{way}: the password is in memory");
        let mut wrong = Talk::greeted(cluster.doors.imap);
        let said = wrong.imap("a", &format!("LOGIN ann@localdomain.test {secret}x"));
        assert!(said.starts_with("a NO"), "{way}: {said}");
        talk.imap("c", "LOGOUT");
        cluster.waypost.stop();
        let log = cluster.waypost.log();
        assert!(log.contains("ann@localdomain.test"), "{log}");
        assert!(!log.contains(secret) && !log.contains(&stored), "{way}: {log}");
        assert!(!log.contains("the-master-users"), "{way}: {log}");
    }
}

/// How often octets stand in the writable memory of a process.
fn occurrences(process: u32, wanted: &[u8]) -> usize {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut memory = std::fs::File::open(format!("/proc/{process}/mem")).unwrap();
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split(' ').next().unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let from = u64::from_str_radix(from, 16).unwrap();
        let to = u64::from_str_radix(to, 16).unwrap();
        // Address space that is only set aside, as for plugins, cannot be read.
        let mut at = from;
        while at < to {
            let length = (to - at).min(1 << 20);
            let mut block = vec![0; usize::try_from(length).unwrap()];
            if memory.seek(SeekFrom::Start(at)).is_ok() && memory.read_exact(&mut block).is_ok() {
                found += block.windows(wanted.len()).filter(|it| *it == wanted).count();
            }
            at += length;
        }
    }
    found
}
