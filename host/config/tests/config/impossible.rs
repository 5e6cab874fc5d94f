//! Settings that are each a setting, but cannot be together, or cannot be here.

use std::path::Path;

use waypost_config::Config;

use crate::scene::{GOOD, Machine, PATH, broken, good_with, parse, problems, told, warned};

#[test]
fn tls_and_clear_passwords() {
    assert_eq!(
        broken("certificates = [{ chain = \"tls/chain.pem\", key = \"tls/key.pem\" }]\n", ""),
        ["7:7: listener.imaps.tls: TLS needs a certificate: expected certificates in [tls]"]
    );
    assert_eq!(
        broken("[{ chain = \"tls/chain.pem\", key = \"tls/key.pem\" }]", "[]"),
        ["7:7: listener.imaps.tls: TLS needs a certificate: expected certificates in [tls]"]
    );
    assert_eq!(
        broken("tls = \"implicit\"\n", "tls = \"none\"\n"),
        ["7:7: listener.imaps.tls: without TLS nobody could log in: expected \"implicit\" or \
          \"starttls\", or allow-plaintext-login = true, which lets passwords travel in clear"]
    );
    let allowed =
        good_with("tls = \"implicit\"\n", "tls = \"none\"\nallow-plaintext-login = true\n");
    parse(&allowed).unwrap();
    assert_eq!(
        broken("tls = \"implicit\"\n", "tls = \"implicit\"\nallow-plaintext-login = true\n"),
        [
            "8:25: listener.imaps.allow-plaintext-login: this has no meaning with tls = \"implicit\": \
          nothing is ever in clear"
        ]
    );
    assert_eq!(
        broken("ca = \"tls/internal-ca.pem\"", "ca = \"tls/internal-ca.pem\"\nverify = false"),
        [
            "37:10: backend.\"*\".verify: with a ca, certificates are verified; leave one of the two \
          out"
        ]
    );
}

#[test]
fn a_key_for_no_code_cache() {
    let key = "[code-cache]\nkey = \"code.key\"\n\n[tls]";
    assert_eq!(
        broken("[tls]", key),
        ["11:7: code-cache.key: a key without a folder has no meaning; expected folder too"]
    );
}

#[test]
fn addresses_in_use_twice() {
    let again =
        "[listener.again]\nprotocol = \"imap\"\ntls = \"implicit\"\nbind = [\"[::]:993\"]\n\n[tls]";
    assert_eq!(
        broken("[tls]", again),
        ["7:8: listener.imaps.bind: [::]:993 is bound by listener.again.bind already"]
            .map(|_| "13:9: listener.again.bind: [::]:993 is bound by listener.imaps.bind already")
    );
    assert_eq!(
        broken("[tls]", "[metrics]\nbind = \"[::]:993\"\n[tls]"),
        ["6:9: listener.imaps.bind: [::]:993 is bound by metrics already"]
    );
}

#[test]
fn secrets() {
    let password = "bind-password = { file = \"ldap.secret\" }";
    assert_eq!(
        broken(password, "bind-password = \"hunter2\""),
        [
            "16:17: directory.main.bind-password: a secret does not stand in the configuration, which \
          is shown and copied: expected { file = \"…\" } or { env = \"…\" }"
        ]
    );
    let shown = problems(&good_with(password, "bind-password = \"hunter2\"")).to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
    for secret in ["12345", "[\"12345\"]", "12345.5", "\"12345", "\"\"\"\n12345"] {
        let shown = problems(&good_with(password, &format!("bind-password = {secret}")));
        assert!(!shown.0[0].message.contains("12345"), "{shown}");
        assert!(!shown.to_string().contains("12345"), "{shown}");
    }
    for (instead, expected) in [
        (
            "bind-password = { env = \"NONE\" }",
            "16:17: directory.main.bind-password: the environment variable NONE is not set",
        ),
        (
            "bind-password = { file = \"a\", env = \"b\" }",
            "16:17: directory.main.bind-password: expected either { file = \"…\" } or { env = \
             \"…\" }",
        ),
        (
            "bind-password = { flie = \"a\" }",
            "16:17: directory.main.bind-password: expected either { file = \"…\" } or { env = \
             \"…\" }",
        ),
    ] {
        assert_eq!(broken(password, instead)[0], expected);
    }
    let machine = Machine::new().with("/etc/waypost/ldap.secret", "\n");
    let empty = Config::parse(Path::new(PATH), GOOD.into(), &machine).unwrap_err();
    assert_eq!(told(&empty), ["16:17: directory.main.bind-password: the secret is empty"]);
}

