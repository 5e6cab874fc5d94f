use waypost_model::{Address, Domain, Host, HostPort};

/// A login name, a recipient, a host: what is normal stays what it is, and nothing in it can end a
/// line or stand for two addresses.
pub fn address(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let default_domain = Domain::new("default.test").expect("a domain");
    if let Ok(address) = Address::new(text, Some(&default_domain)) {
        assert_eq!(Address::new(address.as_str(), None).as_ref(), Ok(&address));
        let halves = format!("{}@{}", address.local_part(), address.domain());
        assert_eq!(halves, address.as_str());
        assert!(!address.as_str().contains(char::is_control));
        if let Some(untagged) = address.without_tag("+") {
            assert!(untagged.as_str().len() < address.as_str().len());
            assert_eq!(untagged.domain(), address.domain());
            assert_eq!(untagged.without_tag("+"), None);
        }
    }
    if let Ok(HostPort { host, .. }) = text.parse() {
        assert_eq!(host.to_string().parse::<Host>().as_ref(), Ok(&host));
    }
}
