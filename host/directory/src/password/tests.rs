//! Against hashes that others made; how stands above each.

use proptest::prelude::*;

use super::{BarePassword, MAX_PASSWORD, MAX_STORED, StoredPassword, Unusable};

/// What was hashed: 8-bit octets and a space.
const PASSWORD: &str = "pässwört 1";

#[track_caller]
fn stored(value: &str) -> StoredPassword {
    StoredPassword::parse(value.as_bytes(), BarePassword::Clear)
        .unwrap_or_else(|unusable| panic!("{value}: {unusable}"))
}

#[track_caller]
fn unusable(value: &str) -> Unusable {
    match StoredPassword::parse(value.as_bytes(), BarePassword::Clear) {
        Ok(_) => panic!("{value} is usable"),
        Err(unusable) => unusable,
    }
}

#[track_caller]
fn fits(value: &str) {
    let stored = stored(value);
    assert!(stored.verify(PASSWORD.as_bytes()), "{value}");
    for wrong in ["pässwört 2", "pässwört", "pässwört 1 ", "", "P\u{e4}sswört 1", value] {
        assert!(!stored.verify(wrong.as_bytes()), "{value} for {wrong:?}");
    }
}

/// `slappasswd -h SCHEME -s …`, with pw-sha2, pw-pbkdf2 and argon2 loaded where they are needed.
#[test]
fn slappasswd() {
    for value in [
        "{SSHA}iFfhGJXiXKuaPHNKHl8jfffQ6Q5bKw45",
        "{SHA}x5fn71wJihj0VZO2Bp6Wg5h01+I=",
        "{MD5}J8CnMLCzVQmh4OUtF9CA9w==",
        "{SMD5}T7tohZLM/FclGvpwNcpIOXcDmus=",
        "{SSHA256}trOLepsqOyH98NjfnoB32UhMWAlmEALZE9ogsCfo6PDTvN/j/tJtdA==",
        "{SSHA512}aUC1iaFXavaVpVyw4pDkHDplGadvWZ5X40IZ3F7fN3/eZbReaoZ2B/c/nvNqUtPiJeLN+t08/7b+yn\
         MdOFHjUh8tf+KdN8Rn",
        "{SHA256}dqJKLhDQkP2SYW2RDX2EE6C0hWqSMGjN6TiffeDoHzA=",
        "{PBKDF2-SHA256}10000$lpJgh3EhEoK60ICN4j7NHA$bmXCU5kSCzbiRk.lM0fzOarEJJhtOcD437RuiN3JTKM",
        "{PBKDF2-SHA512}10000$icmyACWvXQMzzUgzd3kqYw$MO7v9tIg..0K9TcOEwZf8ZJDeVpeABzU5FTx7EgOr8o\
         e/pLJpN6lySwp2hyGnSAzGa6hN2Mrv159czDi.IOI2Q",
        "{PBKDF2}10000$dgVESC4sYgQ2QWS75/u8HA$8s8CpRDpNmo3IN3xsfFZ0cww7bg",
        "{ARGON2}$argon2i$v=19$m=4096,t=3,p=1$EtYL61aEvpAPYiZA6+K5qg$O9YqUoFAE9CgHnN4dCWLdDdoOXX\
         VYYWhi1XpxqFgI1I",
        "{CRYPT}$6$sBYCx.he0CvQ$k/vvhY1UqJX951kDb52RTvPBemxpolTXemrIQ02To6JMaWkzh7mQFY2d7dc908vr\
         fTFnVgqbUH7.5L4zqQH9n/",
    ] {
        fits(value);
    }
}

/// Perl's `crypt`, which is libxcrypt's: at the usual cost, at the least, and at one beyond the usual.
#[test]
fn yescrypt() {
    for value in [
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$Q2rWdJzadjXJduiL8Z4VQ83KPICFJ58urr3rjOG2KZ0",
        "{CRYPT}$y$j75$DO0/uKgVNvNaGBmQdHtJ21$CX8ogna7T0dJgrwI3VBZkWhzVPG/6DxS3V0QFhAsCpA",
        "{crypt}$y$jAT$DO0/uKgVNvNaGBmQdHtJ21$43eZOQYI2MmuECAeNMGnMK8PVdRZOElxg8BFlmp0wh0",
    ] {
        fits(value);
    }
    assert_eq!(
        stored("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$Q2rWdJzadjXJduiL8Z4VQ83KPICFJ58urr3rjOG2KZ0")
            .memory(),
        16 << 20
    );
    for value in [
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$Q2rWdJzadjXJduiL8Z4VQ83KPICFJ58urr3rjOG2KZ",
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$",
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1",
        "$y$j9T$-$Q2rWdJzadjXJduiL8Z4VQ83KPICFJ58urr3rjOG2KZ0",
        "$y$.9T$F5Jx5fExrKuPp53xLKQ..1$Q2rWdJzadjXJduiL8Z4VQ83KPICFJ58urr3rjOG2KZ0",
        "$y$j$F5Jx5fExrKuPp53xLKQ..1$Q2rWdJzadjXJduiL8Z4VQ83KPICFJ58urr3rjOG2KZ0",
        "$y$j9T/./$F5Jx5fExrKuPp53xLKQ..1$Q2rWdJzadjXJduiL8Z4VQ83KPICFJ58urr3rjOG2KZ0",
        "$y$$$",
    ] {
        assert!(matches!(unusable(value), Unusable::Malformed(_)), "{value}");
    }
}

