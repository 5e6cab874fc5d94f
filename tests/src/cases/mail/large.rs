//! Large messages go through in little memory.

use std::fs;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::cases::Case;
use crate::clusters::mail::{MailCluster, MailPlan, SENDER, message};
use crate::clusters::mailboxes::local;
use crate::senders::{self, Envelope};

pub(crate) const CASES: &[Case] = &[
    ("mail::large::memory_does_not_grow_with_a_message_for_one_back_end", one),
    ("mail::large::memory_does_not_grow_with_a_message_for_five_back_ends", five),
];

const MIB: usize = 1024 * 1024;
/// What a message that is fifty times as large may cost more, of all that a process has: buffers
/// that are found to be better larger, and an allocator's habits.
const MOST: u64 = 8 * MIB as u64;

fn one() {
    grows_not(1);
}

fn five() {
    grows_not(5);
}

fn grows_not(back_ends: u8) {
    let smtp = "max-message-size = \"52MiB\"\n".to_owned();
    let plan = MailPlan { postfixes: back_ends, users_each: 1, smtp, ..MailPlan::default() };
    let cluster = MailCluster::start(&plan);
    let users = cluster.all_users();
    let most = |size: usize| {
        let subject = format!("large-{size}");
        let line = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n";
        let text = message(&subject) + &line.repeat(size * MIB / line.len());
        let server = local(cluster.doors.smtp);
        let (over, watched) = mpsc::channel::<()>();
        let most = thread::scope(|scope| {
            let id = cluster.waypost.id();
            let watch = scope.spawn(move || watch(id, watched));
            // It ends with what this closure owns, however that ends.
            let over = over;
            let told = senders::smtplib(&Envelope::new(server, SENDER, &users, &text));
            assert!(told.is_taken(), "{told:?}\n{}", cluster.logs());
            drop(over);
            watch.join().unwrap()
        });
        cluster.settle();
        for user in &users {
            let mailbox = cluster.mailbox(user);
            let message = mailbox.iter().find(|it| it.field("Subject") == Some(&subject)).unwrap();
            assert!(message.text().len() > size * MIB * 95 / 100, "{}", message.text().len());
        }
        most
    };
    let small = most(1);
    let large = most(50);
    println!(
        "{back_ends} back ends: {} KiB at 1 MiB, {} KiB at 50 MiB",
        small / 1024,
        large / 1024
    );
    assert!(large < small + MOST, "{} KiB, {} KiB", small / 1024, large / 1024);
}

/// The most memory of its own that a process had, in octets, until nobody wants to know.
fn watch(id: u32, watched: mpsc::Receiver<()>) -> u64 {
    let mut most = 0;
    while watched.recv_timeout(Duration::from_millis(5)) == Err(RecvTimeoutError::Timeout) {
        most = most.max(anonymous(id));
    }
    most
}

fn anonymous(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024
}
