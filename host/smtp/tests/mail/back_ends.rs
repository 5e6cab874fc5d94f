//! Back ends that are slow, silent, double-tongued or talk rubbish, at every state.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::{BackEnd, Content, Do, House, Plan, Ways, nobody, to, until};

const BODY: &str = "Subject: hello\r\n\r\nhello\r\n";
const UNREACHABLE: &str = "451 4.4.1 The mailbox server cannot be reached, try again later.";
const LOST: &str = "451 4.4.2 The mailbox server did not finish the transaction, try again later";
const MISUNDERSTOOD: &str = "451 4.3.5 The mailbox server cannot be talked to, try again later";

fn ways(change: impl FnOnce(&mut Ways)) -> Ways {
    let mut ways = Ways::default();
    change(&mut ways);
    ways
}

/// Everything that can go wrong before a back end has taken MAIL.
fn broken_before_mail() -> Vec<(&'static str, Ways)> {
    vec![
        ("silent at the greeting", ways(|it| it.greeting = Do::Silence)),
        ("closes at the greeting", ways(|it| it.greeting = Do::Close)),
        ("refuses at the greeting", ways(|it| it.greeting = Do::Say("554 5.3.2 no\r\n"))),
        ("busy at the greeting", ways(|it| it.greeting = Do::SayAndClose("421 4.3.2 busy\r\n"))),
        ("another protocol", ways(|it| it.greeting = Do::Say("* OK IMAP4rev1\r\n"))),
        ("silent at EHLO", ways(|it| it.hello = Do::Silence)),
        ("refuses EHLO", ways(|it| it.hello = Do::Say("550 5.7.1 no\r\n"))),
        ("closes at EHLO", ways(|it| it.hello = Do::Close)),
        ("rubbish at EHLO", ways(|it| it.hello = Do::Say("what?\r\n"))),
        ("silent at MAIL", ways(|it| it.mail = Do::Silence)),
        ("closes at MAIL", ways(|it| it.mail = Do::Close)),
        ("busy at MAIL", ways(|it| it.mail = Do::Say("451 4.3.2 busy\r\n"))),
        ("goes at MAIL", ways(|it| it.mail = Do::SayAndClose("421 4.3.2 going\r\n"))),
        ("wants TLS", ways(|it| it.mail = Do::Say("530 5.7.0 TLS first\r\n"))),
        ("rubbish at MAIL", ways(|it| it.mail = Do::Say("354 go\r\n"))),
    ]
}

#[tokio::test]
async fn the_next_target_takes_the_mail_when_one_fails_up_to_mail() {
    for (name, ways) in broken_before_mail() {
        let (broken, good) = (BackEnd::start(ways).await, BackEnd::good().await);
        let house = House::start();
        house.answer("user1@a.test", to(&[broken.address, good.address]));
        let mut client = house.client().await;
        let reply = client.send("sender@c.test", &["user1@a.test"], BODY).await;
        assert_eq!(reply, "250 2.0.0 taken", "{name}");
        assert_eq!(good.mailbox("user1@a.test").len(), 1, "{name}");
        assert_eq!(broken.dots(), 0, "{name}");
    }
}

#[tokio::test]
async fn the_next_target_takes_the_mail_when_one_cannot_be_reached() {
    let good = BackEnd::good().await;
    let house = House::start();
    house.answer("user1@a.test", to(&[nobody().await, good.address]));
    let mut client = house.client().await;
    let reply = client.send("sender@c.test", &["user1@a.test"], BODY).await;
    assert_eq!(reply, "250 2.0.0 taken");
}

#[tokio::test]
async fn alone_it_is_a_temporary_error() {
    for (name, ways) in broken_before_mail() {
        let expected = match name {
            "another protocol"
            | "refuses at the greeting"
            | "refuses EHLO"
            | "rubbish at EHLO"
            | "wants TLS"
            | "rubbish at MAIL"
            | "busy at the greeting" => MISUNDERSTOOD,
            "busy at MAIL" => "451 4.3.2 busy",
            "goes at MAIL" => "451 4.4.2 going",
            _ => UNREACHABLE,
        };
        let broken = BackEnd::start(ways).await;
        let house = House::start();
        house.answer("user1@a.test", to(&[broken.address]));
        let mut client = house.client().await;
        client.expect("MAIL FROM:<sender@c.test>", "250").await;
        let reply = client.ask("RCPT TO:<user1@a.test>").await;
        assert!(reply == expected || reply == UNREACHABLE, "{name}: {reply}");
        client.expect("QUIT", "221").await;
    }
}