/// `doveadm pw -s SCHEME -p …`.
#[test]
fn doveadm() {
    for value in [
        "{SSHA}nZIWbFpIv4+Om+uNNPtyN5AUIRyeunGh",
        "{SSHA256}QUX6XnOYlQuEfr5OsVOezsaltNVLP8phHrDJUuKUXAu21E14",
        "{SSHA512}ndG4f2QAWpoNHE8U7GvWKNBT+mn5g7wRG8h2u/XgCj6/tDIUtBs7QLzCO4dvTz8Q49IYMn6nvkUT0W\
         vkesuNNWbNyjU=",
        "{SMD5}6R7UnfRets5BKQd0VptTiR143Ns=",
        "{SHA512}/uvt29JrYtFaeHSc1Yyt1AeYmJYgc54DdfCejSzIIVnr1GKYvHZ+Q3841Dkx8fYvOxHCqXqRRlZeESb\
         LJohUKg==",
        "{SHA256-CRYPT}$5$iOHXwC/WslAGZeQ3$dce63hEyCakUiIMFXHGsh4hNvkg/UspewgLg0ntEE/B",
        "{SHA512-CRYPT}$6$y/SR5hnpmksKnrxi$fG52gfYuwr7.mH01XXi7o3YZYeaCJbIOhNNkWU4gEZ0pRk9ZJC9s8\
         C7EgX3gxb.53Y.8lcrhmfyrxpc0vVhf20",
        "{BLF-CRYPT}$2y$05$DBFeAxNZpiQ7.2Nf.yyJtO5pgI8skgqGecXwXujlmRE6l6BqhwOCq",
        "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$G6hIQnymNiJsikYviGVMWQ$b/KtlaVDTquulJC21tmSSZm\
         U8gCEcvYdj9PhDJAqIa8",
        "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$3KPat1psTszluK3/ooLWug$2vS4jRkIcgPmqFVI8zl1DdrmA\
         iBDH0HhL9JLJ0Q/jQI",
        "{PLAIN}pässwört 1",
    ] {
        fits(value);
    }
}

/// `mkpasswd -m METHOD [-R ROUNDS] …`, `openssl passwd -5`, `openssl passwd -6`, `htpasswd -nbB`,
/// `argon2 … -e`; with and without `{CRYPT}`.
#[test]
fn mkpasswd_openssl_htpasswd_argon2() {
    for value in [
        "$5$u9cXCkeBWd7tvqUQ$agafiQHgQM2RVYQabIqWBoEZyZFvU3M2WP27f6gdxnC",
        "$6$YWzESpr9bofyqKF9$MtV3dXadjxEdyWKintvIYhp0qA3GXH82kqFacC.g6FCT7O8M6tz9V7FFvGmkYtrEA51\
         rjylLNZ1gee7ujNcJv0",
        "$6$rounds=1000$qygspto1z9GgWTdr$xlXHEwFrTbKw6WLb.kBoDHBk3Y0Bg4/s7qyCm3.5VTzl13BoB6N0HHO\
         1S8HRZI0LKqd4QqWQfnOE8M6quc.6S1",
        "$5$rounds=20000$RMWjl8JCcqMxCB1t$46CFSHYDBHOztOlekZ8E0hdltX12u9OQRAA7axtuPH5",
        "$2b$05$u8kF0uVDP8bZJLyUFOqcIujmxyDiuRIVxTyodxs1kX0GosphyGGdK",
        "$6$EJ0VKmP9T4H52Z1G$p2rsgs9lVjACkOF1HJ/ljcmgC8Ty2KBER1PqkGzMaN7VF5aI82cycf/lJa01HBODlqf\
         kN..qDtsfH74YtUKUN/",
        "$5$d1m9NZxnF27UXjju$r8ButfNE7lrhWLHj39ZZTsJ5wLVesQ9oWG0yjKYR1I3",
        "$6$abcdefghijklmnop$RNpSr.JBjpYgceRwIdO4Z.V2WGc6LSaUrfKtDqxvXjcjF.7dvbo2CyujGArhPKGyR3s\
         exGlmd/efvnDq/zKFw1",
        "$2y$06$9ZqdC6IglzpvGdOYZ4czPOozXP/9Qj82xuBrjyXd5WKUHgpYfQRLq",
        "$argon2id$v=19$m=4096,t=2,p=2$c29tZXNhbHQx$yipFrtNbyBpW91ASIPpDnWnn+APVsrnuyMmGOSIoyFc",
        "$argon2d$v=16$m=4096,t=2,p=1$c29tZXNhbHQx$t2IzQLpXWw9Bxt+J3qxY0q13PE3NVNLAtEh7BOMirMU",
    ] {
        fits(value);
        fits(&format!("{{CRYPT}}{value}"));
        fits(&format!("{{crypt}}{value}"));
    }
}

