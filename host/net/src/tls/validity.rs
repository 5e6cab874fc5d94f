//! The end of a certificate's life, read from its DER, so that an operator hears of it in time.
//!
//! webpki keeps the dates to itself, and a whole X.509 library for one of them would be too much.
//! The input is the operator's own file, which rustls has parsed before.

use std::time::{Duration, SystemTime};

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// The `notAfter` of a certificate (RFC 5280 section 4.1), or `None` where the bytes are no
/// certificate.
pub(super) fn not_after(certificate: &[u8]) -> Option<SystemTime> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // serialNumber, signature, issuer
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (SEQUENCE, validity, _) = element(fields)? else {
        return None;
    };
    let (_, _not_before, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// Splits the first element off: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        length = 0;
        let count = usize::from(first & 0x7f);
        let (octets, behind) = rest.split_at_checked(count)?;
        for &octet in octets {
            length = length.checked_mul(256)?.checked_add(usize::from(octet))?;
        }
        rest = behind;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// UTCTime `YYMMDDHHMMSSZ` or GeneralizedTime `YYYYMMDDHHMMSSZ`, the only forms that RFC 5280
/// section 4.1.2.5 allows.
fn time(tag: u8, text: &str) -> Option<SystemTime> {
    let digits = text.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let field = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let days = days_since_1970(year, field(0)?, field(2)?)?;
    let seconds = ((days * 24 + field(4)?) * 60 + field(6)?) * 60 + field(8)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// Days from the first of January 1970 in the proleptic Gregorian calendar; years begin in March
/// here, so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    Some(365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{GENERALIZED_TIME, UTC_TIME, not_after, time};

    fn seconds(tag: u8, text: &str) -> Option<u64> {
        let since = time(tag, text)?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(since.as_secs())
    }

    #[test]
    fn both_forms_of_time_are_read() {
        assert_eq!(seconds(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, "240229123456Z"), Some(1_709_210_096));
        assert_eq!(seconds(GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        assert_eq!(seconds(UTC_TIME, "24022912345Z"), None);
        assert_eq!(seconds(UTC_TIME, "241301000000Z"), None);
        assert_eq!(seconds(GENERALIZED_TIME, "2050010100000\u{e9}"), None);
    }

    #[test]
    fn the_date_of_a_certificate_is_found_and_a_cut_one_is_not() {
        let mut parameters = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(2031, 5, 6);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_935_792_000);
        assert_eq!(not_after(certificate.der()), Some(end));
        for length in 0..certificate.der().len() {
            assert_eq!(not_after(certificate.der().get(..length).unwrap()), None);
        }
    }
}
