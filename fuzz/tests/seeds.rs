//! Replays every target's seeds.

use std::path::Path;

use waypost_fuzz::TARGETS;

#[test]
fn every_target_bears_its_seeds() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (target, run) in TARGETS {
        let folder = seeds.join(target);
        let mut replayed = 0;
        for seed in std::fs::read_dir(&folder).expect("every target has seeds") {
            let seed = seed.expect("the folder can be read").path();
            println!("{}", seed.display());
            run(&std::fs::read(&seed).expect("a seed can be read"));
            replayed += 1;
        }
        assert!(replayed > 0, "{} is empty", folder.display());
    }
}
