//! A webhook on loopback that records when each request arrives and answers `ok` immediately.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok";

/// A server that listens until the process exits.
pub struct Webhook {
    /// The URL of the webhook.
    pub url: String,
    /// When the first byte of each request arrived.
    pub arrivals: Receiver<Instant>,
}

impl Webhook {
    /// Listens on a free port.
    pub fn open() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/services/T0/B0/SECRET", listener.local_addr()?);
        let (sender, arrivals) = mpsc::channel();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let sender = sender.clone();
                std::thread::spawn(move || serve(&connection, &sender));
            }
        });
        Ok(Self { url, arrivals })
    }
}

/// Answers the requests of one connection until it ends.
fn serve(connection: &TcpStream, sender: &Sender<Instant>) -> Option<()> {
    connection.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(connection);
    loop {
        if reader.fill_buf().ok()?.is_empty() {
            return None;
        }
        let arrived = Instant::now();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        io::copy(&mut (&mut reader).take(length), &mut io::sink()).ok()?;
        (&mut &*connection).write_all(ANSWER).ok()?;
        // The receiver is dropped after the last measurement.
        sender.send(arrived).ok()?;
    }
}
