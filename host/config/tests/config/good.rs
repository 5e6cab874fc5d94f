use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use waypost_config::{
    Config, Directory, Listener, LogAddresses, LogFormat, LogLevel, LoginListener, Spoken,
};
use waypost_directory::{Bind, LdifSource};
use waypost_model::{Encryption, Protocol};
use waypost_net::health::HealthSettings;
use waypost_net::listener::ListenerSettings;
use waypost_net::resolve::ResolverSettings;
use waypost_policy::{Limits, PluginSource};
use waypost_routing::{LoginNameRules, OnFault};
use waypost_wire::login::FrontSettings;

use crate::scene::{GOOD, Machine, PATH, good_with, parse, told};

fn good() -> Config {
    parse(GOOD).unwrap()
}

fn login(listener: &Listener) -> &LoginListener {
    let Spoken::Login(login) = &listener.spoken else { panic!("{listener:?}") };
    login
}

#[test]
fn a_good_configuration_has_nothing_to_be_said_about_it() {
    assert_eq!(told(&good().warnings), [""; 0]);
}

#[test]
fn what_nobody_says_is_what_each_crate_says() {
    let config = good();
    assert_eq!(config.login, waypost_login::Settings::default());
    assert_eq!(config.cache, waypost_routing::Settings::default());
    assert_eq!(config.policies[0].limits, Limits::default());

    let listener = &config.listeners[0];
    let usual = ListenerSettings {
        bind: vec!["[::]:993".parse().unwrap()],
        default_domain: login(listener).names.default_domain.clone(),
        ..ListenerSettings::new("imaps", Protocol::Imap, Encryption::Implicit)
    };
    assert_eq!(format!("{:?}", listener.settings), format!("{usual:?}"));
    let listener = login(listener);
    let usual = FrontSettings {
        encryption: Encryption::Implicit,
        hostname: "mail.example.test".into(),
        ..FrontSettings::default()
    };
    assert_eq!(format!("{:?}", listener.front), format!("{usual:?}"));
    let usual = LoginNameRules {
        default_domain: listener.names.default_domain.clone(),
        ..LoginNameRules::default()
    };
    assert_eq!(listener.names, usual);

    let usual = format!("{:?}", ResolverSettings::default());
    assert_eq!(format!("{:?}", config.resolver), usual);
    assert_eq!(format!("{:?}", config.health), format!("{:?}", HealthSettings::default()));
    let Directory::Ldap(settings) = &config.directories[0] else { panic!("no LDAP") };
    let mut usual =
        waypost_directory::LdapSettings::new("main", settings.urls.clone(), "dc=example,dc=test");
    usual.bind = settings.bind.clone();
    usual.password_field = Some("userPassword".into());
    assert_eq!(*settings, usual);
}

#[test]
fn the_backends_defaults_are_those_of_net() {
    let config = parse(&good_with("imap = { port = 143, tls = \"starttls\" }\n", "")).unwrap();
    for (protocol, settings) in Protocol::ALL.into_iter().zip(&config.backends[0].settings) {
        let usual = waypost_net::backend::BackendSettings::new(protocol);
        assert_eq!(format!("{settings:?}"), format!("{usual:?}"));
    }
}

