//! Random orders of events, more than could be tried one by one: up to three back ends with up to
//! two legs each; and events that no driver would send.

use proptest::prelude::*;
use proptest::sample::Index;
use waypost_smtp::legs::Event;
use waypost_smtp::outcome::Loss;

use crate::world::{Fate, SPOILT, World, reply};

/// What is done next.
#[derive(Clone, Debug)]
enum Step {
    /// One of the events that are possible.
    Possible(Index),
    /// Any event, possible or not.
    Any(Event),
    /// Some time passes.
    Seconds(u64),
}

fn any_event() -> impl Strategy<Value = Event> {
    let transfer = 0usize..4;
    let fate = prop_oneof![Just(Fate::Accepted), Just(Fate::Temporary), Just(Fate::Permanent)];
    let loss = prop_oneof![Just(Loss::Closed), Just(Loss::Stalled), Just(Loss::Nonsense)];
    prop_oneof![
        transfer.clone().prop_map(|transfer| Event::Opened { transfer }),
        transfer.clone().prop_map(|transfer| Event::Sent { transfer }),
        (transfer.clone(), fate.clone()).prop_map(|(transfer, fate)| Event::Refused {
            transfer,
            reply: reply(fate, transfer, 0)
        }),
        (transfer.clone(), 0usize..3, fate).prop_map(|(transfer, leg, fate)| Event::Replied {
            transfer,
            leg,
            reply: reply(fate, transfer, leg)
        }),
        (transfer, loss).prop_map(|(transfer, loss)| Event::Lost { transfer, loss }),
        prop_oneof![
            Just(Event::Spoilt(SPOILT)),
            Just(Event::Ended),
            Just(Event::ClientLost),
            Just(Event::CopySynced),
            Just(Event::CopyFailed),
            Just(Event::PromiseSynced),
            Just(Event::PromiseFailed),
            Just(Event::Tick),
        ],
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => any::<Index>().prop_map(Step::Possible),
        2 => any_event().prop_map(Step::Any),
        1 => (1u64..120).prop_map(Step::Seconds),
    ]
}

/// Up to three transfers with up to two legs each, the recipients dealt out at random.
fn plan() -> impl Strategy<Value = Vec<Vec<Vec<usize>>>> {
    let legs = proptest::collection::vec(1usize..=2, 1..=3);
    (legs, any::<[u8; 8]>()).prop_map(|(legs, more)| {
        let count: usize = legs.iter().sum();
        // Each leg gets one recipient, and some get another.
        let mut of_leg: Vec<Vec<usize>> = vec![Vec::new(); count];
        let deal =
            (0..count).rev().chain(more.iter().map(|at| usize::from(*at)).filter(|at| *at < 2));
        for (recipient, leg) in deal.enumerate() {
            of_leg[leg % count].push(recipient);
        }
        let mut of_leg = of_leg.into_iter();
        legs.into_iter().map(|legs| of_leg.by_ref().take(legs).collect()).collect()
    })
}

fn play(world: &mut World, steps: Vec<Step>) {
    for step in steps {
        match step {
            Step::Possible(index) => {
                let events = world.possible();
                if events.is_empty() {
                    return;
                }
                let event = index.get(&events).clone();
                world.now = world.time_of(&event);
                world.happen(event);
            }
            Step::Any(event) => world.happen(event),
            Step::Seconds(seconds) => world.wait(std::time::Duration::from_secs(seconds)),
        }
    }
    // Whatever happened: once the client has sent its all, silence comes to an end.
    world.happen(Event::Ended);
    while world.delivery.deadline().is_some() {
        world.tick();
    }
    // A client that could send nothing was refused; everybody else has been answered.
    assert!(world.delivery.is_finished(), "{world:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn an_smtp_client(plan in plan(), steps in proptest::collection::vec(step(), 0..40)) {
        play(&mut World::smtp(plan), steps);
    }

    #[test]
    fn an_lmtp_client(plan in plan(), steps in proptest::collection::vec(step(), 0..40)) {
        play(&mut World::lmtp(plan), steps);
    }
}
