use std::net::SocketAddr;
use std::str::FromStr;

use waypost_directory::LdapUrl;
use waypost_model::{Address, Domain, DomainError, Host, HostPort};
use waypost_net::backend::Pattern;
use waypost_net::networks::{Network, Networks};
use waypost_routing::DomainPattern;

use crate::read::{NamedNode, Node, Value};

/// Reads a string with the type's own reader, whose error says what was expected.
pub(crate) fn parsed<T: FromStr<Err: ToString>>(node: &Node<'_>, expected: String) -> Option<T> {
    let Some(text) = node.text() else { return node.expected(expected) };
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => node.error(error.to_string()),
    }
}

impl Value for Domain {
    fn expected() -> String {
        "a domain such as \"example.test\"".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let Some(text) = node.text() else { return node.expected(Self::expected()) };
        match Self::new(text) {
            Ok(domain) => Some(domain),
            Err(error) => bad_domain(node, error),
        }
    }
}

fn bad_domain<T>(node: &Node<'_>, error: DomainError) -> Option<T> {
    match error {
        DomainError::Invalid => node.expected(Domain::expected()),
        DomainError::Empty | DomainError::TooLong => node.error(error),
    }
}

impl Value for Host {
    fn expected() -> String {
        "a host name or an address".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        parsed(node, Self::expected())
    }
}

impl Value for HostPort {
    fn expected() -> String {
        "a host such as \"relay.example.test:25\", the port if it is not the usual one".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        parsed(node, Self::expected())
    }
}

impl Value for Address {
    fn expected() -> String {
        "a mail address such as \"postmaster@example.test\"".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let Some(text) = node.text() else { return node.expected(Self::expected()) };
        match Self::new(text, None) {
            Ok(address) => Some(address),
            Err(error) => node.error(format!("{error}; expected {}", Self::expected())),
        }
    }
}

impl Value for SocketAddr {
    fn expected() -> String {
        "an address with a port such as \"[::]:993\" or \"127.0.0.1:143\"".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        match node.text().map(str::parse) {
            Some(Ok(address)) => Some(address),
            _ => node.expected(<Self as Value>::expected()),
        }
    }
}

impl Value for Network {
    fn expected() -> String {
        "a network such as \"10.0.0.0/8\" or an address".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        parsed(node, Self::expected())
    }
}

/// A set of networks.
#[derive(Clone, Debug, Default)]
pub(crate) struct NetworkList(pub(crate) Networks);

impl Value for NetworkList {
    fn expected() -> String {
        Vec::<Network>::expected()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        Some(Self(node.read::<Vec<Network>>()?.into_iter().collect()))
    }
}

impl Value for LdapUrl {
    fn expected() -> String {
        "the URL of a server such as \"ldap://ldap.example.test\"".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        parsed(node, Self::expected())
    }
}

/// What stands as the key of a table.
pub(crate) trait FromName: FromStr<Err: ToString> {
    /// Reads a table's name; notes what is wrong with it.
    fn from_name(entry: &NamedNode<'_>) -> Option<Self> {
        match entry.name.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                entry.name_error(Self::problem(error));
                None
            }
        }
    }

    /// What is wrong and what was expected.
    fn problem(error: Self::Err) -> String {
        error.to_string()
    }
}

impl FromName for Pattern {}

impl FromName for DomainPattern {
    fn problem(error: DomainError) -> String {
        let expected = "expected a domain such as \"example.test\", \"*.example.test\" or \"*\"";
        format!("{error}; {expected}")
    }
}

/// Whether the name of a listener, a directory or a policy may be this: it stands in logs and in
/// metrics.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&name.len()) && name.chars().all(allowed)
}
