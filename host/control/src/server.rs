use std::fs::{self, Permissions};
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::process::{Uid, geteuid};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::message::{Answer, MAX_ANSWER, MAX_REQUEST, Request, line};

/// Commands that may be under way at the same time; whoever comes then is told so.
const MAX_CONNECTIONS: usize = 16;
/// For how long a client may take to send its request.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// For how long a command may take until its client is let go. It goes on by itself.
const COMMAND_TIME: Duration = Duration::from_secs(600);
/// For how long a client may take to take its answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// How long to wait when the system gives no connection.
const PAUSE: Duration = Duration::from_millis(100);

/// What commands do.
pub trait Commands: Send + Sync + 'static {
    /// Does what is asked. Goes on to its end even if whoever asked hangs up; several may be under
    /// way at the same time.
    fn run(&self, request: Request) -> impl Future<Output = Answer> + Send;
}

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another process answers there.
    #[error("another process serves the control socket {}", .0.display())]
    InUse(PathBuf),
    /// Something else has the name.
    #[error("{} exists and is no socket; remove it or choose another path", .0.display())]
    NoSocket(PathBuf),
    /// The system refuses.
    #[error(
        "the control socket {} cannot be bound: {error}; the user who serves must be able to write \
         to its folder",
        path.display()
    )]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// A bound control socket. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    listener: net::UnixListener,
}

impl Server {
    /// Binds the socket as who serves, with mode 0600. What an ended process has left behind at
    /// `path` is replaced; the socket of a living one, or a file of another kind, is not.
    ///
    /// # Errors
    /// Whatever stands against it, for the operator.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let failed = |error| BindError::Io { path: path.into(), error };
        clear(path)?;
        let listener = net::UnixListener::bind(path).map_err(failed)?;
        let server = Self { path: path.into(), listener };
        // Whoever connects before this is asked who he is, as everybody is.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        server.listener.set_nonblocking(true).map_err(failed)?;
        Ok(server)
    }

    /// What stands against [`bind`](Self::bind) at `path`, found without changing anything. A living
    /// process that serves it does not.
    ///
    /// # Errors
    /// What `bind` would end in.
    pub fn look(path: &Path) -> Result<(), BindError> {
        let failed = |error| BindError::Io { path: path.into(), error };
        is_left_behind(path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|errno| failed(errno.into()))
    }

    /// Answers commands until it is dropped. Needs a runtime with I/O and time.
    ///
    /// # Errors
    /// When the runtime does not take the socket.
    pub async fn serve(self, commands: impl Commands) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let commands = Arc::new(commands);
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            // One place more answers those who find none.
            let Ok(place) = places.clone().try_acquire_owned() else {
                answer(stream, &Answer::Refused("too many commands are under way".into())).await;
                continue;
            };
            let commands = commands.clone();
            tokio::spawn(async move {
                converse(stream, commands).await;
                drop(place);
            });
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The folder may be gone, or nobody's to write any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes room for a socket.
fn clear(path: &Path) -> Result<(), BindError> {
    if !is_left_behind(path)? {
        return Ok(());
    }
    if net::UnixStream::connect(path).is_ok() {
        return Err(BindError::InUse(path.into()));
    }
    fs::remove_file(path).map_err(|error| BindError::Io { path: path.into(), error })
}

/// Whether there is a socket of this name already.
fn is_left_behind(path: &Path) -> Result<bool, BindError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok(true),
        Ok(_) => Err(BindError::NoSocket(path.into())),
        Err(_) => Ok(false),
    }
}

/// One connection: who is it, what is asked, what comes of it.
async fn converse(mut stream: UnixStream, commands: Arc<impl Commands>) {
    let peer = stream.peer_cred().map(|peer| peer.uid());
    if !peer.as_ref().is_ok_and(|peer| may_command(*peer, geteuid())) {
        tracing::warn!(target: "waypost::control", ?peer, "a stranger at the control socket");
        return answer(stream, &Answer::Refused("only root and who serves may ask".into())).await;
    }
    let request = match timeout(REQUEST_TIME, read(&mut stream)).await {
        Ok(Ok(Some(request))) => request,
        // Somebody looks whether anybody is there.
        Ok(Ok(None)) => return,
        Ok(Err(wrong)) => return answer(stream, &Answer::Refused(wrong)).await,
        Err(_) => {
            return answer(stream, &Answer::Refused("the request did not come".into())).await;
        }
    };
    let name: String = request.command.escape_default().take(64).collect();
    tracing::info!(target: "waypost::control", command = name, uid = peer.ok(), "asked");
    let command = tokio::spawn(async move { commands.run(request).await });
    let done = match timeout(COMMAND_TIME, command).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Answer::Refused("the command failed unexpectedly; the log says more".into()),
        Err(_) => {
            Answer::Refused("the command takes long; it goes on, and the log says how".into())
        }
    };
    answer(stream, &done).await;
}

/// Whether a process of user `peer` may command one of user `own`.
fn may_command(peer: u32, own: Uid) -> bool {
    peer == Uid::ROOT.as_raw() || peer == own.as_raw()
}

/// The request, `None` when nothing comes, or what is wrong with it.
async fn read(stream: &mut UnixStream) -> Result<Option<Request>, String> {
    let mut octets = Vec::new();
    // Longer than the longest by one, so that it shows.
    let limited = stream.take(MAX_REQUEST as u64 + 1);
    let read = BufReader::new(limited).read_until(b'\n', &mut octets).await;
    read.map_err(|error| format!("the request cannot be read: {error}"))?;
    if octets.is_empty() {
        return Ok(None);
    }
    if octets.len() > MAX_REQUEST {
        return Err("the request is too long".into());
    }
    if !octets.ends_with(b"\n") {
        return Err("the request ends without a line end".into());
    }
    let request = serde_json::from_slice(&octets);
    request.map(Some).map_err(|error| format!("this is no request: {error}"))
}

/// Sends an answer, and waits until it is taken, but not for long.
async fn answer(mut stream: UnixStream, answer: &Answer) {
    let sent = line(answer).ok().filter(|line| line.len() <= MAX_ANSWER);
    let too_long = || line(&Answer::Refused("the answer is too long".into())).unwrap_or_default();
    let octets = sent.unwrap_or_else(too_long);
    let sending = async {
        stream.write_all(&octets).await?;
        stream.shutdown().await
    };
    // Who does not take it has gone.
    let _ = timeout(ANSWER_TIME, sending).await;
}

#[cfg(test)]
mod tests {
    use rustix::process::Uid;

    use super::may_command;

    #[test]
    fn root_and_who_serves_may_command() {
        let serves = Uid::from_raw(990);
        assert!(may_command(0, serves));
        assert!(may_command(990, serves));
        assert!(!may_command(991, serves));
        assert!(!may_command(u32::MAX, serves));
        assert!(!may_command(990, Uid::ROOT));
    }
}
