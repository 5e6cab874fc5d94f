//! How policies are loaded: by domain, in order, pinned, out of the code cache, in a shadow.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Case;
use crate::plugins::{LOOP, Plugins};
use crate::servers::{
    NullBackEnd, Waypost, folder, free_port, free_port_on, program, run, wait_for,
};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("loading::the_domain_says_which_policies_are_asked_and_in_which_order", domains),
    ("loading::a_component_that_is_not_the_pinned_one_is_not_loaded", pins),
    ("loading::a_start_compiles_nothing_that_was_compiled_before", cached),
    ("loading::a_code_cache_that_others_have_to_do_with_is_not_used", unsafe_cache),
    ("loading::a_shadow_is_seen_in_metrics_and_log_and_nowhere_else", shadow),
];

/// Above everything that a test waits for.
const SOON: Duration = Duration::from_secs(20);

/// What every configuration here has; `policies` and `domains` are the rest.
fn configuration(port: u16, server: &str, rest: &str) -> String {
    format!(
        "[server]\nhostname = \"mail.localdomain.test\"\n{server}\n\
         [listener.imap]\nprotocol = \"imap\"\nbind = [\"127.0.0.1:{port}\"]\ntls = \"none\"\n\
         allow-plaintext-login = true\n\n\
         [login]\nretry-for = \"0s\"\nauth-failure-delay = \"0s\"\n\n{rest}"
    )
}

fn policy(name: &str, file: &Path) -> String {
    let file = file.display();
    format!("[policy.{name}]\nplugin = \"{file}\"\ntargets = [\"127.0.0.0/8\"]\n\n")
}

