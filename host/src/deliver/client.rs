//! The HTTP client: one request to a webhook. The only reqwest, together with `connection`.

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};

use super::connection::{Connections, failure};
use super::endpoint::Endpoint;
use super::send_result::{AnswerContext, Headers, SendResult, classify};
use crate::event::Timestamp;

/// Bytes of an answer that are read: Slack's are a word, others' a line of JSON.
const ANSWER_BYTES: usize = 4096;
/// Discord's header with what is left of its rate limit.
const REMAINING: &str = "x-ratelimit-remaining";
/// Discord's header with the time until its rate limit is reset, in seconds; finer than its `Retry-After`.
const RESET_AFTER: &str = "x-ratelimit-reset-after";

/// Sends messages and holds the connections, which its clones share.
#[derive(Clone, Default)]
pub struct Client {
    connections: Connections,
}

impl Client {
    /// Returns a client without connections: one is set up when a message needs it, or by [`Client::prepare`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets up the connections that these endpoints need, so that the first message does not wait for them, and drops all
    /// others. An error is reported when the first message is sent.
    pub async fn prepare(&self, endpoints: &[Endpoint]) {
        let connections: Vec<_> = endpoints.iter().map(|endpoint| &endpoint.connection).collect();
        self.connections.keep(&connections);
        for connection in connections {
            let _ = self.connections.client(connection).await;
        }
    }

    /// Posts a message and classifies the answer. `now`: the clock.
    pub(super) async fn post(&self, endpoint: &Endpoint, body: String, now: fn() -> Timestamp) -> SendResult {
        let client = match self.connections.client(&endpoint.connection).await {
            Ok(client) => client,
            Err(error) => return SendResult::Transient { after: None, error },
        };
        let request = client
            .post(endpoint.url.clone())
            .timeout(endpoint.timeout)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        match request.send().await {
            Ok(mut response) => {
                let status = response.status().as_u16();
                let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
                let (retry_after, remaining) = (header(RETRY_AFTER.as_str()), header(REMAINING));
                let reset_after = header(RESET_AFTER);
                let body = first_bytes(&mut response).await;
                let headers = Headers {
                    retry_after: retry_after.as_deref(),
                    remaining: remaining.as_deref(),
                    reset_after: reset_after.as_deref(),
                };
                let context = AnswerContext { target: endpoint.target, secrets: &endpoint.secrets, now: now() };
                classify(context, status, headers, &body)
            }
            // The cause may repeat what a proxy answered.
            Err(error) => {
                let error = endpoint.secrets.conceal(&failure(&error, &endpoint.connection));
                SendResult::Transient { after: None, error }
            }
        }
    }
}

/// Reads the first bytes of a body. The status has decided already, so a body that breaks off only costs its text.
async fn first_bytes(response: &mut reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    bytes.truncate(ANSWER_BYTES);
    String::from_utf8_lossy(&bytes).into_owned()
}
