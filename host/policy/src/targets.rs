use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;
use waypost_model::{Domain, Host};

/// The targets that a policy may name, as the operator's `targets` list them.
///
/// Each pattern grants something and none takes anything away, so that adding one never closes
/// what another one opened:
///
/// - `mail.example.test` grants this name, `*.example.test` every name below `example.test` at
///   whatever depth (not `example.test` itself), `*` every name.
/// - `10.0.0.0/8`, `fd00::/8`, `10.0.0.1` grant addresses.
///
/// A target written as an address needs a network. A target written as a name needs a name
/// pattern, or else every address that is used for it needs a network; that is known only after
/// resolution, so [`allows`](Self::allows) lets a name through wherever a network is granted at
/// all, and whoever connects asks [`allows_resolved`](Self::allows_resolved) for each address.
///
/// A name pattern vouches for the name, not for whoever answers DNS for it: loopback, unspecified,
/// link-local (cloud metadata lives there), multicast and broadcast addresses need a network even
/// then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetPatterns {
    names: Vec<NamePattern>,
    networks: Vec<Network>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum NamePattern {
    Any,
    Exact(Domain),
    /// Names that end in this and have at least one label more.
    Below(Domain),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a pattern grants nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{pattern}` {reason}")]
pub struct PatternError {
    /// The pattern as it was written.
    pub pattern: String,
    /// What is wrong with it and what was expected.
    pub reason: PatternFault,
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PatternFault {
    /// None of the forms.
    #[error(
        "is neither a host name (`mail.example.test`, `*.example.test`) nor an address \
         or network (`10.0.0.1`, `10.0.0.0/8`, `fd00::/8`)"
    )]
    Form,
    /// Behind the slash.
    #[error("has no valid prefix length: 0 to {0} is")]
    Prefix(u8),
    /// `10.0.0.1/8`.
    #[error("has address bits behind its prefix: write `{0}`")]
    HostBits(String),
    /// `::ffff:10.0.0.0/104`.
    #[error("is an IPv4 network in IPv6 clothing: write it as IPv4")]
    Mapped,
}

impl TargetPatterns {
    /// Reads the operator's list. An empty one grants nothing.
    pub fn parse<S: AsRef<str>>(patterns: &[S]) -> Result<Self, PatternError> {
        let mut parsed = Self::default();
        for pattern in patterns.iter().map(AsRef::as_ref) {
            parsed
                .add(pattern)
                .map_err(|reason| PatternError { pattern: pattern.to_owned(), reason })?;
        }
        Ok(parsed)
    }

    fn add(&mut self, pattern: &str) -> Result<(), PatternFault> {
        if pattern == "*" {
            self.names.push(NamePattern::Any);
        } else if let Some(parent) = pattern.strip_prefix("*.") {
            let parent = Domain::new(parent).map_err(|_| PatternFault::Form)?;
            self.names.push(NamePattern::Below(parent));
        } else if let Some((address, prefix)) = pattern.split_once('/') {
            self.networks.push(Network::parse(address, prefix)?);
        } else {
            match pattern.parse::<Host>().map_err(|_| PatternFault::Form)? {
                Host::Name(name) => self.names.push(NamePattern::Exact(name)),
                Host::Address(address) => self.networks.push(Network::of(address)),
            }
        }
        Ok(())
    }

    /// Whether a policy may name this host. `true` for a name can be a promise that only
    /// resolution keeps: [`allows_resolved`](Self::allows_resolved) has the last word.
    pub fn allows(&self, host: &Host) -> bool {
        match host {
            Host::Address(address) => self.allows_address(address),
            Host::Name(name) => self.allows_name(name) || !self.networks.is_empty(),
        }
    }

    /// Whether a name pattern matches.
    pub fn allows_name(&self, name: &Domain) -> bool {
        self.names.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether a network holds the address. An IPv4-mapped IPv6 address counts as IPv4.
    pub fn allows_address(&self, address: &IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.holds(&address))
    }

    /// Whether a connection to `address` may be opened for a target that names `host`; asked for
    /// each address that is tried.
    pub fn allows_resolved(&self, host: &Host, address: &IpAddr) -> bool {
        let granted_by_name = match host {
            Host::Name(name) => self.allows_name(name) && !is_special(address),
            Host::Address(_) => false,
        };
        granted_by_name || self.allows_address(address)
    }
}

impl NamePattern {
    fn matches(&self, name: &Domain) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == name,
            Self::Below(parent) => name
                .as_str()
                .strip_suffix(parent.as_str())
                .and_then(|labels| labels.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
        }
    }
}

impl Network {
    /// A single address.
    fn of(address: IpAddr) -> Self {
        Self { address, prefix: width(&address) }
    }

    fn parse(address: &str, prefix: &str) -> Result<Self, PatternFault> {
        let address: IpAddr = address.parse().map_err(|_| PatternFault::Form)?;
        if address.to_canonical() != address {
            return Err(PatternFault::Mapped);
        }
        let digits = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix = prefix
            .parse()
            .ok()
            .filter(|prefix| digits && *prefix <= width(&address))
            .ok_or_else(|| PatternFault::Prefix(width(&address)))?;
        let network = Self { address: masked(&address, prefix), prefix };
        if network.address != address {
            return Err(PatternFault::HostBits(network.to_string()));
        }
        Ok(network)
    }

    fn holds(&self, address: &IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn width(address: &IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with everything behind the first `prefix` bits cleared.
fn masked(address: &IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

/// Addresses at which no mail server lives that a name of the operator's would point to.
fn is_special(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_special_v4(v4),
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || embedded_v4(v6).is_some_and(is_special_v4)
        }
    }
}

fn is_special_v4(v4: Ipv4Addr) -> bool {
    // 0.0.0.0/8 is "this host on this network" (RFC 791); Linux delivers 0.0.0.0 to itself.
    v4.octets()[0] == 0
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_broadcast()
}

/// The IPv4 address that a translator on the way would take out of an IPv6 one: IPv4-compatible
/// (RFC 4291 section 2.5.5.1), the NAT64 prefix (RFC 6052), 6to4 (RFC 3056).
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(v4(g, h)),
        (0x2002, ..) => Some(v4(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waypost_model::Host;

    use super::{PatternFault, TargetPatterns};

    fn patterns(list: &[&str]) -> TargetPatterns {
        TargetPatterns::parse(list).unwrap()
    }

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    #[track_caller]
    fn resolved(list: &[&str], name: &str, address: &str) -> bool {
        patterns(list).allows_resolved(&host(name), &address.parse().unwrap())
    }

    #[test]
    fn an_empty_list_grants_nothing() {
        let none = patterns(&[]);
        assert!(!none.allows(&host("mail.example.test")));
        assert!(!none.allows(&host("10.0.0.1")));
        assert!(!none.allows_resolved(&host("mail.example.test"), &[10, 0, 0, 1].into()));
    }

    #[test]
    fn names_match_name_patterns() {
        let some = patterns(&["*.Mail.Example.test", "exact.test"]);
        for name in ["a.mail.example.test", "b.a.mail.example.test", "exact.test", "EXACT.test."] {
            assert!(some.allows(&host(name)), "{name}");
        }
        for name in ["mail.example.test", "xmail.example.test", "a.exact.test", "test", "10.0.0.1"]
        {
            assert!(!some.allows(&host(name)), "{name}");
        }
        assert!(patterns(&["*"]).allows(&host("anything.at.all")));
        assert!(!patterns(&["*"]).allows(&host("192.0.2.1")));
    }

    #[test]
    fn addresses_match_networks() {
        let some = patterns(&["10.0.0.0/8", "192.0.2.7", "fd00::/8", "2001:db8::1", "[::1]"]);
        for address in ["10.255.0.1", "192.0.2.7", "fd12::1", "2001:db8::1", "::ffff:10.0.0.1"] {
            assert!(some.allows(&host(address)), "{address}");
        }
        for address in ["11.0.0.1", "192.0.2.8", "fc00::1", "2001:db8::2", "::ffff:11.0.0.1"] {
            assert!(!some.allows(&host(address)), "{address}");
        }
        let all = patterns(&["0.0.0.0/0"]);
        assert!(all.allows(&host("203.0.113.1")));
        assert!(!all.allows(&host("2001:db8::1")));
    }

    #[test]
    fn a_name_without_pattern_lives_where_the_networks_are() {
        assert!(patterns(&["10.0.0.0/8"]).allows(&host("mail.other.test")));
        assert!(resolved(&["10.0.0.0/8"], "mail.other.test", "10.1.2.3"));
        assert!(!resolved(&["10.0.0.0/8"], "mail.other.test", "192.0.2.1"));
        assert!(!resolved(&["10.0.0.0/8"], "mail.other.test", "127.0.0.1"));
    }

    #[test]
    fn a_pattern_takes_nothing_from_another() {
        let both = ["10.0.0.0/8", "*.example.test"];
        assert!(resolved(&both, "a.example.test", "192.0.2.1"));
        assert!(resolved(&both, "a.other.test", "10.0.0.1"));
        assert!(!resolved(&both, "a.other.test", "192.0.2.1"));
    }

    #[test]
    fn dns_does_not_lead_a_granted_name_home_or_to_metadata() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
        ] {
            assert!(!resolved(&["*.example.test"], "a.example.test", address), "{address}");
            assert!(!resolved(&["*"], "a.example.test", address), "{address}");
        }
        for address in ["10.0.0.1", "192.0.2.1", "fd00::1", "2001:db8::1", "64:ff9b::c000:201"] {
            assert!(resolved(&["*.example.test"], "a.example.test", address), "{address}");
        }
        // Where the operator says so, loopback is a place for mail servers.
        assert!(resolved(&["*", "127.0.0.0/8"], "north.test", "127.0.0.2"));
    }

    #[test]
    fn a_target_by_address_stays_that_address() {
        assert!(resolved(&["10.0.0.0/8"], "10.0.0.1", "10.0.0.1"));
        assert!(!resolved(&["10.0.0.0/8", "*"], "10.0.0.1", "192.0.2.1"));
    }

    #[test]
    fn a_wrong_pattern_is_explained() {
        let reason = |pattern: &str| TargetPatterns::parse(&[pattern]).unwrap_err().reason;
        for pattern in
            ["", "a b", "*.", "**", "*mail.test", "mail.*", "10.0.0", "a/8", "10.0.0.256"]
        {
            assert_eq!(reason(pattern), PatternFault::Form, "{pattern:?}");
        }
        for pattern in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/x", "10.0.0.0/256"] {
            assert_eq!(reason(pattern), PatternFault::Prefix(32), "{pattern:?}");
        }
        assert_eq!(reason("fd00::/129"), PatternFault::Prefix(128));
        assert_eq!(reason("10.0.0.1/8"), PatternFault::HostBits("10.0.0.0/8".into()));
        assert_eq!(reason("::ffff:10.0.0.0/104"), PatternFault::Mapped);
        assert_eq!(
            TargetPatterns::parse(&["10.0.0.1/8"]).unwrap_err().to_string(),
            "`10.0.0.1/8` has address bits behind its prefix: write `10.0.0.0/8`"
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(pattern in any::<String>(), name in "[a-z0-9.*:/-]{0,30}") {
            let _ = TargetPatterns::parse(&[pattern]);
            let _ = TargetPatterns::parse(&[name]);
        }

        #[test]
        fn a_network_holds_exactly_its_addresses(
            address in any::<u32>(), other in any::<u32>(), prefix in 0_u8..=32,
        ) {
            let shift = 32 - u32::from(prefix);
            let base = address.checked_shr(shift).unwrap_or(0).checked_shl(shift).unwrap_or(0);
            let network = format!("{}/{prefix}", std::net::Ipv4Addr::from(base));
            let same = base ^ other.checked_shr(shift).unwrap_or(0).checked_shl(shift).unwrap_or(0);
            prop_assert_eq!(
                patterns(&[&network]).allows_address(&std::net::Ipv4Addr::from(other).into()),
                same == 0
            );
        }
    }
}
