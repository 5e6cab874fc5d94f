use waypost_webmail::same_origin::is_same_origin;

use crate::fields;

fn passes(host: &str, request: &[(&'static str, &str)]) -> bool {
    is_same_origin(&fields(request), &host.parse().unwrap())
}

#[test]
fn a_browser_says_who_sends_the_form() {
    let host = "mail.example.test";
    for site in ["same-origin", "none"] {
        assert!(passes(host, &[("sec-fetch-site", site), ("origin", "null")]), "{site}");
    }
    for site in ["cross-site", "same-site", "", "other"] {
        let origin = ("origin", "https://mail.example.test");
        assert!(!passes(host, &[("sec-fetch-site", site), origin]), "{site}");
    }
}

#[test]
fn an_older_one_says_so_by_the_origin() {
    for (host, origin) in [
        ("mail.example.test", "https://mail.example.test"),
        ("mail.example.test", "http://Mail.Example.test"),
        ("mail.example.test:443", "https://mail.example.test"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
    ] {
        assert!(passes(host, &[("origin", origin)]), "{host} {origin}");
    }
    for origin in [
        "null",
        "",
        "https://elsewhere.test",
        "https://mail.example.test.elsewhere.test",
        "https://mail.example.test:8443",
        "https://elsewhere.test@mail.example.test.x",
        "ftp://mail.example.test",
        "mail.example.test",
    ] {
        assert!(!passes("mail.example.test", &[("origin", origin)]), "{origin}");
    }
    let ours = ("origin", "https://mail.example.test");
    assert!(!passes("mail.example.test", &[ours, ours]));
}

#[test]
fn what_says_nothing_is_no_browser() {
    assert!(passes("mail.example.test", &[]));
}
