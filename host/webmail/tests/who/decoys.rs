use std::collections::HashMap;

use waypost_model::{Address, HostPort, Target};
use waypost_webmail::decoy;
use waypost_webmail::seal::SealKeys;

fn decoys(hosts: &[&str]) -> Vec<Target> {
    let target = |host: &&str| {
        let HostPort { host, port } = host.parse().unwrap();
        Target { host, port, encryption: None, tls_name: None }
    };
    hosts.iter().map(target).collect()
}

fn chosen(keys: &SealKeys, user: &str, decoys: &[Target]) -> Option<String> {
    let address = Address::new(user, None).unwrap();
    decoy::choose(keys, &address, decoys).map(ToString::to_string)
}

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEWER: &str = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=";

#[test]
fn an_address_has_one_decoy_and_all_decoys_have_addresses() {
    let keys = SealKeys::parse(KEY.as_bytes()).unwrap();
    let decoys = decoys(&["north.test", "south.test", "west.test"]);
    let mut counts: HashMap<String, u32> = HashMap::new();
    for number in 0..300 {
        let user = format!("nobody{number}@example.test");
        let first = chosen(&keys, &user, &decoys).unwrap();
        assert_eq!(chosen(&keys, &user, &decoys).as_ref(), Some(&first));
        assert_eq!(chosen(&keys, &user.replace("nobody", "NoBody"), &decoys), Some(first.clone()));
        *counts.entry(first).or_default() += 1;
    }
    assert!(counts.len() == 3 && counts.values().all(|count| *count > 50), "{counts:?}");
    assert_eq!(chosen(&keys, "nobody@example.test", &[]), None);
}

#[test]
fn a_new_key_moves_nobody_and_another_installation_chooses_otherwise() {
    let old = SealKeys::parse(KEY.as_bytes()).unwrap();
    let rotated = SealKeys::parse(format!("{NEWER}\n{KEY}").as_bytes()).unwrap();
    let other = SealKeys::parse(NEWER.as_bytes()).unwrap();
    let decoys = decoys(&["north.test", "south.test"]);
    let users: Vec<String> = (0..64).map(|number| format!("nobody{number}@a.test")).collect();
    let all = |keys: &SealKeys| -> Vec<Option<String>> {
        users.iter().map(|user| chosen(keys, user, &decoys)).collect()
    };
    assert_eq!(all(&old), all(&rotated));
    assert_ne!(all(&old), all(&other));
}

#[test]
fn a_decoy_that_is_taken_out_moves_only_its_own() {
    let keys = SealKeys::parse(KEY.as_bytes()).unwrap();
    let (before, after) = (decoys(&["a.test", "b.test", "c.test"]), decoys(&["c.test", "a.test"]));
    for number in 0..100 {
        let user = format!("nobody{number}@example.test");
        let first = chosen(&keys, &user, &before).unwrap();
        if first != "b.test" {
            assert_eq!(chosen(&keys, &user, &after), Some(first));
        }
    }
}
