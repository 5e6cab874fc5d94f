use regex_lite::{Regex, RegexBuilder};
use waypost_sdk::HostList;

use crate::template::{Hosts, Template};

/// The most memory that a compiled expression may take, in octets.
const MOST_MEMORY: usize = 64 * 1024;
/// How deep groups may be nested: what the parser's stack carries.
const MOST_DEPTH: u32 = 32;
/// The longest name to pass on, in octets: no address is longer.
const MOST_IDENTITY: usize = 512;

/// An entry for all addresses that an expression matches.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    hosts: Hosts,
    identity: Option<Template>,
}

impl Pattern {
    /// Compiles an expression, with hosts and the name to pass on behind it.
    pub(crate) fn new(
        expression: &str,
        is_case_sensitive: bool,
        hosts: &str,
        identity: Option<&str>,
    ) -> Result<Self, String> {
        let compile = |expression: &str| {
            RegexBuilder::new(expression)
                .case_insensitive(!is_case_sensitive)
                .size_limit(MOST_MEMORY)
                .nest_limit(MOST_DEPTH)
                .build()
                .map_err(|error| format!("the pattern: {error}"))
        };
        // By itself first: what is added may not close a group that it leaves open.
        compile(expression)?;
        let regex = compile(&format!("^(?:{expression})$"))?;
        let hosts = Hosts::parse(hosts, &regex)?;
        let identity = identity.map(|identity| Template::parse(identity, &regex)).transpose()?;
        // Makes what matching needs, once for all decisions.
        regex.captures("");
        Ok(Self { regex, hosts, identity })
    }

    /// The hosts and the name to pass on, where the expression matches the whole address.
    pub(crate) fn find(&self, address: &str) -> Option<(HostList, Option<String>)> {
        let captures = self.regex.captures(address)?;
        let hosts = self.hosts.fill(&captures)?;
        let Some(identity) = &self.identity else { return Some((hosts, None)) };
        let identity = identity.fill(&captures);
        (1..=MOST_IDENTITY).contains(&identity.len()).then_some((hosts, Some(identity)))
    }
}
