//! A policy for clusters without a directory: a hash of the address says on which shard a mailbox
//! lives.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `shards` | required | name → `{ hosts, weight }`: the shard's hosts, in the order in which they are to be tried, and its share, 1 where it is not given |
//! | `by` | `"address"` | what is hashed: `"address"`, `"local-part"` or `"domain"` |
//! | `copies` | `1` | on how many shards a mailbox lives; a route names the hosts of all of them, the first choice first |
//! | `recipient-delimiter` | `"+"` | the character at which a tag starts, which is not hashed; `""`: none does |
//! | `case-sensitive` | `false` | whether `User` and `user` are two mailboxes |
//!
//! The policy knows no users: whoever asks is given a shard, and the back end knows whether the
//! mailbox exists. Mailboxes that live elsewhere than the hash says are listed in a policy of their
//! own, `local-map`, before this one.
//!
//! # The hash
//!
//! Rendezvous hashing (highest random weight): each shard draws as many numbers for a mailbox as it
//! has weight, and the shard with the highest number has the mailbox. So a shard that is added takes
//! what is its share from all others and moves nothing else; one that is removed leaves what it had
//! to all others by their weight; more weight only draws mailboxes in, and less only sends them
//! away. The *names* of the shards are hashed, not their hosts: hosts may be replaced, names must
//! stay.
//!
//! The numbers are the same on every machine and in every version; whoever moves mailboxes by
//! program can compute them too. All of it in unsigned 64-bit arithmetic that wraps around:
//!
//! - *key*: the address, its local part or its domain, without the tag, with `A`–`Z` in lower case
//!   unless `case-sensitive` says otherwise (a domain always), in UTF-8.
//! - *fnv(bytes)*: FNV-1a. Start from `cbf29ce484222325`; for each byte, xor it in, then multiply by
//!   `100000001b3` (hexadecimal, as all constants here).
//! - *mix(x)*: xor `x` with itself shifted right by 33 bits, multiply by `ff51afd7ed558ccd`, xor and
//!   shift again, multiply by `c4ceb9fe1a85ec53`, xor and shift again.
//! - The draw number *i*, from 0 to the weight less one, of the shard *name* for *key* is
//!   *mix(fnv(key) xor mix(fnv(name) + i · `9e3779b97f4a7c15`))*.
//!
//! Of equal numbers the shard counts whose name comes first in byte order.
//!
//! ```
//! // In Python:
//! // M = 2**64 - 1
//! // def fnv(b):
//! //     h = 0xcbf29ce484222325
//! //     for x in b: h = (h ^ x) * 0x100000001b3 & M
//! //     return h
//! // def mix(x):
//! //     x = (x ^ x >> 33) * 0xff51afd7ed558ccd & M
//! //     x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53 & M
//! //     return x ^ x >> 33
//! // def draw(key, name, i):
//! //     return mix(fnv(key) ^ mix(fnv(name) + i * 0x9e3779b97f4a7c15 & M))
//! assert_eq!(shard::draw(b"user@example.test", b"store1", 0), 0x157a_df80_2fa6_bc5d);
//! assert_eq!(shard::draw(b"user@example.test", b"store1", 1), 0x007e_1126_3b12_8ab6);
//! ```

mod hash;
mod policy;
mod settings;

pub use hash::draw;
pub use policy::Shard;
pub use settings::Settings;

waypost_sdk::export!(Shard);
