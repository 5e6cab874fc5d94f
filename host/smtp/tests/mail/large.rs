//! Large messages: everybody gets every octet.

use tokio::io::AsyncWriteExt as _;

use crate::support::{BackEnd, House, Plan, to};

async fn pass(back_ends: usize, megabytes: usize) {
    let mut plan = Plan::default();
    plan.settings.max_message_size = 100 << 20;
    let house = House::start_with(plan);
    let mut all = Vec::new();
    let mut recipients = Vec::new();
    for number in 0..back_ends {
        let back_end = BackEnd::good().await;
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
    for _ in 0..megabytes {
        client.stream.write_all(line.repeat(1024).as_bytes()).await.unwrap();
    }
    client.say(".\r\n").await;
    let reply = client.reply().await;
    assert!(reply.starts_with("250"), "{reply}");
    for back_end in &all {
        let [delivered] = &back_end.delivered()[..] else { panic!("one message") };
        let begin = delivered.content.windows(4).position(|it| it == b"\r\n.x").unwrap() + 2;
        let content = &delivered.content[begin..];
        assert_eq!(content.len(), megabytes * 1024 * 1023);
        assert!(content.chunks(1023).all(|it| it[0] == b'.' && it[1021..] == *b"\r\n"));
    }
}

#[tokio::test]
async fn to_one_back_end() {
    pass(1, 20).await;
}

#[tokio::test]
async fn to_five_back_ends() {
    pass(5, 10).await;
}
