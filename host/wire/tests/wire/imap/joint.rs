//! A client's front joined to a back end's front by the half between them: what the client says
//! is what the back end hears, whatever it offers.

use proptest::prelude::*;
use waypost_model::{Encryption, Secret};
use waypost_wire::imap::{Back, Front};
use waypost_wire::login::{
    Accepted, Answer, BackAction, BackSettings, Credential, FrontAction, FrontSettings, Mechanism,
    SaslResponse,
};
use waypost_wire::sasl;

/// What a server says instead of what the front says in its place.
type Manner = &'static [(&'static str, &'static str)];

/// Servers that offer more, and less, than the front does.
const MANNERS: [Manner; 5] = [
    &[],
    &[(" SASL-IR LITERAL-", "")],
    &[(" SASL-IR LITERAL-", " LITERAL+")],
    &[("LITERAL- ID", "LITERAL- LOGINDISABLED")],
    &[(" SASL-IR LITERAL- ID", " LOGINDISABLED")],
];

struct Joint {
    client: Front,
    back: Back,
    server: Front,
    manner: Manner,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    from_client: Vec<u8>,
    from_server: Vec<u8>,
    /// What the server heard.
    heard: Option<Credential>,
    /// What the client answered to a challenge, as the server heard it.
    answered: Option<SaslResponse>,
}

fn front() -> Front {
    let settings = FrontSettings {
        encryption: Encryption::Implicit,
        allow_authorisation: true,
        hostname: "mail.example.test".into(),
        ..Default::default()
    };
    Front::new(settings.into())
}

impl Joint {
    fn new(manner: Manner) -> Self {
        let mut joint = Self {
            client: front(),
            back: Back::new(BackSettings {
                encryption: Encryption::Implicit,
                client: None,
                ..BackSettings::default()
            }),
            server: front(),
            manner,
            to_client: Vec::new(),
            to_server: Vec::new(),
            from_client: Vec::new(),
            from_server: Vec::new(),
            heard: None,
            answered: None,
        };
        joint.server_says(|server, out| server.greet(out));
        joint
    }

    fn server_says(&mut self, say: impl FnOnce(&mut Front, &mut Vec<u8>)) {
        let mut out = Vec::new();
        say(&mut self.server, &mut out);
        let mut said = String::from_utf8(out).unwrap();
        for (from, to) in self.manner {
            said = said.replace(from, to);
        }
        self.from_server.extend(said.into_bytes());
    }

    /// The client says `octets`; comes back with what it wants to be done, if anything.
    fn client_says(&mut self, octets: &[u8]) -> FrontAction {
        self.from_client.extend_from_slice(octets);
        let advance = self.client.advance(&self.from_client, &mut self.to_client);
        self.from_client.drain(..advance.consumed);
        advance.action
    }