#[tokio::test]
async fn from_rcpt_on_each_has_its_reply() {
    let cases: Vec<(&str, Ways, &str)> = vec![
        ("silent at RCPT", ways(|it| it.recipient = Do::Silence), LOST),
        ("closes at RCPT", ways(|it| it.recipient = Do::Close), LOST),
        ("rubbish at RCPT", ways(|it| it.recipient = Do::Say("\u{1}\r\n")), MISUNDERSTOOD),
    ];
    for (name, ways, expected) in cases {
        let broken = BackEnd::start(ways).await;
        let house = House::start();
        house.answer("user1@a.test", to(&[broken.address]));
        let mut client = house.client().await;
        client.expect("MAIL FROM:<sender@c.test>", "250").await;
        let reply = client.ask("RCPT TO:<user1@a.test>").await;
        assert!([expected, UNREACHABLE].contains(&reply.as_str()), "{name}: {reply}");
    }
}

#[tokio::test]
async fn from_data_on_each_has_its_reply_and_gets_no_dot_before_its_time() {
    let cases: Vec<(&str, Ways, &str, usize)> = vec![
        ("closes at DATA", ways(|it| it.data = Do::Close), LOST, 0),
        ("silent at DATA", ways(|it| it.data = Do::Silence), LOST, 0),
        ("refuses DATA", ways(|it| it.data = Do::Say("554 5.7.1 no\r\n")), "554 5.7.1 no", 0),
        ("defers DATA", ways(|it| it.data = Do::Say("450 4.2.0 later\r\n")), "450 4.2.0 later", 0),
        ("250 to DATA", ways(|it| it.data = Do::Say("250 2.0.0 taken\r\n")), MISUNDERSTOOD, 0),
        ("rubbish at DATA", ways(|it| it.data = Do::Say("rubbish\r\n")), MISUNDERSTOOD, 0),
        (
            "goes at DATA",
            ways(|it| it.data = Do::SayAndClose("421 4.3.2 bye\r\n")),
            "451 4.4.2 bye",
            0,
        ),
        ("closes in the body", ways(|it| it.content = Content::CloseAfter(1)), LOST, 0),
        ("closes after the dot", ways(|it| it.end = vec![Do::Close]), LOST, 1),
        (
            "refuses after the dot",
            ways(|it| it.end = vec![Do::Say("552 5.2.2 full\r\n")]),
            "552 5.2.2 full",
            1,
        ),
        (
            "rubbish after the dot",
            ways(|it| it.end = vec![Do::Say("354 go\r\n")]),
            MISUNDERSTOOD,
            1,
        ),
        (
            "503 after the dot",
            ways(|it| it.end = vec![Do::Say("503 5.5.1 eh\r\n")]),
            MISUNDERSTOOD,
            1,
        ),
        (
            "goes after the dot",
            ways(|it| it.end = vec![Do::SayAndClose("421 4.3.2 bye\r\n")]),
            "451 4.4.2 bye",
            1,
        ),
    ];
    for (name, ways, expected, dots) in cases {
        let broken = BackEnd::start(ways).await;
        let house =
            House::start_with(Plan::with(|it| it.stall_timeout = Duration::from_millis(500)));
        house.answer("user1@a.test", to(&[broken.address]));
        let mut client = house.client().await;
        client.envelope("sender@c.test", &["user1@a.test"]).await;
        let mut reply = client.ask("DATA").await;
        if reply.starts_with("354") {
            client.say(format!("{BODY}.\r\n")).await;
            reply = client.reply().await;
        }
        assert_eq!(reply, expected, "{name}");
        assert_eq!(broken.dots(), dots, "{name}");
        assert!(broken.delivered().is_empty(), "{name}");
        client.expect("NOOP", "250").await;
    }
}

