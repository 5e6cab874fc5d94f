//! An answer as it lies in a plugin's memory.

/// Where the image begins.
const BASE: usize = 1024;
/// Where strings and lists begin, behind the answer itself.
const REST: usize = 64;

/// `result<answer, failure>` with what it points to, for `answer.wat`. The offsets are in
/// `tests/plugins/README.md`.
pub(crate) struct Image(Vec<u8>);

/// One target of a route.
#[derive(Clone, Default)]
pub(crate) struct Target<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
    pub(crate) encryption: Option<u8>,
    pub(crate) tls_name: Option<&'a str>,
    pub(crate) hints: Vec<Hint<'a>>,
}

/// One hint.
#[derive(Clone)]
pub(crate) struct Hint<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
    pub(crate) critical: bool,
}

impl<'a> Hint<'a> {
    pub(crate) fn new(name: &'a str) -> Self {
        Self { name, value: "", critical: false }
    }
}

pub(crate) fn target(host: &str) -> Target<'_> {
    Target { host, ..Target::default() }
}

impl Image {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn pass() -> Self {
        Self::empty().byte(4, 3)
    }

    pub(crate) fn defer(text: &str) -> Self {
        Self::empty().byte(4, 2).string(8, text)
    }

    pub(crate) fn refuse(number: u8, text: &str) -> Self {
        Self::empty().byte(4, 1).byte(8, number).string(12, text)
    }

    pub(crate) fn failure(number: u8, text: &str) -> Self {
        Self::empty().byte(0, 1).byte(4, number).string(8, text)
    }

    pub(crate) fn ambiguous(candidates: u32) -> Self {
        Self::empty().byte(0, 1).byte(4, 1).word(8, candidates as usize)
    }

    pub(crate) fn route(targets: &[Target<'_>]) -> Self {
        let mut image = Self::empty();
        let list = image.room(36 * targets.len());
        for (n, target) in targets.iter().enumerate() {
            let at = list + 36 * n;
            image = image.string(at, target.host);
            if let Some(port) = target.port {
                image = image.byte(at + 8, 1).put(at + 10, &port.to_le_bytes());
            }
            if let Some(encryption) = target.encryption {
                image = image.byte(at + 12, 1).byte(at + 13, encryption);
            }
            if let Some(name) = target.tls_name {
                image = image.byte(at + 16, 1).string(at + 20, name);
            }
            image = image.hints_at(at + 28, &target.hints);
        }
        image.word(8, BASE + list).word(12, targets.len())
    }

    pub(crate) fn identity(self, identity: &str) -> Self {
        self.byte(16, 1).string(20, identity)
    }

    pub(crate) fn verification(self, number: u8, directory: &str, dn: &str) -> Self {
        self.byte(28, number).string(32, directory).string(40, dn)
    }

    pub(crate) fn cache_for(self, seconds: u32) -> Self {
        self.byte(48, 1).word(52, seconds as usize)
    }

    pub(crate) fn hints(self, hints: &[Hint<'_>]) -> Self {
        self.hints_at(56, hints)
    }

    /// Anything at all, anywhere in the answer.
    pub(crate) fn byte(self, at: usize, byte: u8) -> Self {
        self.put(at, &[byte])
    }

    /// Anything at all, anywhere in the answer.
    pub(crate) fn word(self, at: usize, word: usize) -> Self {
        self.put(at, &u32::try_from(word).unwrap().to_le_bytes())
    }

    fn empty() -> Self {
        Self(vec![0; REST])
    }

    fn hints_at(mut self, at: usize, hints: &[Hint<'_>]) -> Self {
        let list = self.room(20 * hints.len());
        for (n, hint) in hints.iter().enumerate() {
            let at = list + 20 * n;
            self = self.string(at, hint.name).string(at + 8, hint.value);
            self = self.byte(at + 16, hint.critical.into());
        }
        self.word(at, BASE + list).word(at + 4, hints.len())
    }

    fn string(mut self, at: usize, text: &str) -> Self {
        let place = self.room(text.len());
        self.put(place, text.as_bytes()).word(at, BASE + place).word(at + 4, text.len())
    }

    fn room(&mut self, size: usize) -> usize {
        let at = self.0.len().next_multiple_of(4);
        self.0.resize(at + size, 0);
        at
    }

    fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }
}
