//! Decoys: whose login page somebody gets who does not exist.
//!
//! Were an unknown address told so, anybody could find out who has a mailbox. So it gets a login
//! page of a real back end, where every password is wrong; always the same one, as it would with a
//! user who exists.

use aws_lc_rs::hmac;
use waypost_model::{Address, Target};

use crate::seal::SealKeys;

/// The decoy of this address among `decoys`; `None` if there are none.
///
/// The one whose keyed hash with the address is highest (rendezvous hashing): without the key
/// nobody can compute whose page an address would get if it were unknown, and a list that changes
/// moves only the addresses of what is added or taken out.
pub fn choose<'d>(keys: &SealKeys, address: &Address, decoys: &'d [Target]) -> Option<&'d Target> {
    // Whether case matters is the directory's to say, and of no directory here.
    let address = address.as_str().to_lowercase();
    decoys.iter().max_by_key(|decoy| weight(keys, &address, decoy))
}

fn weight(keys: &SealKeys, address: &str, decoy: &Target) -> [u8; 32] {
    let mut context = hmac::Context::with_key(keys.decoy());
    context.update(&(address.len() as u64).to_be_bytes());
    context.update(address.as_bytes());
    context.update(decoy.to_string().as_bytes());
    context.sign().as_ref().first_chunk().copied().unwrap_or_default()
}
