//! The policy that comes with Waypost: an LDAP directory says where a mailbox lives.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `directory` | required | the directory to ask, by its name in the operator's configuration |
//! | `search-base` | required | the entry below which to search, a [template](waypost_sdk::template) |
//! | `search-pattern` | required | the filter, a template; outer parentheses may be left out |
//! | `host-field` | required | the attribute that names the host |
//! | `defer-field` | none | an attribute that puts clients off while a mailbox is being moved |
//! | `use-first` | `false` | of several candidates take the first; else they are the failure `ambiguous` |
//! | `fallback-hosts` | `[]` | hosts that answer for what `fallback-on` lists |
//! | `fallback-on` | `["no-entry", "no-host-field"]` with hosts | also `directory-unavailable` |
//! | `no-entry` | `"refuse"` | what an unknown address means: `"refuse"` or `"pass"` |
//! | `recipient-delimiter` | `"+"` | the character at which a tag starts; `""`: none does |
//! | `catch-all` | `false` | ask for `@domain` where the address itself is unknown |
//! | `verify` | `"backend"` | who checks passwords: `"backend"`, or the front, by `"bind"` or against the `"password"` field |
//! | `active-directory` | `false` | the directory is Active Directory: see below |
//! | `alias-domains` | `{}` | domain → the domain under which its users are looked up |
//!
//! **Who is asked for.** The address; then, where it has a tag, the address without; then, with
//! `catch-all`, `@domain`. The first that has an entry counts, and no other is asked after it. The
//! name that is passed on stays the client's, tag included: whether a mailbox has sub-addresses is
//! the back end's to know. Only for an alias domain it changes: since the back end knows the
//! canonical domain alone, the address under that domain is passed on, tag included, also where
//! the client gave a bare name.
//!
//! An address whose domain, by `%s`, lies outside the directory's own base has no entry.
//!
//! **Which host.** A candidate is one distinct value of `host-field` in any entry found: `host`,
//! `host:port`, `[v6]:port`, or several with commas, to be tried in that order. An entry without
//! host beside one that has a host does not count. A value that names no host is the failure
//! `bad-data`, even if another value does: a directory keeps no order among values, so whether it
//! mattered would be left to chance.
//!
//! **While a mailbox is being moved** clients can be put off: where an entry found has `defer-field`
//! with a value other than `FALSE`, they are told to come back later, mail waits with its sender, and
//! no route from before is used, until the attribute is gone. Sessions in progress go on.
//!
//! **Who checks the password.** With `verify = "bind"` or `"password"` the front does, against the
//! entry that names the host, or against the entry without host for which `fallback-hosts` answer.
//! So there must be one: where several entries are found, `use-first` takes the one that names the
//! host, and without it the answer is the failure `ambiguous`. Nothing answers for a user without
//! an entry then, and `catch-all`, whose entry is not the user's, is no setting beside it. What the
//! policy may ask for is the operator's `verification` to say.
//!
//! **Active Directory.** With `active-directory = true` an account that is disabled
//! (`userAccountControl`) or has expired (`accountExpires`) is refused as `disabled-user`; both must
//! be among the attributes that the policy may read. In a login name such as `EXAMPLE\\user` what
//! stands before the backslash does not count, and the back end gets the name without it.
//!
//! **A page that is not complete** (a search asks for [`MOST_ENTRIES`] entries, the operator may
//! allow fewer) proves neither that there is no entry or host nor that there is one candidate
//! only: with `use-first` the first candidate is taken and the log told; without it, and where no
//! entry seen has a host, the answer is the failure `ambiguous` or `bad-data`. It never falls back.

mod account;
mod candidates;
mod names;
mod policy;
mod settings;

pub use candidates::MOST_ENTRIES;
pub use policy::LdapRouting;
pub use settings::Settings;

waypost_sdk::export!(LdapRouting);
