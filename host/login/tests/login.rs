//! What a mail client and the back ends see of one login.

mod certificates;
mod submission;
mod support;
mod verification;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use support::{ACCEPT, BackEnd, Do, GREET, House, Plan, Script, nobody};
use waypost_login::Settings;
use waypost_model::{Encryption, Protocol};
use waypost_net::backend::{BackendSettings, ClientIdentity};

const GOOD: &[Do] = &[GREET, ACCEPT, Do::Echo];
const WRONG_PASSWORD: &[Do] =
    &[GREET, Do::Reply("LOGIN", "NO [AUTHENTICATIONFAILED] north says no"), Do::Sulk];

#[tokio::test]
async fn a_session_is_handed_over_with_the_back_ends_capabilities() {
    let back_end = BackEnd::start(GOOD).await;
    let house = House::start(Script::To(vec![back_end.address]));
    let (mut client, reply) = house.log_in("user1", "secret").await;
    assert_eq!(reply, "a OK [CAPABILITY IMAP4rev1 IDLE] in\r\n");
    client.say("b NOOP\r\n").await;
    assert_eq!(client.line().await, "b NOOP\r\n");
    assert!(back_end.heard().contains("LOGIN"), "{}", back_end.heard());
    assert_eq!(house.process.sessions.count(), 1);
}

#[tokio::test]
async fn what_the_client_pipelines_behind_its_login_arrives_in_order() {
    let back_end = BackEnd::start(GOOD).await;
    let house = House::start(Script::To(vec![back_end.address]));
    let mut client = house.client().await;
    client.say("a LOGIN user1 secret\r\nb SELECT INBOX\r\nc FETCH 1 BODY[]\r\n").await;
    client.tagged("a").await;
    assert_eq!(client.line().await, "b SELECT INBOX\r\n");
    assert_eq!(client.line().await, "c FETCH 1 BODY[]\r\n");
}

#[tokio::test]
async fn the_next_target_is_tried_when_one_cannot_be_reached() {
    let back_end = BackEnd::start(GOOD).await;
    let house = House::start(Script::To(vec![nobody().await, back_end.address]));
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a OK"), "{reply}");
}

#[tokio::test]
async fn the_next_target_is_tried_when_one_fails_before_the_credential() {
    for script in [
        &[Do::Say("* PREAUTH welcome\r\n"), Do::Sulk] as &[Do],
        &[Do::Say("* BYE not today\r\n")],
        &[Do::Say("220 smtp.example.test ESMTP\r\n"), Do::Sulk],
        &[Do::Say("a OK early\r\n"), Do::Sulk],
        &[Do::Sulk],
        &[],
    ] {
        let broken = BackEnd::start(script).await;
        let good = BackEnd::start(GOOD).await;
        let house = House::start(Script::To(vec![broken.address, good.address]));
        let (_client, reply) = house.log_in("user1", "secret").await;
        assert!(reply.starts_with("a OK"), "{script:?}: {reply}");
        assert!(!broken.heard().contains("secret"), "{script:?}: {}", broken.heard());
    }
}

#[tokio::test]
async fn a_credential_is_shown_to_one_target_only() {
    const DIES: &[Do] = &[GREET, Do::Hear("LOGIN")];
    let (first, second) = (BackEnd::start(DIES).await, BackEnd::start(GOOD).await);
    let plan = Plan {
        settings: Settings {
            retry_for: Duration::from_secs(1),
            auth_failure_delay: Duration::ZERO,
            ..Settings::default()
        },
        ..Plan::default()
    };
    let house = House::start_with(Script::To(vec![first.address, second.address]), plan);
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    assert!(first.heard().matches("secret").count() > 1, "it is tried again there");
    assert_eq!(second.heard(), "");
}

