use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use waypost_directory::{BindAnswer, Directory, SearchError, StoredPassword};
use waypost_model::{Principal, Route, Secret, Verification};

use crate::cache::Cache;
use crate::keyed::{Keyed, Print};
use crate::{Challenge, Metrics, Settings};

/// The unit in which memory is given out, in octets.
const MEMORY_UNIT: u64 = 1 << 20;

/// Checks passwords. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Verifier(Arc<Shared>);

struct Shared {
    settings: Settings,
    metrics: Metrics,
    keyed: Keyed,
    cache: Cache,
    /// One for each costly hash that may be computed.
    threads: Arc<Semaphore>,
    /// In [`MEMORY_UNIT`]s.
    memory: Arc<Semaphore>,
    memory_units: u32,
}

/// A password that is right.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The password itself, where the directory stores it so that it can be known.
    pub clear: Option<Secret>,
}

/// Why a password does not let anybody in. The texts are for the log.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Unverified {
    /// It is wrong, or the entry has none.
    #[error("the password is wrong, or the entry has none")]
    Wrong,
    /// It is right, and the account may not log in all the same; the directory's words.
    #[error("the password is right, and the directory does not let the account in: {0}")]
    Denied(String),
    /// The entry has passwords and none that is usable fits; why another is not.
    #[error("a stored password cannot be used: {0}")]
    Unusable(String),
    /// The route names a directory that there is not.
    #[error("there is no directory {0}")]
    NoDirectory(Arc<str>),
    /// The directory cannot say now.
    #[error("{0}")]
    Directory(#[from] SearchError),
    /// So many hashes are being computed that this one did not have its turn in time.
    #[error("too many passwords are being checked")]
    Saturated,
}

impl Unverified {
    /// The name in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Wrong => "wrong-password",
            Self::Denied(_) => "denied",
            Self::Unusable(_) => "unusable-password",
            Self::NoDirectory(_) => "no-directory",
            Self::Directory(_) => "verify-directory",
            Self::Saturated => "verify-saturated",
        }
    }

    /// Whether asking again a moment later may bring another answer.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Directory(_) | Self::Saturated)
    }
}

impl Default for Verifier {
    fn default() -> Self {
        Self::new(Settings::default(), Metrics::default())
    }
}

