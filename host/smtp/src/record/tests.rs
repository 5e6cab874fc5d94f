use std::time::Duration;

use proptest::prelude::*;
use waypost_model::Address;
use waypost_wire::smtp::{
    Body, EnhancedCode, Mail, MailParameters, Notify, RecipientParameters, Reply, Ret,
};

use super::{
    Due, End, Envelope, EnvelopeRecipient, Record, RecordError, Schedule, State, UnixTime,
};
use crate::legs::Promised;
use crate::outcome::{Loss, Outcome};

const HOUR: Duration = Duration::from_secs(3600);
const SCHEDULE: Schedule = Schedule {
    expire_after: Duration::from_secs(5 * 24 * 3600),
    retry_after: Duration::from_secs(60),
    retry_at_most: Duration::from_secs(4 * 3600),
};
const ARRIVED: UnixTime = UnixTime(1_000_000);
const PROMISED: UnixTime = UnixTime(1_000_010);

fn accepted() -> Outcome {
    Outcome::Accepted(Reply::new(250, EnhancedCode::new(2, 0, 0), "Ok"))
}
fn temporary() -> Outcome {
    Outcome::Temporary(Reply::new(452, EnhancedCode::new(4, 2, 2), "Full"))
}
fn permanent() -> Outcome {
    Outcome::Permanent(Reply::new(550, EnhancedCode::new(5, 1, 1), "Nobody"))
}
fn unknown() -> Outcome {
    Outcome::Unknown(Loss::Silent)
}

fn envelope(recipients: usize) -> Envelope {
    let recipient = |number| EnvelopeRecipient {
        path: format!("<user{number}@example.test>").parse().unwrap(),
        parameters: RecipientParameters::default(),
        lookup: Address::new(&format!("user{number}@example.test"), None).unwrap(),
    };
    Envelope {
        id: "01ARZ3NDEK".into(),
        arrived: ARRIVED,
        client: [192, 0, 2, 1].into(),
        listener: "mx".into(),
        hostname: "mail.example.test".into(),
        mail: Mail {
            sender: "<sender@example.org>".parse().unwrap(),
            parameters: MailParameters::default(),
        },
        size: 1234,
        recipients: (0..recipients).map(recipient).collect(),
    }
}

fn promise(outcomes: &[Outcome]) -> Record {
    let heard = outcomes.iter().map(|outcome| (outcome.clone(), Duration::ZERO));
    promise_hearing(&heard.collect::<Vec<_>>())
}

fn promise_hearing(outcomes: &[(Outcome, Duration)]) -> Record {
    let promised: Vec<Promised> = outcomes
        .iter()
        .map(|(outcome, heard_for)| Promised { outcome: outcome.clone(), heard_for: *heard_for })
        .collect();
    Record::promise(envelope(outcomes.len()), &promised, PROMISED, &SCHEDULE, 0.0)
}

fn settle(record: &mut Record, recipient: usize, outcome: &Outcome, now: UnixTime) {
    record.settle(&[recipient], outcome, now, &SCHEDULE, 0.0);
}

fn attempts(record: &Record, recipient: usize) -> Option<u32> {
    match record.state(recipient)? {
        State::Waiting { attempts, .. } => Some(*attempts),
        _ => None,
    }
}

/// A record in its text, and back.
fn stored(record: &Record) -> Record {
    Record::from_bytes(&record.to_bytes()).unwrap()
}

#[test]
fn a_promise_says_of_each_what_is_left_to_do() {
    let record =
        promise(&[accepted(), temporary(), permanent(), unknown(), Outcome::Late(Loss::Closed)]);
    assert_eq!(record.state(0), Some(&State::Accepted));
    assert!(matches!(record.state(2), Some(State::Reporting { report: None, expired: false, .. })));
    for recipient in [1, 3, 4] {
        assert_eq!(attempts(&record, recipient), Some(1));
    }
    assert_eq!(record.due(PROMISED), Due { attempt: vec![], report: true });
    let soon = PROMISED.after(SCHEDULE.retry_after);
    assert_eq!(record.due(soon), Due { attempt: vec![1, 3, 4], report: true });
    assert!(!record.is_finished());
}