#[test]
fn what_a_bare_value_is_the_operator_says() {
    let parse = |value: &[u8], bare| StoredPassword::parse(value, bare);
    let clear = parse(b"c2VjcmV0", BarePassword::Clear).unwrap();
    assert!(clear.verify(b"c2VjcmV0") && !clear.verify(b"secret"));
    let base64 = parse(b"c2VjcmV0", BarePassword::Base64).unwrap();
    assert!(base64.verify(b"secret") && !base64.verify(b"c2VjcmV0"));
    assert_eq!(base64.clear().map(waypost_model::Secret::expose), Some(&b"secret"[..]));
    assert_eq!(parse(b"secret", BarePassword::Refused).unwrap_err(), Unusable::Bare);
    assert_eq!(parse(b"secret!", BarePassword::Base64).unwrap_err(), Unusable::Malformed("base64"));
    // With a scheme it does not matter.
    for bare in [BarePassword::Clear, BarePassword::Base64, BarePassword::Refused] {
        assert!(parse(b"{CLEAR}secret", bare).unwrap().verify(b"secret"), "{bare:?}");
        assert!(parse(b"{BASE64}c2VjcmV0", bare).unwrap().verify(b"secret"), "{bare:?}");
    }
    // A brace is no scheme for that.
    assert!(parse(b"{a b}", BarePassword::Clear).unwrap().verify(b"{a b}"));
    assert!(parse(b"$100", BarePassword::Clear).unwrap().verify(b"$100"));
}

/// Whoever has read a hash does not log in with it.
#[test]
fn a_hash_is_not_its_own_password() {
    for value in ["{SSHA99}abc", "{KERBEROS}ann", "$1$abc$def", "$y$j9T$abc$def", "$7$x", "$2x$05$"]
    {
        assert!(StoredPassword::parse(value.as_bytes(), BarePassword::Clear).is_err(), "{value}");
    }
    assert_eq!(unusable("{SASL}ann@A.TEST"), Unusable::Scheme("{SASL}".to_owned()));
    assert_eq!(unusable("$1$abc$def"), Unusable::Scheme("{CRYPT}$1$".to_owned()));
}

#[test]
fn a_locked_account_has_no_password() {
    for value in ["{CRYPT}!", "{CRYPT}*", "{CRYPT}!$6$abc$def", "{CRYPT}", "{CLEAR}", ""] {
        assert!(StoredPassword::parse(value.as_bytes(), BarePassword::Clear).is_err(), "{value}");
    }
}

/// A hash that would keep a processor or the memory of the machine for itself is not computed.
#[test]
fn hostile_costs_are_refused_before_anything_is_computed() {
    let hash43 = "a".repeat(43);
    let hash86 = ".".repeat(86);
    for value in [
        format!("$6$rounds=999999999$salt${hash86}"),
        format!("$6$rounds=99999999999999999999$salt${hash86}"),
        format!("$5$rounds=1000001$salt${hash43}"),
        "$2y$16$9ZqdC6IglzpvGdOYZ4czPOozXP/9Qj82xuBrjyXd5WKUHgpYfQRLq".to_owned(),
        "$2y$99$9ZqdC6IglzpvGdOYZ4czPOozXP/9Qj82xuBrjyXd5WKUHgpYfQRLq".to_owned(),
        format!("{{ARGON2}}$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQx${hash43}"),
        format!("{{ARGON2}}$argon2id$v=19$m=99999999999,t=1,p=1$c29tZXNhbHQx${hash43}"),
        format!("{{ARGON2}}$argon2id$v=19$m=65536,t=4294967295,p=1$c29tZXNhbHQx${hash43}"),
        format!("{{ARGON2}}$argon2id$v=19$m=65536,t=3,p=16777215$c29tZXNhbHQx${hash43}"),
        format!("{{PBKDF2-SHA256}}4294967295$c2FsdHNhbHQ${hash43}"),
        format!("{{PBKDF2-SHA256}}99999999999$c2FsdHNhbHQ${hash43}"),
        "$y$jFT$DO0/uKgVNvNaGBmQdHtJ21$sWeKSL66IhtGWGMWB7qLcfqpwNYlot22UaWDSCLE1r3".to_owned(),
        "$y$jjj$DO0/uKgVNvNaGBmQdHtJ21$sWeKSL66IhtGWGMWB7qLcfqpwNYlot22UaWDSCLE1r3".to_owned(),
    ] {
        assert!(matches!(unusable(&value), Unusable::TooCostly(_)), "{value}");
    }
    assert_eq!(unusable(&"x".repeat(MAX_STORED + 1)), Unusable::TooLong);
    let long = "x".repeat(MAX_PASSWORD + 1);
    assert!(!stored(&long).verify(long.as_bytes()));
}

