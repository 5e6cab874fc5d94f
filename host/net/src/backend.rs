//! The back-end table: how to speak with a target, by pattern of its name or address.
//!
//! # Which entry counts
//! One entry counts, whole: nothing is inherited from a less specific one. It is the most specific
//! whose pattern matches the target *as the policy named it*:
//!
//! - a target named by host name: the entry of that very name, else `*.SUFFIX` with the longest
//!   suffix, else `*`;
//! - a target named by address: the entry of that very address, else the network with the longest
//!   prefix, else `*`.
//!
//! What a name resolves to has no say: otherwise whoever can forge a DNS answer could choose an
//! entry that demands less. Without `*` the defaults stand in its place.

mod pattern;
mod settings;

use std::collections::HashMap;
use std::collections::hash_map;
use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error;
use waypost_model::{Domain, Encryption, Host, Protocol, Target};

pub use self::pattern::{Pattern, PatternError};
pub use self::settings::{
    BackendSettings, ClientIdentity, ClientIdentityError, Entry, MasterForm, MasterUser, usual_port,
};
use crate::networks::Network;
use crate::tls::Connector;

/// One entry of the table: the settings for the clients of each protocol.
#[derive(Clone, Debug)]
pub struct Backend {
    imap: Arc<BackendSettings>,
    pop3: Arc<BackendSettings>,
    smtp: Arc<BackendSettings>,
    lmtp: Arc<BackendSettings>,
    submission: Arc<BackendSettings>,
    webmail: Arc<BackendSettings>,
}

impl Backend {
    /// Asks `settings` once for each protocol of clients.
    pub fn new(settings: impl Fn(Protocol) -> BackendSettings) -> Self {
        let settings = |protocol| Arc::new(settings(protocol));
        Self {
            imap: settings(Protocol::Imap),
            pop3: settings(Protocol::Pop3),
            smtp: settings(Protocol::Smtp),
            lmtp: settings(Protocol::Lmtp),
            submission: settings(Protocol::Submission),
            webmail: settings(Protocol::Webmail),
        }
    }

    /// The settings for clients of `protocol`.
    pub fn settings(&self, protocol: Protocol) -> &Arc<BackendSettings> {
        match protocol {
            Protocol::Imap => &self.imap,
            Protocol::Pop3 => &self.pop3,
            Protocol::Smtp => &self.smtp,
            Protocol::Lmtp => &self.lmtp,
            Protocol::Submission => &self.submission,
            Protocol::Webmail => &self.webmail,
        }
    }
}

/// The table. Part of a generation: a reload replaces it.
#[derive(Clone, Debug)]
pub struct BackendTable {
    names: HashMap<Domain, Backend>,
    addresses: HashMap<IpAddr, Backend>,
    suffixes: HashMap<Domain, Backend>,
    /// The longest prefix first.
    networks: Vec<(Network, Backend)>,
    any: Backend,
}

/// Two entries have one pattern.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the pattern {0} occurs twice; merge the two entries")]
pub struct Twice(pub Pattern);

