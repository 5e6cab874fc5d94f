use std::fs;
use std::path::Path;

/// A message as it lies in a mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Message(String);

impl Message {
    /// All of it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The first field of its header with this name, without what it is folded over.
    pub fn field(&self, name: &str) -> Option<&str> {
        let header = self.0.lines().take_while(|line| !line.is_empty());
        let mut fields = header.filter_map(|line| line.split_once(':'));
        fields.find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// What lies in a Maildir; nothing where there is none yet.
pub(crate) fn read(folder: &Path) -> Vec<Message> {
    let files = ["new", "cur"].iter().filter_map(|part| fs::read_dir(folder.join(part)).ok());
    files
        .flatten()
        .map(|entry| {
            let octets = fs::read(entry.unwrap().path()).unwrap();
            Message(String::from_utf8_lossy(&octets).replace("\r\n", "\n"))
        })
        .collect()
}
