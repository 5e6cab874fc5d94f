//! Web logins: who checks the password, what reaches a back end, and what failures cost.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::cases::Case;
use crate::clusters::mailboxes::{DOMAIN, MASTER_PASSWORD, NORTH};
use crate::clusters::webmails::{Curled, Radicales, Roundcubes, WebCluster, WebPlan, smtp_door};
use crate::servers::{Browser, SLOW, WebRecorder, free_port_on, wait_for};

pub(crate) const CASES: &[Case] = &[
    ("webmail::login::who_checks_the_password_and_what_comes_of_it", table),
    ("webmail::login::nobody_learns_from_a_form_who_exists", nobody_learns),
    ("webmail::login::a_cookie_lets_nobody_past_who_was_not_verified", cookies),
    ("webmail::login::what_the_front_cannot_check_stays_closed", uncheckable),
    ("webmail::login::who_is_refused_hears_so_behind_a_long_body", long_bodies),
    ("webmail::login::a_password_that_was_right_is_not_checked_with_each_request", recognised),
    ("webmail::login::guesses_wait_longer_and_longer", guesses),
    ("webmail::login::a_back_ends_yes_forgets_nothing", open_pages),
    ("webmail::login::too_many_at_once_are_told_so", in_flight),
    ("webmail::login::requests_at_once_with_one_password_are_one_login", one_login),
    ("webmail::login::a_master_user_and_a_back_ends_own_password_enter", entries),
    ("webmail::login::another_name_is_passed_on", identity),
    ("webmail::login::no_password_is_logged", log),
    ("webmail::login::a_browser_logs_in_to_roundcube_past_the_front", roundcube),
    ("webmail::login::roundcubes_own_no_is_counted", roundcubes_no),
    ("webmail::login::a_dav_client_works_past_the_front", radicale),
];

/// Failures of one test would hold back the next step of it.
const PATIENT: &str = "failures-without-delay = 1000\n";
const FORMS: &str = "login-forms = [{ path = \"/login\", user = \"u\", password = \"p\" }]\n";
const WRONG: &str = "nota-password-77";

/// The back end of user1 and user2, who are let in with their names, as Waypost has it by default.
fn recorder() -> (WebRecorder, WebPlan) {
    let address = NORTH.parse().unwrap();
    let port = free_port_on(&[address]);
    let users = ["user1", "user2"].map(|user| (format!("{user}@{DOMAIN}"), user));
    let users: Vec<(&str, &str)> = users.iter().map(|(a, p)| (a.as_str(), *p)).collect();
    let recorder = WebRecorder::start(SocketAddr::new(address, port), &users);
    let plan = WebPlan {
        webmail: port,
        lmtp: 1,
        settings: FORMS.to_owned(),
        login: PATIENT.to_owned(),
        ..WebPlan::default()
    };
    (recorder, plan)
}

/// A way to say a name and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Basic,
    Form,
}

impl Kind {
    const BOTH: [Self; 2] = [Self::Basic, Self::Form];

    fn log_in(self, cluster: &WebCluster, user: &str, password: &str) -> Curled {
        self.log_in_with(cluster, user, password, &[])
    }

    fn log_in_with(
        self,
        cluster: &WebCluster,
        user: &str,
        password: &str,
        more: &[&str],
    ) -> Curled {
        let (credentials, path) = match self {
            Self::Basic => (["-u".to_owned(), format!("{user}@{DOMAIN}:{password}")], "/dav"),
            Self::Form => {
                (["-d".to_owned(), format!("u={user}%40{DOMAIN}&p={password}")], "/login")
            }
        };
        let credentials: Vec<&str> = credentials.iter().map(String::as_str).collect();
        cluster.curl(&[&credentials, more].concat(), path)
    }
}

