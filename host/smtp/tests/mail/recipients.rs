//! What is answered to RCPT.

use std::sync::atomic::Ordering;
use std::time::Duration;

use waypost_model::Refusal;

use crate::support::{Answer, BackEnd, Do, House, Plan, Ways, identity, nobody, to};

const BODY: &str = "Subject: hello\r\n\r\nhello\r\n";

#[tokio::test]
async fn what_policies_say_is_said_in_our_words() {
    let house = House::start();
    let nowhere = nobody().await;
    for (user, answer, reply) in [
        (
            "unknown",
            Answer::Refuse(Refusal::UnknownUser),
            "550 5.1.1 There is no such mailbox here.",
        ),
        ("passed", Answer::Pass, "550 5.1.1 There is no such mailbox here."),
        (
            "disabled",
            Answer::Refuse(Refusal::DisabledUser),
            "550 5.2.1 This mailbox takes no mail.",
        ),
        (
            "denied",
            Answer::Refuse(Refusal::Denied),
            "550 5.7.1 Mail to this address is not taken from you.",
        ),
        (
            "other",
            Answer::Refuse(Refusal::Other("secret reason".to_owned())),
            "550 5.7.1 Mail to this address is not taken from you.",
        ),
        (
            "down",
            Answer::DirectoryDown,
            "451 4.4.3 The address cannot be looked up now, try again later.",
        ),
        (
            "fault",
            Answer::Fault,
            "451 4.3.0 The address cannot be looked up properly, try again later.",
        ),
        (
            "outside",
            Answer::TargetDenied,
            "451 4.3.0 The address cannot be looked up properly, try again later.",
        ),
        (
            "unreachable",
            to(&[nowhere]),
            "451 4.4.1 The mailbox server cannot be reached, try again later.",
        ),
        (
            "own",
            to(&[house.address]),
            "451 4.4.1 The mailbox server cannot be reached, try again later.",
        ),
        (
            "nobody",
            identity(nowhere, "\u{7f}"),
            "451 4.3.0 The address cannot be looked up properly, try again later.",
        ),
    ] {
        house.answer(&format!("{user}@a.test"), answer);
        let mut client = house.client().await;
        client.expect("MAIL FROM:<sender@c.test>", "250 2.1.0 Ok.").await;
        assert_eq!(client.ask(&format!("RCPT TO:<{user}@a.test>")).await, reply, "{user}");
        assert_eq!(client.ask("DATA").await, "554 5.5.1 No valid recipients.");
    }
    let mut client = house.client().await;
    client.expect("MAIL FROM:<sender@c.test>", "250").await;
    for stranger in ["user@c.test", "user@[127.0.0.1]", "user@xn--a"] {
        let reply = client.ask(&format!("RCPT TO:<{stranger}>")).await;
        assert_eq!(reply, "550 5.7.1 Relaying denied.", "{stranger}");
    }
}