#[test]
fn nothing_is_tried_while_a_back_end_is_heard() {
    let heard_for = Duration::from_secs(540);
    let mut record = promise_hearing(&[(accepted(), Duration::ZERO), (unknown(), heard_for)]);
    let until = PROMISED.after(heard_for);
    assert!(record.due(until).attempt.is_empty());
    assert_eq!(record.next(), Some(until.after(SCHEDULE.retry_after)));

    // Its late word is no further attempt; what is tried after it is.
    let late = PROMISED.after(Duration::from_secs(100));
    settle(&mut record, 1, &temporary(), late);
    assert_eq!(attempts(&record, 1), Some(1));
    assert_eq!(record.next(), Some(late.after(SCHEDULE.retry_after)));
    settle(&mut record, 1, &temporary(), late.after(SCHEDULE.retry_after));
    assert_eq!(attempts(&record, 1), Some(2));
}

#[test]
fn an_attempt_after_a_back_end_was_heard_counts() {
    let heard_for = Duration::from_secs(540);
    let mut record = promise_hearing(&[(accepted(), Duration::ZERO), (unknown(), heard_for)]);
    let next = record.next().unwrap();
    settle(&mut record, 1, &unknown(), next);
    assert_eq!(attempts(&record, 1), Some(2));
}

#[test]
fn pauses_double_up_to_the_longest() {
    let mut record = promise(&[accepted(), temporary()]);
    let mut pauses = Vec::new();
    let mut now = PROMISED;
    for _ in 0..11 {
        let next = record.next().unwrap();
        pauses.push((next.0 - now.0) / 60);
        now = next;
        settle(&mut record, 1, &temporary(), now);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 240, 240, 240]);
}

#[test]
fn chance_adds_up_to_a_quarter() {
    let pause = |chance| SCHEDULE.next(3, PROMISED, UnixTime(u64::MAX), chance).0 - PROMISED.0;
    assert_eq!([pause(0.0), pause(0.5), pause(1.0)], [241, 271, 301]);
    assert_eq!([pause(-1.0), pause(7.0), pause(f64::NAN)], [241, 301, 241]);
}

#[test]
fn who_waits_may_be_accepted() {
    let mut record = promise(&[accepted(), temporary()]);
    let next = record.next().unwrap();
    settle(&mut record, 1, &accepted(), next);
    assert!(record.is_finished());
    assert_eq!(record.next(), None);
}

#[test]
fn who_has_an_outcome_keeps_it() {
    let mut record = promise(&[accepted(), permanent(), temporary()]);
    settle(&mut record, 0, &permanent(), PROMISED);
    settle(&mut record, 1, &accepted(), PROMISED);
    settle(&mut record, 7, &accepted(), PROMISED);
    assert_eq!(record, promise(&[accepted(), permanent(), temporary()]));
}

#[test]
fn a_message_expires_with_its_last_attempt() {
    let mut record = promise(&[accepted(), temporary(), unknown()]);
    let expires = ARRIVED.after(SCHEDULE.expire_after);
    settle(&mut record, 1, &temporary(), UnixTime(expires.0 - 1));
    assert_eq!(attempts(&record, 1), Some(2));
    // There is one more attempt, in time for it.
    assert_eq!(record.due(expires).attempt, [1, 2]);
    record.settle(&[1, 2], &temporary(), expires, &SCHEDULE, 0.0);
    for recipient in [1, 2] {
        assert!(matches!(record.state(recipient), Some(State::Reporting { expired: true, .. })));
    }
    assert!(record.begin_report(expires, &SCHEDULE));
    assert_eq!(record.reports_due(expires).len(), 1, "both are in one report");
}

#[test]
fn failures_are_reported_once() {
    let mut record = promise(&[permanent(), accepted(), temporary(), permanent()]);
    assert!(record.begin_report(PROMISED, &SCHEDULE));
    assert!(!record.begin_report(PROMISED, &SCHEDULE), "they are in a report");
    let [first] = record.reports_due(PROMISED)[..] else { panic!("one report") };
    assert_eq!(record.name_of(first), "01ARZ3NDEK-0");
    assert_eq!(record.failures(first).count(), 2);

    // What fails meanwhile is in another, and a restart changes nothing.
    settle(&mut record, 2, &permanent(), PROMISED.after(HOUR));
    assert!(record.begin_report(PROMISED.after(HOUR), &SCHEDULE));
    let mut record = stored(&record);
    let [again, second] = record.reports_due(PROMISED.after(HOUR))[..] else { panic!("two") };
    assert_eq!(again, first);
    assert_eq!(record.name_of(second), "01ARZ3NDEK-2");
    assert_eq!(record.failures(first).count(), 2);
    assert_eq!(record.failures(second).count(), 1);

    record.reported(&first, &accepted(), PROMISED.after(HOUR), &SCHEDULE, 0.0);
    assert_eq!(record.state(0), Some(&State::Done(End::Reported)));
    assert!(!record.is_finished());
    record.reported(&second, &permanent(), PROMISED.after(HOUR), &SCHEDULE, 0.0);
    assert_eq!(record.state(2), Some(&State::Done(End::ReportRefused)));
    assert!(record.is_finished());
}

