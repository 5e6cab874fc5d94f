//! Submission on the driver of all protocols.

use std::sync::Arc;
use std::time::{Duration, Instant};

use waypost_model::{Encryption, Protocol};
use waypost_net::backend::{BackendSettings, ClientIdentity};

use crate::support::{BackEnd, Client, Do, House, Plan, Script, nobody};

/// `\0user1\0secret`.
const AUTH: &str = "AUTH PLAIN AHVzZXIxAHNlY3JldA==\r\n";
const GREET: Do = Do::Say("220 north.test ESMTP\r\n");
const EHLO: Do = Do::Hear("EHLO client.test");
const OFFER: Do = Do::Say("250-north.test\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 1000\r\n");
const GOOD: &[Do] = &[
    GREET,
    EHLO,
    OFFER,
    Do::Hear("AUTH PLAIN AHVzZXIxAHNlY3JldA=="),
    Do::Say("235 2.7.0 Welcome\r\n"),
    Do::Echo,
];

fn plan() -> Plan {
    let backend = BackendSettings {
        encryption: Encryption::None,
        connect_timeout: Duration::from_millis(500),
        reply_timeout: Duration::from_millis(500),
        ..BackendSettings::new(Protocol::Submission)
    };
    Plan { protocol: Protocol::Submission, backend, ..Plan::default() }
}

/// A client that has said EHLO.
async fn client(house: &House) -> Client {
    let mut client = house.client().await;
    client.say("EHLO client.test\r\n").await;
    let offered = client.reply().await;
    assert!(offered.starts_with("250-mx.test\r\n") && offered.contains("AUTH PLAIN"), "{offered}");
    client
}

/// What a login is answered with a back end that follows `script`.
async fn answer(script: &'static [Do]) -> String {
    let back_end = BackEnd::start(script).await;
    let house = House::start_with(Script::To(vec![back_end.address]), plan());
    let mut client = client(&house).await;
    client.say(AUTH).await;
    client.reply().await
}

#[tokio::test]
async fn a_session_is_handed_over_and_ehlo_stays_in_force() {
    let back_end = BackEnd::start(GOOD).await;
    let house = House::start_with(Script::To(vec![back_end.address]), plan());
    let mut client = client(&house).await;
    let message = "MAIL FROM:<user1@a.test>\r\nRCPT TO:<b@b.test>\r\n";
    client.say(&format!("{AUTH}{message}")).await;
    assert_eq!(client.reply().await, "235 2.7.0 Welcome\r\n");
    assert_eq!(client.line().await + &client.line().await, message);
    assert_eq!(house.process.sessions.count(), 1);
}

#[tokio::test]
async fn the_back_end_hears_what_the_client_calls_itself() {
    let back_end = BackEnd::start(&[GREET, Do::Sulk]).await;
    let house = House::start_with(Script::To(vec![back_end.address]), plan());
    let mut client = house.client().await;
    client.say(&format!("EHLO [192.0.2.7]\r\n{AUTH}")).await;
    client.reply().await;
    client.reply().await;
    assert_eq!(back_end.heard(), "EHLO [192.0.2.7]\r\n");

    // Or Waypost's own name, where the client's cannot be said.
    let back_end = BackEnd::start(&[GREET, Do::Sulk]).await;
    house.answer(Script::To(vec![back_end.address]));
    client.say("EHLO no(name)\r\nAUTH PLAIN AHVzZXIyAHNlY3JldA==\r\n").await;
    client.reply().await;
    client.reply().await;
    assert_eq!(back_end.heard(), "EHLO mx.test\r\n");
}

#[tokio::test]
async fn the_back_end_is_told_of_the_client_where_it_is_trusted() {
    const TRUSTS: &[Do] = &[
        GREET,
        EHLO,
        Do::Say("250-north.test\r\n250 XCLIENT NAME ADDR PROTO HELO PORT\r\n"),
        Do::Hear("XCLIENT NAME=[UNAVAILABLE] ADDR=127.0.0.1 PORT="),
        Do::Say("220 north.test ESMTP\r\n"),
        EHLO,
        OFFER,
        Do::Hear("AUTH PLAIN"),
        Do::Say("235 2.7.0 Welcome\r\n"),
        Do::Echo,
    ];
    // Without being configured as well: else a client could say it behind its login.
    for identity in [ClientIdentity::Command, ClientIdentity::None] {
        let back_end = BackEnd::start(TRUSTS).await;
        let mut plan = plan();
        plan.backend.client_identity = identity;
        let house = House::start_with(Script::To(vec![back_end.address]), plan);
        let mut client = client(&house).await;
        client.say(AUTH).await;
        assert_eq!(client.reply().await, "235 2.7.0 Welcome\r\n");
        let heard = back_end.heard();
        assert!(heard.contains(" PROTO=ESMTP HELO=client.test\r\n"), "{heard}");
    }
}

