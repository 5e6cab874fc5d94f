//! The table of outcomes of a message with several legs, each row by name.

use std::time::Duration;

use crate::support::{BackEnd, Content, Do, House, Plan, Ways, to, until};

const BODY: &str = "Subject: hello\r\n\r\nhello\r\n";

/// Two back ends, each with a recipient; the sender can be reported to.
struct Two {
    house: House,
    first: BackEnd,
    second: BackEnd,
    reports: BackEnd,
}

impl Two {
    async fn new(first: Ways, second: Ways) -> Self {
        Self::with(Plan::default(), first, second).await
    }

    async fn with(plan: Plan, first: Ways, second: Ways) -> Self {
        let (first, second) = (BackEnd::start(first).await, BackEnd::start(second).await);
        let reports = BackEnd::good().await;
        let house = House::start_with(plan);
        house.answer("user1@a.test", to(&[first.address]));
        house.answer("user2@a.test", to(&[second.address]));
        house.answer("sender@b.test", to(&[reports.address]));
        Self { house, first, second, reports }
    }

    async fn send(&self) -> String {
        let mut client = self.house.client().await;
        client.send("sender@b.test", &["user1@a.test", "user2@a.test"], BODY).await
    }

    fn mailboxes(&self) -> (usize, usize) {
        (self.first.mailbox("user1@a.test").len(), self.second.mailbox("user2@a.test").len())
    }

    fn reported(&self) -> usize {
        self.reports.mailbox("sender@b.test").len()
    }

    /// Waits until nothing is kept any more.
    async fn settled(&self) {
        until("nothing is kept", || self.house.kept() == 0).await;
    }
}

fn ending(text: &'static str) -> Ways {
    Ways::ending(Do::Say(text))
}

#[tokio::test]
async fn all_accepted_is_250_and_no_copy_stays() {
    let two = Two::new(Ways::default(), Ways::default()).await;
    let reply = two.send().await;
    assert!(reply.starts_with("250 2.0.0 ") && reply.ends_with("delivered to all 2 recipients"));
    assert_eq!(two.mailboxes(), (1, 1));
    assert_eq!(two.house.kept(), 0);
    assert_eq!(two.first.delivered()[0].content, two.second.delivered()[0].content);
    let text = two.first.delivered()[0].text();
    assert!(!text.contains("for <"), "recipients are hidden from each other: {text}");
}

#[tokio::test]
async fn all_permanent_is_the_first_refusal() {
    let two = Two::new(ending("554 5.6.0 first\r\n"), ending("550 5.7.1 second\r\n")).await;
    assert_eq!(two.send().await, "554 5.6.0 first");
    assert_eq!((two.mailboxes(), two.house.kept(), two.reported()), ((0, 0), 0, 0));
}

#[tokio::test]
async fn any_temporary_beside_permanent_is_that_one() {
    let two = Two::new(ending("554 5.6.0 first\r\n"), ending("451 4.3.0 second\r\n")).await;
    assert_eq!(two.send().await, "451 4.3.0 second");
    assert_eq!((two.mailboxes(), two.house.kept()), ((0, 0), 0));
}

#[tokio::test]
async fn accepted_beside_temporary_is_250_and_the_rest_is_tried_again() {
    let two = Two::new(Ways::default(), ending("451 4.3.0 later\r\n")).await;
    let reply = two.send().await;
    assert!(reply.starts_with("250 2.0.0 Delivered to 1 of 2 recipients, "), "{reply}");
    assert_eq!((two.mailboxes(), two.house.kept()), ((1, 0), 1));
    two.second.behave(Ways::default());
    two.settled().await;
    assert_eq!((two.mailboxes(), two.reported()), ((1, 1), 0));
    assert_eq!(two.first.delivered()[0].content, two.second.delivered()[0].content, "same bytes");
}

