//! What is sent by mistake or in bad faith.

use crate::cases::Case;
use crate::clusters::mailboxes::DOMAIN;
use crate::clusters::webmails::{Curled, Roundcubes, WebCluster, smtp_door};

pub(crate) const CASES: &[Case] = &[("webmail::bad_input_is_answered_and_does_no_harm", bad_input)];

fn bad_input() {
    let smtp = smtp_door();
    let roundcubes = Roundcubes::start(smtp);
    let cluster = WebCluster::start(&roundcubes.plan, smtp);
    let user1 = remembered(&cluster, "user1");
    let user3 = remembered(&cluster, "user3");
    title(&cluster.curl(&["-b", &user1], "/"), "North Webmail");
    title(&cluster.curl(&["-b", &user3], "/"), "South Webmail");

    cookies(&cluster, &user1);
    credentials(&cluster, &user1, &user3);
    forms(&cluster, &user1);
    ways_back(&cluster);
    other_sites(&cluster);
}

/// The cookie of a browser that has given this address.
fn remembered(cluster: &WebCluster, user: &str) -> String {
    let sent = format!("address={user}%40{DOMAIN}&to=/");
    let answer = cluster.curl(&["-d", &sent], "/.waypost/");
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(answer.field("location"), format!("/?_user={user}%40{DOMAIN}"));
    answer.cookie().expect("an address is remembered")
}

#[track_caller]
fn title(answer: &Curled, name: &str) {
    let is_page = answer.body.contains("<title>") && answer.body.contains(name);
    assert!(answer.status == 200 && is_page, "{name}: {answer:?}");
}

#[track_caller]
fn asks(answer: &Curled) {
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(answer.field("location").starts_with("/.waypost/"), "{answer:?}");
}

/// Forged, changed, cut and planted ones are none.
fn cookies(cluster: &WebCluster, real: &str) {
    let sealed = real.split_once('=').unwrap().1;
    let changed = format!("{}A{}", &sealed[..20], &sealed[21..]);
    let changed = if changed == sealed { sealed.replacen('A', "B", 1) } else { changed };
    let long = "A".repeat(6000);
    for value in ["", "x", "user1@localdomain.test", &changed, &sealed[..40], &long, "%00", "\"\""]
    {
        asks(&cluster.curl(&["-b", &format!("__Host-waypost={value}")], "/"));
    }
    asks(&cluster.curl(&["-b", &format!("{real}; __Host-waypost=planted")], "/"));
    // Over TLS the name without the prefix is not ours.
    asks(&cluster.curl(&["-b", &real.replace("__Host-", "")], "/"));
}

/// What the request says stands above what is remembered, and replaces it.
fn credentials(cluster: &WebCluster, user1: &str, user3: &str) {
    let basic = format!("user1@{DOMAIN}:user1");
    let answer = cluster.curl(&["-u", &basic, "-b", user3], "/");
    title(&answer, "North Webmail");
    let replaced = answer.cookie().expect("the cookie is replaced");
    title(&cluster.curl(&["-b", &replaced], "/"), "North Webmail");

    let form = format!("_task=login&_action=login&_user=user3%40{DOMAIN}&_pass=x");
    for path in ["/?_task=login", "/", "/index.php", "/?_task=mail&_action=send"] {
        let answer = cluster.curl(&["-d", &form, "-b", user1], path);
        assert!(answer.body.contains("South Webmail"), "{path}: {answer:?}");
        let replaced = answer.cookie().expect("the cookie is replaced");
        title(&cluster.curl(&["-b", &replaced], "/"), "South Webmail");
    }

    let nonsense = cluster.curl(&["-H", "Authorization: Basic !", "-b", user1], "/");
    assert_eq!(nonsense.status, 401, "{nonsense:?}");
    let twice = ["-H", "Authorization: Basic YTpi", "-H", "Authorization: Basic Yzpk"];
    assert_eq!(cluster.curl(&twice, "/").status, 400);
}