impl Verifier {
    /// Nobody is verified yet.
    pub fn new(settings: Settings, metrics: Metrics) -> Self {
        let units = settings.memory / MEMORY_UNIT;
        let memory_units = u32::try_from(units).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 3);
        let permits = usize::try_from(memory_units).unwrap_or(1);
        Self(Arc::new(Shared {
            keyed: Keyed::new(),
            cache: Cache::new(settings.verified_for),
            threads: Arc::new(Semaphore::new(settings.threads.get())),
            memory: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))),
            memory_units,
            metrics,
            settings,
        }))
    }

    /// How long a password that was right is taken for right: `verified-for`.
    pub fn verified_for(&self) -> Duration {
        self.0.settings.verified_for
    }

    /// Counts a password that was not checked again, since it came with another request a short
    /// while ago: see [`Repeated`](crate::Repeated).
    pub fn spared(&self) {
        self.0.metrics.spared();
    }

    /// Checks `password` as `route` says, in the directory that it names; a route whose password
    /// the back end checks is not for here, and lets nobody in.
    ///
    /// Ends within the settings' time. Hashes that take long are computed on threads beside those
    /// with sockets.
    ///
    /// # Errors
    /// See [`Unverified`].
    pub async fn verify(
        &self,
        route: &Route,
        directory: Option<&Directory>,
        password: &Secret,
    ) -> Result<Verified, Unverified> {
        let started = Instant::now();
        let (how, principal) = match &route.verification {
            Verification::ByBind(principal) => ("bind", principal),
            Verification::ByPassword(principal) => ("password", principal),
            Verification::ByBackend => return Err(Unverified::Wrong),
        };
        let result = match directory {
            None => Err(Unverified::NoDirectory(principal.directory.clone())),
            // An empty password is a bind as nobody, which succeeds.
            Some(_) if password.is_empty() => Err(Unverified::Wrong),
            Some(directory) if how == "bind" && directory.takes_binds() => {
                self.by_bind(route, principal, directory, password, started).await
            }
            Some(directory) => {
                self.by_password(route, principal, directory, password, started).await
            }
        };
        let outcome = result.as_ref().map_or_else(Unverified::kind, |_| "right");
        self.0.metrics.verified(how, outcome, started.elapsed());
        result
    }

    /// Checks the answer to a challenge against the clear passwords of the entry, and hands out the one
    /// that it was made with.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify); [`Unverified::Unusable`] where none is stored in clear.
    pub async fn verify_challenge(
        &self,
        principal: &Principal,
        directory: Option<&Directory>,
        challenge: &Challenge<'_>,
    ) -> Result<Secret, Unverified> {
        let started = Instant::now();
        let result = self.by_challenge(principal, directory, challenge, started).await;
        let outcome = result.as_ref().map_or_else(Unverified::kind, |_| "right");
        self.0.metrics.verified("challenge", outcome, started.elapsed());
        result
    }

    async fn by_challenge(
        &self,
        principal: &Principal,
        directory: Option<&Directory>,
        challenge: &Challenge<'_>,
        started: Instant,
    ) -> Result<Secret, Unverified> {
        let directory =
            directory.ok_or_else(|| Unverified::NoDirectory(principal.directory.clone()))?;
        let (usable, unusable) =
            read(principal, directory, started + self.0.settings.timeout).await?;
        let clear = || usable.iter().filter_map(|stored| stored.password.clear());
        if let Some(password) = clear().find(|password| challenge.fits(password)) {
            return Ok(password.clone());
        }
        match (clear().next().is_some(), usable.is_empty(), unusable) {
            (true, ..) | (false, true, None) => Err(Unverified::Wrong),
            (false, true, Some(why)) => Err(Unverified::Unusable(why)),
            (false, false, _) => Err(Unverified::Unusable("it is not stored in clear".into())),
        }
    }

    async fn by_bind(
        &self,
        route: &Route,
        principal: &Principal,
        directory: &Directory,
        password: &Secret,
        started: Instant,
    ) -> Result<Verified, Unverified> {
        let print = self.print(route, password, &[]);
        if self.0.cache.knows(principal, print, started) {
            self.0.metrics.spared();
            return Ok(Verified { clear: None });
        }
        let deadline = started + self.0.settings.timeout;
        match directory.bind(&principal.dn, password, deadline).await? {
            BindAnswer::Right => {
                self.0.cache.note(principal, print, Instant::now());
                Ok(Verified { clear: None })
            }
            BindAnswer::Wrong => Err(Unverified::Wrong),
            BindAnswer::Denied(words) => {
                // Whatever was right before, this account is not to come in now.
                self.0.cache.forget(principal);
                Err(Unverified::Denied(words))
            }
        }
    }

    /// The stored values are read each time, so that a changed password counts at once; what is
    /// spared is the hash.
    async fn by_password(
        &self,
        route: &Route,
        principal: &Principal,
        directory: &Directory,
        password: &Secret,
        started: Instant,
    ) -> Result<Verified, Unverified> {
        let deadline = started + self.0.settings.timeout;
        let (mut usable, unusable) = read(principal, directory, deadline).await?;
        // What costs nothing first.
        usable.sort_by_key(|stored| stored.password.is_expensive());
        for Stored { value, password: stored } in usable {
            let clear = stored.clear().cloned();
            let print = self.print(route, password, value.expose());
            let expensive = stored.is_expensive();
            if expensive && self.0.cache.knows(principal, print, started) {
                self.0.metrics.spared();
                return Ok(Verified { clear });
            }
            if self.fits(stored, password, deadline).await? {
                if expensive {
                    self.0.cache.note(principal, print, Instant::now());
                }
                return Ok(Verified { clear });
            }
        }
        match unusable {
            Some(why) => Err(Unverified::Unusable(why)),
            None => Err(Unverified::Wrong),
        }
    }

    async fn fits(
        &self,
        stored: StoredPassword,
        password: &Secret,
        deadline: Instant,
    ) -> Result<bool, Unverified> {
        if !stored.is_expensive() {
            return Ok(stored.verify(password.expose()));
        }
        let Shared { threads, memory, memory_units, .. } = &*self.0;
        let units = stored.memory().div_ceil(MEMORY_UNIT);
        // A hash that may be computed at all is computed, if need be alone.
        let units = u32::try_from(units).unwrap_or(u32::MAX).clamp(1, *memory_units);
        let turn = async {
            let thread = threads.clone().acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>((
                thread,
                memory.clone().acquire_many_owned(units).await?,
            ))
        };
        let turn = timeout_at(deadline, turn).await.map_err(|_| Unverified::Saturated)?;
        let turn = turn.map_err(|_| Unverified::Saturated)?;
        let password = password.clone();
        let hashing = spawn_blocking(move || {
            // Held until the hash is there, whoever still waits for it.
            let _turn = turn;
            stored.verify(password.expose())
        });
        match timeout_at(deadline, hashing).await {
            Ok(Ok(fits)) => Ok(fits),
            Ok(Err(_)) | Err(_) => Err(Unverified::Saturated),
        }
    }

    /// Stands for a password that was right for a route and a stored value.
    fn print(&self, route: &Route, password: &Secret, stored: &[u8]) -> Print {
        let mut hash = DefaultHasher::new();
        route.hash(&mut hash);
        let route = hash.finish().to_be_bytes();
        self.0.keyed.print([&route[..], password.expose(), stored])
    }
}

/// A stored value, and what it is.
struct Stored {
    value: Secret,
    password: StoredPassword,
}

/// The values of the entry's password field: those that are usable, and why another is not.
async fn read(
    principal: &Principal,
    directory: &Directory,
    deadline: Instant,
) -> Result<(Vec<Stored>, Option<String>), Unverified> {
    let values = directory.passwords(&principal.dn, deadline).await?;
    let mut usable = Vec::with_capacity(values.len());
    let mut unusable = None;
    for value in values {
        match StoredPassword::parse(value.expose(), directory.bare_passwords()) {
            Ok(password) => usable.push(Stored { value, password }),
            Err(why) => unusable = Some(why.to_string()),
        }
    }
    Ok((usable, unusable))
}
