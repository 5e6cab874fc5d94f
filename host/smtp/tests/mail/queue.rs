//! Messages that are kept: when they are tried again, where to, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use waypost_model::Refusal;
use waypost_smtp::{FailPoint, FailPoints, Fate, OperateError};
use waypost_spool::simulated::Simulated;

use crate::support::{Answer, BackEnd, Do, House, Plan, Spooling, Ways, to, until};

const BODY: &str = "Subject: hello\r\n\r\nhello\r\n";

/// A house that keeps a message for `user2@a.test`, which its back end has deferred.
async fn kept(plan: Plan) -> (House, BackEnd, BackEnd, BackEnd) {
    let first = BackEnd::good().await;
    let second = BackEnd::start(Ways::ending(Do::Say("451 4.3.0 later\r\n"))).await;
    let reports = BackEnd::good().await;
    let house = House::start_with(plan);
    house.answer("user1@a.test", to(&[first.address]));
    house.answer("user2@a.test", to(&[second.address]));
    house.answer("sender@b.test", to(&[reports.address]));
    let mut client = house.client().await;
    let reply = client.send("sender@b.test", &["user1@a.test", "user2@a.test"], BODY).await;
    assert!(reply.starts_with("250 2.0.0 Delivered to 1 of 2"), "{reply}");
    assert_eq!(house.kept(), 1);
    (house, first, second, reports)
}

#[tokio::test]
async fn each_attempt_looks_up_anew() {
    let plan = Plan { cache_for: Duration::from_millis(1), ..Plan::default() };
    let (house, _first, second, _reports) = kept(plan).await;
    let elsewhere = BackEnd::good().await;
    house.answer("user2@a.test", to(&[elsewhere.address]));
    until("nothing is kept", || house.kept() == 0).await;
    assert_eq!(elsewhere.mailbox("user2@a.test").len(), 1);
    assert_eq!(second.mailbox("user2@a.test").len(), 0);
}

