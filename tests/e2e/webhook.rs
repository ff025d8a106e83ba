//! A stand-in for Slack's incoming webhook: as strict as Slack is known to be, and it misbehaves when told to.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

use crate::message::Message;
use crate::polling::until;

const BODY_MAX: usize = 1 << 20;
const CONNECTIONS_WAITING: i32 = 128;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// 429, and after how many seconds it may be tried again.
    RateLimited(u64),
    /// 500 `rollup_error`.
    ServerError,
    /// 404 `no_service`: somebody removed the webhook.
    NoService,
    /// 400 `invalid_blocks`: this message, never.
    Rejected,
    /// This status, and what was asked for, as it was and escaped.
    Repeats(&'static str),
    /// Accepted, but the answer comes late.
    Slow(Duration),
    /// The connection breaks before anything was read.
    ResetBeforeReading,
    /// The message is accepted, and the connection breaks before the answer.
    ResetAfterAccepting,
}

/// A webhook on loopback. Its port stays its own while it is gone.
pub struct Webhook {
    address: SocketAddr,
    secret: String,
    desk: Arc<Desk>,
    door: Mutex<Option<JoinHandle<()>>>,
    /// Bound but never listening: keeps the port from being handed to anybody else.
    _reserved: OwnedFd,
}

/// What the threads share.
struct Desk {
    path: String,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    accepted: Vec<(Instant, Message)>,
    tries: Vec<Instant>,
    violations: Vec<String>,
    script: VecDeque<Fault>,
    pace: Option<Pace>,
    limited: usize,
    unanswered: usize,
    is_open: bool,
    connections: Vec<TcpStream>,
}

/// A rate that is kept to, as Slack does: one message in each `every`, `burst` at once after a pause.
struct Pace {
    every: Duration,
    burst: u32,
    /// When one message more is within the rate, were there no burst.
    next_slot_at: Instant,
}

/// By how much a message may be early: the way from the sender's clock to this one is not always equally long.
const JITTER: Duration = Duration::from_millis(300);

impl Pace {
    /// Whether a message is within the rate, of which it then uses up its part.
    fn lets_in(&mut self, now: Instant) -> bool {
        let is_in = self.next_slot_at <= now + self.every * (self.burst - 1) + JITTER;
        if is_in {
            self.next_slot_at = self.next_slot_at.max(now) + self.every;
        }
        is_in
    }
}

impl Desk {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Webhook {
    /// Listens, with a secret that nothing else in the world contains.
    pub fn open() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let secret = format!("XSECRET{}X{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let reserved = bound(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
        let address: SocketAddr = rustix::net::getsockname(&reserved).unwrap().try_into().unwrap();
        let desk = Arc::new(Desk { path: format!("/services/T0/B0/{secret}"), book: Mutex::default() });
        let webhook = Self { address, secret, desk, door: Mutex::new(None), _reserved: reserved };
        webhook.start();
        webhook
    }

    /// Where to post to, secret included.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.desk.path)
    }

    /// What may be seen nowhere.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The next requests go wrong like this, one each.
    pub fn inject(&self, faults: &[Fault]) {
        self.desk.book().script.extend(faults);
    }

    /// What is more than a message in each `every`, and more than `burst` at once, gets a 429 from now on.
    pub fn limit_rate(&self, every: Duration, burst: u32) {
        self.desk.book().pace = Some(Pace { every, burst, next_slot_at: Instant::now() });
    }

    /// How many requests were over the rate.
    pub fn rate_limited(&self) -> usize {
        self.desk.book().limited
    }

    /// How many messages were accepted of which the sender was told nothing.
    pub fn unanswered(&self) -> usize {
        self.desk.book().unanswered
    }

    /// From now on connections are refused, and open ones break.
    pub fn stop(&self) {
        let connections = {
            let mut book = self.desk.book();
            book.is_open = false;
            std::mem::take(&mut book.connections)
        };
        // Wakes the thread at the door.
        TcpStream::connect(self.address).ok();
        if let Some(door) = self.door.lock().unwrap().take() {
            door.join().unwrap();
        }
        for connection in connections {
            connection.shutdown(Shutdown::Both).ok();
        }
    }

