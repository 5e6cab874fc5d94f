//! What the client hears and what is kept, for each way in which legs can end.

use std::time::Duration;

use waypost_smtp::legs::{Action, Event};
use waypost_smtp::outcome::{Loss, Outcome};

use crate::world::{Fate, SPOILT, TIMINGS, World, fate_of, reply};

const ACCEPTED: Fate = Fate::Accepted;
const TEMPORARY: Fate = Fate::Temporary;
const PERMANENT: Fate = Fate::Permanent;

/// Three recipients on three SMTP back ends.
fn three() -> World {
    World::smtp(vec![vec![vec![0]], vec![vec![1]], vec![vec![2]]])
}

/// Two recipients on one SMTP back end.
fn one() -> World {
    World::smtp(vec![vec![vec![0, 1]]])
}

/// The words of a script.
impl World {
    fn opened(&mut self, transfer: usize) {
        self.happen(Event::Opened { transfer });
    }

    fn refused(&mut self, transfer: usize, fate: Fate) {
        self.happen(Event::Refused { transfer, reply: reply(fate, transfer, 0) });
    }

    fn replied(&mut self, transfer: usize, leg: usize, fate: Fate) {
        self.happen(Event::Replied { transfer, leg, reply: reply(fate, transfer, leg) });
    }

    fn lost(&mut self, transfer: usize) {
        self.happen(Event::Lost { transfer, loss: Loss::Closed });
    }

    fn sent(&mut self, transfer: usize) {
        self.happen(Event::Sent { transfer });
    }

    /// Every back end wants the content.
    fn all_opened(&mut self) {
        (0..self.transfers()).for_each(|transfer| self.opened(transfer));
    }

    /// Every back end has its dot.
    fn all_dotted(&mut self) {
        self.all_opened();
        self.happen(Event::Ended);
        if self.did(&Action::SyncCopy) {
            self.happen(Event::CopySynced);
        }
        (0..self.transfers()).for_each(|transfer| self.sent(transfer));
    }

    /// Every back end has its dot, and answers so.
    fn all_answered(&mut self, fates: &[Fate]) {
        self.all_dotted();
        for (transfer, fate) in fates.iter().enumerate() {
            self.replied(transfer, 0, *fate);
        }
    }

    /// The answers, each in a line.
    #[track_caller]
    fn hears(&self, expected: &[&str]) {
        let answer = self.answer.as_ref().expect("an answer");
        let answer: Vec<String> = answer.iter().map(ToString::to_string).collect();
        assert_eq!(answer, expected);
    }

    #[track_caller]
    fn hears_with(&self, expected: &str) {
        let answer = self.answer.as_ref().expect("an answer").first().unwrap().to_string();
        assert!(answer.starts_with(expected), "{answer}");
    }

    /// The record says this of the recipients.
    #[track_caller]
    fn keeps(&self, expected: &[Fate]) {
        assert!(self.is_kept());
        let recipients = 0..self.recipients();
        let kept: Vec<Fate> = recipients.map(|it| fate_of(&self.recorded(it).outcome)).collect();
        assert_eq!(kept, expected);
    }

    #[track_caller]
    fn keeps_nothing(&self) {
        assert!(!self.is_kept() && self.is_copy_dropped() && self.delivery.is_finished());
    }
}

const LOST: &str = "451 4.4.2 The mailbox server did not finish the transaction, try again later";

mod one_leg {
    use super::*;

    #[test]
    fn the_reply_is_passed_on() {
        for (fate, expected) in [
            (ACCEPTED, "250 2.0.0 leg 0.0"),
            (TEMPORARY, "452 4.0.0 leg 0.0"),
            (PERMANENT, "550 5.0.0 leg 0.0"),
        ] {
            let mut world = one();
            world.all_answered(&[fate]);
            world.hears(&[expected]);
            assert!(world.delivery.is_finished());
        }
    }

