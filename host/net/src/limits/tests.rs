use std::net::IpAddr;
use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use proptest::prelude::*;

use super::{ConnectionSlot, Counts, LimitReached, Limits, ListenerLimits, UserSlot};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn listener(max: u32) -> (Arc<Limits>, Arc<ListenerLimits>) {
    let limits = Limits::new(max);
    let listener = ListenerLimits::new(&limits, Gauge::default());
    (limits, listener)
}

#[test]
fn the_process_limit_counts_every_listener() {
    let (limits, imap) = listener(2);
    let pop3 = ListenerLimits::new(&limits, Gauge::default());
    let first = imap.connection(None).unwrap();
    let _second = pop3.connection(None).unwrap();
    assert_eq!(pop3.connection(None).unwrap_err(), LimitReached::Process);
    assert_eq!(imap.connection(None).unwrap_err(), LimitReached::Process);
    drop(first);
    let _third = pop3.connection(None).unwrap();
    assert_eq!((imap.connections(), pop3.connections()), (0, 2));
}

#[test]
fn a_listener_holds_no_more_than_its_own_limit() {
    let (limits, imap) = listener(10);
    let first = imap.connection(Some(1)).unwrap();
    assert_eq!(imap.connection(Some(1)).unwrap_err(), LimitReached::Listener);
    assert_eq!(limits.connections(), 1, "the refused connection counts nowhere");
    // A reload raised the limit.
    let _second = imap.connection(Some(2)).unwrap();
    drop(first);
    assert_eq!(limits.connections(), 1);
}

#[test]
fn an_ipv6_client_is_its_64_and_an_ipv4_client_its_address() {
    let (_, imap) = listener(100);
    let mut slots: Vec<ConnectionSlot> = Vec::new();
    let mut connect = |client: &str| {
        let mut slot = imap.connection(None)?;
        let result = slot.client(address(client), Some(1));
        slots.push(slot);
        result
    };
    assert_eq!(connect("2001:db8:0:1::1"), Ok(()));
    assert_eq!(connect("2001:db8:0:1:ffff::"), Err(LimitReached::Address));
    assert_eq!(connect("2001:db8:0:2::1"), Ok(()));
    assert_eq!(connect("10.0.0.1"), Ok(()));
    assert_eq!(connect("::ffff:10.0.0.1"), Err(LimitReached::Address));
    assert_eq!(connect("10.0.0.2"), Ok(()));
    drop(slots);
    assert_eq!((imap.connections(), imap.clients()), (0, 0));
}

#[test]
fn a_client_refused_gives_back_nothing_that_it_did_not_take() {
    let (_, imap) = listener(100);
    let mut first = imap.connection(None).unwrap();
    first.client(address("10.0.0.1"), Some(1)).unwrap();
    let mut second = imap.connection(None).unwrap();
    assert_eq!(second.client(address("10.0.0.1"), Some(1)), Err(LimitReached::Address));
    drop(second);
    let mut third = imap.connection(None).unwrap();
    assert_eq!(third.client(address("10.0.0.1"), Some(1)), Err(LimitReached::Address));
}

#[test]
fn a_user_is_counted_over_every_listener_and_forgotten_at_zero() {
    let limits = Limits::new(10);
    let first = limits.user("user1@localdomain.test", Some(2)).unwrap();
    let second = limits.user("user1@localdomain.test", Some(2)).unwrap();
    let third = limits.user("user1@localdomain.test", Some(2));
    assert_eq!(third.unwrap_err(), LimitReached::User);
    let _other = limits.user("user2@localdomain.test", Some(2)).unwrap();
    drop((first, second));
    assert_eq!(limits.users(), 1);
}

#[test]
fn a_slot_is_given_back_when_a_task_panics_or_is_aborted() {
    let (limits, imap) = listener(10);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let slot = imap.connection(None).unwrap();
        let user = limits.user("u", None).unwrap();
        let aborted = tokio::spawn(async move {
            let _held = (slot, user);
            std::future::pending::<()>().await;
        });
        let slot = imap.connection(None).unwrap();
        let panicked = tokio::spawn(async move {
            let _held = slot;
            panic!("a session that panics, on purpose");
        });
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
        assert!(panicked.await.unwrap_err().is_panic());
    });
    assert_eq!((limits.connections(), imap.connections(), limits.users()), (0, 0, 0));
}

#[test]
fn the_table_shrinks_after_a_flood() {
    let counts = Counts::<u32>::default();
    for key in 0..100_000 {
        assert!(counts.take(&key, Some(1)));
    }
    for key in 0..100_000 {
        counts.give_back(&key);
    }
    assert_eq!(counts.len(), 0);
    assert!(counts.0.lock().capacity() <= 2 * Counts::<u32>::SMALL);
}

#[derive(Clone, Debug)]
enum Step {
    Connect { client: u8, max: Option<u32>, max_client: Option<u32> },
    LogIn { user: u8, max: Option<u32> },
    Disconnect(prop::sample::Index),
    LogOut(prop::sample::Index),
}

fn any_step() -> impl Strategy<Value = Step> {
    let max = || prop::option::of(0_u32..6);
    prop_oneof![
        (0_u8..4, max(), max()).prop_map(|(client, max, max_client)| Step::Connect {
            client,
            max,
            max_client
        }),
        (0_u8..4, max()).prop_map(|(user, max)| Step::LogIn { user, max }),
        any::<prop::sample::Index>().prop_map(Step::Disconnect),
        any::<prop::sample::Index>().prop_map(Step::LogOut),
    ]
}

proptest! {
    #[test]
    fn counts_are_what_is_held_and_return_to_zero(
        steps in prop::collection::vec(any_step(), 0..200),
    ) {
        let (limits, imap) = listener(8);
        let mut connections: Vec<ConnectionSlot> = Vec::new();
        let mut logins: Vec<UserSlot> = Vec::new();
        for step in steps {
            match step {
                Step::Connect { client, max, max_client } => {
                    if let Ok(mut slot) = imap.connection(max) {
                        // A connection whose client has no slot left is closed.
                        let client = IpAddr::from([10, 0, 0, client]);
                        if slot.client(client, max_client).is_ok() {
                            connections.push(slot);
                        }
                    }
                }
                Step::LogIn { user, max } => logins.extend(limits.user(&user.to_string(), max)),
                Step::Disconnect(at) if !connections.is_empty() => {
                    drop(connections.swap_remove(at.index(connections.len())));
                }
                Step::LogOut(at) if !logins.is_empty() => {
                    drop(logins.swap_remove(at.index(logins.len())));
                }
                Step::Disconnect(_) | Step::LogOut(_) => {}
            }
            prop_assert!(connections.len() <= 8);
            prop_assert_eq!(limits.connections() as usize, connections.len());
            prop_assert_eq!(imap.connections() as usize, connections.len());
        }
        drop((connections, logins));
        prop_assert_eq!(
            (limits.connections(), limits.users(), imap.connections(), imap.clients()),
            (0, 0, 0, 0));
    }
}
