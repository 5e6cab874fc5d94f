use waypost_webmail::place::{Branch, Place};

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

#[test]
fn a_place_is_a_path_with_what_stands_in_its_query() {
    let out = place("/?_task=logout");
    assert!(out.is("/", Some("_task=logout")));
    assert!(out.is("/", Some("_token=x&_task=logout")));
    assert!(out.is("/", Some("_task=%6cogout")), "as the back end reads it");
    assert!(!out.is("/", Some("_task=mail")));
    assert!(out.is("/", Some("_task=logout&_task=mail")), "as one or the other reads it");
    assert!(out.is("/", Some("_task=mail&_task=logout")), "as one or the other reads it");
    assert!(out.is("//", Some("_task=logout")), "as the back end reads it");
    assert!(!out.is("/", None));
    assert!(!out.is("/mail", Some("_task=logout")));
    assert!(place("/logout").is("/logout", Some("anything")));
    assert!(place("/logout").is("/logout", None));
}

#[test]
fn a_place_is_one_however_it_is_written() {
    let login = place("/app/in");
    for path in [
        "/app/in",
        "/app/in/",
        "//app///in",
        "/./app/./in",
        "/x/../app/in",
        "/../app/in",
        "/%61pp/%69N",
        "/app%2fin",
        "/app%5cin",
        "/%2e/app/y/%2e%2E/in",
        "/app;a=b/in;c",
        "/app/x/..;/in",
        "/APP/In",
    ] {
        assert!(login.is(path, None), "{path}");
    }
    for path in ["/", "/app", "/app/in/x", "/x/app/in", "/app/in/..", "/%2561pp/in", "/app/i/n"] {
        assert!(!login.is(path, None), "{path}");
    }
    assert!(place("/App/In").is("/APP/IN", None), "in any case");
}

#[test]
fn what_is_no_path_is_no_place() {
    for text in ["", "logout", "https://elsewhere.test/", "/a b", "/a#b", "/\u{e4}"] {
        assert!(text.parse::<Place>().is_err(), "{text}");
        assert!(text.parse::<Branch>().is_err(), "{text}");
    }
    assert!("/".parse::<Branch>().is_err(), "it would hold everything");
}

#[test]
fn a_branch_is_a_path_and_what_lies_below() {
    let branch: Branch = "/Microsoft-Server-ActiveSync".parse().unwrap();
    for path in [
        "/Microsoft-Server-ActiveSync",
        "/microsoft-server-activesync",
        "/Microsoft-Server-ActiveSync/x",
    ] {
        assert!(branch.holds(path), "{path}");
    }
    for path in ["/", "/Microsoft-Server-ActiveSync2", "/x/Microsoft-Server-ActiveSync"] {
        assert!(!branch.holds(path), "{path}");
    }
    let branch: Branch = "/dav/".parse().unwrap();
    assert!(branch.holds("/dav") && branch.holds("/dav/") && !branch.holds("/david"));
    assert!(!branch.holds("/da\u{e4}x"), "not cut within a character");
}
