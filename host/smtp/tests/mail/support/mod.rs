//! A Waypost around the real driver, with scripted policies, scripted back ends and clients that say
//! what a test wants.

mod back_end;
pub(crate) mod child;
mod client;
mod house;
mod policy;

pub(crate) use back_end::{BackEnd, Content, Do, Ways};
pub(crate) use client::Client;
pub(crate) use house::{House, Plan, Spooling};
pub(crate) use policy::{Answer, identity, to};

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;

/// Nobody listens here.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// Waits until something holds, for as long as a test may wait.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come to it: {what}");
}
