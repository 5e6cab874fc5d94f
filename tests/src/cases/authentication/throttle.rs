//! What failed logins cost, as whoever fails would see it.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use super::checked_by;
use crate::cases::Case;
use crate::clusters::mailboxes::{Cluster, Door, Plan};
use crate::servers::free_port_on;
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("authentication::failed_logins_hold_back_what_follows", failures),
    ("authentication::logins_that_are_undecided_are_bounded", in_flight),
];

/// How long the third failure's successor waits; everything else must be done before.
const DELAY: Duration = Duration::from_secs(6);

/// Clients say with a PROXY header where they come from.
struct House {
    cluster: Cluster,
    door: Door,
}

impl House {
    fn start(login: &str) -> Self {
        let door = Door::imap(
            "balanced",
            "allow-plaintext-login = true\nproxy-protocol-from = [\"127.0.0.1\"]\n\
             exempt-networks = [\"198.51.100.0/24\"]\n",
        );
        let login = format!("auth-failure-delay = \"50ms\"\nretry-for = \"0s\"\n{login}");
        let plan = Plan { login, more: door.text.clone(), ..checked_by("password") };
        Self { cluster: Cluster::start(&plan), door }
    }

    /// A login from there, whose answer has not come yet.
    fn begin(&self, from: &str, user: &str, password: &str) -> Talk {
        let (version, to) =
            if from.contains(':') { ("TCP6", "2001:db8::9") } else { ("TCP4", "203.0.113.9") };
        let mut talk = Talk::connect(self.door.port);
        talk.say(&format!("PROXY {version} {from} {to} 40001 143"));
        let greeting = talk.line();
        assert!(greeting.starts_with("* OK"), "{greeting}");
        talk.say(&format!("a LOGIN {user}@localdomain.test {password}"));
        talk
    }

    /// Whether it was held back, and whether it was let in.
    fn log_in(&self, from: &str, user: &str, password: &str) -> (bool, bool) {
        let began = Instant::now();
        let said = self.begin(from, user, password).line();
        let is_in = said.starts_with("a OK");
        assert!(is_in || said.starts_with("a NO [AUTHENTICATIONFAILED]"), "{said}");
        (began.elapsed() >= DELAY, is_in)
    }
}

const AT_ONCE_AND_NO: (bool, bool) = (false, false);
const AT_ONCE_AND_IN: (bool, bool) = (false, true);
const HELD_BACK_AND_NO: (bool, bool) = (true, false);
const HELD_BACK_AND_IN: (bool, bool) = (true, true);

fn failures() {
    let house = House::start("failures-without-delay = 2\nfailure-delay = \"6s\"\n");
    // A network of IPv6 is a /64: whoever has one has all its addresses.
    for (from, user, expected) in [
        ("2001:db8:0:7::1", "nobody1", AT_ONCE_AND_NO),
        ("2001:db8:0:7:ffff::2", "nobody2", AT_ONCE_AND_NO),
        ("2001:db8:0:7::3", "nobody3", HELD_BACK_AND_NO),
        ("2001:db8:0:8::1", "nobody4", AT_ONCE_AND_NO),
    ] {
        assert_eq!(house.log_in(from, user, "guess"), expected, "{from}");
    }
    // Webmail hosts are neither charged nor held back, nor is anybody for what they did.
    for number in 0..6 {
        let guess = format!("guess{number}");
        assert_eq!(house.log_in("198.51.100.7", "user4", &guess), AT_ONCE_AND_NO);
    }
    assert_eq!(house.log_in("192.0.2.4", "user4", "user4"), AT_ONCE_AND_IN);
    // A client that was not told of a new password says the old one for days.
    for _ in 0..6 {
        assert_eq!(house.log_in("192.0.2.1", "user1", "old"), AT_ONCE_AND_NO);
    }
    assert_eq!(house.log_in("192.0.2.1", "user1", "older"), AT_ONCE_AND_NO);
    // Now two have been counted. The right password waits too, and then all is forgotten.
    assert_eq!(house.log_in("192.0.2.2", "user1", "user1"), HELD_BACK_AND_IN);
    assert_eq!(house.log_in("192.0.2.2", "user1", "user1"), AT_ONCE_AND_IN);
    // Who mistypes now and then, and gets in, is never held back.
    for number in 0..4 {
        let from = format!("203.0.113.{number}");
        let guess = format!("guess{number}");
        assert_eq!(house.log_in(&from, "user2", &guess), AT_ONCE_AND_NO);
        assert_eq!(house.log_in(&from, "user2", "user2"), AT_ONCE_AND_IN);
    }
}

/// A back end that does not answer leaves logins undecided.
fn in_flight() {
    let house = House::start("max-attempts-in-flight = 3\n");
    let ip = [127, 0, 0, 9].into();
    let address = SocketAddr::new(ip, free_port_on(&[ip]));
    let _silent = TcpListener::bind(address).unwrap();
    house.cluster.slapd.add_user("slow", &address.to_string());
    let _waiting =
        [1, 2, 3].map(|number| house.begin(&format!("192.0.2.{number}"), "slow", "slow"));
    let count = || house.cluster.slapd.process().log().matches("(mail=slow@").count();
    crate::servers::wait_for("the logins to be under way", Duration::from_secs(20), || {
        (count() > 0).then_some(())
    });
    std::thread::sleep(Duration::from_millis(500));
    let said = house.begin("192.0.2.4", "slow", "slow").line();
    assert!(said.starts_with("a NO [UNAVAILABLE]"), "{said}");
    // Others are another matter, and so are those who are not counted.
    assert_eq!(house.log_in("192.0.2.4", "user1", "user1"), AT_ONCE_AND_IN);
    assert_eq!(house.log_in("198.51.100.7", "slow", "wrong"), AT_ONCE_AND_NO, "an exempt one");
}
