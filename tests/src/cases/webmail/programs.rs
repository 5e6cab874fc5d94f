//! What programs see: DAV clients, and curl, with Basic credentials.

use crate::cases::Case;
use crate::clusters::mailboxes::DOMAIN;
use crate::clusters::webmails::{Radicales, WebCluster, smtp_door};

pub(crate) const CASES: &[Case] = &[("webmail::programs_reach_their_own_back_end", dav)];

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//test//EN\r\n\
                        BEGIN:VEVENT\r\nUID:lunch\r\nDTSTAMP:20260101T000000Z\r\n\
                        DTSTART:20260101T100000Z\r\nSUMMARY:Lunch of USER\r\nEND:VEVENT\r\n\
                        END:VCALENDAR\r\n";

fn dav() {
    let radicales = Radicales::start();
    let cluster = WebCluster::start(&radicales.plan, smtp_door());
    let folder = tempfile::tempdir().unwrap();
    for (user, radicale, other) in [
        ("user1", &radicales.north, &radicales.south),
        ("user3", &radicales.south, &radicales.north),
    ] {
        let address = format!("{user}@{DOMAIN}");
        let credentials = format!("{address}:{user}");
        let with = |more: &[&str], path: &str| {
            let arguments: Vec<&str> =
                ["-u", &credentials].into_iter().chain(more.iter().copied()).collect();
            cluster.curl(&arguments, path)
        };
        // As a client finds its calendars.
        let found = with(&["-X", "PROPFIND"], "/.well-known/caldav");
        assert_eq!(found.status, 301, "{found:?}");
        let home = format!("/{address}/");
        let found = with(&["-X", "PROPFIND", "-H", "Depth: 0"], &home);
        assert_eq!(found.status, 207, "{found:?}");
        assert_eq!(with(&["-X", "MKCALENDAR"], &format!("{home}work/")).status, 201);
        let event = folder.path().join(user);
        std::fs::write(&event, CALENDAR.replace("USER", user)).unwrap();
        let put = with(&["-T", &event.to_string_lossy()], &format!("{home}work/lunch.ics"));
        assert_eq!(put.status, 201, "{put:?}");
        let got = with(&[], &format!("{home}work/lunch.ics"));
        assert!(got.status == 200 && got.body.contains(&format!("Lunch of {user}")), "{got:?}");
        assert_eq!(got.cookie(), None, "nothing to remember where nothing is set");
        assert_eq!(radicale.kept(&address), ["work/lunch.ics"]);
        assert!(other.kept(&address).is_empty());
    }
    // Wrong passwords and unknown users are told the same.
    let asked = |user: &str, path: &str| cluster.curl(&["-u", &format!("{user}:wrong")], path);
    for user in [format!("user1@{DOMAIN}"), format!("nobody@{DOMAIN}"), "x@elsewhere.test".into()] {
        let refused = asked(&user, "/dav/");
        assert_eq!(refused.status, 401, "{user}: {refused:?}");
        assert!(refused.field("www-authenticate").starts_with("Basic realm="), "{refused:?}");
    }
    // A program without credentials is asked for them, and never gets a page.
    for (arguments, path) in [
        (&["-X", "PROPFIND"][..], "/.well-known/caldav"),
        (&[], "/.well-known/carddav"),
        (&[], "/dav/calendars/user1"),
        (&[], "/SOGo/dav/user1/Calendar/personal/"),
        (&[], "/remote.php/dav/"),
        (&["-X", "OPTIONS"], "/dav/calendars/user1"),
        (&["-X", "PROPFIND"], "/user1@localdomain.test/"),
        (&["-X", "REPORT"], "/anything"),
    ] {
        let asked = cluster.curl(arguments, path);
        assert_eq!(asked.status, 401, "{path}: {asked:?}");
        let challenge = asked.field("www-authenticate");
        assert!(challenge.starts_with("Basic realm=\""), "{challenge}");
        assert!(challenge.ends_with("charset=\"UTF-8\""), "{challenge}");
        assert!(!asked.body.contains("<html"), "{asked:?}");
    }
}
