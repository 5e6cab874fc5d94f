use proptest::prelude::*;
use waypost_wire::smtp::{EnhancedCode, Reply, ReplyParser};

use super::{Lack, Needs, Offers, ReplyFault, Situation, Translated};

/// What a back end says, and what the client hears.
fn heard(situation: Situation, said: &str) -> (String, Option<ReplyFault>) {
    let mut parser = ReplyParser::default();
    let lines = said.lines().map(|line| parser.take(line.as_bytes()).unwrap());
    let reply = lines.last().unwrap().unwrap();
    let translated = Translated::new(situation, &reply);
    let mut out = Vec::new();
    translated.reply().write(true, &mut out);
    (String::from_utf8(out).unwrap(), translated.fault())
}

#[track_caller]
fn passes(situation: Situation, said: &str, expected: &str) {
    assert_eq!(heard(situation, said), (format!("{expected}\r\n"), None), "{said}");
}

#[track_caller]
fn is_ours(situation: Situation, said: &str, fault: ReplyFault) {
    let (reply, found) = heard(situation, said);
    assert!(reply.starts_with("451 4.3.5 "), "{said}: {reply}");
    assert!(!reply.contains("secret"), "{said}: {reply}");
    assert_eq!(found, Some(fault), "{said}");
}

const ALL: [Situation; 4] =
    [Situation::Mail, Situation::Recipient, Situation::Data, Situation::Final];

#[test]
fn replies_pass_with_their_text() {
    for situation in ALL {
        passes(situation, "550 5.7.26 Not you", "550 5.7.26 Not you");
        passes(situation, "452 4.2.2 Full", "452 4.2.2 Full");
        passes(situation, "550-5.1.1 No\n550 5.1.1 such", "550-5.1.1 No\r\n550 5.1.1 such");
    }
    passes(Situation::Recipient, "251 2.1.5 Elsewhere", "251 2.1.5 Elsewhere");
    passes(Situation::Final, "250 2.6.0 Queued", "250 2.6.0 Queued");
}

#[test]
fn a_goodbye_is_a_temporary_error() {
    for situation in ALL {
        passes(situation, "421 4.3.2 Going down", "451 4.4.2 Going down");
        passes(situation, "421 Going down", "451 4.4.2 Going down");
    }
}

#[test]
fn what_is_said_to_us_is_not_passed_on() {
    for situation in ALL {
        for code in ["500", "501", "502", "503", "504", "521", "530", "535", "538"] {
            is_ours(situation, &format!("{code} secret"), ReplyFault::Configuration);
            is_ours(situation, &format!("{code} 5.1.1 secret"), ReplyFault::Configuration);
        }
        for said in ["354 secret", "334 secret", "220 secret", "221 2.0.0 secret"] {
            is_ours(situation, said, ReplyFault::Nonsense);
        }
    }
    is_ours(Situation::Data, "250 2.0.0 secret", ReplyFault::Nonsense);
}

#[test]
fn a_missing_enhanced_code_is_added() {
    use Situation::{Data, Final, Mail, Recipient};
    for (situation, code, enhanced) in [
        (Mail, 250, "2.1.0"),
        (Mail, 450, "4.7.1"),
        (Mail, 451, "4.3.0"),
        (Mail, 452, "4.3.1"),
        (Mail, 550, "5.7.1"),
        (Mail, 552, "5.3.4"),
        (Mail, 553, "5.1.7"),
        (Mail, 554, "5.0.0"),
        (Mail, 555, "5.5.4"),
        (Recipient, 250, "2.1.5"),
        (Recipient, 450, "4.2.0"),
        (Recipient, 451, "4.3.0"),
        (Recipient, 452, "4.3.1"),
        (Recipient, 550, "5.1.1"),
        (Recipient, 551, "5.1.6"),
        (Recipient, 552, "5.2.2"),
        (Recipient, 553, "5.1.3"),
        (Recipient, 554, "5.0.0"),
        (Recipient, 556, "5.1.10"),
        (Recipient, 599, "5.0.0"),
        (Data, 554, "5.0.0"),
        (Final, 250, "2.0.0"),
        (Final, 450, "4.2.0"),
        (Final, 451, "4.3.0"),
        (Final, 452, "4.3.1"),
        (Final, 454, "4.7.0"),
        (Final, 550, "5.7.1"),
        (Final, 552, "5.3.4"),
        (Final, 554, "5.0.0"),
        (Final, 432, "4.0.0"),
    ] {
        passes(situation, &format!("{code} words"), &format!("{code} {enhanced} words"));
    }
}

