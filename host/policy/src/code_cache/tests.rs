use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use wasmtime::{Config, Engine};

use super::{CodeCache, CodeCacheSettings, EngineCode, Found, Identity, entry};

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn settings(&self) -> CodeCacheSettings {
        let at = |name: &str| self.0.path().join(name);
        CodeCacheSettings { folder: at("code"), key: at("key"), max_bytes: 1 << 20 }
    }

    fn open(&self) -> CodeCache {
        CodeCache::open(&self.settings()).unwrap()
    }

    fn file(&self, identity: &Identity) -> PathBuf {
        self.0.path().join("code").join(identity.file_name())
    }
}

const ONE: Identity = Identity { engine: [1; 32], component: [2; 32], settings: [3; 32] };

fn genuine(cache: &CodeCache, identity: &Identity) -> Option<(Vec<u8>, bool)> {
    match cache.find(identity) {
        Found::Genuine(genuine) => Some((genuine.code().to_vec(), genuine.is_configured())),
        Found::Nothing => None,
        Found::Bad => panic!("bad"),
    }
}

#[track_caller]
fn assert_dropped(place: &Place, cache: &CodeCache, identity: &Identity, what: &str) {
    assert!(matches!(cache.find(identity), Found::Bad), "{what}");
    assert!(!place.file(identity).exists(), "{what}: it is removed");
    assert!(matches!(cache.find(identity), Found::Nothing), "{what}: and said once");
}

#[test]
fn what_is_stored_is_found_by_whoever_opens_the_cache_next() {
    let place = Place::new();
    assert!(CodeCache::existing(&place.settings()).unwrap().is_none());
    let cache = place.open();
    assert_eq!(genuine(&cache, &ONE), None);
    assert!(cache.store(&ONE, true, b"code"));
    assert_eq!(genuine(&place.open(), &ONE), Some((b"code".to_vec(), true)));
    assert!(cache.store(&ONE, false, b"other"), "the newer replaces the older");
    let cache = CodeCache::existing(&place.settings()).unwrap().unwrap();
    assert_eq!(genuine(&cache, &ONE), Some((b"other".to_vec(), false)));
}

#[test]
fn an_entry_is_of_one_engine_component_and_settings_alone() {
    let place = Place::new();
    let cache = place.open();
    assert!(cache.store(&ONE, true, b"code"));
    let others = [
        Identity { engine: [9; 32], ..ONE },
        Identity { component: [9; 32], ..ONE },
        Identity { settings: [9; 32], ..ONE },
        // The same octets in other places.
        Identity { component: ONE.settings, settings: ONE.component, ..ONE },
    ];
    for other in others {
        assert_eq!(genuine(&cache, &other), None);
        // Put in the other's place, it is seen for what it is.
        fs::copy(place.file(&ONE), place.file(&other)).unwrap();
        assert_dropped(&place, &cache, &other, "swapped");
    }
    assert!(genuine(&cache, &ONE).is_some());
}

#[test]
fn not_a_single_bit_can_be_changed() {
    let place = Place::new();
    let cache = place.open();
    assert!(cache.store(&ONE, false, b"code"));
    let whole = fs::read(place.file(&ONE)).unwrap();
    assert_eq!(whole.len(), entry::HEAD + 4);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(place.file(&ONE), &changed).unwrap();
        assert_dropped(&place, &cache, &ONE, &format!("octet {at}"));
        assert!(cache.store(&ONE, false, b"code"));
    }
    for length in 0..whole.len() {
        fs::write(place.file(&ONE), &whole[..length]).unwrap();
        assert_dropped(&place, &cache, &ONE, &format!("cut to {length}"));
        assert!(cache.store(&ONE, false, b"code"));
    }
    fs::write(place.file(&ONE), [&whole[..], b"more"].concat()).unwrap();
    assert_dropped(&place, &cache, &ONE, "lengthened");
}

