//! What the demo's cluster consists of: who lives where, and what lies in each mailbox.

use waypost_demo::MailboxStore;

/// The demo's mail domain.
pub(super) const DOMAIN: &str = "localdomain.test";

/// A back end of the demo.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) address: &'static str,
    pub(super) users: [&'static str; 2],
}

pub(super) const MEMBERS: [Member; 2] = [
    Member { name: "north", address: "127.0.0.2", users: ["user1", "user2"] },
    Member { name: "south", address: "127.0.0.3", users: ["user3", "user4"] },
];

impl Member {
    /// A mailbox for everybody, with one message: who moves here, has one. Each password is the
    /// user's name.
    pub(super) fn mailboxes(&self) -> MailboxStore {
        let mut store = MailboxStore::new(self.name);
        for user in MEMBERS.iter().flat_map(|member| member.users) {
            let message = format!(
                "Date: Thu, 1 Jan 2026 12:00:00 +0000\n\
                 From: Waypost <waypost@{DOMAIN}>\n\
                 To: {user}@{DOMAIN}\n\
                 Subject: Welcome to {name}\n\
                 Message-ID: <welcome-{user}@{DOMAIN}>\n\
                 \n\
                 This mailbox lives on {name}, at {address}.\n\
                 You came through Waypost, which asked the directory where it is.\n",
                name = self.name,
                address = self.address,
            );
            store.add(&format!("{user}@{DOMAIN}"), user, [message.as_str()]);
        }
        store
    }
}

/// The directory: one entry for each user, whose `mailHost` names the back end.
pub(super) fn ldif() -> String {
    let mut ldif = "version: 1\n\n\
                    dn: dc=localdomain,dc=test\n\
                    objectClass: dcObject\n\
                    objectClass: organization\n\
                    dc: localdomain\n\
                    o: The demo of Waypost\n"
        .to_owned();
    for member in &MEMBERS {
        for user in member.users {
            ldif += &format!(
                "\ndn: cn={user},dc=localdomain,dc=test\n\
                 objectClass: inetOrgPerson\n\
                 objectClass: inetLocalMailRecipient\n\
                 cn: {user}\n\
                 sn: {user}\n\
                 mail: {user}@{DOMAIN}\n\
                 userPassword: {user}\n\
                 mailHost: {}\n",
                member.address,
            );
        }
    }
    ldif
}
