//! Passwords checked at the front, what reaches the back ends then, and what failed logins cost.

#![expect(clippy::unwrap_used, reason = "what cannot be set up has failed the test")]

mod table;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use waypost_directory::{
    BarePassword, Directory, FaultyDirectory, LdifDirectory, LdifSettings, LdifSource, SearchError,
};
use waypost_model::{Principal, Protocol, Verification};
use waypost_net::backend::{BackendSettings, Entry, MasterForm, MasterUser};
use waypost_verify::FailureSettings;

use crate::support::{ACCEPT, BackEnd, Do, GREET, House, Plan, Script};

const GOOD: &[Do] = &[GREET, ACCEPT, Do::Echo];
/// Takes AUTHENTICATE PLAIN.
const TAKES_PLAIN: &[Do] =
    &[GREET, Do::Reply("AUTHENTICATE", "OK [CAPABILITY IMAP4rev1 IDLE] in"), Do::Echo];
const WRONG_PASSWORD: &[Do] =
    &[GREET, Do::Reply(" ", "NO [AUTHENTICATIONFAILED] north says no"), Do::Sulk];
const NO: &str = "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n";

/// `secret`, by `openssl passwd -6`.
const HASHED: &str = concat!(
    "{CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQ",
    "SpT0Y77vwPZN.Pq.H91p5hVO1",
);

/// A directory with `user1` in it, who has these passwords.
fn directory(passwords: &[&str]) -> Directory {
    let mut ldif = "dn: dc=a,dc=test\nobjectClass: domain\ndc: a\n\ndn: cn=user1,dc=a,dc=test\n\
                    objectClass: person\ncn: user1\n"
        .to_owned();
    for password in passwords {
        ldif += &format!("userPassword: {password}\n");
    }
    let settings = LdifSettings {
        password_field: Some("userPassword".to_owned()),
        bare_passwords: BarePassword::Clear,
        ..LdifSettings::new("main", LdifSource::Content(Arc::from(ldif.into_bytes())))
    };
    Directory::Ldif(LdifDirectory::load(settings, &waypost_directory::Metrics::default()).unwrap())
}

fn principal() -> Principal {
    Principal { directory: Arc::from("main"), dn: Arc::from("cn=user1,dc=a,dc=test") }
}

fn checked(directory: Directory) -> Plan {
    Plan {
        by: Verification::ByPassword(principal()),
        directories: HashMap::from([(Arc::from("main"), directory)]),
        ..Plan::default()
    }
}

fn entered_with(entry: Entry, directory: Directory) -> Plan {
    let plan = checked(directory);
    Plan { backend: BackendSettings { entry, ..plan.backend.clone() }, ..plan }
}

fn master(form: MasterForm) -> Entry {
    Entry::Master(MasterUser { name: "root".into(), password: "master".into(), form })
}

#[tokio::test]
async fn only_a_right_password_reaches_a_back_end() {
    for by in [Verification::ByPassword(principal()), Verification::ByBind(principal())] {
        let back_end = BackEnd::start(GOOD).await;
        let plan = Plan { by, ..checked(directory(&["{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="])) };
        let house = House::start_with(Script::To(vec![back_end.address]), plan);
        let began = Instant::now();
        let (_client, reply) = house.log_in("user1", "wrong").await;
        assert_eq!(reply, NO);
        assert!(began.elapsed() >= Duration::from_millis(100), "as late as any other no");
        assert_eq!(back_end.heard(), "", "it has not even been connected to");
        let (_client, reply) = house.log_in("user1", "secret").await;
        assert!(reply.starts_with("a OK"), "{reply}");
        assert!(back_end.heard().contains("secret"), "{}", back_end.heard());
    }
}

