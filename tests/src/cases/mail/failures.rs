//! Fifty recipients on five back ends, one of which fails: in each place, for the moment and for
//! good, with copies and without. Everybody gets the message once, or the sender is told.

use std::net::TcpStream;

use super::queueing::Queued;
use crate::cases::Case;
use crate::clusters::mail::{MailCluster, MailPlan, SENDER, message};
use crate::senders::Told;
use crate::servers::{Fault, Stage};

pub(crate) const CASES: &[Case] = &[
    ("mail::failures::a_back_end_that_cannot_be_reached", at_connect),
    ("mail::failures::a_back_end_that_fails_at_mail", at_mail),
    ("mail::failures::a_back_end_that_fails_at_rcpt", at_recipient),
    ("mail::failures::a_back_end_that_fails_at_data", at_data),
    ("mail::failures::a_back_end_that_fails_in_the_body", in_the_body),
    ("mail::failures::a_back_end_that_fails_after_the_dot", after_the_dot),
    ("mail::failures::a_back_end_whose_reply_is_lost", reply_lost),
];

/// The one that fails: the last of five.
const WEAK: usize = 4;

const LATER: &str = "451 4.7.1 not today";
const NEVER: &str = "554 5.7.1 not ever";

/// How the failing back end's recipients come off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// They get the message once.
    Delivered,
    /// They get it at least once, since a back end that had it was not heard.
    DeliveredOnceOrTwice,
    /// They never get it; the sender knows.
    Refused,
}

/// Where the client hears of it when a copy may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// In the replies to RCPT, which begin so.
    AtRecipient(&'static str),
    /// Not at all: the message is kept.
    Never,
}

/// A failure, and what comes of it.
struct Failure {
    name: &'static str,
    begin: fn(&mut MailCluster),
    /// What the client hears first when there is no copy, and those recipients come first.
    alone: &'static str,
    heard: Heard,
    end: End,
}

fn at_connect() {
    run(&[Failure {
        name: "connect",
        begin: |cluster| cluster.postfix(WEAK).stop(),
        alone: "451 4.4.1",
        heard: Heard::AtRecipient("451 4.4.1"),
        end: End::Delivered,
    }]);
}

fn at_mail() {
    run(&[
        Failure {
            name: "mail-later",
            begin: |cluster| cluster.postfix(WEAK).refuse(Stage::Mail, LATER),
            alone: "451 4.7.1",
            heard: Heard::AtRecipient("451 4.7.1"),
            end: End::Delivered,
        },
        Failure {
            name: "mail-never",
            begin: |cluster| cluster.postfix(WEAK).refuse(Stage::Mail, NEVER),
            alone: "554 5.7.1",
            heard: Heard::AtRecipient("554 5.7.1"),
            end: End::Refused,
        },
    ]);
}

fn at_recipient() {
    run(&[
        Failure {
            name: "rcpt-later",
            begin: |cluster| cluster.postfix(WEAK).refuse(Stage::Recipient, LATER),
            alone: "451 4.7.1",
            heard: Heard::AtRecipient("451 4.7.1"),
            end: End::Delivered,
        },
        Failure {
            name: "rcpt-never",
            begin: |cluster| cluster.postfix(WEAK).refuse(Stage::Recipient, NEVER),
            alone: "554 5.7.1",
            heard: Heard::AtRecipient("554 5.7.1"),
            end: End::Refused,
        },
    ]);
}

fn at_data() {
    run(&[
        Failure {
            name: "data-later",
            begin: |cluster| cluster.postfix(WEAK).refuse(Stage::Data, LATER),
            alone: "451 4.7.1",
            heard: Heard::Never,
            end: End::Delivered,
        },
        Failure {
            name: "data-never",
            begin: |cluster| cluster.postfix(WEAK).refuse(Stage::Data, NEVER),
            alone: "554 5.7.1",
            heard: Heard::Never,
            end: End::Refused,
        },
    ]);
}

fn in_the_body() {
    run(&[Failure {
        name: "body-cut",
        begin: |cluster| cluster.way.as_ref().unwrap().set(Fault::CutAfter(100 * 1024)),
        alone: "451 4.4.2",
        heard: Heard::Never,
        end: End::Delivered,
    }]);
}

fn after_the_dot() {
    run(&[
        Failure {
            name: "dot-later",
            begin: |cluster| cluster.postfix(WEAK).refuse(Stage::Dot, LATER),
            alone: "451 4.7.1",
            heard: Heard::Never,
            end: End::Delivered,
        },
        Failure {
            name: "dot-never",
            begin: |cluster| cluster.postfix(WEAK).refuse(Stage::Dot, NEVER),
            alone: "554 5.7.1",
            heard: Heard::Never,
            end: End::Refused,
        },
    ]);
}

fn reply_lost() {
    run(&[Failure {
        name: "reply-lost",
        begin: |cluster| cluster.way.as_ref().unwrap().set(Fault::LoseReply),
        alone: "451 4.4.2",
        heard: Heard::Never,
        end: End::DeliveredOnceOrTwice,
    }]);
}

/// In both modes, over the same back ends.
fn run(failures: &[Failure]) {
    let plan = MailPlan { postfixes: 5, users_each: 10, is_faulty: true, ..MailPlan::default() };
    let mut cluster = MailCluster::start(&plan);
    for failure in failures {
        with_copies(&mut cluster, failure);
    }
    cluster.serve(&plan.deferring(), None);
    for failure in failures {
        without_copies(&mut cluster, failure);
    }
}

