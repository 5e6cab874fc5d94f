use crate::login::Credential;
use crate::sasl::{self, Exchange, Mechanism, Progress, SaslError, SaslResponse, Terms};

const CERTIFICATE_NAME: &str = "ann@a.test";

/// SASL as clients speak it. The first octet chooses the mechanism, the rest is the client's
/// lines, the first of them an initial response if the octet says so.
///
/// What comes of it can be said to a back end again, and means the same there.
pub fn sasl(data: &[u8]) {
    let Some((&choice, input)) = data.split_first() else { return };
    let [plain, login, xoauth2, oauthbearer] = Mechanism::USUAL;
    let mechanism = match choice & 3 {
        _ if choice & 128 != 0 => Mechanism::External,
        0 => plain,
        1 => login,
        2 => xoauth2,
        _ => oauthbearer,
    };
    let mut lines = input.split(|&octet| octet == b'\n');
    let initial = if choice & 4 == 0 { None } else { lines.next() };
    let Ok(initial) = initial.map(sasl::initial_response).transpose() else { return };

    let terms = Terms {
        allow_authorisation: choice & 8 == 0,
        certificate_name: Some(CERTIFICATE_NAME.into()),
        ..Terms::default()
    };
    let (mut exchange, mut progress) = Exchange::start(mechanism, initial, terms);
    for line in lines {
        match progress {
            Progress::Challenge(_) => {}
            Progress::Login(ref credential) => return check(credential),
            Progress::Refused(error) => return assert_ne!(error, SaslError::Base64),
        }
        match sasl::response(line) {
            Ok(SaslResponse::Data(message)) => {
                check_base64(line, message.expose());
                progress = exchange.respond(message);
            }
            Ok(SaslResponse::Cancel) | Err(_) => return,
        }
    }
    if let Progress::Login(credential) = progress {
        check(&credential);
    }
}

/// Base64 has one form only for each message.
fn check_base64(line: &[u8], message: &[u8]) {
    let mut encoded = Vec::new();
    sasl::encode(message, &mut encoded);
    assert_eq!(encoded, line);
    assert_eq!(encoded.len(), sasl::encoded_len(message.len()));
}

fn check(credential: &Credential) {
    assert_eq!(sasl::name(credential.name().as_bytes()), Ok(credential.name()));
    match credential {
        Credential::Password { authentication_id, authorisation_id, password, .. } => {
            assert_eq!(sasl::password(password.expose()), Ok(()));
            let authorisation_id = authorisation_id.as_deref().unwrap_or_default();
            let message = sasl::plain::encode(authorisation_id, authentication_id, password);
            let heard = sasl::plain::decode(message.expose(), true).expect("it can be said again");
            assert_eq!(heard.name(), credential.name());
            assert_eq!(heard.authentication_id(), credential.authentication_id());
            assert_eq!(heard.password(), credential.password());
        }
        Credential::Digest { .. } => {}
        Credential::Certificate { name } => assert_eq!(name, CERTIFICATE_NAME),
        Credential::Token { mechanism, user, initial_response } => {
            let same = sasl::token::with_user(*mechanism, initial_response, user);
            let heard = sasl::token::decode(*mechanism, same.expect("the name has its place"));
            assert_eq!(heard.as_ref().map(Credential::name), Ok(user.as_str()));
        }
    }
}
