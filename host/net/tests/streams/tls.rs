//! TLS as clients and back ends see it.

use crate::support::{pattern, read_to_end, tls_pair};

#[tokio::test]
async fn bytes_pass_both_ways_and_each_way_closes_by_itself() {
    let (mut client, mut server) = tls_pair().await;
    let bytes = pattern(300_000);
    let up = async {
        client.write_all(&bytes).await.unwrap();
        client.shutdown().await.unwrap();
        read_to_end(&mut client).await.unwrap()
    };
    let down = async {
        let received = read_to_end(&mut server).await.unwrap();
        server.write_all(&received).await.unwrap();
        server.shutdown().await.unwrap();
    };
    let (echoed, ()) = tokio::join!(up, down);
    assert!(echoed == bytes);
}