#[tokio::test]
async fn trouble_is_late_and_a_refusal_is_final() {
    for (answer, is_final) in [
        (Answer::DirectoryDown, false),
        (Answer::Fault, false),
        (Answer::Refuse(Refusal::UnknownUser), true),
        (Answer::Refuse(Refusal::Denied), true),
        (Answer::Pass, true),
    ] {
        let plan = Plan { cache_for: Duration::from_millis(1), ..Plan::default() };
        let (house, _first, second, reports) = kept(plan).await;
        house.answer("user2@a.test", answer.clone());
        if is_final {
            until("nothing is kept", || house.kept() == 0).await;
            assert_eq!(reports.mailbox("sender@b.test").len(), 1, "{answer:?}");
            assert!(second.mailbox("user2@a.test").is_empty());
        } else {
            tokio::time::sleep(Duration::from_millis(1800)).await;
            assert_eq!((house.kept(), reports.delivered().len()), (1, 0), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_message_expires_and_its_sender_is_told() {
    let plan = Plan::with(|it| it.expire_after = Duration::from_secs(3));
    let (house, _first, second, reports) = kept(plan).await;
    until("nothing is kept", || house.kept() == 0).await;
    let [report] = &reports.mailbox("sender@b.test")[..] else { panic!("one report") };
    assert!(report.text().contains("user2@a.test"), "{}", report.text());
    assert!(second.dots() >= 2);
}

#[tokio::test]
async fn a_report_that_is_refused_ends_there() {
    let first = BackEnd::good().await;
    let second = BackEnd::start(Ways::ending(Do::Say("554 5.6.0 no\r\n"))).await;
    let reports =
        BackEnd::start(Ways { recipient: Do::Say("550 5.1.1 no\r\n"), ..Ways::default() }).await;
    let house = House::start();
    house.answer("user1@a.test", to(&[first.address]));
    house.answer("user2@a.test", to(&[second.address]));
    house.answer("sender@b.test", to(&[reports.address]));
    let mut client = house.client().await;
    let reply = client.send("sender@b.test", &["user1@a.test", "user2@a.test"], BODY).await;
    assert!(reply.starts_with("250"), "{reply}");
    until("nothing is kept", || house.kept() == 0).await;
    assert!(reports.delivered().is_empty());
}

#[tokio::test]
async fn an_operator_may_have_a_message_tried_at_once_or_dropped() {
    let plan = || Plan::with(|it| it.retry_after = Duration::from_secs(3600));
    let (house, _first, second, _reports) = kept(plan()).await;
    let queue = house.queue.clone().unwrap();
    let [id] = queue.ids()[..] else { panic!("one message") };
    assert_eq!(queue.show(id).await.unwrap().envelope().recipients.len(), 2);
    second.behave(Ways::default());
    queue.retry_now(id).unwrap();
    until("nothing is kept", || house.kept() == 0).await;
    assert_eq!(second.mailbox("user2@a.test").len(), 1);
    assert!(queue.retry_now(id).is_err());

    let (house, _first, second, reports) = kept(plan()).await;
    let queue = house.queue.clone().unwrap();
    let [id] = queue.ids()[..] else { panic!("one message") };
    queue.drop_message(id).await.unwrap();
    assert_eq!(house.kept(), 0);
    assert!(queue.drop_message(id).await.is_err());
    assert!(second.delivered().is_empty() && reports.delivered().is_empty());
}

/// From the promise on, whenever the client hears of it.
#[tokio::test]
async fn nobody_has_a_message_tried_that_a_late_back_end_may_have() {
    let first = BackEnd::good().await;
    let second =
        BackEnd::start(Ways::ending(Do::After(Duration::from_secs(3), "250 taken\r\n"))).await;
    let mut plan = Plan::with(|it| it.answer_within = Duration::from_millis(300));
    let reached = Arc::new(AtomicBool::new(false));
    let noted = reached.clone();
    plan.fail_points = FailPoints::new(move |point| match point {
        FailPoint::BeforeAnswer => {
            noted.store(true, Ordering::Relaxed);
            Fate::Stop
        }
        _ => Fate::GoOn,
    });
    let house = House::start_with(plan);
    house.answer("user1@a.test", to(&[first.address]));
    house.answer("user2@a.test", to(&[second.address]));
    let mut client = house.client().await;
    let sending = client.send("sender@b.test", &["user1@a.test", "user2@a.test"], BODY);
    let unheard = timeout(Duration::from_secs(5), async {
        until("the promise", || reached.load(Ordering::Relaxed)).await;
        let queue = house.queue.clone().unwrap();
        let [id] = queue.ids()[..] else { panic!("one message") };
        assert!(matches!(queue.retry_now(id), Err(OperateError::Busy(_))));
        assert!(matches!(queue.drop_message(id).await, Err(OperateError::Busy(_))));
    });
    tokio::select! {
        reply = sending => panic!("{reply}"),
        done = unheard => done.unwrap(),
    }
}

#[tokio::test]
async fn a_restart_goes_on_where_the_last_process_was() {
    let disk = Simulated::new();
    let mut plan = Plan::with(|it| it.retry_after = Duration::from_secs(2));
    plan.spooling = Spooling::Simulated(disk.clone());
    let (house, first, second, _reports) = kept(plan).await;
    let policy = house.policy.clone();
    house.queue.clone().unwrap().close().await;
    second.behave(Ways::default());
    let plan =
        Plan { spooling: Spooling::Simulated(disk.survivors(1).remove(0)), ..Plan::default() };
    let again = House::start_for(plan, policy);
    assert_eq!(again.kept(), 1);
    until("nothing is kept", || again.kept() == 0).await;
    assert_eq!(first.mailbox("user1@a.test").len(), 1, "who has it does not get it again");
    assert_eq!(second.mailbox("user2@a.test").len(), 1);
    drop(house);
}
