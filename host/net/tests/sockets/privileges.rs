#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::thread;

use nix::unistd::Gid;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use waypost_net::privileges::{
    Identity, PrivilegeError, RESERVED_DESCRIPTORS, capacity, descriptors_for, forbid_core_dumps,
    is_root, raise_descriptor_limit,
};

use crate::support::in_child;

/// Its place among the capabilities (`linux/capability.h`).
const CAP_SYS_RESOURCE: u64 = 1 << 24;

#[test]
fn the_descriptors_carry_half_as_many_connections_less_a_reserve() {
    assert_eq!(capacity(RESERVED_DESCRIPTORS + 2000, []), Ok(1000));
    assert_eq!(capacity(RESERVED_DESCRIPTORS + 2000, [600, 400]), Ok(1000));
    assert_eq!(capacity(100, []), Ok(0));
    assert_eq!(capacity(u64::MAX, [u32::MAX]), Ok(u32::MAX));
}

#[test]
fn more_connections_than_the_descriptors_carry_are_refused_with_the_numbers() {
    let error = capacity(1024, [300, 200]).unwrap_err();
    let needed = descriptors_for(500);
    assert_eq!(needed, 1000 + RESERVED_DESCRIPTORS);
    let text = error.to_string();
    for part in ["is 500", &format!("takes {needed}"), "may open 1024", "max-connections to 384"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    in_child("privileges::the_soft_limit_is_raised_to_the_hard_one", || {
        let hard = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: hard }).unwrap();
        let raised = raise_descriptor_limit(0).unwrap();
        assert_eq!(Some(raised), hard);
        assert_eq!(getrlimit(Resource::Nofile).current, hard);
    });
}

#[test]
fn beyond_the_hard_limit_it_goes_only_with_the_right_to() {
    in_child("privileges::beyond_the_hard_limit_it_goes_only_with_the_right_to", || {
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(128) }).unwrap();
        let capabilities = u64::from_str_radix(&ids("/proc/self", "CapEff:")[0], 16).unwrap();
        let expected = if capabilities & CAP_SYS_RESOURCE != 0 { 256 } else { 128 };
        assert_eq!(raise_descriptor_limit(256).unwrap(), expected);
        assert_eq!(getrlimit(Resource::Nofile).current, Some(expected));
    });
}

#[test]
fn core_dumps_are_forbidden() {
    in_child("privileges::core_dumps_are_forbidden", || {
        forbid_core_dumps().unwrap();
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
        let dumpable = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
    });
}

#[test]
fn users_and_groups_that_do_not_exist_are_errors_with_what_to_do() {
    let error = Identity::lookup("no-such-user", None).unwrap_err().to_string();
    assert!(error.contains("`no-such-user`") && error.contains("useradd"), "{error}");
    let error = Identity::lookup("root", Some("no-such-group")).unwrap_err().to_string();
    assert!(error.contains("`no-such-group`") && error.contains("groupadd"), "{error}");
}

#[test]
fn nobody_becomes_root() {
    let root = Identity::lookup("root", None).unwrap();
    assert!(matches!(root.assume(), Err(PrivilegeError::Root)));
}

/// What `/proc` says of a thread's identity: real, effective, saved and file system id.
fn ids(of: &str, key: &str) -> Vec<String> {
    let status = fs::read_to_string(format!("{of}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_process_becomes_the_user_for_good_with_every_thread() {
    in_child("privileges::the_process_becomes_the_user_for_good_with_every_thread", || {
        let nobody = Identity::lookup("nobody", None).unwrap();
        assert_eq!(nobody.name(), "nobody");
        if !is_root() {
            // Who is somebody else already cannot become nobody, and is told how to.
            let error = nobody.assume().unwrap_err();
            assert!(matches!(error, PrivilegeError::NotRoot(_)), "{error}");
            return;
        }
        nix::unistd::setgroups(&[Gid::from_raw(0), Gid::from_raw(4)]).unwrap();
        // A thread that exists already, and outlives the change.
        let (change, changed) = std::sync::mpsc::channel::<()>();
        let other = thread::spawn(move || {
            changed.recv().unwrap();
            (ids("/proc/thread-self", "Uid:"), ids("/proc/thread-self", "Gid:"))
        });
        nobody.assume().unwrap();
        change.send(()).unwrap();
        let (uids, gids) = other.join().unwrap();
        assert_eq!(uids, ids("/proc/self", "Uid:"));
        assert_eq!(gids, ids("/proc/self", "Gid:"));
        assert!(uids.iter().chain(&gids).all(|id| id != "0"), "{uids:?} {gids:?}");
        let groups = ids("/proc/self", "Groups:");
        assert!(!groups.iter().any(|group| group == "0" || group == "4"), "{groups:?}");
        assert_eq!(ids("/proc/self", "CapEff:"), ["0000000000000000"]);
        // Once more is no error: it is this user already.
        nobody.assume().unwrap();
    });
}
