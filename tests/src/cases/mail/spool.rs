//! What an operator sees and does about kept mail.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::queueing::Queued;
use crate::cases::Case;
use crate::clusters::mail::{MailCluster, MailPlan, SENDER, message};
use crate::servers::{Stage, run, wait_for};

pub(crate) const CASES: &[Case] = &[
    ("mail::spool::kept_messages_are_listed_shown_retried_and_dropped", operate),
    ("mail::spool::a_message_that_cannot_be_delivered_in_time_is_reported", expire),
    ("mail::spool::a_full_disk_is_said_and_loses_nothing", full),
];

/// Kept messages are not tried again unless somebody says so.
fn patient() -> MailPlan {
    let smtp = "retry-after = \"1h\"\n".to_owned();
    MailPlan { smtp, users_each: 1, ..MailPlan::default() }
}

fn operate() {
    let mut cluster = MailCluster::start(&patient());
    let users = cluster.all_users();
    assert_eq!(cluster.spool(&["list"]), "no message is kept\n");
    cluster.postfix(1).refuse(Stage::Dot, "451 4.3.0 come back later");
    for subject in ["first", "second", "third"] {
        assert!(Queued::new(subject, &users).attempt(&cluster).is_taken());
    }
    let list = cluster.spool(&["list"]);
    let ids: Vec<&str> = list
        .lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(ids.len(), 3, "{list}");
    assert_eq!(list.matches(&format!("<{}>: waits for", users[1])).count(), 3, "{list}");
    assert!(!list.contains(&users[0]), "who has it is not listed: {list}");
    assert!(list.contains("come back later") && list.contains(SENDER), "{list}");

    let show = cluster.spool(&["show", ids[0]]);
    assert!(show.contains(&format!("<{}>: delivered", users[0])), "{show}");
    assert!(show.contains(&format!("<{}>: waits for", users[1])), "{show}");
    assert!(show.contains("client    127.0.0.1 at the listener smtp"), "{show}");
    let copy = cluster.spool(&["show", "--copy", ids[0]]);
    assert!(copy.starts_with("Received: from"), "{copy}");
    assert!(copy.ends_with(&message("first")), "{copy}");

    // The back end is well again, and nobody notices, until the operator speaks.
    cluster.postfix(1).accept();
    let said = cluster.spool(&["retry", ids[0]]);
    assert_eq!(said, format!("{} is tried again\n", ids[0]));
    wait_for("the first message", Duration::from_secs(10), || {
        (cluster.copies(&users[1], "first") == 1).then_some(())
    });
    wait_for("its end", Duration::from_secs(10), || {
        cluster.spool(&["show", ids[0]]).contains("is kept").then_some(())
    });
    // What was done before something stood in the way is said too.
    let said = cluster.spool(&["drop", ids[1], ids[0]]);
    let told = format!("{} is forgotten\nwaypost: there is no message {}", ids[1], ids[0]);
    assert!(said.starts_with(&told), "{said}");
    let said = cluster.spool(&["drop", ids[1]]);
    assert!(said.contains(&format!("there is no message {}", ids[1])), "{said}");
    let list = cluster.spool(&["list"]);
    assert!(list.contains(ids[2]) && !list.contains(ids[0]) && !list.contains(ids[1]), "{list}");
    // Options may come behind the command.
    let file = cluster.waypost.configuration();
    assert_eq!(cluster.spool(&["list", "--config", file.to_str().unwrap()]), list);
    let said = cluster.spool(&["list", "--folder", "/tmp"]);
    assert!(said.contains("/tmp is no spool"), "{said}");
    assert_eq!(cluster.spool(&["retry"]), format!("{} is tried again\n", ids[2]));
    cluster.settle();
    assert_eq!(cluster.spool(&["retry"]), "nothing is kept that could be tried again\n");
    for (subject, copies) in [("first", 1), ("second", 0), ("third", 1)] {
        assert_eq!(cluster.copies(&users[0], subject), 1, "{subject}");
        assert_eq!(cluster.copies(&users[1], subject), copies, "{subject}");
    }
    assert_eq!(cluster.mailbox(SENDER).len(), 0, "what is dropped is not reported");
}

fn expire() {
    let smtp = "retry-after = \"1s\"\nretry-at-most = \"1s\"\nexpire-after = \"3s\"\n".to_owned();
    let mut cluster = MailCluster::start(&MailPlan { smtp, users_each: 1, ..MailPlan::default() });
    let users = cluster.all_users();
    cluster.postfix(1).refuse(Stage::Dot, "451 4.3.0 disk full");
    assert!(Queued::new("expiring", &users).attempt(&cluster).is_taken());
    cluster.settle();
    let reports = cluster.mailbox(SENDER);
    assert_eq!(reports.len(), 1);
    let report = reports[0].text();
    for part in [
        "Return-Path: <>\n",
        "Auto-Submitted: auto-replied\n",
        "multipart/report",
        &format!("Final-Recipient: rfc822; {}\n", users[1]),
        "Action: failed\n",
        "disk full",
        "Subject: expiring\n",
    ] {
        assert!(report.contains(part), "{part:?} is missing in\n{report}");
    }
    assert_eq!(
        (cluster.copies(&users[0], "expiring"), cluster.copies(&users[1], "expiring")),
        (1, 0)
    );
}

/// A small disk under a folder, until this is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Path) -> Self {
        let mut command = Command::new("/usr/bin/mount");
        command.args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"]).arg(folder);
        let output = run(&mut command);
        assert!(output.status.success(), "{output:?}");
        Self(folder.to_owned())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("/usr/bin/umount").arg("--lazy").arg(&self.0));
    }
}

fn full() {
    let smtp = "max-message-size = \"400KiB\"\nretry-after = \"1h\"\n".to_owned();
    let mut cluster = MailCluster::start(&MailPlan { smtp, users_each: 1, ..MailPlan::default() });
    let users = cluster.all_users();
    cluster.waypost.stop();
    let _disk = Disk::mount(&cluster.waypost.file("spool"));
    cluster.waypost.restart(None);
    cluster.postfix(1).refuse(Stage::Dot, "451 4.3.0 come back later");
    let body = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(4000);
    let mut queue = Vec::new();
    let mut refusals = Vec::new();
    for number in 0..8 {
        let subject = format!("full-{number}");
        let mut queued = Queued::with_text(&subject, message(&subject) + &body, &users);
        let told = queued.attempt(&cluster);
        if !told.is_taken() {
            assert!(told.refused.is_empty(), "{told:?}");
            refusals.push(told.answer.clone().unwrap());
        }
        queue.push(queued);
    }
    // 1 MiB holds three of 256 KiB beside what each reserves.
    assert!((1..=3).contains(&(8 - refusals.len())), "{refusals:?}");
    assert!(refusals.iter().all(|it| it.starts_with("452 4.3.1")), "{refusals:?}");
    // One back end needs no copy: for its users there is room.
    let told = Queued::with_text("alone", message("alone") + &body, &users[..1]).attempt(&cluster);
    assert!(told.is_taken(), "{told:?}");
    // Room comes, and with it the others.
    cluster.postfix(1).accept();
    cluster.spool(&["retry"]);
    cluster.settle();
    for queued in &mut queue {
        queued.finish(&cluster);
    }
    cluster.settle();
    for queued in &queue {
        for user in &users {
            assert_eq!(cluster.copies(user, &queued.subject), 1, "{}: {user}", queued.subject);
        }
    }
    cluster.waypost.stop();
}
