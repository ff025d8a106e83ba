//! A mock of Slack's incoming webhook: as strict as Slack is known to be, with faults injected on request. Its root answers
//! HEAD, as a server does, and counts that nowhere.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

use crate::discord::Discord;
use crate::http_request::Request;
use crate::message::Message;
use crate::polling::until;
use crate::slack_app::{Posted, SlackApp};

const LISTEN_BACKLOG: i32 = 128;

/// A fault of one request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// 429, with this many seconds as `Retry-After`.
    RateLimited(u64),
    /// 500 `rollup_error`.
    ServerError,
    /// 404 `no_service`: the webhook was removed.
    NoService,
    /// 400 `invalid_blocks`: this message is never accepted.
    Rejected,
    /// This status with this body.
    Answer(&'static str, &'static str),
    /// This status, with the requested path in the body, verbatim and escaped.
    Echo(&'static str),
    /// Accepted, but the response is delayed.
    Slow(Duration),
    /// The connection is reset before anything is read.
    ResetBeforeReading,
    /// The message is accepted, and the connection is reset before the response.
    ResetAfterAccepting,
}

/// A webhook on loopback. It keeps its port while it is stopped.
pub struct Webhook {
    address: SocketAddr,
    secret: String,
    server: Arc<Server>,
    accept_thread: Mutex<Option<JoinHandle<()>>>,
    /// Bound but never listening, so that the port is not given to anybody else.
    _reserved: OwnedFd,
}

/// State shared by the threads.
struct Server {
    path: String,
    state: Mutex<State>,
}

/// The path of the methods of Slack's Web API.
pub const API: &str = "/api/";

#[derive(Default)]
struct State {
    accepted: Vec<(Instant, Message)>,
    requests: Vec<Instant>,
    authorizations: Vec<String>,
    violations: Vec<String>,
    faults: VecDeque<Fault>,
    rate_limit: Option<RateLimit>,
    rate_limited: usize,
    lost_responses: usize,
    is_open: bool,
    refuses_charts: bool,
    connections: Vec<TcpStream>,
    /// Instead of an incoming webhook.
    app: Option<SlackApp>,
    /// Instead of Slack.
    discord: Option<Discord>,
    /// The same.
    service: Option<Box<dyn Service>>,
}