impl BackendTable {
    /// Puts the entries together; `any` stands where none of them has the pattern `*`.
    pub fn new(
        entries: impl IntoIterator<Item = (Pattern, Backend)>,
        any: Backend,
    ) -> Result<Self, Twice> {
        let mut table = Self {
            names: HashMap::new(),
            addresses: HashMap::new(),
            suffixes: HashMap::new(),
            networks: Vec::new(),
            any,
        };
        let mut any_is_given = false;
        for (pattern, backend) in entries {
            let twice = || Twice(pattern.clone());
            match pattern.clone() {
                Pattern::Exact(Host::Name(name)) => {
                    insert(&mut table.names, name, backend).ok_or_else(twice)?;
                }
                Pattern::Exact(Host::Address(address)) => {
                    insert(&mut table.addresses, address, backend).ok_or_else(twice)?;
                }
                Pattern::Suffix(suffix) => {
                    insert(&mut table.suffixes, suffix, backend).ok_or_else(twice)?;
                }
                Pattern::Network(network) => {
                    if table.networks.iter().any(|(other, _)| *other == network) {
                        return Err(twice());
                    }
                    table.networks.push((network, backend));
                }
                Pattern::Any if any_is_given => return Err(twice()),
                Pattern::Any => {
                    table.any = backend;
                    any_is_given = true;
                }
            }
        }
        table.networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix()));
        Ok(table)
    }

    /// The entry for a target at `host`, as the policy named it.
    pub fn lookup(&self, host: &Host) -> &Backend {
        let specific = match host {
            Host::Name(name) => {
                self.names.get(name).or_else(|| longest_suffix(&self.suffixes, name))
            }
            Host::Address(address) => self.addresses.get(address).or_else(|| {
                let mut networks = self.networks.iter();
                networks.find(|(network, _)| network.contains(*address)).map(|(_, entry)| entry)
            }),
        };
        specific.unwrap_or(&self.any)
    }

    /// How to reach `target` for a client of `protocol`.
    ///
    /// The target's own encryption counts where it demands at least as much as the table. Its port
    /// counts where it has one. Else it is the table's port for the table's encryption, and the
    /// protocol's usual port for an encryption that the target chose.
    ///
    /// # Errors
    /// A target that asks for less encryption than the table demands is refused, not strengthened:
    /// its author believed in something that does not hold. So is one that needs TLS where the
    /// entry does not say whom to trust.
    pub fn endpoint(&self, target: &Target, protocol: Protocol) -> Result<Endpoint, EndpointError> {
        let settings = self.lookup(&target.host).settings(protocol).clone();
        let demanded = settings.encryption;
        let encryption = target.encryption.unwrap_or(demanded);
        if encryption < demanded {
            return Err(EndpointError::TooWeak { asked: encryption, demanded });
        }
        let tls = match encryption {
            Encryption::None => None,
            _ => Some(settings.tls.clone().ok_or(EndpointError::NoTls(encryption))?),
        };
        let configured = settings.port.filter(|_| encryption == demanded);
        let port = target
            .port
            .or(configured)
            .map_or_else(|| usual_port(settings.protocol, encryption), u16::from);
        let tls_name = target.tls_name.clone().map_or_else(|| target.host.clone(), Host::Name);
        Ok(Endpoint { port, encryption, tls, tls_name, settings })
    }
}

fn insert<K: Eq + std::hash::Hash>(
    table: &mut HashMap<K, Backend>,
    key: K,
    backend: Backend,
) -> Option<()> {
    match table.entry(key) {
        hash_map::Entry::Occupied(_) => None,
        hash_map::Entry::Vacant(vacant) => {
            vacant.insert(backend);
            Some(())
        }
    }
}

fn longest_suffix<'a>(
    suffixes: &'a HashMap<Domain, Backend>,
    name: &Domain,
) -> Option<&'a Backend> {
    let mut rest = name.as_str();
    while let Some((_, suffix)) = rest.split_once('.') {
        if let Some(backend) = suffixes.get(suffix) {
            return Some(backend);
        }
        rest = suffix;
    }
    None
}

/// How to reach one target.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where on each of its addresses.
    pub port: u16,
    /// How the leg is protected; never weaker than the table demands.
    pub encryption: Encryption,
    /// What makes the handshake; there unless `encryption` is none.
    pub tls: Option<Connector>,
    /// The name, or the address, to expect in the certificate.
    pub tls_name: Host,
    /// Everything else.
    pub settings: Arc<BackendSettings>,
}

/// Why a target cannot be tried, whatever its host does.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum EndpointError {
    /// It asks for less encryption than the table demands.
    #[error(
        "the policy asks for encryption `{}` where the back-end table demands `{}`",
        asked.as_str(), demanded.as_str()
    )]
    TooWeak {
        /// What the policy named.
        asked: Encryption,
        /// What the table demands.
        demanded: Encryption,
    },
    /// It needs TLS.
    #[error(
        "encryption `{}` is needed, and the entry of the back-end table has no authorities to \
         trust",
        .0.as_str()
    )]
    NoTls(Encryption),
}

#[cfg(test)]
mod tests;
