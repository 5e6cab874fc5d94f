//! A Waypost whose back end is itself, by a way on which its own addresses do not show: sessions end
//! with a reply, and soon.

use std::time::{Duration, Instant};

use super::Case;
use crate::clusters::mail::{MailCluster, MailPlan};
use crate::clusters::mailboxes::{Cluster, DOMAIN, Plan, local};
use crate::servers::{Fault, FaultyWay, free_port, free_port_on};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("circles::imap_and_pop3_sessions_end", sessions),
    ("circles::submission_ends", submission),
    ("circles::mail_ends", mail),
];

/// Where the way back begins.
const DETOUR: &str = "127.0.0.4";
/// A session passes eight proxies, and each tries for a second.
const SOON: Duration = Duration::from_secs(25);
const IN_A_CIRCLE: &str = "a session runs in a circle of proxies";

/// A way from a port of [`DETOUR`] to one of 127.0.0.1, and the host that a directory names for it.
fn detour(to: u16) -> (FaultyWay, String) {
    let address = DETOUR.parse().unwrap();
    let way = FaultyWay::open((address, free_port_on(&[address])).into(), local(to));
    way.set(Fault::None);
    let host = way.address().to_string();
    (way, host)
}

fn sessions() {
    let plan = Plan {
        more: format!(
            "[backend.\"{DETOUR}\"]\nimap = {{ tls = \"none\" }}\npop3 = {{ tls = \"none\" }}\n\
             client-identity = \"id\"\n"
        ),
        ..Plan::default()
    };
    let cluster = Cluster::start(&plan);
    let (_imap, imap) = detour(cluster.doors.imap);
    let (_pop3, pop3) = detour(cluster.doors.pop3);
    cluster.slapd.add_user("imap", &imap);
    cluster.slapd.add_user("pop3", &pop3);

    let began = Instant::now();
    let said = Talk::greeted(cluster.doors.imap).imap("a", &format!("LOGIN imap@{DOMAIN} secret"));
    assert!(said.starts_with("a NO [UNAVAILABLE]"), "{said}\n{}", cluster.waypost.log());
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let log = cluster.waypost.log();
    assert!(log.contains(IN_A_CIRCLE) && log.contains("reason=loop"), "{log}");

    let began = Instant::now();
    let mut talk = Talk::greeted(cluster.doors.pop3);
    talk.say(&format!("USER pop3@{DOMAIN}"));
    assert_eq!(talk.line(), "+OK");
    talk.say("PASS secret");
    let said = talk.line();
    assert!(said.starts_with("-ERR [SYS/TEMP]"), "{said}\n{}", cluster.waypost.log());
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let log = cluster.waypost.log();
    let pop3 = log.lines().filter(|line| line.contains(IN_A_CIRCLE));
    assert!(pop3.clone().any(|line| line.contains("listener=pop3")), "{log}");
}

/// Whatever `client-identity` says: our own front offers to hear it.
fn submission() {
    let port = free_port();
    let cluster = MailCluster::start(&MailPlan {
        more: format!(
            "[listener.clear]\nprotocol = \"submission\"\nbind = [\"127.0.0.1:{port}\"]\n\
             tls = \"starttls\"\nallow-plaintext-login = true\n\n\
             [backend.\"{DETOUR}\"]\nsubmission = {{ tls = \"none\" }}\n\n"
        ),
        ..MailPlan::default()
    });
    let (_way, host) = detour(port);
    cluster.slapd.add_user("circle", &host);
    let began = Instant::now();
    let mut talk = Talk::connect(port);
    talk.smtp_reply();
    talk.say("EHLO client.test");
    assert!(talk.smtp_reply().contains("XCLIENT TTL"));
    // NUL circle@localdomain.test NUL secret
    talk.say("AUTH PLAIN AGNpcmNsZUBsb2NhbGRvbWFpbi50ZXN0AHNlY3JldA==");
    let said = talk.smtp_reply();
    assert!(said.starts_with("454 4.7.0"), "{said}\n{}", cluster.logs());
    // Here each tries for the usual ten seconds, and those behind it meanwhile.
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert!(cluster.waypost.log().contains(IN_A_CIRCLE), "{}", cluster.logs());
}

/// Recipients are offered while the client waits, so that it is not a message that goes round, but
/// connections: their limit ends it.
fn mail() {
    let cluster = MailCluster::start(&MailPlan {
        more: format!("[backend.\"{DETOUR}\"]\nsmtp = {{ tls = \"none\" }}\n\n"),
        ..MailPlan::default()
    });
    let (_way, host) = detour(cluster.doors.smtp);
    cluster.slapd.add_user("circle", &host);
    let began = Instant::now();
    let mut talk = Talk::connect(cluster.doors.smtp);
    talk.smtp_reply();
    for (command, expected) in [
        ("EHLO client.test", "250"),
        ("MAIL FROM:<sender@client.test>", "250"),
        ("RCPT TO:<circle@localdomain.test>", "451 4.3.5"),
        ("QUIT", "221"),
    ] {
        talk.say(command);
        let said = talk.smtp_reply();
        assert!(said.starts_with(expected), "{command}: {said}\n{}", cluster.waypost.log());
    }
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}
