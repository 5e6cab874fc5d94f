//! From a recipient as a client names it to where its mailbox lives: by the policies, each recipient
//! by itself.

use std::fmt;
use std::sync::Arc;

use waypost_model::{Address, Context, Lookup, Purpose, Refusal, Trouble};
use waypost_routing::{Decide, Renewal, Resolution, Routed, Router};
use waypost_session::Generation;
use waypost_wire::smtp::{ForwardPath, Mailbox, Reply};

use crate::{Settings, wording};

/// A recipient that has a route.
#[derive(Clone, Debug)]
pub(crate) struct Found<T> {
    /// Who was asked for in the end: the address without its tag, where only that one is known.
    pub(crate) lookup: Arc<Lookup>,
    /// What a policy said.
    pub(crate) routed: Routed<T>,
    /// Whom a back end is to hear of: the policy's word, or the client's.
    pub(crate) passed_on: Mailbox,
    /// What stands behind the delimiter, the delimiter included, where the policy did not know of
    /// it.
    tag: Option<String>,
    /// As the client named it.
    named: Mailbox,
}

/// Why a recipient has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotFound {
    /// No policy serves the domain.
    NotServed,
    /// Every policy passed.
    Unknown,
    /// A policy's word.
    Refused(Refusal),
    /// Nobody can say now.
    Trouble(Trouble),
    /// A policy says whom to pass on, and that is no address.
    Identity(Arc<str>),
}

/// Whom to ask, and how.
pub(crate) struct Finder<'a, P: Decide> {
    pub(crate) router: &'a Router,
    pub(crate) generation: &'a Generation<P>,
    pub(crate) settings: &'a Settings,
    pub(crate) context: &'a Arc<Context>,
}

impl<P: Decide> Finder<'_, P> {
    /// Asks for the whole address first and, where nobody knows it, for the one without its tag.
    pub(crate) async fn find(&self, path: &ForwardPath) -> Result<Found<P::Targets>, NotFound> {
        let (named, address) = match path {
            ForwardPath::Postmaster => {
                let postmaster = &self.settings.postmaster;
                (Mailbox::from(postmaster), postmaster.clone())
            }
            ForwardPath::Mailbox(mailbox) => {
                // A domain that can be none, such as an address literal, is served by nobody.
                let address = mailbox.address().map_err(|_| NotFound::NotServed)?;
                (mailbox.clone(), address)
            }
        };
        let untagged = self.untagged(&address);
        let (lookup, resolution) = self.ask(address).await;
        let (lookup, resolution, tag) = match untagged {
            Some((untagged, tag)) if is_unknown(&resolution) => {
                let (lookup, resolution) = self.ask(untagged).await;
                (lookup, resolution, Some(tag))
            }
            _ => (lookup, resolution, None),
        };
        let routed = routed(resolution)?;
        let passed_on = passed_on(&routed, &lookup, &named, tag.as_deref())?;
        Ok(Found { lookup, routed, passed_on, tag, named })
    }

    /// A back end has refused the recipient for good: asks whether the mailbox has moved.
    ///
    /// `Ok(None)`: the refusal stands.
    pub(crate) async fn renew(
        &self,
        found: &Found<P::Targets>,
    ) -> Result<Option<Found<P::Targets>>, NotFound> {
        let Found { lookup, routed, tag, named, .. } = found;
        let domains = &self.generation.domains;
        match self.router.renew(domains, lookup, self.context, routed).await {
            Renewal::Unchanged | Renewal::Withdrawn => Ok(None),
            Renewal::Temporary { trouble, .. } => Err(NotFound::Trouble(trouble)),
            Renewal::Changed(routed) => {
                let passed_on = passed_on(&routed, lookup, named, tag.as_deref())?;
                let (lookup, tag, named) = (lookup.clone(), tag.clone(), named.clone());
                Ok(Some(Found { lookup, routed, passed_on, tag, named }))
            }
        }
    }

    async fn ask(&self, address: Address) -> (Arc<Lookup>, Resolution<P::Targets>) {
        let lookup = Arc::new(Lookup { purpose: Purpose::Recipient, address });
        let domains = &self.generation.domains;
        let resolution = self.router.resolve(domains, &lookup, self.context).await;
        (lookup, resolution)
    }

    /// The address without its tag, and the tag with its delimiter.
    fn untagged(&self, address: &Address) -> Option<(Address, String)> {
        let delimiter = self.settings.recipient_delimiter.as_deref()?;
        let untagged = address.without_tag(delimiter)?;
        let tag = address.local_part().strip_prefix(untagged.local_part())?;
        let tag = tag.to_owned();
        Some((untagged, tag))
    }
}

fn is_unknown<T>(resolution: &Resolution<T>) -> bool {
    matches!(
        resolution,
        Resolution::Unknown { .. } | Resolution::Refused { refusal: Refusal::UnknownUser, .. }
    )
}

fn routed<T>(resolution: Resolution<T>) -> Result<Routed<T>, NotFound> {
    match resolution {
        Resolution::Route(routed) => Ok(routed),
        Resolution::Refused { refusal, .. } => Err(NotFound::Refused(refusal)),
        Resolution::Unknown { .. } => Err(NotFound::Unknown),
        Resolution::NotServed => Err(NotFound::NotServed),
        Resolution::Temporary { trouble, .. } => Err(NotFound::Trouble(trouble)),
    }
}

/// The recipient that goes on. A policy that names another need not name its domain; a tag that it
/// was not asked about is the user's own affair, and is put back.
fn passed_on<T>(
    routed: &Routed<T>,
    lookup: &Lookup,
    named: &Mailbox,
    tag: Option<&str>,
) -> Result<Mailbox, NotFound> {
    let Some(identity) = &routed.route.identity else { return Ok(named.clone()) };
    let read = || {
        let address = Address::new(identity, Some(lookup.address.domain())).ok()?;
        let Some(tag) = tag else { return Some(address) };
        let local_part = format!("{}{tag}", address.local_part());
        Address::from_parts(&local_part, address.domain().clone()).ok()
    };
    match read() {
        Some(address) => Ok(Mailbox::from(&address)),
        None => Err(NotFound::Identity(identity.clone())),
    }
}

impl NotFound {
    /// What the client is told.
    pub(crate) const fn reply(&self) -> Reply {
        match self {
            Self::NotServed => wording::NOT_SERVED,
            Self::Unknown => wording::UNKNOWN_USER,
            Self::Refused(refusal) => wording::refusal(refusal),
            Self::Trouble(trouble) => wording::trouble(trouble),
            Self::Identity(_) => wording::FAULT,
        }
    }

    /// The name in logs and metrics.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::NotServed => "not-served",
            Self::Unknown => "unknown-user",
            Self::Refused(refusal) => refusal.kind(),
            Self::Trouble(trouble) => trouble.kind(),
            Self::Identity(_) => "identity",
        }
    }

    /// Whether it is no for good, to a message that has been kept. A domain that is no longer served
    /// may be a mistake in a configuration, which will be mended.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::Unknown | Self::Refused(_))
    }
}

/// For the log.
impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotServed => f.write_str("no policy serves the domain"),
            Self::Unknown => f.write_str("every policy passed"),
            Self::Refused(Refusal::Other(text)) => write!(f, "the policy refuses: {text}"),
            Self::Refused(refusal) => write!(f, "the policy refuses: {}", refusal.kind()),
            Self::Trouble(trouble) => trouble.fmt(f),
            Self::Identity(identity) => {
                write!(f, "the policy passes on {identity:?}, which is no address")
            }
        }
    }
}
