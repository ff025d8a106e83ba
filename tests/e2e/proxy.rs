//! A stand-in for an HTTP proxy: forwards and tunnels, writes down what it was asked, and may want a password.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A proxy on loopback.
pub struct Proxy {
    address: SocketAddr,
    desk: Arc<Desk>,
    door: Option<JoinHandle<()>>,
}

/// What the threads share.
struct Desk {
    /// The `Proxy-Authorization` that lets in; `None`: everybody may pass.
    key: Option<&'static str>,
    asked: Mutex<Vec<String>>,
    is_closed: AtomicBool,
}

impl Proxy {
    /// Listens. `key` is the header `Proxy-Authorization` that it wants, if any.
    pub fn open(key: Option<&'static str>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Desk { key, asked: Mutex::default(), is_closed: AtomicBool::new(false) });
        let at_door = Arc::clone(&desk);
        let door = std::thread::spawn(move || {
            while let Ok((connection, _)) = listener.accept() {
                if at_door.is_closed.load(Ordering::SeqCst) {
                    return;
                }
                let desk = Arc::clone(&at_door);
                // A connection that breaks off is the other side's to tell.
                std::thread::spawn(move || desk.attend(connection).ok());
            }
        });
        Self { address, desk, door: Some(door) }
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The method and the target of each request up to now.
    pub fn asked(&self) -> Vec<String> {
        self.desk.asked.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.desk.is_closed.store(true, Ordering::SeqCst);
        // Wakes the thread at the door.
        TcpStream::connect(self.address).ok();
        if let Some(door) = self.door.take() {
            door.join().ok();
        }
    }
}

impl Desk {
    /// Serves one request, and closes the connection after it.
    fn attend(&self, mut client: TcpStream) -> io::Result<()> {
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
        self.asked.lock().unwrap().push(format!("{method} {target}"));
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
        // Anything but the absolute form is for no proxy.
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

/// Request line and headers, without the empty line after them.
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

/// Hands on whatever comes, both ways, until one side has closed.
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
