//! A local webhook that takes the place of Slack and shows each message as it arrives.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use blockkit::to_terminal;
use serde_json::Value;
use tiny_http::{Response, Server};

/// How much of a request is read, in bytes.
const REQUEST_BYTES: u64 = 1 << 20;

/// An HTTP server on loopback.
pub(super) struct DemoWebhook {
    server: Arc<Server>,
    thread: JoinHandle<()>,
    messages: Arc<AtomicUsize>,
}

impl DemoWebhook {
    /// Listens on a free port.
    pub(super) fn start(colors: bool) -> anyhow::Result<Self> {
        let server = Server::http("127.0.0.1:0").map_err(|error| anyhow!("cannot listen on 127.0.0.1: {error}"))?;
        let (server, messages) = (Arc::new(server), Arc::new(AtomicUsize::new(0)));
        let (in_thread, counted) = (Arc::clone(&server), Arc::clone(&messages));
        let show = move || show_all(&in_thread, colors, &counted);
        let thread = std::thread::Builder::new().name("webhook".into()).spawn(show)?;
        Ok(Self { server, thread, messages })
    }

    /// Returns `127.0.0.1:PORT`.
    pub(super) fn address(&self) -> String {
        self.server.server_addr().to_string()
    }

    /// Returns how many messages have arrived.
    pub(super) fn count(&self) -> usize {
        self.messages.load(Ordering::SeqCst)
    }

    /// Stops listening and returns how many messages arrived.
    pub(super) fn stop(self) -> usize {
        self.server.unblock();
        let _ = self.thread.join();
        self.messages.load(Ordering::SeqCst)
    }
}

fn show_all(server: &Server, colors: bool, messages: &AtomicUsize) {
    for mut request in server.incoming_requests() {
        let channel = request.url().rsplit('/').next().unwrap_or_default().to_owned();
        let mut body = String::new();
        let read = request.as_reader().take(REQUEST_BYTES).read_to_string(&mut body).context("reading");
        let shown = read.and_then(|_| Ok(serde_json::from_str::<Value>(&body)?));
        let answer = match shown {
            Ok(message) => {
                // Nobody may read it any more, and the message is delivered all the same.
                let _ = writeln!(io::stdout(), "\n── #{channel} ──\n{}", to_terminal(&message, colors).trim_end());
                messages.fetch_add(1, Ordering::SeqCst);
                Response::from_string("ok")
            }
            Err(_) => Response::from_string("invalid_payload").with_status_code(400),
        };
        // A sender that has gone away sends it again.
        let _ = request.respond(answer);
    }
}
