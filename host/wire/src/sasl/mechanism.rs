use std::fmt;

/// A SASL mechanism that Waypost knows. They show the credential to whoever can read the connection,
/// or let guess it, or need the certificate that comes with TLS: so all of them want TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login: a name and a password, each asked for.
    Login,
    /// An OAuth 2.0 access token, as Google and Microsoft had it before RFC 7628.
    XOauth2,
    /// An OAuth 2.0 access token, RFC 7628.
    OauthBearer,
    /// RFC 2195: a digest of a challenge under the password, which the front must know to check it.
    CramMd5,
    /// RFC 5802: proofs of the password on both sides, which the back end checks and gives.
    ScramSha1,
    /// The same with SHA-256, RFC 7677.
    ScramSha256,
    /// RFC 4422 appendix A: who the client is was shown outside of SASL, by its TLS certificate.
    External,
}

impl Mechanism {
    /// Every mechanism, in the order in which they are offered.
    pub const ALL: [Self; 8] = [
        Self::Plain,
        Self::Login,
        Self::XOauth2,
        Self::OauthBearer,
        Self::CramMd5,
        Self::ScramSha1,
        Self::ScramSha256,
        Self::External,
    ];
    /// Those that are offered if nobody says otherwise.
    pub const USUAL: [Self; 4] = [Self::Plain, Self::Login, Self::XOauth2, Self::OauthBearer];

    /// The registered name, in upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOauth2 => "XOAUTH2",
            Self::OauthBearer => "OAUTHBEARER",
            Self::CramMd5 => "CRAM-MD5",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::External => "EXTERNAL",
        }
    }

    /// The mechanism of that name, in any case.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether `name`, in any case, is Kerberos by one of its mechanisms (RFC 4752, RFC 4178). A
    /// ticket is for one server by its name and cannot be passed on, so a client that has the choice
    /// is told to take another.
    pub fn is_kerberos(name: &[u8]) -> bool {
        [&b"GSSAPI"[..], b"GSS-SPNEGO"].iter().any(|it| it.eq_ignore_ascii_case(name))
    }

    /// Whether the messages are relayed between client and back end: a token stands in place of the
    /// password, or nothing shows it.
    pub const fn is_relayed(self) -> bool {
        matches!(self, Self::XOauth2 | Self::OauthBearer) || self.is_scram()
    }

    /// Whether it is SCRAM.
    pub const fn is_scram(self) -> bool {
        matches!(self, Self::ScramSha1 | Self::ScramSha256)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
