use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A way between Waypost and a back end on which a test may have accidents.
#[derive(Debug)]
pub(crate) struct FaultyWay {
    address: SocketAddr,
    fault: Arc<Mutex<Fault>>,
}

/// What happens to each connection that is opened from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Both sides see it end after so many octets to the server.
    CutAfter(usize),
    /// So many octets go to the server, and no more, until the fault is another.
    StallAfter(usize),
    /// The final dot goes to the server; its reply never comes back: the connection ends instead.
    LoseReply,
    /// The final dot goes to the server; its reply comes back so much later.
    DelayReply(Duration),
}

impl FaultyWay {
    /// Opens one at `address` that leads to `server`.
    pub fn open(address: SocketAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let fault = Arc::new(Mutex::new(Fault::None));
        let shared = fault.clone();
        // It lives as long as the process of all tests; its ports are nobody else's.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || carry(client, server, &shared));
            }
        });
        Self { address, fault }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has connections suffer this from now on; a stalled one goes on.
    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

fn carry(client: TcpStream, server: SocketAddr, shared: &Mutex<Fault>) {
    let fault = *shared.lock().unwrap();
    // A server that is not there is one that closes at once.
    let Ok(server) = TcpStream::connect(server) else { return };
    let is_over = Arc::new(AtomicBool::new(false));
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let dot = is_over.clone();
    thread::spawn(move || {
        let mut octets = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut octets) {
            match fault {
                Fault::LoseReply if dot.load(Ordering::SeqCst) => break,
                Fault::DelayReply(time) if dot.swap(false, Ordering::SeqCst) => thread::sleep(time),
                _ => {}
            }
            if to.write_all(&octets[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
    there(client, server, fault, shared, &is_over);
}

/// Carries what the client says to the server; `is_over` says that the final dot was among it, and its
/// reply is still to come.
fn there(
    mut client: TcpStream,
    mut server: TcpStream,
    fault: Fault,
    shared: &Mutex<Fault>,
    is_over: &AtomicBool,
) {
    let mut octets = [0; 16 * 1024];
    let mut tail = Vec::new();
    let mut passed = 0;
    while let Ok(length @ 1..) = client.read(&mut octets) {
        let octets = &octets[..length];
        let limit = match fault {
            Fault::CutAfter(limit) | Fault::StallAfter(limit) => limit,
            Fault::None | Fault::LoseReply | Fault::DelayReply(_) => usize::MAX,
        };
        let fitting = octets.len().min(limit.saturating_sub(passed));
        if matches!(fault, Fault::LoseReply | Fault::DelayReply(_)) {
            tail.extend_from_slice(octets);
            tail.drain(..tail.len().saturating_sub(5));
            if tail == b"\r\n.\r\n" {
                is_over.store(true, Ordering::SeqCst);
            }
        }
        if server.write_all(&octets[..fitting]).is_err() {
            break;
        }
        passed += fitting;
        if fitting == octets.len() {
            continue;
        }
        if matches!(fault, Fault::CutAfter(_)) {
            break;
        }
        while *shared.lock().unwrap() == fault {
            thread::sleep(Duration::from_millis(20));
        }
        if server.write_all(&octets[fitting..]).is_err() {
            break;
        }
    }
    if is_over.load(Ordering::SeqCst) {
        // Who lost the reply has closed, or the reply is still to come: then the other way closes.
        return;
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
