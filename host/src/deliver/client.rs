//! One HTTP request to a webhook.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use sha2::{Digest, Sha256};

use super::http::{Connection, Connections, HttpSettings, Via, failure};
use super::send_result::{AnswerContext, Headers, SendResult, classify};
use crate::config::Secrets;
use crate::event::Timestamp;
use crate::message::Target;

/// Bytes of an answer that are read: Slack's are a word, others' a line of JSON.
const ANSWER_BYTES: usize = 4096;
/// Bytes of a URL's hash that are kept: enough to tell two apart.
const URL_HASH_BYTES: usize = 12;
/// What is left of Discord's budget.
const REMAINING: &str = "x-ratelimit-remaining";
/// When Discord's budget is full again, in seconds; finer than its `Retry-After`.
const RESET_AFTER: &str = "x-ratelimit-reset-after";

/// The URL of a webhook and how it is reached, kept from being printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: url::Url,
    target: Target,
    timeout: Duration,
    connection: Connection,
    /// What no answer may show.
    secrets: Arc<Secrets>,
}

impl Endpoint {
    /// The endpoint at a URL that the configuration has checked. `direct`: by no proxy of the environment's, since it is
    /// on this host.
    #[must_use]
    pub fn new(url: url::Url, direct: bool, target: Target, mut http: HttpSettings) -> Self {
        if direct && http.via == Via::Environment {
            http.via = Via::Nothing;
        }
        let connection = Connection::new(&url, &http);
        let secrets = Arc::new(Secrets::of([Some(&url), connection.proxy()].into_iter().flatten()));
        Self { url, target, timeout: http.timeout, connection, secrets }
    }

    /// A hash of the URL, by which another one is noticed: nobody gets back to the secret from it.
    #[must_use]
    pub fn url_hash(&self) -> String {
        let digest = Sha256::digest(self.url.as_str());
        digest.iter().take(URL_HASH_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Sends messages; holds the connections. Its clones share them.
#[derive(Clone, Default)]
pub struct Client {
    connections: Connections,
}

impl Client {
    /// With no connection yet: one is set up when a message needs it, or by [`Client::prepare`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets up what these endpoints need, so that the first message does not wait for it, and lets go of what none of them
    /// does. What cannot be set up is told by the first message.
    pub async fn prepare(&self, endpoints: &[Endpoint]) {
        let connections: Vec<_> = endpoints.iter().map(|endpoint| &endpoint.connection).collect();
        self.connections.keep(&connections);
        for connection in connections {
            let _ = self.connections.client(connection).await;
        }
    }

    /// Posts a message and says what the answer means. `now`: the clock.
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
            // What caused it may repeat what a proxy said.
            Err(error) => {
                let error = endpoint.secrets.conceal(&failure(&error, &endpoint.connection));
                SendResult::Transient { after: None, error }
            }
        }
    }
}

/// The status has decided already; a body that breaks off only costs us its text.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_of_its_own_stands_before_a_webhook_on_this_host() {
        let url = |text: &str| text.parse::<url::Url>().unwrap();
        let connection = |direct, via| {
            let (connect_timeout, timeout) = (Duration::from_secs(1), Duration::from_secs(2));
            let http = HttpSettings { connect_timeout, timeout, via, certificates: Arc::default() };
            Endpoint::new(url("https://localhost/"), direct, Target::Slack, http).connection
        };
        let proxy = || Via::Proxy(url("http://localhost:3128"));
        assert!(connection(true, Via::Environment) == connection(true, Via::Nothing));
        assert!(connection(false, Via::Environment) != connection(false, Via::Nothing));
        assert!(connection(true, proxy()) == connection(false, proxy()));
    }
}