#[test]
fn files() {
    let told_without = |path| {
        let machine = Machine::new().without(path);
        told(&Config::parse(Path::new(PATH), GOOD.into(), &machine).unwrap_err())
    };
    assert_eq!(
        told_without("/etc/waypost/tls/key.pem"),
        ["11:50: tls.certificates.key: there is no file /etc/waypost/tls/key.pem"]
    );
    assert_eq!(
        told_without("/etc/waypost/ldap.secret"),
        ["16:26: directory.main.bind-password.file: there is no file /etc/waypost/ldap.secret"]
    );
    assert_eq!(
        broken("tls/internal-ca.pem", "tls/folder"),
        ["36:6: backend.\"*\".ca: /etc/waypost/tls/folder is a folder, not a file"]
    );

    let mut machine = Machine::new();
    machine.world_readable = true;
    let config = Config::parse(Path::new(PATH), GOOD.into(), &machine).unwrap();
    assert_eq!(
        told(&config.warnings),
        [
            "11:50: tls.certificates.key: everybody may read /etc/waypost/tls/key.pem; chmod o-rwx \
             /etc/waypost/tls/key.pem",
            "16:26: directory.main.bind-password.file: everybody may read \
             /etc/waypost/ldap.secret; chmod o-rwx /etc/waypost/ldap.secret",
        ]
    );
}

#[test]
fn directories() {
    for (from, to, expected) in [
        (
            "url = [\"ldap://127.0.0.1\"]\n",
            "",
            "13:1: directory.main: expected a url or an ldif file",
        ),
        (
            "url = [\"ldap://127.0.0.1\"]\n",
            "url = []\n",
            "14:7: directory.main.url: expected at least one server",
        ),
        (
            "password-field",
            "ldif = \"users.ldif\"\npassword-field",
            "18:8: directory.main.ldif: this directory has a url already; expected one of the two",
        ),
        (
            "base = \"dc=example,dc=test\"\n",
            "",
            "13:1: directory.main.base: LDAP servers need a base, for example \
             \"dc=example,dc=test\"",
        ),
        (
            "bind-password = { file = \"ldap.secret\" }\n",
            "",
            "13:1: directory.main: a simple bind needs bind-dn and bind-password: bind-password is \
             missing",
        ),
        (
            "bind-dn = \"cn=waypost,dc=example,dc=test\"\n",
            "",
            "15:17: directory.main.bind-password: a password without bind-dn has no meaning",
        ),
        (
            "base = \"dc=example,dc=test\"\n",
            "base = \"dc=example,dc=test\"\nbackoff-min = \"10s\"\n",
            "18:15: directory.main.backoff-min: this is longer than backoff-max",
        ),
        (
            "\"mail\", \"mailHost\"",
            "\"mail\", \"USERPASSWORD\"",
            "22:33: policy.ldap.directories.main: USERPASSWORD is the password-field of main, \
             which no policy may read or test",
        ),
        (
            "\"mail\", \"mailHost\"",
            "\"mail\", \"*\"",
            "22:33: policy.ldap.directories.main: \"*\" is no attribute: list the names of \
             attributes, one by one",
        ),
    ] {
        assert_eq!(broken(from, to)[0], expected);
    }
    let ldif = broken("url = [\"ldap://127.0.0.1\"]\n", "ldif = \"users.ldif\"\nstarttls = true\n");
    assert_eq!(
        ldif,
        [
            "15:12: directory.main.starttls: this has no meaning for an LDIF file",
            "16:11: directory.main.bind-dn: this has no meaning for an LDIF file",
            "17:17: directory.main.bind-password: this has no meaning for an LDIF file",
        ]
    );
}

#[test]
fn a_bind_password_in_clear_is_warned_of() {
    let told = warned("ldap://127.0.0.1", "ldap://ldap.example.test");
    assert_eq!(
        told,
        [
            "14:7: directory.main.url: the bind password travels in clear to ldap://ldap.example.test; \
          set starttls = true"
        ]
    );
    assert_eq!(warned("ldap://127.0.0.1", "ldaps://ldap.example.test"), [""; 0]);
}

