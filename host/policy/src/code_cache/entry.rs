//! One entry: what it is, a keyed digest over that and the code, and the code.
//!
//! | octets | what |
//! | --- | --- |
//! | 16 | [`MAGIC`] |
//! | 32 | the digest: BLAKE3 with the cache's key, over everything behind it |
//! | 96 | the [`Identity`]: engine, component, settings |
//! | 8 | whether `configure` has left its memory in the code (1) or runs in each instance (0) |
//! | … | the code, as the engine serialises it |

use std::hash::{Hash, Hasher};

use wasmtime::Engine;

use super::key::Key;

/// What every entry begins with, the version of this form in it.
const MAGIC: [u8; 16] = *b"waypost code 01\n";
const DIGEST: usize = 32;
/// Where what is digested begins.
const SEALED: usize = MAGIC.len() + DIGEST;
/// Where the code begins.
pub(super) const HEAD: usize = SEALED + 3 * 32 + 8;
/// No entry is larger: twice what the largest component that is loaded compiles to.
pub(super) const MAX_ENTRY: u64 = 512 << 20;

/// What makes two pieces of compiled code the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// [`engine_digest`].
    pub(super) engine: [u8; 32],
    /// The SHA-256 of the component as it was given.
    pub(super) component: [u8; 32],
    /// The SHA-256 of the settings, which `configure` has made part of the code.
    pub(super) settings: [u8; 32],
}

impl Identity {
    /// The entry's name. The identity stands inside the entry too, where it is digested: a renamed
    /// entry is not taken for another.
    pub(super) fn file_name(&self) -> String {
        format!("{}.code", blake3::hash(&self.octets(false)[..96]).to_hex())
    }

    /// As it stands in an entry.
    fn octets(&self, is_configured: bool) -> [u8; HEAD - SEALED] {
        let mut octets = [0; HEAD - SEALED];
        let parts = [&self.engine, &self.component, &self.settings];
        for (place, part) in octets.chunks_exact_mut(32).zip(parts) {
            place.copy_from_slice(part);
        }
        if let Some(flag) = octets.get_mut(96) {
            *flag = u8::from(is_configured);
        }
        octets
    }
}

/// Everything that compiled code depends on but the component: the engine's version, how it is set,
/// the processor's features that it compiles for, and this crate, which has had a hand in it.
pub(crate) fn engine_digest(engine: &Engine) -> [u8; 32] {
    struct Digesting(blake3::Hasher);

    impl Hasher for Digesting {
        fn write(&mut self, octets: &[u8]) {
            self.0.update(octets);
        }

        fn finish(&self) -> u64 {
            // Nobody asks: the whole digest is taken below.
            0
        }
    }

    let mut hasher = Digesting(blake3::Hasher::new());
    hasher.write(&MAGIC);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// What stands before the code in an entry.
pub(super) fn head(identity: &Identity, is_configured: bool, code: &[u8], key: &Key) -> Vec<u8> {
    let sealed = identity.octets(is_configured);
    let digest = key.digest(&[&sealed, code]);
    [&MAGIC[..], digest.as_bytes(), &sealed].concat()
}

/// An entry that was written with the key of this cache, for this identity, as it lies in memory.
/// There is no other way to one than [`check`](Self::check).
pub(crate) struct Genuine {
    octets: Vec<u8>,
    is_configured: bool,
}

impl Genuine {
    /// Checks what was read. The error says what is wrong.
    pub(super) fn check(octets: Vec<u8>, identity: &Identity, key: &Key) -> Result<Self, String> {
        let (Some(head), Some(sealed)) = (octets.get(..SEALED), octets.get(SEALED..)) else {
            return Err("it is cut off".into());
        };
        let (magic, digest) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err("it is no entry of this version".into());
        }
        let digest: [u8; DIGEST] = digest.try_into().map_err(|_| "it is cut off".to_owned())?;
        // Compared in constant time. Nothing of what is sealed is looked at before.
        if key.digest(&[sealed]) != blake3::Hash::from_bytes(digest) {
            return Err("its digest is wrong: it is damaged, or not written with this key".into());
        }
        let said = octets.get(SEALED..HEAD).unwrap_or_default();
        let is_configured = match said {
            said if said == identity.octets(true) => true,
            said if said == identity.octets(false) => false,
            _ => return Err("it holds the code of something else".into()),
        };
        Ok(Self { octets, is_configured })
    }

    /// The code as the engine serialised it.
    pub(crate) fn code(&self) -> &[u8] {
        self.octets.get(HEAD..).unwrap_or_default()
    }

    /// Whether `configure` has left its memory in the code.
    pub(crate) fn is_configured(&self) -> bool {
        self.is_configured
    }
}
