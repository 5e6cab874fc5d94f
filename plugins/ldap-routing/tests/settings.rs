//! Every bad setting is a problem with its place, and all of them are reported.

use ldap_routing::LdapRouting;
use waypost_sdk::testing::configure;

/// The problems of good settings with `changes` put over them; a value of `null` takes a key out.
#[track_caller]
fn problems(changes: &[(&str, &str)]) -> Vec<String> {
    let mut settings = vec![
        ("directory", r#""main""#),
        ("search-base", r#""%s""#),
        ("search-pattern", r#""mail=%e""#),
        ("host-field", r#""mailHost""#),
    ];
    for (key, value) in changes {
        settings.retain(|(known, _)| known != key);
        if *value != "null" {
            settings.push((key, value));
        }
    }
    let members: Vec<_> = settings.iter().map(|(key, value)| format!("{key:?}: {value}")).collect();
    match configure::<LdapRouting>(&format!("{{{}}}", members.join(", "))) {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .iter()
            .map(|problem| format!("{}: {}", problem.path, problem.message))
            .collect(),
    }
}

#[test]
fn good_settings() {
    assert_eq!(problems(&[]), [""; 0]);
    for (key, value) in [
        ("search-base", r#""ou=people, dc=example,dc=test""#),
        ("search-pattern", r#""(|(mail=%e)(mailAlternateAddress=%e))""#),
        ("host-field", r#""1.3.6.1.4.1.7914.1.2.1.12""#),
        ("use-first", "true"),
        ("fallback-hosts", "[]"),
        ("fallback-hosts", r#"["mail1", "[::1]:143"]"#),
        ("no-entry", r#""pass""#),
        ("recipient-delimiter", r#""-""#),
        ("recipient-delimiter", r#""""#),
        ("catch-all", "true"),
        ("verify", r#""backend""#),
        ("verify", r#""bind""#),
        ("verify", r#""password""#),
        ("active-directory", "true"),
        ("alias-domains", r#"{"a.test": "b.test", "c": "b.test"}"#),
    ] {
        assert_eq!(problems(&[(key, value)]), [""; 0], "{key} = {value}");
    }
}

#[test]
fn each_bad_value_is_a_problem() {
    for (key, value, problem) in [
        ("directory", "null", "/directory: this setting is required"),
        ("directory", "1", "/directory: the name of a directory was expected, here is a number"),
        (
            "directory",
            r#""""#,
            "/directory: the name of a directory was expected, here is an empty string",
        ),
        ("search-base", "null", "/search-base: this setting is required"),
        (
            "search-base",
            r#""ou=%s""#,
            "/search-base: at character 4: %s stands for whole components: it stands between commas",
        ),
        (
            "search-base",
            "{}",
            "/search-base: a distinguished name, such as \"ou=people,%s\", was expected, here is a table",
        ),
        ("search-pattern", "null", "/search-pattern: this setting is required"),
        (
            "search-pattern",
            r#""%u=x""#,
            "/search-pattern: at character 1: an attribute in front was expected, here is %u",
        ),
        (
            "search-pattern",
            r#""mail=%n""#,
            "/search-pattern: at character 6: behind % stands 'n'; %e, %u, %d, %s or %% was expected",
        ),
        ("host-field", "null", "/host-field: this setting is required"),
        (
            "host-field",
            r#""*""#,
            "/host-field: the name of an attribute, such as \"mailHost\", was expected, here is \"*\"",
        ),
        ("use-first", r#""yes""#, "/use-first: true or false was expected, here is a string"),
        (
            "fallback-hosts",
            r#"["a", "a,b"]"#,
            "/fallback-hosts/1: \"a,b\": this is neither a host name nor an address",
        ),
        ("fallback-hosts", r#""a""#, "/fallback-hosts: a list was expected, here is a string"),
        (
            "fallback-on",
            r#"["no-entry"]"#,
            "/fallback-on: there are no fallback-hosts that could answer",
        ),
        (
            "no-entry",
            r#""ignore""#,
            "/no-entry: \"refuse\" or \"pass\" was expected, here is \"ignore\"",
        ),
        (
            "recipient-delimiter",
            r#""@""#,
            "/recipient-delimiter: one character that a local part can have was expected, \
             or \"\" for none, here is \"@\"",
        ),
        (
            "recipient-delimiter",
            r#""+-""#,
            "/recipient-delimiter: one character that a local part can have was expected, \
             or \"\" for none, here is \"+-\"",
        ),
        ("catch-all", "1", "/catch-all: true or false was expected, here is a number"),
        (
            "alias-domains",
            r#"{"bücher.test": "b.test"}"#,
            "/alias-domains/bücher.test: the key \"bücher.test\" is not a domain, \
             an international one in its xn-- form",
        ),
        (
            "alias-domains",
            r#"{"a/b": "b.test"}"#,
            "/alias-domains/a~1b: the key \"a/b\" is not a domain, \
             an international one in its xn-- form",
        ),
        (
            "alias-domains",
            r#"{"a.test": "b@test"}"#,
            "/alias-domains/a.test: a domain, an international one in its xn-- form was expected, \
             here is \"b@test\"",
        ),
        (
            "alias-domains",
            r#"{"a.test": "A.test"}"#,
            "/alias-domains/a.test: a.test is listed as an alias itself",
        ),
        (
            "alias-domains",
            r#"{"A.test": "b.test", "a.test": "c.test"}"#,
            "/alias-domains/a.test: a.test is listed twice",
        ),
        ("searchBase", r#""x""#, "/searchBase: there is no such setting"),
        ("scope", r#""subtree""#, "/scope: there is no such setting"),
    ] {
        assert_eq!(problems(&[(key, value)]), [problem], "{key} = {value}");
    }
}

#[test]
fn settings_that_exclude_each_other() {
    let hosts = ("fallback-hosts", r#"["mail1"]"#);
    let never = "/no-entry: fallback-hosts answer for no-entry, so that this never happens: leave \
                 it out, or list in fallback-on what else they shall answer for";
    assert_eq!(problems(&[hosts, ("no-entry", r#""pass""#)]), [never]);
    assert_eq!(problems(&[hosts, ("no-entry", r#""refuse""#)]), [never]);
    let no_host = ("fallback-on", r#"["no-host-field"]"#);
    assert_eq!(problems(&[hosts, no_host, ("no-entry", r#""pass""#)]), [""; 0]);
    assert_eq!(
        problems(&[hosts, ("fallback-on", "[]")]),
        ["/fallback-on: nothing is listed for which fallback-hosts could answer"]
    );
    assert_eq!(
        problems(&[hosts, ("fallback-on", r#"["no-entry", "always"]"#)]),
        ["/fallback-on/1: \"no-entry\" or \"no-host-field\" or \"directory-unavailable\" was \
             expected, here is \"always\""]
    );
    let many: Vec<_> = (0..17).map(|n| format!("\"mail{n}\"")).collect();
    assert_eq!(
        problems(&[("fallback-hosts", &format!("[{}]", many.join(",")))]),
        ["/fallback-hosts: more than 16 hosts"]
    );
}

#[test]
fn what_does_not_depend_on_who_is_asked_for() {
    let problem = "/search-pattern: neither it nor search-base has a placeholder, so that everybody \
                   would be the same: %e, %u, %d or %s was expected";
    let base = ("search-base", r#""dc=test""#);
    assert_eq!(problems(&[base, ("search-pattern", r#""mail=%%e""#)]), [problem]);
    assert_eq!(problems(&[base, ("search-pattern", r#""o=%d""#)]), [""; 0]);
    assert_eq!(problems(&[("search-pattern", r#""objectClass=*""#)]), [""; 0]);
}

#[test]
fn a_catch_all_has_no_local_part() {
    let problem = "/catch-all: a catch-all is asked for by its address and has no local part: \
                   search-pattern must use %e, and neither it nor search-base %u";
    let catch_all = ("catch-all", "true");
    for (key, value) in [
        ("search-pattern", r#""uid=%u""#),
        ("search-pattern", r#""(|(mail=%e)(uid=%u*))""#),
        ("search-pattern", r#""associatedDomain=%d""#),
        ("search-base", r#""ou=%u,%s""#),
    ] {
        assert_eq!(problems(&[catch_all, (key, value)]), [problem], "{key} = {value}");
    }
    assert_eq!(problems(&[catch_all, ("search-pattern", r#""(&(o=%d)(mail=%e))""#)]), [""; 0]);
}

#[test]
fn all_of_them_at_once() {
    assert_eq!(
        problems(&[
            ("directory", "null"),
            ("search-base", r#""example""#),
            ("search-pattern", r#""mail""#),
            ("host-field", "2"),
            ("use-first", "2"),
            ("no-entry", "2"),
            ("fallback-hosts", r#"["a b", "c:d"]"#),
            ("recipient-delimiter", "2"),
            ("catch-all", "2"),
            ("alias-domains", "2"),
            ("more", "2"),
        ])
        .len(),
        12
    );
}

#[test]
fn what_has_no_entry_has_no_password() {
    let hosts = ("fallback-hosts", r#"["mail9"]"#);
    for verify in [r#""bind""#, r#""password""#] {
        let verify = ("verify", verify);
        assert_eq!(problems(&[verify, hosts]), [""; 0]);
        assert_eq!(problems(&[verify, hosts, ("fallback-on", r#"["no-host-field"]"#)]), [""; 0]);
        for on in [r#"["no-entry"]"#, r#"["no-host-field", "directory-unavailable"]"#] {
            let found = problems(&[verify, hosts, ("fallback-on", on)]);
            assert!(
                found.len() == 1 && found[0].starts_with("/fallback-on: with verify"),
                "{found:?}"
            );
        }
        let found = problems(&[verify, ("catch-all", "true")]);
        assert!(found.len() == 1 && found[0].starts_with("/catch-all: with verify"), "{found:?}");
    }
}
