//! What binding promises: each misfit at its place, and no parameter that changes a shape.

use proptest::prelude::*;

use super::{BindError, BoundQuery, Part, Problem, Query, Scope};
use crate::Dn;
use crate::dn::AvaValue;
use crate::filter::{Extensible, Filter, Test};

const BASE: &str = "dc=Example,dc=test";

fn bind(base: &str, filter: &str, parameters: &[&[u8]]) -> Result<BoundQuery, BindError> {
    let parameters: Vec<Vec<u8>> = parameters.iter().map(|parameter| parameter.to_vec()).collect();
    let attributes = ["mail".to_owned()];
    let query = Query {
        base,
        scope: Scope::Subtree,
        filter,
        parameters: &parameters,
        attributes: &attributes,
        size_limit: 1,
    };
    BoundQuery::bind(&query, &Dn::parse(BASE).unwrap())
}

#[track_caller]
fn filter(text: &str, parameters: &[&[u8]]) -> String {
    bind(BASE, text, parameters).unwrap_or_else(|e| panic!("{text}: {e}")).filter_string()
}

#[track_caller]
fn base(text: &str, parameters: &[&[u8]]) -> String {
    bind(text, "(cn=x)", parameters).unwrap_or_else(|e| panic!("{text}: {e}")).base_string()
}

#[test]
fn every_kind_of_filter() {
    for text in [
        "(cn=Babs Jensen)",
        "(cn=)",
        "(cn=*)",
        "(cn=a*)",
        "(cn=*a)",
        "(cn=a*b*c)",
        "(cn=*a*)",
        "(cn;lang-en=x)",
        "(2.5.4.3=x)",
        "(cn>=a)",
        "(cn<=a)",
        "(cn~=a)",
        "(cn=a=b:c~<>)",
        "(!(cn=x))",
        "(&)",
        "(|)",
        "(&(cn=x)(|(sn=y)(!(sn=z))))",
        "(cn:=x)",
        "(cn:dn:=x)",
        "(cn:caseExactMatch:=x)",
        "(cn:dn:2.4.6.8.10:=x)",
        "(:caseExactMatch:=x)",
        "(:dn:caseExactMatch:=x)",
    ] {
        assert_eq!(filter(text, &[]), text);
    }
    // RFC 4515 section 4, in the one spelling in which Waypost writes.
    assert_eq!(filter("(cn=Lu\\C4\\8di\\c4\\87)", &[]), "(cn=Lu\\c4\\8di\\c4\\87)");
    assert_eq!(filter("(cn=Lučić)", &[]), "(cn=Lu\\c4\\8di\\c4\\87)");
    assert_eq!(filter("(o=Parens R Us \\28for all\\29)", &[]), "(o=Parens R Us \\28for all\\29)");
    assert_eq!(filter(" (&\n\t(cn=x)\n\t(! (sn=y) ) ) ", &[]), "(&(cn=x)(!(sn=y)))");
    assert_eq!(filter("(cn:DN:=x)", &[]), "(cn:dn:=x)");
}

#[test]
fn parameters_stand_in_values() {
    assert_eq!(filter("(mail={0})", &[b"a@b"]), "(mail=a@b)");
    assert_eq!(filter("(mail={0}@{1}{0})", &[b"a", b"b"]), "(mail=a@ba)");
    assert_eq!(filter("(cn={0}*{1}*)", &[b"*", b"("]), "(cn=\\2a*\\28*)");
    assert_eq!(filter("(cn>={0})", &[b"\0\xff"]), "(cn>=\\00\\ff)");
    assert_eq!(filter("(cn:dn:={0})", &[b")(uid=*"]), "(cn:dn:=\\29\\28uid=\\2a)");
    assert_eq!(filter("(cn={0})", &[b"*"]), "(cn=\\2a)", "no presence test");
    assert_eq!(filter("(cn={0})", &[b"{1}"]), "(cn=\\7b1\\7d)", "no placeholder");
    assert_eq!(filter("(cn={0})", &[b""]), "(cn=)");
    assert_eq!(filter("(cn=\\7b0\\7d)", &[]), "(cn=\\7b0\\7d)");
}