#[test]
fn what_is_cut_short_fits_nothing() {
    for value in [
        "{SSHA}iFfhGJXiXKuaPHNKHl8jfffQ6Q4=",
        "{SSHA}!",
        "{SHA}x5fn71wJihj0VZO2Bp6Wg5h0",
        "{MD5}J8CnMLCzVQmh4OUtF9CA",
        "{PBKDF2-SHA256}10000$lpJgh3EhEoK60ICN4j7NHA$",
        "{PBKDF2-SHA256}0$lpJgh3EhEoK60ICN4j7NHA$bmXCU5kSCzbiRk.lM0fzOarEJJhtOcD437RuiN3JTKM",
        "{PBKDF2-SHA256}$$",
        "{ARGON2}$argon2i$v=19$m=4096,t=3,p=1$EtYL61aEvpAPYiZA6+K5qg$O9YqUg",
        "{ARGON2}$argon2i$v=19$m=4096,t=0,p=1$EtYL61aEvpAPYiZA6+K5qg$O9YqUoFAE9CgHnN4dCWLdDdoOXX",
        "{ARGON2}$argon2x$v=19$m=4096,t=3,p=1$EtYL61aEvpAPYiZA6+K5qg$O9YqUoFAE9CgHnN4dCWLdDdoOXX",
        "$6$salt$",
        "$6$salt",
        "$6$rounds=$salt$abc",
        "$2y$06$9ZqdC6IglzpvGdOYZ4czPOozXP",
        "$2y$6$9ZqdC6IglzpvGdOYZ4czPOozXP/9Qj82xuBrjyXd5WKUHgpYfQRLq",
    ] {
        assert!(matches!(unusable(value), Unusable::Malformed(_)), "{value}");
    }
}

#[test]
fn only_hashes_that_take_their_time_are_expensive() {
    for (value, expensive, memory) in [
        ("secret", false, 0),
        ("{SSHA}iFfhGJXiXKuaPHNKHl8jfffQ6Q5bKw45", false, 0),
        ("$2y$06$9ZqdC6IglzpvGdOYZ4czPOozXP/9Qj82xuBrjyXd5WKUHgpYfQRLq", true, 0),
        (
            "$argon2id$v=19$m=4096,t=2,p=2$c29tZXNhbHQx$yipFrtNbyBpW91ASIPpDnWnn+APVsrnuyMmGOSIo\
             yFc",
            true,
            4 << 20,
        ),
    ] {
        let stored = stored(value);
        assert_eq!((stored.is_expensive(), stored.memory()), (expensive, memory), "{value}");
    }
}

/// What an operator reads of a value holds nothing of it.
#[test]
fn nothing_is_quoted() {
    let shown = format!("{:?}", stored("hunter2"));
    assert!(!shown.contains("hunter2"), "{shown}");
    for value in ["{SSHA}hunter2", "$6$hunter2$hunter2", "{CRYPT}hunter2"] {
        let said = unusable(value).to_string();
        assert!(!said.contains("hunter2"), "{said}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(value in any::<Vec<u8>>(), scheme in "\\{(CRYPT|SSHA|ARGON2|PBKDF2-SHA256|BASE64)\\}", rest in "[$./0-9a-zA-Z=,+]{0,120}") {
        let _ = StoredPassword::parse(&value, BarePassword::Base64);
        let _ = StoredPassword::parse(format!("{scheme}{rest}").as_bytes(), BarePassword::Clear);
        let _ = StoredPassword::parse(format!("${rest}").as_bytes(), BarePassword::Clear);
    }

    #[test]
    fn a_clear_password_is_itself(clear in "[^{$][^\\pC]{0,30}", other in "[^\\pC]{1,30}") {
        let stored = StoredPassword::parse(clear.as_bytes(), BarePassword::Clear).unwrap();
        prop_assert!(stored.verify(clear.as_bytes()));
        prop_assert_eq!(stored.verify(other.as_bytes()), clear == other);
    }
}
