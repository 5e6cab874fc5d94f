use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// More than any command that these back ends understand.
const MAX_LINE: usize = 64 * 1024;

/// A connection read by lines and written by whole replies.
#[derive(Debug)]
pub(crate) struct Lines {
    stream: BufReader<TcpStream>,
}

impl Lines {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).ok();
        Self { stream: BufReader::new(stream) }
    }

    /// The next line without its end; `None` when the client has gone.
    pub(crate) async fn next(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        (&mut self.stream).take(MAX_LINE as u64).read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            return Ok(None);
        }
        line.pop_if(|byte| *byte == b'\r');
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    /// The next `count` bytes: an IMAP literal (RFC 3501 section 4.3).
    pub(crate) async fn exactly(&mut self, count: usize) -> io::Result<String> {
        if count > MAX_LINE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) async fn write(&mut self, reply: &str) -> io::Result<()> {
        self.stream.write_all(reply.as_bytes()).await
    }
}
