//! Back ends quote what they do not understand, and a login may be that: what they say is looked
//! through for what they were told in confidence, before a log or a client may read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use waypost_wire::login::Credential;
use zeroize::Zeroizing;

/// What is written instead of words that show a secret.
const WITHHELD: &str = "(withheld)";
/// So many octets of a secret in a row are too many: words may be cut off in the middle of it.
const RUN: usize = 8;
/// Shorter parts of base64 stand in many words by chance.
const SHORTEST: usize = 4;

/// The secrets of a login, in every form in which somebody may quote them.
pub(crate) struct Secrets(Vec<Zeroizing<Vec<u8>>>);

impl Secrets {
    /// Those of what the client has said, and of what is said to the back end in its place.
    pub(crate) fn of<'a>(credentials: impl IntoIterator<Item = &'a Credential>) -> Self {
        Self(credentials.into_iter().flat_map(secrets).flat_map(forms).collect())
    }

    /// Leaves nothing of words that show part of a secret.
    pub(crate) fn withhold(&self, words: &mut String) {
        if self.0.iter().any(|form| shows(words.as_bytes(), form)) {
            WITHHELD.clone_into(words);
        }
    }
}

/// The parts of a credential that are nobody else's business.
fn secrets(credential: &Credential) -> Vec<&[u8]> {
    match credential {
        Credential::Password { password, .. } => vec![password.expose()],
        // Beside the user's name, which may be quoted, stands the token, or a nonce.
        Credential::Token { user, initial_response, .. } => initial_response
            .expose()
            .split(|octet| b"\x01 ,".contains(octet))
            .filter(|part| part.len() >= RUN && memmem::find(part, user.as_bytes()).is_none())
            .collect(),
        Credential::Digest { .. } | Credential::Certificate { .. } => Vec::new(),
    }
}

/// As it is, as IMAP quotes it, and in base64 with anything around it.
fn forms(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut quoted = Zeroizing::new(Vec::with_capacity(2 * secret.len()));
    for octet in secret {
        if b"\"\\".contains(octet) {
            quoted.push(b'\\');
        }
        quoted.push(*octet);
    }
    let in_base64 = (0..3).map(|before: usize| {
        let message = Zeroizing::new([&[0; 2][..before], secret].concat());
        let text = Zeroizing::new(STANDARD.encode(&*message));
        // The characters of six bits that depend on nothing but the secret.
        let own = (before * 8).div_ceil(6)..message.len() * 8 / 6;
        Zeroizing::new(text.as_bytes().get(own).unwrap_or_default().to_vec())
    });
    let in_base64 = in_base64.filter(|text| text.len() >= SHORTEST);
    [Zeroizing::new(secret.to_vec()), quoted].into_iter().map(as_words).chain(in_base64).collect()
}

/// As [`waypost_wire::login::printable`] lets words through.
fn as_words(mut octets: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let strange = |octet: &&mut u8| **octet != b' ' && !octet.is_ascii_graphic();
    octets.iter_mut().filter(strange).for_each(|octet| *octet = b'?');
    octets
}

fn shows(words: &[u8], form: &[u8]) -> bool {
    match form.len() {
        0 => false,
        length if length <= RUN => memmem::find(words, form).is_some(),
        _ => words.windows(RUN).any(|run| memmem::find(form, run).is_some()),
    }
}

#[cfg(test)]
mod tests {
    use waypost_model::Secret;
    use waypost_wire::login::{Credential, Mechanism};

    use super::Secrets;

    fn password(password: &str) -> Credential {
        Credential::Password {
            mechanism: None,
            authentication_id: "ann@a.test".into(),
            authorisation_id: None,
            password: password.into(),
        }
    }

    #[track_caller]
    fn withheld(credential: &Credential, words: &str) -> bool {
        let mut left = words.to_owned();
        Secrets::of([credential]).withhold(&mut left);
        assert!(left == words || left == "(withheld)");
        left != words
    }

    #[test]
    fn a_password_in_any_form() {
        let long = password("correct horse");
        for words in [
            "BAD LOGIN ann@a.test \"correct horse\"",
            "what is orrect horse?",
            "AGFubkBhLnRlc3QAY29ycmVjdCBob3JzZQ==",
            "cut off: AGFubkBhLnRlc3QAY29ycmVjdCBo",
            "Y29ycmVjdCBob3JzZQ==",
        ] {
            assert!(withheld(&long, words), "{words}");
        }
        for words in ["no such user: ann@a.test", "correctly a horse", "", "AGFubkBhLnRlc3QA"] {
            assert!(!withheld(&long, words), "{words}");
        }
        assert!(withheld(&password("a\"b\\c"), "LOGIN ann \"a\\\"b\\\\c\""));
        assert!(withheld(&password("\u{fc}ber"), "LOGIN ann ??ber"));
        assert!(withheld(&password("x1"), "LOGIN ann x1"));
        assert!(!withheld(&password("x1"), "LOGIN ann y"));
    }

    #[test]
    fn a_token_but_not_the_name_before_it() {
        let token = Credential::Token {
            mechanism: Mechanism::OauthBearer,
            user: "ann@a.test".into(),
            initial_response: Secret::from(
                "n,a=ann@a.test,\u{1}auth=Bearer eyJhbGciOiAiSFMyNTYi\u{1}\u{1}",
            ),
        };
        assert!(withheld(&token, "expired: eyJhbGciOiAiSFMyNTYi"));
        assert!(withheld(&token, "ZXlKaGJHY2lPaUFpU0ZNeU5UWWk="));
        assert!(!withheld(&token, "no such user: ann@a.test"));
    }
}
