//! What the process may do, and as whom. `run` and `check` both come by it here, so that they do not
//! disagree about what can be read.

use std::sync::Arc;

use anyhow::Context as _;
use waypost_config::Config;
use waypost_net::limits::Limits;
use waypost_net::privileges::{self, Identity};

/// As many descriptors as can be had, and the connections that they carry.
pub(crate) fn limits(config: &Config) -> anyhow::Result<Arc<Limits>> {
    let max_connections =
        || config.listeners.iter().filter_map(|listener| listener.settings.max_connections);
    let wanted = max_connections().map(u64::from).sum();
    let descriptors = privileges::raise_descriptor_limit(privileges::descriptors_for(wanted))
        .context("the limit on open files cannot be raised")?;
    Ok(Limits::new(privileges::capacity(descriptors, max_connections())?))
}

/// Who serves.
pub(crate) enum Who {
    /// The user of the configuration, whom root has become.
    Another(String),
    /// Root, since the configuration names nobody.
    Root,
    /// Whoever started it and is not root; a `user` in the configuration changes nothing then.
    Starter,
}

impl Who {
    /// Becomes whom the configuration names, for good, where that is to be done.
    ///
    /// # Errors
    /// When there is no such user. The process must end then, or do no more than say so.
    pub(crate) fn become_of(config: &Config) -> anyhow::Result<Self> {
        if !privileges::is_root() {
            return Ok(Self::Starter);
        }
        let Some(user) = &config.server.user else { return Ok(Self::Root) };
        let identity = Identity::lookup(user, config.server.group.as_deref())?;
        identity.assume()?;
        Ok(Self::Another(identity.name().to_owned()))
    }

    pub(crate) fn is_root(&self) -> bool {
        matches!(self, Self::Root)
    }

    /// Says as whom something failed, where that is not who started the process.
    pub(crate) fn reads<T, E: Into<anyhow::Error>>(&self, read: Result<T, E>) -> anyhow::Result<T> {
        read.map_err(|error| match self {
            Self::Another(name) => error.into().context(format!("as the user {name}, who serves")),
            Self::Root | Self::Starter => error.into(),
        })
    }
}
