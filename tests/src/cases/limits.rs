//! What a client is told that takes too much, too long, or the wrong way.

use std::time::{Duration, Instant};

use super::Case;
use crate::clusters::mailboxes::{Cluster, Door, Plan};
use crate::servers::wait_for;
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("limits::one_connection_too_many_of_an_address_is_told_so", connections_per_address),
    ("limits::one_session_too_many_of_a_user_is_told_so", sessions_per_user),
    ("limits::who_does_not_log_in_is_sent_away", login_timeout),
    ("limits::too_many_wrong_passwords_end_the_connection", wrong_passwords),
    ("limits::passwords_in_clear_are_refused_before_they_are_sent", passwords_in_clear),
    ("limits::commands_behind_starttls_end_the_connection", commands_behind_starttls),
    ("limits::browsers_are_closed_upon", browsers),
];

fn connections_per_address() {
    let limit = "allow-plaintext-login = true\nmax-connections-per-address = 2\n";
    let (imap, pop3) = (Door::imap("few-imap", limit), Door::pop3("few-pop3", limit));
    let more = imap.text.clone() + &pop3.text;
    let _cluster = Cluster::start(&Plan { more, ..Plan::default() });
    let mut first = Talk::greeted(imap.port);
    let mut second = Talk::greeted(imap.port);
    let said = Talk::connect(imap.port).rest();
    assert!(said.starts_with("* BYE"), "{said}");
    // The limit is each listener's own.
    let held = [Talk::greeted(pop3.port), Talk::greeted(pop3.port)];
    let said = Talk::connect(pop3.port).rest();
    assert!(said.starts_with("-ERR [SYS/TEMP]"), "{said}");
    let said = second.imap("a", "LOGIN user1@localdomain.test user1");
    assert!(said.starts_with("a OK"), "those who are in are untouched: {said}");
    first.imap("b", "LOGOUT");
    drop(first);
    wait_for("the place that was given back", Duration::from_secs(5), || {
        Talk::connect(imap.port).line().starts_with("* OK").then_some(())
    });
    drop(held);
}

fn sessions_per_user() {
    let limit = "allow-plaintext-login = true\nmax-connections-per-user = 1\n";
    let (imap, pop3) = (Door::imap("few-imap", limit), Door::pop3("few-pop3", limit));
    let more = imap.text.clone() + &pop3.text;
    let _cluster = Cluster::start(&Plan { more, ..Plan::default() });
    let mut first = Talk::greeted(imap.port);
    let said = first.imap("a", "LOGIN user1@localdomain.test user1");
    assert!(said.starts_with("a OK"), "{said}");
    let mut second = Talk::greeted(imap.port);
    let said = second.imap("a", "LOGIN user1@localdomain.test user1");
    assert!(said.starts_with("* BYE"), "{said}");
    assert_eq!(second.rest().lines().filter(|line| line.starts_with("a OK")).count(), 0);
    let said = Talk::greeted(pop3.port).pop3_login("user1@localdomain.test", "user1");
    assert!(
        said.starts_with("-ERR [SYS/TEMP]"),
        "a user's sessions count on all listeners: {said}"
    );
    let said = Talk::greeted(imap.port).imap("a", "LOGIN user2@localdomain.test user2");
    assert!(said.starts_with("a OK"), "another user is another matter: {said}");
    let said = first.imap("b", "NOOP");
    assert!(said.starts_with("b OK"), "who is in is untouched: {said}");
}

fn login_timeout() {
    let login = "timeout = \"1s\"\nretry-for = \"0s\"\n".to_owned();
    let cluster = Cluster::start(&Plan { login, ..Plan::default() });
    let began = Instant::now();
    let mut imap = Talk::greeted(cluster.doors.imap);
    let mut pop3 = Talk::greeted(cluster.doors.pop3);
    let mut inside = Talk::greeted(cluster.doors.imap);
    let said = inside.imap("a", "LOGIN user1@localdomain.test user1");
    assert!(said.starts_with("a OK"), "{said}");
    // Somebody who keeps talking gains nothing.
    let said = imap.imap("a", "NOOP");
    assert!(said.starts_with("a OK"), "{said}");
    let said = imap.rest();
    assert!(said.starts_with("* BYE"), "{said}");
    let said = pop3.rest();
    assert!(said.starts_with("-ERR [SYS/TEMP]"), "{said}");
    let took = began.elapsed();
    assert!((900..4000).contains(&took.as_millis()), "{took:?}");
    let said = inside.imap("b", "NOOP");
    assert!(said.starts_with("b OK"), "who has logged in may stay: {said}");
}

