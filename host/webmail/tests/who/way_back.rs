use proptest::prelude::*;
use waypost_webmail::way_back::WayBack;

#[test]
fn a_path_of_this_host_is_a_way_back() {
    for way in ["/", "/?_task=mail", "/a/b%20c?d=e&f", "/a?to=https://elsewhere.test/", "/.well"] {
        assert_eq!(WayBack::read(way).as_str(), way);
    }
}

#[test]
fn another_site_is_none() {
    for way in [
        "",
        "a",
        "https://elsewhere.test/",
        "//elsewhere.test/",
        "///elsewhere.test/",
        "/\\elsewhere.test/",
        "\\\\elsewhere.test",
        "/a\\..\\..\\elsewhere",
        "/\t/elsewhere.test/",
        "\t//elsewhere.test/",
        " /",
        "/\n/elsewhere.test",
        "/a\r\nSet-Cookie: x=y",
        "/..//elsewhere.test",
        "/.//elsewhere.test",
        "/%2e//elsewhere.test",
        "javascript:alert(1)",
        "data:text/html,x",
        "/\u{e4}",
        "/a\0b",
        // Our own page, round and round.
        "/.waypost/",
        "/.waypost/?to=/.waypost/",
        "/.waypost/forget",
    ] {
        assert_eq!(WayBack::read(way).as_str(), "/", "{way:?}");
    }
    assert_eq!(WayBack::read(&format!("/{}", "a".repeat(5000))).as_str(), "/");
}

#[test]
fn the_address_is_handed_over_in_the_query() {
    let with = |way: &str| WayBack::read(way).with("_user", "ü+1@a.test&x").as_str().to_owned();
    let user = "_user=%C3%BC%2B1%40a.test%26x";
    assert_eq!(with("/"), format!("/?{user}"));
    assert_eq!(with("/?_task=mail&_mbox=a%26b"), format!("/?_task=mail&_mbox=a%26b&{user}"));
    assert_eq!(with("/?_user=other&a=1&_user=more"), format!("/?a=1&{user}"));
}

#[test]
fn the_page_is_told_the_way() {
    assert_eq!(WayBack::default().by_page(), "/.waypost/");
    assert_eq!(WayBack::read("/?a=b&c").by_page(), "/.waypost/?to=%2F%3Fa%3Db%26c");
}

proptest! {
    /// Whatever is written, a browser that follows it stays here.
    #[test]
    fn nobody_is_led_away(way in any::<String>(), tail in "[/\\\\.%2efE:@a\t\n?#]{0,12}") {
        let here = url::Url::parse("https://mail.example.test/").unwrap();
        for way in [way, format!("/{tail}"), tail] {
            let back = WayBack::read(&way);
            let there = here.join(back.as_str()).unwrap();
            prop_assert_eq!(there.origin(), here.origin(), "{}", way);
            prop_assert!(!there.path().starts_with("//"), "{}", way);
            let page = here.join(&back.by_page()).unwrap();
            prop_assert_eq!(page.path(), "/.waypost/");
        }
    }
}