#[tokio::test]
async fn addresses_that_may_relay_are_refused_and_source_routes_stripped() {
    let back_end = BackEnd::good().await;
    let house = House::start();
    house.answer("user1@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    client.expect("MAIL FROM:<sender@c.test>", "250").await;
    for address in ["user%c.test@a.test", "c.test!user@a.test", "\"user@c.test\"@a.test"] {
        let reply = client.ask(&format!("RCPT TO:<{address}>")).await;
        assert!(reply.starts_with("553 5.1.3 "), "{address}: {reply}");
    }
    for address in ["\"\"@a.test", "\"\"@x"] {
        let reply = client.ask(&format!("RCPT TO:<{address}>")).await;
        assert!(reply.starts_with("553 5.1.3 "), "{address}: {reply}");
    }
    assert_eq!(house.policy.asked.load(Ordering::Relaxed), 0, "nobody was asked");
    client.expect("RCPT TO:<@c.test,@d.test:user1@a.test>", "250").await;
    assert!(back_end.commands().contains(&"RCPT TO:<user1@a.test>".to_owned()));
}

#[tokio::test]
async fn postmaster_needs_no_domain() {
    let back_end = BackEnd::good().await;
    let house = House::start();
    house.answer("postmaster@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    let reply = client.send("sender@c.test", &["pOstmaster"], BODY).await;
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(back_end.mailbox("postmaster@a.test").len(), 1);
}

#[tokio::test]
async fn a_tag_is_asked_for_first_and_passed_on() {
    let back_end = BackEnd::good().await;
    let house = House::start_with(Plan::with(|it| it.recipient_delimiter = Some("+".into())));
    house.answer("user1@a.test", to(&[back_end.address]));
    house.answer("user2@a.test", identity(back_end.address, "mailbox2"));
    house.answer("user1+own@a.test", identity(back_end.address, "own@store.test"));
    house.answer("user1+down@a.test", Answer::DirectoryDown);
    let mut client = house.client().await;
    client.expect("MAIL FROM:<sender@c.test>", "250").await;
    client.expect("RCPT TO:<user1+news@a.test>", "250").await;
    client.expect("RCPT TO:<user2+news@a.test>", "250").await;
    client.expect("RCPT TO:<user1+own@a.test>", "250").await;
    client.expect("RCPT TO:<user1+down@a.test>", "451 4.4.3").await;
    let named: Vec<String> =
        back_end.commands().into_iter().filter(|line| line.starts_with("RCPT")).collect();
    assert_eq!(
        named,
        [
            "RCPT TO:<user1+news@a.test>",
            "RCPT TO:<mailbox2+news@a.test>",
            "RCPT TO:<own@store.test>"
        ]
    );
}

#[tokio::test]
async fn the_policy_hears_of_the_sender() {
    let house = House::start();
    let mut client = house.client().await;
    for (user, sender) in [("user1", "sender@c.test"), ("user2", "")] {
        client.expect(&format!("MAIL FROM:<{sender}>"), "250").await;
        client.expect(&format!("RCPT TO:<{user}@a.test>"), "550 5.1.1").await;
        client.expect("RSET", "250").await;
        assert_eq!(house.policy.senders.lock().pop(), Some(Some(sender.to_owned())));
    }
}

#[tokio::test]
async fn the_policy_may_change_the_recipient_and_equal_ones_are_sent_once() {
    let back_end = BackEnd::good().await;
    let house = House::start();
    house.answer("alias1@a.test", identity(back_end.address, "box@store.test"));
    house.answer("alias2@a.test", identity(back_end.address, "box@STORE.test"));
    let mut client = house.client().await;
    let reply = client.send("sender@c.test", &["alias1@a.test", "alias2@a.test"], BODY).await;
    assert_eq!(reply, "250 2.0.0 taken");
    let named = back_end.commands().iter().filter(|line| line.starts_with("RCPT")).count();
    assert_eq!(named, 1);
    assert_eq!(back_end.mailbox("box@store.test").len(), 1);
}

#[tokio::test]
async fn a_refused_recipient_that_has_moved_is_taken_where_it_lives_now() {
    let old = BackEnd::start(Ways::refusing("user1@a.test", Do::Say("550 5.1.1 gone\r\n"))).await;
    let new = BackEnd::good().await;
    let house = House::start();
    house.answer("user1@a.test", to(&[old.address]));
    let mut client = house.client().await;
    client.expect("MAIL FROM:<sender@c.test>", "250").await;
    assert_eq!(client.ask("RCPT TO:<user1@a.test>").await, "550 5.1.1 gone");

    // The route is cached by now, and no longer true.
    house.answer("user1@a.test", to(&[new.address]));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    client.expect("RSET", "250").await;
    let reply = client.send("sender@c.test", &["user1@a.test"], BODY).await;
    assert_eq!(reply, "250 2.0.0 taken");
    assert_eq!(new.mailbox("user1@a.test").len(), 1);
}

#[tokio::test]
async fn a_refusal_is_temporary_while_nobody_can_say_whether_the_mailbox_has_moved() {
    let back_end =
        BackEnd::start(Ways::refusing("user1@a.test", Do::Say("550 5.1.1 gone\r\n"))).await;
    let house = House::start();
    house.answer("user1@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    client.expect("MAIL FROM:<sender@c.test>", "250").await;
    client.expect("RCPT TO:<user1@a.test>", "550 5.1.1").await;
    house.answer("user1@a.test", Answer::DirectoryDown);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    client.expect("RSET", "250").await;
    client.expect("MAIL FROM:<sender@c.test>", "250").await;
    client.expect("RCPT TO:<user1@a.test>", "451 4.4.3").await;
}

#[tokio::test]
async fn back_ends_words_pass_and_what_concerns_us_alone_does_not() {
    for (said, heard) in [
        ("550 no such user\r\n", "550 5.1.1 no such user"),
        ("450-4.2.1 busy\r\n450 4.2.1 later\r\n", "450-4.2.1 busy\n450 4.2.1 later"),
        ("552 5.2.2 full\r\n", "552 5.2.2 full"),
        ("421 4.3.2 going down\r\n", "451 4.4.2 going down"),
        ("503 5.5.1 bad sequence\r\n", MISUNDERSTOOD),
        ("530 5.7.0 must use TLS\r\n", MISUNDERSTOOD),
        ("354 go\r\n", MISUNDERSTOOD),
        ("hello there\r\n", MISUNDERSTOOD),
        ("251 user not local\r\n", "251 2.1.5 user not local"),
    ] {
        let back_end = BackEnd::start(Ways { recipient: Do::Say(said), ..Ways::default() }).await;
        let house = House::start();
        house.answer("user1@a.test", to(&[back_end.address]));
        let mut client = house.client().await;
        client.expect("MAIL FROM:<sender@c.test>", "250").await;
        assert_eq!(client.ask("RCPT TO:<user1@a.test>").await, heard, "{said}");
    }
}

const MISUNDERSTOOD: &str = "451 4.3.5 The mailbox server cannot be talked to, try again later";

#[tokio::test]
async fn a_refusal_of_mail_is_told_at_rcpt() {
    for pipelining in [true, false] {
        let mut ways = Ways { mail: Do::Say("550 5.7.1 not you\r\n"), ..Ways::default() };
        ways.recipient = Do::Say("503 5.5.1 no MAIL\r\n");
        if !pipelining {
            ways.hello = Do::Say("250 back.example.test\r\n");
        }
        let back_end = BackEnd::start(ways).await;
        let other = BackEnd::good().await;
        let house = House::start();
        house.answer("user1@a.test", to(&[back_end.address, other.address]));
        house.answer("user2@a.test", to(&[back_end.address]));
        let mut client = house.client().await;
        client.expect("MAIL FROM:<sender@c.test>", "250 2.1.0 Ok.").await;
        assert_eq!(client.ask("RCPT TO:<user1@a.test>").await, "550 5.7.1 not you");
        assert_eq!(client.ask("RCPT TO:<user2@a.test>").await, "550 5.7.1 not you");
        let mails = back_end.commands().iter().filter(|line| line.starts_with("MAIL")).count();
        assert_eq!((mails, other.heard.lock().connections), (1, 0));
    }
}

#[tokio::test]
async fn what_a_back_end_lacks_is_answered_for_its_recipients() {
    let bare = || Ways { hello: Do::Say("250 back.example.test\r\n"), ..Ways::default() };
    let back_end = BackEnd::start(bare()).await;
    let small = BackEnd::start(Ways {
        hello: Do::Say("250-back.example.test\r\n250 SIZE 1000\r\n"),
        ..Ways::default()
    })
    .await;
    let good = BackEnd::good().await;
    let house = House::start();
    house.answer("bare@a.test", to(&[back_end.address]));
    house.answer("small@a.test", to(&[small.address]));
    house.answer("good@a.test", to(&[good.address]));
    house.answer("j\u{f6}rg@a.test", to(&[back_end.address]));
    let cases = [
        ("SIZE=2000", "small", "552 5.3.4"),
        ("BODY=8BITMIME", "bare", "550 5.6.3"),
        ("SMTPUTF8", "bare", "550 5.6.9"),
        ("SMTPUTF8", "j\u{f6}rg", "550 5.6.7"),
    ];
    for (parameter, user, code) in cases {
        let mut client = house.client().await;
        client.expect(&format!("MAIL FROM:<sender@c.test> {parameter}"), "250").await;
        client.expect(&format!("RCPT TO:<{user}@a.test>"), code).await;
        client.expect("RCPT TO:<good@a.test>", "250").await;
    }
    let mails: Vec<String> =
        good.commands().into_iter().filter(|line| line.starts_with("MAIL")).collect();
    assert_eq!(
        mails,
        [
            "MAIL FROM:<sender@c.test> SIZE=2000",
            "MAIL FROM:<sender@c.test> BODY=8BITMIME",
            "MAIL FROM:<sender@c.test> SMTPUTF8",
            "MAIL FROM:<sender@c.test> SMTPUTF8",
        ]
    );
}

#[tokio::test]
async fn recipients_beyond_the_limit_are_deferred() {
    let back_end = BackEnd::good().await;
    let house = House::start_with(Plan::with(|it| it.max_recipients = 2.try_into().unwrap()));
    for user in ["user1", "user2", "user3"] {
        house.answer(&format!("{user}@a.test"), to(&[back_end.address]));
    }
    let mut client = house.client().await;
    client.envelope("sender@c.test", &["user1@a.test", "user2@a.test"]).await;
    client.expect("RCPT TO:<user3@a.test>", "452 4.5.3 Too many recipients.").await;
    client.expect("DATA", "354").await;
    client.say("hello\r\n.\r\n").await;
    assert_eq!(client.reply().await, "250 2.0.0 taken");
}

#[tokio::test]
async fn ten_thousand_recipients_are_answered_one_by_one() {
    let back_end = BackEnd::good().await;
    let house = House::start();
    house.answer("user1@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    client.expect("MAIL FROM:<sender@c.test>", "250").await;
    let (mut reader, mut writer) = client.stream.into_split();
    let saying = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let lines = "RCPT TO:<user1@a.test>\r\n".repeat(10_000);
        writer.write_all(lines.as_bytes()).await.unwrap();
        writer
    });
    let mut replies = Vec::new();
    let mut buffer = vec![0; 65536];
    while replies.iter().filter(|octet| **octet == b'\n').count() < 10_000 {
        use tokio::io::AsyncReadExt as _;
        let length = reader.read(&mut buffer).await.unwrap();
        assert!(length > 0);
        replies.extend_from_slice(&buffer[..length]);
    }
    saying.await.unwrap();
    let replies = String::from_utf8(replies).unwrap();
    let accepted = replies.lines().filter(|line| *line == "250 2.1.5 ok").count();
    let deferred = replies.lines().filter(|it| *it == "452 4.5.3 Too many recipients.").count();
    assert_eq!((accepted, deferred), (1000, 9000));
}