#[test]
fn an_entry_under_another_key_is_nobodys() {
    let (place, other) = (Place::new(), Place::new());
    let (cache, forger) = (place.open(), other.open());
    assert!(forger.store(&ONE, true, b"forged"));
    fs::copy(other.file(&ONE), place.file(&ONE)).unwrap();
    assert_dropped(&place, &cache, &ONE, "forged");
    // Nor is one that is digested without a key, or under an empty one.
    assert!(cache.store(&ONE, true, b"code"));
    let mut octets = fs::read(place.file(&ONE)).unwrap();
    for digest in [blake3::hash(&octets[48..]), blake3::keyed_hash(&[0; 32], &octets[48..])] {
        octets[16..48].copy_from_slice(digest.as_bytes());
        fs::write(place.file(&ONE), &octets).unwrap();
        assert_dropped(&place, &cache, &ONE, "digested without the key");
    }
    // Whoever changes the key loses what was kept under the old one, and no more.
    assert!(cache.store(&ONE, true, b"code"));
    fs::remove_file(place.0.path().join("key")).unwrap();
    let cache = place.open();
    assert_dropped(&place, &cache, &ONE, "the key was changed");
}

#[test]
fn a_link_or_a_file_of_others_in_an_entrys_place_is_removed() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let place = Place::new();
    let cache = place.open();
    assert!(cache.store(&ONE, true, b"code"));
    let elsewhere = place.0.path().join("elsewhere");
    fs::rename(place.file(&ONE), &elsewhere).unwrap();
    symlink(&elsewhere, place.file(&ONE)).unwrap();
    assert_dropped(&place, &cache, &ONE, "a link to a good entry");
    assert!(elsewhere.exists(), "what it leads to is not touched");
    fs::copy(&elsewhere, place.file(&ONE)).unwrap();
    fs::set_permissions(place.file(&ONE), fs::Permissions::from_mode(0o660)).unwrap();
    assert_dropped(&place, &cache, &ONE, "one that a group may write");
}

#[test]
fn what_is_too_large_for_the_cache_is_not_kept() {
    let place = Place::new();
    let cache = place.open();
    assert!(!cache.store(&ONE, true, &vec![0; 1 << 20]));
    assert_eq!(fs::read_dir(place.0.path().join("code")).unwrap().count(), 0);
    for component in 0..40 {
        let identity = Identity { component: [component; 32], ..ONE };
        assert!(cache.store(&identity, true, &vec![0; 100_000]));
    }
    let sizes = fs::read_dir(place.0.path().join("code")).unwrap();
    let total: u64 = sizes.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!((900_000..=1 << 20).contains(&total), "{total}");
    let last = Identity { component: [39; 32], ..ONE };
    assert!(genuine(&cache, &last).is_some());
}

#[test]
fn a_folder_that_is_not_there_any_more_stops_nothing() {
    let place = Place::new();
    let cache = place.open();
    fs::remove_dir_all(place.0.path().join("code")).unwrap();
    assert!(!cache.store(&ONE, true, b"code"));
    assert_eq!(genuine(&cache, &ONE), None);
}

#[test]
fn engines_that_differ_in_anything_do_not_share_code() {
    let place = Place::new();
    let identity = |config: &Config| {
        let engine = Engine::new(config).unwrap();
        EngineCode::new(place.open(), &engine).identity([0; 32], [0; 32]).file_name()
    };
    let usual = identity(&Config::new());
    assert_eq!(usual, identity(&Config::new()), "an engine's digest is the same in each process");
    let mut all = vec![usual];
    let changes: [fn(&mut Config) -> &mut Config; 4] = [
        |config| config.epoch_interruption(true),
        |config| config.wasm_simd(false).wasm_relaxed_simd(false),
        |config| config.cranelift_opt_level(wasmtime::OptLevel::None),
        |config| config.memory_reservation(1 << 20),
    ];
    for change in changes {
        let mut config = Config::new();
        change(&mut config);
        all.push(identity(&config));
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 5);
}