    #[test]
    fn a_refusal_of_data_is_passed_on() {
        let mut world = one();
        world.refused(0, PERMANENT);
        assert_eq!(world.refusal.unwrap().to_string(), "550 5.0.0 leg 0.0");
    }

    #[test]
    fn no_reply_for_nine_and_a_half_minutes_is_451_4_4_2() {
        let mut world = one();
        world.all_dotted();
        world.wait(Duration::from_secs(569));
        assert_eq!(world.answer, None);
        world.wait(Duration::from_secs(1));
        world.hears(&[LOST]);
        assert_eq!(world.delivery.outcome(0), Some(&Outcome::Unknown(Loss::Silent)));
    }

    #[test]
    fn the_time_counts_from_the_first_end() {
        let mut world = one();
        world.all_dotted();
        world.wait(Duration::from_secs(500));
        world.happen(Event::Ended);
        world.wait(Duration::from_secs(70));
        world.hears(&[LOST]);
    }

    #[test]
    fn a_connection_lost_after_the_dot_is_451_4_4_2() {
        let mut world = one();
        world.all_dotted();
        world.lost(0);
        world.hears(&[LOST]);
        assert_eq!(world.delivery.outcome(0), Some(&Outcome::Unknown(Loss::Closed)));
    }

    #[test]
    fn a_connection_lost_in_the_body_is_451_when_the_content_has_ended() {
        let mut world = one();
        world.all_opened();
        world.lost(0);
        assert!(world.did(&Action::Discard));
        assert_eq!(world.answer, None);
        world.happen(Event::Ended);
        world.hears(&[LOST]);
        assert_eq!(world.delivery.outcome(0), Some(&Outcome::Late(Loss::Closed)));
    }

    #[test]
    fn a_back_end_that_leaves_data_unanswered_is_451() {
        let mut world = one();
        world.wait(TIMINGS.stall);
        assert!(world.refusal.unwrap().to_string().starts_with("451 4.4.2"));
    }

    #[test]
    fn rubbish_in_the_body_is_451_4_3_5() {
        let mut world = one();
        world.all_opened();
        world.replied(0, 0, ACCEPTED);
        assert!(world.did(&Action::Abandon { transfer: 0 }));
        world.happen(Event::Ended);
        world.hears_with("451 4.3.5");
    }
}

mod lmtp_client {
    use super::*;

    #[test]
    fn each_recipient_gets_its_legs_reply() {
        let mut world = World::lmtp(vec![vec![vec![2], vec![0, 3]], vec![vec![1, 4]]]);
        world.all_dotted();
        world.replied(0, 1, ACCEPTED);
        world.replied(1, 0, TEMPORARY);
        assert_eq!(world.answer, None);
        world.replied(0, 0, PERMANENT);
        world.hears(&[
            "250 2.0.0 leg 0.1",
            "452 4.0.0 leg 1.0",
            "550 5.0.0 leg 0.0",
            "250 2.0.0 leg 0.1",
            "452 4.0.0 leg 1.0",
        ]);
    }

    #[test]
    fn a_lost_connection_is_451_for_those_without_reply() {
        let mut world = World::lmtp(vec![vec![vec![0], vec![1]], vec![vec![2]]]);
        world.all_opened();
        world.lost(1);
        world.happen(Event::Ended);
        world.sent(0);
        world.replied(0, 0, ACCEPTED);
        world.lost(0);
        world.hears(&["250 2.0.0 leg 0.0", LOST, LOST]);
    }

    #[test]
    fn there_is_never_a_copy_and_all_is_told_in_time() {
        let mut world = World::lmtp(vec![vec![vec![0]], vec![vec![1]]]);
        world.all_dotted();
        world.wait(Duration::from_secs(300));
        world.replied(1, 0, ACCEPTED);
        assert_eq!(world.answer, None);
        world.wait(Duration::from_secs(270));
        world.hears(&[LOST, "250 2.0.0 leg 1.0"]);
        assert!(world.delivery.is_finished());
    }

