//! Templates: what they expand to, what is refused and where, and that no text of a client's
//! becomes part of a query.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use waypost_sdk::template::Placeholder;
use waypost_sdk::{Base, Filter, Parameters, Subject};

fn subject(local_part: &str, domain: &str) -> Subject {
    Subject { local_part: local_part.into(), domain: domain.into() }
}

/// The filter's text and parameters for user@mail.example.test.
#[track_caller]
fn filter(template: &str) -> (String, Vec<String>) {
    let subject = subject("user", "mail.example.test");
    let mut parameters = Parameters::new(&subject);
    let text = template.parse::<Filter>().unwrap().fill(&mut parameters);
    (text, texts(parameters))
}

/// The base's text and parameters for user@mail.example.test.
#[track_caller]
fn base(template: &str) -> (String, Vec<String>) {
    let subject = subject("user", "mail.example.test");
    let mut parameters = Parameters::new(&subject);
    let text = template.parse::<Base>().unwrap().fill(&mut parameters);
    (text, texts(parameters))
}

fn texts(parameters: Parameters<'_>) -> Vec<String> {
    parameters.into_values().into_iter().map(|value| String::from_utf8(value).unwrap()).collect()
}

#[test]
fn filters() {
    let address = "user@mail.example.test";
    for (template, text, parameters) in [
        ("mail=%e", "(mail={0})", vec![address]),
        ("(mail=%e)", "(mail={0})", vec![address]),
        (" ( mail=%e) ", "(mail={0})", vec![address]),
        ("uid=%u", "(uid={0})", vec!["user"]),
        ("associatedDomain=%d", "(associatedDomain={0})", vec!["mail.example.test"]),
        ("seeAlso=%s", "(seeAlso={0})", vec!["dc=mail,dc=example,dc=test"]),
        ("mail=%u@%d", "(mail={0}@{1})", vec!["user", "mail.example.test"]),
        ("mail=smtp:%e", "(mail=smtp:{0})", vec![address]),
        ("proxyAddresses=smtp:%e*", "(proxyAddresses=smtp:{0}*)", vec![address]),
        ("&(objectClass=person)(mail=%e)", "(&(objectClass=person)(mail={0}))", vec![address]),
        ("(&(a=1)\n  (|(mail=%e)(alias=%e)))", "(&(a=1)(|(mail={0})(alias={0})))", vec![address]),
        ("(&(mail=%e)(!(disabled=TRUE)))", "(&(mail={0})(!(disabled=TRUE)))", vec![address]),
        ("(&(&)(mail=%e))", "(&(&)(mail={0}))", vec![address]),
        ("(cn;lang-de=%u)", "(cn;lang-de={0})", vec!["user"]),
        ("2.5.4.3=%u", "(2.5.4.3={0})", vec!["user"]),
        ("(cn~=%u)", "(cn~={0})", vec!["user"]),
        ("(cn>=%u)", "(cn>={0})", vec!["user"]),
        ("(cn<=%u)", "(cn<={0})", vec!["user"]),
        ("(cn:=%u)", "(cn:={0})", vec!["user"]),
        ("(cn:dn:=%u)", "(cn:dn:={0})", vec!["user"]),
        ("(cn:dn:caseExactMatch:=%u)", "(cn:dn:caseExactMatch:={0})", vec!["user"]),
        ("(:2.5.13.5:=%u)", "(:2.5.13.5:={0})", vec!["user"]),
        ("cn=100%% %u", "(cn=100% {0})", vec!["user"]),
        (r"cn=\28%u\29", r"(cn=\28{0}\29)", vec!["user"]),
        ("cn={0}%u}", r"(cn=\7b0\7d{0}\7d)", vec!["user"]),
        ("cn=%%e%u", "(cn=%e{0})", vec!["user"]),
        ("objectClass=*", "(objectClass=*)", vec![]),
        ("cn=Jürgen %u", "(cn=Jürgen {0})", vec!["user"]),
    ] {
        assert_eq!(filter(template), (text.into(), own(parameters)), "{template}");
    }
}

#[test]
fn bases() {
    for (template, text, parameters) in [
        ("%s", "dc={0},dc={1},dc={2}", vec!["mail", "example", "test"]),
        ("ou=people,%s", "ou=people,dc={0},dc={1},dc={2}", vec!["mail", "example", "test"]),
        ("dc=example,dc=test", "dc=example,dc=test", vec![]),
        ("dc=example, dc=test ", "dc=example,dc=test", vec![]),
        ("ou = people , dc=test", "ou=people,dc=test", vec![]),
        ("o=%d,ou=hosting", "o={0},ou=hosting", vec!["mail.example.test"]),
        ("uid=%u,dc=test", "uid={0},dc=test", vec!["user"]),
        ("mail=%e+cn=x,dc=test", "mail={0}+cn=x,dc=test", vec!["user@mail.example.test"]),
        ("o=two words,dc=test", "o=two words,dc=test", vec![]),
        (r"o=a\, b\2c c\ ,dc=test", r"o=a\, b\2c c\ ,dc=test", vec![]),
        ("o={0},dc=test", r"o=\7b0\7d,dc=test", vec![]),
        ("o=100%%,dc=test", "o=100%,dc=test", vec![]),
    ] {
        assert_eq!(base(template), (text.into(), own(parameters)), "{template}");
    }
}