fn table() {
    for way in ["backend", "bind", "password"] {
        let (recorder, plan) = recorder();
        // So that what is asked while the directory is down is asked.
        let more = "[verification]\nverified-for = \"0s\"\n".to_owned();
        let plan = WebPlan { more, ..plan }.checked_by(way);
        let mut cluster = WebCluster::start(&plan, smtp_door());
        let by_front = way != "backend";
        let step = |cluster: &WebCluster, kind: Kind, user: &str, password: &str| {
            let answer = kind.log_in(cluster, user, password);
            (answer, recorder.take())
        };
        for kind in Kind::BOTH {
            let what = format!("{way} {kind:?}");
            let (right, seen) = step(&cluster, kind, "user1", "user1");
            let let_in = if kind == Kind::Basic { 200 } else { 303 };
            assert_eq!(right.status, let_in, "{what}: {right:?}");
            assert_eq!(seen.len(), 1, "{what}: {seen:?}");
            assert!(seen[0].contains("user1") && right.body == "recorded\n", "{what}: {seen:?}");

            let (wrong, seen) = step(&cluster, kind, "user1", WRONG);
            let (status, reached) = match (by_front, kind) {
                (true, Kind::Basic) => (401, 0),
                (true, Kind::Form) => (422, 0),
                (false, Kind::Basic) => (401, 1),
                (false, Kind::Form) => (303, 1),
            };
            assert_eq!((wrong.status, seen.len()), (status, reached), "{what}: {wrong:?} {seen:?}");
            match kind {
                Kind::Basic => {
                    let challenge = wrong.field("www-authenticate");
                    assert!(challenge.starts_with("Basic realm="), "{what}: {challenge}");
                }
                Kind::Form => assert!(wrong.all("www-authenticate").is_empty(), "{what}"),
            }

            let (unknown, seen) = step(&cluster, kind, "nobody", WRONG);
            let status = if kind == Kind::Basic { 401 } else { 422 };
            assert_eq!((unknown.status, seen.len()), (status, 0), "{what}: {unknown:?}");
        }
        cluster.slapd.stop();
        // Routes are cached for a second, and used while the directory is down; passwords are not.
        thread::sleep(Duration::from_millis(1200));
        for kind in Kind::BOTH {
            let what = format!("{way} {kind:?}, directory down");
            let (down, seen) = step(&cluster, kind, "user1", "user1");
            let (status, reached) = match (by_front, kind) {
                (true, _) => (503, 0),
                (false, Kind::Basic) => (200, 1),
                (false, Kind::Form) => (303, 1),
            };
            assert_eq!((down.status, seen.len()), (status, reached), "{what}: {down:?}");
            if by_front {
                assert!(down.field("retry-after").parse::<u32>().is_ok(), "{what}: {down:?}");
            }
        }
    }
}

