//! One HTTP request to a webhook.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};

use super::answer::{Answer, Headers, classify};
use crate::message::Target;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a whole request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read: Slack's are a word, others' a line of JSON.
const ANSWER_BYTES: usize = 4096;
/// What is left of Discord's budget.
const REMAINING: &str = "x-ratelimit-remaining";
/// When Discord's budget is full again, in seconds; finer than its `Retry-After`.
const RESET_AFTER: &str = "x-ratelimit-reset-after";

/// The URL of a webhook, kept from being printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: url::Url,
    direct: bool,
    target: Target,
}

impl Endpoint {
    /// The endpoint at a URL that the configuration has checked. `direct`: by no proxy, since it is on this host.
    #[must_use]
    pub const fn new(url: url::Url, direct: bool, target: Target) -> Self {
        Self { url, direct, target }
    }
}

/// The endpoints by the names of their webhooks.
pub type Endpoints = BTreeMap<String, Endpoint>;

/// Sends messages; holds the connections.
#[derive(Clone)]
pub struct Client {
    proxied: reqwest::Client,
    direct: reqwest::Client,
}

impl Client {
    /// Sets up TLS with the system's certificates, and the system's proxy settings.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, String> {
        // An error means that it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("banhook/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(REQUEST_TIMEOUT)
                .http1_only()
        };
        let built = |client: reqwest::ClientBuilder| {
            client.build().map_err(|error| format!("cannot set up HTTPS: {}", chain(&error)))
        };
        Ok(Self { proxied: built(builder())?, direct: built(builder().no_proxy())? })
    }

    /// Posts a message and says what the answer means.
    pub(super) async fn post(&self, endpoint: &Endpoint, body: String) -> Answer {
        let client = if endpoint.direct { &self.direct } else { &self.proxied };
        let request = client.post(endpoint.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
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
                classify(endpoint.target, status, headers, &body)
            }
            // The error's own text would hold the URL.
            Err(error) => Answer::Failed { after: None, error: chain(&error.without_url()) },
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

/// An error with what caused it, in a line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
