use std::borrow::Cow;
use std::sync::Arc;

use waypost_model::Secret;

use super::{Mechanism, SaslError, digest, external, name, password, plain, scram, token};
use crate::login::Credential;

/// The server's half of one authentication, up to the credential.
///
/// [`Exchange::start`] with what came with the command, then [`Exchange::respond`] with each
/// message of the client while a challenge comes out. Cancelling and base64 are the caller's.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    terms: Terms,
    /// LOGIN: the name, once it was said.
    user: Option<String>,
}

/// What the server goes by in an [`Exchange`].
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// PLAIN: whether it may carry an authorisation identity.
    pub allow_authorisation: bool,
    /// CRAM-MD5: what the client is asked, and never the same twice.
    pub challenge: String,
    /// EXTERNAL: the name in the client's certificate, which TLS has verified. Without, nobody logs in
    /// by it.
    pub certificate_name: Option<Arc<str>>,
}

/// What comes next in an [`Exchange`].
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Send this, base64 still to be applied; the client answers.
    Challenge(Cow<'static, [u8]>),
    /// All is said.
    Login(Credential),
    /// No credential will come of this. [`SaslError::Base64`] does not occur.
    Refused(SaslError),
}

impl Exchange {
    /// Begins an exchange.
    pub fn start(
        mechanism: Mechanism,
        initial_response: Option<Secret>,
        terms: Terms,
    ) -> (Self, Progress) {
        let mut exchange = Self { mechanism, terms, user: None };
        let progress = match (initial_response, mechanism) {
            // The server speaks first (RFC 4422 section 5, item 2a).
            (Some(_), Mechanism::CramMd5) => Progress::Refused(SaslError::Malformed),
            (Some(message), _) => exchange.respond(message),
            (None, Mechanism::Login) => Progress::Challenge(b"Username:".into()),
            (None, Mechanism::CramMd5) => {
                Progress::Challenge(Cow::Owned(exchange.terms.challenge.clone().into_bytes()))
            }
            (None, _) => Progress::Challenge(b"".into()),
        };
        (exchange, progress)
    }

    /// The mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The client's next message, decoded.
    pub fn respond(&mut self, message: Secret) -> Progress {
        let terms = &self.terms;
        let credential = match self.mechanism {
            Mechanism::Plain => plain::decode(message.expose(), terms.allow_authorisation),
            Mechanism::ScramSha1 | Mechanism::ScramSha256 => scram::decode(self.mechanism, message),
            Mechanism::CramMd5 => digest::cram_md5(message.expose(), &terms.challenge),
            Mechanism::XOauth2 | Mechanism::OauthBearer => token::decode(self.mechanism, message),
            Mechanism::External => {
                external::decode(message.expose(), terms.certificate_name.as_deref())
            }
            Mechanism::Login => match self.user.take() {
                None => match name(message.expose()) {
                    Ok(user) => {
                        self.user = Some(user.to_owned());
                        return Progress::Challenge(b"Password:".into());
                    }
                    Err(error) => Err(error),
                },
                Some(user) => password(message.expose()).map(|()| Credential::Password {
                    mechanism: Some(Mechanism::Login),
                    authentication_id: user,
                    authorisation_id: None,
                    password: message,
                }),
            },
        };
        credential.map_or_else(Progress::Refused, Progress::Login)
    }
}

#[cfg(test)]
mod tests {
    use waypost_model::Secret;

    use super::{Exchange, Progress, Terms};
    use crate::login::Credential;
    use crate::sasl::{Mechanism, SaslError};

    #[test]
    fn login_asks_for_name_and_password() {
        let logged_in = || Credential::Password {
            mechanism: Some(Mechanism::Login),
            authentication_id: "ann".into(),
            authorisation_id: None,
            password: Secret::from("secret"),
        };
        let (mut exchange, first) = Exchange::start(Mechanism::Login, None, Terms::default());
        assert_eq!(first, Progress::Challenge(b"Username:".into()));
        assert_eq!(exchange.respond("ann".into()), Progress::Challenge(b"Password:".into()));
        assert_eq!(exchange.respond("secret".into()), Progress::Login(logged_in()));

        let (mut exchange, first) =
            Exchange::start(Mechanism::Login, Some("ann".into()), Terms::default());
        assert_eq!(first, Progress::Challenge(b"Password:".into()));
        assert_eq!(exchange.respond("secret".into()), Progress::Login(logged_in()));
    }

    #[test]
    fn an_empty_name_or_password_ends_the_exchange() {
        let (_, first) =
            Exchange::start(Mechanism::Login, Some(Secret::default()), Terms::default());
        assert_eq!(first, Progress::Refused(SaslError::Name));
        let (mut exchange, _) =
            Exchange::start(Mechanism::Login, Some("ann".into()), Terms::default());
        assert_eq!(exchange.respond(Secret::default()), Progress::Refused(SaslError::Password));
    }

    #[test]
    fn one_message_is_enough_for_the_others() {
        let one = [Mechanism::Plain, Mechanism::XOauth2, Mechanism::OauthBearer];
        for mechanism in one.into_iter().chain([Mechanism::External]) {
            let (_, first) = Exchange::start(mechanism, None, Terms::default());
            assert_eq!(first, Progress::Challenge(b"".into()));
        }
        let (_, first) =
            Exchange::start(Mechanism::Plain, Some("\0ann\0secret".into()), Terms::default());
        assert!(matches!(first, Progress::Login(_)));
    }

    #[test]
    fn cram_md5_asks_first() {
        let terms = Terms { challenge: "<c>".into(), ..Terms::default() };
        let start = |initial| Exchange::start(Mechanism::CramMd5, initial, terms.clone());
        let (_, refused) = start(Some("ann 0".into()));
        assert_eq!(refused, Progress::Refused(SaslError::Malformed));
        let (mut exchange, first) = start(None);
        assert_eq!(first, Progress::Challenge(b"<c>".into()));
        let answer = exchange.respond("ann b913a602c7eda7a495b4e6e7334d3890".into());
        let Progress::Login(credential) = answer else { panic!("{answer:?}") };
        assert_eq!(credential.name(), "ann");
        assert!(credential.password().is_none());
    }
}
