//! The HTTP client: one request to a webhook. The only reqwest, together with `connection`.

use reqwest::header::CONTENT_TYPE;

use super::connection::{Connections, failure};
use super::endpoint::Endpoint;
use super::send_result::{AnswerContext, SendResult, classify};
use crate::event::Timestamp;

/// Bytes of an answer that are read: Slack's are a word, others' a line of JSON.
const ANSWER_BYTES: usize = 4096;

/// Sends messages and holds the connections, which its clones share.
#[derive(Clone, Default)]
pub(crate) struct Client {
    connections: Connections,
}

impl Client {
    /// Returns a client without connections: one is set up when a message needs it, or by [`Client::prepare`].
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Sets up the connections that these endpoints need, so that the first message does not wait for them, and drops all
    /// others. An error is reported when the first message is sent.
    pub(crate) async fn prepare(&self, endpoints: &[Endpoint]) {
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
                let headers = response.headers().clone();
                let body = first_bytes(&mut response).await;
                let context = AnswerContext { target: endpoint.target, redaction: &endpoint.redaction, now: now() };
                let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
                classify(context, status, &header, &body)
            }
            // The cause may repeat what a proxy answered.
            Err(error) => {
                let error = endpoint.redaction.error(&failure(&error, &endpoint.connection));
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