#[test]
fn every_value_arrives() {
    let text = r#"
        [server]
        hostname = "Mail.Example.Test"
        user = "waypost"
        group = "mail"
        workers = 3
        shutdown-grace = "1m"
        control = "run/control"
        log-format = "json"
        log-level = "debug"
        log-addresses = "hash"

        [metrics]
        bind = "127.0.0.1:9102"

        [listener.pop3]
        protocol = "pop3"
        bind = ["0.0.0.0:110", "[::1]:110"]
        tls = "starttls"
        allow-plaintext-login = true
        proxy-protocol-from = ["10.0.0.0/24"]
        proxy-header-timeout = "1s"
        allow-networks = ["192.0.2.0/24"]
        deny-networks = ["192.0.2.7"]
        exempt-networks = ["192.0.2.8"]
        max-connections = 10
        max-connections-per-address = 0
        max-connections-per-user = 5
        idle-timeout = "20m"
        backlog = 16
        pop3-capabilities = ["UIDL"]

        [tls]
        certificates = [
            { chain = "a.pem", key = "/keys/a.pem" },
            { chain = "b.pem", key = "b.key" },
        ]
        minimum-version = "1.3"

        [login]
        timeout = "1m"
        auth-failure-delay = "0s"
        retry-for = "500ms"
        mechanisms = ["plain"]
        max-auth-errors = 3
        max-errors = 7
        master-separator = "*"
        authorisation-id = true

        [directory.file]
        ldif = "users.ldif"
        password-field = "userPassword"
        max-entries = 10
        max-size = "64KiB"

        [policy.own]
        plugin = "plugins/own.wasm"
        sha256 = "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"
        directories = { file = ["mail"] }
        targets = ["127.0.0.0/8"]
        limits = { cpu = "10ms", memory = "8MiB", searches = 2 }
        settings = { no-entry = "pass" }
        files = { map = "users.map", "other one" = "/maps/other" }

        [domain."*.Example.Test"]
        policies = ["own"]
        on-fault = "next"

        [backend."10.0.0.0/8"]
        imap = { port = 1143, tls = "none" }
        smtp = { protocol = "lmtp" }
        verify = false
        minimum-version = "1.3"
        client-identity = "proxy-v2"
        connect-timeout = "1s"
        reply-timeout = "2s"

        [code-cache]
        folder = "code/"
        max-bytes = "64MiB"

        [cache]
        cache-for = "10m"
        negative-for = "1s"
        stale-for = "2h"
        routes = 7
        negatives = 8

        [resolver]
        servers = ["127.0.0.1:5353"]
        hosts-file = "hosts"
        timeout = "3s"

        [health]
        first-probe = "1s"
        max-interval = "1m"
    "#;
    let config = parse(text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(told(&config.warnings), [""; 0]);

    let server = &config.server;
    assert_eq!(&*server.hostname, "mail.example.test");
    assert_eq!((server.user.as_deref(), server.group.as_deref()), (Some("waypost"), Some("mail")));
    assert_eq!(server.workers.map(usize::from), Some(3));
    assert_eq!(server.shutdown_grace, Duration::from_secs(60));
    assert_eq!(server.control.as_deref(), Some(Path::new("/etc/waypost/run/control")));
    assert_eq!(server.log.format, LogFormat::Json);
    assert_eq!(server.log.level, LogLevel::Debug);
    assert_eq!(server.log.addresses, LogAddresses::Hash);
    assert_eq!(config.metrics.unwrap().to_string(), "127.0.0.1:9102");

    let listener = &config.listeners[0];
    let settings = &listener.settings;
    assert_eq!(settings.bind.len(), 2);
    assert!(settings.proxy_protocol_from.contains(IpAddr::from([10, 0, 0, 1])));
    assert!(settings.admits([192, 0, 2, 1].into()) && !settings.admits([192, 0, 2, 7].into()));
    assert!(!settings.counts([192, 0, 2, 8].into()));
    assert_eq!(settings.max_connections, Some(10));
    assert_eq!(settings.max_connections_per_address, None);
    assert_eq!(settings.max_connections_per_user, Some(5));
    assert_eq!(settings.backlog, 16);
    let listener = login(listener);
    assert_eq!(listener.idle_timeout, Duration::from_secs(1200));
    assert!(listener.front.allow_plaintext && listener.front.allow_authorisation);
    assert_eq!(listener.front.pop3_capabilities, ["UIDL"]);
    assert_eq!(listener.front.mechanisms.len(), 1);
    assert_eq!((listener.front.max_auth_errors, listener.front.max_errors), (3, 7));
    assert_eq!(listener.names.master_separator, Some('*'));
    assert!(listener.names.authorisation_id);

    let certificates = &config.tls.certificates;
    assert_eq!(certificates[0].chain, Path::new("/etc/waypost/a.pem"));
    assert_eq!(certificates[0].key, Path::new("/keys/a.pem"));
    assert_eq!(config.login.retry_for, Duration::from_millis(500));

    let Directory::Ldif(ldif) = &config.directories[0] else { panic!("no LDIF") };
    assert_eq!(ldif.source, LdifSource::File("/etc/waypost/users.ldif".into()));
    assert_eq!((ldif.limits.entries, ldif.limits.octets), (10, 64 << 10));

    let policy = &config.policies[0];
    let PluginSource::File(path) = &policy.plugin else { panic!("no file") };
    assert_eq!(path, Path::new("/etc/waypost/plugins/own.wasm"));
    assert_eq!(policy.sha256.unwrap()[9..12], [0x99, 0xaa, 0xbb]);
    assert_eq!(policy.settings.to_string(), r#"{"no-entry":"pass"}"#);
    assert_eq!(policy.files["map"], Path::new("/etc/waypost/users.map"));
    assert_eq!(policy.files["other one"], Path::new("/maps/other"));
    assert_eq!(policy.limits.cpu, Duration::from_millis(10));
    assert_eq!((policy.limits.memory, policy.limits.searches), (8 << 20, 2));
    assert_eq!(policy.limits.wall, Limits::default().wall);

    let domain = &config.domains[0];
    assert_eq!(domain.pattern.to_string(), "*.example.test");
    assert_eq!((&*domain.policies[0], domain.on_fault), ("own", OnFault::Next));

    let backend = &config.backends[0];
    assert!(!backend.tls.verify);
    let [imap, pop3, smtp, ..] = &backend.settings;
    assert_eq!(imap.port.map(u16::from), Some(1143));
    assert_eq!((imap.encryption, pop3.encryption), (Encryption::None, Encryption::Starttls));
    assert_eq!(smtp.protocol, Protocol::Lmtp);
    assert_eq!(imap.connect_timeout, Duration::from_secs(1));

    assert_eq!(config.cache.stale_for, Duration::from_secs(7200));
    let code_cache = config.code_cache.unwrap();
    assert_eq!(code_cache.folder, Path::new("/etc/waypost/code/"));
    assert_eq!(code_cache.key.as_os_str(), "/etc/waypost/code.key");
    assert_eq!(code_cache.max_bytes, 64 << 20);
    assert_eq!(config.resolver.hosts_file, Path::new("/etc/waypost/hosts"));
    assert_eq!(config.resolver.servers.as_deref().unwrap().len(), 1);
    assert_eq!(config.health.max_interval, Duration::from_secs(60));
}

fn bind_password(text: &str, machine: &Machine) -> Vec<u8> {
    let config = Config::parse(Path::new(PATH), text.into(), machine).unwrap();
    let Directory::Ldap(settings) = &config.directories[0] else { panic!("no LDAP") };
    let Bind::Simple { password, .. } = &settings.bind else { panic!("no simple bind") };
    password.expose().to_vec()
}

#[test]
fn a_secret_comes_from_a_file_without_its_last_lines_end() {
    for (content, secret) in [
        ("s3cret\n", "s3cret"),
        ("s3cret", "s3cret"),
        ("s3cret\r\n", "s3cret"),
        (" s \n\n", " s \n"),
    ] {
        let machine = Machine::new().with("/etc/waypost/ldap.secret", content);
        assert_eq!(bind_password(GOOD, &machine), secret.as_bytes());
    }
}

#[test]
fn a_secret_comes_from_the_environment() {
    let text = good_with("{ file = \"ldap.secret\" }", "{ env = \"LDAP_PASSWORD\" }");
    assert_eq!(bind_password(&text, &Machine::new()), b"from the environment");
}

#[test]
fn without_a_hostname_it_is_the_machines() {
    let config = parse(&good_with("hostname = \"mail.example.test\"\n", "")).unwrap();
    assert_eq!(&*config.server.hostname, "machine.example.test");
}

#[test]
fn the_plugins_settings_become_json() {
    let settings = r#"
        text = "a \"b\""
        number = 0x10
        float = 1.5
        flag = true
        date = 2026-01-01
        list = [1, [2]]
        table.deep.key = "value"
    "#;
    let text = good_with("directory = \"main\"\n", settings)
        .replace("search-base = \"%s\"\n", "")
        .replace("search-pattern = \"mail=%e\"\n", "")
        .replace("host-field = \"mailHost\"\n", "");
    let json = parse(&text).unwrap().policies[0].settings.to_string();
    let expected = r#"{"date":"2026-01-01","flag":true,"float":1.5,"list":[1,[2]],"number":16,"table":{"deep":{"key":"value"}},"text":"a \"b\""}"#;
    assert_eq!(json, expected);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_do_no_harm() {
    parse(&GOOD.replace('\n', "\r\n")).unwrap();
    parse(&format!("\u{feff}{GOOD}")).unwrap();
}

#[test]
fn nothing_secret_is_shown() {
    let machine = Machine::new().with("/etc/waypost/ldap.secret", "s3cret\n");
    let config = Config::parse(Path::new(PATH), GOOD.into(), &machine).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
}
