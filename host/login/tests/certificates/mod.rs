//! Clients that show a certificate: what is offered to them, and what policies learn of it.

use std::time::{Duration, Instant};

use waypost_net::backend::{BackendSettings, Entry};

use crate::support::certificates::Certified;
use crate::support::{ACCEPT, BackEnd, Client, Do, GREET, House, Plan, Script};

const GOOD: &[Do] = &[GREET, ACCEPT, Do::Echo];
const NO: &str = "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n";
const NO_MECHANISM: &str = "a NO There is no such mechanism here.\r\n";

/// The back end is entered with its own password.
fn plan(certified: Certified) -> Plan {
    let usual = Plan::default();
    let entry = Entry::Password("shared".into());
    Plan {
        backend: BackendSettings { entry, ..usual.backend.clone() },
        certified: Some(certified),
        ..usual
    }
}

async fn authenticate(client: &mut Client, response: &str) -> String {
    client.say(&format!("a AUTHENTICATE EXTERNAL {response}\r\n")).await;
    client.tagged("a").await
}

/// What the client is offered.
async fn offered(client: &mut Client) -> String {
    client.say("c CAPABILITY\r\n").await;
    let offered = client.line().await;
    client.tagged("c").await;
    offered
}

#[tokio::test]
async fn external_is_offered_behind_a_certificate_and_nowhere_else() {
    let back_end = BackEnd::start(GOOD).await;
    let plan = plan(Certified::as_user(&["user1@a.test"]));
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let mut client = house.client().await;
    assert!(!offered(&mut client).await.contains("AUTH=EXTERNAL"));
    assert_eq!(authenticate(&mut client, "=").await, NO_MECHANISM);
    let mut client = house.certified_client().await;
    assert!(offered(&mut client).await.contains(" AUTH=EXTERNAL"));
    let reply = authenticate(&mut client, "=").await;
    assert!(reply.starts_with("a OK"), "{reply}");
    let heard = back_end.heard();
    assert!(heard.contains("LOGIN \"user1@a.test\" \"shared\""), "{heard}");
}

#[tokio::test]
async fn policies_are_told_of_the_certificate_however_the_client_logs_in() {
    let back_end = BackEnd::start(GOOD).await;
    let plan = plan(Certified::as_user(&["user1@a.test"]));
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let told = || {
        let context = house.policy.context.load_full().expect("the policy was asked");
        let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
        (text(&context.mechanism), text(&context.login_name), text(&context.certificate_name))
    };
    let some = |text: &str| Some(text.to_owned());

    authenticate(&mut house.certified_client().await, "=").await;
    assert_eq!(told(), (some("EXTERNAL"), some("user1@a.test"), some("user1@a.test")));
    let mut client = house.certified_client().await;
    client.say("a LOGIN user2 secret\r\n").await;
    client.tagged("a").await;
    assert_eq!(told(), (None, some("user2"), some("user1@a.test")));
    house.log_in("user3", "secret").await;
    assert_eq!(told(), (None, some("user3"), None));
}

#[tokio::test]
async fn whom_no_policy_knows_is_refused_as_anybody_else() {
    let house = House::start_with(Script::Unknown, plan(Certified::as_user(&["user1@a.test"])));
    let began = Instant::now();
    assert_eq!(authenticate(&mut house.certified_client().await, "=").await, NO);
    assert!(began.elapsed() >= Duration::from_millis(100), "as late as any other no");
    let plan = plan(Certified::as_user(&["user1@a.test"]));
    let house = House::start_with(Script::DirectoryDown, plan);
    let reply = authenticate(&mut house.certified_client().await, "=").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
}

#[tokio::test]
async fn a_certificate_for_several_users_is_for_nobody() {
    let back_end = BackEnd::start(GOOD).await;
    for addresses in [&[][..], &["user1@a.test", "user2@a.test"]] {
        let plan = plan(Certified::as_user(addresses));
        let house = House::start_with(Script::To(vec![back_end.address]), plan);
        let mut client = house.certified_client().await;
        assert!(!offered(&mut client).await.contains("EXTERNAL"), "{addresses:?}");
        assert_eq!(authenticate(&mut client, "=").await, NO_MECHANISM, "{addresses:?}");
        assert_eq!(back_end.heard(), "");
    }
}

/// Whoever names users in certificates names no masters.
#[tokio::test]
async fn a_certificate_is_no_master_login() {
    let back_end = BackEnd::start(GOOD).await;
    let plan =
        Plan { master_separator: Some('*'), ..plan(Certified::as_common_name("user1*root")) };
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    assert_eq!(authenticate(&mut house.certified_client().await, "=").await, NO);
    assert_eq!(back_end.heard(), "");
}

#[tokio::test]
async fn a_back_end_that_refuses_its_entry_is_not_the_clients_fault() {
    const REFUSES: &[Do] = &[GREET, Do::Reply("LOGIN", "NO [AUTHENTICATIONFAILED] no"), Do::Sulk];
    let back_end = BackEnd::start(REFUSES).await;
    let plan = plan(Certified::as_user(&["user1@a.test"]));
    let house = House::start_with(Script::To(vec![back_end.address]), plan);
    let reply = authenticate(&mut house.certified_client().await, "=").await;
    assert!(reply.starts_with("a NO [UNAVAILABLE]"), "{reply}");
}
