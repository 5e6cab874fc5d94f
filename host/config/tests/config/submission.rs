//! Listeners for submission.

use std::time::Duration;

use waypost_config::{Config, LoginListener, Spoken};
use waypost_model::Protocol;

use crate::scene::{GOOD, parse, problems, told};

const LISTENER: &str =
    "[listener.mua]\nprotocol = \"submission\"\nbind = [\"[::]:587\"]\ntls = \"starttls\"\n";

#[track_caller]
fn good(more: &str) -> (Config, LoginListener) {
    let config = parse(&format!("{GOOD}{LISTENER}{more}"));
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let listener = &config.listeners[1];
    assert_eq!(listener.settings.protocol, Protocol::Submission);
    let Spoken::Login(login) = &listener.spoken else { panic!("{listener:?}") };
    let login = login.clone();
    (config, login)
}

/// What is wrong, without its place.
#[track_caller]
fn wrong(text: &str) -> Vec<String> {
    let told = told(&problems(text));
    told.iter().filter_map(|line| line.split_once(": ").map(|(_, rest)| rest.to_owned())).collect()
}

#[test]
fn little_is_promised_unless_the_operator_says_so() {
    let (config, login) = good("");
    assert_eq!(told(&config.warnings), [""; 0]);
    assert_eq!(login.front.submission_extensions, ["SIZE", "8BITMIME"]);
    assert_eq!(&*login.front.hostname, "mail.example.test");
    assert_eq!(login.idle_timeout, Duration::from_secs(300));
}

#[test]
fn every_setting_arrives() {
    let (_, login) = good(
        "submission-extensions = [\"SIZE 1000\", \"DSN\", \"X-MINE a b\"]\nidle-timeout = \"7m\"\n",
    );
    assert_eq!(login.front.submission_extensions, ["SIZE 1000", "DSN", "X-MINE a b"]);
    assert_eq!(login.idle_timeout, Duration::from_secs(420));
}

#[test]
fn a_client_may_count_on_five_minutes() {
    let (config, login) = good("idle-timeout = \"4m\"\n");
    assert_eq!(login.idle_timeout, Duration::from_secs(240));
    let [warning] = &told(&config.warnings)[..] else { panic!("{}", config.warnings) };
    let expected =
        "listener.mua.idle-timeout: RFC 5321 promises submission clients at least 5 minutes";
    assert!(warning.ends_with(expected), "{warning}");
}

#[test]
fn what_is_no_extension_is_not_promised() {
    let key = "listener.mua.submission-extensions";
    for (extension, expected) in [
        ("", "expected a string that is not empty, found \"\""),
        (" DSN", "expected a keyword and its parameters, not \" DSN\""),
        ("-DSN", "expected a keyword and its parameters, not \"-DSN\""),
        ("8BIT_MIME", "expected a keyword and its parameters, not \"8BIT_MIME\""),
        ("DSN\\r\\n250 X", "a control character has no place here"),
        ("SIZE \\u00fc", "expected a keyword and its parameters, not \"SIZE \u{fc}\""),
        ("starttls", "STARTTLS is not for this list: Waypost itself decides on it"),
        ("AUTH PLAIN", "AUTH is not for this list: Waypost itself decides on it"),
        ("PIPELINING", "PIPELINING is not for this list: Waypost itself decides on it"),
        ("XCLIENT ADDR", "XCLIENT is not for this list: Waypost itself decides on it"),
    ] {
        let setting = format!("submission-extensions = [\"{extension}\"]\n");
        let wrong = wrong(&format!("{GOOD}{LISTENER}{setting}"));
        assert_eq!(wrong, [format!("{key}: {expected}")], "{extension:?}");
    }
}

#[test]
fn other_listeners_promise_nothing_of_it() {
    let imaps = "tls = \"implicit\"\n";
    let text = GOOD.replace(imaps, &format!("{imaps}submission-extensions = [\"SIZE\"]\n"));
    let expected = "listener.imaps.submission-extensions: this has no meaning with protocol imap";
    assert_eq!(wrong(&text), [expected]);
    let pop3 = format!("{GOOD}{LISTENER}pop3-capabilities = [\"TOP\"]\n");
    let expected = "listener.mua.pop3-capabilities: this has no meaning with protocol submission";
    assert_eq!(wrong(&pop3), [expected]);
}
