//! What a calendar program sees, which finds its way by itself: Python's `caldav`.

use std::process::Command;

use crate::cases::Case;
use crate::clusters::mailboxes::DOMAIN;
use crate::clusters::webmails::{Radicales, WebCluster, smtp_door};
use crate::servers::run;

pub(crate) const CASES: &[Case] =
    &[("webmail::caldav::a_calendar_program_works_at_the_users_own_back_end", calendars)];

/// Debian's own interpreter has the library.
const PYTHON: &str = "/usr/bin/python3";

/// Finds the user's home, makes a calendar, adds an event, finds it by its day, moves it, deletes it.
const PROGRAM: &str = r"
import datetime, sys, urllib.parse, caldav
url, ca, user, password = sys.argv[1:]
client = caldav.DAVClient(url=url, username=user, password=password, ssl_verify_cert=ca)
principal = client.principal()
print('home', urllib.parse.unquote(principal.calendar_home_set.url.path))
calendar = principal.make_calendar(name='Work', cal_id='work')
event = calendar.save_event(
    dtstart=datetime.datetime(2026, 1, 1, 10), dtend=datetime.datetime(2026, 1, 1, 11),
    summary='Lunch of ' + user)
day = lambda n: calendar.date_search(datetime.datetime(2026, 1, n), datetime.datetime(2026, 1, n + 1))
print('found', [e.vobject_instance.vevent.summary.value for e in day(1)])
event.vobject_instance.vevent.dtstart.value = datetime.datetime(2026, 1, 5, 10)
event.vobject_instance.vevent.dtend.value = datetime.datetime(2026, 1, 5, 11)
event.save()
print('moved', len(day(1)), len(day(5)))
print('calendars', [c.name for c in principal.calendars()])
event.delete()
print('deleted', len(day(5)))
try:
    caldav.DAVClient(url=url, username=user, password='wrong', ssl_verify_cert=ca).principal()
    print('wrong password: let in')
except caldav.lib.error.AuthorizationError:
    print('wrong password: refused')
";

fn calendars() {
    let radicales = Radicales::start();
    let cluster = WebCluster::start(&radicales.plan, smtp_door());
    for (user, radicale, other) in [
        ("user1", &radicales.north, &radicales.south),
        ("user3", &radicales.south, &radicales.north),
    ] {
        let address = format!("{user}@{DOMAIN}");
        let mut command = Command::new(PYTHON);
        command.arg("-c").arg(PROGRAM).arg(cluster.url()).arg(cluster.ca());
        let output = run(command.args([&address, user]));
        let said = String::from_utf8_lossy(&output.stdout);
        let expected = format!(
            "home /{address}/\nfound ['Lunch of {address}']\nmoved 0 1\ncalendars ['Work']\n\
             deleted 0\nwrong password: refused\n"
        );
        assert_eq!(said, expected, "{}", String::from_utf8_lossy(&output.stderr));
        assert!(radicale.has_seen(&address));
        assert!(!other.has_seen(&address), "the other back end knows nothing of {user}");
    }
}
