//! A local webhook that takes the place of Slack and shows each message as it arrives.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
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
    thread: JoinHandle<usize>,
}

impl DemoWebhook {
    /// Listens on a free port.
    pub(super) fn start(colors: bool) -> anyhow::Result<Self> {
        let server = Server::http("127.0.0.1:0").map_err(|error| anyhow!("cannot listen on 127.0.0.1: {error}"))?;
        let server = Arc::new(server);
        let in_thread = Arc::clone(&server);
        let thread = std::thread::Builder::new().name("webhook".into()).spawn(move || show_all(&in_thread, colors))?;
        Ok(Self { server, thread })
    }

    /// Returns `127.0.0.1:PORT`.
    pub(super) fn address(&self) -> String {
        self.server.server_addr().to_string()
    }

    /// Stops listening and returns how many messages arrived.
    pub(super) fn stop(self) -> usize {
        self.server.unblock();
        self.thread.join().unwrap_or_default()
    }
}

fn show_all(server: &Server, colors: bool) -> usize {
    let mut messages = 0;
    for mut request in server.incoming_requests() {
        let channel = request.url().rsplit('/').next().unwrap_or_default().to_owned();
        let mut body = String::new();
        let read = request.as_reader().take(REQUEST_BYTES).read_to_string(&mut body).context("reading");
        let shown = read.and_then(|_| Ok(serde_json::from_str::<Value>(&body)?));
        let answer = match shown {
            Ok(message) => {
                messages += 1;
                // Nobody may read it any more, and the message is delivered all the same.
                let _ = writeln!(io::stdout(), "\n── #{channel} ──\n{}", to_terminal(&message, colors).trim_end());
                Response::from_string("ok")
            }
            Err(_) => Response::from_string("invalid_payload").with_status_code(400),
        };
        // A sender that has gone away sends it again.
        let _ = request.respond(answer);
    }
    messages
}
