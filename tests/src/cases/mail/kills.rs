//! The process is killed in the middle and starts again. Whoever read a 250 need not care; whoever
//! read nothing sends again.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::thread;
use std::time::Duration;

use super::queueing::Queued;
use crate::cases::Case;
use crate::clusters::mail::{MailCluster, MailPlan, SENDER, message};
use crate::servers::{Fault, Stage, wait_for};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("mail::kills::at_the_points_of_a_mixed_delivery_before_the_answer", before_the_answer),
    ("mail::kills::at_the_points_of_a_mixed_delivery_after_the_answer", after_the_answer),
    ("mail::kills::in_the_middle_of_a_body", in_the_middle),
    ("mail::kills::between_retries", between_retries),
];

/// The first accepts, the second is too busy for the moment, the third refuses.
const LATER: usize = 1;
const NEVER: usize = 2;

fn plan() -> MailPlan {
    MailPlan { postfixes: 3, users_each: 1, is_faulty: true, ..MailPlan::default() }
}

const BEFORE_A_DOT: [&str; 8] = [
    "Reserved",
    "BeforeData",
    "AfterData",
    "BeforeContinue",
    "Ended",
    "BeforeCopySync",
    "AfterCopySync",
    "BeforeDot",
];
const BEFORE_THE_PROMISE: [&str; 3] = ["AfterDot", "Replied", "BeforePromise"];

fn before_the_answer() {
    let points =
        [&BEFORE_A_DOT[..], &BEFORE_THE_PROMISE, &["AfterPromise", "BeforeAnswer"]].concat();
    killed_at(&points);
}

fn after_the_answer() {
    killed_at(&[
        "AfterAnswer",
        "BeforeRetry",
        "AfterRetry",
        "AfterRetryUpdate",
        "BeforeReport",
        "AfterReportBegun",
        "AfterReportSent",
        "AfterReportUpdate",
        "BeforeRemove",
        "AfterRemove",
    ]);
}

fn killed_at(points: &[&str]) {
    let mut cluster = MailCluster::start(&plan());
    for point in points {
        cluster.waypost.process().end();
        cluster.waypost.restart(Some(point));
        cluster.postfix(LATER).refuse(Stage::Dot, "451 4.3.0 too busy");
        cluster.postfix(NEVER).refuse(Stage::Dot, "554 5.7.1 no such mail here");
        let users = cluster.all_users();
        let mut queued = Queued::new(&format!("killed-at-{point}"), &users);
        queued.attempt(&cluster);
        let heard = queued.waiting.is_empty();
        cluster.postfix(LATER).accept();
        // A message that was answered is tried again, reported and removed: one of the points is
        // on that way.
        let code = cluster.waypost.process().wait(Duration::from_secs(20));
        assert_eq!(code, None, "{point}: a signal ended it");
        cluster.waypost.restart(None);
        queued.finish(&cluster);
        cluster.settle();
        judge(&cluster, &queued, point, heard);
    }
}

/// Nobody is forgotten. Twice has it who had it when the process ended, and nobody else.
fn judge(cluster: &MailCluster, queued: &Queued, point: &str, heard: bool) {
    let users = cluster.all_users();
    let copies: Vec<usize> =
        users.iter().map(|user| cluster.copies(user, &queued.subject)).collect();
    // Who had no dot has nothing.
    let most = if heard || BEFORE_A_DOT.contains(&point) { 1 } else { 2 };
    assert!((1..=most).contains(&copies[0]), "{point}: {copies:?}");
    // What was promised is kept though the client did not hear it, and sent again.
    let is_promised = !BEFORE_A_DOT.contains(&point) && !BEFORE_THE_PROMISE.contains(&point);
    let is_doubled = !heard && is_promised;
    // The retry had succeeded just before the end.
    let most = 1 + usize::from(is_doubled) + usize::from(point == "AfterRetry");
    assert!((1..=most).contains(&copies[LATER]), "{point}: {copies:?}");
    assert_eq!(copies[NEVER], 0, "{point}");
    assert!(queued.bounced.is_empty(), "{point}: {queued:?}");
    // One report for each time that Waypost took the message. It may come twice, as the same.
    let about = format!("Final-Recipient: rfc822; {}\n", users[NEVER]);
    let original = format!("<{}@client.test>", queued.subject);
    let reports: Vec<_> = cluster
        .mailbox(SENDER)
        .into_iter()
        .filter(|it| it.text().contains(&about) && it.text().contains(&original))
        .collect();
    let names: BTreeSet<_> = reports.iter().map(|it| it.field("Message-ID")).collect();
    assert!((1..=1 + usize::from(is_doubled)).contains(&names.len()), "{point}: {reports:?}");
    let most = 1 + usize::from(is_doubled) + usize::from(point == "AfterReportSent");
    assert!(reports.len() <= most, "{point}: {reports:?}");
}

