//! Which messages may have several legs, and what LMTP makes of them.

use std::net::SocketAddr;

use waypost_smtp::Split;

use crate::support::{BackEnd, Content, Do, House, Plan, Spooling, Ways, to, until};

const BODY: &str = "Subject: hello\r\n\r\nhello\r\n";
const SEPARATELY: &str = "452 4.5.3 This recipient takes a message of its own, send it again.";

/// Back ends here speak LMTP.
fn lmtp_address() -> SocketAddr {
    "127.0.0.2:0".parse().unwrap()
}

async fn two(plan: Plan) -> (House, BackEnd, BackEnd) {
    let (first, second) = (BackEnd::good().await, BackEnd::good().await);
    let house = House::start_with(plan);
    house.answer("user1@a.test", to(&[first.address]));
    house.answer("user2@a.test", to(&[second.address]));
    house.answer("user3@a.test", to(&[first.address]));
    (house, first, second)
}

async fn second_leg_of(house: &House, sender: &str) -> String {
    let mut client = house.client().await;
    client.envelope(sender, &["user1@a.test"]).await;
    let reply = client.ask("RCPT TO:<user2@a.test>").await;
    // A further recipient of the first is no further leg.
    client.expect("RCPT TO:<user3@a.test>", "250").await;
    client.expect("DATA", "354").await;
    client.say(format!("{BODY}.\r\n")).await;
    assert!(client.reply().await.starts_with("250"));
    reply
}

#[tokio::test]
async fn a_second_leg_needs_a_sender_who_can_be_told() {
    let (house, _first, second) = two(Plan::default()).await;
    assert_eq!(second_leg_of(&house, "sender@c.test").await, SEPARATELY);
    assert_eq!(second_leg_of(&house, "").await, SEPARATELY);
    assert_eq!(second.heard.lock().connections, 0, "it was not even opened");
    assert_eq!(second_leg_of(&house, "sender@b.test").await, "250 2.1.5 ok");
}

#[tokio::test]
async fn a_second_leg_may_be_reported_on_through_the_relay() {
    let relay = BackEnd::good().await;
    let mut plan = Plan::default();
    plan.settings.report_networks = ["127.0.0.0/8".parse().unwrap()].into_iter().collect();
    let (house, _first, second) = two(plan).await;
    assert_eq!(second_leg_of(&house, "sender@c.test").await, SEPARATELY, "there is no relay");

    let mut plan = Plan::default();
    plan.settings.report_networks = ["127.0.0.0/8".parse().unwrap()].into_iter().collect();
    plan.settings.relay = Some(waypost_model::Target {
        host: waypost_model::Host::Address(relay.address.ip()),
        port: relay.address.port().try_into().ok(),
        encryption: None,
        tls_name: None,
    });
    drop((house, second));
    let (house, first, second) = two(plan).await;
    second.behave(Ways::ending(Do::Say("554 5.6.0 no\r\n")));
    assert_eq!(second_leg_of(&house, "sender@c.test").await, "250 2.1.5 ok");
    until("the report has come", || !relay.mailbox("sender@c.test").is_empty()).await;
    assert_eq!(first.mailbox("user1@a.test").len(), 1);
    until("nothing is kept", || house.kept() == 0).await;
}

#[tokio::test]
async fn with_split_defer_or_without_a_spool_there_is_no_second_leg() {
    let (house, _first, _second) = two(Plan::with(|it| it.split = Split::Defer)).await;
    assert_eq!(second_leg_of(&house, "sender@b.test").await, SEPARATELY);
    let (house, _first, _second) = two(Plan { spooling: Spooling::None, ..Plan::default() }).await;
    assert_eq!(second_leg_of(&house, "sender@b.test").await, SEPARATELY);
}

