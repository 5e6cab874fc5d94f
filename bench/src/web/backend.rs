//! A null back end for requests without a body: its answer is as long as the path says, `/1024`.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::backend::serve_each;

pub(crate) async fn serve(address: SocketAddr) -> anyhow::Result<()> {
    serve_each(address, converse).await
}

async fn converse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut unread = Vec::new();
    let mut answer = Vec::new();
    loop {
        while let Some(end) = unread.windows(4).position(|octets| octets == b"\r\n\r\n") {
            answer.clear();
            write_answer(&mut answer, length(&unread));
            stream.write_all(&answer).await?;
            unread.drain(..end + 4);
        }
        if stream.read_buf(&mut unread).await? == 0 {
            return Ok(());
        }
    }
}

/// `GET /1024 HTTP/1.1` asks for so many octets.
fn length(head: &[u8]) -> usize {
    let path = head.split(|octet| *octet == b' ').nth(1).unwrap_or_default();
    let digits = str::from_utf8(path.strip_prefix(b"/").unwrap_or_default());
    digits.ok().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

fn write_answer(answer: &mut Vec<u8>, length: usize) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: private\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    answer.extend_from_slice(head.as_bytes());
    answer.resize(answer.len() + length, b'x');
}
