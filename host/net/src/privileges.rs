//! What the process may do and how much of it: its descriptors, its user, its core dumps.
//!
//! The order at start: [`raise_descriptor_limit`] and [`capacity`] before anything is bound, then
//! [`bind`](crate::listener::bind), then [`Identity::assume`], then [`forbid_core_dumps`], since
//! changing the user resets what that sets.

use std::ffi::CString;
use std::io;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, getegid, geteuid, getgrouplist, setgroups, setresgid, setresuid,
};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use thiserror::Error;

/// Descriptors that are kept for everything but sessions: listening sockets, directories, name
/// resolution, runtimes, pipes, logs.
pub const RESERVED_DESCRIPTORS: u64 = 256;
/// A session holds one towards the client and one towards the back end.
const DESCRIPTORS_PER_CONNECTION: u64 = 2;

/// The configured connections do not fit the descriptors.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "max-connections of all listeners together is {wanted}, which takes {needed} descriptors, and \
     this process may open {descriptors}; raise LimitNOFILE to {needed} or lower max-connections \
     to {carried}"
)]
pub struct TooManyConnections {
    /// The sum over the listeners.
    pub wanted: u64,
    /// What it takes.
    pub needed: u64,
    /// What there is.
    pub descriptors: u64,
    /// How many connections that carries.
    pub carried: u32,
}

/// Raises the limit on open descriptors as far as it goes: to the hard limit, and beyond it to
/// `wanted` where the process may (`CAP_SYS_RESOURCE`). Returns what it is now.
///
/// # Errors
/// When the system refuses even the hard limit, which it has no reason to.
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    if wanted > hard {
        let raised = Rlimit { current: Some(wanted), maximum: Some(wanted) };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            return Ok(wanted);
        }
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(hard)
}

/// The descriptors that so many connections take, everything else included.
pub fn descriptors_for(connections: u64) -> u64 {
    connections.saturating_mul(DESCRIPTORS_PER_CONNECTION).saturating_add(RESERVED_DESCRIPTORS)
}

/// How many connections `descriptors` carry: the process's own limit, which listeners without a
/// `max-connections` share with all others.
///
/// # Errors
/// When the numbers that listeners were given do not fit together.
pub fn capacity(
    descriptors: u64,
    max_connections: impl IntoIterator<Item = u32>,
) -> Result<u32, TooManyConnections> {
    let carried = descriptors.saturating_sub(RESERVED_DESCRIPTORS) / DESCRIPTORS_PER_CONNECTION;
    let carried = u32::try_from(carried).unwrap_or(u32::MAX);
    let wanted: u64 = max_connections.into_iter().map(u64::from).sum();
    if wanted > carried.into() {
        let needed = descriptors_for(wanted);
        return Err(TooManyConnections { wanted, needed, descriptors, carried });
    }
    Ok(carried)
}

/// Keeps what is in memory, passwords among it, out of files: no core dump, and no other process
/// of the same user may attach or read `/proc/PID/mem` (prctl(2), `PR_SET_DUMPABLE`).
///
/// It also makes the files in `/proc/self` root's, so whatever is to be opened there is opened
/// before.
pub fn forbid_core_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Whether the process is root's and should become somebody else.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// A user and groups to run as, looked up while that is still possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
    name: String,
}

/// Why the process cannot become another user. The text says what to do.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// `user` in the configuration.
    #[error("there is no user `{0}`; create it (useradd --system {0}) or name another")]
    NoUser(String),
    /// `group` in the configuration.
    #[error("there is no group `{0}`; create it (groupadd --system {0}) or name another")]
    NoGroup(String),
    /// Only root can.
    #[error("only root can become the user `{0}`; start as root, or start as that user")]
    NotRoot(String),
    /// To root, from root.
    #[error("`user` is root, which keeps every privilege; name an unprivileged user")]
    Root,
    /// The privileges are gone for a moment only.
    #[error("root's privileges could be taken back after they were dropped")]
    Regained,
    /// The system's own word.
    #[error("{call}: {source}")]
    System {
        /// What was called.
        call: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

fn failed(call: &'static str) -> impl Fn(Errno) -> PrivilegeError {
    move |errno| PrivilegeError::System { call, source: errno.into() }
}

impl Identity {
    /// Looks up a user by name or number, and a group where it is not to be the user's own. The
    /// user's further groups come along, such as the one that may read the certificates' keys.
    pub fn lookup(user: &str, group: Option<&str>) -> Result<Self, PrivilegeError> {
        let found = match user.parse() {
            Ok(number) => User::from_uid(Uid::from_raw(number)),
            Err(_) => User::from_name(user),
        };
        let found = found.map_err(failed("getpwnam"))?;
        let found = found.ok_or_else(|| PrivilegeError::NoUser(user.to_owned()))?;
        let group = match group {
            None => found.gid,
            Some(name) => {
                let group = match name.parse() {
                    Ok(number) => Group::from_gid(Gid::from_raw(number)),
                    Err(_) => Group::from_name(name),
                };
                let group = group.map_err(failed("getgrnam"))?;
                group.ok_or_else(|| PrivilegeError::NoGroup(name.to_owned()))?.gid
            }
        };
        let name = CString::new(found.name.clone())
            .map_err(|_| PrivilegeError::NoUser(user.to_owned()))?;
        let groups = getgrouplist(&name, group).map_err(failed("getgrouplist"))?;
        Ok(Self { user: found.uid, group, groups, name: found.name })
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes the process this user, for good. Every thread of it, since the C library passes the
    /// change on to all (nptl(7)), though there is no reason to have any before.
    ///
    /// Does nothing where the process is this user's already.
    ///
    /// # Errors
    /// The process must end then: it may have dropped a part.
    pub fn assume(&self) -> Result<(), PrivilegeError> {
        if self.user.is_root() {
            return Err(PrivilegeError::Root);
        }
        if !geteuid().is_root() {
            let already = geteuid() == self.user && getegid() == self.group;
            return if already { Ok(()) } else { Err(PrivilegeError::NotRoot(self.name.clone())) };
        }
        // Groups first, while there is the right to change them; the user last.
        setgroups(&self.groups).map_err(failed("setgroups"))?;
        setresgid(self.group, self.group, self.group).map_err(failed("setresgid"))?;
        setresuid(self.user, self.user, self.user).map_err(failed("setresuid"))?;
        let root = Uid::from_raw(0);
        if setresuid(root, root, root).is_ok() {
            return Err(PrivilegeError::Regained);
        }
        Ok(())
    }
}
