//! The floor: what a relay costs that knows no protocol, sets no timers and asks nobody.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// `certificate` names a PEM file with chain and key; with it the client's leg is TLS.
pub(crate) async fn serve(
    listen: SocketAddr,
    target: SocketAddr,
    certificate: Option<PathBuf>,
) -> anyhow::Result<()> {
    let acceptor = certificate.map(acceptor).transpose()?;
    let listener = TcpListener::bind(listen).await?;
    crate::client::raise_descriptor_limit()?;
    println!("ready");
    loop {
        let (client, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            client.set_nodelay(true)?;
            let mut backend = TcpStream::connect(target).await?;
            backend.set_nodelay(true)?;
            match acceptor {
                Some(acceptor) => {
                    let mut client = acceptor.accept(client).await?;
                    copy_bidirectional(&mut client, &mut backend).await
                }
                None => {
                    let mut client = client;
                    copy_bidirectional(&mut client, &mut backend).await
                }
            }
        });
    }
}

fn acceptor(file: PathBuf) -> anyhow::Result<TlsAcceptor> {
    let pem = fs::read(file)?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&pem)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
