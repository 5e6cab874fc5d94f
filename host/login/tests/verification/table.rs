//! Each mechanism with each verification and each entry: what the client hears, and what the back end.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use waypost_model::Verification;
use waypost_net::backend::{Entry, MasterForm};

use super::{NO, directory, entered_with, master, principal};
use crate::support::certificates::Certified;
use crate::support::{BackEnd, Do, House, Plan, Script};

/// Takes every login.
const OPEN: &[Do] = &[
    Do::Say(
        "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER AUTH=SCRAM-SHA-256] ready\r\n",
    ),
    Do::Reply("W4 ", "OK [CAPABILITY IMAP4rev1 IDLE] in"),
    Do::Echo,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    Command,
    Plain,
    Login,
    XOauth2,
    OauthBearer,
    CramMd5,
    Scram,
    External,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// In, and the back end has heard this.
    In(&'static str),
    /// As a wrong password.
    Refused,
    /// A temporary error.
    Temporary,
}

const MECHANISMS: [Mechanism; 8] = [
    Mechanism::Command,
    Mechanism::Plain,
    Mechanism::Login,
    Mechanism::XOauth2,
    Mechanism::OauthBearer,
    Mechanism::CramMd5,
    Mechanism::Scram,
    Mechanism::External,
];
const OWN: &str = "LOGIN \"user1\" \"secret\"";
/// user1 NUL root NUL master
const MASTERS: &str = "AUTHENTICATE PLAIN dXNlcjEAcm9vdABtYXN0ZXI=";
const SHARED: &str = "LOGIN \"user1\" \"shared\"";

fn expected(mechanism: Mechanism, by: &Verification, entry: &Entry) -> Outcome {
    use Mechanism::{Command, CramMd5, External, Login, OauthBearer, Plain, Scram, XOauth2};
    let own = match mechanism {
        XOauth2 => "AUTHENTICATE XOAUTH2",
        OauthBearer => "AUTHENTICATE OAUTHBEARER",
        Scram => "AUTHENTICATE SCRAM-SHA-256",
        _ => OWN,
    };
    let entered = match entry {
        Entry::Client => own,
        Entry::Master(_) => MASTERS,
        Entry::Password(_) => SHARED,
    };
    match (mechanism, by) {
        // Whoever checks passwords: TLS has verified the certificate.
        (External, _) if *entry == Entry::Client => Outcome::Temporary,
        (External, _) => Outcome::In(entered),
        (CramMd5, Verification::ByPassword(_)) => Outcome::In(entered),
        (CramMd5, _) => Outcome::Refused,
        (_, Verification::ByBackend) if *entry == Entry::Client => Outcome::In(entered),
        (_, Verification::ByBackend) => Outcome::Temporary,
        (Command | Plain | Login, _) => Outcome::In(entered),
        (XOauth2 | OauthBearer | Scram, _) => Outcome::Refused,
    }
}

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// Logs in and answers with the tagged reply.
async fn log_in(house: &House, mechanism: Mechanism) -> String {
    let mut client = house.client().await;
    match mechanism {
        Mechanism::Command => client.say("a LOGIN user1 secret\r\n").await,
        Mechanism::Plain => {
            client.say(&format!("a AUTHENTICATE PLAIN {}\r\n", base64("\0user1\0secret"))).await;
        }
        Mechanism::Login => {
            client.say("a AUTHENTICATE LOGIN\r\n").await;
            for word in ["user1", "secret"] {
                assert!(client.line().await.starts_with("+ "));
                client.say(&format!("{}\r\n", base64(word))).await;
            }
        }
        Mechanism::XOauth2 => {
            let message = base64("user=user1\u{1}auth=Bearer token\u{1}\u{1}");
            client.say(&format!("a AUTHENTICATE XOAUTH2 {message}\r\n")).await;
        }
        Mechanism::OauthBearer => {
            let message = base64("n,a=user1,\u{1}auth=Bearer token\u{1}\u{1}");
            client.say(&format!("a AUTHENTICATE OAUTHBEARER {message}\r\n")).await;
        }
        Mechanism::Scram => {
            let message = base64("n,,n=user1,r=nonce");
            client.say(&format!("a AUTHENTICATE SCRAM-SHA-256 {message}\r\n")).await;
            let line = client.line().await;
            if !line.starts_with("+ ") {
                return line;
            }
            // Who gets no further is asked all the same.
            client.say(&format!("{}\r\n", base64("c=biws,r=x,p=x"))).await;
        }
        Mechanism::External => {
            client = house.certified_client().await;
            client.say("a AUTHENTICATE EXTERNAL =\r\n").await;
        }
        Mechanism::CramMd5 => return cram_md5(house, "user1", "secret").await,
    }
    client.tagged("a").await
}

/// RFC 2195, as a client does it.
pub(super) async fn cram_md5(house: &House, user: &str, password: &str) -> String {
    let mut client = house.client().await;
    client.say("a AUTHENTICATE CRAM-MD5\r\n").await;
    let line = client.line().await;
    let challenge = line.strip_prefix("+ ").expect("a challenge").trim_end();
    let challenge = STANDARD.decode(challenge).expect("base64");
    let mut key = [0; 64];
    key[..password.len()].copy_from_slice(password.as_bytes());
    let inner = Md5::new_with_prefix(key.map(|k| k ^ 0x36)).chain_update(&challenge).finalize();
    let digest = Md5::new_with_prefix(key.map(|k| k ^ 0x5c)).chain_update(inner).finalize();
    let digest: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    client.say(&format!("{}\r\n", base64(&format!("{user} {digest}")))).await;
    client.tagged("a").await
}

#[tokio::test]
async fn every_cell() {
    for by in [
        Verification::ByBackend,
        Verification::ByBind(principal()),
        Verification::ByPassword(principal()),
    ] {
        for entry in
            [Entry::Client, master(MasterForm::AuthorisationId), Entry::Password("shared".into())]
        {
            let back_end = BackEnd::start(OPEN).await;
            let plan = Plan {
                by: by.clone(),
                certified: Some(Certified::as_common_name("user1")),
                ..entered_with(entry.clone(), directory(&["secret"]))
            };
            let house = House::start_with(Script::To(vec![back_end.address]), plan);
            for mechanism in MECHANISMS {
                let heard_before = back_end.heard().len();
                let reply = log_in(&house, mechanism).await;
                let heard = back_end.heard().split_off(heard_before);
                let cell = format!("{mechanism:?}, {}, {entry:?}: {reply}, {heard}", by.kind());
                match expected(mechanism, &by, &entry) {
                    Outcome::In(said) => {
                        assert!(reply.starts_with("a OK"), "{cell}");
                        assert!(heard.contains(said), "{cell}");
                        let shown = heard.contains("secret");
                        assert_eq!(shown, said == OWN, "whose password: {cell}");
                    }
                    Outcome::Refused => {
                        assert_eq!(reply, NO, "{cell}");
                        assert_eq!(heard, "", "{cell}");
                    }
                    Outcome::Temporary => {
                        assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{cell}");
                        assert_eq!(heard, "", "{cell}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_digest_lets_nobody_in() {
    let back_end = BackEnd::start(OPEN).await;
    let plan = Plan {
        by: Verification::ByPassword(principal()),
        ..entered_with(Entry::Client, directory(&["secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="]))
    };
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    assert_eq!(cram_md5(&house, "user1", "wrong").await, NO);
    assert_eq!(back_end.heard(), "");
    assert!(cram_md5(&house, "user1", "secret").await.starts_with("a OK"));
}