#[tokio::test]
async fn accepted_beside_permanent_is_250_and_the_rest_is_reported() {
    let two = Two::new(Ways::default(), ending("554 5.6.0 no thanks\r\n")).await;
    let reply = two.send().await;
    assert!(reply.starts_with("250 2.0.0 "), "{reply}");
    two.settled().await;
    assert_eq!((two.mailboxes(), two.reported()), ((1, 0), 1));
    let report = &two.reports.delivered()[0];
    assert_eq!(report.sender, "");
    let text = report.text();
    assert!(text.contains("Final-Recipient: rfc822; user2@a.test"), "{text}");
    assert!(text.contains("554 5.6.0 no thanks"), "{text}");
    assert!(!text.contains("user1@a.test"), "{text}");
}

#[tokio::test]
async fn accepted_beside_unknown_is_250_and_the_rest_is_tried_again() {
    let two = Two::new(Ways::default(), Ways::ending(Do::Close)).await;
    assert!(two.send().await.starts_with("250 2.0.0 "));
    two.second.behave(Ways::default());
    two.settled().await;
    assert_eq!(two.mailboxes(), (1, 1));
}

#[tokio::test]
async fn unknown_beside_permanent_is_250() {
    let two = Two::new(Ways::ending(Do::Close), ending("554 5.6.0 no\r\n")).await;
    assert!(two.send().await.starts_with("250 2.0.0 Queued as "));
    two.first.behave(Ways::default());
    two.settled().await;
    assert_eq!((two.mailboxes(), two.reported()), ((1, 0), 1));
}

#[tokio::test]
async fn all_dead_before_a_dot_is_451_and_nothing_is_kept() {
    let dying = || Ways { content: Content::CloseAfter(1), ..Ways::default() };
    let two = Two::new(dying(), dying()).await;
    let reply = two.send().await;
    assert!(reply.starts_with("451 4.4.2 "), "{reply}");
    assert_eq!((two.mailboxes(), two.house.kept()), ((0, 0), 0));
}

#[tokio::test]
async fn a_leg_that_dies_in_the_body_is_late_and_slows_nobody() {
    let two =
        Two::new(Ways::default(), Ways { content: Content::CloseAfter(1), ..Ways::default() })
            .await;
    assert!(two.send().await.starts_with("250 2.0.0 Delivered to 1 of 2"));
    assert_eq!(two.second.dots(), 0);
    two.second.behave(Ways::default());
    two.settled().await;
    assert_eq!(two.mailboxes(), (1, 1));
}

#[tokio::test]
async fn a_leg_that_refuses_data_has_its_outcome_and_the_others_go_on() {
    for (said, reported) in [("450 4.2.0 not now\r\n", 0), ("550 5.7.0 never\r\n", 1)] {
        let two = Two::new(Ways::default(), Ways { data: Do::Say(said), ..Ways::default() }).await;
        assert!(two.send().await.starts_with("250 2.0.0 Delivered to 1 of 2"), "{said}");
        two.second.behave(Ways::default());
        two.settled().await;
        assert_eq!((two.mailboxes(), two.reported()), ((1, 1 - reported), reported), "{said}");
    }
}

#[tokio::test]
async fn when_all_refuse_data_the_client_hears_it_in_place_of_354() {
    let refusing = |text| Ways { data: Do::Say(text), ..Ways::default() };
    let two = Two::new(refusing("550 5.7.0 never\r\n"), refusing("450 4.2.0 not now\r\n")).await;
    let mut client = two.house.client().await;
    client.envelope("sender@b.test", &["user1@a.test", "user2@a.test"]).await;
    assert_eq!(client.ask("DATA").await, "450 4.2.0 not now");
    client.expect("NOOP", "250").await;
    assert_eq!(two.house.kept(), 0);
}

#[tokio::test]
async fn a_leg_that_stalls_is_detached_and_late() {
    let plan = Plan::with(|settings| settings.stall_timeout = Duration::from_secs(3));
    let stalling = Ways { content: Content::Stall(1), ..Ways::default() };
    let two = Two::with(plan, Ways::default(), stalling).await;
    let mut client = two.house.client().await;
    client.envelope("sender@b.test", &["user1@a.test", "user2@a.test"]).await;
    client.expect("DATA", "354").await;
    // More than two sockets' buffers hold.
    let line = format!("{}\r\n", "x".repeat(98));
    client.say(line.repeat(100_000)).await;
    client.say(".\r\n").await;
    let reply = client.reply().await;
    assert!(reply.starts_with("250 2.0.0 Delivered to 1 of 2"), "{reply}");
    assert_eq!(two.second.dots(), 0, "it never got a dot");
    two.second.behave(Ways::default());
    two.settled().await;
    assert_eq!(two.mailboxes(), (1, 1));
}

