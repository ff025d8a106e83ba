//! A webhook on loopback that records when each request arrives and answers `ok` immediately; also as the API of an app.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok";

/// The path of the methods of Slack's Web API, and what is answered to each.
const API: &str = "/api/";
const API_ANSWER: &str = r#"{"ok":true,"channel":"C1","ts":"1.000001"}"#;

/// A server that listens until the process exits.
pub struct Webhook {
    /// The URL of the webhook.
    pub url: String,
    /// The URL of the methods of the Web API.
    pub api_url: String,
    /// When the first byte of each request arrived.
    pub arrivals: Receiver<Instant>,
}

impl Webhook {
    /// Listens on a free port.
    pub fn open() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (url, api_url) = (format!("http://{address}/services/T0/B0/SECRET"), format!("http://{address}{API}"));
        let (sender, arrivals) = mpsc::channel();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let sender = sender.clone();
                std::thread::spawn(move || serve(&connection, &sender));
            }
        });
        Ok(Self { url, api_url, arrivals })
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
        let (mut length, mut is_api) = (0, false);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            is_api |= line.starts_with("post ") && line.contains(API);
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        io::copy(&mut (&mut reader).take(length), &mut io::sink()).ok()?;
        let answer = match is_api {
            true => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{API_ANSWER}", API_ANSWER.len()).into_bytes(),
            false => ANSWER.to_vec(),
        };
        (&mut &*connection).write_all(&answer).ok()?;
        // The receiver is dropped after the last measurement.
        sender.send(arrived).ok()?;
    }
}
