use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The way to a server, on which every octet that is said to it is written down.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    said: Vec<u8>,
    connections: usize,
}

impl Recorder {
    /// Opens ways, from an address to a server each, with one record for all of them.
    pub fn open(ways: &[(SocketAddr, SocketAddr)]) -> Self {
        let record = Arc::new(Mutex::new(Record::default()));
        for (address, server) in ways.iter().copied() {
            let listener = TcpListener::bind(address).unwrap();
            let record = record.clone();
            // It lives as long as the process of all tests; its ports are nobody else's.
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    record.lock().unwrap().connections += 1;
                    let record = record.clone();
                    thread::spawn(move || carry(client, server, &record));
                }
            });
        }
        Self(record)
    }

    /// Everything that was said so far.
    pub fn said(&self) -> Vec<u8> {
        self.0.lock().unwrap().said.clone()
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> usize {
        self.0.lock().unwrap().connections
    }
}

fn carry(mut client: TcpStream, server: SocketAddr, record: &Mutex<Record>) {
    // A server that is not there is one that closes at once.
    let Ok(mut server) = TcpStream::connect(server) else { return };
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut octets = [0; 16 * 1024];
    while let Ok(length @ 1..) = client.read(&mut octets) {
        record.lock().unwrap().said.extend_from_slice(&octets[..length]);
        if server.write_all(&octets[..length]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}