#[tokio::test]
async fn after_answer_within_the_client_is_answered_and_late_legs_are_heard() {
    let plan = Plan::with(|settings| settings.answer_within = Duration::from_millis(300));
    let slow = Ways::ending(Do::After(Duration::from_secs(2), "250 2.0.0 at last\r\n"));
    let two = Two::with(plan, Ways::default(), slow).await;
    let began = std::time::Instant::now();
    assert!(two.send().await.starts_with("250 2.0.0 Delivered to 1 of 2"));
    assert!(began.elapsed() < Duration::from_millis(1900));
    two.settled().await;
    assert_eq!(two.mailboxes(), (1, 1), "it was heard, and nothing was tried again");
    assert_eq!(two.second.dots(), 1);
}

#[tokio::test]
async fn a_promise_that_cannot_be_written_is_451() {
    use waypost_spool::Operation;
    use waypost_spool::simulated::Simulated;

    use crate::support::Spooling;
    let disk = Simulated::new();
    let plan = Plan { spooling: Spooling::Simulated(disk.clone()), ..Plan::default() };
    let two = Two::with(plan, Ways::default(), ending("451 4.3.0 later\r\n")).await;
    disk.fail(Operation::Rename, 1);
    assert_eq!(two.send().await, "451 4.3.0 The message could not be stored, try again later");
    assert_eq!(two.house.kept(), 0);
    until("the copy is gone", || disk.names().iter().all(|it| !it.contains("copy"))).await;
}

#[tokio::test]
async fn a_copy_that_cannot_be_synced_is_451_and_no_dot_is_sent() {
    use waypost_spool::Operation;
    use waypost_spool::simulated::Simulated;

    use crate::support::Spooling;
    let disk = Simulated::new();
    let plan = Plan { spooling: Spooling::Simulated(disk.clone()), ..Plan::default() };
    let two = Two::with(plan, Ways::default(), Ways::default()).await;
    disk.fail(Operation::SyncFolder, 1);
    assert_eq!(two.send().await, "451 4.3.0 The message could not be stored, try again later");
    assert_eq!((two.first.dots(), two.second.dots()), (0, 0));
}

#[tokio::test]
async fn without_room_for_a_copy_data_is_452() {
    use waypost_spool::simulated::Simulated;

    use crate::support::Spooling;
    let disk = Simulated::new();
    disk.limit_space(8192);
    let plan = Plan { spooling: Spooling::Simulated(disk), ..Plan::default() };
    let two = Two::with(plan, Ways::default(), Ways::default()).await;
    let mut client = two.house.client().await;
    client.envelope("sender@b.test", &["user1@a.test", "user2@a.test"]).await;
    client.expect("DATA", "452 4.3.1 There is no room for the message now.").await;
    // One leg needs none.
    let reply = client.send("sender@b.test", &["user1@a.test"], BODY).await;
    assert_eq!(reply, "250 2.0.0 taken");
}

#[tokio::test]
async fn no_report_goes_to_whom_the_sender_has_not_asked_for_it() {
    let two = Two::new(Ways::default(), ending("554 5.6.0 no thanks\r\n")).await;
    let mut client = two.house.client().await;
    client.expect("MAIL FROM:<sender@b.test>", "250").await;
    client.expect("RCPT TO:<user1@a.test>", "250").await;
    client.expect("RCPT TO:<user2@a.test> NOTIFY=NEVER", "250").await;
    client.expect("DATA", "354").await;
    client.say("hello\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("250"));
    two.settled().await;
    assert_eq!(two.reported(), 0);
}