    /// Lets server and back talk until the back has something to be done by `decide`d server.
    fn talk(&mut self, decide: fn(&mut Front, &FrontAction, &mut Vec<u8>)) -> BackAction {
        loop {
            let advance = self.back.advance(&self.from_server, &mut self.to_server);
            self.from_server.drain(..advance.consumed);
            if advance.action != BackAction::Read {
                return advance.action;
            }
            let mut action = FrontAction::Read;
            let mut consumed = 0;
            let sent = std::mem::take(&mut self.to_server);
            self.server_says(|server, out| {
                let advance = server.advance(&sent, out);
                (action, consumed) = (advance.action, advance.consumed);
                decide(server, &action, out);
            });
            self.to_server = sent[consumed..].to_vec();
            match action {
                FrontAction::Login(credential) => self.heard = Some(credential),
                FrontAction::Response(response) => self.answered = Some(response),
                FrontAction::Read => assert!(!self.from_server.is_empty(), "both wait"),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn accept(server: &mut Front, action: &FrontAction, out: &mut Vec<u8>) {
    if let FrontAction::Login(_) = action {
        let capabilities = Some("IMAP4rev1 STARTTLS IDLE".to_owned());
        server.accept(
            &Accepted { text: "in".into(), untagged: b"* 1 X\r\n".to_vec(), capabilities },
            out,
        );
    }
}

fn challenge_then_refuse(server: &mut Front, action: &FrontAction, out: &mut Vec<u8>) {
    match action {
        FrontAction::Login(_) => server.challenge(b"{}", out),
        FrontAction::Response(_) => server.answer(&Answer::Rejected, out),
        _ => {}
    }
}

/// How the server hears a credential: the mechanism may have changed on the way.
fn essence(credential: &Credential) -> (String, Option<String>, Vec<u8>) {
    let secret = match credential {
        Credential::Password { password, .. } => password.expose().to_vec(),
        Credential::Token { initial_response, .. } => initial_response.expose().to_vec(),
        Credential::Digest { digest, .. } => digest.to_vec(),
        Credential::Certificate { .. } => Vec::new(),
    };
    (credential.name().to_owned(), credential.authentication_id().map(str::to_owned), secret)
}

proptest! {
    #[test]
    fn a_login_arrives_as_it_was_said(
        user in "[^\\pC]{1,40}",
        bob in proptest::option::of("[^\\pC]{1,40}"),
        password in proptest::collection::vec(prop_oneof![b' '..=b'~', 0x80..=0xFF_u8], 1..60),
        manner in proptest::sample::select(&MANNERS[..]),
    ) {
        let bob = bob.filter(|bob| *bob != user);
        let said = match &bob {
            None => {
                let mut said = format!("a LOGIN {{{}+}}\r\n{user} {{{}+}}\r\n", user.len(), password.len()).into_bytes();
                said.extend_from_slice(&password);
                said
            }
            Some(bob) => {
                let mut said = b"a AUTHENTICATE PLAIN ".to_vec();
                let message = sasl::plain::encode(bob, &user, &Secret::from(&password[..]));
                sasl::encode(message.expose(), &mut said);
                said
            }
        };
        let mut joint = Joint::new(manner);
        let FrontAction::Login(credential) = joint.client_says(&[&said, &b"\r\nb SELECT x\r\n"[..]].concat()) else {
            panic!("no login");
        };
        prop_assert_eq!(joint.talk(accept), BackAction::Ready);
        joint.back.login(&credential, None, &mut joint.to_server).unwrap();
        let BackAction::Accepted(accepted) = joint.talk(accept) else { panic!("not accepted") };
        joint.client.accept(&accepted, &mut joint.to_client);

        let expected = (bob.clone().unwrap_or_else(|| user.clone()), bob.map(|_| user), password);
        prop_assert_eq!(essence(&credential), expected.clone());
        prop_assert_eq!(essence(&joint.heard.unwrap()), expected);
        prop_assert!(joint.to_client.ends_with(b"* 1 X\r\na OK [CAPABILITY IMAP4rev1 IDLE] in\r\n"));
        prop_assert_eq!(joint.from_client, b"b SELECT x\r\n");
        prop_assert_eq!(joint.from_server, b"");
    }

    #[test]
    fn tokens_and_their_errors_pass_unchanged(
        token in "[!-~]{1,200}",
        answer in proptest::collection::vec(any::<u8>(), 0..40),
        manner in proptest::sample::select(&MANNERS[..]),
        mechanism in proptest::sample::select(&[Mechanism::XOauth2, Mechanism::OauthBearer][..]),
    ) {
        let message = match mechanism {
            Mechanism::XOauth2 => format!("user=ann\u{1}auth=Bearer {token}\u{1}\u{1}"),
            _ => format!("n,a=ann,\u{1}auth=Bearer {token}\u{1}\u{1}"),
        };
        let mut joint = Joint::new(manner);
        joint.client_says(format!("a AUTHENTICATE {mechanism}\r\n").as_bytes());
        let mut said = Vec::new();
        sasl::encode(message.as_bytes(), &mut said);
        let FrontAction::Login(credential) = joint.client_says(&[&said, &b"\r\n"[..]].concat()) else {
            panic!("no login");
        };
        prop_assert_eq!(joint.talk(challenge_then_refuse), BackAction::Ready);
        joint.back.login(&credential, None, &mut joint.to_server).unwrap();
        prop_assert_eq!(joint.talk(challenge_then_refuse), BackAction::Challenge(b"{}".to_vec()));
        joint.client.challenge(b"{}", &mut joint.to_client);

        let mut said = Vec::new();
        sasl::encode(&answer, &mut said);
        let FrontAction::Response(response) = joint.client_says(&[&said, &b"\r\n"[..]].concat()) else {
            panic!("no response");
        };
        joint.back.respond(&response, &mut joint.to_server);
        let BackAction::Rejected(rejection) = joint.talk(challenge_then_refuse) else { panic!("not rejected") };
        joint.client.answer(&rejection.into_answer(), &mut joint.to_client);

        prop_assert_eq!(essence(&joint.heard.unwrap()).2, message.into_bytes());
        prop_assert_eq!(joint.answered, Some(SaslResponse::Data(Secret::new(answer))));
        let sent = String::from_utf8(joint.to_client).unwrap();
        prop_assert_eq!(sent, "+ \r\n+ e30=\r\na NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
    }
}
