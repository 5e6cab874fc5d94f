//! What a fuzz target calls, and ordinary tests replay: each takes any bytes and does not panic.

use crate::backend::Pattern;
use crate::networks::{Network, Networks};
use crate::resolve;

/// Networks and patterns, one on each line. What is read is written and read again as the same.
pub fn patterns(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let networks: Vec<Network> = text.lines().filter_map(|line| line.parse().ok()).collect();
    let set: Networks = networks.iter().copied().collect();
    for network in networks {
        assert_eq!(network.to_string().parse(), Ok(network));
        assert!(set.contains(network.address()));
    }
    for pattern in text.lines().filter_map(|line| line.parse::<Pattern>().ok()) {
        assert_eq!(pattern.to_string().parse(), Ok(pattern));
    }
}

/// A hosts file.
pub fn hosts_file(data: &[u8]) {
    resolve::fuzz_hosts_file(data);
}

#[cfg(test)]
mod tests {
    #[test]
    fn seeds_are_replayed() {
        let seeds: [&[u8]; 4] = [
            b"",
            b"10.0.0.0/8\n::/0\n*\n*.a.test\n[::1]\n::ffff:10.0.0.1/96\n1\n\xff",
            b"127.0.0.1 localhost # \n::1%lo a\n\0 b\n10.0.0.1\r\n\xc3\x28 x",
            b"0.0.0.0/0\n::ffff:0:0/96\n1.2.3.4/032\n1.2.3.4/4294967328",
        ];
        for seed in seeds {
            super::patterns(seed);
            super::hosts_file(seed);
        }
    }
}
