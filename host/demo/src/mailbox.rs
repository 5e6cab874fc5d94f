use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::Message;

/// One user's only mailbox.
#[derive(Debug, Default)]
pub struct Mailbox {
    messages: Vec<Message>,
    last_uid: u32,
}

impl Mailbox {
    /// Puts a message behind the others, under the next UID.
    pub fn deliver(&mut self, text: &str) {
        self.last_uid += 1;
        self.messages.push(Message::new(self.last_uid, text));
    }

    /// The messages, oldest first.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    pub(crate) fn messages_mut(&mut self) -> &mut [Message] {
        &mut self.messages
    }

    pub(crate) fn next_uid(&self) -> u32 {
        self.last_uid + 1
    }

    /// Removes the messages for which `gone` holds; their sequence numbers, counted as IMAP's
    /// EXPUNGE responses count them (RFC 3501 section 7.4.1).
    pub(crate) fn remove(&mut self, gone: impl Fn(&Message) -> bool) -> Vec<usize> {
        let mut removed = Vec::new();
        let mut number = 1;
        self.messages.retain(|message| {
            if gone(message) {
                removed.push(number);
                return false;
            }
            number += 1;
            true
        });
        removed
    }
}

/// Somebody with a mailbox.
#[derive(Debug)]
pub struct User {
    name: String,
    password: String,
    mailbox: Mutex<Mailbox>,
}

impl User {
    pub(crate) fn mailbox(&self) -> &Mutex<Mailbox> {
        &self.mailbox
    }
}

/// The mailboxes of one back end.
#[derive(Debug, Default)]
pub struct MailboxStore {
    users: HashMap<String, Arc<User>>,
}

impl MailboxStore {
    /// Adds a user whose mailbox holds `messages`. The name is a whole address.
    pub fn add<'a>(
        &mut self,
        name: &str,
        password: &str,
        messages: impl IntoIterator<Item = &'a str>,
    ) {
        let mut mailbox = Mailbox::default();
        messages.into_iter().for_each(|text| mailbox.deliver(text));
        let user = User {
            name: name.to_owned(),
            password: password.to_owned(),
            mailbox: Mutex::new(mailbox),
        };
        self.users.insert(name.to_ascii_lowercase(), Arc::new(user));
    }

    /// Whose mailbox has this name.
    pub(crate) fn user(&self, name: &str) -> Option<Arc<User>> {
        self.users.get(&name.to_ascii_lowercase()).cloned()
    }

    /// The user's full name, where the password is right.
    pub(crate) fn log_in(&self, name: &str, password: &str) -> Option<Arc<User>> {
        let user = self.users.get(&name.to_ascii_lowercase())?;
        (user.password == password && !user.name.is_empty()).then(|| user.clone())
    }
}
