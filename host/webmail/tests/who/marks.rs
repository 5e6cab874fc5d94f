use http::HeaderMap;
use http::header::{HeaderValue, SET_COOKIE};
use proptest::prelude::*;
use waypost_model::Address;
use waypost_webmail::home::Home;
use waypost_webmail::marks::{Marks, Setter, mark};
use waypost_webmail::seal::SealKeys;

use crate::fields;

fn home(user: &str) -> Home {
    Home::of(&Address::new(user, None).unwrap(), "north.test")
}

/// The fields of an answer that sets this, in which a mark stands as `MARK`.
fn marked(set: &str, home: Home, keys: &SealKeys) -> Vec<HeaderValue> {
    let mut answer = HeaderMap::new();
    answer.append(SET_COOKIE, HeaderValue::from_str(set).unwrap());
    mark(&mut answer, home, keys);
    answer.get_all(SET_COOKIE).iter().cloned().collect()
}

fn pair(field: &HeaderValue) -> String {
    field.to_str().unwrap().split(';').next().unwrap().trim().to_owned()
}

#[test]
fn a_mark_is_set_as_its_cookie_is() {
    let keys = SealKeys::random();
    for (set, name, attributes) in [
        ("s=1", "waypost.s=", "; HttpOnly"),
        (" s = 1 ; Path=/app/; httponly", "waypost.s=", "; Path=/app/; httponly"),
        ("__Host-s=1; Path=/; Secure", "__Host-waypost.s=", "; Path=/; Secure; HttpOnly"),
        ("__secure-s=; Max-Age=0", "__secure-waypost.s=", "; Max-Age=0; HttpOnly"),
        ("s=a=b; Domain=x.test", "waypost.s=", "; Domain=x.test; HttpOnly"),
        ("lonely", "waypost.=", "; HttpOnly"),
    ] {
        let [mark, itself] = &marked(set, home("a@x.test"), &keys)[..] else { panic!("{set}") };
        assert_eq!(itself, set, "it goes on as it is");
        let mark = mark.to_str().unwrap();
        assert!(mark.starts_with(name) && mark.ends_with(attributes), "{mark}");
        assert_eq!(mark.matches("nly").count(), 1, "{mark}");
    }
}

#[test]
fn what_bears_no_mark_does_not_come_back() {
    let keys = SealKeys::random();
    let home = home("a@x.test");
    // RFC 6265bis section 5.6: there is no cookie in these.
    for set in ["", "=", "; Path=/", &format!("s={}", "x".repeat(4096))] {
        assert_eq!(marked(set, home, &keys), [set]);
    }
    let long = format!("{}=1", "n".repeat(4080));
    for set in ["=s=1", &long] {
        assert_eq!(marked(set, home, &keys), [""; 0], "{set}");
    }
}

#[test]
fn each_cookie_of_a_name_has_its_own() {
    let keys = SealKeys::random();
    let (ann, ben) = (home("a@x.test"), home("b@x.test"));
    let [ann_s, _] = &marked("s=1; Path=/app/", ann, &keys)[..] else { panic!() };
    let [ben_s, _] = &marked("s=2; Path=/", ben, &keys)[..] else { panic!() };
    let (ann_s, ben_s) = (pair(ann_s), pair(ben_s));
    let setter = |marks: &[&str], value: &[u8], home| {
        let request = fields(&[("cookie", &marks.join("; "))]);
        Marks::of(&request, &keys).setter(b"s", value, home)
    };
    for marks in [[&*ann_s, &ben_s], [&ben_s, &ann_s]] {
        assert_eq!(setter(&marks, b"1", ann), Setter::Here);
        assert_eq!(setter(&marks, b"1", ben), Setter::Elsewhere);
        assert_eq!(setter(&marks, b"2", ben), Setter::Here);
        assert_eq!(setter(&marks, b"3", ben), Setter::Elsewhere, "nobody knows which it was");
    }
    assert_eq!(setter(&[&ben_s], b"3", ben), Setter::Here, "a script has changed it");
    assert_eq!(setter(&["waypost.s=planted"], b"1", ann), Setter::Elsewhere);
    assert_eq!(setter(&["waypost.s="], b"1", ann), Setter::Elsewhere);
    assert_eq!(setter(&["waypost.t=x"], b"1", ann), Setter::Nobody);
    let mut many = vec!["waypost.s=x"; 8];
    many.push(&ann_s);
    assert_eq!(setter(&many, b"1", ann), Setter::Elsewhere, "so many are not looked at");
}

#[test]
fn a_mark_outlives_the_key_that_seals() {
    let (old, new) = (
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=",
    );
    let keys = |lines: &[&str]| SealKeys::parse(lines.join("\n").as_bytes()).unwrap();
    let ann = home("a@x.test");
    let [mark, _] = &marked("s=1", ann, &keys(&[old]))[..] else { panic!() };
    let request = fields(&[("cookie", &pair(mark))]);
    let setter = |keys: &SealKeys| Marks::of(&request, keys).setter(b"s", b"1", ann);
    assert_eq!(setter(&keys(&[new, old])), Setter::Here);
    assert_eq!(setter(&keys(&[new])), Setter::Elsewhere);
}

proptest! {
    /// Whatever a back end sets that a browser may send back.
    #[test]
    fn what_is_set_is_known_when_it_comes_back(set in "[ -~]{0,40}") {
        let keys = SealKeys::random();
        let (ann, ben) = (home("a@x.test"), home("b@x.test"));
        if let [mark, itself] = &marked(&set, ann, &keys)[..] {
            let mut itself = pair(itself);
            // As browsers write it.
            if let Some((name, value)) = itself.split_once('=') {
                itself = format!("{}={}", name.trim(), value.trim());
            }
            let request = fields(&[("cookie", &format!("{}; {itself}", pair(mark)))]);
            let marks = Marks::of(&request, &keys);
            let (name, value) = itself.split_once('=').unwrap_or(("", &itself));
            prop_assert!(!marks.lack_one(&request), "{}", itself);
            prop_assert_eq!(marks.setter(name.as_bytes(), value.as_bytes(), ann), Setter::Here);
            prop_assert_eq!(marks.setter(name.as_bytes(), value.as_bytes(), ben), Setter::Elsewhere);
        }
    }
}