#[test]
fn a_code_of_another_class_is_corrected() {
    let situation = Situation::Recipient;
    passes(situation, "550 4.2.1 Off", "550 5.2.1 Off");
    passes(situation, "450 5.2.1 Off", "450 4.2.1 Off");
    passes(situation, "550 2.1.5 Odd", "550 5.1.5 Odd");
    passes(Situation::Final, "250 5.6.0 Odd", "250 2.6.0 Odd");
    passes(situation, "550-4.2.1 a\n550-4.2.1\n550 b", "550-5.2.1 a\r\n550-5.2.1 \r\n550 5.2.1 b");
    passes(situation, "550 4.2.1", "550 5.2.1 ");
    // This is no code, but a version.
    passes(situation, "550 4.2.1beta is old", "550 5.1.1 4.2.1beta is old");
}

#[test]
fn what_a_back_end_lacks() {
    let needs = Needs { size: Some(10), eight_bit: true, smtputf8: true, non_ascii_address: true };
    let none = Offers { size: Some(9), eight_bit: false, smtputf8: false };
    let lack = |needs: &Needs, offers: &Offers| {
        Lack::find(needs, offers).map(|lack| lack.reply().to_string()[..9].to_owned())
    };
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(lack(&needs, &none), said("552 5.3.4"));
    let offers = Offers { size: Some(10), ..none };
    assert_eq!(lack(&needs, &offers), said("550 5.6.7"));
    let needs = Needs { non_ascii_address: false, ..needs };
    assert_eq!(lack(&needs, &offers), said("550 5.6.9"));
    let offers = Offers { smtputf8: true, ..offers };
    assert_eq!(lack(&needs, &offers), said("550 5.6.3"));
    assert_eq!(lack(&needs, &Offers { eight_bit: true, ..offers }), None);
    assert_eq!(lack(&Needs::default(), &none), None);
    for size in [None, Some(0)] {
        assert_eq!(
            lack(&Needs { size: Some(10), ..Needs::default() }, &Offers { size, ..none }),
            None
        );
    }
}

proptest! {
    #[test]
    fn whatever_is_said_the_client_can_hear_it(
        code in 200u16..600,
        enhanced in proptest::option::of((prop_oneof![Just(2u8), Just(4), Just(5)], 0u16..999, 0u16..999)),
        text in "\\PC{0,20}(\n[245]\\.[0-9]{1,3}\\.[0-9]{1,3} \\PC{0,20})?",
        situation in proptest::sample::select(&ALL),
    ) {
        let enhanced = enhanced.map(|(class, subject, detail)| EnhancedCode::new(class, subject, detail));
        let translated = Translated::new(situation, &Reply::worded(code, enhanced, &text));
        let reply = translated.reply();
        prop_assert!(matches!(reply.code() / 100, 2 | 4 | 5));
        prop_assert!(!reply.is_goodbye());
        let class = reply.enhanced().map(EnhancedCode::class);
        prop_assert_eq!(class.map(u16::from), Some(reply.code() / 100));
        if translated.fault().is_none() && code != 421 {
            prop_assert_eq!(reply.code(), code);
        }
        if situation == Situation::Data {
            prop_assert!(!reply.is_positive());
        }
    }
}
