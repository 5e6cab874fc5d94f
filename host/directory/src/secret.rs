//! Attributes that hold secrets whatever a configuration says.

/// Whether an attribute holds passwords, password hashes or keys in one of the common schemas.
/// `key` is a type in lower case: a name or an OID.
pub(crate) fn is_always_secret(key: &str) -> bool {
    matches!(
        key,
        // RFC 4519, RFC 3112, RFC 2798
        "userpassword" | "2.5.4.35"
            | "authpassword" | "1.3.6.1.4.1.4203.1.3.4"
            | "userpkcs12" | "2.16.840.1.113730.3.1.216"
            // Password policy (draft-behera-ldap-password-policy)
            | "pwdhistory" | "1.3.6.1.4.1.42.2.27.8.1.20"
            | "pwdreset" | "1.3.6.1.4.1.42.2.27.8.1.22"
            | "passwordhistory" | "2.16.840.1.113730.3.1.96"
            // Samba
            | "lmpassword" | "1.3.6.1.4.1.7165.2.1.1"
            | "ntpassword" | "1.3.6.1.4.1.7165.2.1.2"
            | "sambalmpassword" | "1.3.6.1.4.1.7165.2.1.24"
            | "sambantpassword" | "1.3.6.1.4.1.7165.2.1.25"
            | "sambapasswordhistory" | "1.3.6.1.4.1.7165.2.1.54"
            // Active Directory
            | "unicodepwd" | "1.2.840.113556.1.4.90"
            | "dbcspwd" | "1.2.840.113556.1.4.55"
            | "ntpwdhistory" | "1.2.840.113556.1.4.94"
            | "lmpwdhistory" | "1.2.840.113556.1.4.160"
            | "supplementalcredentials" | "1.2.840.113556.1.4.125"
            | "ms-mcs-admpwd" | "mslaps-password" | "mslaps-encryptedpassword"
            | "mslaps-encryptedpasswordhistory" | "msds-managedpassword"
            // Kerberos
            | "krbprincipalkey" | "2.16.840.1.113719.1.301.4.39.1"
            | "krbmkey" | "2.16.840.1.113719.1.301.4.42.1"
            | "krbextradata" | "krbpwdhistory" | "2.16.840.1.113719.1.301.4.46.1"
            | "krb5key" | "1.3.6.1.4.1.5322.10.1.10"
            | "ipanthash" | "2.16.840.1.113730.3.8.11.2"
            // One-time passwords
            | "oathsecret" | "ipatokenotpkey" | "2.16.840.1.113730.3.8.16.1.4"
            // Servers' own
            | "olcrootpw" | "1.3.6.1.4.1.4203.1.12.2.3.2.0.6"
            | "clearpassword" | "cleartextpassword" | "nsds5replicacredentials"
            | "nsmultiplexorcredentials" | "nsslapd-rootpw"
    )
}