/// Killed with a signal while the client sends, and once more while a back end keeps it waiting.
fn in_the_middle() {
    let mut cluster = MailCluster::start(&plan());
    let users = cluster.all_users();
    let mut queued = Queued::new("half-a-body", &users);
    let mut talk = Talk::connect(cluster.doors.smtp);
    let mut envelope = vec!["EHLO client.test".to_owned(), format!("MAIL FROM:<{SENDER}>")];
    envelope.extend(users.iter().map(|user| format!("RCPT TO:<{user}>")));
    assert!(talk.smtp_reply().starts_with("220"));
    for line in &envelope {
        let said = talk.smtp(line);
        assert!(said.starts_with("250"), "{line}: {said}");
    }
    assert!(talk.smtp("DATA").starts_with("354"));
    talk.send(message(&queued.subject).as_bytes());
    talk.send("0123456789\r\n".repeat(50_000).as_bytes());
    cluster.waypost.process().end();
    assert_eq!(talk.rest(), "", "the client knows that it has to send again");
    // No dot had been sent to anybody.
    recover(&mut cluster, &mut queued, 1..=1);

    let text = message("stalled-body") + &"0123456789\r\n".repeat(1000);
    let mut queued = Queued::with_text("stalled-body", text, &users);
    cluster.way.as_ref().unwrap().set(Fault::StallAfter(5000));
    thread::scope(|scope| {
        let attempt = scope.spawn(|| queued.attempt(&cluster));
        wait_for("the others to have it", Duration::from_secs(20), || {
            (cluster.copies(&users[0], "stalled-body") == 1).then_some(())
        });
        let id = rustix::process::Pid::from_raw(cluster.waypost.id() as i32).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
        assert_eq!(attempt.join().unwrap().answer, None);
    });
    cluster.way.as_ref().unwrap().set(Fault::None);
    cluster.waypost.process().end();
    // Every dot had been sent, and who had it might have said so.
    recover(&mut cluster, &mut queued, 1..=2);
}

/// Starts again, and the client sends again. Everybody gets the message as often as `times` says.
fn recover(cluster: &mut MailCluster, queued: &mut Queued, times: RangeInclusive<usize>) {
    cluster.waypost.restart(None);
    let kept = cluster.spool(&["list"]);
    assert!(kept.contains("no message is kept"), "nobody was promised anything: {kept}");
    queued.finish(cluster);
    cluster.settle();
    for user in cluster.all_users() {
        let copies = cluster.copies(&user, &queued.subject);
        assert!(times.contains(&copies), "{}: {user} has {copies}", queued.subject);
    }
}

/// Killed again and again while messages wait: none is lost, none comes twice.
fn between_retries() {
    let mut cluster = MailCluster::start(&plan());
    let users = cluster.all_users();
    cluster.postfix(LATER).refuse(Stage::Dot, "451 4.3.0 too busy");
    let subjects: Vec<String> = (0..5).map(|number| format!("waiting-{number}")).collect();
    for subject in &subjects {
        let mut queued = Queued::new(subject, &users);
        assert!(queued.attempt(&cluster).is_taken());
        cluster.waypost.process().end();
        cluster.waypost.restart(None);
    }
    let kept = cluster.spool(&["list"]);
    assert_eq!(kept.matches(": waits for").count(), 5, "{kept}");
    cluster.postfix(LATER).accept();
    cluster.settle();
    for subject in &subjects {
        for user in &users {
            assert_eq!(cluster.copies(user, subject), 1, "{subject}: {user}");
        }
    }
}
