//! What the operator says of inbound mail.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use waypost_model::{Address, Encryption, Target};
use waypost_net::networks::Networks;

/// How mail is treated, whichever listener it comes by: the table `[smtp]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[server] hostname`: the name in greetings, `Received` fields and reports.
    pub hostname: Arc<str>,
    /// `postmaster`: whose mail `RCPT TO:<Postmaster>` is (RFC 5321 section 4.5.1), and who stands
    /// behind reports. Required.
    pub postmaster: Address,
    /// `max-message-size`: the largest message, in octets. 50 MiB.
    pub max_message_size: u64,
    /// `max-recipients`: of one message; further ones are deferred. 1000.
    pub max_recipients: NonZeroUsize,
    /// `max-received`: with more `Received` fields a message is taken to run in a circle. 100.
    pub max_received: usize,
    /// `max-errors`: after how many rejected commands a session is ended. 20.
    pub max_errors: NonZeroUsize,
    /// `max-transactions`: how many messages one session may bring. 1000.
    pub max_transactions: NonZeroUsize,
    /// `recipient-delimiter`: what starts the tag of a sub-address (RFC 5233), such as `+`. The
    /// whole address is asked for first, then the one without its tag. Off.
    pub recipient_delimiter: Option<Arc<str>>,
    /// `split`: what happens to a message whose recipients live on several back ends.
    pub split: Split,
    /// `report-networks`: clients whose senders can be reported to through `relay`. None.
    pub report_networks: Networks,
    /// `relay`: where reports go to whose recipient no policy serves. None.
    pub relay: Option<Target>,
    /// `answer-within`: after how long from the end of a message its client is answered where there
    /// is a copy, whatever is undecided. 60 s.
    pub answer_within: Duration,
    /// `stall-timeout`: for how long a back end may take nothing of a message. 30 s.
    pub stall_timeout: Duration,
    /// `reply-timeout`: after how long from the end of a message its client is answered in any
    /// case. 9 min 30 s: clients wait for ten minutes (RFC 5321 section 4.5.3.2.6).
    pub reply_timeout: Duration,
    /// `command-timeout`: for how long a client may be silent between commands. 5 min (RFC 5321
    /// section 4.5.3.2.7).
    pub command_timeout: Duration,
    /// `data-timeout`: for how long a client may be silent within a message. 3 min (RFC 5321
    /// section 4.5.3.2.5).
    pub data_timeout: Duration,
    /// `expire-after`: for how long a kept message is tried. 5 days (RFC 5321 section 4.5.4.1).
    pub expire_after: Duration,
    /// `retry-after`: the first pause before a kept message is tried again; each further one is
    /// twice as long. 1 min.
    pub retry_after: Duration,
    /// `retry-at-most`: the longest pause. 4 h.
    pub retry_at_most: Duration,
    /// `max-deliveries`: how many kept messages are being tried again at once. 20.
    pub max_deliveries: NonZeroUsize,
    /// `max-deliveries-per-target`: how many of them with one target. 5.
    pub max_deliveries_per_target: NonZeroUsize,
}

/// What happens to a recipient that would take a message to a further back end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Split {
    /// `spool`: the message goes to all of them, and a copy of it is kept until each has decided.
    #[default]
    Spool,
    /// `defer`: the recipient is deferred, and the client sends the message again.
    Defer,
}

/// What a listener says of its mail: the keys of `[listener.NAME]` beside those of every listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntranceSettings {
    /// `tls`.
    pub encryption: Encryption,
    /// `smtputf8`: offer SMTPUTF8 (RFC 6531); every back end should. Off.
    pub smtputf8: bool,
    /// `dsn`: offer DSN (RFC 3461). Off.
    pub dsn: bool,
    /// `normalize-newlines-from`: clients whose bare CR and LF are taken for CRLF. From everybody
    /// else such a message is refused. None.
    pub normalize_newlines_from: Networks,
}

impl Settings {
    /// The defaults.
    pub fn new(hostname: &str, postmaster: Address) -> Self {
        Self {
            hostname: Arc::from(hostname),
            postmaster,
            max_message_size: 50 << 20,
            max_recipients: const { NonZeroUsize::new(1000).unwrap() },
            max_received: 100,
            max_errors: const { NonZeroUsize::new(20).unwrap() },
            max_transactions: const { NonZeroUsize::new(1000).unwrap() },
            recipient_delimiter: None,
            split: Split::default(),
            report_networks: Networks::default(),
            relay: None,
            answer_within: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
            reply_timeout: Duration::from_secs(570),
            command_timeout: Duration::from_secs(300),
            data_timeout: Duration::from_secs(180),
            expire_after: Duration::from_secs(5 * 24 * 3600),
            retry_after: Duration::from_secs(60),
            retry_at_most: Duration::from_secs(4 * 3600),
            max_deliveries: const { NonZeroUsize::new(20).unwrap() },
            max_deliveries_per_target: const { NonZeroUsize::new(5).unwrap() },
        }
    }
}

impl EntranceSettings {
    /// The defaults.
    pub fn new(encryption: Encryption) -> Self {
        Self {
            encryption,
            smtputf8: false,
            dsn: false,
            normalize_newlines_from: Networks::default(),
        }
    }
}
