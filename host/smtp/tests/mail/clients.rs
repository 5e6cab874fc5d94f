//! Clients that send what they should not, or vanish.

use std::time::Duration;

use crate::support::{BackEnd, Client, House, Plan, to, until};

const BARE: &str = "550 5.6.11 The message holds a CR or LF that is not part of a CRLF.";

async fn one() -> (House, BackEnd) {
    one_with(Plan::default()).await
}

async fn one_with(plan: Plan) -> (House, BackEnd) {
    let back_end = BackEnd::good().await;
    let house = House::start_with(plan);
    house.answer("user1@a.test", to(&[back_end.address]));
    (house, back_end)
}

async fn data(house: &House) -> Client {
    let mut client = house.client().await;
    client.envelope("sender@c.test", &["user1@a.test"]).await;
    client.expect("DATA", "354").await;
    client
}

#[tokio::test]
async fn a_bare_newline_is_refused_after_the_real_end_and_nothing_is_delivered() {
    for body in [
        "a\nb\r\n",
        "a\rb\r\n",
        "a\r\r\n",
        "a\n.\nMAIL FROM:<evil@c.test>\r\n",
        "a\r\n.\nRCPT TO:<evil@a.test>\r\n",
        "a\n.\r\nDATA\r\n",
        "a\r.\r\n",
        "a\r\n.\rx\r\n",
        "\n",
        "a\r\n\0\r\n.\n\r\n",
    ] {
        let (house, back_end) = one().await;
        let mut client = data(&house).await;
        client.say(body).await;
        client.say("\r\n.\r\n").await;
        assert_eq!(client.reply().await, BARE, "{body:?}");
        // What stood behind the false end was no command.
        client.expect("NOOP", "250 2.0.0 Ok.").await;
        assert_eq!((back_end.dots(), back_end.delivered().len()), (0, 0), "{body:?}");
    }
}

#[tokio::test]
async fn a_dot_in_any_disguise_is_content() {
    for (body, arrives) in [
        ("..\r\n", ".\r\n"),
        ("...\r\n", "..\r\n"),
        (". \r\n", " \r\n"),
        (".a\r\n", "a\r\n"),
        ("a.\r\n", "a.\r\n"),
        (".\t\r\n", "\t\r\n"),
        ("\r\n..\r\n\r\n", "\r\n.\r\n\r\n"),
    ] {
        let (house, back_end) = one().await;
        let mut client = data(&house).await;
        client.say(format!("Subject: x\r\n\r\n{body}.\r\n")).await;
        assert_eq!(client.reply().await, "250 2.0.0 taken", "{body:?}");
        let text = back_end.delivered()[0].text();
        assert!(text.ends_with(&format!("\r\nSubject: x\r\n\r\n{arrives}")), "{body:?}: {text:?}");
    }
}

#[tokio::test]
async fn newlines_of_old_devices_are_normalised_where_that_is_configured() {
    let mut plan = Plan::default();
    plan.entrance.normalize_newlines_from =
        "127.0.0.0/8".parse::<waypost_net::networks::Network>().into_iter().collect();
    let (house, back_end) = one_with(plan).await;
    let mut client = data(&house).await;
    client.say("Subject: x\n\na\n.\nb\rc\r\n.\r\n").await;
    assert_eq!(client.reply().await, "250 2.0.0 taken");
    let text = back_end.delivered()[0].text();
    assert!(text.ends_with("Subject: x\r\n\r\na\r\n.\r\nb\r\nc\r\n"), "{text:?}");
}

#[tokio::test]
async fn octets_and_lines_of_any_kind_pass_unchanged() {
    let (house, back_end) = one().await;
    let mut client = data(&house).await;
    let mut body = b"Subject: \xff\x00\x80\r\n\r\n".to_vec();
    body.extend_from_slice(&[0xe4; 300_000]);
    body.extend_from_slice(b"\r\n");
    client.say(&body).await;
    client.say(".\r\n").await;
    assert_eq!(client.reply().await, "250 2.0.0 taken");
    assert!(back_end.delivered()[0].content.ends_with(&body));
}

#[tokio::test]
async fn an_endless_command_line_is_one_error() {
    let (house, _back_end) = one().await;
    let mut client = house.client().await;
    client.say(vec![b'x'; 1_000_000]).await;
    client.say("\r\nNOOP\r\n").await;
    assert_eq!(client.reply().await, "500 5.5.2 This line is too long.");
    assert_eq!(client.reply().await, "250 2.0.0 Ok.");
}