fn with_copies(cluster: &mut MailCluster, failure: &Failure) {
    let (all, weak) = (cluster.all_users(), cluster.users(WEAK));
    assert_eq!((all.len(), weak.len()), (50, 10));
    let mut queued = queued(&format!("spool-{}", failure.name), &all);
    (failure.begin)(cluster);
    let told = queued.attempt(cluster);
    let name = failure.name;
    assert!(told.is_answered("250"), "{name}: {told:?}");
    match failure.heard {
        Heard::AtRecipient(reply) => {
            assert!(told.is_refused(&weak, reply), "{name}: {told:?}");
            assert!(cluster.spool(&["list"]).contains("no message is kept"), "{name}");
        }
        Heard::Never => {
            assert!(told.refused.is_empty(), "{name}: {told:?}");
            if failure.end != End::Refused {
                let kept = cluster.spool(&["list"]);
                for user in &weak {
                    assert!(kept.contains(&format!("<{user}>: waits")), "{name} {user}: {kept}");
                }
                assert_eq!(kept.matches(": waits").count(), 10, "{name}: {kept}");
            }
        }
    }
    // The others do not wait for it.
    cluster.settle_back_ends();
    for user in all.iter().filter(|user| !weak.contains(user)) {
        assert_eq!(cluster.copies(user, &queued.subject), 1, "{name}: {user}");
    }
    heal(cluster);
    finish(cluster, &mut queued, failure);
}

fn without_copies(cluster: &mut MailCluster, failure: &Failure) {
    let (mut all, weak) = (cluster.all_users(), cluster.users(WEAK));
    // They come first, so that theirs is the one back end that the first attempt goes to.
    all.rotate_left(WEAK * 10);
    let mut queued = queued(&format!("defer-{}", failure.name), &all);
    (failure.begin)(cluster);
    let told = queued.attempt(cluster);
    let name = failure.name;
    assert!(is_told(&told, &weak, failure.alone), "{name}: {told:?}");
    if let Heard::Never = failure.heard {
        // And of a second back end's recipients none is taken.
        let others: Vec<String> = all.iter().filter(|it| !weak.contains(it)).cloned().collect();
        assert!(told.is_refused(&others, "452 4.5.3"), "{name}: {told:?}");
    }
    // The rest is not held up by it: each attempt delivers to one more back end.
    for _ in 0..5 {
        if queued.sent.len() < 40 {
            queued.attempt(cluster);
        }
    }
    cluster.settle_back_ends();
    for user in all.iter().filter(|user| !weak.contains(user)) {
        assert_eq!(cluster.copies(user, &queued.subject), 1, "{name}: {user}");
    }
    heal(cluster);
    finish(cluster, &mut queued, failure);
    let told_later = cluster.mailbox(SENDER).iter().any(|report| report.text().contains("defer-"));
    assert!(!told_later, "{name}: nothing was kept, so there is nothing to report");
}

/// Whether these recipients heard this, in the replies to RCPT or to the message.
fn is_told(told: &Told, recipients: &[String], reply: &str) -> bool {
    recipients.iter().all(|recipient| match told.refused.get(recipient) {
        Some(refused) => refused.starts_with(reply),
        None => told.is_answered(reply),
    })
}

/// A message, with dots. One that is to be cut is longer than what goes through before.
fn queued(subject: &str, to: &[String]) -> Queued {
    let line = format!("..{}\r\n", "x".repeat(95));
    let lines = if subject.ends_with("-cut") { 2000 } else { 1 };
    Queued::with_text(subject, message(subject) + &line.repeat(lines), to)
}

fn heal(cluster: &mut MailCluster) {
    cluster.way.as_ref().unwrap().set(Fault::None);
    let postfix = cluster.postfix(WEAK);
    postfix.accept();
    if TcpStream::connect(postfix.smtp()).is_err() {
        postfix.resume();
    }
}

/// The client tries again for as long as it has to, Waypost for as long as it has to; then it is
/// seen who has what.
fn finish(cluster: &MailCluster, queued: &mut Queued, failure: &Failure) {
    queued.finish(cluster);
    cluster.settle();
    let (name, subject) = (failure.name, &queued.subject);
    let weak = cluster.users(WEAK);
    let reports: Vec<_> = cluster
        .mailbox(SENDER)
        .into_iter()
        .filter(|report| report.text().contains(&format!("<{subject}@client.test>")))
        .collect();
    for user in cluster.all_users() {
        let copies = cluster.copies(&user, subject);
        let reported = |user: &str| {
            let line = format!("Final-Recipient: rfc822; {user}\n");
            reports.iter().map(|report| report.text().matches(&line).count()).sum::<usize>()
        };
        let was_told = usize::from(queued.bounced.contains_key(&user)) + reported(&user);
        let wanted = if weak.contains(&user) { failure.end } else { End::Delivered };
        let is_right = match wanted {
            End::Delivered => (copies, was_told) == (1, 0),
            End::DeliveredOnceOrTwice => matches!((copies, was_told), (1 | 2, 0)),
            End::Refused => (copies, was_told) == (0, 1),
        };
        assert!(is_right, "{name} {subject}: {user} has {copies}, the sender was told {was_told}");
    }
    let wants_report = failure.end == End::Refused
        && failure.heard == Heard::Never
        && subject.starts_with("spool-");
    assert_eq!(reports.len(), usize::from(wants_report), "{name}: {reports:?}");
}