#[test]
fn a_fallback_for_everybody_where_mail_comes_in() {
    let mail = GOOD
        .replace("[domain.\"example.test\"]", "[domain.\"*\"]")
        .replace("[backend.", "[domain.\"example.test\"]\npolicies = [\"ldap\"]\n\n[backend.")
        .replace("protocol = \"imap\"", "protocol = \"smtp\"")
        .replace("default-domain = \"example.test\"\n", "")
        .replace("[tls]", "[smtp]\npostmaster = \"a@example.test\"\nsplit = \"defer\"\n\n[tls]")
        .replace("host-field = ", "fallback-hosts = [\"10.0.0.9\"]\nhost-field = ");
    let told_of = |text: &str| told(&problems(text));
    let open = "36:13: domain.\"*\".policies: with a listener for mail ([listener.imaps]) this \
                policy must not fall back for no-entry: every address of every domain would exist; \
                set its fallback-on without no-entry";
    assert_eq!(told_of(&mail), [open]);
    let written = mail.replace("fallback-hosts", "fallback-on = [\"no-entry\"]\nfallback-hosts");
    assert!(told_of(&written)[0].ends_with("set its fallback-on without no-entry"));
    let harmless =
        mail.replace("fallback-hosts", "fallback-on = [\"no-host-field\"]\nfallback-hosts");
    parse(&harmless).unwrap();
    let one_domain = mail.replace("[domain.\"*\"]", "[domain.\"two.example.test\"]");
    parse(&one_domain).unwrap();
}

