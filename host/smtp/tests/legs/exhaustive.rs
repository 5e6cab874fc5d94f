//! Every order of events, with back ends, disk and client that each do what they may.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use crate::world::World;

/// Goes through every state that can be reached, each once. Returns how many there are, and how
/// many of them are ends.
fn explore(start: World) -> (usize, usize) {
    let hasher = RandomState::new();
    let mut seen = HashSet::from([hasher.hash_one(&start)]);
    let mut ends = 0;
    let mut open = vec![start];
    while let Some(world) = open.pop() {
        if world.delivery.is_finished() {
            ends += 1;
            continue;
        }
        for event in world.possible() {
            let mut next = world.clone();
            let past = format!("{event:?}");
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                next.now = next.time_of(&event);
                next.happen(event);
                next.actions.clear();
                next
            }));
            let Ok(next) = result else { panic!("{past} in {world:#?}") };
            if seen.insert(hasher.hash_one(&next)) {
                open.push(next);
            }
        }
    }
    (seen.len(), ends)
}

#[track_caller]
fn explored(start: World, at_least: usize) {
    let (states, ends) = explore(start);
    println!("{states} states, {ends} ends");
    assert!(states >= at_least && ends > 10, "only {states} states, {ends} ends");
}

#[test]
fn one_smtp_back_end() {
    explored(World::smtp(vec![vec![vec![0, 1]]]), 20);
}

#[test]
fn one_lmtp_back_end_with_two_legs() {
    explored(World::smtp(vec![vec![vec![0], vec![1]]]), 100);
}

#[test]
fn two_smtp_back_ends() {
    explored(World::smtp(vec![vec![vec![0]], vec![vec![1, 2]]]), 500);
}

#[test]
fn an_smtp_and_an_lmtp_back_end() {
    explored(World::smtp(vec![vec![vec![2]], vec![vec![0], vec![1]]]), 1000);
}

#[test]
fn two_lmtp_back_ends_with_two_legs() {
    explored(World::smtp(vec![vec![vec![0], vec![2]], vec![vec![1], vec![3]]]), 5000);
}

#[test]
fn three_smtp_back_ends() {
    explored(World::smtp(vec![vec![vec![0]], vec![vec![1]], vec![vec![2]]]), 5000);
}

#[test]
fn an_lmtp_client_and_three_back_ends() {
    explored(World::lmtp(vec![vec![vec![0]], vec![vec![1], vec![2]], vec![vec![3]]]), 2000);
}
