use proptest::prelude::*;

use super::{
    Body, EnvelopeId, MailParameters, Notify, Offers, OriginalRecipient, ParameterError,
    RecipientParameters, Ret,
};

const ALL: Offers = Offers { smtputf8: true, dsn: true };

fn mail(text: &str) -> Result<MailParameters, ParameterError> {
    MailParameters::parse(text.as_bytes(), ALL)
}

fn recipient(text: &str) -> Result<RecipientParameters, ParameterError> {
    RecipientParameters::parse(text.as_bytes(), ALL)
}

#[test]
fn every_parameter_of_mail() {
    let said =
        mail(" size=1000  Body=8bitmime SMTPUTF8 RET=hdrs ENVID=QQ+2B314159 AUTH=<>").unwrap();
    let expected = MailParameters {
        size: Some(1000),
        body: Some(Body::EightBitMime),
        smtputf8: true,
        ret: Some(Ret::Headers),
        envelope_id: Some("QQ+2B314159".parse().unwrap()),
    };
    assert_eq!(said, expected);
    assert_eq!(said.envelope_id.unwrap().as_str(), "QQ+314159");
    assert_eq!(mail(""), Ok(MailParameters::default()));
    assert_eq!(mail(" BODY=7BIT RET=FULL").unwrap().body, Some(Body::SevenBit));
    assert_eq!(mail(" SIZE=99999999999999999999").unwrap().size, Some(u64::MAX));
}

#[test]
fn every_parameter_of_rcpt() {
    let said = recipient(" NOTIFY=SUCCESS,delay ORCPT=rfc822;Bob+2Bx@a.test").unwrap();
    assert_eq!(said.notify, Some(Notify { success: true, failure: false, delay: true }));
    let original = said.original_recipient.unwrap();
    assert_eq!((original.address_type(), original.address()), ("rfc822", "Bob+x@a.test"));
    let never = recipient(" NOTIFY=NEVER").unwrap().notify.unwrap();
    assert!(never.is_never());
    for notify in ["NEVER", "SUCCESS", "FAILURE", "DELAY", "SUCCESS,FAILURE", "SUCCESS,DELAY"]
        .into_iter()
        .chain(["FAILURE,DELAY", "SUCCESS,FAILURE,DELAY"])
    {
        let said = recipient(&format!(" NOTIFY={notify}")).unwrap().notify.unwrap();
        assert_eq!(said.as_str(), notify);
    }
}

#[test]
fn values_that_cannot_be() {
    for (text, name) in [
        (" SIZE", "SIZE"),
        (" SIZE=-1", "SIZE"),
        (" SIZE=1k", "SIZE"),
        (" SIZE=100000000000000000000", "SIZE"),
        (" BODY", "BODY"),
        (" BODY=9BIT", "BODY"),
        (" SMTPUTF8=yes", "SMTPUTF8"),
        (" RET=NONE", "RET"),
        (" ENVID", "ENVID"),
        (" ENVID=+0A", "ENVID"),
        (" ENVID=+C3+BC", "ENVID"),
        (" ENVID=a+2", "ENVID"),
        (" AUTH", "AUTH"),
    ] {
        assert_eq!(mail(text), Err(ParameterError::Value(name)), "{text}");
    }
    for text in [" NOTIFY", " NOTIFY=NEVER,SUCCESS", " NOTIFY=SUCCESS,", " NOTIFY=ALWAYS"] {
        assert_eq!(recipient(text), Err(ParameterError::Value("NOTIFY")), "{text}");
    }
    for text in [
        " ORCPT=ann@a.test",
        " ORCPT=rfc822;",
        " ORCPT=;ann@a.test",
        " ORCPT=rfc 822;ann",
        " ORCPT=rfc_822;ann",
        " ORCPT=rfc822;a+0D+0Ab",
        " ORCPT=rfc822;a+C3+BC",
        " ORCPT=rfc822;ü",
        " ORCPT=utf-8;a+20b",
        " ORCPT=utf-8;a\\x{D800}",
        " ORCPT=utf-8;a\\x{110000}",
        " ORCPT=utf-8;a\\x{0000041}",
        " ORCPT=utf-8;a\\x{}",
        " ORCPT=utf-8;a\\x{+1}",
        " ORCPT=utf-8;a\\x{0A}",
        " ORCPT=utf-8;a\\n",
    ] {
        assert_eq!(recipient(text), Err(ParameterError::Value("ORCPT")), "{text}");
    }
}

#[test]
fn values_are_short_however_they_are_written() {
    let mail = |value: String| mail(&format!(" ENVID={value}")).is_ok();
    assert!(mail("x".repeat(100)) && mail("=".repeat(33)));
    assert!(!mail("x".repeat(101)) && !mail("=".repeat(34)));
    let recipient = |value: String| recipient(&format!(" ORCPT={value}")).is_ok();
    for (address_type, character, fits) in
        [("rfc822", "x", 493), ("rfc822", "=", 164), ("utf-8", "x", 494), ("utf-8", "ü", 82)]
    {
        let value = |count: usize| format!("{address_type};{}", character.repeat(count));
        assert!(recipient(value(fits)), "{character}");
        assert!(!recipient(value(fits + 1)), "{character}");
    }
}