#[tokio::test]
async fn too_many_errors_end_the_session() {
    let (house, _back_end) = one_with(Plan::with(|it| it.max_errors = 3.try_into().unwrap())).await;
    let mut client = house.client().await;
    client.expect("WHAT", "500").await;
    client.expect("\u{e4}", "500").await;
    client.expect("WHAT", "500").await;
    assert_eq!(client.reply().await, "421 4.7.0 Too many errors.");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn too_many_messages_end_the_session() {
    let (house, _back_end) =
        one_with(Plan::with(|it| it.max_transactions = 1.try_into().unwrap())).await;
    let mut client = house.client().await;
    assert_eq!(client.send("s@c.test", &["user1@a.test"], "x\r\n").await, "250 2.0.0 taken");
    let reply = client.ask("MAIL FROM:<s@c.test>").await;
    assert_eq!(reply, "421 4.7.0 Too many messages in one session.");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_at_its_end() {
    let (house, back_end) = one_with(Plan::with(|it| it.max_message_size = 1000)).await;
    let mut client = house.client().await;
    client.expect("MAIL FROM:<s@c.test> SIZE=1001", "552 5.3.4").await;
    let mut client = data(&house).await;
    client.say(format!("{}\r\n.\r\n", "x".repeat(1000))).await;
    assert_eq!(client.reply().await, "552 5.3.4 The message is too large.");
    assert_eq!(back_end.dots(), 0);
}

#[tokio::test]
async fn a_message_that_is_larger_than_was_said_takes_no_more_room_than_was_reserved() {
    let (house, first) = one().await;
    let second = BackEnd::good().await;
    house.answer("user2@a.test", to(&[second.address]));
    let mut client = house.client().await;
    client.expect("MAIL FROM:<sender@b.test> SIZE=1000", "250").await;
    client.expect("RCPT TO:<user1@a.test>", "250").await;
    client.expect("RCPT TO:<user2@a.test>", "250").await;
    client.expect("DATA", "354").await;
    client.say(format!("{}.\r\n", "x\r\n".repeat(100_000))).await;
    assert_eq!(client.reply().await, "552 5.3.4 The message is larger than it was said to be.");
    assert_eq!((first.dots(), second.dots(), house.kept()), (0, 0, 0));
    client.expect("NOOP", "250").await;
}

#[tokio::test]
async fn a_message_that_runs_in_a_circle_is_refused() {
    for (field, times, refused) in [
        ("Received: from a by b; x\r\n", 100, false),
        ("Received: from a by b; x\r\n", 101, true),
        ("Received: from a by mx.example.test with ESMTP; x\r\n", 5, false),
        ("Received: from a by mx.example.test with ESMTP; x\r\n", 6, true),
    ] {
        let (house, back_end) = one().await;
        let mut client = data(&house).await;
        client.say(format!("{}\r\nx\r\n.\r\n", field.repeat(times))).await;
        let reply = client.reply().await;
        let expected = if refused {
            "554 5.4.6 The message has passed too many hosts."
        } else {
            "250 2.0.0 taken"
        };
        assert_eq!(reply, expected, "{times} {field}");
        assert_eq!(back_end.dots(), usize::from(!refused));
    }
}

#[tokio::test]
async fn chunks_arrive_as_one_message() {
    let (house, back_end) = one().await;
    let mut client = house.client().await;
    client.envelope("s@c.test", &["user1@a.test"]).await;
    client.say("BDAT 14\r\nSubject: x\r\n\r\n").await;
    assert!(client.reply().await.starts_with("250 2.0.0"));
    client.say("BDAT 3\r\n.\r\nBDAT 2\r\n.aBDAT 0 LAST\r\n").await;
    assert!(client.reply().await.starts_with("250 2.0.0"));
    assert!(client.reply().await.starts_with("250 2.0.0"));
    assert_eq!(client.reply().await, "250 2.0.0 taken");
    let text = back_end.delivered()[0].text();
    assert!(text.ends_with("Subject: x\r\n\r\n.\r\n.a\r\n"), "{text:?}");
}

#[tokio::test]
async fn chunks_of_wrong_sizes_and_orders_are_refused_and_nothing_is_delivered() {
    let (house, back_end) = one().await;
    // No number.
    let mut client = house.client().await;
    client.envelope("s@c.test", &["user1@a.test"]).await;
    assert!(client.ask("BDAT x").await.starts_with("501 5.5.4"));
    assert!(client.is_closed().await);
    drop(client);
    // Behind DATA, it is content.
    let mut client = data(&house).await;
    client.say("BDAT 3 LAST\r\n.\r\n").await;
    assert_eq!(client.reply().await, "250 2.0.0 taken");
    drop(client);
    // DATA behind it is none.
    let mut client = house.client().await;
    client.envelope("s@c.test", &["user1@a.test"]).await;
    client.say("BDAT 3\r\nabcDATA\r\n").await;
    assert!(client.reply().await.starts_with("250"));
    assert!(client.reply().await.starts_with("503 5.5.1"));
    // Taken back in the middle.
    client.expect("RSET", "250").await;
    client.expect("NOOP", "250").await;
    drop(client);
    // Fewer octets than it says.
    let mut client = house.client().await;
    client.envelope("s@c.test", &["user1@a.test"]).await;
    client.say("BDAT 100 LAST\r\nabc").await;
    drop(client);
    until("all back ends have been left", || {
        let heard = back_end.heard.lock();
        heard.connections == 4 && heard.closed == heard.connections
    })
    .await;
    assert_eq!(back_end.dots(), 1, "only the message that was whole");
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_nothing_behind_at_any_state() {
    const SAYS: [&str; 8] = [
        "",
        "EHLO c.test\r\n",
        "EHLO c.test\r\nMAIL FROM:<s@b.test>\r\n",
        "EHLO c.test\r\nMAIL FROM:<s@b.test>\r\nRCPT TO:<user1@a.test>\r\n",
        "EHLO c.test\r\nMAIL FROM:<s@b.test>\r\nRCPT TO:<user1@a.test>\r\nRCPT TO:<user2@a.test>\r\n",
        "EHLO c.test\r\nMAIL FROM:<s@b.test>\r\nRCPT TO:<user1@a.test>\r\nDATA\r\n",
        "EHLO c.test\r\nMAIL FROM:<s@b.test>\r\nRCPT TO:<user1@a.test>\r\nDATA\r\nSubject: x\r\n",
        "EHLO c.test\r\nMAIL FROM:<s@b.test>\r\nRCPT TO:<user1@a.test>\r\nRCPT TO:<user2@a.test>\r\n\
         DATA\r\nSubject: x\r\n\r\n.\r",
    ];
    for says in SAYS {
        let (house, first) = one().await;
        let second = BackEnd::good().await;
        house.answer("user2@a.test", to(&[second.address]));
        let mut client = Client::connect(house.address).await;
        client.say(says).await;
        let replies = says.matches("\r\n").count().min(6);
        for _ in 0..replies.min(says.matches("\r\n").count()) {
            if says.contains("Subject") && replies > 4 {
                break;
            }
            client.reply().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(client);
        until("the session is over", || house.service.process.sessions.count() == 0).await;
        for back_end in [&first, &second] {
            until("it has been left", || {
                let heard = back_end.heard.lock();
                heard.closed == heard.connections
            })
            .await;
            assert_eq!(back_end.dots(), 0, "{says:?}");
        }
        assert_eq!(house.kept(), 0, "{says:?}");
    }
}

#[tokio::test]
async fn a_silent_client_is_told_and_left() {
    let plan = Plan::with(|it| {
        it.command_timeout = Duration::from_millis(200);
        it.data_timeout = Duration::from_millis(200);
    });
    let (house, back_end) = one_with(plan).await;
    let mut client = house.client().await;
    assert_eq!(client.reply().await, "421 4.4.2 You took too long.");
    assert!(client.is_closed().await);
    let mut client = data(&house).await;
    client.say("Subject: x\r\n").await;
    assert_eq!(client.reply().await, "421 4.4.2 You took too long.");
    assert!(client.is_closed().await);
    assert_eq!(back_end.dots(), 0);
}

#[tokio::test]
async fn a_session_that_is_ended_from_outside_is_told_so() {
    let (house, back_end) = one().await;
    let mut client = data(&house).await;
    house.service.process.sessions.kill_all();
    assert_eq!(client.reply().await, "421 4.3.2 The server is shutting down.");
    assert!(client.is_closed().await);
    assert_eq!(back_end.dots(), 0);
    let mut client = house.client().await;
    let id = house.service.process.sessions.list()[0].id;
    house.service.process.sessions.kill(id);
    assert_eq!(client.reply().await, "421 4.7.0 The session is ended by the operator.");
}

#[tokio::test]
async fn a_client_over_the_limit_is_told() {
    let (house, _back_end) = one_with(Plan { max_connections: Some(1), ..Plan::default() }).await;
    let _first = house.client().await;
    let mut second = Client::connect_only(house.address).await;
    assert_eq!(second.reply().await, "421 4.7.0 Too many connections.");
    assert!(second.is_closed().await);
}

#[tokio::test]
async fn commands_and_content_in_any_pieces_come_to_the_same() {
    let all = "EHLO c.test\r\nMAIL FROM:<s@c.test>\r\nRCPT TO:<user1@a.test>\r\nDATA\r\n";
    let (house, back_end) = one().await;
    let mut client = Client::connect(house.address).await;
    for octet in all.as_bytes() {
        client.say([*octet]).await;
    }
    for code in ["250", "250", "250", "354"] {
        assert!(client.reply().await.starts_with(code));
    }
    for octet in b"Subject: x\r\n\r\n..\r\n.\r\nQUIT\r\n" {
        client.say([*octet]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.reply().await, "250 2.0.0 taken");
    assert!(client.reply().await.starts_with("221"));
    assert!(back_end.delivered()[0].text().ends_with("Subject: x\r\n\r\n.\r\n"));
}