#[tokio::test]
async fn whoever_has_no_password_is_not_let_in() {
    for (what, passwords, expected) in [
        ("none", &[][..], NO),
        ("unknown scheme", &["{KERBEROS}user1"], "a NO [UNAVAILABLE]"),
        ("too costly", &["$6$rounds=999999999$salt$x"], "a NO [UNAVAILABLE]"),
    ] {
        let back_end = BackEnd::start(GOOD).await;
        let plan = checked(directory(passwords));
        let house = House::start_with(Script::To(vec![back_end.address]), plan);
        for password in ["secret", "x", "{KERBEROS}user1", "$6$rounds=999999999$salt$x"] {
            let quoted = format!("\"{password}\"");
            let (_client, reply) = house.log_in("user1", &quoted).await;
            assert!(reply.starts_with(expected), "{what}, {password}: {reply}");
        }
        assert_eq!(back_end.heard(), "", "{what}");
    }
}

#[tokio::test]
async fn one_of_several_passwords_will_do_though_another_cannot_be_used() {
    let back_end = BackEnd::start(GOOD).await;
    let plan = checked(directory(&["{KERBEROS}user1", HASHED, "other"]));
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    for password in ["other", "secret"] {
        let (_client, reply) = house.log_in("user1", password).await;
        assert!(reply.starts_with("a OK"), "{password}: {reply}");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_asked_is_a_temporary_error() {
    let back_end = BackEnd::start(GOOD).await;
    let faulty = FaultyDirectory::new(directory(&["secret"]));
    let plan = checked(Directory::Faulty(faulty.clone()));
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    faulty.fail(SearchError::Unavailable("it is down".into()));
    for password in ["secret", "wrong"] {
        let (_client, reply) = house.log_in("user1", password).await;
        assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    }
    assert_eq!(back_end.heard(), "");
    faulty.heal();
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a OK"), "{reply}");
}

#[tokio::test]
async fn a_directory_that_there_is_not_lets_nobody_in() {
    let back_end = BackEnd::start(GOOD).await;
    let plan = Plan { directories: HashMap::new(), ..checked(directory(&["secret"])) };
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    assert_eq!(back_end.heard(), "");
}

#[tokio::test]
async fn a_master_user_enters_in_the_users_name() {
    let back_end = BackEnd::start(TAKES_PLAIN).await;
    let plan = entered_with(master(MasterForm::AuthorisationId), directory(&["secret"]));
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a OK"), "{reply}");
    // user1 NUL root NUL master
    let heard = back_end.heard();
    assert!(heard.contains("dXNlcjEAcm9vdABtYXN0ZXI="), "{heard}");
    assert!(!heard.contains("secret"), "{heard}");

    let back_end = BackEnd::start(GOOD).await;
    let plan = entered_with(master(MasterForm::Separator('*')), directory(&["secret"]));
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a OK"), "{reply}");
    assert!(back_end.heard().contains("LOGIN \"user1*root\" \"master\""), "{}", back_end.heard());
}

#[tokio::test]
async fn a_password_of_the_back_ends_own_takes_the_clients_place() {
    let back_end = BackEnd::start(GOOD).await;
    let plan = entered_with(Entry::Password("shared".into()), directory(&["secret"]));
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a OK"), "{reply}");
    assert!(back_end.heard().contains("LOGIN \"user1\" \"shared\""), "{}", back_end.heard());
}

/// Where the policy leaves the password to the back end, a master user would let in anybody.
#[tokio::test]
async fn no_master_user_without_verification() {
    let back_end = BackEnd::start(TAKES_PLAIN).await;
    let plan = Plan {
        by: Verification::ByBackend,
        ..entered_with(master(MasterForm::AuthorisationId), directory(&["secret"]))
    };
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let (_client, reply) = house.log_in("user1", "anything").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    assert_eq!(back_end.heard(), "");
}

/// It is the operator's password that is wrong then, and no client is to ask its user for another.
#[tokio::test]
async fn a_back_end_that_refuses_the_master_user_is_a_temporary_error() {
    let back_end = BackEnd::start(WRONG_PASSWORD).await;
    let plan = entered_with(master(MasterForm::AuthorisationId), directory(&["secret"]));
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let (_client, reply) = house.log_in("user1", "secret").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    let (_client, reply) = house.log_in("user1", "wrong").await;
    assert_eq!(reply, NO);
}

/// A token, or a login in somebody's name, is nothing that the front could check against the entry.
#[tokio::test]
async fn what_the_front_cannot_check_goes_nowhere() {
    let back_end = BackEnd::start(GOOD).await;
    let plan = Plan { master_separator: Some('*'), ..checked(directory(&["secret"])) };
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let (_client, reply) = house.log_in("user1*root", "secret").await;
    assert_eq!(reply, NO);
    let mut client = house.client().await;
    client
        .say("a AUTHENTICATE OAUTHBEARER bixhPXVzZXIxQGEudGVzdCwBYXV0aD1CZWFyZXIgdG9rZW4BAQ==\r\n")
        .await;
    assert_eq!(client.tagged("a").await, NO);
    assert_eq!(back_end.heard(), "");
}

#[tokio::test]
async fn a_right_password_is_not_hashed_again_for_a_while() {
    let back_end = BackEnd::start(GOOD).await;
    let plan = checked(directory(&[HASHED]));
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    for _ in 0..3 {
        let (_client, reply) = house.log_in("user1", "secret").await;
        assert!(reply.starts_with("a OK"), "{reply}");
    }
    let (_client, reply) = house.log_in("user1", "secreT").await;
    assert_eq!(reply, NO, "another is not taken for it");
}

fn failing_soon() -> FailureSettings {
    FailureSettings {
        without_delay: 2,
        delay: Duration::from_millis(300),
        max_delay: Duration::from_secs(1),
        max_in_flight: 2,
        ..FailureSettings::default()
    }
}

#[tokio::test]
async fn guesses_take_longer_and_longer_and_the_right_password_ends_that() {
    let back_end = BackEnd::start(GOOD).await;
    let plan = Plan { failures: failing_soon(), ..checked(directory(&["secret"])) };
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let timed = async |password: &str| {
        let began = Instant::now();
        let (_client, reply) = house.log_in("user1", password).await;
        (began.elapsed().as_millis(), reply)
    };
    for same in ["old", "old", "old", "old"] {
        assert!(timed(same).await.0 < 250, "the same wrong password is not counted again");
    }
    assert!(timed("guess 1".replace(' ', "-").as_str()).await.0 < 250);
    let (took, reply) = timed("guess-2").await;
    assert!(took >= 300 && reply == NO, "{took} ms, {reply}");
    let (took, reply) = timed("secret").await;
    assert!(took >= 600 && reply.starts_with("a OK"), "{took} ms, {reply}");
    // The user begins anew; the network does not, and its address is the same here.
    assert!(timed("secret").await.1.starts_with("a OK"));
}

#[tokio::test]
async fn logins_at_once_are_bounded() {
    let back_end = BackEnd::start(&[Do::Sulk]).await;
    let mut plan = Plan { failures: failing_soon(), ..Plan::default() };
    plan.backend.reply_timeout = Duration::from_secs(30);
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let mut waiting = Vec::new();
    for user in ["user1", "user2"] {
        let mut client = house.client().await;
        client.say(&format!("a LOGIN {user} secret\r\n")).await;
        waiting.push(client);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (_client, reply) = house.log_in("user3", "secret").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    drop(waiting);
    // Their attempts end with them, as soon as somebody notices.
    assert_eq!(house.process.sessions.kill_all(), 3);
}

#[tokio::test]
async fn submission_is_checked_alike() {
    let plan = Plan {
        protocol: Protocol::Submission,
        backend: BackendSettings {
            encryption: waypost_model::Encryption::None,
            ..BackendSettings::new(Protocol::Submission)
        },
        ..checked(directory(&["secret"]))
    };
    let back_end = BackEnd::start(&[Do::Sulk]).await;
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let mut client = house.client().await;
    client.say("EHLO client.test\r\n").await;
    client.reply().await;
    // NUL user1 NUL wrong
    client.say("AUTH PLAIN AHVzZXIxAHdyb25n\r\n").await;
    assert!(client.reply().await.starts_with("535 5.7.8"));
    assert_eq!(back_end.heard(), "");
}

/// A client that would bring a ticket hears why that leads nowhere.
#[tokio::test]
async fn kerberos_is_refused_with_a_reason() {
    let house = House::start(Script::Unknown);
    let mut client = house.client().await;
    for mechanism in ["GSSAPI", "gss-spnego"] {
        client.say(&format!("a AUTHENTICATE {mechanism}\r\n")).await;
        let reply = client.tagged("a").await;
        assert!(reply.starts_with("a NO A Kerberos ticket"), "{reply}");
    }
}

#[tokio::test]
async fn cram_md5_is_not_there_unless_it_is_switched_on() {
    let plan = Plan {
        mechanisms: waypost_wire::login::Mechanism::USUAL.to_vec(),
        ..checked(directory(&["secret"]))
    };
    let house = House::start_with(Script::Unknown, plan);
    let mut client = house.client().await;
    client.say("a CAPABILITY\r\n").await;
    assert!(!client.line().await.contains("CRAM"));
    client.say("b AUTHENTICATE CRAM-MD5\r\n").await;
    assert!(client.tagged("b").await.starts_with("b NO There is no such mechanism"));
}

/// Else it could be told who exists: nobody who does not has a hash.
#[tokio::test]
async fn a_digest_for_a_hashed_password_is_a_wrong_password() {
    let back_end = BackEnd::start(GOOD).await;
    let house =
        House::start_with(Script::To(vec![back_end.address]), checked(directory(&[HASHED])));
    assert_eq!(table::cram_md5(&house, "user1", "secret").await, NO);
    assert_eq!(back_end.heard(), "");
}

/// Nobody learns who exists: a user whom nobody knows gets a salt too, and always the same.
#[tokio::test]
async fn scram_asks_an_unknown_user_too() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let house = House::start(Script::Unknown);
    let ask = async |user: &str| {
        let mut client = house.client().await;
        let first = STANDARD.encode(format!("n,,n={user},r=abc"));
        client.say(&format!("a AUTHENTICATE SCRAM-SHA-1 {first}\r\n")).await;
        let line = client.line().await;
        let message = STANDARD.decode(line.trim_end().strip_prefix("+ ").unwrap()).unwrap();
        client.say(&format!("{}\r\n", STANDARD.encode("c=biws,r=abc,p=x"))).await;
        assert_eq!(client.tagged("a").await, NO);
        String::from_utf8(message).unwrap()
    };
    let salt = |message: &str| message.split(',').nth(1).unwrap().to_owned();
    let (one, again, other) = (ask("ann").await, ask("ann").await, ask("bob").await);
    assert!(one.starts_with("r=abc") && one.ends_with(",i=4096"), "{one}");
    assert_eq!(salt(&one), salt(&again));
    assert_ne!(salt(&one), salt(&other));
    assert_ne!(one, again, "the nonce is another");
}

/// What ends at Waypost cannot be bound to.
#[tokio::test]
async fn scram_is_not_passed_to_a_back_end_that_binds_channels() {
    const PLUS: &[Do] = &[
        Do::Say(
            "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS] ready\r\n",
        ),
        Do::Sulk,
    ];
    let back_end = BackEnd::start(PLUS).await;
    let house = House::start(Script::To(vec![back_end.address]));
    let mut client = house.client().await;
    client.say("a AUTHENTICATE SCRAM-SHA-1 biwsbj11c2VyMSxyPWFiYw==\r\n").await;
    let reply = client.tagged("a").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
    assert_eq!(back_end.heard(), "");
}
