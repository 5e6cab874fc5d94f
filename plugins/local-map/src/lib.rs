//! A policy by a list: addresses and regular expressions say where a mailbox lives.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `map` | required | the list, as text; most often from a file, by `files` |
//! | `no-entry` | `"refuse"` | what an address that is not in it means: `"refuse"` or `"pass"` |
//! | `recipient-delimiter` | `"+"` | the character at which a tag starts; `""`: none does |
//! | `case-sensitive` | `false` | whether `User` and `user` are two mailboxes |
//!
//! # The list
//!
//! A plugin opens no file. Waypost reads the list and hands it over as the setting `map`:
//!
//! ```toml
//! [policy.users]
//! plugin = "builtin:local-map"
//! targets = ["10.0.0.0/8", "*.example.test"]
//! files = { map = "users.map" }
//! ```
//!
//! ```text
//! # who                              where                             as whom
//! user1@example.test                 10.0.0.1
//! user2@example.test                 mail2.example.test:143,mail3.example.test
//! user3@example.test                 mail2.example.test                user3@old.test
//! /(.*)\.(north|south)@example\.test/   $2.example.test                $1@example.test
//! /.*@example\.test/                 mail9.example.test
//! ```
//!
//! A line is an entry: who, where and, if it is to change, the name to pass on, with spaces or tabs
//! between. Empty lines and lines that start with `#` say nothing.
//!
//! - **Who** is an address, or a regular expression between slashes that matches the whole address.
//!   Expressions are those of the crate `regex-lite`, without look-around and back-references, so
//!   that each is done in one pass; a space is written `\x20`.
//! - **Where** is `host`, `host:port`, `[v6]:port`, or several with commas, to be tried in that
//!   order. Behind an expression, `$1` or `${1}` is what its first group matched, `${name}` a named
//!   group, and `$$` a dollar sign, in hosts and in the name to pass on. What an address puts into a
//!   host can be letters, digits, hyphens and dots only, and never becomes a port or a second host;
//!   an address that would is not matched by this line.
//!
//! **Which entry counts.** The address itself; then, where it has a tag, the address without; then
//! the first expression that matches the address as it was given. The order of addresses does not
//! matter and none may be listed twice; expressions are tried in their order.
//!
//! Addresses cost a decision nothing, however many there are: the list is read once, when the policy
//! is loaded. Expressions are tried one after the other, and there may be at most
//! [`MOST_PATTERNS`]. Where the list is longer than a plugin's memory carries (100,000 addresses take
//! about 30 MiB while they are read), raise the policy's `limits.memory`.

mod line;
mod map;
mod pattern;
mod policy;
mod settings;
mod template;

pub use map::MOST_PATTERNS;
pub use policy::LocalMap;
pub use settings::Settings;

waypost_sdk::export!(LocalMap);
