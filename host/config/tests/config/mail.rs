//! Inbound mail: listeners for smtp and lmtp, `[smtp]`, `[spool]`.

use std::path::Path;
use std::time::Duration;

use waypost_config::{Config, Spoken};
use waypost_model::{Encryption, Protocol};
use waypost_smtp::{EntranceSettings, Settings, Split};

use crate::scene::{GOOD, parse, problems, told};

const LISTENER: &str = "[listener.mx]\nprotocol = \"smtp\"\nbind = [\"[::]:25\"]\ntls = \"none\"\n";
const SMTP: &str = "[smtp]\npostmaster = \"postmaster@example.test\"\n";
const SPOOL: &str = "[spool]\nfolder = \"spool\"\n";

#[track_caller]
fn good(more: &[&str]) -> Config {
    let config = parse(&format!("{GOOD}{}", more.concat()));
    config.unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is wrong, without its place.
#[track_caller]
fn wrong(more: &[&str]) -> Vec<String> {
    let told = told(&problems(&format!("{GOOD}{}", more.concat())));
    told.iter().filter_map(|line| line.split_once(": ").map(|(_, rest)| rest.to_owned())).collect()
}

#[test]
fn what_nobody_says_is_what_the_crate_says() {
    let config = good(&[LISTENER, SMTP, SPOOL]);
    assert_eq!(told(&config.warnings), [""; 0]);
    let postmaster = waypost_model::Address::new("postmaster@example.test", None).unwrap();
    assert_eq!(config.smtp, Some(Settings::new("mail.example.test", postmaster)));
    let spool = config.spool.unwrap();
    assert_eq!(spool.folder, Path::new("/etc/waypost/spool"));
    assert_eq!(spool.max_bytes, 1 << 30);
    let listener = &config.listeners[1];
    assert_eq!(listener.settings.protocol, Protocol::Smtp);
    let Spoken::Mail(mail) = &listener.spoken else { panic!("{listener:?}") };
    assert_eq!(*mail, EntranceSettings::new(Encryption::None));
}

#[test]
fn every_setting_arrives() {
    let config = good(&[
        LISTENER,
        "smtputf8 = true\ndsn = true\nnormalize-newlines-from = [\"10.1.0.0/16\"]\n",
        SMTP,
        "max-message-size = \"1MiB\"\nmax-recipients = 7\nmax-received = 8\nmax-errors = 9\n\
         max-transactions = 10\nrecipient-delimiter = \"+\"\nsplit = \"defer\"\n\
         report-networks = [\"10.2.0.0/16\"]\nrelay = \"relay.example.test:26\"\n\
         answer-within = \"1s\"\nstall-timeout = \"2s\"\nreply-timeout = \"3s\"\n\
         command-timeout = \"6m\"\ndata-timeout = \"7m\"\nexpire-after = \"1d\"\n\
         retry-after = \"5s\"\nretry-at-most = \"6s\"\nmax-deliveries = 11\n\
         max-deliveries-per-target = 12\n",
    ]);
    let smtp = config.smtp.unwrap();
    assert_eq!(smtp.max_message_size, 1 << 20);
    assert_eq!(smtp.max_recipients.get(), 7);
    assert_eq!(smtp.max_received, 8);
    assert_eq!((smtp.max_errors.get(), smtp.max_transactions.get()), (9, 10));
    assert_eq!(smtp.recipient_delimiter.as_deref(), Some("+"));
    assert_eq!(smtp.split, Split::Defer);
    assert!(smtp.report_networks.contains([10, 2, 0, 1].into()));
    assert_eq!(smtp.relay.unwrap().to_string(), "relay.example.test:26");
    let seconds = Duration::from_secs;
    assert_eq!((smtp.answer_within, smtp.stall_timeout), (seconds(1), seconds(2)));
    assert_eq!(smtp.reply_timeout, seconds(3));
    assert_eq!((smtp.command_timeout, smtp.data_timeout), (seconds(360), seconds(420)));
    assert_eq!(smtp.expire_after, seconds(24 * 3600));
    assert_eq!((smtp.retry_after, smtp.retry_at_most), (seconds(5), seconds(6)));
    assert_eq!(smtp.max_deliveries.get(), 11);
    assert_eq!(smtp.max_deliveries_per_target.get(), 12);
    let Spoken::Mail(mail) = &config.listeners[1].spoken else { panic!("no mail") };
    assert!(mail.smtputf8 && mail.dsn);
    assert!(mail.normalize_newlines_from.contains([10, 1, 0, 1].into()));
    // With split = "defer" nothing is ever stored.
    assert!(config.spool.is_none());
}

#[test]
fn a_listener_for_mail_needs_a_postmaster_and_a_spool() {
    assert_eq!(
        wrong(&[LISTENER]),
        [
            "smtp: with a listener for mail ([listener.mx]) expected [smtp] with postmaster, whose mail \
          every server must take"
        ]
    );
    assert_eq!(
        wrong(&[LISTENER, SMTP]),
        ["smtp: messages from [listener.mx] may go to several back ends, and a copy must be kept \
          until each has decided: expected [spool] with a folder, or split = \"defer\""]
    );
    good(&[LISTENER, SMTP, "split = \"defer\"\n"]);
    // An LMTP client hears of each recipient by itself.
    good(&[&LISTENER.replace("\"smtp\"", "\"lmtp\""), SMTP]);
}

#[test]
fn settings_of_other_protocols() {
    assert_eq!(
        wrong(&[
            LISTENER,
            "default-domain = \"example.test\"\nidle-timeout = \"31m\"\n",
            SMTP,
            SPOOL
        ]),
        [
            "listener.mx.default-domain: this has no meaning with protocol smtp",
            "listener.mx.idle-timeout: this has no meaning with protocol smtp"
        ]
    );
    let imap = "[listener.more]\nprotocol = \"imap\"\nbind = [\"[::]:994\"]\ntls = \"implicit\"\n";
    assert_eq!(
        wrong(&[imap, "dsn = true\n"]),
        ["listener.more.dsn: this has no meaning with protocol imap"]
    );
}

#[test]
fn what_cannot_be() {
    for (line, expected) in [
        (
            "report-networks = [\"10.0.0.0/8\"]\n",
            "smtp.report-networks: reports to other domains need a way out: expected relay",
        ),
        (
            "retry-after = \"2h\"\nretry-at-most = \"1h\"\n",
            "smtp.retry-at-most: this is shorter than retry-after",
        ),
    ] {
        assert_eq!(wrong(&[LISTENER, SMTP, line, SPOOL]), [expected]);
    }
    let nobody = "[smtp]\npostmaster = \"postmaster\"\n";
    let told = wrong(&[LISTENER, nobody, SPOOL]);
    assert!(told[0].starts_with("smtp.postmaster: the name has no domain"), "{told:?}");
}

#[test]
fn short_timeouts_are_warned_of() {
    let config = good(&[LISTENER, SMTP, "command-timeout = \"1m\"\n", SPOOL]);
    let warnings = told(&config.warnings);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("RFC 5321 promises clients at least 5 minutes"), "{warnings:?}");
}
