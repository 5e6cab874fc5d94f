//! What back ends that trust Waypost are told of the client.

use waypost_model::Encryption;
use waypost_net::backend::ClientIdentity;

use crate::support::{BackEnd, Client, Do, House, Plan, Ways, to};

const BODY: &str = "Subject: hello\r\n\r\nhello\r\n";

#[tokio::test]
async fn by_xclient_where_it_is_offered() {
    let ways = Ways {
        hello: Do::Say(
            "250-back.example.test\r\n250-PIPELINING\r\n250 XCLIENT NAME ADDR PORT HELO PROTO\r\n",
        ),
        xclient: Some(Do::Say("220 back.example.test ready\r\n")),
        ..Ways::default()
    };
    let back_end = BackEnd::start(ways).await;
    let mut plan = Plan::default();
    plan.backend.client_identity = ClientIdentity::Command;
    let house = House::start_with(plan);
    house.answer("user1@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    let reply = client.send("sender@c.test", &["user1@a.test"], BODY).await;
    assert_eq!(reply, "250 2.0.0 taken");
    let port = client.stream.local_addr().unwrap().port();
    let told = back_end.commands().into_iter().find(|line| line.starts_with("XCLIENT")).unwrap();
    assert!(told.contains(" ADDR=127.0.0.1 "), "{told}");
    assert!(told.contains(&format!(" PORT={port}")), "{told}");
    assert!(told.contains(" HELO=client.example.test"), "{told}");
    assert!(back_end.commands().contains(&"EHLO client.example.test".to_owned()));
}

/// A connection that waits for the next message was told who the client said it was.
#[tokio::test]
async fn who_calls_itself_otherwise_gets_a_connection_of_its_own() {
    let ways = Ways {
        hello: Do::Say("250-back.example.test\r\n250 XCLIENT ADDR HELO\r\n"),
        xclient: Some(Do::Say("220 back.example.test ready\r\n")),
        ..Ways::default()
    };
    let back_end = BackEnd::start(ways).await;
    let mut plan = Plan::default();
    plan.backend.client_identity = ClientIdentity::Command;
    let house = House::start_with(plan);
    house.answer("user1@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    for hello in ["one.test", "one.test", "other.test"] {
        client.say(&format!("EHLO {hello}\r\n")).await;
        assert!(client.reply().await.contains("250"));
        let reply = client.send("sender@c.test", &["user1@a.test"], BODY).await;
        assert_eq!(reply, "250 2.0.0 taken");
    }
    let commands = back_end.commands();
    let told: Vec<_> = commands.iter().filter(|line| line.starts_with("XCLIENT")).collect();
    assert!(told[0].contains("HELO=one.test"), "{told:?}");
    assert!(told[1].contains("HELO=other.test"), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
}

#[tokio::test]
async fn by_a_proxy_header() {
    for identity in [ClientIdentity::ProxyV1, ClientIdentity::ProxyV2] {
        let back_end = BackEnd::start(Ways { proxy: true, ..Ways::default() }).await;
        let mut plan = Plan::default();
        plan.backend.client_identity = identity;
        let house = House::start_with(plan);
        house.answer("user1@a.test", to(&[back_end.address]));
        let mut client = house.client().await;
        let reply = client.send("sender@c.test", &["user1@a.test"], BODY).await;
        assert_eq!(reply, "250 2.0.0 taken");
        let [header] = &back_end.headers()[..] else { panic!("{identity:?}") };
        assert_eq!(header.source, Some(client.stream.local_addr().unwrap()));
        assert_eq!(header.destination, Some(house.address));
        // The session's id in the log; version 1 has no room for it.
        let id = header.unique_id.as_ref().map(|id| id.len());
        assert_eq!(id.is_some_and(|len| len > 8), identity == ClientIdentity::ProxyV2, "{id:?}");
    }
}

#[tokio::test]
async fn nobody_is_told_who_is_not_to_be() {
    let back_end = BackEnd::start(Ways {
        hello: Do::Say("250-back.example.test\r\n250 XCLIENT ADDR\r\n"),
        ..Ways::default()
    })
    .await;
    let house = House::start();
    house.answer("user1@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    let reply = client.send("sender@c.test", &["user1@a.test"], BODY).await;
    assert_eq!(reply, "250 2.0.0 taken");
    assert_eq!(back_end.commands()[0], "EHLO mx.example.test");
    assert!(back_end.commands().iter().all(|line| !line.starts_with("XCLIENT")));
}

#[tokio::test]
async fn commands_behind_starttls_end_the_session() {
    let mut plan = Plan::default();
    plan.entrance.encryption = Encryption::Starttls;
    let back_end = BackEnd::good().await;
    let house = House::start_with(plan);
    house.answer("user1@a.test", to(&[back_end.address]));
    let mut client = Client::connect(house.address).await;
    assert!(client.hello(false).await.contains("250-STARTTLS"));
    client.say("STARTTLS\r\nMAIL FROM:<s@c.test>\r\nRCPT TO:<user1@a.test>\r\n").await;
    let reply = client.reply().await;
    assert_eq!(reply, "421 4.7.0 Nothing may follow STARTTLS before TLS has begun.");
    assert!(client.is_closed().await);
    assert!(back_end.commands().is_empty());
}
