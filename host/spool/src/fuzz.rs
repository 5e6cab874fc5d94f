//! What a fuzz target calls, and ordinary tests replay: each takes any bytes and does not panic.

use crate::Id;
use crate::name::Name;
use crate::slot::{self, Content, HEADER};

/// A file's name and an operator's id. What is read is written as the same.
pub fn spool_name(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(name) = Name::parse(&text) {
        assert_eq!(name.to_string(), text);
    }
    if let Ok(id) = text.parse::<Id>() {
        assert_eq!(id.to_string(), text.to_ascii_uppercase());
    }
}

/// A slot of a record's file: what passes is what would have been written.
pub fn spool_slot(data: &[u8]) {
    let Some((octets, rest)) = data.split_first_chunk::<HEADER>() else { return };
    let id = octets.get(24..40).and_then(|id| id.try_into().ok()).map(u128::from_be_bytes);
    let id = Id::from_bits(id.unwrap_or_default());
    let Ok(header) = slot::decode(id, octets) else { return };
    let Some(record) = rest.get(..header.length) else { return };
    if header.verify(octets, record).is_ok() {
        let slot::Header { state, sequence, copy_length, .. } = header;
        let written = slot::encode(id, &Content { state, sequence, copy_length, record });
        assert_eq!(data.get(..written.len()), Some(&*written));
    }
}

#[cfg(test)]
mod tests {
    use crate::Id;
    use crate::slot::{Content, State, encode};

    #[test]
    fn seeds_are_replayed() {
        let id = Id::generate();
        let name = format!("{id}.record");
        let content =
            Content { state: State::Removed, sequence: 7, copy_length: 3, record: b"a record" };
        let slot = encode(id, &content);
        let seeds: [&[u8]; 5] = [b"", b"../lock", name.as_bytes(), &slot, &slot[..slot.len() - 1]];
        for seed in seeds {
            super::spool_name(seed);
            super::spool_slot(seed);
        }
    }
}