fn forms(cluster: &WebCluster, user1: &str) {
    let post = |media_type: &str, form: &str, more: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("form");
        std::fs::write(&file, form).unwrap();
        let (field, data) = (format!("Content-Type: {media_type}"), format!("@{}", file.display()));
        let arguments: Vec<&str> = ["-H", &field, "--data-binary", &data]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        cluster.curl(&arguments, "/?_task=login")
    };
    const URLENCODED: &str = "application/x-www-form-urlencoded";
    const MULTIPART: &str = "multipart/form-data; boundary=x";
    // Behind something long, and before: only what has no password in it passes.
    let padding = "x".repeat(65 << 10);
    let part = |name: &str, text: &str| {
        format!("--x\r\nContent-Disposition: form-data; {name}\r\n\r\n{text}\r\n")
    };
    let file = part("name=\"f\"; filename=\"f\"", &padding);
    let user = part("name=\"_user\"", "user3");
    let password = part("name=\"_pass\"", "x");
    for (media_type, login, other) in [
        (URLENCODED, format!("_user=user3&a={padding}&_pass=x"), format!("_user=a&a={padding}")),
        (URLENCODED, format!("_user=user3&_pass={padding}"), format!("a={padding}&_user=a")),
        (MULTIPART, format!("{user}{file}{password}--x--"), format!("{user}{file}--x--")),
        (MULTIPART, format!("{password}{file}{user}--x--"), format!("{file}{user}--x--")),
    ] {
        let refused = post(media_type, &login, &["-b", user1]);
        assert_eq!(refused.status, 413, "{media_type}: {refused:?}");
        asks(&post(media_type, &login, &[]));
        let passed = post(media_type, &other, &["-b", user1]);
        assert!(passed.body.contains("North Webmail"), "{media_type}: {passed:?}");
    }
    for (media_type, form) in [
        (URLENCODED, "_user=\u{e4}&_pass=x"),
        (URLENCODED, "_user=a&_user=b&_pass=x"),
        (MULTIPART, "--x\r\nrubbish"),
        ("multipart/form-data", "--x\r\n"),
    ] {
        for more in [&[][..], &["-b", user1]] {
            let answer = post(media_type, form, more);
            assert_eq!(answer.status, 400, "{media_type} {form}: {answer:?}");
        }
    }
    // PHP reads a form there, and so does Waypost: these are logins of a user of the other back end.
    let login = format!("_task=login&_action=login&_user=user3%40{DOMAIN}&_pass=x");
    for behind in [" ,x", ",x", " x", "; charset=x"] {
        let answer = post(&format!("{URLENCODED}{behind}"), &login, &["-b", user1]);
        assert!(answer.body.contains("South Webmail"), "{behind}: {answer:?}");
    }
    // Over HTTP/2 Debian's curl forgets an answer that comes before its body has left.
    let twice = ["-b", user1, "-H", "Content-Type: text/plain", "--http1.1"];
    assert_eq!(post(URLENCODED, &login, &twice).status, 400);
    // A form of another kind goes with the cookie, or is asked who it is.
    asks(&post(URLENCODED, "a=b", &[]));
    for (media_type, form) in [("text/plain", "a=b"), ("application/json", "[]")] {
        let answer = post(media_type, form, &["-b", user1]);
        assert!(answer.body.contains("North Webmail"), "{media_type}: {answer:?}");
    }
}

fn ways_back(cluster: &WebCluster) {
    for to in ["https://elsewhere.test/", "//elsewhere.test/", "/%5Celsewhere.test", "/%09/x"] {
        let sent = format!("address=user1%40{DOMAIN}&to={to}");
        let answer = cluster.curl(&["-d", &sent], "/.waypost/");
        assert_eq!(answer.status, 303, "{to}");
        assert_eq!(answer.field("location"), format!("/?_user=user1%40{DOMAIN}"), "{to}");
        let page = cluster.curl(&[], &format!("/.waypost/?to={to}"));
        assert!(!page.body.contains("elsewhere"), "{to}: {page:?}");
    }
    let sent = format!("address=user1%40{DOMAIN}&to=/%3Fa%3Db");
    let answer = cluster.curl(&["-d", &sent], "/.waypost/");
    assert_eq!(answer.field("location"), format!("/?a=b&_user=user1%40{DOMAIN}"));
}

/// Another site can neither put an address on a browser nor take one away.
fn other_sites(cluster: &WebCluster) {
    let sent = format!("address=user3%40{DOMAIN}");
    for field in ["Sec-Fetch-Site: cross-site", "Origin: https://elsewhere.test", "Origin: null"] {
        let answer = cluster.curl(&["-d", &sent, "-H", field], "/.waypost/");
        assert_eq!((answer.status, answer.cookie()), (403, None), "{field}: {answer:?}");
        let forget = ["-H", "Sec-Fetch-Site: cross-site"];
        let answer = cluster.curl(&forget, "/.waypost/forget");
        assert_eq!(answer.cookie(), None, "{answer:?}");
    }
    let own = format!("Origin: {}", cluster.url());
    let answer = cluster.curl(&["-d", &sent, "-H", &own], "/.waypost/");
    assert!(answer.status == 303 && answer.cookie().is_some(), "{answer:?}");
}
