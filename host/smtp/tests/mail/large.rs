//! Large messages: everybody gets every octet.

use std::path::Path;

use tokio::io::AsyncWriteExt as _;

use waypost_spool::simulated::Simulated;

use crate::support::{BackEnd, Content, House, Plan, Spooling, Ways, child, to};

async fn pass(back_ends: usize, megabytes: usize, look: bool) {
    pass_through(Spooling::Simulated(Simulated::new()), back_ends, megabytes, look).await;
}

async fn pass_through(spooling: Spooling, back_ends: usize, megabytes: usize, look: bool) {
    let mut plan = Plan { spooling, ..Plan::default() };
    plan.settings.max_message_size = 100 << 20;
    let house = House::start_with(plan);
    let mut all = Vec::new();
    let mut recipients = Vec::new();
    for number in 0..back_ends {
        let content = if look { Content::Take } else { Content::Forget };
        let back_end = BackEnd::start(Ways { content, ..Ways::default() }).await;
        let recipient = format!("user{number}@a.test");
        house.answer(&recipient, to(&[back_end.address]));
        all.push(back_end);
        recipients.push(recipient);
    }
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let mut client = house.client().await;
    client.envelope("sender@b.test", &recipients).await;
    client.expect("DATA", "354").await;
    let line = format!("..{}\r\n", "x".repeat(1020));
    let lines = line.repeat(64);
    for _ in 0..16 * megabytes {
        client.stream.write_all(lines.as_bytes()).await.unwrap();
    }
    client.say(".\r\n").await;
    let reply = client.reply().await;
    assert!(reply.starts_with("250"), "{reply}");
    if let Some(queue) = &house.queue {
        queue.close().await;
    }
    for back_end in all.iter().filter(|_| look) {
        let [delivered] = &back_end.delivered()[..] else { panic!("one message") };
        let begin = delivered.content.windows(4).position(|it| it == b"\r\n.x").unwrap() + 2;
        let content = &delivered.content[begin..];
        assert_eq!(content.len(), megabytes * 1024 * 1023);
        assert!(content.chunks(1023).all(|it| it[0] == b'.' && it[1021..] == *b"\r\n"));
    }
}

#[tokio::test]
async fn to_one_back_end() {
    pass(1, 20, true).await;
}

#[tokio::test]
async fn to_five_back_ends() {
    pass(5, 10, true).await;
}

/// In a process of its own, whose memory nobody else uses: what the largest message takes beyond a
/// small one is less than a tenth of it.
#[test]
fn fifty_megabytes_take_no_memory_to_one_and_to_five_back_ends() {
    if let Some(folder) = child::told() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for back_ends in [1, 5] {
            let spooling = || Spooling::Folder(Path::new(&folder).join("spool"), 1 << 30);
            runtime.block_on(pass_through(spooling(), back_ends, 1, false));
            let before = peak();
            runtime.block_on(pass_through(spooling(), back_ends, 50, false));
            let more = peak().saturating_sub(before);
            assert!(more < 5 * 1024, "{more} KiB more to {back_ends}");
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "large::fifty_megabytes_take_no_memory_to_one_and_to_five_back_ends";
    child::run_again(test, folder.path().to_str().unwrap(), &[]);
}

/// The most memory that this process has ever had, in KiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
