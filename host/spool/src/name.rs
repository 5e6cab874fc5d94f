//! The names of files in the folder.

use std::fmt;

use crate::Id;

/// The file whose lock says that a writer is there.
pub(crate) const LOCK: &str = "lock";

/// What a file of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The octets of the message.
    Copy,
    /// The record that makes the message kept. A file has this name only when all of it is on
    /// stable storage.
    Record,
    /// A record that is being made. Worth nothing after a crash.
    Draft,
}

/// A file of a message: its id, a dot, what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) id: Id,
    pub(crate) kind: Kind,
}

impl Name {
    pub(crate) const fn copy(id: Id) -> Self {
        Self { id, kind: Kind::Copy }
    }

    pub(crate) const fn record(id: Id) -> Self {
        Self { id, kind: Kind::Record }
    }

    pub(crate) const fn draft(id: Id) -> Self {
        Self { id, kind: Kind::Draft }
    }

    /// Reads a file's name, which is one of ours only if we would write it so.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, kind) = text.split_once('.')?;
        let kind = match kind {
            "copy" => Kind::Copy,
            "record" => Kind::Record,
            "draft" => Kind::Draft,
            _ => return None,
        };
        let name = Self { id: id.parse().ok()?, kind };
        (name.to_string() == text).then_some(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Copy => "copy",
            Kind::Record => "record",
            Kind::Draft => "draft",
        };
        write!(f, "{}.{kind}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Name};
    use crate::Id;

    #[test]
    fn names_come_back_and_others_are_foreign() {
        let id = Id::generate();
        for name in [Name::copy(id), Name::record(id), Name::draft(id)] {
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        assert_eq!(Name::parse(&format!("{id}.copy")), Some(Name { id, kind: Kind::Copy }));
        let lower = id.to_string().to_lowercase();
        for text in ["lock", "", ".copy", "x.copy", &format!("{id}"), &format!("{id}.copy~")] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
        assert_eq!(Name::parse(&format!("{lower}.copy")), None, "we write capitals");
    }
}