#[test]
fn a_domain_becomes_components_of_the_base() {
    assert_eq!(base("dc={0},dc={1}", &[b"example", b"test"]), "dc=example,dc=test");
    assert_eq!(
        base("dc={0},dc={1},dc={2}", &[b"a", b"example", b"test"]),
        "dc=a,dc=example,dc=test"
    );
    let labels: Vec<Vec<u8>> =
        (0..125).map(|_| b"x".to_vec()).chain([b"example".to_vec(), b"test".to_vec()]).collect();
    let template: Vec<String> = (0..labels.len()).map(|label| format!("dc={{{label}}}")).collect();
    let labels: Vec<&[u8]> = labels.iter().map(Vec::as_slice).collect();
    assert!(base(&template.join(","), &labels).ends_with(",dc=x,dc=example,dc=test"));
}

#[test]
fn every_form_of_base() {
    assert_eq!(base("DC=EXAMPLE, DC=Test", &[]), "DC=EXAMPLE,DC=Test");
    assert_eq!(
        base(" uid = a b  + cn=x , dc=example,dc=test ", &[]),
        "uid=a b+cn=x,dc=example,dc=test"
    );
    assert_eq!(base("ou=a\\,b\\20,dc=example,dc=test", &[]), "ou=a\\2cb\\20,dc=example,dc=test");
    assert_eq!(base("ou=\\ a\\23\\#,dc=example,dc=test", &[]), "ou=\\20a##,dc=example,dc=test");
    assert_eq!(base("ou=#0401ff,dc=example,dc=test", &[]), "ou=#0401ff,dc=example,dc=test");
    assert_eq!(
        base("ou={0},dc=example,dc=test", &[b"x,dc=other"]),
        "ou=x\\2cdc\\3dother,dc=example,dc=test"
    );
    assert_eq!(base("ou={0},dc=example,dc=test", &[b"#00 "]), "ou=\\2300\\20,dc=example,dc=test");
    assert_eq!(
        base("domainComponent=example,0.9.2342.19200300.100.1.25=test", &[]),
        "domainComponent=example,0.9.2342.19200300.100.1.25=test"
    );
}

