//! The end of a certificate's life, so that an operator hears of it in time: webpki keeps the dates to
//! itself.

use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;
use x509_parser::asn1_rs::FromDer as _;
use x509_parser::certificate::X509Certificate;

/// The `notAfter` of a certificate (RFC 5280 section 4.1.2.5), or `None` where the bytes are no
/// certificate.
pub(super) fn not_after(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let seconds = certificate.validity().not_after.timestamp();
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use rustls_pki_types::CertificateDer;

    use super::not_after;

    #[test]
    fn the_date_of_a_certificate_is_found_and_a_cut_one_is_not() {
        let mut parameters = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        // UTCTime reaches to 2049, GeneralizedTime goes on from there.
        for (year, seconds) in [(2031, 1_935_792_000), (2051, 2_566_944_000)] {
            parameters.not_after = rcgen::date_time_ymd(year, 5, 6);
            let certificate = parameters.self_signed(&key).unwrap();
            let end = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(not_after(certificate.der()), Some(end));
            for length in 0..certificate.der().len() {
                let cut = CertificateDer::from(certificate.der().get(..length).unwrap());
                assert_eq!(not_after(&cut), None);
            }
        }
    }
}