    #[test]
    fn spoilt_content_is_told_to_each() {
        let mut world = World::lmtp(vec![vec![vec![0]], vec![vec![1]]]);
        world.all_opened();
        world.happen(Event::Spoilt(SPOILT));
        world.happen(Event::Ended);
        world.hears(&[&SPOILT.to_string(), &SPOILT.to_string()]);
    }
}

mod several_legs {
    use super::*;

    #[test]
    fn all_accepted_is_250_and_the_copy_is_dropped() {
        let mut world = three();
        world.all_answered(&[ACCEPTED; 3]);
        world.hears(&["250 2.0.0 4f2a delivered to all 3 recipients"]);
        world.keeps_nothing();
    }

    #[test]
    fn all_permanent_is_the_first_5xx() {
        let mut world = three();
        world.all_answered(&[PERMANENT; 3]);
        world.hears(&["550 5.0.0 leg 0.0"]);
        world.keeps_nothing();
    }

    #[test]
    fn none_accepted_and_any_temporary_is_that_4xx() {
        let mut world = three();
        world.all_answered(&[PERMANENT, TEMPORARY, PERMANENT]);
        world.hears(&["452 4.0.0 leg 1.0"]);
        world.keeps_nothing();
    }

    #[test]
    fn none_accepted_and_any_late_is_451() {
        let mut world = three();
        world.all_opened();
        world.lost(1);
        world.happen(Event::Ended);
        world.happen(Event::CopySynced);
        for transfer in [0, 2] {
            world.sent(transfer);
            world.replied(transfer, 0, PERMANENT);
        }
        world.hears(&[LOST]);
        world.keeps_nothing();
    }

    #[test]
    fn accepted_beside_temporary_is_promised() {
        let mut world = three();
        world.all_answered(&[TEMPORARY, ACCEPTED, ACCEPTED]);
        assert_eq!(world.answer, None);
        world.happen(Event::PromiseSynced);
        world.hears(&["250 2.0.0 Delivered to 2 of 3 recipients, the rest is queued as 4f2a"]);
        world.keeps(&[TEMPORARY, ACCEPTED, ACCEPTED]);
        assert!(world.delivery.is_finished());
    }

    #[test]
    fn accepted_beside_permanent_is_promised() {
        let mut world = three();
        world.all_answered(&[PERMANENT, ACCEPTED, PERMANENT]);
        world.happen(Event::PromiseSynced);
        world.keeps(&[PERMANENT, ACCEPTED, PERMANENT]);
    }

    #[test]
    fn accepted_beside_refused_at_data_is_promised() {
        let mut world = three();
        world.opened(0);
        world.refused(1, TEMPORARY);
        world.refused(2, PERMANENT);
        world.happen(Event::Ended);
        world.happen(Event::CopySynced);
        world.sent(0);
        world.replied(0, 0, ACCEPTED);
        world.happen(Event::PromiseSynced);
        world.keeps(&[ACCEPTED, TEMPORARY, PERMANENT]);
    }

    #[test]
    fn accepted_beside_late_is_promised() {
        let mut world = three();
        world.all_opened();
        world.lost(2);
        world.happen(Event::Ended);
        world.happen(Event::CopySynced);
        for transfer in [0, 1] {
            world.sent(transfer);
            world.replied(transfer, 0, ACCEPTED);
        }
        world.happen(Event::PromiseSynced);
        world.keeps(&[ACCEPTED, ACCEPTED, Fate::Late]);
    }

    #[test]
    fn unknown_beside_others_is_promised() {
        for other in [ACCEPTED, TEMPORARY, PERMANENT] {
            let mut world = three();
            world.all_dotted();
            world.replied(0, 0, other);
            world.lost(1);
            world.replied(2, 0, other);
            world.happen(Event::PromiseSynced);
            world.keeps(&[other, Fate::Unknown, other]);
            assert_eq!(world.recorded(1).heard_for, Duration::ZERO);
        }
    }

