//! The questions to DNS.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::timeout;
use waypost_model::Domain;

use super::{ResolveError, ResolverError};

/// Once one family has answered with addresses, the other gets so much longer: a name server that
/// swallows AAAA questions is not to cost every login its timeout (RFC 8305 section 3).
const FAMILY_GRACE: Duration = Duration::from_millis(300);

/// No more of an answer are kept: a login has no time for more.
const MAX_ADDRESSES: usize = 32;

/// Addresses and until when they hold.
pub(super) struct Found {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) until: Instant,
    /// One family could not be asked: there may be more addresses.
    pub(super) partial: bool,
}

/// Asks name servers; keeps nothing.
pub(super) struct Dns(TokioResolver);

impl Dns {
    /// Asks `servers`, or those of `/etc/resolv.conf`, or the one on this machine where that file
    /// names none (resolv.conf(5)). A question is repeated often enough within `deadline` that one
    /// lost datagram does not use it up.
    pub(super) fn new(
        servers: Option<&[SocketAddr]>,
        deadline: Duration,
    ) -> Result<Self, ResolverError> {
        let (config, mut options) = match servers {
            Some(servers) => (config(servers), ResolverOpts::default()),
            None => read_system_conf().unwrap_or_else(|error| {
                tracing::warn!(
                    target: "waypost::resolve", %error,
                    "no name server in /etc/resolv.conf, asking 127.0.0.1"
                );
                (config(&[([127, 0, 0, 1], 53).into()]), ResolverOpts::default())
            }),
        };
        // Both are done here, where the limits are ours.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = options.timeout.min(deadline / 3);
        options.attempts = options.attempts.max(2);
        let provider = TokioRuntimeProvider::default();
        let resolver = TokioResolver::builder_with_config(config, provider)
            .with_options(options)
            .build()
            .map_err(|error| ResolverError(error.to_string()))?;
        Ok(Self(resolver))
    }

    /// The addresses of a name, [`MAX_ADDRESSES`] at most: IPv6 and IPv4 in turn, IPv6 first, each family in the order of the
    /// answer. CNAMEs are followed. A name of one label is tried under the system's search list;
    /// one with dots is taken as it stands, since whoever owns a search domain is not to be asked
    /// where the passwords of another domain go.
    pub(super) async fn addresses(&self, name: &Domain) -> Result<Found, ResolveError> {
        let mut query = Name::from_ascii(name.as_str())
            .map_err(|error| ResolveError::Failed(Arc::from(error.to_string())))?;
        query.set_fqdn(name.as_str().contains('.'));
        let mut v6 = pin!(self.ask(query.clone(), RecordType::AAAA));
        let mut v4 = pin!(self.ask(query, RecordType::A));
        let (v6, v4) = tokio::select! {
            first = &mut v6 => {
                let second = if first.is_ok() { patient(v4).await } else { v4.await };
                (first, second)
            }
            first = &mut v4 => {
                let second = if first.is_ok() { patient(v6).await } else { v6.await };
                (second, first)
            }
        };
        merge(v6, v4)
    }

    async fn ask(&self, name: Name, kind: RecordType) -> Answer {
        let lookup = self.0.lookup(name, kind).await.map_err(|error| told(&error))?;
        let addresses: Vec<IpAddr> = lookup
            .answers()
            .iter()
            .filter_map(|record| record.data.ip_addr())
            .map(|address| address.to_canonical())
            .collect();
        if addresses.is_empty() {
            return Err(ResolveError::NoAddress);
        }
        Ok((addresses, lookup.valid_until()))
    }
}

type Answer = Result<(Vec<IpAddr>, Instant), ResolveError>;

async fn patient(question: impl Future<Output = Answer>) -> Answer {
    timeout(FAMILY_GRACE, question).await.unwrap_or(Err(ResolveError::Timeout))
}

fn config(servers: &[SocketAddr]) -> ResolverConfig {
    let server = |address: &SocketAddr| {
        let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
        udp.port = address.port();
        tcp.port = address.port();
        NameServerConfig::new(address.ip(), true, vec![udp, tcp])
    };
    ResolverConfig::from_parts(None, Vec::new(), servers.iter().map(server).collect())
}

fn told(error: &NetError) -> ResolveError {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => ResolveError::NoSuchName,
            ResponseCode::NoError => ResolveError::NoAddress,
            code => ResolveError::Failed(Arc::from(format!("the name server answered {code}"))),
        },
        NetError::Timeout => ResolveError::Timeout,
        other => ResolveError::Failed(Arc::from(other.to_string())),
    }
}

fn merge(v6: Answer, v4: Answer) -> Result<Found, ResolveError> {
    match (v6, v4) {
        (Ok((v6, until_v6)), Ok((v4, until_v4))) => {
            let until = until_v6.min(until_v4);
            Ok(Found { addresses: interleave(v6, v4), until, partial: false })
        }
        (Ok((addresses, until)), Err(other)) | (Err(other), Ok((addresses, until))) => {
            let addresses = interleave(addresses, Vec::new());
            Ok(Found { addresses, until, partial: !other.is_final() })
        }
        // Of two errors the one that says less for sure: half an answer is no "there is none".
        (Err(v6), Err(v4)) => Err(if v4.is_final() { v6 } else { v4 }),
    }
}

fn interleave(first: Vec<IpAddr>, second: Vec<IpAddr>) -> Vec<IpAddr> {
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::with_capacity((first.len() + second.len()).min(MAX_ADDRESSES));
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] || all.len() >= MAX_ADDRESSES {
            all.truncate(MAX_ADDRESSES);
            return all;
        }
        for address in pair.into_iter().flatten() {
            // An AAAA record may hold a mapped IPv4 address.
            if !all.contains(&address) {
                all.push(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{MAX_ADDRESSES, interleave};

    #[test]
    fn families_take_turns_and_no_address_occurs_twice() {
        let addresses =
            |texts: &[&str]| -> Vec<IpAddr> { texts.iter().map(|t| t.parse().unwrap()).collect() };
        let v6 = addresses(&["::1", "10.0.0.1"]);
        let v4 = addresses(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        let all = addresses(&["::1", "10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        assert_eq!(interleave(v6, v4), all);
    }

    #[test]
    fn a_flood_of_addresses_is_cut_off() {
        let flood = |last| (0..1000).map(move |n| IpAddr::from([0, 0, 0, 0, 0, 0, n, last]));
        let all = interleave(flood(1).collect(), flood(2).collect());
        assert_eq!(all.len(), MAX_ADDRESSES);
    }
}