/// A stand-in for another service than Slack.
pub trait Service: Send {
    /// Answers a request, with a status and a body. What the service documents as wrong is a violation.
    fn answer(&mut self, request: &Request, violations: &mut Vec<String>) -> (&'static str, String);
}

/// A rate limit as Slack enforces it: one message per `every`, and `burst` at once after a pause.
struct RateLimit {
    every: Duration,
    burst: u32,
    /// When the next message is within the rate, without the burst.
    next_slot_at: Instant,
}

/// How early a message may arrive: the latency between the sender's clock and this one varies.
const JITTER: Duration = Duration::from_millis(300);

impl RateLimit {
    /// Takes one message from the budget; returns whether it was within the rate.
    fn allows(&mut self, now: Instant) -> bool {
        let is_allowed = self.next_slot_at <= now + self.every * (self.burst - 1) + JITTER;
        if is_allowed {
            self.next_slot_at = self.next_slot_at.max(now) + self.every;
        }
        is_allowed
    }
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Webhook {
    /// The Web API of Slack instead, for an app with a token that occurs nowhere else and for one channel.
    pub fn open_app() -> Self {
        Self::open_app_with(Vec::new())
    }

    /// The same for a channel with these messages.
    pub fn open_app_with(posted: Vec<Posted>) -> Self {
        let webhook = Self::open();
        webhook.server.state().app = Some(SlackApp::new(webhook.secret(), posted));
        webhook
    }

    /// A webhook of Discord instead.
    pub fn open_discord() -> Self {
        let webhook = Self::open();
        webhook.server.state().discord = Some(Discord::new(&webhook.server.path));
        webhook
    }

    /// The messages that Discord's channel shows, each with all that it has said.
    #[track_caller]
    pub fn discord_channel(&self) -> Vec<Vec<String>> {
        let state = self.server.state();
        assert!(state.violations.is_empty(), "Discord would reject: {:#?}", state.violations);
        state.discord.as_ref().unwrap().channel().to_vec()
    }

    /// Whether it is the Web API of Slack.
    pub fn is_app(&self) -> bool {
        self.server.state().app.is_some()
    }

    /// The proxy that it is, if the URL of the methods has another address.
    pub fn proxy(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of the methods of the Web API.
    pub fn api_url(&self) -> String {
        format!("http://{}{API}", self.address)
    }

    /// The messages that the app's channel shows, in the order in which they were posted.
    #[track_caller]
    pub fn channel(&self) -> Vec<Posted> {
        let state = self.server.state();
        assert!(state.violations.is_empty(), "Slack would reject: {:#?}", state.violations);
        state.app.as_ref().unwrap().posted().to_vec()
    }

    /// Waits until the app's channel is as `check` wants it.
    #[track_caller]
    pub fn wait_for_channel(&self, what: &str, check: impl Fn(&[Posted]) -> bool) -> Vec<Posted> {
        until(what, || {
            let channel = self.channel();
            if check(&channel) { Ok(channel) } else { Err(format!("{channel:#?}")) }
        })
    }

    /// Somebody deletes a message of the app's channel.
    pub fn delete(&self, ts: &str) {
        self.server.state().app.as_mut().unwrap().delete(ts);
    }

    /// Another service instead, at the path that `path` makes of the secret.
    pub fn open_as(path: impl Fn(&str) -> String, service: impl FnOnce(&str) -> Box<dyn Service>) -> Self {
        let webhook = Self::open_at(path);
        webhook.server.state().service = Some(service(webhook.secret()));
        webhook
    }

    /// Fails if anything was sent that the service would reject.
    #[track_caller]
    pub fn check(&self) {
        let state = self.server.state();
        assert!(state.violations.is_empty(), "the service would reject: {:#?}", state.violations);
    }

    /// Listens, with a secret in its URL that occurs nowhere else.
    pub fn open() -> Self {
        Self::open_at(|secret| format!("/services/T0/B0/{secret}"))
    }

    fn open_at(path: impl Fn(&str) -> String) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let secret = format!("XSECRET{}X{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let reserved = bound(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
        let address: SocketAddr = rustix::net::getsockname(&reserved).unwrap().try_into().unwrap();
        let server = Arc::new(Server { path: path(&secret), state: Mutex::default() });
        let webhook = Self { address, secret, server, accept_thread: Mutex::new(None), _reserved: reserved };
        webhook.start();
        webhook
    }

    /// The URL, secret included.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.server.path)
    }

    /// The secret, which must appear nowhere.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Gives each of the next requests one of these faults.
    pub fn inject(&self, faults: &[Fault]) {
        self.server.state().faults.extend(faults);
    }

    /// From now on answers as a workspace that has no charts and no data tables yet.
    pub fn refuse_charts(&self) {
        self.server.state().refuses_charts = true;
    }

    /// From now on answers 429 to more than one message per `every` and more than `burst` at once.
    pub fn limit_rate(&self, every: Duration, burst: u32) {
        self.server.state().rate_limit = Some(RateLimit { every, burst, next_slot_at: Instant::now() });
    }

    /// The number of requests that were over the rate.
    pub fn rate_limited(&self) -> usize {
        self.server.state().rate_limited
    }

    /// The number of messages that were accepted without a response.
    pub fn lost_responses(&self) -> usize {
        self.server.state().lost_responses
    }

    /// Closes open connections and refuses new ones.
    pub fn stop(&self) {
        let connections = {
            let mut state = self.server.state();
            state.is_open = false;
            std::mem::take(&mut state.connections)
        };
        // Wakes the accepting thread.
        TcpStream::connect(self.address).ok();
        if let Some(thread) = self.accept_thread.lock().unwrap().take() {
            thread.join().unwrap();
        }
        for connection in connections {
            connection.shutdown(Shutdown::Both).ok();
        }
    }

    /// Listens again, on the same port.
    pub fn start(&self) {
        let socket = bound(self.address);
        listen(&socket, LISTEN_BACKLOG).unwrap();
        let listener = TcpListener::from(socket);
        self.server.state().is_open = true;
        let server = Arc::clone(&self.server);
        *self.accept_thread.lock().unwrap() = Some(std::thread::spawn(move || {
            while let Ok((connection, _)) = listener.accept() {
                let mut state = server.state();
                if !state.is_open {
                    return;
                }
                state.connections.push(connection.try_clone().unwrap());
                let server = Arc::clone(&server);
                std::thread::spawn(move || server.handle(connection));
            }
        }));
    }

    /// The messages accepted so far, in order. Fails if anything was sent that Slack would reject.
    #[track_caller]
    pub fn arrived(&self) -> Vec<Message> {
        self.arrivals().into_iter().map(|(_, message)| message).collect()
    }

    /// The same, each with its time.
    #[track_caller]
    pub fn arrivals(&self) -> Vec<(Instant, Message)> {
        let state = self.server.state();
        assert!(state.violations.is_empty(), "Slack would reject: {:#?}", state.violations);
        state.accepted.clone()
    }

    /// Waits until this many messages have arrived; fails if there are more by then.
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

    /// The header `Authorization` of each request that has one.
    pub fn authorizations(&self) -> Vec<String> {
        self.server.state().authorizations.clone()
    }

    /// When each request began, including those that failed.
    pub fn requests(&self) -> Vec<Instant> {
        self.server.state().requests.clone()
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
    // Two sockets can share a port as long as only one of them listens.
    sockopt::set_socket_reuseaddr(&socket, true).unwrap();
    bind(&socket, &address.into()).unwrap();
    socket
}

impl Server {
    /// Serves one connection to its end.
    fn handle(&self, connection: TcpStream) {
        let peer = connection.peer_addr().ok();
        self.serve(&connection);
        self.state().connections.retain(|other| other.peer_addr().ok() != peer);
    }

    fn serve(&self, mut connection: &TcpStream) {
        let mut unread = Vec::new();
        loop {
            // A request begins with its first byte; an idle connection is no request.
            if unread.is_empty() && !matches!(connection.peek(&mut [0]), Ok(1..)) {
                return;
            }
            let fault = {
                let mut state = self.state();
                state.requests.push(Instant::now());
                state.faults.pop_front()
            };
            if matches!(fault, Some(Fault::ResetBeforeReading)) {
                return reset(connection);
            }
            let request = match Request::read(connection, &mut unread) {
                Ok(request) => request,
                Err(error) => {
                    let mut state = self.state();
                    if state.is_open {
                        state.violations.push(format!("no HTTP request: {error}"));
                    }
                    return;
                }
            };
            if request.method == "HEAD" && request.path == "/" {
                let mut state = self.state();
                state.requests.pop();
                fault.into_iter().for_each(|fault| state.faults.push_front(fault));
                drop(state);
                let response = format!("HTTP/1.1 302 Found\r\nDate: {}\r\nContent-Length: 0\r\n\r\n", http_date());
                if connection.write_all(response.as_bytes()).is_err() {
                    return;
                }
                continue;
            }
            self.state().authorizations.extend(request.authorization.clone());
            let (status, answer, headers) = match fault {
                Some(Fault::RateLimited(seconds)) => {
                    ("429 Too Many Requests", "rate_limited".into(), format!("Retry-After: {seconds}\r\n"))
                }
                Some(Fault::ServerError) => ("500 Internal Server Error", "rollup_error".into(), String::new()),
                Some(Fault::NoService) => ("404 Not Found", "no_service".into(), String::new()),
                Some(Fault::Rejected) => ("400 Bad Request", "invalid_blocks".into(), String::new()),
                Some(Fault::Answer(status, body)) => (status, body.to_owned(), String::new()),
                Some(Fault::Echo(status)) => {
                    let path = &request.path;
                    let escaped = path.replace('/', "&#x2F;").replace('=', "%3D");
                    let answer = format!("<pre>Cannot POST {path}</pre> (no {escaped} here)");
                    (status, answer, format!("Location: {path}\r\n"))
                }
                Some(Fault::Slow(delay)) => {
                    std::thread::sleep(delay); // not a wait: the delay is the fault
                    let (status, answer) = self.respond(&request);
                    (status, answer, String::new())
                }
                _ if !self.is_within_rate() => {
                    ("429 Too Many Requests", "rate_limited".into(), "Retry-After: 1\r\n".to_owned())
                }
                _ => {
                    let (status, answer) = self.respond(&request);
                    (status, answer, String::new())
                }
            };
            if matches!(fault, Some(Fault::ResetAfterAccepting)) {
                self.state().lost_responses += 1;
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
        let mut state = self.state();
        let is_allowed = state.rate_limit.as_mut().is_none_or(|limit| limit.allows(Instant::now()));
        state.rate_limited += usize::from(!is_allowed);
        is_allowed
    }

    /// Answers a request as Slack would, and records it.
    fn respond(&self, request: &Request) -> (&'static str, String) {
        let mut state = self.state();
        let state = &mut *state;
        let has = |kind: &str| String::from_utf8_lossy(&request.body).contains(kind);
        if state.refuses_charts && (has("data_visualization") || has("data_table")) {
            return match state.app {
                Some(_) => ("200 OK", r#"{"ok":false,"error":"invalid_blocks"}"#.into()),
                None => ("400 Bad Request", "invalid_blocks".into()),
            };
        }
        if let Some(service) = &mut state.service {
            return service.answer(request, &mut state.violations);
        }
        if let Some(app) = &mut state.app {
            let (answer, message) = app.answer(request, &mut state.violations);
            state.accepted.extend(message.map(|message| (Instant::now(), message)));
            return ("200 OK", answer);
        }
        if let Some(discord) = &mut state.discord {
            let answer = discord.answer(request);
            state.violations.extend(answer.2);
            return (answer.0, answer.1);
        }
        let Request { method, path, content_type, body, .. } = request;
        if method != "POST" || *path != self.path {
            state.violations.push(format!("{method} {path}"));
            return ("404 Not Found", "no_service".into());
        }
        if content_type.split(';').next().unwrap_or_default().trim() != "application/json" {
            state.violations.push(format!("content-type {content_type:?}"));
            return ("400 Bad Request", "invalid_payload".into());
        }
        match Message::parse(body) {
            Ok(message) => {
                state.accepted.push((Instant::now(), message));
                ("200 OK", "ok".into())
            }
            Err(rejection) => {
                let body = String::from_utf8_lossy(body);
                state.violations.push(format!("{}: {}\n{body}", rejection.answer, rejection.reason));
                ("400 Bad Request", rejection.answer.into())
            }
        }
    }
}

/// The time as HTTP has it.
fn http_date() -> String {
    let date = Command::new("date").args(["-u", "+%a, %d %b %Y %H:%M:%S GMT"]).env("LC_ALL", "C").output().unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

/// Makes closing the connection a reset, as if this side had crashed.
fn reset(connection: &TcpStream) {
    sockopt::set_socket_linger(connection, Some(Duration::ZERO)).ok();
}
