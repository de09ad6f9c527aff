//! Bytes on a webhook's port, below HTTP: for requests that no client library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::ByteString;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A connection, over TLS or not. It blocks.
pub struct Wire {
    stream: Box<dyn Stream>,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Wire {
    /// Without TLS. Whoever reads waits for so long at most.
    pub fn plain(port: u16, patience: Duration) -> Result<Self> {
        Ok(Self { stream: Box::new(connect(port, patience)?) })
    }

    /// Over TLS that these CAs vouch for, as a client that speaks HTTP/1.1.
    pub fn tls(port: u16, bundle: &ByteString, patience: Duration) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for ca in CertificateDer::pem_slice_iter(&bundle.0) {
            roots.add(ca?)?;
        }
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
        let connection = ClientConnection::new(Arc::new(config), name)?;
        let mut stream = StreamOwned::new(connection, connect(port, patience)?);
        // The handshake.
        stream.flush()?;
        Ok(Self { stream: Box::new(stream) })
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)?;
        Ok(self.stream.flush()?)
    }

    /// One answer, which has to say how long it is; the connection stays open.
    pub fn answer(&mut self) -> Result<String> {
        let mut received = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&received);
            let length = text.split_once("\r\n\r\n").map(|(head, body)| {
                let mut lines = head.lines().filter_map(|line| line.split_once(": "));
                let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
                (length.and_then(|(_, length)| length.parse().ok()), body.len())
            });
            match length {
                Some((None, _)) => bail!("an answer without a length: {text}"),
                Some((Some(whole), length)) if length >= whole => return Ok(text.into_owned()),
                _ => {}
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer)? {
                0 => bail!("the connection ended before an answer"),
                length => received.extend(&buffer[..length]),
            }
        }
    }

    /// Waits until the server ends the connection, and gives what it has sent before.
    pub fn closed(mut self) -> Result<Vec<u8>> {
        let mut received = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(received),
                Ok(length) => received.extend(&buffer[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    bail!("the server keeps the connection open")
                }
                // An end without goodbye.
                Err(_) => return Ok(received),
            }
        }
    }
}

fn connect(port: u16, patience: Duration) -> Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("nobody listens")?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}