    #[test]
    fn all_unknown_is_promised() {
        let mut world = three();
        world.all_dotted();
        (0..3).for_each(|transfer| world.lost(transfer));
        world.happen(Event::PromiseSynced);
        world.hears(&["250 2.0.0 Queued as 4f2a"]);
        world.keeps(&[Fate::Unknown; 3]);
    }

    #[test]
    fn a_promise_that_cannot_be_written_is_451_4_3_0() {
        let mut world = three();
        world.all_answered(&[PERMANENT, ACCEPTED, TEMPORARY]);
        world.happen(Event::PromiseFailed);
        world.hears_with("451 4.3.0");
        world.keeps_nothing();
    }

    #[test]
    fn a_promise_that_takes_too_long_is_451_4_3_0() {
        let mut world = three();
        world.all_answered(&[PERMANENT, ACCEPTED, TEMPORARY]);
        world.wait(Duration::from_secs(569));
        assert_eq!(world.answer, None);
        world.wait(Duration::from_secs(1));
        world.hears_with("451 4.3.0");
        world.keeps_nothing();
        world.happen(Event::PromiseSynced);
    }

    #[test]
    fn a_copy_that_cannot_be_written_is_451_4_3_0_and_nobody_gets_a_dot() {
        let mut world = three();
        world.all_opened();
        world.happen(Event::CopyFailed);
        assert!(world.did(&Action::Discard) && world.did(&Action::DropCopy));
        assert!((0..3).all(|transfer| world.did(&Action::Abandon { transfer })));
        world.happen(Event::Ended);
        world.hears_with("451 4.3.0");
        world.keeps_nothing();

        let mut world = three();
        world.all_opened();
        world.happen(Event::Ended);
        (0..3).for_each(|transfer| world.sent(transfer));
        world.happen(Event::CopyFailed);
        world.hears_with("451 4.3.0");
        world.keeps_nothing();
    }

    #[test]
    fn a_copy_that_takes_too_long_is_451_4_3_0_and_nobody_gets_a_dot() {
        let mut world = three();
        world.all_opened();
        world.happen(Event::Ended);
        (0..3).for_each(|transfer| world.sent(transfer));
        world.wait(TIMINGS.answer_within);
        world.hears_with("451 4.3.0");
        world.keeps_nothing();
    }

    #[test]
    fn dots_wait_for_the_copy_and_then_for_nobody() {
        let mut world = three();
        world.all_opened();
        world.happen(Event::Ended);
        assert_eq!(world.actions, [Action::SyncCopy]);
        world.sent(0);
        assert_eq!(world.actions, []);
        world.happen(Event::CopySynced);
        assert_eq!(world.actions, [Action::SendDot { transfer: 0 }]);
        world.sent(2);
        assert_eq!(world.actions, [Action::SendDot { transfer: 2 }]);
        world.replied(0, 0, ACCEPTED);
        assert_eq!(world.actions, []);
    }

    #[test]
    fn one_that_stalls_in_the_body_never_slows_the_others() {
        let mut world = three();
        world.opened(0);
        assert_eq!(world.actions, [Action::Continue]);
        world.opened(1);
        world.wait(TIMINGS.stall);
        assert_eq!(world.actions, [Action::Abandon { transfer: 2 }]);
        world.happen(Event::Lost { transfer: 1, loss: Loss::Stalled });
        world.happen(Event::Ended);
        world.sent(0);
        world.happen(Event::CopySynced);
        world.replied(0, 0, ACCEPTED);
        world.happen(Event::PromiseSynced);
        world.keeps(&[ACCEPTED, Fate::Late, Fate::Late]);
    }

    #[test]
    fn all_dead_before_a_dot_is_451_and_nothing_is_kept() {
        let mut world = three();
        world.all_opened();
        (0..3).for_each(|transfer| world.lost(transfer));
        assert_eq!(world.actions, [Action::Discard, Action::DropCopy]);
        assert_eq!(world.answer, None);
        world.happen(Event::Ended);
        world.hears(&[LOST]);
        world.keeps_nothing();
    }