#[tokio::test]
async fn a_second_recipient_over_lmtp_is_a_second_leg() {
    let back_end = BackEnd::start_at(lmtp_address(), Ways::lmtp()).await;
    let house = House::start();
    house.answer("user1@a.test", to(&[back_end.address]));
    house.answer("user2@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    client.envelope("sender@c.test", &["user1@a.test"]).await;
    assert_eq!(client.ask("RCPT TO:<user2@a.test>").await, SEPARATELY);
    client.expect("RSET", "250").await;
    let reply = client.send("sender@b.test", &["user1@a.test", "user2@a.test"], BODY).await;
    assert!(reply.ends_with("delivered to all 2 recipients"), "{reply}");
    assert_eq!(back_end.dots(), 1);
}

#[tokio::test]
async fn lmtp_back_ends_answer_for_each_recipient() {
    let mut ways = Ways::lmtp();
    ways.end = vec![Do::Say("250 2.0.0 first\r\n"), Do::Say("452 4.2.2 second is full\r\n")];
    let back_end = BackEnd::start_at(lmtp_address(), ways).await;
    let house = House::start();
    house.answer("user1@a.test", to(&[back_end.address]));
    house.answer("user2@a.test", to(&[back_end.address]));
    house.answer("sender@b.test", to(&[back_end.address]));
    let mut client = house.client().await;
    let reply = client.send("sender@b.test", &["user1@a.test", "user2@a.test"], BODY).await;
    assert!(reply.starts_with("250 2.0.0 Delivered to 1 of 2 recipients"), "{reply}");
    back_end.behave(Ways::lmtp());
    until("nothing is kept", || house.kept() == 0).await;
    assert_eq!(back_end.mailbox("user1@a.test").len(), 1);
    assert_eq!(back_end.mailbox("user2@a.test").len(), 1);
}

#[tokio::test]
async fn an_lmtp_client_hears_of_each_recipient_and_nothing_is_kept() {
    let smtp = BackEnd::start(Ways::ending(Do::Say("554 5.6.0 no\r\n"))).await;
    let mut ways = Ways::lmtp();
    ways.end = vec![Do::Say("250 2.0.0 one\r\n"), Do::Say("452 4.2.2 two\r\n")];
    let lmtp = BackEnd::start_at(lmtp_address(), ways).await;
    let dying = BackEnd::start(Ways { content: Content::CloseAfter(1), ..Ways::default() }).await;
    let house = House::start_with(Plan::lmtp());
    house.answer("user1@a.test", to(&[lmtp.address]));
    house.answer("user2@a.test", to(&[smtp.address]));
    house.answer("user3@a.test", to(&[lmtp.address]));
    house.answer("user4@a.test", to(&[dying.address]));
    let mut client = house.lmtp_client().await;
    let recipients = ["user1@a.test", "user2@a.test", "user3@a.test", "user4@a.test"];
    // No report could be delivered, and none is needed.
    let first = client.send("", &recipients, BODY).await;
    let mut replies = vec![first];
    for _ in 1..4 {
        replies.push(client.reply().await);
    }
    assert_eq!(
        replies,
        [
            "250 2.0.0 one",
            "554 5.6.0 no",
            "452 4.2.2 two",
            "451 4.4.2 The mailbox server did not finish the transaction, try again later"
        ]
    );
    assert_eq!(house.kept(), 0);
    client.expect("NOOP", "250").await;
}

#[tokio::test]
async fn smtp_and_lmtp_greet_by_their_own_names() {
    let house = House::start_with(Plan::lmtp());
    let mut client = crate::support::Client::connect(house.address).await;
    client.expect("EHLO c.test", "500 5.5.1").await;
    client.expect("LHLO c.test", "250").await;
    let house = House::start();
    let mut client = crate::support::Client::connect(house.address).await;
    client.expect("LHLO c.test", "500 5.5.1").await;
    client.expect("EHLO c.test", "250").await;
    client.expect("VRFY user1", "252").await;
    client.expect("EXPN list", "502").await;
    client.expect("HELP", "214").await;
}