#[test]
fn what_is_no_parameter() {
    for text in ["SIZE=1", " =1", " SIZE=", " SI_ZE=1", " <x>", " ü=1"] {
        assert_eq!(mail(text), Err(ParameterError::Syntax), "{text}");
        assert_eq!(recipient(text), Err(ParameterError::Syntax), "{text}");
    }
}

#[test]
fn nothing_may_stand_there_twice() {
    for (text, name) in [
        (" SIZE=1 size=1", "SIZE"),
        (" BODY=7BIT BODY=7BIT", "BODY"),
        (" SMTPUTF8 SMTPUTF8", "SMTPUTF8"),
        (" RET=FULL RET=HDRS", "RET"),
        (" ENVID=a ENVID=b", "ENVID"),
        (" AUTH=<> AUTH=<>", "AUTH"),
    ] {
        assert_eq!(mail(text), Err(ParameterError::Twice(name)), "{text}");
    }
    let twice = Err(ParameterError::Twice("NOTIFY"));
    assert_eq!(recipient(" NOTIFY=NEVER NOTIFY=NEVER"), twice);
    let twice = Err(ParameterError::Twice("ORCPT"));
    assert_eq!(recipient(" ORCPT=x;a ORCPT=x;a"), twice);
}

#[test]
fn what_is_not_offered_is_unknown() {
    let bare = |text: &str| MailParameters::parse(text.as_bytes(), Offers::default());
    for text in [" SMTPUTF8", " RET=FULL", " ENVID=x", " X=1", " NOTIFY=NEVER", " MT-PRIORITY=3"] {
        assert_eq!(bare(text), Err(ParameterError::Unknown), "{text}");
    }
    assert_eq!(bare(" BODY=BINARYMIME"), Err(ParameterError::BinaryMime));
    for text in [" NOTIFY=NEVER", " ORCPT=x;a", " SIZE=1", " X"] {
        let said = RecipientParameters::parse(text.as_bytes(), Offers::default());
        assert_eq!(said, Err(ParameterError::Unknown), "{text}");
    }
}

#[test]
fn the_replies_say_what_is_wrong() {
    let code = |error: ParameterError| error.reply().to_string();
    assert_eq!(code(ParameterError::Syntax), "501 5.5.4 A parameter is NAME or NAME=VALUE.");
    assert_eq!(code(ParameterError::Unknown), "555 5.5.4 A parameter is unknown here.");
    assert_eq!(code(ParameterError::BinaryMime), "555 5.5.4 BINARYMIME is not offered.");
    assert_eq!(code(ParameterError::Twice("X")), "501 5.5.4 A parameter stands there twice.");
    assert_eq!(
        code(ParameterError::Value("X")),
        "501 5.5.4 A parameter has a value that it cannot have."
    );
}

#[test]
fn an_international_original_recipient() {
    for value in ["utf-8;jürgen@a.test", r"UTF-8;j\x{FC}rgen@a.test", r"utf-8;j\x{00fc}rgen@a.test"]
    {
        let original: OriginalRecipient = value.parse().unwrap();
        assert_eq!(original.address(), "jürgen@a.test");
        assert!(original.to_string().ends_with(r";j\x{FC}rgen@a.test"), "{original}");
    }
    let original: OriginalRecipient =
        r"utf-8;\x{22}a\x{20}b\x{2B}\x{3D}\x{5C}\x{22}@c".parse().unwrap();
    assert_eq!(original.address(), "\"a b+=\\\"@c");
    assert_eq!(original.to_string(), r#"utf-8;"a\x{20}b\x{2B}\x{3D}\x{5C}"@c"#);
}

proptest! {
    #[test]
    fn an_original_recipient_is_written_as_it_was_read(value in "(rfc822|utf-8|x-y);\\PC{1,160}") {
        if let Ok(original) = value.parse::<OriginalRecipient>() {
            let written = original.to_string();
            prop_assert!(written.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'='));
            prop_assert_eq!(written.parse(), Ok(original));
        }
    }

    #[test]
    fn an_envelope_id_is_written_as_it_was_read(value in "[ -~]{1,120}") {
        if let Ok(id) = value.parse::<EnvelopeId>() {
            let written = id.to_string();
            prop_assert!(written.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'='));
            prop_assert!(written.len() <= 100);
            prop_assert_eq!(written.parse(), Ok(id));
        }
    }

    #[test]
    fn any_octets_are_parameters_or_an_error(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = MailParameters::parse(&[b" ", &octets[..]].concat(), ALL);
        let _ = RecipientParameters::parse(&[b" ORCPT=utf-8;", &octets[..]].concat(), ALL);
    }
}
