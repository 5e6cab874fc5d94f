//! The process is told to stop while messages that it has promised are on their way. Nobody has one
//! twice: what a back end may have already is heard to the end.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::queueing::Queued;
use crate::cases::Case;
use crate::clusters::mail::{MailCluster, MailPlan};
use crate::servers::{Fault, Stage, wait_for};

pub(crate) const CASES: &[Case] = &[
    ("mail::stops::during_a_retry", during_a_retry),
    ("mail::stops::while_a_late_back_end_is_heard", while_late),
    ("mail::stops::a_second_signal_does_not_wait", impatient),
];

/// The back end that makes Waypost wait for its reply to the dot.
const SLOW: usize = 1;
const SLOWNESS: Duration = Duration::from_secs(3);

fn plan() -> MailPlan {
    MailPlan { users_each: 1, is_faulty: true, ..MailPlan::default() }
}

fn during_a_retry() {
    let mut cluster = MailCluster::start(&plan());
    let mut queued = Queued::new("stopped-at-a-retry", &cluster.all_users());
    cluster.postfix(SLOW).refuse(Stage::Dot, "451 4.3.0 too busy");
    assert!(queued.attempt(&cluster).is_answered("250"));
    cluster.way.as_ref().unwrap().set(Fault::DelayReply(SLOWNESS));
    cluster.postfix(SLOW).accept();
    stop_once_it_is_there(&mut cluster, &queued);
}

fn while_late() {
    let (mut cluster, queued) = late("stopped-when-late");
    stop_once_it_is_there(&mut cluster, &queued);
}

/// Whoever does not want to wait has been warned.
fn impatient() {
    let mut cluster = late("stopped-twice").0;
    let process = cluster.waypost.process();
    process.signal(Signal::TERM);
    process.wait_for_log("draining");
    let began = Instant::now();
    process.signal(Signal::INT);
    assert_eq!(process.wait(Duration::from_secs(10)), Some(0));
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    let log = cluster.waypost.log();
    assert!(log.contains("kept messages are still on their way"), "{log}");
}

/// A message that is promised, with the slow back end still to be heard.
fn late(subject: &str) -> (MailCluster, Queued) {
    let mut plan = plan();
    plan.smtp.push_str("answer-within = \"1s\"\n");
    let cluster = MailCluster::start(&plan);
    let mut queued = Queued::new(subject, &cluster.all_users());
    cluster.way.as_ref().unwrap().set(Fault::DelayReply(SLOWNESS));
    assert!(queued.attempt(&cluster).is_answered("250"));
    (cluster, queued)
}

/// Stops when the slow back end has the message and has not said so, and starts again.
fn stop_once_it_is_there(cluster: &mut MailCluster, queued: &Queued) {
    let (users, subject) = (cluster.all_users(), &queued.subject);
    wait_for("the slow back end to have it", Duration::from_secs(20), || {
        (cluster.copies(&users[SLOW], subject) == 1).then_some(())
    });
    let kept = cluster.spool(&["list"]);
    assert!(kept.contains(&users[SLOW]), "its reply is still to come: {kept}");
    assert_eq!(cluster.waypost.stop(), Some(0), "{}", cluster.waypost.log());
    cluster.way.as_ref().unwrap().set(Fault::None);
    cluster.waypost.restart(None);
    cluster.settle();
    for user in &users {
        assert_eq!(cluster.copies(user, subject), 1, "{user}");
    }
}
