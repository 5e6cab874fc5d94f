//! That the front has found somebody's password right, as a browser remembers it.

use aws_lc_rs::digest::{SHA256, digest};
use waypost_model::Verification;

/// The length of a [`Proof`], in octets.
pub const PROOF_OCTETS: usize = 8;

/// Stands for an entry of a directory against which a password was right, and for how it was
/// checked: short, since it stands in a cookie. It is sealed there, so that nobody can make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof([u8; PROOF_OCTETS]);

impl Proof {
    /// Of a password that was checked so; `None` where it is the back end that checks it.
    pub fn of(verification: &Verification) -> Option<Self> {
        let (Verification::ByBind(principal) | Verification::ByPassword(principal)) = verification
        else {
            return None;
        };
        let mut text = Vec::new();
        for part in [verification.kind(), &principal.directory, &principal.dn] {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        let proof = digest(&SHA256, &text).as_ref().first_chunk().copied()?;
        // Nothing but zeros stands for none.
        Some(Self(if proof == [0; PROOF_OCTETS] { [1; PROOF_OCTETS] } else { proof }))
    }

    /// As it stands in a cookie.
    pub(crate) fn octets(proof: Option<Self>) -> [u8; PROOF_OCTETS] {
        proof.map_or([0; PROOF_OCTETS], |proof| proof.0)
    }

    pub(crate) fn from_octets(octets: [u8; PROOF_OCTETS]) -> Option<Self> {
        (octets != [0; PROOF_OCTETS]).then_some(Self(octets))
    }
}
