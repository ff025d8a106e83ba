//! A webhook on loopback that notes when each request comes and answers `ok` at once.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok";

/// Listens until the process ends.
pub struct Webhook {
    /// Where to post to.
    pub url: String,
    /// When the first byte of each request was there.
    pub came: Receiver<Instant>,
}

impl Webhook {
    /// On a free port.
    pub fn open() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/services/T0/B0/SECRET", listener.local_addr()?);
        let (tell, came) = mpsc::channel();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let tell = tell.clone();
                std::thread::spawn(move || serve(&connection, &tell));
            }
        });
        Ok(Self { url, came })
    }
}

/// Answers the requests of one connection until it ends.
fn serve(connection: &TcpStream, tell: &Sender<Instant>) -> Option<()> {
    connection.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(connection);
    loop {
        if reader.fill_buf().ok()?.is_empty() {
            return None;
        }
        let came = Instant::now();
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
        // Nobody listens any more once everything is measured.
        tell.send(came).ok()?;
    }
}
