//! Text that is no configuration: TOML, keys, types, names.

use std::path::Path;

use waypost_config::{Config, Severity};

use crate::scene::{GOOD, Machine, PATH, broken, good_with, problems, told};

#[test]
fn what_is_not_toml() {
    let found = broken("[tls]", "[tls");
    assert_eq!(found, ["10:5: unclosed table, expected `]`"]);
    let found = broken("tls = \"implicit\"", "tls = implicit");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("7:7: "), "{found:?}");
    let found = broken("[tls]", "[listener.imaps]\n[tls]");
    assert_eq!(found, ["10:11: duplicate key; imaps stands in line 4 already"]);
    let twice = "tls = \"implicit\"\ntls = \"none\"";
    let found = broken("tls = \"implicit\"", twice);
    assert_eq!(found, ["8:1: duplicate key; tls stands in line 7 already"]);
    let bad = [GOOD.as_bytes(), b"# \xff\n"].concat();
    let problems = Config::parse(Path::new(PATH), bad, &Machine::new()).unwrap_err();
    assert_eq!(told(&problems), ["37:3: this is not UTF-8"]);
}

#[test]
fn a_domain_without_quotes() {
    for name in ["example.test", "example.co.test"] {
        let header = format!("[domain.{name}]");
        let told = broken("[domain.\"example.test\"]", &header);
        let advice = format!("a dot begins a table of its own: write [domain.\"{name}\"]");
        assert!(told[0].ends_with(&advice), "{told:?}");
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

#[test]
fn what_tls_may_be_where_passwords_are_sent() {
    let none = |protocol: &str| {
        let text = GOOD.replace("protocol = \"imap\"", &format!("protocol = {protocol:?}"));
        told(&problems(&text.replace("tls = \"implicit\"", "tls = \"none\""))).join("\n")
    };
    assert!(none("imap").contains("expected \"implicit\" or \"starttls\", or allow-"));
    assert!(none("webmail").contains("expected \"implicit\", or allow-"), "{}", none("webmail"));
}

#[test]
fn unknown_keys() {
    assert_eq!(
        broken("tls = \"implicit\"", "tsl = \"implicit\""),
        [
            "4:1: listener.imaps.tls: tls is missing; for example tls = \"implicit\"",
            "7:1: listener.imaps.tsl: there is no such setting; did you mean tls?",
        ]
    );
    assert_eq!(
        broken("bind-dn =", "bindDN ="),
        [
            "13:1: directory.main: a simple bind needs bind-dn and bind-password: bind-dn is missing",
            "15:1: directory.main.bindDN: there is no such setting; did you mean bind-dn?",
        ][1..]
            .iter()
            .copied()
            .chain(["16:17: directory.main.bind-password: a password without bind-dn has no meaning"])
            .collect::<Vec<_>>()
    );
    assert_eq!(
        broken("[tls]\n", "[tls]\ncolour = 1\n"),
        [
            "11:1: tls.colour: there is no such setting; expected one of certificates, minimum-version"
        ]
    );
    assert_eq!(
        broken("[server]\n", "[sever]\nx = 1\n[server]\n"),
        ["1:2: sever: there is no such setting; did you mean server?"]
    );
    assert_eq!(
        broken("key = \"tls/key.pem\" }", "key = \"tls/key.pem\", kye = 1 }"),
        ["11:65: tls.certificates.kye: there is no such setting; did you mean key?"]
    );
}

#[test]
fn wrong_types() {
    for (from, to, expected) in [
        (
            "hostname = \"mail.example.test\"",
            "hostname = 5",
            "2:12: server.hostname: expected a domain such as \"example.test\", found the number 5",
        ),
        (
            "bind = [\"[::]:993\"]",
            "bind = \"[::]:993\"",
            "6:8: listener.imaps.bind: expected a list, each of it an address with a port such as \
             \"[::]:993\" or \"127.0.0.1:143\", found \"[::]:993\"",
        ),
        (
            "bind = [\"[::]:993\"]",
            "bind = [\"[::]:993\", \"993\"]",
            "6:21: listener.imaps.bind: expected an address with a port such as \"[::]:993\" or \
             \"127.0.0.1:143\", found \"993\"",
        ),
        (
            "tls = \"implicit\"",
            "tls = \"implict\"",
            "7:7: listener.imaps.tls: expected \"implicit\", \"starttls\" or \"none\", found \
             \"implict\"; did you mean \"implicit\"?",
        ),
        (
            "tls = \"implicit\"",
            "tls = true",
            "7:7: listener.imaps.tls: expected \"implicit\", \"starttls\" or \"none\", found true",
        ),
        (
            "protocol = \"imap\"",
            "protocol = \"imap4\"",
            "5:12: listener.imaps.protocol: expected \"imap\", \"pop3\", \"smtp\", \"lmtp\", \
             \"submission\" or \"webmail\", found \"imap4\"; did you mean \"imap\"?",
        ),
        (
            "[server]\n",
            "[server]\nshutdown-grace = 30\n",
            "2:18: server.shutdown-grace: expected a duration such as \"500ms\", \"30s\", \"5m\", \
             \"1h\" or \"7d\", found the number 30; a number needs a unit: \"30s\" for seconds",
        ),
        (
            "[server]\n",
            "[server]\nshutdown-grace = \"30sec\"\n",
            "2:18: server.shutdown-grace: expected a duration such as \"500ms\", \"30s\", \"5m\", \
             \"1h\" or \"7d\", found \"30sec\"",
        ),
        (
            "[server]\n",
            "[server]\nshutdown-grace = \"1000d\"\n",
            "2:18: server.shutdown-grace: this is longer than a year",
        ),
        (
            "[server]\n",
            "[login]\ntimeout = \"0s\"\n[server]\n",
            "2:11: login.timeout: this cannot be zero",
        ),
        (
            "[server]\n",
            "[server]\nworkers = 0\n",
            "2:11: server.workers: expected a whole number from 1 to 18446744073709551615, found \
             the number 0",
        ),
        (
            "port = 143",
            "port = 70000",
            "35:17: backend.\"*\".imap.port: expected a whole number from 1 to 65535, found the \
             number 70000",
        ),
        (
            "[policy.ldap.settings]",
            "[policy.ldap.limits]\nmemory = \"64MB\"\n[policy.ldap.settings]",
            "26:10: policy.ldap.limits.memory: expected a size such as \"512KiB\", \"64MiB\" or \
             \"2GiB\", found \"64MB\"; did you mean \"64MiB\"?",
        ),
    ] {
        assert_eq!(broken(from, to), [expected]);
    }
    let no_table = told(&problems("listener = 5\n"));
    assert_eq!(no_table[3], "1:12: listener: expected a table, [listener], found the number 5");
}

#[test]
fn files_that_become_settings() {
    let files = |files: &str| {
        let text = good_with("[policy.ldap.settings]", &format!("{files}\n[policy.ldap.settings]"));
        let machine = Machine::new().without("/etc/waypost/users.map");
        told(&Config::parse(Path::new(PATH), text.into(), &machine).unwrap_err())
    };
    for (text, expected) in [
        (
            "files = { map = \"users.map\" }",
            "25:17: policy.ldap.files.map: there is no file /etc/waypost/users.map",
        ),
        (
            "files = { map = \"a/folder\" }",
            "25:17: policy.ldap.files.map: /etc/waypost/a/folder is a folder, not a file",
        ),
        (
            "files = { map = [\"a\"] }",
            "25:17: policy.ldap.files.map: expected the path of a file, found a list",
        ),
        (
            "files = { search-base = \"a\" }",
            "25:11: policy.ldap.files.search-base: search-base stands in the settings already",
        ),
        (
            "files = \"users.map\"",
            "25:9: policy.ldap.files: expected a table, [policy.ldap.files], found \"users.map\"",
        ),
    ] {
        assert_eq!(files(text), [expected]);
    }
}

#[test]
fn domains_networks_and_patterns() {
    for (from, to, expected) in [
        (
            "default-domain = \"example.test\"",
            "default-domain = \"example_test\"",
            "8:18: listener.imaps.default-domain: expected a domain such as \"example.test\", \
             found \"example_test\"",
        ),
        (
            "tls = \"implicit\"\n",
            "tls = \"implicit\"\nallow-networks = [\"10.0.0.1/8\"]\n",
            "8:19: listener.imaps.allow-networks: the address has bits set behind the prefix; \
             write 10.0.0.0/8, or another prefix length",
        ),
        (
            "\"10.0.0.0/8\", \"*.mail.example.test\"",
            "\"10.0.0.1/8\", \"*mail\"",
            "23:12: policy.ldap.targets: `10.0.0.1/8` has address bits behind its prefix: write \
             `10.0.0.0/8`",
        ),
        (
            "[domain.\"example.test\"]",
            "[domain.\"exa mple\"]",
            "31:9: domain.\"exa mple\": this is not a domain name; expected a domain such as \
             \"example.test\", \"*.example.test\" or \"*\"",
        ),
        (
            "[backend.\"*\"]",
            "[backend.\"**\"]",
            "34:10: backend.\"**\": this is no pattern: write *, a host name, *.example.test, an \
             address or a network such as 10.0.0.0/8",
        ),
        (
            "ldap://127.0.0.1",
            "http://127.0.0.1",
            "14:8: directory.main.url: an LDAP server's URL starts with ldap://, ldaps:// or \
             ldapi://",
        ),
        (
            "base = \"dc=example,dc=test\"\n",
            "base = \"example.test\"\n",
            "17:8: directory.main.base: this is no distinguished name",
        ),
        (
            "\"cn=waypost,dc=example,dc=test\"",
            "\"waypost\"",
            "15:11: directory.main.bind-dn: this is no distinguished name",
        ),
    ] {
        let found = broken(from, to);
        assert!(found[0].starts_with(expected), "{found:#?}\n{expected}");
    }
    let both = broken("\"10.0.0.0/8\", \"*.mail.example.test\"", "\"10.0.0.1/8\", \"*mail\"");
    assert_eq!(both.len(), 2, "each pattern is told of: {both:?}");
}

#[test]
fn names_that_nobody_bears() {
    assert_eq!(
        broken("policies = [\"ldap\"]", "policies = [\"ldpa\"]")[0],
        "32:13: domain.\"example.test\".policies: there is no policy \"ldpa\"; did you mean \
         \"ldap\"?"
    );
    assert_eq!(
        broken("policies = [\"ldap\"]", "policies = [\"ldap\", \"other\"]"),
        ["32:21: domain.\"example.test\".policies: there is no policy \"other\"; expected \
          [policy.other]"]
    );
    let shadowed = |shadow: &str| {
        broken("policies = [\"ldap\"]", &format!("policies = [\"ldap\"]\nshadow = \"{shadow}\""))
    };
    assert_eq!(
        shadowed("ldpa"),
        ["33:10: domain.\"example.test\".shadow: there is no policy \"ldpa\"; did you mean \
          \"ldap\"?"]
    );
    assert_eq!(
        shadowed("ldap"),
        ["33:10: domain.\"example.test\".shadow: ldap would be compared with itself"]
    );
    assert_eq!(
        broken("{ main = [", "{ mian = [")[0],
        "22:17: policy.ldap.directories.mian: there is no directory \"mian\"; did you mean \
         \"main\"?"
    );
    assert_eq!(
        broken("builtin:ldap-routing", "builtin:ldap-ruoting"),
        ["21:10: policy.ldap.plugin: there is no builtin plugin \"ldap-ruoting\"; did you mean \
          \"builtin:ldap-routing\"?"]
    );
    assert_eq!(
        broken("policies = [\"ldap\"]", "policies = [\"ldap\", \"ldap\"]"),
        ["32:21: domain.\"example.test\".policies: ldap is asked already"]
    );
    assert_eq!(
        broken("policies = [\"ldap\"]", "policies = []")[0],
        "32:12: domain.\"example.test\".policies: expected at least one policy"
    );
    assert_eq!(
        broken("[listener.imaps]", "[listener.\"imaps 1\"]"),
        [
            "4:11: listener.\"imaps 1\": expected a name of letters, digits, \"-\", \"_\" and \".\", \
          up to 64"
        ]
    );
}

#[test]
fn a_broken_part_is_not_told_of_twice() {
    let found = broken("plugin = \"builtin:ldap-routing\"", "plugin = 5");
    assert_eq!(
        found,
        ["21:10: policy.ldap.plugin: expected \"builtin:NAME\" or the path of a component, found \
          the number 5"]
    );
    let found = broken("url = [\"ldap://127.0.0.1\"]", "url = [\"ldap:\"]");
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn all_errors_are_told_at_once() {
    let text = good_with("tls = \"implicit\"", "tls = \"implict\"")
        .replace("policies = [\"ldap\"]", "policies = [\"other\"]")
        .replace("port = 143", "port = 0")
        .replace("[server]\n", "[server]\nlog-level = \"loud\"\n");
    let found = told(&problems(&text));
    let places: Vec<_> = found.iter().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(places, ["2:13", "8:7", "33:13", "36:17"]);
}

#[test]
fn digests() {
    for wrong in ["abc", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65), &"ä".repeat(32)] {
        let found = broken("plugin =", &format!("sha256 = \"{wrong}\"\nplugin ="));
        assert_eq!(found.len(), 1);
        let told = "21:10: policy.ldap.sha256: expected a SHA-256: 64 hexadecimal digits, found ";
        assert!(found[0].starts_with(told), "{found:?}");
    }
}

#[test]
fn an_empty_configuration() {
    assert_eq!(
        told(&problems("")),
        [
            "1:1: listener: nobody could connect: expected [listener.NAME]",
            "1:1: policy: nobody could be routed: expected [policy.NAME]",
            "1:1: domain: nobody would be served: expected [domain.\"example.test\"] or \
             [domain.\"*\"]",
        ]
    );
}

#[test]
fn problems_look_like_a_compilers() {
    let text = good_with("tls = \"implicit\"", "tls = \"implict\"")
        .replace("policies = [\"ldap\"]", "policies = [\"ldap\", \"other\"]");
    let problems = problems(&text);
    assert_eq!(problems.count(Severity::Error), 2);
    let expected = r#"error: listener.imaps.tls: expected "implicit", "starttls" or "none", found "implict"
 --> /etc/waypost/waypost.toml:7:7
  |
7 | tls = "implict"
  |       ^^^^^^^^^ did you mean "implicit"?

error: domain."example.test".policies: there is no policy "other"
  --> /etc/waypost/waypost.toml:32:21
   |
32 | policies = ["ldap", "other"]
   |                     ^^^^^^^ expected [policy.other]

2 errors"#;
    assert_eq!(problems.to_string(), expected);
}
