use waypost_model::Host;
use waypost_sdk::HostList;

/// A host value as a directory holds it: each host of the list is one for the proxy too, and the
/// list is what it says it is. Only the proxy knows which `xn--` labels are sound: IDNA's tables
/// have no place in a plugin.
pub fn hosts(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(list) = text.parse::<HostList>() else { return };
    assert_eq!(list.to_string().parse().as_ref(), Ok(&list));
    for target in list.targets() {
        let international = target.host.split('.').any(|label| label.starts_with("xn--"));
        if international {
            continue;
        }
        let host: Host = target.host.parse().expect("the proxy takes every host of a plugin");
        assert_eq!(host.to_string(), target.host, "two spellings of one host");
        assert_ne!(target.port, Some(0));
    }
}
