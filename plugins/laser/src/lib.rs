//! A policy by `mailHost` and `mailRoutingAddress`: the schema of
//! draft-lachman-laser-ldap-mail-routing, read as sendmail's `ldap_routing` reads it.
//!
//! | `mailHost` | `mailRoutingAddress` | what happens |
//! | --- | --- | --- |
//! | a local host | set | delivered here, to the routing address |
//! | a local host | unset | delivered here, to the original address |
//! | a remote host | set | taken to that host, for the routing address |
//! | a remote host | unset | taken to that host, for the original address |
//! | unset | set | delivered here, to the routing address |
//! | unset | unset | as if there were no entry: `no-entry` decides |
//!
//! A *local host* is one of `local-names`. *Here* are the `local-hosts`; where there are none, the
//! local host itself.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `directory` | required | the directory to ask, by its name in the operator's configuration |
//! | `search-base` | required | the entry below which to search, a [template](waypost_sdk::template) |
//! | `search-pattern` | `"(&(objectClass=inetLocalMailRecipient)(mailLocalAddress=%e))"` | the filter, a template |
//! | `host-field` | `"mailHost"` | the attribute that names the host |
//! | `address-field` | `"mailRoutingAddress"` | the attribute that names the routing address |
//! | `local-names` | `[]` | hosts that count as local |
//! | `local-hosts` | none | where what is delivered here goes |
//! | `no-entry` | `"refuse"` | what an unknown address means: `"refuse"`, `"pass"`, or `"deliver"` here, to the original address |
//! | `domain-entries` | `true` | ask for `@domain` where the address itself is unknown; without a saying, only where `search-pattern` goes by `%e` |
//! | `recipient-delimiter` | `"+"` | the character at which a tag starts; `""`: none does |
//! | `keep-tag` | `true` | whether a tag goes on to the routing address |
//! | `max-hops` | `2` | how often a routing address is looked up in its turn; `0`: never, as sendmail |
//! | `login-name` | `"keep"` | the name that somebody logs in with: `"keep"` the client's, or `"routing-address"` |
//!
//! **Who is asked for.** The address; then, where it has a tag, the address without; then `@domain`.
//! The first that has a host or a routing address counts.
//!
//! **The routing address** is the recipient that is passed on; `@domain` keeps the local part and
//! replaces the domain. At a login it changes where the session goes, and the name only where
//! `login-name` says so.
//!
//! **Hops.** What is delivered here to a routing address may have an entry of its own, with a host:
//! then that one counts, and so on. An address that has none, or is its own routing address, stays.
//! Addresses that lead back to one that was before, or on for more than `max-hops`, are the failure
//! `bad-data`. Each hop takes up to three searches of the policy's `limits.searches`.
//!
//! **Doubt.** Entries that differ, and more than one value of either attribute, are the failure
//! `ambiguous`; a value that is no host or no address is `bad-data`, and so is a page that is not
//! complete: nothing is left to the order in which a directory answers.

mod address;
mod entry;
mod policy;
mod settings;

pub use entry::MOST_ENTRIES;
pub use policy::Laser;
pub use settings::Settings;

waypost_sdk::export!(Laser);
