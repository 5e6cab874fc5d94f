use waypost_model::{Encryption, Protocol};
use waypost_net::backend::ClientIdentity;
use waypost_net::tls::{MinimumVersion, NameField};
use waypost_routing::OnFault;
use waypost_smtp::Split;
use waypost_wire::login::Mechanism;

use crate::read::choice;

choice! {
    Protocol:
    "imap" => Self::Imap,
    "pop3" => Self::Pop3,
    "smtp" => Self::Smtp,
    "lmtp" => Self::Lmtp,
    "submission" => Self::Submission,
    "webmail" => Self::Webmail,
}

choice! {
    Encryption:
    "implicit" => Self::Implicit,
    "starttls" => Self::Starttls,
    "none" => Self::None,
}

choice! {
    ClientIdentity:
    "none" => Self::None,
    "id" => Self::Command,
    "xclient" => Self::Command,
    "proxy-v1" => Self::ProxyV1,
    "proxy-v2" => Self::ProxyV2,
}

choice! {
    MinimumVersion:
    "1.2" => Self::Tls12,
    "1.3" => Self::Tls13,
}

choice! {
    NameField:
    "rfc822-name" => Self::Rfc822Name,
    "user-principal-name" => Self::UserPrincipalName,
    "email-address" => Self::EmailAddress,
    "common-name" => Self::CommonName,
}

choice! {
    OnFault:
    "defer" => Self::Defer,
    "next" => Self::Next,
}

choice! {
    Split:
    "spool" => Self::Spool,
    "defer" => Self::Defer,
}

choice! {
    Mechanism:
    "plain" => Self::Plain,
    "login" => Self::Login,
    "xoauth2" => Self::XOauth2,
    "oauthbearer" => Self::OauthBearer,
    "cram-md5" => Self::CramMd5,
    "scram-sha-1" => Self::ScramSha1,
    "scram-sha-256" => Self::ScramSha256,
}
