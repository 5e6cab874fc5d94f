//! The fuzz targets on a few seeds, and components with something broken in them.

use proptest::prelude::*;
use waypost_policy::fuzz;

use crate::support::{Bench, plugin};

#[test]
fn seeds() {
    fuzz::target_patterns(
        b"*\n*.example.test\nmail.example.test\n10.0.0.0/8\n10.0.0.1\n[::1]\nfd00::/8\n*./8\n/\n*/",
    );
    fuzz::component(b"");
    fuzz::component(b"\0asm\x0d\0\x01\0");
    let component = plugin(
        "search",
        &[("NAME", ""), ("BASE", ""), ("FILTER", ""), ("ATTRIBUTE", ""), ("HOST", "")],
    );
    for cut in 0..component.len() {
        fuzz::component(&component[..cut]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn patterns(data in "([*a-f0-9.:/\\[\\]-]{0,20}\n){0,4}") {
        fuzz::target_patterns(data.as_bytes());
    }

    #[test]
    fn a_component_with_a_broken_octet_is_refused_or_runs(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        thread_local! {
            static BENCH: (Bench, Vec<u8>) = (Bench::new(), plugin("count", &[]));
        }
        BENCH.with(|(bench, component)| {
            let mut component = component.clone();
            for (index, octet) in changes {
                let at = index.index(component.len());
                component[at] = octet;
            }
            let _ = bench.try_load(&component, |_| ());
        });
    }
}
