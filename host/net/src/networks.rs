//! Networks in CIDR notation, and sets of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// A network: an address and how many of its leading bits count.
///
/// Written `10.0.0.0/8` or `2001:db8::/32`; an address alone is a network of one. IPv4-mapped IPv6
/// networks are IPv4 networks here, as they are everywhere else in Waypost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why some text is no network.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NetworkError {
    /// What stands before the slash.
    #[error("this is neither an address nor a network such as 10.0.0.0/8 or 2001:db8::/32")]
    Address,
    /// What stands behind it.
    #[error("the prefix length is a number from 0 to {0}")]
    Prefix(u8),
    /// Bits behind the prefix are set: one of the two is a mistake, and guessing which could let
    /// in whom the operator meant to keep out.
    #[error("the address has bits set behind the prefix; write {0}, or another prefix length")]
    HostBits(Network),
}

impl Network {
    /// The network of `address` with `prefix` leading bits; the bits behind them are cleared.
    /// `None` for more bits than the address has.
    pub fn of(address: IpAddr, prefix: u8) -> Option<Self> {
        if prefix > bits(address) {
            return None;
        }
        let address = match address {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & mask_v4(prefix)).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & mask_v6(prefix)).into(),
        };
        Some(Self { address, prefix }.canonical())
    }

    /// Whether `address` lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::of(address.to_canonical(), self.prefix).is_some_and(|network| network == *self)
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether it is one address only.
    pub fn is_single(&self) -> bool {
        self.prefix == bits(self.address)
    }

    /// How many leading bits count.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    fn canonical(self) -> Self {
        match (self.address.to_canonical(), self.prefix.checked_sub(96)) {
            (address @ IpAddr::V4(_), Some(prefix)) if self.address.is_ipv6() => {
                Self { address, prefix }
            }
            _ => self,
        }
    }

    /// First and last address, as numbers.
    fn range(self) -> (u128, u128) {
        match self.address {
            IpAddr::V4(v4) => {
                let first = v4.to_bits();
                (first.into(), (first | !mask_v4(self.prefix)).into())
            }
            IpAddr::V6(v6) => (v6.to_bits(), v6.to_bits() | !mask_v6(self.prefix)),
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn mask_v4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0)
}

fn mask_v6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0)
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: bits(address) }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let most = bits(address);
        let prefix = match prefix {
            None => most,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| NetworkError::Prefix(most))?
            }
            Some(_) => return Err(NetworkError::Prefix(most)),
        };
        let network = Self::of(address, prefix).ok_or(NetworkError::Prefix(most))?;
        if network != (Self { address, prefix }).canonical() {
            return Err(NetworkError::HostBits(network));
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() {
            return self.address.fmt(f);
        }
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A set of networks, as `allow`, `deny`, `exempt-networks` and `proxy-protocol-from` list them.
///
/// Overlapping networks are merged and kept sorted, so that a list of thousands answers as fast as
/// a list of two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    v4: Box<[(u128, u128)]>,
    v6: Box<[(u128, u128)]>,
}

impl Networks {
    /// Whether `address` lies in one of them. An empty set holds nobody.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ranges, number) = match address.to_canonical() {
            IpAddr::V4(v4) => (&self.v4, v4.to_bits().into()),
            IpAddr::V6(v6) => (&self.v6, v6.to_bits()),
        };
        let after = ranges.partition_point(|(first, _)| *first <= number);
        after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| number <= *last)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        let (v4, v6): (Vec<_>, Vec<_>) =
            networks.into_iter().partition(|network| network.address.is_ipv4());
        Self { v4: merged(v4), v6: merged(v6) }
    }
}

fn merged(networks: Vec<Network>) -> Box<[(u128, u128)]> {
    let mut ranges: Vec<(u128, u128)> = networks.into_iter().map(Network::range).collect();
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let overlap = next.0 <= kept.1;
        if overlap {
            kept.1 = kept.1.max(next.1);
        }
        overlap
    });
    ranges.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::{Network, NetworkError, Networks};

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_what_its_prefix_says() {
        assert!(network("10.0.0.0/8").contains(address("10.255.1.2")));
        assert!(!network("10.0.0.0/8").contains(address("11.0.0.0")));
        assert!(network("2001:db8::/32").contains(address("2001:db8:ffff::1")));
        assert!(!network("2001:db8::/32").contains(address("2001:db9::")));
        assert!(network("127.0.0.1").contains(address("127.0.0.1")));
        assert!(!network("127.0.0.1").contains(address("127.0.0.2")));
        assert!(network("0.0.0.0/0").contains(address("255.255.255.255")));
        assert!(network("::/0").contains(address("ffff::")));
    }

    #[test]
    fn families_are_apart_and_mapped_addresses_are_ipv4() {
        assert!(!network("::/0").contains(address("10.0.0.1")));
        assert!(!network("::/0").contains(address("::ffff:10.0.0.1")));
        assert!(network("10.0.0.0/8").contains(address("::ffff:10.0.0.1")));
        assert_eq!(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1/32"));
    }

    #[test]
    fn mistakes_are_refused_with_what_to_write() {
        let error = |text: &str| text.parse::<Network>().unwrap_err();
        for text in ["", "a", "10.0.0", "10.0.0.0/", "/8", "10.0.0.0 /8", "[::1]", "10.0.0.0/8/8"] {
            let error = error(text);
            assert!(matches!(error, NetworkError::Address | NetworkError::Prefix(_)), "{text:?}");
        }
        assert_eq!(error("10.0.0.0/33"), NetworkError::Prefix(32));
        assert_eq!(error("10.0.0.0/+8"), NetworkError::Prefix(32));
        assert_eq!(error("::/129"), NetworkError::Prefix(128));
        assert_eq!(error("10.1.0.0/8"), NetworkError::HostBits(network("10.0.0.0/8")));
        assert!(error("10.1.0.0/8").to_string().contains("write 10.0.0.0/8"));
    }

    #[test]
    fn an_empty_set_holds_nobody() {
        assert!(Networks::default().is_empty());
        assert!(!Networks::default().contains(address("127.0.0.1")));
    }

    fn any_network() -> impl Strategy<Value = Network> {
        // Few distinct bits, so that networks overlap and touch.
        let v4 = (0_u8..4, 0_u8..4, 0_u8..=32)
            .prop_map(|(a, b, prefix)| Network::of(IpAddr::from([a, b, 0, 255]), prefix));
        let v6 = (0_u16..4, 0_u8..=128).prop_map(|(a, prefix)| {
            Network::of(IpAddr::from([a, 0, 0, 0, 0, 0, 0, 0xffff]), prefix)
        });
        prop_oneof![v4, v6].prop_map(Option::unwrap)
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        let v4 = (0_u8..4, 0_u8..4, any::<u8>()).prop_map(|(a, b, d)| IpAddr::from([a, b, 0, d]));
        let v6 = (0_u16..4, any::<u16>()).prop_map(|(a, h)| IpAddr::from([a, 0, 0, 0, 0, 0, 0, h]));
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn a_set_holds_what_one_of_its_networks_holds(
            networks in prop::collection::vec(any_network(), 0..12),
            address in any_address(),
        ) {
            let set: Networks = networks.iter().copied().collect();
            prop_assert_eq!(
                set.contains(address), networks.iter().any(|network| network.contains(address)));
        }

        #[test]
        fn what_is_written_is_read_again(network in any_network()) {
            prop_assert_eq!(network.to_string().parse(), Ok(network));
        }

        #[test]
        fn nothing_panics(text in "[0-9a-f:./]{0,24}") {
            let _ = text.parse::<Network>();
        }
    }
}