/// What a command of Waypost's says: whether it is well, and both ends.
fn command(name: &str, configuration: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(program());
    command.arg(name).arg("--config").arg(configuration).args(arguments);
    let output = run(&mut command);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn domains() {
    let plugins = Plugins::new();
    let mut rest = String::new();
    for name in ["north", "south", "east", "west"] {
        let place = ["north", "south", "east", "west"].iter().position(|n| *n == name).unwrap();
        let host = format!("127.0.0.{}", 2 + place);
        rest += &policy(name, &plugins.add_route_to(name, &host));
    }
    rest += &policy("passes", &plugins.add_pass("passes"));
    rest += "[domain.\"a.localdomain.test\"]\npolicies = [\"north\"]\n\n\
             [domain.\"*.localdomain.test\"]\npolicies = [\"passes\", \"south\", \"north\"]\n\n\
             [domain.\"*.deep.localdomain.test\"]\npolicies = [\"east\"]\n\n\
             [domain.\"*\"]\npolicies = [\"passes\", \"west\"]\n";
    let folder = folder(&configuration(free_port(), "", &rest), &[]);
    let file = folder.path().join("waypost.toml");
    for (domain, pattern, asked, host) in [
        ("a.localdomain.test", "a.localdomain.test", &["north"][..], "127.0.0.2"),
        ("b.localdomain.test", "*.localdomain.test", &["passes", "south"], "127.0.0.3"),
        ("x.y.localdomain.test", "*.localdomain.test", &["passes", "south"], "127.0.0.3"),
        ("x.deep.localdomain.test", "*.deep.localdomain.test", &["east"], "127.0.0.4"),
        ("deep.localdomain.test", "*.localdomain.test", &["passes", "south"], "127.0.0.3"),
        // Not below itself, and not a neighbour.
        ("localdomain.test", "*", &["passes", "west"], "127.0.0.5"),
        ("elsewhere.test", "*", &["passes", "west"], "127.0.0.5"),
    ] {
        let (is_well, said) = command("route", &file, &[&format!("user@{domain}")]);
        assert!(is_well, "{said}");
        assert!(said.contains(&format!("[domain.\"{pattern}\"]")), "{domain}: {said}");
        let policies: Vec<_> =
            said.lines().filter_map(|line| line.strip_prefix("policy   ")).collect();
        assert_eq!(policies, asked, "{domain}: {said}");
        assert!(said.contains(&format!("  {host} port")), "{domain}: {said}");
    }
}

fn pins() {
    let plugins = Plugins::new();
    let (north, south) =
        (plugins.add_route_to("north", "127.0.0.2"), plugins.add_route_to("south", "127.0.0.3"));
    let (_, said) = inspect(&north);
    let digest = said.split_whitespace().nth(1).unwrap().to_owned();
    let rest = |file: &Path, digest: &str| {
        let policy = policy("north", file);
        let pinned = policy.replace("targets", &format!("sha256 = \"{digest}\"\ntargets"));
        format!("{pinned}[domain.\"*\"]\npolicies = [\"north\"]\n")
    };
    let port = free_port();
    let text = configuration(port, "control = \"control\"\n", &rest(&north, &digest));
    let waypost = Waypost::start(&text, &[]);
    let line = text.lines().position(|line| line.starts_with("sha256")).unwrap() + 1;
    // Another component behind the same path: the one that serves stays.
    fs::copy(&south, &north).unwrap();
    let (is_well, said) = command("reload", &waypost.configuration(), &[]);
    assert!(!is_well, "{said}");
    for told in [&format!("waypost.toml:{line}:"), "policy.north.sha256", &digest] {
        assert!(said.contains(told), "{told} is missing in\n{said}");
    }
    let (is_well, said) = command("check", &waypost.configuration(), &["--offline"]);
    assert!(!is_well && said.contains("policy.north.sha256"), "{said}");
}

fn inspect(component: &Path) -> (bool, String) {
    let output = run(Command::new(program()).args(["plugin", "inspect"]).arg(component));
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// One policy that sends everybody to a back end, and a code cache.
fn with_cache(plugins: &Plugins) -> (u16, String) {
    let port = free_port();
    let north = policy("north", &plugins.add_route_to("north", "127.0.0.2"));
    let rest = format!(
        "[code-cache]\nfolder = \"code\"\n\n{north}[domain.\"*\"]\npolicies = [\"north\"]\n"
    );
    (port, configuration(port, "", &rest))
}

/// Stops it and starts it again.
fn again(waypost: &mut Waypost) {
    assert_eq!(waypost.stop(), Some(0), "{}", waypost.log());
    waypost.restart(None);
}

fn entries(waypost: &Waypost) -> Vec<PathBuf> {
    let entries = fs::read_dir(waypost.file("code")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// How the code of the policy was come by at the last start.
fn code(waypost: &Waypost) -> String {
    let log = waypost.log();
    let line = log.lines().find(|line| line.contains("policy loaded"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    let word = line.split_whitespace().find_map(|word| word.strip_prefix("code="));
    word.unwrap_or_else(|| panic!("{log}")).trim_matches('"').to_owned()
}

fn cached() {
    let plugins = Plugins::new();
    let (_, text) = with_cache(&plugins);
    let mut waypost = Waypost::start(&text, &[]);
    assert_eq!(code(&waypost), "compiled");
    let mode = |name: &str| fs::metadata(waypost.file(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("code"), mode("code.key")), (0o700, 0o600), "nobody else's business");
    let entry = entries(&waypost).remove(0);
    assert_eq!(fs::metadata(&entry).unwrap().permissions().mode() & 0o7777, 0o600);

    again(&mut waypost);
    assert_eq!(code(&waypost), "cache");
    let (is_well, said) = command("check", &waypost.configuration(), &["--offline"]);
    assert!(is_well && said.contains("ok     code cache: "), "{said}");

    // What somebody has put there is not run, and said once.
    let genuine = fs::read(&entry).unwrap();
    let naked = &genuine[genuine.windows(4).position(|w| w == b"\x7fELF").unwrap()..];
    fs::write(&entry, naked).unwrap();
    again(&mut waypost);
    assert_eq!(code(&waypost), "compiled");
    let log = waypost.log();
    let told = "compiled code in the cache is not what Waypost has put there";
    assert_eq!(log.matches(told).count(), 1, "{log}");
    assert!(log.contains(entry.to_str().unwrap()), "{log}");
    again(&mut waypost);
    assert_eq!(code(&waypost), "cache");
    assert!(!waypost.log().contains(told));

    // Compiled code is nothing that a configuration could name.
    let north = text.lines().find(|line| line.starts_with("plugin")).unwrap();
    let named = text.replace(north, &format!("plugin = \"{}\"", entry.display()));
    fs::write(waypost.configuration(), named).unwrap();
    let (is_well, said) = command("check", &waypost.configuration(), &["--offline"]);
    assert!(!is_well && said.contains("policy.north.plugin: "), "{said}");
}

fn unsafe_cache() {
    let plugins = Plugins::new();
    let (port, text) = with_cache(&plugins);
    let mut waypost = Waypost::start(&text, &[]);
    let told = "the code cache is not used";
    let chmod = |waypost: &Waypost, name: &str, mode| {
        fs::set_permissions(waypost.file(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, bad, good) in [("code", 0o770, 0o700), ("code.key", 0o644, 0o600)] {
        chmod(&waypost, name, bad);
        let (is_well, said) = command("check", &waypost.configuration(), &["--offline"]);
        assert!(is_well && said.contains("note   the code cache is not used"), "{said}");
        assert!(said.contains("chmod go="), "{said}");
        again(&mut waypost);
        assert_eq!(code(&waypost), "compiled");
        assert!(waypost.log().contains(told), "{}", waypost.log());
        // That is no reason not to serve.
        drop(Talk::greeted(port));
        chmod(&waypost, name, good);
    }
    fs::rename(waypost.file("code"), waypost.file("elsewhere")).unwrap();
    std::os::unix::fs::symlink(waypost.file("elsewhere"), waypost.file("code")).unwrap();
    again(&mut waypost);
    assert_eq!(code(&waypost), "compiled");
    assert!(waypost.log().contains("is no folder, or a link to one"), "{}", waypost.log());
}

fn shadow() {
    let at = ["127.0.0.2", "127.0.0.3"].map(|address| address.parse().unwrap());
    let back_end = free_port_on(&at);
    NullBackEnd::start("north", (at[0], back_end).into());
    NullBackEnd::start("south", (at[1], back_end).into());
    let plugins = Plugins::new();
    let (port, metrics) = (free_port(), free_port());
    let mut rest = format!("[metrics]\nbind = \"127.0.0.1:{metrics}\"\n\n");
    rest += &policy("old", &plugins.add_route_to("old", "127.0.0.2"));
    rest += &policy("new", &plugins.add_route_to("new", "127.0.0.3"));
    rest += &policy("loops", &plugins.add("loops", LOOP));
    rest += &format!(
        "[domain.\"a.test\"]\npolicies = [\"old\"]\nshadow = \"new\"\n\n\
         [domain.\"b.test\"]\npolicies = [\"old\"]\nshadow = \"loops\"\n\n\
         [domain.\"c.test\"]\npolicies = [\"new\"]\nshadow = \"old\"\n\n\
         [backend.\"*\"]\nimap = {{ port = {back_end}, tls = \"none\" }}\n"
    );
    let waypost = Waypost::start(&configuration(port, "log-addresses = \"hash\"\n", &rest), &[]);
    let login = |user: &str| {
        let mut talk = Talk::greeted(port);
        let said = talk.imap("a", &format!("LOGIN {user} secret"));
        assert!(said.starts_with("a OK"), "{user}: {said}");
        talk.imap("b", "WHO")
    };
    assert_eq!(login("user1@a.test"), "b OK north user1@a.test");
    // Enough loops to hold a policy back that is asked for its answers.
    for user in 0..12 {
        let user = format!("user{user}@b.test");
        assert_eq!(login(&user), format!("b OK north {user}"));
    }
    let metric = |line: &str| {
        let text = metrics_of(metrics);
        let value = text.lines().find_map(|l| l.strip_prefix(line)).map(str::trim);
        value.map_or(0, |value| value.parse::<u64>().unwrap())
    };
    let shadows = |domain: &str, policy: &str, result: &str| {
        metric(&format!(
            "waypost_routing_shadows_total{{domain=\"{domain}\",policy=\"shadow:{policy}\",\
             result=\"{result}\"}} "
        ))
    };
    wait_for("the shadows", SOON, || {
        let all = [shadows("a.test", "new", "different"), shadows("b.test", "loops", "trouble")];
        (all == [1, 12]).then_some(())
    });
    wait_for("the breaker", SOON, || {
        (metric("waypost_policy_breaker{policy=\"shadow:loops\"} ") == 2).then_some(())
    });
    // Neither the one that answers nor the same one elsewhere has anything to do with it.
    assert_eq!(metric("waypost_policy_breaker{policy=\"old\"} "), 0);
    assert_eq!(metric("waypost_policy_breaker{policy=\"loops\"} "), 0);
    assert_eq!(metric("waypost_policy_faults_total{policy=\"old\",kind=\"cpu\"} "), 0);
    assert_eq!(login("user1@c.test"), "b OK south user1@c.test");
    let log = waypost.log();
    let line = log.lines().find(|line| line.contains("a shadow decides otherwise")).unwrap();
    for part in ["a.test", "policy=shadow:new", "route 127.0.0.2", "route 127.0.0.3"] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
    assert!(!log.contains("user1@"), "addresses are hashed: {log}");
}

fn metrics_of(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