#[test]
fn a_report_that_is_deferred_is_tried_again_for_as_long_as_a_message() {
    let mut record = promise(&[accepted(), permanent()]);
    record.begin_report(PROMISED, &SCHEDULE);
    let [report] = record.reports_due(PROMISED)[..] else { panic!("one report") };
    record.reported(&report, &temporary(), PROMISED, &SCHEDULE, 0.0);
    assert_eq!(record.next(), Some(PROMISED.after(SCHEDULE.retry_after)));
    assert_eq!(record.due(PROMISED), Due::default());
    assert!(record.due(record.next().unwrap()).report);

    let expires = PROMISED.after(SCHEDULE.expire_after);
    record.reported(&report, &unknown(), UnixTime(expires.0 - 1), &SCHEDULE, 0.0);
    assert_eq!(record.next(), Some(expires));
    record.reported(&report, &unknown(), expires, &SCHEDULE, 0.0);
    assert_eq!(record.state(1), Some(&State::Done(End::ReportExpired)));
    assert!(record.is_finished());
}

#[test]
fn nobody_is_told_who_does_not_want_to_be() {
    let promised = [Promised { outcome: permanent(), heard_for: Duration::ZERO }];
    let made = |change: &dyn Fn(&mut Envelope)| {
        let mut envelope = envelope(1);
        change(&mut envelope);
        Record::promise(envelope, &promised, PROMISED, &SCHEDULE, 0.0)
    };
    let notify = |success, failure, delay| {
        made(&move |envelope| {
            let notify = Notify { success, failure, delay };
            envelope.recipients[0].parameters.notify = Some(notify);
        })
    };
    assert!(notify(false, false, false).is_finished(), "NEVER");
    assert!(notify(true, false, true).is_finished(), "SUCCESS,DELAY");
    assert!(!notify(false, true, false).is_finished(), "FAILURE");
    assert!(made(&|envelope| envelope.mail.sender = "<>".parse().unwrap()).is_finished());
    assert!(!made(&|_| {}).is_finished());
}

#[test]
fn everything_comes_back_from_its_text() {
    let mut envelope = envelope(3);
    envelope.mail = Mail {
        sender: "<\"a b\"@example.org>".parse().unwrap(),
        parameters: MailParameters {
            size: Some(9),
            body: Some(Body::EightBitMime),
            smtputf8: true,
            ret: Some(Ret::Full),
            envelope_id: Some("a+2Bb+3D".parse().unwrap()),
        },
    };
    envelope.client = "2001:db8::1".parse().unwrap();
    envelope.recipients[0].path = "<Postmaster>".parse().unwrap();
    envelope.recipients[1].path = "<j\u{f6}rg@example.test>".parse().unwrap();
    envelope.recipients[1].parameters = RecipientParameters {
        notify: Some(Notify { success: true, failure: true, delay: false }),
        original_recipient: Some("utf-8;j\\x{F6}rg@example.test".parse().unwrap()),
    };
    let promised = [permanent(), unknown(), accepted()];
    let promised =
        promised.map(|outcome| Promised { outcome, heard_for: Duration::from_millis(1500) });
    let mut record = Record::promise(envelope, &promised, PROMISED, &SCHEDULE, 0.0);
    record.begin_report(PROMISED, &SCHEDULE);
    assert_eq!(stored(&record), record);
    // The format is a promise to the next version.
    assert_eq!(
        String::from_utf8(record.to_bytes()).unwrap(),
        "{\"version\":1,\"id\":\"01ARZ3NDEK\",\"arrived\":1000000,\"expires\":1432001,\
         \"client\":\"2001:db8::1\",\"listener\":\"mx\",\"hostname\":\"mail.example.test\",\
         \"size\":1234,\"sender\":\"<\\\"a b\\\"@example.org>\",\"declared-size\":9,\
         \"body\":\"8BITMIME\",\"smtputf8\":true,\"ret\":\"FULL\",\"envelope-id\":\"a+2Bb+3D\",\
         \"recipients\":[\
         {\"path\":\"<Postmaster>\",\"lookup\":\"user0@example.test\",\"state\":{\"reporting\":\
         {\"last\":{\"at\":1000010,\"status\":\"5.1.1\",\"text\":\"550 5.1.1 Nobody\",\
         \"is-reply\":true},\"expired\":false,\"report\":0}}},\
         {\"path\":\"<j\u{f6}rg@example.test>\",\"notify\":\"SUCCESS,FAILURE\",\
         \"original-recipient\":\"utf-8;j\\\\x{F6}rg@example.test\",\
         \"lookup\":\"user1@example.test\",\"state\":{\"waiting\":\
         {\"attempts\":1,\"next\":1000074,\"heard-until\":1000013,\"last\":{\"at\":1000010,\
         \"status\":\"4.4.2\",\"text\":\"The mailbox server did not answer\",\
         \"is-reply\":false}}}},\
         {\"path\":\"<user2@example.test>\",\"lookup\":\"user2@example.test\",\
         \"state\":\"accepted\"}],\
         \"reports\":[{\"number\":0,\"attempts\":0,\"next\":1000010,\"expires\":1432011}]}"
    );
}

