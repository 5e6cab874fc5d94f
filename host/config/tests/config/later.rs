//! What goes wrong after the configuration has been read is told with its place too.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use waypost_config::{Config, ConfigError};
use waypost_directory::{Directory, LdifDirectory, LdifSettings, LdifSource, Metrics};
use waypost_model::{Address, Encryption, Lookup, Protocol, Purpose};
use waypost_policy::LoadError;

use crate::scene::{GOOD, Machine, PATH, good_with, parse, told};

fn good() -> Config {
    parse(GOOD).unwrap()
}

#[test]
fn a_plugins_problem_has_the_place_of_its_setting() {
    let config = good();
    let problems = LoadError::Problems(vec![
        ("/search-pattern".into(), "%x is no placeholder".into()),
        ("/missing".into(), "is missing".into()),
        ("".into(), "nothing fits".into()),
    ]);
    assert_eq!(
        told(&config.load_problems("ldap", &problems)),
        [
            "28:18: policy.ldap.settings.search-pattern: %x is no placeholder",
            "25:1: policy.ldap.settings.missing: is missing",
            "25:1: policy.ldap.settings: nothing fits",
        ]
    );
    let core = LoadError::CoreModule;
    assert!(
        told(&config.load_problems("ldap", &core))[0].starts_with("21:10: policy.ldap.plugin: ")
    );
    assert_eq!(
        config.place_of("ldap", "/host-field").to_string(),
        "/etc/waypost/waypost.toml:29:14"
    );
}

#[test]
fn a_list_in_the_settings_has_a_place_for_each_element() {
    let text =
        good_with("host-field = ", "fallback-hosts = [\n  \"a\",\n  \"b c\"]\nhost-field = ");
    let config = parse(&text).unwrap();
    assert_eq!(config.place_of("ldap", "/fallback-hosts/1").line, 31);
    assert_eq!(config.place_of("ldap", "/fallback-hosts/7").line, 29);
    assert_eq!(config.place_of("nobody", "/fallback-hosts").line, 20);
}

#[test]
fn a_setting_that_is_missing_is_named() {
    let config = parse(&good_with("host-field = ", "hostfield = ")).unwrap();
    let problem = |pointer: &str, message: &str| (pointer.to_owned(), message.to_owned());
    let error = LoadError::Problems(vec![
        problem("/hostfield", "there is no such setting"),
        problem("/host-field", "this setting is required"),
        problem("/search-base", "no"),
    ]);
    assert_eq!(
        told(&config.load_problems("ldap", &error)),
        [
            "29:13: policy.ldap.settings.hostfield: there is no such setting; did you mean \
             host-field?",
            "25:1: policy.ldap.settings.host-field: this setting is required",
            "27:15: policy.ldap.settings.search-base: no",
        ]
    );
}

#[test]
fn names_with_slashes_and_quotes_are_found() {
    let text = good_with("host-field = ", "\"a/b~c\" = 1\nhost-field = ");
    let config = parse(&text).unwrap();
    assert_eq!(config.place_of("ldap", "/a~1b~0c").to_string(), "/etc/waypost/waypost.toml:29:11");
    assert!(config.problem("/policy/ldap/settings/a~1b~0c", "no").one_line().contains("\"a/b~c\""));
}

#[test]
fn the_table_of_domains_holds_the_policies_in_order() {
    let config = good();
    let policies: HashMap<Arc<str>, Arc<&str>> = [("ldap".into(), Arc::new("the policy"))].into();
    let table = config.domain_table(&policies, &HashMap::new()).unwrap();
    let address = Address::new("user@example.test", None).unwrap();
    let served = table.find(&Lookup { purpose: Purpose::Login, address }).unwrap();
    assert_eq!(*served.policies[0], "the policy");
}