/// An answer to the dot before the dot is no answer to it.
#[tokio::test]
async fn a_double_tongued_back_end_gets_no_dot() {
    for words in ["250 2.0.0 taken already\r\n", "554 5.7.1 no\r\n", "x"] {
        let back_end = BackEnd::start(ways(|it| it.content = Content::TalkAfter(1, words))).await;
        let house = House::start();
        house.answer("user1@a.test", to(&[back_end.address]));
        let mut client = house.client().await;
        client.envelope("sender@c.test", &["user1@a.test"]).await;
        client.expect("DATA", "354").await;
        client.say("one line\r\n").await;
        until("it has talked", || back_end.heard.lock().content > 0).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.say("another\r\n.\r\n").await;
        assert_eq!(client.reply().await, MISUNDERSTOOD, "{words}");
        assert_eq!(back_end.dots(), 0, "{words}");
    }
}

/// A reply that nobody has asked for would be taken for the next one's.
#[tokio::test]
async fn an_answer_too_many_is_not_taken_for_the_next_one() {
    let ways = Ways {
        recipients: HashMap::from([("user1@a.test", Do::Say("250 2.1.5 ok\r\n250 2.1.5 ok\r\n"))]),
        ..Ways::default()
    };
    let back_end = BackEnd::start(ways).await;
    let house = House::start();
    house.answer("user1@a.test", to(&[back_end.address]));
    house.answer("user2@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    client.expect("MAIL FROM:<sender@c.test>", "250").await;
    client.expect("RCPT TO:<user1@a.test>", "250").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(client.ask("RCPT TO:<user2@a.test>").await, MISUNDERSTOOD);
    // The one that was taken hears of it at the latest now.
    client.expect("DATA", "451 4.3.5").await;
    assert_eq!(back_end.dots(), 0);
}

#[tokio::test]
async fn a_silent_back_end_is_waited_for_until_the_reply_timeout() {
    let back_end = BackEnd::start(Ways::ending(Do::Silence)).await;
    let house = House::start_with(Plan::with(|it| it.reply_timeout = Duration::from_millis(700)));
    house.answer("user1@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    let began = std::time::Instant::now();
    assert_eq!(client.send("sender@c.test", &["user1@a.test"], BODY).await, LOST);
    assert!(began.elapsed() >= Duration::from_millis(700));
}

#[tokio::test]
async fn a_connection_serves_again_within_the_session() {
    let back_end = BackEnd::good().await;
    let house = House::start();
    house.answer("user1@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    for _ in 0..3 {
        let reply = client.send("sender@c.test", &["user1@a.test"], BODY).await;
        assert_eq!(reply, "250 2.0.0 taken");
    }
    client.envelope("sender@c.test", &["user1@a.test"]).await;
    client.expect("RSET", "250").await;
    let reply = client.send("sender@c.test", &["user1@a.test"], BODY).await;
    assert_eq!(reply, "250 2.0.0 taken");
    client.expect("QUIT", "221").await;
    until("it has said QUIT", || back_end.commands().last().is_some_and(|it| it == "QUIT")).await;
    assert_eq!(back_end.heard.lock().connections, 1);
    assert_eq!(back_end.commands().iter().filter(|line| *line == "RSET").count(), 1);
}

#[tokio::test]
async fn a_connection_that_has_died_meanwhile_is_replaced_once() {
    let closing = Ways { close_after_end: true, ..Ways::default() };
    // This one says so only when it is asked.
    let tired = Ways { mail_again: Some(Do::SayAndClose("421 4.4.2 idle\r\n")), ..Ways::default() };
    for leaving in [closing, tired] {
        let back_end = BackEnd::start(leaving).await;
        let house = House::start();
        house.answer("user1@a.test", to(&[back_end.address]));
        let mut client = house.client().await;
        for _ in 0..2 {
            let reply = client.send("sender@c.test", &["user1@a.test"], BODY).await;
            assert_eq!(reply, "250 2.0.0 taken");
        }
        assert_eq!(back_end.heard.lock().connections, 2);
        // A new one that fares no better is not replaced again.
        back_end.behave(Ways { mail: Do::SayAndClose("421 4.3.2 going\r\n"), ..Ways::default() });
        client.expect("MAIL FROM:<sender@c.test>", "250").await;
        assert_eq!(client.ask("RCPT TO:<user1@a.test>").await, "451 4.4.2 going");
        assert_eq!(back_end.heard.lock().connections, 3);
    }
}