#[test]
fn what_is_no_record_is_refused() {
    let text = String::from_utf8(promise(&[accepted(), permanent()]).to_bytes()).unwrap();
    let read = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        Record::from_bytes(text.replacen(from, to, 1).as_bytes())
    };
    assert!(matches!(read("\"version\":1", "\"version\":2"), Err(RecordError::Version(2))));
    assert!(matches!(read("\"version\":1,", ""), Err(RecordError::Json(_))));
    assert!(matches!(read("<sender@", "sender@"), Err(RecordError::Value("sender", _))));
    assert!(matches!(read("<user0@", "<user0\\n@"), Err(RecordError::Value("path", _))));
    assert!(matches!(read("5.1.1\"", "5.1\""), Err(RecordError::Json(_))));
    assert!(matches!(read("\"report\":null", "\"report\":1"), Err(RecordError::Reports)));
    for octets in [&b""[..], b"{", b"[]", b"\0\0", &text.as_bytes()[..text.len() - 1]] {
        assert!(Record::from_bytes(octets).is_err());
    }
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let reply = |codes: [u16; 2]| {
        (
            proptest::sample::select(codes.to_vec()),
            "[\\PC\"\\\\]{0,40}|([\"\\\\\u{e9}]{100,400}\n){1,5}",
        )
            .prop_map(|(code, text)| Reply::worded(code, EnhancedCode::of(code), &text))
    };
    prop_oneof![
        reply([250, 251]).prop_map(Outcome::Accepted),
        reply([450, 452]).prop_map(Outcome::Temporary),
        reply([550, 552]).prop_map(Outcome::Permanent),
        Just(unknown()),
        Just(Outcome::Late(Loss::Stalled)),
    ]
}

proptest! {
    /// Whatever happens: it comes to an end, each recipient has one, and there is always room for it.
    #[test]
    fn a_record_comes_to_its_end(
        promised in proptest::collection::vec((any_outcome(), 0u64..600), 1..6),
        then in proptest::collection::vec((0usize..6, any_outcome(), 0u64..500_000), 0..30),
        chance in 0.0..1.0,
    ) {
        let envelope = envelope(promised.len());
        let room = envelope.record_bytes();
        let promised: Vec<Promised> = promised
            .into_iter()
            .map(|(outcome, heard)| Promised { outcome, heard_for: Duration::from_secs(heard) })
            .collect();
        let mut record = Record::promise(envelope, &promised, PROMISED, &SCHEDULE, chance);
        let mut now = PROMISED;
        for (recipient, outcome, wait) in then {
            prop_assert!(record.to_bytes().len() <= room);
            prop_assert_eq!(&stored(&record), &record);
            now.0 += wait;
            record.settle(&[recipient], &outcome, now, &SCHEDULE, chance);
            prop_assert!(record.next().is_none_or(|next| next > now || record.due(now) != Due::default()));
            record.begin_report(now, &SCHEDULE);
            for report in record.reports_due(now) {
                prop_assert!(record.failures(report).count() > 0);
                record.reported(&report, &outcome, now, &SCHEDULE, chance);
            }
        }
        // From here on nobody answers any more.
        let mut steps = 0;
        while let Some(next) = record.next() {
            steps += 1;
            prop_assert!(steps < 500);
            now = now.max(next);
            let due = record.due(now);
            prop_assert!(due != Due::default());
            record.settle(&due.attempt, &temporary(), now, &SCHEDULE, chance);
            record.begin_report(now, &SCHEDULE);
            for report in record.reports_due(now) {
                record.reported(&report, &temporary(), now, &SCHEDULE, chance);
            }
        }
        prop_assert!(record.is_finished());
    }

    #[test]
    fn any_octets_are_a_record_or_an_error(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = Record::from_bytes(&octets);
    }
}