#[test]
fn a_shadow_is_a_policy_that_nobody_else_need_ask() {
    let shadow = "[policy.new]\nplugin = \"builtin:ldap-routing\"\n\
                  directories = { main = [\"mail\"] }\ntargets = [\"10.0.0.0/8\"]\n\n[domain.";
    let text = good_with("[domain.", shadow);
    let text = text.replace("policies = [\"ldap\"]", "policies = [\"ldap\"]\nshadow = \"new\"");
    let config = parse(&text).unwrap();
    assert!(config.warnings.0.is_empty(), "{}", config.warnings);
    let names: Vec<&str> = config.shadows().into_iter().map(|name| &**name).collect();
    assert_eq!(names, ["new"]);
    let policies: HashMap<Arc<str>, Arc<&str>> = [("ldap".into(), Arc::new("live"))].into();
    let shadows: HashMap<Arc<str>, Arc<&str>> = [("new".into(), Arc::new("shadow"))].into();
    let table = config.domain_table(&policies, &shadows).unwrap();
    let address = Address::new("user@example.test", None).unwrap();
    let served = table.find(&Lookup { purpose: Purpose::Login, address }).unwrap();
    assert_eq!(served.shadow.as_deref(), Some(&"shadow"));
    assert_eq!(served.policies.len(), 1);
}

fn ldif(name: &str) -> Directory {
    let content = b"dn: dc=test\nobjectClass: dcObject\ndc: test\n".as_slice();
    let mut settings = LdifSettings::new(name, LdifSource::Content(content.into()));
    settings.password_field = Some("userPassword".into());
    Directory::Ldif(LdifDirectory::load(settings, &Metrics::default()).unwrap())
}

#[test]
fn a_policy_gets_the_directories_that_it_is_granted() {
    let config = good();
    let policy = &config.policies[0];
    let directories = HashMap::from([("main".into(), ldif("main"))]);
    let settings = config.policy_settings(policy, &directories).unwrap();
    assert_eq!(&**settings.directories[0].directory.name(), "main");
    assert_eq!(
        settings.settings_json,
        r#"{"directory":"main","host-field":"mailHost","search-base":"%s","search-pattern":"mail=%e"}"#
    );
    let problems = config.policy_settings(policy, &HashMap::new()).unwrap_err();
    assert_eq!(
        problems.0[0].one_line(),
        "/etc/waypost/waypost.toml:22:24: policy.ldap.directories.main: the directory main is not \
         loaded"
    );
}

#[test]
fn a_policys_identity_is_that_of_all_that_its_answers_depend_on() {
    let identity = |text: &str, component: &str| {
        let config = parse(text).unwrap();
        let policy = &config.policies[0];
        config.policy_identity(policy, component, &policy.settings.to_string())
    };
    let usual = identity(GOOD, "a");
    assert_eq!(usual, identity(&format!("# a comment\n{GOOD}"), "a"));
    assert_eq!(usual, identity(&good_with("hostname = \"mail.", "hostname = \"mx."), "a"));
    assert_ne!(usual, identity(GOOD, "b"), "the component");
    let config = good();
    let other = config.policy_identity(&config.policies[0], "a", "{}");
    assert_ne!(usual, other, "what it was loaded with");
    for (from, to) in [
        ("mail=%e", "uid=%u"),
        ("\"mail\", \"mailHost\"", "\"mail\", \"mailHost\", \"uid\""),
        ("\"10.0.0.0/8\"", "\"10.0.0.0/9\""),
        ("ldap://127.0.0.1", "ldap://127.0.0.2"),
        ("base = \"dc=example,dc=test\"\n", "base = \"dc=test\"\n"),
    ] {
        assert_ne!(usual, identity(&good_with(from, to), "a"), "{to}");
    }
}

