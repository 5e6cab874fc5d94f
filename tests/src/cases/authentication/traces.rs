//! A secret as it would be found again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Every form in which a secret may stand in an octet stream: as it is, and in base64, with
/// anything before and behind it.
pub(super) fn forms(secret: &str) -> Vec<Vec<u8>> {
    let in_base64 = (0..3).map(|before: usize| {
        let message = [&[0; 2][..before], secret.as_bytes()].concat();
        let text = STANDARD.encode(&message).into_bytes();
        // What depends on the secret alone: six bits are a character.
        let (from, to) = ((before * 8).div_ceil(6), message.len() * 8 / 6);
        text[from..to].to_vec()
    });
    std::iter::once(secret.as_bytes().to_vec()).chain(in_base64).collect()
}

/// Whether octets hold a secret in any form.
pub(super) fn shows(octets: &[u8], secret: &str) -> bool {
    forms(secret).iter().any(|form| contains(octets, form))
}

/// Whether octets hold others.
pub(super) fn contains(octets: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(octets, wanted).is_some()
}
