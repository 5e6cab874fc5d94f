//! With whose password a session enters a back end.

use super::{PASSWORD, add_person, checked_by, slappasswd};
use crate::cases::Case;
use crate::clients::{self, Tls};
use crate::clusters::mailboxes::{Cluster, Plan};

pub(crate) const CASES: &[Case] = &[
    ("authentication::a_master_user_enters_by_authorisation_identity", master_by_identity),
    ("authentication::a_master_user_enters_by_separator", master_by_separator),
    ("authentication::a_back_ends_own_password_enters", own_password),
];

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