fn own(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(Into::into).collect()
}

#[test]
fn components_follow_the_domain() {
    let base: Base = "%s".parse().unwrap();
    for (domain, text, values) in [
        ("localdomain", "dc={0}", vec!["localdomain"]),
        ("example.test", "dc={0},dc={1}", vec!["example", "test"]),
        ("test.example.test", "dc={0},dc={1},dc={2}", vec!["test", "example", "test"]),
    ] {
        let subject = subject("user", domain);
        let mut parameters = Parameters::new(&subject);
        assert_eq!(base.fill(&mut parameters), text);
        assert_eq!(texts(parameters), own(values));
    }
}

#[test]
fn base_and_filter_share_their_parameters() {
    let subject = subject("user", "example.test");
    let mut parameters = Parameters::new(&subject);
    let base = "o=%d,dc=test".parse::<Base>().unwrap().fill(&mut parameters);
    let filter = "(|(mail=%e)(o=%d))".parse::<Filter>().unwrap().fill(&mut parameters);
    assert_eq!((base.as_str(), filter.as_str()), ("o={0},dc=test", "(|(mail={1})(o={0}))"));
    assert_eq!(texts(parameters), ["example.test", "user@example.test"]);
}

#[test]
fn placeholders_in_use_are_known() {
    let filter: Filter = "mail=%e".parse().unwrap();
    assert!(filter.uses(Placeholder::Address) && !filter.uses(Placeholder::LocalPart));
    let base: Base = "ou=%%u,%s".parse().unwrap();
    assert!(base.uses(Placeholder::Components) && !base.uses(Placeholder::LocalPart));
}

#[test]
fn a_bad_filter_is_refused_with_its_place() {
    for (template, at, message) in [
        ("", 1, "an attribute in front was expected, this is the end"),
        ("mail", 5, "'=' was expected, this is the end"),
        ("mail=", 6, "a value was expected, this is the end"),
        ("(mail=)", 7, "a value was expected, here is ')'"),
        ("(mail=%e", 9, "')' was expected, this is the end"),
        ("mail=%e)", 8, "the end of the filter was expected, here is ')'"),
        ("(mail=%e)(uid=%u)", 10, "the end of the filter was expected, here is '('"),
        ("mail=%x", 6, "behind % stands 'x'; %e, %u, %d, %s or %% was expected"),
        ("mail=%E", 6, "behind % stands 'E'; %e, %u, %d, %s or %% was expected"),
        ("mail=%", 6, "behind % stands the end; %e, %u, %d, %s or %% was expected"),
        ("ü%u=x", 1, "an attribute in front was expected, here is 'ü'"),
        ("%u=x", 1, "an attribute in front was expected, here is %u"),
        ("mail%u=x", 5, "'=' was expected, here is %u"),
        ("mail%%=x", 5, "'=' was expected, here is '%'"),
        ("(%u)", 2, "an attribute in front was expected, here is %u"),
        ("(&%u)", 3, "')' was expected, here is %u"),
        ("(&mail=%e)", 3, "')' was expected, here is 'm'"),
        ("(!mail=%e)", 3, "a filter in parentheses was expected, here is 'm'"),
        ("%s", 1, "an attribute in front was expected, here is %s"),
        ("mail =%e", 5, "'=' was expected, here is ' '"),
        ("mail=a(b", 7, r"in a value, ( is written \28"),
        ("mail>=a*", 8, r"in a value, * is written \2a"),
        ("mail=a**", 8, "nothing stands between two asterisks"),
        (r"mail=\2", 6, r"\ with two hexadecimal digits was expected, here is '\\'"),
        (r"mail=\%e", 6, r"\ with two hexadecimal digits was expected, here is '\\'"),
        (
            "mail=a\tb",
            7,
            r"in a value, a control character is written as \ with its two hexadecimal digits",
        ),
        ("mail:%u:=x", 6, "'=' was expected, here is %u"),
        (
            "mail:x",
            7,
            "an attribute, a matching rule or both, then \":=\", was expected, this is the end",
        ),
        (":=x", 2, "an attribute, a matching rule or both, then \":=\", was expected, here is '='"),
        (
            ":dn:=x",
            5,
            "an attribute, a matching rule or both, then \":=\", was expected, here is '='",
        ),
    ] {
        let error = template.parse::<Filter>().unwrap_err();
        assert_eq!((error.at, error.message.as_str()), (at, message), "{template}");
    }
}