#[tokio::test]
async fn a_back_end_that_has_a_proxy_header_is_told_no_more() {
    const OFFERS: &[Do] = &[
        GREET,
        Do::Hear("PROXY TCP4 127.0.0.1 "),
        EHLO,
        Do::Say("250-north.test\r\n250-XCLIENT ADDR\r\n250 AUTH PLAIN\r\n"),
        Do::Hear("AUTH PLAIN"),
        Do::Say("235 2.7.0 Welcome\r\n"),
        Do::Echo,
    ];
    let back_end = BackEnd::start(OFFERS).await;
    let mut plan = plan();
    plan.backend.client_identity = ClientIdentity::ProxyV1;
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let mut client = client(&house).await;
    client.say(AUTH).await;
    assert_eq!(client.reply().await, "235 2.7.0 Welcome\r\n");
    assert!(!back_end.heard().contains("XCLIENT"), "{}", back_end.heard());
}

#[tokio::test]
async fn a_wrong_password_is_answered_late_in_one_wording_and_the_session_goes_on() {
    const WRONG: &[Do] =
        &[GREET, EHLO, OFFER, Do::Hear("AUTH"), Do::Say("535 5.7.8 north says no\r\n"), Do::Sulk];
    let back_end = BackEnd::start(WRONG).await;
    let house = House::start_with(Script::To(vec![back_end.address]), plan());
    let mut client = client(&house).await;
    let began = Instant::now();
    client.say(AUTH).await;
    assert_eq!(client.reply().await, "535 5.7.8 Authentication failed.\r\n");
    assert!(began.elapsed() >= Duration::from_millis(100));

    house.answer(Script::Unknown);
    let began = Instant::now();
    client.say("AUTH PLAIN AHVzZXIyAHNlY3JldA==\r\n").await;
    assert_eq!(client.reply().await, "535 5.7.8 Authentication failed.\r\n");
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn other_refusals_pass_in_the_back_ends_words() {
    const LOCKED: &[Do] = &[
        GREET,
        EHLO,
        OFFER,
        Do::Hear("AUTH"),
        Do::Say("550-5.7.1 Locked\r\n550 5.7.1 until May\r\n"),
        Do::Sulk,
    ];
    assert_eq!(answer(LOCKED).await, "550 5.7.1 Locked until May\r\n");
}

#[tokio::test]
async fn what_is_not_the_clients_fault_is_temporary() {
    for script in [
        &[Do::Say("554 5.7.1 go away\r\n")] as &[Do],
        &[Do::Say("* OK IMAP4rev1\r\n")],
        &[GREET, Do::Hear("EHLO"), Do::Say("250-north.test\r\n250 SIZE 1000\r\n"), Do::Sulk],
        &[GREET, Do::Hear("EHLO"), Do::Say("250-north.test\r\n250 AUTH CRAM-MD5\r\n"), Do::Sulk],
        &[GREET, EHLO, OFFER, Do::Hear("AUTH"), Do::Say("454 4.7.0 later\r\n"), Do::Sulk],
        &[GREET, EHLO, OFFER, Do::Hear("AUTH"), Do::Say("530 5.7.0 TLS first\r\n"), Do::Sulk],
        &[GREET, EHLO, OFFER, Do::Hear("AUTH"), Do::Say("421 4.3.2 bye\r\n")],
        &[GREET, EHLO, OFFER, Do::Hear("AUTH"), Do::Say("250 2.0.0 Ok\r\n"), Do::Sulk],
        &[GREET, EHLO, OFFER, Do::Hear("AUTH")],
        &[GREET, EHLO, OFFER, Do::Sulk],
    ] {
        let reply = answer(script).await;
        assert!(reply.starts_with("454 4.7.0 "), "{script:?}: {reply}");
    }
}

#[tokio::test]
async fn the_next_target_is_tried_until_one_has_seen_the_credential() {
    let (broken, good) = (
        BackEnd::start(&[GREET, Do::Hear("EHLO"), Do::Say("250 north.test\r\n"), Do::Sulk]).await,
        BackEnd::start(GOOD).await,
    );
    let targets = vec![nobody().await, broken.address, good.address];
    let house = House::start_with(Script::To(targets), plan());
    let mut client = client(&house).await;
    client.say(AUTH).await;
    assert_eq!(client.reply().await, "235 2.7.0 Welcome\r\n");
    assert!(!broken.heard().contains("AUTH"), "{}", broken.heard());
}

#[tokio::test]
async fn login_is_spoken_where_the_back_end_offers_nothing_else() {
    const LOGIN: &[Do] = &[
        GREET,
        EHLO,
        Do::Say("250-north.test\r\n250 AUTH LOGIN\r\n"),
        Do::Hear("AUTH LOGIN"),
        Do::Say("334 VXNlcm5hbWU6\r\n"),
        Do::Hear("dXNlcjE="),
        Do::Say("334 UGFzc3dvcmQ6\r\n"),
        Do::Hear("c2VjcmV0"),
        Do::Say("235 in\r\n"),
        Do::Echo,
    ];
    assert_eq!(answer(LOGIN).await, "235 2.7.0 in\r\n");
}

#[tokio::test]
async fn tokens_are_relayed_message_by_message() {
    const REFUSES: &[Do] = &[
        GREET,
        EHLO,
        Do::Say("250-north.test\r\n250 AUTH OAUTHBEARER\r\n"),
        Do::Hear("AUTH OAUTHBEARER bixhPXVzZXIxQGEudGVzdCw"),
        Do::Say("334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"),
        Do::Hear("AQ=="),
        Do::Say("535 5.7.8 no\r\n"),
        Do::Sulk,
    ];
    let back_end = BackEnd::start(REFUSES).await;
    let house = House::start_with(Script::To(vec![back_end.address]), plan());
    let mut client = client(&house).await;
    client.say("AUTH OAUTHBEARER bixhPXVzZXIxQGEudGVzdCwBYXV0aD1CZWFyZXIgdG9rZW4BAQ==\r\n").await;
    assert_eq!(client.reply().await, "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n");
    client.say("AQ==\r\n").await;
    assert_eq!(client.reply().await, "535 5.7.8 Authentication failed.\r\n");
}

#[tokio::test]
async fn no_credential_goes_out_in_clear_where_tls_is_demanded() {
    let back_end = BackEnd::start(&[GREET, Do::Hear("EHLO"), OFFER, Do::Sulk]).await;
    let connector = waypost_net::tls::Connector::new(waypost_net::tls::ConnectorSettings {
        verify: false,
        ..Default::default()
    });
    let mut plan = plan();
    plan.backend.encryption = Encryption::Starttls;
    plan.backend.tls = Some(connector.expect("a connector without settings"));
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let mut client = client(&house).await;
    client.say(AUTH).await;
    let reply = client.reply().await;
    assert!(reply.starts_with("454 4.7.0 "), "{reply}");
    // Nothing of the client either.
    assert_eq!(back_end.heard(), "EHLO mx.test\r\n");
}

#[tokio::test]
async fn whoever_has_too_many_sessions_or_too_much_time_is_told_goodbye() {
    let back_end = BackEnd::start(GOOD).await;
    let mut with_limit = plan();
    with_limit.max_connections_per_user = Some(1);
    let house = House::start_with(Script::To(vec![back_end.address]), with_limit);
    let mut first = client(&house).await;
    first.say(AUTH).await;
    assert_eq!(first.reply().await, "235 2.7.0 Welcome\r\n");
    let mut second = client(&house).await;
    second.say(AUTH).await;
    assert_eq!(second.reply().await, "421 4.7.0 too many sessions of this user\r\n");

    let mut hasty = plan();
    hasty.settings.timeout = Duration::from_millis(300);
    let house = House::start_with(Script::Unknown, hasty);
    let mut client = house.client().await;
    assert_eq!(client.line().await, "421 4.4.2 You took too long.\r\n");
    assert_eq!(client.line().await, "");
}

#[tokio::test]
async fn a_policy_knows_the_protocol_and_the_mechanism() {
    let house = House::start_with(Script::DirectoryDown, plan());
    let mut client = client(&house).await;
    client.say(AUTH).await;
    let reply = client.reply().await;
    assert!(reply.starts_with("454 4.7.0 "), "{reply}");
    let context = house.policy.context.load_full().expect("the policy was asked");
    assert_eq!(context.protocol, Protocol::Submission);
    assert_eq!(context.mechanism, Some(Arc::from("PLAIN")));
    assert_eq!(context.login_name, Some(Arc::from("user1")));
}