    /// Listens again, on the same port.
    pub fn start(&self) {
        let socket = bound(self.address);
        listen(&socket, CONNECTIONS_WAITING).unwrap();
        let listener = TcpListener::from(socket);
        self.desk.book().is_open = true;
        let desk = Arc::clone(&self.desk);
        *self.door.lock().unwrap() = Some(std::thread::spawn(move || {
            while let Ok((connection, _)) = listener.accept() {
                let mut book = desk.book();
                if !book.is_open {
                    return;
                }
                book.connections.push(connection.try_clone().unwrap());
                let desk = Arc::clone(&desk);
                std::thread::spawn(move || desk.attend(connection));
            }
        }));
    }

    /// Everything accepted up to now, in order. Fails if anything was sent that Slack would refuse.
    #[track_caller]
    pub fn arrived(&self) -> Vec<Message> {
        self.arrivals().into_iter().map(|(_, message)| message).collect()
    }

    /// As `arrived`, each with its moment.
    #[track_caller]
    pub fn arrivals(&self) -> Vec<(Instant, Message)> {
        let book = self.desk.book();
        assert!(book.violations.is_empty(), "Slack would refuse: {:#?}", book.violations);
        book.accepted.clone()
    }

    /// Waits until this many messages arrived; more is an error, as far as is seen by then.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Message> {
        until(&format!("{count} messages"), || {
            let arrived = self.arrived();
            match arrived.len() >= count {
                true => Ok(()),
                false => Err(format!("{} messages: {:#?}", arrived.len(), shown(&arrived))),
            }
        });
        let arrived = self.arrived();
        assert_eq!(arrived.len(), count, "{:#?}", shown(&arrived));
        arrived
    }

    /// When each request was begun, also those that went wrong.
    pub fn requests(&self) -> Vec<Instant> {
        self.desk.book().tries.clone()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Messages as text, for a failed assertion.
pub fn shown(messages: &[Message]) -> Vec<String> {
    messages.iter().map(Message::shown).collect()
}

fn bound(address: impl Into<SocketAddr>) -> OwnedFd {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    // Two sockets may share a port as long as only one of them listens.
    sockopt::set_socket_reuseaddr(&socket, true).unwrap();
    bind(&socket, &address.into()).unwrap();
    socket
}

/// One request, as far as it matters.
struct Request {
    method: String,
    path: String,
    content_type: String,
    body: Vec<u8>,
}

impl Desk {
    /// Serves one connection, and lets go of it.
    fn attend(&self, connection: TcpStream) {
        let peer = connection.peer_addr().ok();
        self.serve(&connection);
        self.book().connections.retain(|other| other.peer_addr().ok() != peer);
    }

    fn serve(&self, mut connection: &TcpStream) {
        let mut unread = Vec::new();
        loop {
            // A request begins with its first byte; an idle connection is no request.
            if unread.is_empty() && !matches!(connection.peek(&mut [0]), Ok(1..)) {
                return;
            }
            let fault = {
                let mut book = self.book();
                book.tries.push(Instant::now());
                book.script.pop_front()
            };
            if matches!(fault, Some(Fault::ResetBeforeReading)) {
                return reset(connection);
            }
            let request = match Request::read(connection, &mut unread) {
                Ok(request) => request,
                Err(error) => {
                    let mut book = self.book();
                    if book.is_open {
                        book.violations.push(format!("no HTTP request: {error}"));
                    }
                    return;
                }
            };
            let (status, answer, headers) = match fault {
                Some(Fault::RateLimited(seconds)) => {
                    ("429 Too Many Requests", "rate_limited".into(), format!("Retry-After: {seconds}\r\n"))
                }
                Some(Fault::ServerError) => ("500 Internal Server Error", "rollup_error".into(), String::new()),
                Some(Fault::NoService) => ("404 Not Found", "no_service".into(), String::new()),
                Some(Fault::Rejected) => ("400 Bad Request", "invalid_blocks".into(), String::new()),
                Some(Fault::Repeats(status)) => {
                    let path = &request.path;
                    let escaped = path.replace('/', "&#x2F;").replace('=', "%3D");
                    let answer = format!("<pre>Cannot POST {path}</pre> (no {escaped} here)");
                    (status, answer, format!("Location: {path}\r\n"))
                }
                Some(Fault::Slow(delay)) => {
                    std::thread::sleep(delay); // not waiting for anything: this is the fault
                    let (status, answer) = self.judge(&request);
                    (status, answer, String::new())
                }
                _ if !self.is_within_rate() => {
                    ("429 Too Many Requests", "rate_limited".into(), "Retry-After: 1\r\n".to_owned())
                }
                _ => {
                    let (status, answer) = self.judge(&request);
                    (status, answer, String::new())
                }
            };
            if matches!(fault, Some(Fault::ResetAfterAccepting)) {
                self.book().unanswered += 1;
                return reset(connection);
            }
            let length = answer.len();
            let response = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n{headers}\r\n{answer}"
            );
            if connection.write_all(response.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn is_within_rate(&self) -> bool {
        let mut book = self.book();
        let is_in = book.pace.as_mut().is_none_or(|pace| pace.lets_in(Instant::now()));
        book.limited += usize::from(!is_in);
        is_in
    }

    /// Slack's verdict on a request, and its place in the book.
    fn judge(&self, request: &Request) -> (&'static str, String) {
        let mut book = self.book();
        let Request { method, path, content_type, body } = request;
        if method != "POST" || *path != self.path {
            book.violations.push(format!("{method} {path}"));
            return ("404 Not Found", "no_service".into());
        }
        if content_type.split(';').next().unwrap_or_default().trim() != "application/json" {
            book.violations.push(format!("content-type {content_type:?}"));
            return ("400 Bad Request", "invalid_payload".into());
        }
        match Message::parse(body) {
            Ok(message) => {
                book.accepted.push((Instant::now(), message));
                ("200 OK", "ok".into())
            }
            Err(refusal) => {
                let body = String::from_utf8_lossy(body);
                book.violations.push(format!("{}: {}\n{body}", refusal.answer, refusal.because));
                ("400 Bad Request", refusal.answer.into())
            }
        }
    }
}

impl Request {
    /// Reads one request; `unread` holds what was read too far.
    fn read(mut connection: &TcpStream, unread: &mut Vec<u8>) -> std::io::Result<Self> {
        let invalid = |what: String| std::io::Error::new(ErrorKind::InvalidData, what);
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Request::new(&mut headers);
            let parsed = head.parse(unread).map_err(|error| invalid(error.to_string()))?;
            if let httparse::Status::Complete(head_length) = parsed {
                let header = |name: &str| {
                    let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
                    found.map(|header| String::from_utf8_lossy(header.value).into_owned())
                };
                if header("host").is_none() {
                    return Err(invalid("no host".into()));
                }
                let length = header("content-length").and_then(|length| length.parse::<usize>().ok());
                let length = match length {
                    Some(length @ ..=BODY_MAX) => length,
                    other => return Err(invalid(format!("content-length {other:?}"))),
                };
                if unread.len() >= head_length + length {
                    let request = Self {
                        method: head.method.unwrap_or_default().to_owned(),
                        path: head.path.unwrap_or_default().to_owned(),
                        content_type: header("content-type").unwrap_or_default(),
                        body: unread[head_length..head_length + length].to_vec(),
                    };
                    unread.drain(..head_length + length);
                    return Ok(request);
                }
            }
            let mut piece = [0; 16 * 1024];
            match connection.read(&mut piece)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => unread.extend_from_slice(&piece[..count]),
            }
        }
    }
}

/// Has the connection break, once it is let go of, as if this side had crashed: the other side sees a reset.
fn reset(connection: &TcpStream) {
    sockopt::set_socket_linger(connection, Some(Duration::ZERO)).ok();
}
