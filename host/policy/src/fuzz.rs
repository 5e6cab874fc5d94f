//! The parsers, as a fuzz target calls them: with anything at all, and they must not panic.

use std::net::IpAddr;

use waypost_model::Host;

use crate::TargetPatterns;

/// Reads each line as a pattern and checks that it grants what it says and no more.
pub fn target_patterns(data: &[u8]) {
    for line in String::from_utf8_lossy(data).lines() {
        let Ok(patterns) = TargetPatterns::parse(&[line]) else { continue };
        match line.parse::<Host>() {
            Ok(host @ Host::Name(_)) => {
                assert!(patterns.allows(&host), "{line:?}");
                assert!(
                    !patterns.allows_resolved(&host, &IpAddr::from([127, 0, 0, 1])),
                    "{line:?}"
                );
            }
            Ok(Host::Address(address)) => {
                assert!(patterns.allows_address(&address), "{line:?}");
                assert!(patterns.allows_resolved(&Host::Address(address), &address), "{line:?}");
            }
            // A wildcard or a network.
            Err(_) => assert!(line.contains('*') != line.contains('/'), "{line:?}"),
        }
    }
}

/// Looks at what somebody calls a component, before the engine does.
pub fn component(data: &[u8]) {
    crate::load::inspect(data);
}
