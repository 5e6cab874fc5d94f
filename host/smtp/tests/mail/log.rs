//! What is to be found in the log.

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use waypost_session::Users;

use crate::support::{BackEnd, Do, House, Plan, Ways, child, to, until};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Lines with this target.
    fn of(&self, target: &str) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["target"] == target).collect()
    }
}

/// Runs `test` in a process of its own: which events are of interest is settled for the whole
/// process by whoever comes to them first.
fn alone(name: &str, test: impl Future<Output = ()>) {
    if child::told().is_none() {
        return child::run_again(name, "alone", &[]);
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// What is logged from now on, until the guard goes.
fn listen() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

/// Everything that is logged while one message goes to two back ends, of which the second refuses.
async fn logged(users: Users) -> Lines {
    let (lines, _guard) = listen();
    let first = BackEnd::good().await;
    let second = BackEnd::start(Ways::ending(Do::Say("554 5.6.0 user2@a.test is full\r\n"))).await;
    let house = House::start_with(Plan { users, ..Plan::default() });
    house.answer("user1@a.test", to(&[first.address]));
    house.answer("user2@a.test", to(&[second.address]));
    house.answer("sender@b.test", to(&[first.address]));
    let mut client = house.client().await;
    client.expect("MAIL FROM:<sender@b.test>", "250").await;
    client.expect("RCPT TO:<nobody@a.test>", "550").await;
    client.expect("RSET", "250").await;
    let recipients = ["user1@a.test", "user2@a.test"];
    let reply =
        client.send("sender@b.test", &recipients, "Subject: secret\r\n\r\nsecret\r\n").await;
    assert!(reply.starts_with("250"), "{reply}");
    client.expect("QUIT", "221").await;
    until("nothing is kept", || house.kept() == 0).await;
    until("the session is over", || !lines.of("waypost::session").is_empty()).await;
    lines
}

#[test]
fn a_message_has_one_line_with_each_recipients_route_reply_and_time() {
    alone("log::a_message_has_one_line_with_each_recipients_route_reply_and_time", one_line());
}

async fn one_line() {
    let lines = logged(Users::Clear).await;
    let [message] = &lines.of("waypost::message")[..] else { panic!("one line") };
    assert_eq!(message["sender"], "sender@b.test");
    assert_eq!(message["outcome"], "kept");
    let recipients: Value = serde_json::from_str(message["recipients"].as_str().unwrap()).unwrap();
    for (number, to, outcome, reply) in [
        (0, "user1@a.test", "accepted", "250 2.0.0 taken"),
        (1, "user2@a.test", "permanent", "554 5.6.0 user2@a.test is full"),
    ] {
        let recipient = &recipients[number];
        assert_eq!(recipient["to"], to);
        assert_eq!(recipient["policy"], "scripted");
        assert_eq!(recipient["route"], "fresh");
        assert_eq!((&recipient["outcome"], &recipient["reply"]), (&outcome.into(), &reply.into()));
        assert!(recipient["backend"].as_str().unwrap().starts_with("127.0.0.1:"));
        assert!(recipient["milliseconds"].is_u64());
    }
    let [session] = &lines.of("waypost::session")[..] else { panic!("one line") };
    assert_eq!((&session["reason"], &session["messages"]), (&"logout".into(), &1.into()));
    let refused =
        lines.of("waypost::smtp").into_iter().find(|it| it["message"] == "recipient refused");
    assert_eq!(refused.unwrap()["recipient"], "nobody@a.test");
}

#[test]
fn nobody_is_blamed_for_a_message_that_may_not_pass() {
    alone("log::nobody_is_blamed_for_a_message_that_may_not_pass", spoilt());
}

async fn spoilt() {
    let (lines, _guard) = listen();
    let back_end = BackEnd::good().await;
    let house = House::start_with(Plan::default());
    house.answer("user1@a.test", to(&[back_end.address]));
    let mut client = house.client().await;
    let reply = client.send("sender@b.test", &["user1@a.test"], "Subject: a\n\r\n").await;
    assert!(reply.starts_with("550 5.6.11"), "{reply}");
    client.expect("QUIT", "221").await;
    until("the session is over", || !lines.of("waypost::session").is_empty()).await;
    let [message] = &lines.of("waypost::message")[..] else { panic!("one line") };
    assert_eq!(message["outcome"], "refused");
    let recipients: Value = serde_json::from_str(message["recipients"].as_str().unwrap()).unwrap();
    assert_eq!(recipients[0]["outcome"], "not-sent");
    assert!(recipients[0]["reply"].is_null(), "{recipients}");
}

#[test]
fn no_address_and_no_content_is_shown_where_addresses_are_hashed() {
    alone("log::no_address_and_no_content_is_shown_where_addresses_are_hashed", hashed());
}

async fn hashed() {
    let lines = logged(Users::hashed()).await;
    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    assert_eq!(lines.of("waypost::message").len(), 1);
    for hidden in ["user1@", "user2@", "nobody@", "sender@", "secret"] {
        let line = text.lines().find(|line| line.contains(hidden));
        assert_eq!(line, None, "{hidden}");
    }
}
