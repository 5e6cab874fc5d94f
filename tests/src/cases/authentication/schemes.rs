//! Stored passwords in every scheme.

use super::{PASSWORD, add_person, checked_by, output, slappasswd};
use crate::cases::Case;
use crate::clients::{self, Account, Read, Tls};
use crate::clusters::mailboxes::Cluster;

pub(crate) const CASES: &[Case] =
    &[("authentication::every_scheme_of_a_stored_password", every_scheme)];

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
    // As Debian hashes the passwords of its own users.
    let yescrypt = "print crypt($ARGV[0], '$y$j9T$F5Jx5fExrKuPp53xLKQ..1')";
    let hash = output("/usr/bin/perl", &["-e", yescrypt, PASSWORD]);
    assert!(hash.starts_with("$y$j9T$"), "{hash}");
    hashes.push(format!("{{CRYPT}}{hash}"));
    let doveadm = ["-o", "stats_writer_socket_path=", "pw", "-s", "BLF-CRYPT", "-p", PASSWORD];
    hashes.push(output("/usr/bin/doveadm", &doveadm));
    hashes
}

/// How many of [`hashes`] slapd can compare without further modules.
const SLAPDS_OWN: usize = 5;

type Client = fn(&Account<'_>) -> Read;

pub(super) const CLIENTS: [(&str, Client); 3] =
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