/// The target that has seen the credential goes away altogether: no other one sees it for that.
#[tokio::test]
async fn a_credential_is_shown_to_one_target_only_though_it_vanishes() {
    const DIES: &[Do] = &[GREET, Do::Hear("LOGIN")];
    let (first, second) = (BackEnd::start(DIES).await, BackEnd::start(GOOD).await);
    let settings = Settings { retry_for: Duration::from_secs(3), ..Settings::default() };
    let house = House::start_with(
        Script::To(vec![first.address, second.address]),
        Plan { settings, ..Plan::default() },
    );
    let mut client = house.client().await;
    client.say("a LOGIN user1 secret\r\n").await;
    while !first.heard().contains("secret") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(first);
    let reply = client.tagged("a").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    assert_eq!(second.heard(), "");
}

/// While nobody can say whether the user has moved, the password that was rejected is not sent
/// again: servers lock accounts for that.
#[tokio::test]
async fn a_rejected_password_is_sent_once_though_the_directory_is_down() {
    let good = BackEnd::start(&[GREET, ACCEPT]).await;
    let settings = Settings { retry_for: Duration::from_secs(2), ..Settings::default() };
    let plan = Plan { settings, cache_for: Duration::from_millis(100), ..Plan::default() };
    let house = House::start_with(Script::To(vec![good.address]), plan);
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a OK"), "{reply}");
    let address = good.address;
    drop(good);
    tokio::task::yield_now().await;
    let strict = BackEnd::start_at(address, WRONG_PASSWORD).await;
    house.answer(Script::DirectoryDown);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (_client, reply) = house.log_in("user1", "wrong").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    assert_eq!(strict.heard().matches("wrong").count(), 1, "{}", strict.heard());
}

