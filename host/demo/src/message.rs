/// A message in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its UID (RFC 3501 section 2.3.1.1).
    pub uid: u32,
    /// Whether somebody has read it.
    pub seen: bool,
    /// Whether it goes at the next EXPUNGE.
    pub deleted: bool,
    text: String,
}

impl Message {
    /// `text` is header, empty line and body; its line ends become CRLF.
    pub(crate) fn new(uid: u32, text: &str) -> Self {
        let mut lines: Vec<&str> = text.lines().collect();
        if !lines.contains(&"") {
            lines.push("");
        }
        let text = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
        Self { uid, seen: false, deleted: false, text }
    }

    /// All of it, with CRLF line ends.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The header with the empty line that ends it.
    pub fn header(&self) -> &str {
        self.split().0
    }

    /// What follows the header.
    pub fn body(&self) -> &str {
        self.split().1
    }

    /// The value of a header field, `None` where the message has none of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.header().lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn split(&self) -> (&str, &str) {
        let end = self.text.find("\r\n\r\n").map_or(self.text.len(), |at| at + 4);
        self.text.split_at(end)
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn header_and_body_are_told_apart() {
        let message = Message::new(1, "Subject: Welcome\nTo: a@b\n\nHello\n");
        assert_eq!(message.header(), "Subject: Welcome\r\nTo: a@b\r\n\r\n");
        assert_eq!(message.body(), "Hello\r\n");
        assert_eq!(message.field("subject"), Some("Welcome"));
        assert_eq!(message.field("cc"), None);
    }
}