#[test]
fn a_base_outside_the_directory_is_refused() {
    for text in [
        "",
        "dc=test",
        "dc=example,dc=tes",
        "dc=example,dc=test,dc=x",
        "dc=xexample,dc=test",
        "dc=example+cn=a,dc=test",
        "dc=example\\,dc\\=test",
        "ou=example,dc=test",
    ] {
        let error = bind(text, "(cn=x)", &[]).unwrap_err();
        assert_eq!(error.part, Part::Base, "{text}");
        assert!(matches!(error.problem, Problem::Outside(_)), "{text}: {error}");
    }
    let error = bind("dc={0},dc=test", "(cn=x)", &[b"other"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "base, at octet 0: not at or below the directory's base \"dc=Example,dc=test\""
    );
}

#[test]
fn misfits_of_a_filter() {
    use Problem::*;
    let misfits: &[(&str, usize, Problem)] = &[
        ("", 0, Open),
        ("cn=x", 0, Open),
        ("(cn=x", 5, Close),
        ("(cn=x))", 6, Trailing),
        ("(cn=x)(cn=y)", 6, Trailing),
        ("(cn)", 3, Comparison),
        ("(cn>x)", 3, Comparison),
        ("(=x)", 1, Attribute),
        ("(*=x)", 1, Attribute),
        ("(c n=x)", 1, Attribute),
        ("(OID.2.5.4.35=x)", 1, Attribute),
        ("( cn=x)", 1, Attribute),
        ("(cn=a(b)", 5, Character(b'(')),
        ("(cn=a}b)", 5, Character(b'}')),
        ("(cn=a\0b)", 5, Character(0)),
        ("(cn>=a*)", 6, Character(b'*')),
        ("(cn:=a*)", 6, Character(b'*')),
        ("(cn=\\)", 4, Escape),
        ("(cn=\\4)", 4, Escape),
        ("(cn=\\zz)", 4, Escape),
        ("(cn=\\+4)", 4, Escape),
        ("(cn=\\é)", 4, Escape),
        ("(cn=**)", 4, EmptyPart),
        ("(cn=a**b)", 4, EmptyPart),
        ("(cn=***)", 4, EmptyPart),
        ("(:=x)", 1, NoRule),
        ("(:dn:=x)", 1, NoRule),
        ("(cn:a b:=x)", 4, Rule),
        ("(cn::=x)", 4, Rule),
        ("(cn:a:b:=x)", 6, Rule),
        ("(cn:dn:dn:dn:=x)", 10, Rule),
        ("(cn:dn=x)", 6, Comparison),
        ("(!)", 2, Open),
        ("(!(cn=x)(cn=y))", 8, Close),
        ("(&cn=x)", 2, Open),
        ("({0}=x)", 1, PlaceholderPlace),
        ("(c{0}=x)", 2, PlaceholderPlace),
        ("(cn{0}x)", 3, PlaceholderPlace),
        ("(cn:{0}:=x)", 4, PlaceholderPlace),
        ("{0}", 0, PlaceholderPlace),
        ("(&{0})", 2, PlaceholderPlace),
        ("(cn={)", 4, Placeholder),
        ("(cn={})", 4, Placeholder),
        ("(cn={0)", 4, Placeholder),
        ("(cn={-1})", 4, Placeholder),
        ("(cn={+0})", 4, Placeholder),
        ("(cn={00})", 4, Placeholder),
        ("(cn={ 0})", 4, Placeholder),
        ("(cn={0 })", 4, Placeholder),
        ("(cn={x})", 4, Placeholder),
        ("(cn={99999999999999999999})", 4, Placeholder),
        ("(cn={1})", 4, NoParameter(1)),
    ];
    for (text, position, problem) in misfits {
        let error = bind(BASE, text, &[b"x"]).unwrap_err();
        assert_eq!(
            error,
            BindError { part: Part::Filter, position: *position, problem: problem.clone() },
            "{text:?}"
        );
    }
}

#[test]
fn an_empty_parameter_never_widens_a_substring_test() {
    for text in ["(mail={0}*)", "(mail=*{0})", "(mail=*{0}*)", "(mail=a*{0}*b)", "(mail={0}{0}*)"] {
        assert_eq!(bind(BASE, text, &[b""]).unwrap_err().problem, Problem::EmptyPart, "{text}");
        assert!(bind(BASE, text, &[b"x"]).is_ok(), "{text}");
    }
    assert_eq!(filter("(mail=a{0}*)", &[b""]), "(mail=a*)");
}

#[test]
fn misfits_of_a_base() {
    use Problem::*;
    let misfits: &[(&str, usize, Problem)] = &[
        ("dc", 2, Equals),
        ("dc=", 3, EmptyValue),
        ("dc=a,", 5, Attribute),
        ("dc=a,,dc=b", 5, Attribute),
        ("dc=a;dc=b", 4, Character(b';')),
        ("dc=\"a\"", 3, Character(b'"')),
        ("dc=a\0", 4, Character(0)),
        ("dc=a\\", 4, Escape),
        ("dc=a\\z", 4, Escape),
        ("dc=a\\4z", 4, Escape),
        ("dc=#4", 3, Hexadecimal),
        ("dc=#4x", 3, Hexadecimal),
        ("dc=#", 3, EmptyValue),
        ("dc=#00 x", 7, Trailing),
        ("dc;x=a", 0, Attribute),
        ("OID.2.5.4.3=a", 0, Attribute),
        ("{0}=a", 0, PlaceholderPlace),
        ("d{0}=a", 1, PlaceholderPlace),
        ("{0}", 0, PlaceholderPlace),
        ("dc=a,{0}", 5, PlaceholderPlace),
        ("dc={", 3, Placeholder),
        ("dc=a}", 4, Character(b'}')),
        ("dc={7}", 3, NoParameter(7)),
    ];
    for (text, position, problem) in misfits {
        let error = bind(text, "(cn=x)", &[b"x"]).unwrap_err();
        assert_eq!(
            error,
            BindError { part: Part::Base, position: *position, problem: problem.clone() },
            "{text:?}"
        );
    }
    let error = bind("dc={0},dc=example,dc=test", "(cn=x)", &[b""]).unwrap_err();
    assert_eq!(error.problem, EmptyValue);
}

#[test]
fn every_parameter_is_used() {
    let error = bind(BASE, "(cn={1})", &[b"a", b"b"]).unwrap_err();
    assert_eq!((error.part, error.position, error.problem), (Part::Parameters, 0, Problem::Unused));
    assert!(bind("dc={0},dc=test", "(cn={1})", &[b"example", b"b"]).is_ok());
}

#[test]
fn attributes_are_asked_for_by_name() {
    let ask = |attribute: &str| {
        let attributes = ["cn".to_owned(), attribute.to_owned()];
        let query = Query {
            base: BASE,
            scope: Scope::Base,
            filter: "(cn=x)",
            parameters: &[],
            attributes: &attributes,
            size_limit: 1,
        };
        BoundQuery::bind(&query, &Dn::parse(BASE).unwrap())
    };
    for attribute in ["*", "+", "", "@person", "{0}", "cn,sn", "cn\0"] {
        let error = ask(attribute).unwrap_err();
        assert_eq!(
            error,
            BindError { part: Part::Attributes, position: 1, problem: Problem::Attribute }
        );
    }
    let bound = ask("MailHost;x-A").unwrap();
    assert_eq!(bound.attributes().collect::<Vec<_>>(), ["cn", "MailHost;x-A"]);
}

#[test]
fn limits() {
    let nested = |depth: usize| format!("{}(cn=x){}", "(!".repeat(depth), ")".repeat(depth));
    assert!(bind(BASE, &nested(super::MAX_DEPTH - 1), &[]).is_ok());
    let problem = |base: &str, filter: &str, parameters: &[&[u8]]| {
        bind(base, filter, parameters).unwrap_err().problem
    };
    assert_eq!(problem(BASE, &nested(super::MAX_DEPTH), &[]), Problem::TooDeep);
    assert_eq!(problem(BASE, &"(!".repeat(5000), &[]), Problem::TooDeep);
    assert_eq!(problem(BASE, &"(".repeat(20_000), &[]), Problem::TooLong(super::MAX_TEXT));
    let wide = format!("(|{})", "(cn=x)".repeat(super::MAX_FILTERS));
    assert_eq!(problem(BASE, &wide, &[]), Problem::TooMany(super::MAX_FILTERS));
    let parts = format!("(cn={}x)", "x*".repeat(super::MAX_FILTERS + 1));
    assert_eq!(problem(BASE, &parts, &[]), Problem::TooMany(super::MAX_FILTERS));
    let long = [b'x'; super::MAX_PARAMETER + 1];
    assert_eq!(problem(BASE, "(cn={0})", &[&long]), Problem::TooLong(super::MAX_PARAMETER));
    let many = format!("(cn={})", "{0}".repeat(5));
    assert_eq!(
        problem(BASE, &many, &[&long[1..]]),
        Problem::TooLong(super::MAX_TEXT),
        "one parameter taken many times"
    );
    let many = [b"x".as_slice(); super::MAX_PARAMETERS + 1];
    assert_eq!(problem(BASE, "(cn={0})", &many), Problem::TooMany(super::MAX_PARAMETERS));
    let deep = format!("{}{BASE}", "dc=x,".repeat(crate::MAX_COMPONENTS));
    assert_eq!(problem(&deep, "(cn=x)", &[]), Problem::TooMany(crate::MAX_COMPONENTS));
}

/// What a filter is, its values aside.
fn shape(filter: &Filter) -> String {
    let list = |filters: &[Filter]| filters.iter().map(shape).collect::<String>();
    match filter {
        Filter::And(filters) => format!("(&{})", list(filters)),
        Filter::Or(filters) => format!("(|{})", list(filters)),
        Filter::Not(filter) => format!("(!{})", shape(filter)),
        Filter::Item(attribute, test) => {
            let test = match test {
                Test::Present => "*".to_owned(),
                Test::Equal(_) => "=".to_owned(),
                Test::Substrings { initial, any, last } => {
                    format!("={}*{}*{}", !initial.is_empty(), any.len(), !last.is_empty())
                }
                Test::AtLeast(_) => ">".to_owned(),
                Test::AtMost(_) => "<".to_owned(),
                Test::Approximate(_) => "~".to_owned(),
            };
            format!("({} {test})", attribute.spelt())
        }
        Filter::Extensible(Extensible { attribute, dn, rule, .. }) => {
            format!("({:?} {dn} {rule:?})", attribute.as_ref().map(|attribute| attribute.spelt()))
        }
    }
}

/// What a base is, its values aside.
fn base_shape(dn: &Dn) -> Vec<Vec<(String, bool)>> {
    let rdn = |rdn: &crate::dn::Rdn| {
        let ava = |ava: &crate::dn::Ava| {
            (ava.attribute.spelt().to_owned(), matches!(ava.value, AvaValue::Text(_)))
        };
        rdn.0.iter().map(ava).collect()
    };
    dn.rdns().iter().map(rdn).collect()
}

const TEMPLATES: [&str; 12] = [
    "(mail={0})",
    "(mail=a{0}b)",
    "(mail={0}*)",
    "(mail=*{0})",
    "(mail=*{0}*)",
    "(mail=x*{0}*{1}*y)",
    "(mail>={0})",
    "(mail<={0})",
    "(mail~={0})",
    "(cn:dn:caseExactMatch:={0})",
    "(&(objectClass=person)(|(mail={0})(mail={1}@x)(!(cn={0}))))",
    "(|(mail={0}{1})(mail={0}\\2a{1}))",
];

/// Octets with many that mean something somewhere.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let special = prop::sample::select(b"()*\\{}01&|!=<>~:,+;\"# \0a".to_vec());
    prop_oneof![
        prop::collection::vec(special, 0..12),
        any::<Vec<u8>>(),
        prop::sample::select(vec![
            b"*".to_vec(),
            b")(uid=*".to_vec(),
            b"*)(|(uid=*))".to_vec(),
            b"\\2a".to_vec(),
            b"{0}".to_vec(),
            b"x,dc=other".to_vec(),
            b"x+cn=y".to_vec(),
            b"#0400".to_vec(),
            b"\\".to_vec(),
            b" x ".to_vec(),
            "é*".as_bytes().to_vec(),
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// The promise itself: whatever the parameters hold, what is sent has the shape that the
    /// template has.
    #[test]
    fn no_parameter_changes_a_filter(template in prop::sample::select(TEMPLATES.to_vec()),
                                     one in octets(), two in octets()) {
        let template = if template.contains("{1}") { template.to_owned() } else {
            format!("(&{template}(sn={{1}}))")
        };
        let expected = bind(BASE, &template, &[b"one", b"two"]).unwrap();
        match bind(BASE, &template, &[&one, &two]) {
            Err(error) => {
                let empty = one.is_empty() || two.is_empty();
                prop_assert!(empty && error.problem == Problem::EmptyPart, "{error}");
            }
            Ok(bound) => {
                prop_assert_eq!(shape(&bound.filter), shape(&expected.filter));
                let text = bound.filter_string();
                prop_assert!(text.is_ascii());
                let again = bind(BASE, &text, &[]).unwrap();
                prop_assert_eq!(again.filter, bound.filter);
            }
        }
    }

    #[test]
    fn no_parameter_changes_a_base(one in octets(), two in octets()) {
        let template = "cn={0}+uid=x{1},ou={1},dc=example,dc=test";
        let expected = bind(template, "(cn=x)", &[b"one", b"two"]).unwrap();
        match bind(template, "(cn=x)", &[&one, &two]) {
            Err(error) => {
                let empty = one.is_empty() || two.is_empty();
                prop_assert!(empty && error.problem == Problem::EmptyValue, "{error}");
            }
            Ok(bound) => {
                prop_assert_eq!(base_shape(&bound.base), base_shape(&expected.base));
                let text = bound.base_string();
                prop_assert!(text.is_ascii());
                let again = bind(&text, "(cn=x)", &[]).unwrap();
                prop_assert_eq!(base_shape(&again.base), base_shape(&bound.base));
                prop_assert_eq!(again.base_string(), text.clone());
                // As a name without placeholders it is the same name.
                prop_assert_eq!(Dn::parse(&text).unwrap(), bound.base);
            }
        }
    }

    #[test]
    fn no_text_panics(base in "[dcn=,+#\\\\{}01 é\"]{0,20}", filter in "[()&|!cn=*:~<>\\\\{}01 é]{0,30}") {
        if let Ok(bound) = bind(&base, "(cn=x)", &[]) {
            prop_assert!(bind(&bound.base_string(), "(cn=x)", &[]).is_ok());
        }
        if let Ok(bound) = bind(BASE, &filter, &[]) {
            prop_assert_eq!(bind(BASE, &bound.filter_string(), &[]).unwrap().filter, bound.filter);
        }
    }
}