    #[test]
    fn all_dead_while_the_copy_is_synced_is_451_and_nothing_is_kept() {
        let mut world = three();
        world.all_opened();
        world.happen(Event::Ended);
        (0..3).for_each(|transfer| world.lost(transfer));
        world.hears(&[LOST]);
        world.keeps_nothing();
        world.happen(Event::CopySynced);
    }

    #[test]
    fn all_refused_at_data_is_answered_there() {
        let mut world = three();
        world.refused(0, PERMANENT);
        world.refused(1, TEMPORARY);
        world.refused(2, PERMANENT);
        assert_eq!(world.refusal.as_ref().unwrap().to_string(), "452 4.0.0 leg 1.0");
        world.keeps_nothing();
    }
}

mod late_legs {
    use super::*;

    /// One has accepted, two have their dot and say nothing.
    fn two_silent() -> World {
        let mut world = three();
        world.all_dotted();
        world.replied(0, 0, ACCEPTED);
        world.wait(Duration::from_secs(59));
        assert_eq!(world.actions, []);
        world.wait(Duration::from_secs(1));
        assert!(matches!(&world.actions[..], [Action::WritePromise(_)]));
        world
    }

    #[test]
    fn the_client_is_answered_after_a_minute() {
        let mut world = two_silent();
        world.happen(Event::PromiseSynced);
        world.hears(&["250 2.0.0 Delivered to 1 of 3 recipients, the rest is queued as 4f2a"]);
        world.keeps(&[ACCEPTED, Fate::Unknown, Fate::Unknown]);
        let until = world.now + Duration::from_secs(540);
        assert_eq!(
            world.actions[1..],
            [Action::HearOn { transfer: 1, until }, Action::HearOn { transfer: 2, until }]
        );
        assert!(!world.delivery.is_finished());
    }

    #[test]
    fn nothing_is_tried_again_while_they_are_heard() {
        let mut world = two_silent();
        world.happen(Event::PromiseSynced);
        assert_eq!(world.recorded(1).heard_for, Duration::from_secs(540));
        assert_eq!(world.recorded(0).heard_for, Duration::ZERO);
    }

    #[test]
    fn what_they_say_later_goes_into_the_record() {
        let mut world = two_silent();
        world.happen(Event::PromiseSynced);
        world.replied(1, 0, PERMANENT);
        world.keeps(&[ACCEPTED, PERMANENT, Fate::Unknown]);
        world.replied(2, 0, ACCEPTED);
        world.keeps(&[ACCEPTED, PERMANENT, ACCEPTED]);
        assert!(world.delivery.is_finished());
    }

    #[test]
    fn what_they_say_while_the_promise_is_written_is_not_forgotten() {
        let mut world = two_silent();
        world.replied(1, 0, ACCEPTED);
        world.lost(2);
        assert_eq!(world.actions, []);
        world.happen(Event::PromiseSynced);
        world.hears(&["250 2.0.0 Delivered to 2 of 3 recipients, the rest is queued as 4f2a"]);
        world.keeps(&[ACCEPTED, ACCEPTED, Fate::Unknown]);
        assert!(world.delivery.is_finished());
    }

    #[test]
    fn they_are_heard_for_ten_minutes() {
        let mut world = two_silent();
        world.happen(Event::PromiseSynced);
        world.wait(Duration::from_secs(539));
        assert!(!world.delivery.is_finished());
        world.wait(Duration::from_secs(1));
        assert!(world.did(&Action::Abandon { transfer: 1 }));
        assert!(world.did(&Action::Abandon { transfer: 2 }));
        world.keeps(&[ACCEPTED, Fate::Unknown, Fate::Unknown]);
        assert!(world.delivery.is_finished());
    }

