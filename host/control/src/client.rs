use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::message::{Answer, MAX_ANSWER, Request, line};

/// For how long the process may take to take a request.
const SENDING: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody serves there.
    #[error(
        "nobody listens at {}: does waypost run, and has it had this `control` since its start?",
        .0.display()
    )]
    Nobody(PathBuf),
    /// The system does not let this user in.
    #[error("{} may be used by root and by the user who serves only", .0.display())]
    Forbidden(PathBuf),
    /// It took too long.
    #[error("no answer within {} s; the command may still be under way", .0.as_secs())]
    Patience(Duration),
    /// What came back is none.
    #[error("what answers at {} is not waypost: {reason}", path.display())]
    Garbage {
        /// The socket.
        path: PathBuf,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The connection.
    #[error("{}: {error}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Sends a request to the process that serves the socket at `path`, and waits for its answer for
/// as long as `patience` lasts. Blocks.
///
/// # Errors
/// When there is no answer. The process may have done what it was asked all the same, unless there
/// was [nobody](AskError::Nobody).
pub fn ask(path: &Path, request: &Request, patience: Duration) -> Result<Answer, AskError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::Nobody(path.into()),
        io::ErrorKind::PermissionDenied => AskError::Forbidden(path.into()),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::Patience(patience),
        _ => AskError::Io { path: path.into(), error },
    };
    let garbage = |reason: String| AskError::Garbage { path: path.into(), reason };
    let request = line(request).map_err(|error| garbage(error.to_string()))?;
    let ends = Instant::now().checked_add(patience);
    let mut stream = UnixStream::connect(path).map_err(failed)?;
    stream.set_write_timeout(Some(SENDING)).map_err(failed)?;
    match stream.write_all(&request) {
        // Who has no time for a request says so before it is there.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        sent => sent.map_err(failed)?,
    }

    let mut answer = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    while !answer.ends_with(b"\n") {
        let left = ends.map(|ends| ends.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(AskError::Patience(patience));
        }
        stream.set_read_timeout(left).map_err(failed)?;
        let read = stream.read(&mut buffer).map_err(failed)?;
        answer.extend_from_slice(buffer.get(..read).unwrap_or_default());
        if read == 0 {
            return Err(garbage("the connection ended before its answer".into()));
        }
        if answer.len() > MAX_ANSWER {
            return Err(garbage("its answer has no end".into()));
        }
    }
    serde_json::from_slice(&answer).map_err(|error| garbage(error.to_string()))
}
