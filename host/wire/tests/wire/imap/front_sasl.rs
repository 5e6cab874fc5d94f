//! Whole dialogues with mail clients that use AUTHENTICATE.

use waypost_wire::login::{FrontSettings, Mechanism};

use super::front::open;
use super::transcript::front;

#[test]
fn plain_with_and_without_initial_response() {
    front(
        &open(),
        &[
            "C: a AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=",
            r#"A: login PLAIN "ann" "" "secret""#,
            "D: reject",
            "S: a NO [AUTHENTICATIONFAILED] Authentication failed.",
            "C: b authenticate plain",
            "S: + ",
            "C: AGFubgBzZWNyZXQ=",
            r#"A: login PLAIN "ann" "" "secret""#,
            "D: accept",
            "S: b OK Logged in.",
            "C: c NOOP",
            "R: c NOOP\r\n",
        ],
    );
}

#[test]
fn an_authorisation_identity_has_to_be_allowed() {
    let script = |said| ["C: a AUTHENTICATE PLAIN Ym9iAGFubgBzZWNyZXQ=", said];
    front(&open(), &script("S: a NO [AUTHENTICATIONFAILED] Authentication failed."));
    let allowed = FrontSettings { allow_authorisation: true, ..open() };
    front(&allowed, &script(r#"A: login PLAIN "ann" "bob" "secret""#));
}

#[test]
fn login_mechanism_asks_for_name_and_password() {
    front(
        &open(),
        &[
            "C: a AUTHENTICATE LOGIN",
            "S: + VXNlcm5hbWU6",
            "C: YW5u",
            "S: + UGFzc3dvcmQ6",
            "C: c2VjcmV0",
            r#"A: login LOGIN "ann" "" "secret""#,
            "D: reject",
            "S: a NO [AUTHENTICATIONFAILED] Authentication failed.",
            "C: b AUTHENTICATE LOGIN YW5u",
            "S: + UGFzc3dvcmQ6",
            "C: c2VjcmV0",
            r#"A: login LOGIN "ann" "" "secret""#,
            "D: reject",
            "S: b NO [AUTHENTICATIONFAILED] Authentication failed.",
            "C: c AUTHENTICATE LOGIN =",
            "S: c NO [AUTHENTICATIONFAILED] Authentication failed.",
            "C: d AUTHENTICATE LOGIN YW5u",
            "S: + UGFzc3dvcmQ6",
            "C: ",
            "S: d NO [AUTHENTICATIONFAILED] Authentication failed.",
        ],
    );
}

#[test]
fn an_exchange_can_be_cancelled_or_go_wrong() {
    front(
        &open(),
        &[
            "C: a AUTHENTICATE PLAIN",
            "S: + ",
            "C: *",
            "S: a BAD Authentication cancelled.",
            "C: b AUTHENTICATE LOGIN",
            "S: + VXNlcm5hbWU6",
            "C: YW5u",
            "S: + UGFzc3dvcmQ6",
            "C: *",
            "S: b BAD Authentication cancelled.",
            "C: c AUTHENTICATE PLAIN",
            "S: + ",
            "C: not base64",
            "S: c BAD This is not base64.",
            "C: d AUTHENTICATE PLAIN =",
            "S: d NO [AUTHENTICATIONFAILED] Authentication failed.",
            "C: e AUTHENTICATE PLAIN AGFubgBzZWNyZXQ",
            "S: e BAD This is not base64.",
            "C: f AUTHENTICATE PLAIN *",
            "S: f BAD This is not base64.",
            "C: g AUTHENTICATE",
            "S: g BAD This command is malformed.",
            "C: h AUTHENTICATE PLAIN AGFubgBzZWNyZXQ= more",
            "S: h BAD This command is malformed.",
            "C: i AUTHENTICATE {5}",
            "S: i BAD This command is malformed.",
            "C: j NOOP",
            "S: j OK NOOP completed.",
        ],
    );
    front(
        &FrontSettings { mechanisms: vec![Mechanism::Login], ..open() },
        &[
            "C: a AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=",
            "S: a NO There is no such mechanism here.",
            "C: b AUTHENTICATE CRAM-MD5",
            "S: b NO There is no such mechanism here.",
        ],
    );
}

#[test]
fn tokens_are_relayed_message_by_message() {
    front(
        &open(),
        &[
            "C: a AUTHENTICATE XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgeAEB",
            r#"A: login XOAUTH2 "ann" "user=ann\u{1}auth=Bearer x\u{1}\u{1}""#,
            "D: challenge {\"status\":\"400\"}",
            "S: + eyJzdGF0dXMiOiI0MDAifQ==",
            "C: ",
            "A: response ",
            "D: reject",
            "S: a NO [AUTHENTICATIONFAILED] Authentication failed.",
            "C: b AUTHENTICATE OAUTHBEARER",
            "S: + ",
            "C: bixhPWFubiwBYXV0aD1CZWFyZXIgeAEB",
            r#"A: login OAUTHBEARER "ann" "n,a=ann,\u{1}auth=Bearer x\u{1}\u{1}""#,
            "D: challenge {}",
            "S: + e30=",
            "C: AQ==",
            "A: response \u{1}",
            "D: challenge ",
            "S: + ",
            "C: *",
            "A: response cancelled",
            "D: reject",
            "S: b BAD Authentication cancelled.",
            "C: c AUTHENTICATE XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgeAEB",
            r#"A: login XOAUTH2 "ann" "user=ann\u{1}auth=Bearer x\u{1}\u{1}""#,
            "D: challenge {}",
            "S: + e30=",
            "C: ?",
            "A: response cancelled",
            "D: unavailable",
            "S: c BAD This is not base64.",
            "C: d AUTHENTICATE OAUTHBEARER bixhPWFubiwBYXV0aD1CZWFyZXIgeAEB",
            r#"A: login OAUTHBEARER "ann" "n,a=ann,\u{1}auth=Bearer x\u{1}\u{1}""#,
            "D: accept IMAP4rev1|",
            "S: d OK [CAPABILITY IMAP4rev1] Logged in.",
        ],
    );
    front(
        &open(),
        &[
            "C: a AUTHENTICATE OAUTHBEARER biwsAWF1dGg9QmVhcmVyIHgBAQ==",
            "S: a NO [AUTHENTICATIONFAILED] Authentication failed.",
        ],
    );
}
