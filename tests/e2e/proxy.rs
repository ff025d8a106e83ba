//! A mock HTTP proxy: forwards and tunnels, records its requests, and can require a password.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A proxy on loopback.
pub struct Proxy {
    address: SocketAddr,
    server: Arc<Server>,
    accept_thread: Option<JoinHandle<()>>,
}

/// State shared by the threads.
struct Server {
    /// The required `Proxy-Authorization`; `None` accepts everybody.
    key: Option<&'static str>,
    requests: Mutex<Vec<String>>,
    is_closed: AtomicBool,
}

impl Proxy {
    /// Listens. `key` is the required value of the header `Proxy-Authorization`, if any.
    pub fn open(key: Option<&'static str>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Arc::new(Server { key, requests: Mutex::default(), is_closed: AtomicBool::new(false) });
        let accepting = Arc::clone(&server);
        let accept_thread = std::thread::spawn(move || {
            while let Ok((connection, _)) = listener.accept() {
                if accepting.is_closed.load(Ordering::SeqCst) {
                    return;
                }
                let server = Arc::clone(&accepting);
                // A broken connection is reported by the other side.
                std::thread::spawn(move || server.handle(connection).ok());
            }
        });
        Self { address, server, accept_thread: Some(accept_thread) }
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The method and the target of each request so far.
    pub fn requests(&self) -> Vec<String> {
        self.server.requests.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.is_closed.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        TcpStream::connect(self.address).ok();
        if let Some(accept_thread) = self.accept_thread.take() {
            accept_thread.join().ok();
        }
    }
}

impl Server {
    /// Serves one request, then closes the connection.
    fn handle(&self, mut client: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let head = head(&mut reader)?;
        let (request, headers) = head.split_once("\r\n").unwrap_or_default();
        let header = |name: &str| {
            headers.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        let mut body = vec![0; header("content-length").map_or(0, |(_, length)| length.parse().unwrap())];
        reader.read_exact(&mut body)?;
        let mut words = request.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        self.requests.lock().unwrap().push(format!("{method} {target}"));
        if self.key.is_some_and(|key| header("proxy-authorization").is_none_or(|(_, given)| given != key)) {
            return client.write_all(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\
                  Connection: close\r\nContent-Length: 0\r\n\r\n",
            );
        }
        if method == "CONNECT" {
            let server = TcpStream::connect(target)?;
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            return tunnel(client, server);
        }
        // A proxy gets the absolute form.
        let (host, path) = target.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap_or_default();
        let mut server = TcpStream::connect(host)?;
        let kept: String = headers
            .lines()
            .filter(|line| !line.to_ascii_lowercase().starts_with("proxy-"))
            .map(|line| format!("{line}\r\n"))
            .collect();
        server.write_all(format!("{method} /{path} HTTP/1.1\r\n{kept}\r\n").as_bytes())?;
        server.write_all(&body)?;
        server.shutdown(Shutdown::Write)?;
        io::copy(&mut server, &mut client)?;
        Ok(())
    }
}

/// Reads the request line and the headers, without the empty line after them.
fn head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    head.truncate(head.len() - 2);
    Ok(head)
}

/// Forwards bytes in both directions until one side closes.
fn tunnel(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let there = std::thread::spawn(move || {
        io::copy(&mut from_client, &mut to_server).ok();
        to_server.shutdown(Shutdown::Write).ok();
    });
    let (mut from_server, mut to_client) = (server, client);
    io::copy(&mut from_server, &mut to_client).ok();
    to_client.shutdown(Shutdown::Both).ok();
    there.join().ok();
    Ok(())
}