#[test]
fn a_bad_base_is_refused_with_its_place() {
    for (template, at, message) in [
        ("", 1, "an attribute in front, such as \"dc\", or %s was expected, this is the end"),
        ("dc=a,", 6, "an attribute in front, such as \"dc\", or %s was expected, this is the end"),
        ("example", 8, "'=' was expected, this is the end"),
        ("dc=", 4, "a value was expected, this is the end"),
        ("dc=,dc=test", 4, "a value was expected, here is ','"),
        ("%u=a", 1, "an attribute in front, such as \"dc\", or %s was expected, here is %u"),
        ("%d", 1, "an attribute in front, such as \"dc\", or %s was expected, here is %d"),
        ("ou=%s", 4, "%s stands for whole components: it stands between commas"),
        ("%s%s", 3, "',' or the end was expected, here is %s"),
        ("%sa=b", 3, "',' or the end was expected, here is 'a'"),
        ("dc=%n", 4, "behind % stands 'n'; %e, %u, %d, %s or %% was expected"),
        ("dc=#04", 4, r"in a value, # is written \23 at the start"),
        ("dc=a;dc=b", 5, r"in a value, ; is written \;"),
        (
            r"dc=a\",
            5,
            r"\ with a special character or two hexadecimal digits was expected, here is '\\'",
        ),
        ("dc;x=a", 3, "'=' was expected, here is ';'"),
    ] {
        let error = template.parse::<Base>().unwrap_err();
        assert_eq!((error.at, error.message.as_str()), (at, message), "{template}");
    }
}

#[test]
fn limits() {
    let nested = |depth: usize| format!("{}(cn=%u){}", "(!".repeat(depth), ")".repeat(depth));
    assert!(nested(15).parse::<Filter>().is_ok());
    assert!(nested(16).parse::<Filter>().is_err());
    assert!("(!".repeat(2000).parse::<Filter>().is_err());
    assert!(format!("(|{})", "(cn=%u)".repeat(255)).parse::<Filter>().is_ok());
    assert!(format!("(|{})", "(cn=%u)".repeat(256)).parse::<Filter>().is_err());
    assert!(format!("cn={}", "x".repeat(5000)).parse::<Filter>().is_err());
    assert!(format!("cn={}", "x".repeat(5000)).parse::<Base>().is_err());
}

/// Templates that are near to being right.
fn template() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "%e", "%u", "%d", "%s", "%%", "%", "mail", "=", "(", ")", "&", "|", "!", "*", ",", "+",
        "dc=", "{0}", "{", "}", r"\", r"\2a", ":", ":=", ">=", " ", "x", "ü", "\n", "#", ";",
    ]);
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// Whether every `{n}` of a filter stands behind an equals sign and before the parenthesis that
/// closes the item; with no other brace anywhere.
fn only_in_values(filter: &str, parameters: usize) -> bool {
    let mut in_value = false;
    let mut rest = filter;
    while let Some(c) = rest.chars().next() {
        match c {
            '(' | ')' => in_value = false,
            '=' => in_value = true,
            '{' => {
                let Some((number, after)) = rest[1..].split_once('}') else { return false };
                if !in_value || number.parse::<usize>().is_ok_and(|n| n >= parameters) {
                    return false;
                }
                rest = after;
                continue;
            }
            '}' => return false,
            _ => {}
        }
        rest = &rest[c.len_utf8()..];
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_panics(text in any::<String>()) {
        let _ = text.parse::<Filter>();
        let _ = text.parse::<Base>();
    }

    #[test]
    fn placeholders_stand_in_values_only(template in template(), local_part in any::<String>()) {
        let subject = subject(&local_part, "example.test");
        if let Ok(filter) = template.parse::<Filter>() {
            let mut parameters = Parameters::new(&subject);
            let text = filter.fill(&mut parameters);
            let values = parameters.into_values();
            prop_assert!(only_in_values(&text, values.len()), "{template:?}: {text}");
            prop_assert!(text.starts_with('(') && text.ends_with(')'));
        }
        if let Ok(base) = template.parse::<Base>() {
            let mut parameters = Parameters::new(&subject);
            let text = base.fill(&mut parameters);
            for component in text.replace(r"\,", "").split(',') {
                let before = component.split('=').next().unwrap();
                prop_assert!(!before.contains('{'), "{template:?}: {text}");
            }
        }
    }

    /// Nothing that a client chooses is part of the text; the parameters are what it chose.
    #[test]
    fn the_text_is_the_same_for_every_client(
        template in template(), one in "[^@]{1,9}", other in "[^@]{1,9}",
    ) {
        let fill = |local_part: &str, domain: &str| {
            let subject = subject(local_part, domain);
            let mut parameters = Parameters::new(&subject);
            let filter = template.parse::<Filter>().map(|filter| filter.fill(&mut parameters));
            let base = template.parse::<Base>().map(|base| base.fill(&mut parameters));
            (filter, base, parameters.into_values().len())
        };
        prop_assert_eq!(fill(&one, "one.test"), fill(&other, "two.test"));
    }
}
