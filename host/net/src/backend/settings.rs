use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;
use waypost_model::{Encryption, Protocol, Secret};

use crate::tls::Connector;

/// How to speak with the back ends of one pattern when a client came by one protocol.
#[derive(Clone, Debug)]
pub struct BackendSettings {
    /// What is spoken with the back end. Default: the client's protocol. Mail for SMTP clients may
    /// go on by LMTP.
    pub protocol: Protocol,
    /// Where, unless the target says. Default: [`usual_port`].
    pub port: Option<NonZeroU16>,
    /// What is demanded; a target may demand more. Default: STARTTLS, over which no clear text goes
    /// out; for webmail, TLS from the first byte.
    pub encryption: Encryption,
    /// Whom to trust when TLS is spoken. Default: none, which refuses every target that needs it;
    /// there is no TLS without somebody having said who is trusted.
    pub tls: Option<Connector>,
    /// How the back end learns who the client is. Default: not at all, since only a back end that
    /// is configured to trust Waypost can take it.
    pub client_identity: ClientIdentity,
    /// With whose password a session enters that logs in. Default: the client's own.
    pub entry: Entry,
    /// For each address of a target. Default: 5 seconds.
    pub connect_timeout: Duration,
    /// For each reply up to the answer to the login, the greeting included. Default: 30 seconds.
    pub reply_timeout: Duration,
    /// Whether mail with 8-bit octets may go to a back end that does not offer 8BITMIME (RFC 6152).
    /// Default: over LMTP, whose servers store octets as they are.
    pub assume_8bit: bool,
}

impl BackendSettings {
    /// The defaults for clients of `protocol`.
    pub fn new(protocol: Protocol) -> Self {
        let encryption = match protocol {
            Protocol::Webmail => Encryption::Implicit,
            _ => Encryption::Starttls,
        };
        Self {
            protocol,
            port: None,
            encryption,
            tls: None,
            client_identity: ClientIdentity::None,
            entry: Entry::Client,
            connect_timeout: Duration::from_secs(5),
            reply_timeout: Duration::from_secs(30),
            assume_8bit: protocol == Protocol::Lmtp,
        }
    }
}

/// With whose password a session enters a back end. Any but the client's own lets in whoever the
/// front sends, so that it is used only where the front has verified who the client is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Entry {
    /// With the client's own name and password.
    #[default]
    Client,
    /// With a master user's, in the name of the client's user.
    Master(MasterUser),
    /// With the client's name and one password of the back end's own for all.
    Password(Secret),
}

impl Entry {
    /// How it is called in the configuration and the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Master(_) => "master-user",
            Self::Password(_) => "password",
        }
    }
}

/// A user of a back end who may log in as every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterUser {
    /// The name.
    pub name: String,
    /// The password.
    pub password: Secret,
    /// How the back end is told in whose name.
    pub form: MasterForm,
}

/// How a back end is told in whose name a master user logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MasterForm {
    /// By the authorisation identity of SASL PLAIN (RFC 4616 section 2).
    AuthorisationId,
    /// By a login name with both, `user*master`, as Dovecot has it (`auth_master_user_separator`).
    Separator(char),
}

/// How a back end learns who the client is. It must be configured to believe it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientIdentity {
    /// It takes Waypost for the client.
    #[default]
    None,
    /// By the protocol's own command, where the back end offers it: IMAP `ID` (RFC 2971), POP3
    /// `XCLIENT`.
    Command,
    /// By a PROXY header of version 1 before anything else.
    ProxyV1,
    /// By a PROXY header of version 2.
    ProxyV2,
}

/// Some text is no [`ClientIdentity`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("this is one of none, id, xclient, proxy-v1 and proxy-v2")]
pub struct ClientIdentityError;

impl FromStr for ClientIdentity {
    type Err = ClientIdentityError;

    fn from_str(text: &str) -> Result<Self, ClientIdentityError> {
        match text {
            "none" => Ok(Self::None),
            // Each for the reader who thinks of one protocol.
            "id" | "xclient" => Ok(Self::Command),
            "proxy-v1" => Ok(Self::ProxyV1),
            "proxy-v2" => Ok(Self::ProxyV2),
            _ => Err(ClientIdentityError),
        }
    }
}

/// The port that servers of a protocol listen on (RFC 9051 section 11.1, RFC 8314 section 7, RFC
/// 5321 section 4.5.4.2, RFC 6409 section 3.1; LMTP has none of its own, 24 is the custom).
pub const fn usual_port(protocol: Protocol, encryption: Encryption) -> u16 {
    let implicit = matches!(encryption, Encryption::Implicit);
    match protocol {
        Protocol::Imap => [143, 993][implicit as usize],
        Protocol::Pop3 => [110, 995][implicit as usize],
        Protocol::Smtp => 25,
        Protocol::Lmtp => 24,
        Protocol::Submission => [587, 465][implicit as usize],
        Protocol::Webmail => [80, 443][implicit as usize],
    }
}