#[test]
fn a_fallback_is_for_nobody_without_an_entry_where_the_front_checks_passwords() {
    let mail = GOOD
        .replace("[domain.\"example.test\"]", "[domain.\"*\"]")
        .replace(
            "[tls]",
            "[listener.mx]\nprotocol = \"lmtp\"\nbind = [\"[::]:24\"]\ntls = \"none\"\n\n[tls]",
        )
        .replace("[tls]", "[smtp]\npostmaster = \"a@example.test\"\n\n[tls]")
        .replace("[backend.", "[domain.\"example.test\"]\npolicies = [\"ldap\"]\n\n[backend.")
        .replace(
            "host-field = ",
            "verify = \"password\"\nfallback-hosts = [\"10.0.0.9\"]\nhost-field = ",
        )
        .replace("targets = ", "verification = [\"password\"]\ntargets = ");
    parse(&mail).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn domains_that_nobody_serves() {
    assert_eq!(
        broken("default-domain = \"example.test\"", "default-domain = \"exmaple.test\""),
        [
            "8:18: listener.imaps.default-domain: no [domain] serves exmaple.test, so that nobody can \
          log in with a bare name; expected [domain.\"exmaple.test\"]"
        ]
    );
    for pattern in ["*", "*.test"] {
        parse(&good_with("[domain.\"example.test\"]", &format!("[domain.{pattern:?}]"))).unwrap();
    }
    let mail = "[listener.mx]\nprotocol = \"lmtp\"\nbind = [\"[::]:24\"]\ntls = \"none\"\n\n\
                [smtp]\npostmaster = \"a@example.test\"\n\n[tls]";
    let mail = good_with("[tls]", mail);
    parse(&mail).unwrap();
    // `*` is for logins only.
    for (from, to) in
        [("a@example.test", "a@b.test"), ("[domain.\"example.test\"]", "[domain.\"*\"]")]
    {
        let told = told(&problems(&mail.replace(from, to)));
        assert!(told[0].starts_with("16:14: smtp.postmaster: no [domain] serves "), "{told:?}");
    }
}

#[test]
fn what_is_the_same_but_for_its_spelling() {
    let again = "[domain.\"Example.TEST.\"]\npolicies = [\"ldap\"]\n\n[backend.\"*\"]";
    assert_eq!(
        broken("[backend.\"*\"]", again),
        ["34:9: domain.\"Example.TEST.\": this is the same as [domain.\"example.test\"]"]
    );
    let again = "[backend.\"a.test\"]\n[backend.\"A.test\"]\n[backend.\"*\"]";
    assert_eq!(
        broken("[backend.\"*\"]", again),
        ["35:10: backend.\"A.test\": this is the same as [backend.\"a.test\"]"]
    );
}

#[test]
fn other_things_that_cannot_be() {
    for (from, to, expected) in [
        (
            "[server]\n",
            "[server]\ngroup = \"mail\"\n",
            "2:9: server.group: a group without a user has no meaning; expected user too",
        ),
        (
            "[server]\n",
            "[server]\nuser = \"root\"\n",
            "2:8: server.user: root keeps every privilege; expected an unprivileged user",
        ),
        (
            "bind = [\"[::]:993\"]",
            "bind = []",
            "6:8: listener.imaps.bind: expected at least one address",
        ),
        (
            "[server]\n",
            "[login]\nmax-auth-errors = 0\n[server]\n",
            "2:19: login.max-auth-errors: this cannot be zero: nobody would be let in",
        ),
        (
            "[server]\n",
            "[login]\nmaster-separator = \"@\"\n[server]\n",
            "2:20: login.master-separator: @ parts a name from its domain and nothing else",
        ),
        (
            "[server]\n",
            "[login]\nmaster-separator = \"**\"\n[server]\n",
            "2:20: login.master-separator: expected a single character, found \"**\"",
        ),
        (
            "tls = \"implicit\"\n",
            "tls = \"implicit\"\npop3-capabilities = [\"TOP\"]\n",
            "8:21: listener.imaps.pop3-capabilities: this has no meaning with protocol imap",
        ),
        (
            "imap = { port = 143, tls = \"starttls\" }",
            "imap = { protocol = \"pop3\" }",
            "35:21: backend.\"*\".imap.protocol: imap clients cannot go on by pop3",
        ),
        (
            "[server]\n",
            "[resolver]\nservers = []\nmin-ttl = \"2h\"\n[server]\n",
            "2:11: resolver.servers: expected at least one server",
        ),
        (
            "host-field = \"mailHost\"",
            "host-field = inf",
            "29:14: policy.ldap.settings.host-field: expected a number, neither inf nor nan",
        ),
    ] {
        assert_eq!(broken(from, to)[0], expected);
    }
}

#[test]
fn what_is_probably_not_meant() {
    let unused = "[policy.other]\nplugin = \"other.wasm\"\ntargets = [\"*\"]\n[directory.spare]\nldif = \"a\"\n[domain";
    assert_eq!(
        warned("[domain", unused),
        [
            "31:9: policy.other: no domain asks it",
            "34:12: directory.spare: no policy is granted it",
        ]
    );
    assert_eq!(
        warned("targets = [\"10.0.0.0/8\", \"*.mail.example.test\"]\n", ""),
        ["20:1: policy.ldap.targets: without targets this policy can send nobody anywhere"]
    );
    assert_eq!(
        warned("tls = \"implicit\"\n", "tls = \"implicit\"\nidle-timeout = \"5m\"\n"),
        ["8:16: listener.imaps.idle-timeout: RFC 9051 promises imap clients at least 30 minutes"]
    );
    let long = "[policy.ldap.limits]\nhost-call = \"10s\"\n[domain";
    assert_eq!(
        warned("[domain", long),
        ["32:13: policy.ldap.limits.host-call: a decision ends after wall, which is less"]
    );
}

#[test]
fn a_socket_has_a_path_that_fits() {
    let long = "x".repeat(200);
    assert_eq!(
        broken("[server]\n", &format!("[server]\ncontrol = \"/run/{long}\"\n")),
        ["2:11: server.control: a socket's path has at most 107 octets"]
    );
}

/// With webmail, a policy that has the front check passwords, and this in `[webmail]` and in
/// `[backend."*"]`.
fn told_of_web_logins(webmail: &str, backend: &str) -> Vec<String> {
    let listener = "[listener.web]\nprotocol = \"webmail\"\nbind = [\"[::]:443\"]\n\
                    tls = \"implicit\"\n\n";
    let text = GOOD
        .replace("[tls]", &format!("{listener}[tls]"))
        .replace("host-field", "verify = \"password\"\nhost-field")
        .replace("[domain", &format!("[webmail]\n{webmail}\n\n[domain"))
        .replace("targets =", "verification = [\"password\"]\ntargets =")
        + backend;
    told(&parse(&text).unwrap().warnings)
}

#[test]
fn web_logins_that_the_front_could_not_check() {
    let why = "[policy.ldap] may have the front check passwords, and then";
    assert_eq!(
        told_of_web_logins("", ""),
        [format!("38:1: webmail.login-forms: {why} no browser can log in without login-forms")]
    );
    assert_eq!(
        told_of_web_logins("login-forms = [{ path = \"/\", user = \"u\" }]", ""),
        [format!(
            "39:15: webmail.login-forms: {why} nobody can log in with a form of which it is not \
             known where the password is"
        )]
    );
    let forms = "login-forms = [{ path = \"/\", user = \"u\", password = \"p\" }]";
    assert_eq!(told_of_web_logins(forms, ""), [""; 0]);
    let by_name = "enter = { with = \"master-user\", by = \"separator\", name = \"w\", \
                   password = { file = \"m\" } }\n";
    assert_eq!(told_of_web_logins(forms, by_name), [""; 0]);
    let by_id = by_name.replace("by = \"separator\", ", "");
    assert_eq!(
        told_of_web_logins(forms, &by_id),
        ["44:10: backend.\"*\".enter: a web login cannot name a master user by authorisation-id: \
          where these back ends have webmail, nobody can log in there"]
    );
}

#[test]
fn what_a_failed_web_login_looks_like() {
    let told = |failed: &str| {
        let form = format!("{{ path = \"/\", user = \"u\", password = \"p\", {failed} }}");
        told(&problems(&good_with("[tls]", &format!("[webmail]\nlogin-forms = [{form}]\n\n[tls]"))))
    };
    let expected = "expected the status of an answer, from 200 to 599";
    for status in ["100", "600"] {
        let [said] = &told(&format!("failed-status = {status}"))[..] else { panic!() };
        assert!(said.contains("failed-status") && said.contains(expected), "{said}");
    }
    let [said] = &told("failed-location = \"login\"")[..] else { panic!() };
    assert!(said.contains("failed-location"), "{said}");
}

/// `good_with`, with these certificates of clients and this way into the back ends.
fn certified(certificates: &str, backend: &str) -> String {
    let listener = format!("default-domain = \"example.test\"\n\n{certificates}\n[tls]");
    GOOD.replace("default-domain = \"example.test\"\n\n[tls]", &listener)
        .replace("[backend.\"*\"]\n", &format!("[backend.\"*\"]\n{backend}"))
}

#[test]
fn logins_with_a_certificate_need_a_way_into_the_back_ends() {
    let certificates = "[listener.imaps.client-certificates]\nca = \"tls/clients-ca.pem\"\n\
                        name-from = \"rfc822-name\"\n";
    let enter = "enter = { with = \"password\", password = { file = \"master.secret\" } }\n";
    let config = parse(&certified(certificates, enter)).unwrap();
    assert!(config.warnings.0.is_empty(), "{:?}", config.warnings);
    let problems = told(&problems(&certified(certificates, "")));
    assert_eq!(
        problems,
        [
            "12:13: listener.imaps.client-certificates.name-from: who logs in with a certificate has no \
          password to pass on, and so enters none of the back ends: expected enter with \
          \"master-user\" or \"password\" in [backend.\"PATTERN\"]"
        ]
    );
    // As something shown beside a password it needs none.
    let certificates = "[listener.imaps.client-certificates]\nca = \"tls/clients-ca.pem\"\n\
                        required = true\n";
    parse(&certified(certificates, "")).unwrap();
}

#[test]
fn certificates_of_clients_where_there_can_be_none() {
    let table =
        |rest: &str| format!("client-certificates = {{ ca = \"tls/clients-ca.pem\" }}\n{rest}");
    assert_eq!(
        broken("tls = \"implicit\"\n", &table("tls = \"none\"\nallow-plaintext-login = true\n")),
        [
            "7:23: listener.imaps.client-certificates: certificates are shown over TLS, and there is \
          none"
        ]
    );
    assert_eq!(
        broken("protocol = \"imap\"\n", &table("protocol = \"webmail\"\n")),
        ["5:23: listener.imaps.client-certificates: this has no meaning with protocol webmail"]
    );
    assert_eq!(
        broken(
            "tls = \"implicit\"\n",
            "tls = \"implicit\"\nclient-certificates = { required = true }\n"
        ),
        ["8:23: listener.imaps.client-certificates.ca: ca is missing; for example ca = \
          \"tls/clients-ca.pem\""]
    );
}
