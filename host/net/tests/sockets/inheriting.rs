#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::TcpListener as StdListener;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::net::TcpStream;
use waypost_net::Metrics;
use waypost_net::limits::Limits;
use waypost_net::listener::{BindError, Bound, Inherited, Listener, ListenerSettings, bind};

use crate::support::{in_prepared_child, settings, soon};

fn bind_with(inherited: Inherited, settings: ListenerSettings) -> Result<Bound, BindError> {
    let workers = NonZeroUsize::new(2).unwrap();
    let limits = Limits::new(100);
    bind(&[Arc::new(settings)], workers, inherited, &limits, &Metrics::default())
}

fn inherited(name: Option<&str>, socket: &StdListener) -> Inherited {
    let socket = socket.try_clone().unwrap();
    Inherited::from_sockets([(name.map(str::to_owned), socket)]).unwrap()
}

/// Each worker accepts from the socket that all of them share.
async fn works(bound: Bound) {
    for sockets in bound.workers {
        assert_eq!(sockets.len(), 1);
        let address = sockets[0].address();
        for socket in sockets {
            let listener = Listener::new(socket).unwrap();
            let client = TcpStream::connect(address).await.unwrap();
            let accepted = soon(listener.accept()).await;
            assert_eq!(accepted.peer(), client.local_addr().unwrap());
        }
    }
}

#[tokio::test]
async fn a_socket_that_bears_the_listeners_name_stands_for_its_addresses() {
    let socket = StdListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let bound =
        bind_with(inherited(Some("imap"), &socket), settings("imap", &["203.0.113.1:1"])).unwrap();
    assert!(bound.own.contains(socket.local_addr().unwrap()));
    works(bound).await;
}

#[tokio::test]
async fn a_socket_with_a_configured_address_is_taken_for_it() {
    let socket = StdListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    for name in [None, Some("waypost.socket")] {
        let bound = bind_with(inherited(name, &socket), settings("imap", &[&address])).unwrap();
        works(bound).await;
    }
}

#[test]
fn a_socket_that_no_listener_wants_is_an_error() {
    let socket = StdListener::bind("127.0.0.1:0").unwrap();
    let error = bind_with(inherited(Some("pop3"), &socket), settings("imap", &["127.0.0.1:0"]));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("(pop3)") && error.contains("no listener"), "{error}");
}

/// Starts the test binary as a service manager would: the socket as descriptor 3, the number and
/// the name in the environment.
fn as_a_service(command: &mut Command, socket: StdListener, pid: &str) {
    let mut shell = Command::new("/bin/sh");
    let script = format!(
        "exec 3<&0 </dev/null; export LISTEN_PID={pid} LISTEN_FDS=1 LISTEN_FDNAMES=imap; \
         exec \"$0\" \"$@\""
    );
    shell.arg("-c").arg(script).arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    shell.stdin(Stdio::from(OwnedFd::from(socket)));
    *command = shell;
}

#[test]
fn the_service_managers_sockets_are_found() {
    let socket = StdListener::bind("127.0.0.1:0").unwrap();
    in_prepared_child(
        "inheriting::the_service_managers_sockets_are_found",
        |command| as_a_service(command, socket, "$$"),
        || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let inherited = Inherited::from_service_manager().unwrap();
                works(bind_with(inherited, settings("imap", &[])).unwrap()).await;
                // They are handed out once.
                let again = Inherited::from_service_manager().unwrap();
                assert!(bind_with(again, settings("imap", &[])).is_err());
            });
        },
    );
}

#[test]
fn sockets_meant_for_another_process_are_left_alone() {
    let socket = StdListener::bind("127.0.0.1:0").unwrap();
    in_prepared_child(
        "inheriting::sockets_meant_for_another_process_are_left_alone",
        |command| as_a_service(command, socket, "1"),
        || {
            let inherited = Inherited::from_service_manager().unwrap();
            let error = bind_with(inherited, settings("imap", &[])).unwrap_err();
            assert!(matches!(error, BindError::Nowhere { .. }), "{error}");
        },
    );
}

#[test]
fn a_descriptor_that_does_not_listen_is_an_error_with_its_number() {
    let socket = StdListener::bind("127.0.0.1:0").unwrap();
    in_prepared_child(
        "inheriting::a_descriptor_that_does_not_listen_is_an_error_with_its_number",
        |command| {
            as_a_service(command, socket, "$$");
            command.stdin(Stdio::null());
        },
        || {
            let error = Inherited::from_service_manager().unwrap_err().to_string();
            assert!(error.contains("descriptor 3 (imap)"), "{error}");
        },
    );
}
