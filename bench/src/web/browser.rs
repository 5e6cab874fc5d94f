//! As much of a browser as it takes to be remembered.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

/// Gives the identifier-first page this address, and opens the back end once, so that there is
/// nothing new to be remembered any more. The field with the route cookie.
pub(super) fn cookie(server: SocketAddr, tls: bool, address: &str) -> anyhow::Result<String> {
    let form = format!("address={address}");
    let identified = ask(
        server,
        tls,
        &format!(
            "POST /.waypost/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ),
    )?;
    let first = set_cookie(&identified)?;
    let opened = ask(
        server,
        tls,
        &format!(
            "GET /1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {first}\r\n\r\n"
        ),
    )?;
    ensure!(opened.starts_with("HTTP/1.1 200"), "{opened}");
    Ok(format!("cookie: {}", set_cookie(&opened)?))
}

/// The whole answer to a request that ends its connection.
fn ask(server: SocketAddr, tls: bool, request: &str) -> anyhow::Result<String> {
    let mut tcp = TcpStream::connect(server)?;
    let mut answer = String::new();
    if tls {
        let config = Arc::new(crate::client::tls_config()?);
        let connection = ClientConnection::new(config, ServerName::try_from("localhost")?)?;
        let mut stream = StreamOwned::new(connection, tcp);
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)?;
    } else {
        tcp.write_all(request.as_bytes())?;
        tcp.read_to_string(&mut answer)?;
    }
    Ok(answer)
}

/// Name and value of the cookie that an answer sets.
fn set_cookie(answer: &str) -> anyhow::Result<&str> {
    let mut lines = answer.lines();
    let field = lines.find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = field.and_then(|field| field.split(';').next());
    cookie.with_context(|| format!("nothing is remembered: {answer}"))
}