/// A wrong password, an address of nobody and what cannot be one are answered alike, after the same
/// delay, and with decoys too: nothing that is typed goes to them where the front checks passwords.
fn nobody_learns() {
    let (recorder, plan) = recorder();
    let settings = format!("{FORMS}decoys = [\"{NORTH}\"]\n");
    let plan = WebPlan { settings, ..plan }.checked_by("bind");
    let cluster = WebCluster::start(&plan, smtp_door());
    let asked = |user: &str, language: &str| {
        let began = Instant::now();
        let referer = format!("Referer: {}/login?a=b", cluster.url());
        let language = format!("Accept-Language: {language}");
        let more = ["-H", &referer, "-H", &language];
        let answer = Kind::Form.log_in_with(&cluster, user, WRONG, &more);
        assert!(began.elapsed() >= Duration::from_millis(200), "{user}: {:?}", began.elapsed());
        answer
    };
    for (language, said) in [
        ("en", "The address or the password is wrong."),
        ("de", "Die Adresse oder das Passwort ist falsch."),
        ("fr", "L’adresse ou le mot de passe est incorrect."),
        ("es", "La dirección o la contraseña no es correcta."),
    ] {
        let wrong = asked("user1", language);
        assert!(wrong.status == 422 && wrong.body.contains(said), "{wrong:?}");
        assert!(wrong.body.contains("role=\"alert\""), "{wrong:?}");
        assert!(wrong.body.contains("name=\"to\" value=\"&#x2f;login?a=b\""), "{wrong:?}");
        assert!(wrong.body.contains(&format!("value=\"user1@{DOMAIN}\"")), "{wrong:?}");
        assert!(!wrong.body.contains(WRONG), "{wrong:?}");
        let nonce = |answer: &Curled| {
            let (_, rest) = answer.body.split_once("nonce=\"").unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let bare = |answer: &Curled, user: &str| {
            let body = answer.body.replace(&nonce(answer), "").replace(user, "");
            (answer.status, answer.cookie(), body)
        };
        for other in ["nobody", "no%20body"] {
            let unknown = asked(other, language);
            let shown = other.replace("%20", " ");
            assert_eq!(bare(&unknown, &shown), bare(&wrong, "user1"), "{other}");
        }
    }
    assert!(recorder.take().is_empty());
    // The login page itself comes from a decoy, as it does from the user's own back end.
    let remembered = remembered(&cluster, "nobody");
    assert_eq!(cluster.curl(&["-b", &remembered], "/login").status, 200);
    assert_eq!(recorder.take().len(), 1);
    for more in [&["-d", "x=y"][..], &["-H", "Authorization: Bearer x"]] {
        let with = [&["-b", &remembered][..], more].concat();
        let beyond = cluster.curl(&with, "/elsewhere");
        assert!([401, 503].contains(&beyond.status), "{beyond:?}");
    }
    assert!(recorder.take().is_empty());
}

/// The cookie of a browser that has given this address.
fn remembered(cluster: &WebCluster, user: &str) -> String {
    let sent = format!("address={user}%40{DOMAIN}&to=/");
    let answer = cluster.curl(&["-d", &sent], "/.waypost/");
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.cookie().expect("an address is remembered")
}

/// Requests that may be logins, of a browser with this cookie; their statuses.
fn suspicious(cluster: &WebCluster, cookie: &str) -> Vec<u16> {
    [
        (&["-d", "a=b"][..], "/elsewhere"),
        (&["-d", "u=user2@localdomain.test"], "/login"),
        (&["-X", "PUT"], "/file"),
        (&["-H", "X-HTTP-Method-Override: POST"], "/login?user=user1&pass=guess"),
        (&["-X", "GET", "-d", "u=user1&p=guess"], "/"),
        (&[], "/?u=user1&p=guess"),
        (&[], "/?P=guess"),
        (&["--http1.1", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket"], "/socket"),
    ]
    .iter()
    .map(|(arguments, path)| cluster.curl(&[&["-b", cookie][..], arguments].concat(), path).status)
    .collect()
}

fn cookies() {
    let (recorder, plan) = recorder();
    let cluster = WebCluster::start(&plan.checked_by("bind"), smtp_door());
    let unverified = remembered(&cluster, "user1");
    // What it takes to show a login page.
    for path in ["/", "/login", "/style.css?v=1"] {
        assert_eq!(cluster.curl(&["-b", &unverified], path).status, 200, "{path}");
    }
    assert_eq!(recorder.take().len(), 3);
    let refused = suspicious(&cluster, &unverified);
    assert!(refused.iter().all(|status| *status == 503), "{refused:?}");
    let token = cluster.curl(&["-b", &unverified, "-H", "Authorization: Bearer x"], "/");
    assert_eq!(token.status, 401, "{token:?}");
    assert!(recorder.take().is_empty());
    let hint = "the back ends' login form belongs there";
    wait_for("the hint", Duration::from_secs(5), || {
        cluster.waypost.log().contains(hint).then_some(())
    });

    // Who logs in is remembered as verified, for this user alone.
    let let_in = Kind::Form.log_in_with(&cluster, "user1", "user1", &["-b", &unverified]);
    assert_eq!(let_in.status, 303, "{let_in:?}");
    let verified = let_in.cookie().expect("the proof is remembered");
    assert_eq!(recorder.take().len(), 1);
    let passed = suspicious(&cluster, &verified);
    assert!(passed.iter().all(|status| *status == 200 || *status == 303), "{passed:?}");
    assert_eq!(recorder.take().len(), passed.len());
    let address = format!("address=user2%40{DOMAIN}&to=/");
    let other = cluster.curl(&["-b", &verified, "-d", &address], "/.waypost/").cookie().unwrap();
    let refused = suspicious(&cluster, &other);
    assert!(refused.iter().all(|status| *status == 503), "{refused:?}");
    assert!(recorder.take().is_empty());

    // A wrong password makes nobody verified.
    let wrong = Kind::Form.log_in_with(&cluster, "user1", WRONG, &["-b", &unverified]);
    assert_eq!((wrong.status, wrong.cookie()), (422, None));
    // Nor does another's right one.
    let others = Kind::Form.log_in_with(&cluster, "user2", "user2", &["-b", &other]);
    let others = others.cookie().unwrap();
    let back = format!("address=user1%40{DOMAIN}&to=/");
    let back = cluster.curl(&["-b", &others, "-d", &back], "/.waypost/").cookie().unwrap();
    assert_eq!(cluster.curl(&["-b", &back, "-d", "a=b"], "/elsewhere").status, 503);
}

fn uncheckable() {
    let (recorder, plan) = recorder();
    let settings = "login-forms = [{ path = \"/login\", user = \"u\" }]\n".to_owned();
    let plan = WebPlan { settings, ..plan }.checked_by("password");
    let cluster = WebCluster::start(&plan, smtp_door());
    let closed = Kind::Form.log_in(&cluster, "user1", "user1");
    assert_eq!(closed.status, 503, "{closed:?}");
    assert!(closed.body.contains("cannot be reached right now"), "{closed:?}");
    // Fields and parameters that may be taken for the name or the password.
    let (_, forms) = self::recorder();
    let twice = WebCluster::start(&forms.checked_by("password"), smtp_door());
    for (form, path) in [
        ("u=user1%40localdomain.test&p=user1&U=user2", "/login"),
        ("u=user1%40localdomain.test&p=user1&+p=x", "/login"),
        ("u=user1%40localdomain.test&p=user1", "/login?u=user2"),
        ("u=user1%40localdomain.test&p=user1", "/login?p=x"),
    ] {
        assert_eq!(twice.curl(&["-d", form], path).status, 400, "{form} {path}");
    }
    assert!(recorder.take().is_empty());
    let log = cluster.waypost.log();
    assert!(log.contains("unverified") && log.contains("add password"), "{log}");
    assert!(log.contains("webmail.login-forms"), "told at the start: {log}");
}

fn long_bodies() {
    let (recorder, plan) = recorder();
    let cluster = WebCluster::start(&plan.checked_by("bind"), smtp_door());
    let file = cluster.waypost.file("long");
    std::fs::write(&file, "x".repeat(700_000)).unwrap();
    let file = file.to_str().unwrap();
    let wrong = format!("user1@{DOMAIN}:{WRONG}");
    let unverified = remembered(&cluster, "user1");
    for version in ["--http1.1", "--http2"] {
        for expect in ["Expect:", "Expect: 100-continue"] {
            let sent = ["-T", file, version, "-H", expect];
            let basic = cluster.curl(&[&["-u", &wrong][..], &sent].concat(), "/dav/file");
            assert_eq!(basic.status, 401, "{version} {expect}: {basic:?}");
            let cookie = cluster.curl(&[&["-b", &unverified][..], &sent].concat(), "/dav/file");
            assert_eq!(cookie.status, 503, "{version} {expect}: {cookie:?}");
        }
    }
    assert!(recorder.take().is_empty());
}

/// Binds that the directory has seen.
fn binds(cluster: &WebCluster, user: &str) -> usize {
    let log = cluster.slapd.process().log();
    let bind = format!("BIND dn=\"cn={user},dc=localdomain,dc=test\" method=128");
    log.lines().filter(|line| line.contains(&bind)).count()
}

fn recognised() {
    for way in ["bind", "password"] {
        let (recorder, plan) = recorder();
        let mut cluster = WebCluster::start(&plan.checked_by(way), smtp_door());
        let ask = || Kind::Basic.log_in(&cluster, "user1", "user1").status;
        let asked: Vec<u16> = (0..10).map(|_| ask()).collect();
        assert_eq!(asked, [200; 10]);
        assert!(binds(&cluster, "user1") <= 1, "{way}");
        // Another password is not the one that was right.
        assert_eq!(Kind::Basic.log_in(&cluster, "user1", WRONG).status, 401);
        cluster.slapd.stop();
        assert_eq!(Kind::Basic.log_in(&cluster, "user1", "user1").status, 200, "{way}");
        assert_eq!(recorder.take().len(), 11);
    }
}

/// How long a login takes, in whole seconds, and its status.
fn timed(cluster: &WebCluster, kind: Kind, password: &str, from: &str) -> (u64, u16) {
    let began = Instant::now();
    let status = kind.log_in_with(cluster, "user1", password, &["--interface", from]).status;
    (began.elapsed().as_secs(), status)
}

const STRICT: &str =
    "failures-without-delay = 2\nfailure-delay = \"2s\"\nmax-failure-delay = \"4s\"\n";

fn guesses() {
    for kind in Kind::BOTH {
        for way in ["backend", "bind"] {
            let what = format!("{kind:?} {way}");
            let (recorder, plan) = recorder();
            let form = "{ path = \"/login\", user = \"u\", password = \"p\", \
                        failed-location = \"/login?error=1\" }";
            let plan = WebPlan {
                settings: format!("login-forms = [{form}]\n"),
                login: STRICT.to_owned(),
                listener: "exempt-networks = [\"127.0.9.0/24\"]\n".to_owned(),
                ..plan
            };
            let cluster = WebCluster::start(&plan.checked_by(way), smtp_door());
            let guess = |number: u32, from: &str| {
                let (seconds, status) = timed(&cluster, kind, &format!("guess{number}"), from);
                assert!([401, 422, 303].contains(&status), "{what}: {status}");
                seconds
            };
            // Whom the operator exempts neither pays nor makes others pay.
            for number in 0..5 {
                assert_eq!(guess(number, "127.0.9.1"), 0, "{what}");
            }
            assert_eq!(guess(10, "127.0.1.1"), 0, "{what}");
            assert_eq!(guess(11, "127.0.1.2"), 0, "{what}");
            // The same once more is no guess.
            assert!(guess(11, "127.0.1.3") >= 2, "{what}");
            assert!((2..4).contains(&guess(12, "127.0.1.4")), "{what}");
            assert!(guess(13, "127.0.1.5") >= 4, "{what}");
            assert_eq!(guess(14, "127.0.9.1"), 0, "{what}");
            let seen = recorder.take();
            assert_eq!(seen.is_empty(), way == "bind", "{what}: {seen:?}");
            // Who knows the password waits as well, once; then it is known.
            let (seconds, status) = timed(&cluster, kind, "user1", "127.0.1.6");
            assert!(seconds >= 4 && [200, 303].contains(&status), "{what}: {seconds} {status}");
            if kind == Kind::Basic || way == "bind" {
                let (seconds, _) = timed(&cluster, kind, "user1", "127.0.1.6");
                assert_eq!(seconds, 0, "{what}");
            }
            // The front's own check has forgiven the user; a back end's answer has not.
            let seconds = guess(15, "127.0.1.7");
            assert_eq!(seconds >= 4, way == "backend", "{what}: {seconds}");
        }
    }
}

/// A page that lets in everybody lets nobody guess more.
fn open_pages() {
    let (_recorder, plan) = recorder();
    let cluster = WebCluster::start(&WebPlan { login: STRICT.to_owned(), ..plan }, smtp_door());
    let open = |password: &str, from: &str| {
        let began = Instant::now();
        let credentials = format!("user1@{DOMAIN}:{password}");
        let answer = cluster.curl(&["-u", &credentials, "--interface", from], "/open");
        assert_eq!(answer.status, 200, "{answer:?}");
        began.elapsed().as_secs()
    };
    for number in 0..3 {
        let password = format!("guess{number}");
        open(&password, "127.0.1.1");
        assert_eq!(timed(&cluster, Kind::Basic, &password, "127.0.1.1").1, 401);
    }
    assert!(open("guess4", "127.0.1.2") >= 4, "three failures");
    assert_eq!(timed(&cluster, Kind::Basic, "guess4", "127.0.1.2").1, 401);
    assert!(open("guess5", "127.0.1.3") >= 4, "four");
}

fn in_flight() {
    let (recorder, plan) = recorder();
    let login = format!("{PATIENT}max-attempts-in-flight = 2\n");
    let cluster = WebCluster::start(&WebPlan { login, ..plan }, smtp_door());
    let slow = |password: &str| {
        let credentials = format!("user1@{DOMAIN}:{password}");
        cluster.curl(&["-u", &credentials], "/slow").status
    };
    thread::scope(|scope| {
        let held: Vec<_> =
            ["one", "two"].map(|password| scope.spawn(move || slow(password))).into();
        let mut seen = 0;
        wait_for("both", SLOW, || {
            seen += recorder.take().len();
            (seen == 2).then_some(())
        });
        for (kind, is_page) in [(Kind::Basic, false), (Kind::Form, true)] {
            let more = kind.log_in(&cluster, "user1", "three");
            assert_eq!(more.status, 429, "{more:?}");
            assert!(more.field("retry-after").parse::<u32>().is_ok(), "{more:?}");
            assert_eq!(more.body.contains("too many attempts"), is_page, "{more:?}");
        }
        for held in held {
            assert_eq!(held.join().unwrap(), 401);
        }
    });
    assert_eq!(Kind::Basic.log_in(&cluster, "user1", "user1").status, 200);
}

fn one_login() {
    let (recorder, plan) = recorder();
    let login = "failures-without-delay = 1\nfailure-delay = \"1s\"\nmax-failure-delay = \"30s\"\n\
                 max-attempts-in-flight = 2\n";
    let plan = WebPlan { login: login.to_owned(), ..plan };
    let cluster = WebCluster::start(&plan, smtp_door());
    assert_eq!(timed(&cluster, Kind::Basic, WRONG, "127.0.1.1"), (0, 401));
    let began = Instant::now();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let ask = || Kind::Basic.log_in(&cluster, "user1", "user1").status;
        let asking: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 12]);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(recorder.take().len(), 13);
}

fn entries() {
    let master = "enter = { with = \"master-user\", by = \"separator\", name = \"waypost\", \
                  password = { file = \"master.secret\" } }\n";
    let own = "enter = { with = \"password\", password = { file = \"master.secret\" } }\n";
    let by_id = "enter = { with = \"master-user\", name = \"waypost\", \
                 password = { file = \"master.secret\" } }\n";
    let user1 = format!("user1@{DOMAIN}");
    for (enter, name) in [(master, format!("{user1}*waypost")), (own, user1)] {
        let (recorder, plan) = recorder();
        let plan = WebPlan { backend: enter.to_owned(), ..plan }.checked_by("bind");
        let cluster = WebCluster::start(&plan, smtp_door());
        for kind in Kind::BOTH {
            kind.log_in(&cluster, "user1", "user1");
            let seen = recorder.take().concat();
            let said = match kind {
                Kind::Basic => format!("authorization: {name}:{MASTER_PASSWORD}\r\n"),
                Kind::Form => {
                    let body = format!("u={}&p={MASTER_PASSWORD}", name.replace('@', "%40"));
                    assert!(
                        seen.contains(&format!("content-length: {}\r\n", body.len())),
                        "{seen}"
                    );
                    format!("\r\n\r\n{body}")
                }
            };
            assert!(seen.contains(&said), "{kind:?}: {said} is not in {seen}");
            assert!(!seen.contains("user1:user1") && !seen.contains("p=user1"), "{seen}");
            let wrong = kind.log_in(&cluster, "user1", WRONG);
            assert!([401, 422].contains(&wrong.status), "{wrong:?}");
            assert!(recorder.take().is_empty());
        }
        // A browser that goes on is not logged in again and again.
        let cookie = Kind::Form.log_in(&cluster, "user1", "user1").cookie().unwrap();
        recorder.take();
        assert_eq!(cluster.curl(&["-b", &cookie], "/inbox").status, 200);
        assert!(!recorder.take().concat().contains(MASTER_PASSWORD));
        cluster_log_is_clean(cluster);
    }
    let (recorder, plan) = recorder();
    let plan = WebPlan { backend: by_id.to_owned(), ..plan }.checked_by("bind");
    let cluster = WebCluster::start(&plan, smtp_door());
    for kind in Kind::BOTH {
        assert_eq!(kind.log_in(&cluster, "user1", "user1").status, 503);
    }
    assert!(recorder.take().is_empty());
    let log = cluster.waypost.log();
    assert!(log.contains("no-entry-configured") && log.contains("by = \\\"separator\\\""), "{log}");
    assert!(log.contains("backend.\\\"*\\\".enter"), "told at the start: {log}");
}

fn cluster_log_is_clean(mut cluster: WebCluster) {
    cluster.waypost.stop();
    let log = cluster.waypost.log();
    for secret in [MASTER_PASSWORD, WRONG, "dXNlcjFA"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

fn identity() {
    for way in ["backend", "bind"] {
        let (recorder, plan) = recorder();
        let plan = WebPlan {
            rules: format!("alias-domains = {{ \"alias.test\" = \"{DOMAIN}\" }}\n"),
            more: "[domain.\"alias.test\"]\npolicies = [\"ldap\"]\n".to_owned(),
            ..plan
        };
        let cluster = WebCluster::start(&plan.checked_by(way), smtp_door());
        let basic = cluster.curl(&["-u", "user1@alias.test:user1"], "/dav");
        assert_eq!(basic.status, 200, "{way}: {basic:?}");
        let multipart = [
            ["-F", "u=user1@alias.test"],
            ["-F", "p=user1"],
            ["--form-string", "more=a \"b\" ä;c"],
        ]
        .concat();
        for form in [&["-d", "more=a%20b&u=user1%40alias.test&p=user1"][..], &multipart] {
            let answer = cluster.curl(form, "/login");
            assert_eq!(answer.status, 303, "{way}: {answer:?}");
        }
        let [basic, urlencoded, multipart] = &recorder.take()[..] else {
            panic!("three were sent")
        };
        assert!(basic.contains(&format!("authorization: user1@{DOMAIN}:user1\r\n")), "{basic}");
        let body = format!("more=a+b&u=user1%40{DOMAIN}&p=user1");
        assert!(urlencoded.ends_with(&format!("\r\n\r\n{body}")), "{urlencoded}");
        let part = |name: &str, text: &str| {
            format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n--")
        };
        for (name, text) in
            [("u", &*format!("user1@{DOMAIN}")), ("p", "user1"), ("more", "a \"b\" ä;c")]
        {
            assert!(multipart.contains(&part(name, text)), "{name}: {multipart}");
        }
        let (_, body) = multipart.split_once("\r\n\r\n").unwrap();
        assert!(multipart.contains(&format!("content-length: {}\r\n", body.len())), "{multipart}");
        assert!(!multipart.contains("alias.test\r\n--"), "{multipart}");
    }
}

fn log() {
    for way in ["backend", "bind", "password"] {
        let (_recorder, plan) = recorder();
        let server = "log-level = \"trace\"\n".to_owned();
        let plan = WebPlan { server, ..plan }.checked_by(way);
        let mut cluster = WebCluster::start(&plan, smtp_door());
        let secret = "xyzzy-plugh-42";
        cluster.slapd.set_password("user1", secret);
        for kind in Kind::BOTH {
            kind.log_in(&cluster, "user1", secret);
            kind.log_in(&cluster, "user1", &format!("{secret}-wrong"));
            kind.log_in(&cluster, "nobody", secret);
        }
        cluster.curl(&["-d", &format!("p={secret}&u=user1&u=user2")], "/login");
        cluster.waypost.stop();
        let log = cluster.waypost.log();
        assert!(log.contains(&format!("user1@{DOMAIN}")), "{log}");
        // The same in Base64, at each of the three places where it may begin.
        for form in [secret, "eHl6enktcGx1Z2gt", "h5enp5LXBsdWdoL", "4eXp6eS1wbHVnaC"] {
            assert!(!log.contains(form), "{way} {form}: {log}");
        }
    }
}

/// WebDriver section 17.4.2: the key that sends a form.
const ENTER: &str = "\u{e007}";

fn roundcube() {
    let smtp = smtp_door();
    let roundcubes = Roundcubes::start(smtp);
    let cluster = WebCluster::start(&roundcubes.plan.clone().checked_by("bind"), smtp);
    let user = format!("user1@{DOMAIN}");
    let browser = Browser::start("de");
    browser.open(&cluster.url());
    browser.wait_for_title("Ihre E-Mail");
    browser.press(&format!("{user}{ENTER}"));
    browser.wait_for_title("North Webmail");
    browser.write("#rcmloginpwd", "wrong");
    browser.click("#rcmloginsubmit");

    // The front's own word, from where the user gets back to the form.
    browser.wait_for_title("Fehler: ");
    assert!(browser.text("[role=alert]").contains("Passwort ist falsch"));
    assert_eq!(browser.value("#address"), user);
    browser.click("button");
    browser.wait_for_title("North Webmail");
    assert_eq!(browser.value("#rcmloginuser"), user);
    browser.write("#rcmloginpwd", "user1");
    browser.click("#rcmloginsubmit");
    browser.wait_for("#messagelist tbody tr");

    // What a browser sends from then on is no login, and passes: here a change by a script.
    browser.open(&format!("{}/?_task=mail&_mbox=INBOX&_uid=1&_action=show", cluster.url()));
    assert!(browser.text("#message-header .subject").contains("Welcome to north"));
    browser.run("rcmail.command('mark', 'flagged')");
    let flagged = || {
        browser.open(&format!("{}/?_task=mail&_mbox=INBOX", cluster.url()));
        browser.wait_for("#messagelist tbody tr");
        let found =
            browser.run("return document.querySelectorAll('#messagelist tr.flagged').length");
        (found == 1).then_some(())
    };
    wait_for("the flag", Duration::from_secs(20), flagged);
}

/// What a browser brings back from Roundcube's login page: its session and its token.
fn login_page(cluster: &WebCluster, cookie: &str) -> (String, String) {
    let page = cluster.curl(&["-b", cookie], "/");
    let fields = page.all("set-cookie").into_iter().filter(|field| field.starts_with("roundcube_"));
    let mut sessions = fields.map(|field| field.split(';').next().unwrap());
    let session = sessions.next_back().unwrap_or_else(|| panic!("no session: {page:?}"));
    let (_, rest) = page.body.split_once("name=\"_token\" value=\"").unwrap();
    (session.to_owned(), rest.split('"').next().unwrap().to_owned())
}

/// However its login is sent, by a browser that is at home there: Roundcube asks Dovecot each time, and
/// the third time later.
fn roundcubes_no() {
    let smtp = smtp_door();
    let roundcubes = Roundcubes::start(smtp);
    let settings = roundcubes.plan.settings.replace("_pass\" }", "_pass\", failed-status = 401 }");
    assert_ne!(settings, roundcubes.plan.settings);
    let login = STRICT.to_owned();
    let server = "log-level = \"debug\"\n".to_owned();
    let plan = WebPlan { settings, login, server, ..roundcubes.plan.clone() };
    for (path, more, cookies) in [
        ("/?_task=login", "&_task=login&_action=login", ""),
        ("/", "&_task=login&_action=login", ""),
        ("/index.php?_task=login", "&_action=login", ""),
        ("/", "", "; _task=login; _action=login"),
    ] {
        let cluster = WebCluster::start(&plan, smtp);
        let own = remembered(&cluster, "user1");
        let before = roundcubes.north.0.failed_logins();
        for number in 0..3 {
            let (session, token) = login_page(&cluster, &own);
            let form = format!("_token={token}&_user=user1%40{DOMAIN}&_pass=guess{number}{more}");
            let sent = format!("{own}; {session}{cookies}");
            let answer = cluster.curl(&["-b", &sent, "-d", &form], path);
            assert_eq!(answer.status, 401, "{path} {number}: {answer:?}");
            assert!(answer.body.contains("North Webmail"), "{path} {number}: {answer:?}");
            // Dovecot takes its own time over guesses as well.
            let is_held_back = cluster.waypost.log().contains("a login is held back");
            assert_eq!(is_held_back, number == 2, "{path} {number}");
            let failed = roundcubes.north.0.failed_logins() - before;
            assert_eq!(failed, number + 1, "{path} {number}: Dovecot was asked: {answer:?}");
        }
    }
    assert_eq!(roundcubes.south.0.failed_logins(), 0);
}

fn radicale() {
    let radicales = Radicales::start();
    let cluster = WebCluster::start(&radicales.plan.clone().checked_by("bind"), smtp_door());
    let (address, home) = (format!("user1@{DOMAIN}"), format!("/user1@{DOMAIN}/"));
    let right = format!("{address}:user1");
    let asked = |credentials: &str, more: &[&str], path: &str| {
        cluster.curl(&[&["-u", credentials][..], more].concat(), path).status
    };
    assert_eq!(asked(&right, &["-X", "PROPFIND", "-H", "Depth: 0"], &home), 207);
    assert_eq!(asked(&right, &["-X", "MKCALENDAR"], &format!("{home}work/")), 201);
    let wrong = format!("{address}:wrong");
    assert_eq!(asked(&wrong, &["-X", "MKCALENDAR"], &format!("{home}play/")), 401);
    let found = asked(&right, &["-X", "PROPFIND", "-H", "Depth: 0"], &format!("{home}play/"));
    assert_eq!(found, 404);
}
