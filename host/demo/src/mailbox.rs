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

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// The mailboxes of one back end.
#[derive(Debug, Default)]
pub struct MailboxStore {
    name: String,
    users: HashMap<String, Arc<User>>,
    /// Of browsers that have logged in, by their token.
    sessions: Mutex<HashMap<String, Arc<User>>>,
}

impl MailboxStore {
    /// No mailboxes yet; `name` is what the back end calls itself.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

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

    /// Begins a session of a browser; its token.
    pub(crate) fn begin_session(&self, user: Arc<User>) -> String {
        let token = format!("{:032x}", rand::random::<u128>());
        self.sessions.lock().insert(token.clone(), user);
        token
    }

    pub(crate) fn session(&self, token: &str) -> Option<Arc<User>> {
        self.sessions.lock().get(token).cloned()
    }

    pub(crate) fn end_session(&self, token: &str) {
        self.sessions.lock().remove(token);
    }
}
