//! A message with one leg: it is streamed, and its back end's reply is the client's.

use crate::support::{BackEnd, Do, House, Ways, to};

const BODY: &str = "Subject: hello\r\n\r\n..dots\r\nbye\r\n";

#[tokio::test]
async fn the_message_arrives_with_our_trace_and_the_reply_comes_back() {
    let back_end = BackEnd::start(Ways::ending(Do::Say("250 2.6.0 taken as X1\r\n"))).await;
    let house = House::start();
    house.answer("user1@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    let reply = client.send("sender@c.test", &["user1@a.test"], BODY).await;
    assert_eq!(reply, "250 2.6.0 taken as X1");
    let [delivered] = &back_end.delivered()[..] else { panic!("one message") };
    assert_eq!(delivered.sender, "sender@c.test");
    assert_eq!(delivered.recipients, ["user1@a.test"]);
    let text = delivered.text();
    let trace =
        "Received: from client.example.test ([127.0.0.1])\r\n\tby mx.example.test with ESMTP id ";
    assert!(text.starts_with(trace), "{text}");
    assert!(text.contains("\r\n\tfor <user1@a.test>; "), "{text}");
    assert!(text.ends_with("+0000\r\nSubject: hello\r\n\r\n.dots\r\nbye\r\n"), "{text}");
    assert_eq!(house.kept(), 0);
}
