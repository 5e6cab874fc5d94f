//! What a plugin may answer, and what becomes of the rest.

use std::time::Duration;

use waypost_model::{
    Consultation, ContextField, Decision, Encryption, Failure, Fault, Refusal, Trouble,
    Verification,
};

use crate::support::{Bench, Hint, Image, ask, fault, plugin, target, with_data};

async fn answered(image: &Image) -> Consultation {
    let policy = Bench::new().load(&with_data("answer", &[], image.bytes()));
    ask(&policy).await
}

/// Answers `image`, which must be a fault of invalid output that says `part`.
async fn invalid(image: Image, part: &str) {
    let consultation = answered(&image).await;
    match fault(&consultation) {
        Fault::InvalidOutput(what) => assert!(what.contains(part), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_route_arrives_whole() {
    let mut first = target("[2001:DB8::1]");
    first.port = Some(993);
    first.encryption = Some(2);
    first.tls_name = Some("Imap.Example.TEST");
    first.hints = vec![Hint::new("later")];
    let mut policy_targets = vec![target("Mail.Example.test."), target("10.1.2.3")];
    policy_targets[0].encryption = Some(0);
    let image = Image::route(&policy_targets).identity("user@inside").cache_for(60);
    let answer = answered(&image).await.result.unwrap();
    assert_eq!(answer.cache_for, Some(Duration::from_secs(60)));
    let Decision::Route(route) = answer.decision else { panic!() };
    assert_eq!(route.identity.as_deref(), Some("user@inside"));
    assert_eq!(route.verification, Verification::ByBackend);
    let shown: Vec<_> = route.targets.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["mail.example.test", "10.1.2.3"]);
    assert_eq!(route.targets[0].encryption, Some(Encryption::None));

    let bench = Bench::new();
    let component = with_data("answer", &[], Image::route(&[first]).bytes());
    let policy = bench.try_load(&component, |settings| {
        settings.targets = waypost_policy::TargetPatterns::parse(&["2001:db8::/32"]).unwrap();
    });
    let answer = ask(&policy.unwrap()).await.result.unwrap();
    let Decision::Route(route) = answer.decision else { panic!() };
    assert_eq!(route.targets[0].to_string(), "[2001:db8::1]:993");
    assert_eq!(route.targets[0].encryption, Some(Encryption::Implicit));
    assert_eq!(route.targets[0].tls_name.as_ref().unwrap().as_str(), "imap.example.test");
    assert_eq!(answer.cache_for, None);
}

#[tokio::test]
async fn refusals_and_failures_arrive_tame() {
    let refusals = [
        (Image::refuse(0, ""), Refusal::UnknownUser),
        (Image::refuse(1, ""), Refusal::DisabledUser),
        (Image::refuse(2, ""), Refusal::Denied),
        (Image::refuse(3, "on\r\nleave"), Refusal::Other("on\u{fffd}\u{fffd}leave".into())),
    ];
    for (image, refusal) in refusals {
        let decision = answered(&image).await.result.unwrap().decision;
        assert_eq!(decision, Decision::Refuse(refusal));
    }
    let failures = [
        (Image::failure(0, ""), Failure::DirectoryUnavailable),
        (Image::ambiguous(7), Failure::Ambiguous(7)),
        (Image::failure(2, "a\0"), Failure::BadData("a\u{fffd}".into())),
        (Image::failure(3, "b"), Failure::Misconfigured("b".into())),
        (Image::failure(4, "c"), Failure::Other("c".into())),
    ];
    for (image, failure) in failures {
        assert_eq!(answered(&image).await.result, Err(Trouble::Failure(failure)));
    }
    assert_eq!(answered(&Image::pass()).await.result.unwrap().decision, Decision::Pass);
    let deferred = answered(&Image::defer("being\nmoved")).await.result.unwrap().decision;
    assert_eq!(deferred, Decision::Defer("being\u{fffd}moved".into()));
    let long = answered(&Image::refuse(3, &"ü".repeat(5000))).await.result.unwrap().decision;
    let Decision::Refuse(Refusal::Other(text)) = long else { panic!() };
    assert!(text.len() < 1100);
}

#[tokio::test]
async fn times_are_bounded() {
    let times = [(0, 0), (1, 1), (u32::MAX, 7 * 24 * 3600)];
    for (given, kept) in times {
        let answer = answered(&Image::pass().cache_for(given)).await.result.unwrap();
        assert_eq!(answer.cache_for, Some(Duration::from_secs(kept)));
    }
}

#[tokio::test]
async fn targets_are_counted_and_parsed() {
    invalid(Image::route(&[]), "without targets").await;
    invalid(Image::route(&vec![target("10.0.0.1"); 17]), "17 targets").await;
    assert!(answered(&Image::route(&vec![target("10.0.0.1"); 16])).await.result.is_ok());
    for host in
        ["", "a b", "10.0.0.256", "a.example.test:143", "a\0.example.test", "a@b", "2130706433"]
    {
        invalid(Image::route(&[target(host)]), "names no host").await;
    }
    let long = format!("{}.example.test", "a".repeat(100_000));
    invalid(Image::route(&[target(&long)]), "names no host").await;
    let mut zero = target("10.0.0.1");
    zero.port = Some(0);
    invalid(Image::route(&[zero]), "port zero").await;
    let mut unnamed = target("10.0.0.1");
    unnamed.tls_name = Some("*.example.test");
    invalid(Image::route(&[unnamed]), "no name in a certificate").await;
}

#[tokio::test]
async fn targets_outside_the_grant_are_denied() {
    for host in ["11.0.0.1", "::1", "::ffff:11.0.0.1"] {
        let consultation = answered(&Image::route(&[target("10.0.0.1"), target(host)])).await;
        assert!(matches!(consultation.result, Err(Trouble::TargetDenied(_))), "{host}");
    }
    // A name may still turn out to lie in a granted network; without any, it cannot.
    let component = with_data("answer", &[], Image::route(&[target("mail.other.test")]).bytes());
    let policy = Bench::new().try_load(&component, |settings| {
        settings.targets = waypost_policy::TargetPatterns::parse(&["*.example.test"]).unwrap();
    });
    let consultation = ask(&policy.unwrap()).await;
    assert_eq!(consultation.result, Err(Trouble::TargetDenied("mail.other.test".into())));
}

#[tokio::test]
async fn an_identity_fits_into_one_line() {
    let image = |identity: &str| Image::route(&[target("10.0.0.1")]).identity(identity);
    invalid(image(""), "empty identity").await;
    invalid(image("user\r\nA1 LOGOUT"), "control character").await;
    invalid(image("user\u{85}"), "control character").await;
    invalid(image(&"a".repeat(513)), "513 octets").await;
    assert!(answered(&image("user with space")).await.result.is_ok());
}

#[tokio::test]
async fn a_principal_must_have_been_found() {
    for number in [1, 2] {
        let image = Image::route(&[target("10.0.0.1")]);
        let image = image.verification(number, "main", "uid=admin,dc=example,dc=test");
        invalid(image, "no search of this decision returned").await;
    }
}

#[tokio::test]
async fn hints_are_additions() {
    let critical = |name| Hint { critical: true, ..Hint::new(name) };
    assert!(answered(&Image::pass().hints(&[Hint::new("later-9")])).await.result.is_ok());
    invalid(Image::pass().hints(&[critical("later")]), "critical hint later is unknown").await;
    let mut inner = target("10.0.0.1");
    inner.hints = vec![critical("later")];
    invalid(Image::route(&[inner]), "critical hint later is unknown").await;
    invalid(Image::pass().hints(&vec![Hint::new("a"); 17]), "17 hints").await;
    invalid(Image::pass().hints(&[Hint::new("A B")]), "no hint's name").await;
    invalid(Image::pass().hints(&[Hint::new("")]), "no hint's name").await;
    let long = "v".repeat(1025);
    invalid(Image::pass().hints(&[Hint { value: &long, ..Hint::new("a") }]), "too long").await;
}

#[tokio::test]
async fn memory_that_is_no_answer_is_a_fault() {
    let garbage = [
        // Cases that do not exist.
        Image::pass().byte(0, 9),
        Image::pass().byte(4, 9),
        Image::refuse(9, ""),
        Image::failure(9, ""),
        Image::pass().byte(48, 9),
        Image::route(&[target("10.0.0.1")]).byte(28, 9),
        // Lists and strings outside the memory.
        Image::refuse(3, "x").word(12, 0xffff_0000),
        Image::refuse(3, "x").word(16, 0x7fff_ffff),
        Image::pass().word(56, 0xffff_fff0).word(60, 1),
        Image::pass().word(60, 0x0fff_ffff),
        // A list that is not aligned.
        Image::route(&[target("10.0.0.1")]).word(8, 1025),
    ];
    for (n, image) in garbage.iter().enumerate() {
        let consultation = answered(image).await;
        let fault = fault(&consultation);
        assert!(matches!(fault, Fault::InvalidOutput(_) | Fault::Trap(_)), "{n}: {fault:?}");
    }
    let mut no_utf8 = Image::refuse(3, "xx");
    no_utf8 = no_utf8.byte(64, 0xff);
    assert!(matches!(fault(&answered(&no_utf8).await), Fault::InvalidOutput(_)));
}

#[tokio::test]
async fn what_is_read_of_the_context_is_noted() {
    let getters = [
        ("protocol", ContextField::Protocol, true),
        ("listener", ContextField::Listener, true),
        ("client-address", ContextField::ClientAddress, true),
        ("encrypted", ContextField::Encrypted, false),
        ("mechanism", ContextField::Mechanism, true),
        ("login-name", ContextField::LoginName, true),
        ("authentication-id", ContextField::AuthenticationId, true),
        ("certificate-name", ContextField::CertificateName, true),
        ("sender", ContextField::Sender, true),
        ("now", ContextField::Now, false),
    ];
    let bench = Bench::new();
    for (name, field, by_pointer) in getters {
        let (signature, call) = match (name, by_pointer) {
            (_, true) => ("(param i32 i32)", "(call $get (local.get $context) (i32.const 2000))"),
            ("now", _) => ("(param i32) (result i64)", "(drop (call $get (local.get $context)))"),
            _ => ("(param i32) (result i32)", "(drop (call $get (local.get $context)))"),
        };
        let text = crate::support::source("context.wat")
            .replace("@GETTER@", name)
            .replace("@SIGNATURE@", signature)
            .replace("@CALL@", call);
        let policy = bench.load(&crate::support::component(&text, &crate::support::wit()));
        let consultation = ask(&policy).await;
        assert!(consultation.result.is_ok(), "{name}: {consultation:?}");
        assert_eq!(consultation.reads, std::iter::once(field).collect(), "{name}");
    }
    let policy = bench.load(&plugin("trap", &[]));
    assert!(ask(&policy).await.reads.is_empty());
}