#[test]
fn files_become_settings_when_the_policy_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("users.map");
    let files = format!("files = {{ \"a/map\" = {map:?} }}\n\n[policy.ldap.settings]");
    let config = parse(&good_with("[policy.ldap.settings]", &files)).unwrap();
    let directories = HashMap::from([("main".into(), ldif("main"))]);
    let settings = || config.policy_settings(&config.policies[0], &directories);
    let told = |problems: waypost_config::Problems| problems.0[0].one_line();
    let place = "/etc/waypost/waypost.toml:25:21: policy.ldap.files.\"a/map\": ";
    let missing = told(settings().unwrap_err());
    assert!(missing.starts_with(&format!("{place}{} cannot be read", map.display())), "{missing}");
    std::fs::write(&map, b"a@b.test m\n\xff").unwrap();
    assert!(told(settings().unwrap_err()).ends_with("users.map is not UTF-8: see its line 2"));
    for content in ["a@b.test \"m\"\n", "a@b.test n\n"] {
        std::fs::write(&map, content).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&settings().unwrap().settings_json).unwrap();
        assert_eq!(
            (json["a/map"].as_str(), json["directory"].as_str()),
            (Some(content), Some("main"))
        );
    }
    // What the plugin says of it is said where the file is named.
    let problems = LoadError::Problems(vec![("/a~1map".into(), "line 1: no".into())]);
    let problems = config.load_problems("ldap", &problems);
    assert_eq!(told(problems), format!("{place}line 1: no"));
}

#[test]
fn the_table_of_backends_speaks_as_configured() {
    let authority = authority_pem();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), authority).unwrap();
    let file = folder.path().join("ca.pem");
    let text = good_with("tls/internal-ca.pem", file.to_str().unwrap());
    let table = parse(&text).unwrap().backend_table().unwrap();
    let target = waypost_model::Target {
        host: "north.test".parse().unwrap(),
        port: None,
        encryption: None,
        tls_name: None,
    };
    let endpoint = table.endpoint(&target, Protocol::Imap).unwrap();
    assert_eq!((endpoint.port, endpoint.encryption), (143, Encryption::Starttls));
    assert!(endpoint.tls.is_some());
}

#[test]
fn authorities_that_cannot_be_used_are_told_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let text = good_with("tls/internal-ca.pem", file.to_str().unwrap());
    let problem = &parse(&text).unwrap().backend_table().unwrap_err().0[0];
    assert_eq!((problem.place.line, &*problem.key), (36, "backend.\"*\".ca"));
}

/// A certificate in PEM, of nobody.
fn authority_pem() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.self_signed(&key).unwrap().pem()
}

#[test]
fn a_file_is_read_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waypost.toml");
    let machine = waypost_config::System { plugins: &[] };
    let missing = Config::load(&file, &machine).unwrap_err().to_string();
    assert!(missing.contains("waypost.toml cannot be read: No such file"), "{missing}");
    std::fs::write(&file, GOOD).unwrap();
    let problems = Config::load(&file, &machine).unwrap_err().to_string();
    assert!(problems.contains("there is no file"), "{problems}");
}

#[test]
fn the_control_socket_is_found_however_wrong_the_rest_is() {
    let socket = |text: &str| {
        let machine = Machine::new().with(PATH, text);
        Config::control_socket(Path::new(PATH), &machine).unwrap()
    };
    let there = Some(PathBuf::from("/etc/waypost/control"));
    let good = good_with("[server]\n", "[server]\ncontrol = \"control\"\n");
    assert_eq!(socket(&good), there);
    for broken in ["hostnaem = 7\n", "[policy.ldap]\n", "[listener\n", "= \"\n"] {
        let text = format!("[server]\ncontrol = \"control\"\n{broken}");
        assert_eq!(socket(&text), there, "{broken}");
    }
    assert_eq!(socket("[server]\ncontrol = \"/run/w\"\n"), Some("/run/w".into()));
    for none in [GOOD, "", "control = \"control\"", "server = 1", "[server]\ncontrol = 7"] {
        assert_eq!(socket(none), None, "{none}");
    }
    let missing = Machine::new().without(PATH);
    let missing = Config::control_socket(Path::new(PATH), &missing);
    assert!(matches!(missing, Err(ConfigError::Read { .. })));
}