    #[test]
    fn those_without_a_dot_are_dropped_when_the_client_is_answered() {
        let mut world = three();
        world.all_opened();
        world.happen(Event::Ended);
        world.happen(Event::CopySynced);
        world.sent(0);
        world.replied(0, 0, ACCEPTED);
        world.wait(TIMINGS.answer_within);
        assert!(world.did(&Action::Abandon { transfer: 1 }));
        assert!(world.did(&Action::Abandon { transfer: 2 }));
        world.happen(Event::PromiseSynced);
        world.keeps(&[ACCEPTED, Fate::Late, Fate::Late]);
    }

    #[test]
    fn a_lost_promise_that_is_not_needed_any_more_is_no_error() {
        let mut world = two_silent();
        world.replied(1, 0, ACCEPTED);
        world.replied(2, 0, ACCEPTED);
        world.happen(Event::PromiseFailed);
        world.hears(&["250 2.0.0 4f2a delivered to all 3 recipients"]);
        world.keeps_nothing();
    }

    #[test]
    fn part_of_an_lmtp_back_ends_recipients_may_be_late() {
        let mut world = World::smtp(vec![vec![vec![0], vec![1]]]);
        world.all_dotted();
        world.replied(0, 1, ACCEPTED);
        world.wait(TIMINGS.answer_within);
        world.happen(Event::PromiseSynced);
        world.keeps(&[Fate::Unknown, ACCEPTED]);
        assert_eq!(world.recorded(1).heard_for, Duration::ZERO);
        world.replied(0, 0, TEMPORARY);
        world.keeps(&[TEMPORARY, ACCEPTED]);
    }
}

mod the_client {
    use super::*;

    #[test]
    fn vanishing_before_its_dot_abandons_everything() {
        let mut world = three();
        world.all_opened();
        world.happen(Event::ClientLost);
        let abandon = |transfer| Action::Abandon { transfer };
        assert_eq!(world.actions, [abandon(0), abandon(1), abandon(2), Action::DropCopy]);
        assert!(world.delivery.is_finished());
        assert_eq!(world.answer, None);
    }

    #[test]
    fn vanishing_after_its_dot_changes_nothing() {
        let mut world = three();
        world.all_dotted();
        world.happen(Event::ClientLost);
        assert_eq!(world.actions, []);
        for (transfer, fate) in [ACCEPTED, TEMPORARY, PERMANENT].into_iter().enumerate() {
            world.replied(transfer, 0, fate);
        }
        world.happen(Event::PromiseSynced);
        world.keeps(&[ACCEPTED, TEMPORARY, PERMANENT]);
    }

    #[test]
    fn sending_what_may_not_be_passed_on_gets_no_dot() {
        let mut world = three();
        world.all_opened();
        world.happen(Event::Spoilt(SPOILT));
        let abandon = |transfer| Action::Abandon { transfer };
        assert_eq!(
            world.actions,
            [abandon(0), abandon(1), abandon(2), Action::DropCopy, Action::Discard]
        );
        assert_eq!(world.answer, None, "the content must be read to its real end");
        world.happen(Event::Ended);
        world.hears(&[&SPOILT.to_string()]);
    }

    #[test]
    fn hears_of_its_content_rather_than_of_our_trouble() {
        let mut world = three();
        world.all_opened();
        (0..3).for_each(|transfer| world.lost(transfer));
        world.happen(Event::Spoilt(SPOILT));
        world.happen(Event::Ended);
        world.hears(&[&SPOILT.to_string()]);
    }

    #[test]
    fn may_have_sent_all_before_the_first_back_end_wants_it() {
        let mut world = three();
        world.happen(Event::Ended);
        assert_eq!(world.actions, []);
        world.opened(1);
        assert_eq!(world.actions, [Action::Continue, Action::SyncCopy]);
        world.happen(Event::CopySynced);
        world.sent(1);
        assert_eq!(world.actions, [Action::SendDot { transfer: 1 }]);
    }
}
