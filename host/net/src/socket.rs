//! The options that every TCP connection gets, whichever side opened it.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// A connection that is silent for so long is asked whether its peer is still there. Below the
/// five minutes after which many NATs forget, so that an idle session outlives them.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(240);
/// How long each question waits for its answer.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How many questions stay unanswered until the connection is dead.
const KEEP_ALIVE_PROBES: u32 = 5;

/// Sends small writes at once and finds dead peers. On a listening socket Linux hands these options
/// down to every connection that it accepts, which saves four system calls for each.
pub(crate) fn tune(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE_IDLE)
        .with_interval(KEEP_ALIVE_INTERVAL)
        .with_retries(KEEP_ALIVE_PROBES);
    socket.set_tcp_keepalive(&keep_alive)?;
    socket.set_tcp_nodelay(true)
}
