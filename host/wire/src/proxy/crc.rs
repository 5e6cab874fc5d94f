//! CRC-32C (Castagnoli), bit by bit: headers are short and few carry a checksum.

/// The reversed polynomial of RFC 4960 appendix B.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// The checksum of the octets.
pub(super) fn crc32c(octets: impl Iterator<Item = u8>) -> u32 {
    !octets.fold(!0, |crc, octet| {
        (0..8).fold(crc ^ u32::from(octet), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn the_check_value_of_the_standard() {
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xE306_9283);
    }
}