fn wrong_passwords() {
    let login = "auth-failure-delay = \"100ms\"\nmax-auth-errors = 2\n".to_owned();
    let cluster = Cluster::start(&Plan { login, ..Plan::default() });
    let mut imap = Talk::greeted(cluster.doors.imap);
    for tag in ["a", "b"] {
        let said = imap.imap(tag, "LOGIN user1@localdomain.test wrong");
        assert!(said.starts_with(&format!("{tag} NO [AUTHENTICATIONFAILED]")), "{said}");
    }
    let said = imap.rest();
    assert!(said.is_empty() || said.starts_with("* BYE"), "{said}");
    let mut pop3 = Talk::greeted(cluster.doors.pop3);
    for _ in 0..2 {
        let said = pop3.pop3_login("user1@localdomain.test", "wrong");
        assert!(said.starts_with("-ERR [AUTH]"), "{said}");
    }
    pop3.rest();
    // One mistake is no end.
    let mut imap = Talk::greeted(cluster.doors.imap);
    imap.imap("a", "LOGIN user1@localdomain.test wrong");
    let said = imap.imap("b", "LOGIN user1@localdomain.test user1");
    assert!(said.starts_with("b OK"), "{said}");
}

fn passwords_in_clear() {
    let (imap, pop3) = (Door::imap("strict-imap", ""), Door::pop3("strict-pop3", ""));
    let more = imap.text.clone() + &pop3.text;
    let _cluster = Cluster::start(&Plan { more, ..Plan::default() });
    let mut talk = Talk::greeted(imap.port);
    let said = talk.imap("a", "LOGIN user1@localdomain.test user1");
    assert!(said.starts_with("a NO [PRIVACYREQUIRED]"), "{said}");
    // Before a literal's `+`, so that the client does not even send it.
    talk.say("b LOGIN {22}");
    let said = talk.line();
    assert!(said.starts_with("b NO [PRIVACYREQUIRED]"), "{said}");
    let said = talk.imap("c", "AUTHENTICATE PLAIN");
    assert!(said.starts_with("c NO [PRIVACYREQUIRED]"), "{said}");
    talk.say("d CAPABILITY");
    let said = talk.line();
    assert!(said.contains("LOGINDISABLED") && said.contains("STARTTLS"), "{said}");
    assert!(!said.contains("AUTH="), "{said}");
    let mut talk = Talk::greeted(pop3.port);
    let said = talk.pop3("USER user1@localdomain.test");
    assert!(said.starts_with("-ERR"), "{said}");
    let said = talk.pop3("AUTH PLAIN");
    assert!(said.starts_with("-ERR"), "{said}");
}

/// Whoever sits on the way could have put them there, and they would count as said under TLS.
fn commands_behind_starttls() {
    let cluster = Cluster::start(&Plan::default());
    let mut imap = Talk::greeted(cluster.doors.imap);
    imap.send(b"a STARTTLS\r\nb LOGIN user1@localdomain.test user1\r\n");
    let said = imap.rest();
    assert!(!said.contains("b "), "nothing behind STARTTLS is answered: {said}");
    let mut pop3 = Talk::greeted(cluster.doors.pop3);
    pop3.send(b"STLS\r\nUSER user1@localdomain.test\r\n");
    let said = pop3.rest();
    assert!(said.lines().count() <= 1, "nothing behind STLS is answered: {said}");
}

/// A web page can have a browser send anything to any port, but not without its verb.
fn browsers() {
    let cluster = Cluster::start(&Plan::default());
    for port in [cluster.doors.imap, cluster.doors.pop3] {
        let mut talk = Talk::greeted(port);
        talk.send(
            b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\na LOGIN user1@localdomain.test user1\r\n",
        );
        let said = talk.rest();
        assert!(!said.contains("a OK"), "{said}");
        assert!(said.lines().count() <= 1, "{said}");
    }
}