#[tokio::test]
async fn a_wrong_password_is_answered_late_in_one_wording_and_the_session_goes_on() {
    let back_end = BackEnd::start(WRONG_PASSWORD).await;
    let house = House::start(Script::To(vec![back_end.address]));
    let mut client = house.client().await;
    let began = Instant::now();
    client.say("a LOGIN user1 wrong\r\n").await;
    let wrong = client.tagged("a").await;
    assert!(began.elapsed() >= Duration::from_millis(100));
    assert!(wrong.starts_with("a NO [AUTHENTICATIONFAILED]"), "{wrong}");
    assert!(!wrong.contains("north"), "{wrong}");

    house.answer(Script::Unknown);
    let began = Instant::now();
    client.say("a LOGIN user2 wrong\r\n").await;
    assert_eq!(client.tagged("a").await, wrong, "nobody learns who exists");
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn other_codes_pass_in_the_back_ends_words() {
    const LIMIT: &[Do] = &[GREET, Do::Reply("LOGIN", "NO [LIMIT] too many for you"), Do::Sulk];
    let back_end = BackEnd::start(LIMIT).await;
    let house = House::start(Script::To(vec![back_end.address]));
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert_eq!(reply, "a NO [LIMIT] too many for you\r\n");
}

#[tokio::test]
async fn a_rejection_on_a_cached_route_asks_again_and_follows_the_user() {
    let old = BackEnd::start(&[GREET, ACCEPT]).await;
    let house = House::start(Script::To(vec![old.address]));
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a OK"), "{reply}");

    let address = old.address;
    drop(old);
    tokio::task::yield_now().await;
    let (old, new) = (BackEnd::start_at(address, WRONG_PASSWORD).await, BackEnd::start(GOOD).await);
    house.answer(Script::To(vec![new.address]));
    // An answer younger than a second is not asked for again.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a OK"), "{reply}");
    assert!(old.heard().contains("secret") && new.heard().contains("secret"));
}

#[tokio::test]
async fn a_rejection_on_a_fresh_route_stands() {
    let back_end = BackEnd::start(WRONG_PASSWORD).await;
    let house = House::start(Script::To(vec![back_end.address]));
    let (_client, reply) = house.log_in("user1", "wrong").await;
    assert!(reply.starts_with("a NO [AUTHENTICATIONFAILED]"), "{reply}");
    assert_eq!(house.policy.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_passes_in_a_moment_is_not_told_to_the_client() {
    let back_end = BackEnd::start(GOOD).await;
    let settings = Settings { retry_for: Duration::from_secs(5), ..Settings::default() };
    let plan = Plan { settings, ..Plan::default() };
    let house = House::start_with(Script::DirectoryDown, plan);
    let mut client = house.client().await;
    client.say("a LOGIN user1 secret\r\n").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    house.answer(Script::To(vec![back_end.address]));
    let reply = client.tagged("a").await;
    assert!(reply.starts_with("a OK"), "{reply}");
}

#[tokio::test]
async fn trouble_is_a_temporary_error_at_once_when_nothing_is_tried_again() {
    let house = House::start(Script::DirectoryDown);
    let began = Instant::now();
    let (mut client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    assert!(began.elapsed() < Duration::from_millis(90), "it is no failed login");
    client.say("b NOOP\r\n").await;
    assert!(client.tagged("b").await.starts_with("b OK"));
}

#[tokio::test]
async fn no_credential_goes_out_in_clear_where_tls_is_demanded() {
    const WITHOUT: &[Do] = &[Do::Say("* OK [CAPABILITY IMAP4rev1] no TLS\r\n"), Do::Sulk];
    let back_end = BackEnd::start(WITHOUT).await;
    let connector = waypost_net::tls::Connector::new(waypost_net::tls::ConnectorSettings {
        verify: false,
        ..Default::default()
    });
    let backend = BackendSettings {
        encryption: Encryption::Starttls,
        tls: Some(connector.unwrap()),
        reply_timeout: Duration::from_millis(500),
        ..BackendSettings::new(Protocol::Imap)
    };
    let plan = Plan { backend, ..Plan::default() };
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    assert!(!back_end.heard().contains("secret"), "{}", back_end.heard());
}

#[tokio::test]
async fn a_target_outside_the_grant_is_not_connected_to() {
    let forbidden = BackEnd::start_at("127.0.0.99:0".parse().unwrap(), GOOD).await;
    let house = House::start(Script::To(vec![forbidden.address]));
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    assert_eq!(forbidden.heard(), "");
}

#[tokio::test]
async fn a_target_that_is_waypost_itself_is_refused() {
    let house = House::start(Script::Unknown);
    house.answer(Script::To(vec![house.address]));
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
}

#[tokio::test]
async fn a_session_that_runs_in_a_circle_is_refused() {
    let back_end = BackEnd::start(GOOD).await;
    let house = House::start(Script::To(vec![back_end.address]));
    let mut client = house.client().await;
    client.say("i ID (\"x-proxy-ttl\" \"0\")\r\na LOGIN user1 secret\r\n").await;
    let began = Instant::now();
    let reply = client.tagged("a").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    assert!(began.elapsed() >= Duration::from_millis(100), "held back as any no");
    assert_eq!(back_end.heard(), "");
}

/// Whatever the back end is told besides.
#[tokio::test]
async fn what_proxies_count_is_counted_on() {
    const WITH_ID: &[Do] =
        &[GREET, Do::Reply(" ID ", "OK"), Do::Reply("LOGIN", "OK [CAPABILITY IMAP4rev1] in")];
    for (identity, said, heard) in [
        (ClientIdentity::None, Some("3"), Some("\"x-proxy-ttl\" \"2\"")),
        (ClientIdentity::Command, Some("3"), Some("\"x-proxy-ttl\" \"2\"")),
        (ClientIdentity::Command, Some("99"), Some("\"x-proxy-ttl\" \"7\"")),
        (ClientIdentity::Command, None, Some("\"x-proxy-ttl\" \"7\"")),
        (ClientIdentity::None, None, None),
    ] {
        let back_end = BackEnd::start(if heard.is_some() { WITH_ID } else { GOOD }).await;
        let mut plan = Plan::default();
        plan.backend.client_identity = identity;
        let house = House::start_with(Script::To(vec![back_end.address]), plan);
        let mut client = house.client().await;
        if let Some(ttl) = said {
            client.say(&format!("i ID (\"x-proxy-ttl\" \"{ttl}\")\r\n")).await;
        }
        client.say("a LOGIN user1 secret\r\n").await;
        let reply = client.tagged("a").await;
        assert!(reply.starts_with("a OK"), "{reply}");
        match heard {
            Some(heard) => assert!(back_end.heard().contains(heard), "{}", back_end.heard()),
            None => assert!(!back_end.heard().contains("ID ("), "{}", back_end.heard()),
        }
    }
}

/// The addresses, and the session's name as the log has it.
#[tokio::test]
async fn a_proxy_header_names_the_session() {
    // The header ends with no line, so that the tag is not the first word of one.
    const AFTER_A_HEADER: &[Do] =
        &[GREET, Do::Hear("LOGIN"), Do::Say("W4 OK [CAPABILITY IMAP4rev1] in\r\n"), Do::Echo];
    let back_end = BackEnd::start(AFTER_A_HEADER).await;
    let mut plan = Plan::default();
    plan.backend.client_identity = ClientIdentity::ProxyV2;
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a OK"), "{reply}");
    let heard = back_end.heard();
    let header = heard.split("W4").next().unwrap();
    assert!(header.starts_with("\r\n\r\n\0\r\nQUIT\n"), "{header:?}");
    // PP2_TYPE_UNIQUE_ID, 16 octets.
    let id = header.split("\u{5}\0\u{10}").nth(1).unwrap();
    assert!(id.len() >= 16 && id.bytes().take(16).all(|b| b.is_ascii_hexdigit()), "{header:?}");
}

#[tokio::test]
async fn tokens_are_relayed_message_by_message() {
    const REFUSES: &[Do] = &[
        Do::Say("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=OAUTHBEARER] ready\r\n"),
        Do::Hear("AUTHENTICATE OAUTHBEARER"),
        Do::Say("+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"),
        Do::Hear("AQ=="),
        Do::Sulk,
    ];
    let back_end = BackEnd::start(REFUSES).await;
    let house = House::start(Script::To(vec![back_end.address]));
    let mut client = house.client().await;
    client
        .say("a AUTHENTICATE OAUTHBEARER bixhPXVzZXIxQGEudGVzdCwBYXV0aD1CZWFyZXIgdG9rZW4BAQ==\r\n")
        .await;
    assert_eq!(client.line().await, "+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n");
    client.say("AQ==\r\n").await;
    // The back end never answers; the client hears that after the reply timeout.
    let reply = client.tagged("a").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    assert!(back_end.heard().contains("AQ=="), "{}", back_end.heard());
}

#[tokio::test]
async fn one_user_has_as_many_sessions_as_allowed_and_a_failed_login_takes_none() {
    let back_end = BackEnd::start(GOOD).await;
    let plan = Plan { max_connections_per_user: Some(1), ..Plan::default() };
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let (first, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a OK"), "{reply}");
    let mut second = house.client().await;
    second.say("a LOGIN user1 secret\r\n").await;
    assert!(second.line().await.starts_with("* BYE"));
    let (_third, reply) = house.log_in("user2", "secret").await;
    assert!(reply.starts_with("a OK"), "another user is not concerned: {reply}");
    drop(first);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (_fourth, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a OK"), "{reply}");
}

#[tokio::test]
async fn a_client_that_does_not_log_in_is_told_goodbye() {
    let settings = Settings { timeout: Duration::from_millis(300), ..Settings::default() };
    let plan = Plan { settings, ..Plan::default() };
    let house = House::start_with(Script::Unknown, plan);
    let mut client = house.client().await;
    assert!(client.line().await.starts_with("* BYE"));
    assert_eq!(client.line().await, "");
}

#[tokio::test]
async fn a_session_can_be_ended_while_its_back_end_is_awaited() {
    let back_end = BackEnd::start(&[Do::Sulk]).await;
    let mut plan = Plan::default();
    plan.backend.reply_timeout = Duration::from_secs(30);
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let mut client = house.client().await;
    client.say("a LOGIN user1 secret\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(house.process.sessions.kill_all(), 1);
    assert!(client.line().await.starts_with("* BYE"));
}
