//! The HTTP client: one request to a webhook. The only reqwest, together with `connection`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, DATE};

use super::connection::{Connections, KEPT_ALIVE, failure};
use super::endpoint::Endpoint;
use super::send_result::{AnswerContext, AttemptResult, SendResult, classify};
use crate::config::BasicAuth;
use crate::event::Timestamp;
use crate::message::{Access, HttpAnswer, Question, Reference, Request, Way};

/// Bytes of a channel's history that are read: a page of large messages.
const HISTORY_BYTES: usize = 16 << 20;

/// Why it is not known whether a message is in the channel.
pub(super) enum FindError {
    /// It may say so later: what the attempt comes to by that.
    NotNow(SendResult),
    /// The service does not say.
    Refused(String),
}

/// Sends messages and holds the connections, which its clones share.
#[derive(Clone, Default)]
pub(crate) struct Client {
    connections: Connections,
    /// When each server last answered, whose connection may be open since.
    answered: Arc<Mutex<HashMap<url::Origin, Instant>>>,
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
        self.answered().retain(|_, answered| answered.elapsed() < KEPT_ALIVE);
        for connection in connections {
            let _ = self.connections.client(connection).await;
        }
    }

    /// Makes a request, and makes it again at once if it failed on a connection that was open since an earlier request: the
    /// server has closed that, and usually got nothing of this one. It is no failure of the webhook.
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        endpoint: &Endpoint,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let origin = endpoint.url.origin();
        let again = request.try_clone();
        let mut result = request.send().await;
        let kept = self.answered().remove(&origin).is_some_and(|answered| answered.elapsed() < KEPT_ALIVE);
        if let (Err(error), Some(again)) = (&result, again)
            && kept
            // It may have arrived, and nobody has asked.
            && !endpoint.checks_history
            && !error.is_timeout()
            && !error.is_connect()
        {
            result = again.send().await;
        }
        if result.is_ok() {
            self.answered().insert(origin, Instant::now());
        }
        result
    }

    fn answered(&self) -> MutexGuard<'_, HashMap<url::Origin, Instant>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts a message that is in no queue.
    ///
    /// # Errors
    /// Why it was not accepted, without anything secret.
    pub(crate) async fn post_unqueued(
        &self,
        endpoint: &Endpoint,
        body: String,
        now: fn() -> Timestamp,
    ) -> Result<(), String> {
        match self.post(endpoint, (body, None), &Way::Post, now).await.0 {
            SendResult::Accepted { .. } => Ok(()),
            SendResult::RateLimited(wait, error) => Err(format!("{error}; try again in {} s", wait.as_secs())),
            SendResult::Transient { error, .. }
            | SendResult::Unclear { error, .. }
            | SendResult::Rejected(error)
            | SendResult::EndpointGone(error)
            | SendResult::Detached { error, .. } => Err(error),
        }
    }

    /// Reaches the server of a webhook, without its path, and returns the server's time, if it says so.
    ///
    /// # Errors
    /// Why there is no answer, without anything secret.
    pub(crate) async fn reach(&self, endpoint: &Endpoint) -> Result<Option<Timestamp>, String> {
        let client = self.connections.client(&endpoint.connection).await?;
        let mut url = endpoint.url.clone();
        url.set_path("/");
        url.set_query(None);
        match client.head(url).timeout(endpoint.timeout).send().await {
            Ok(answer) if answer.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Err(format!("the proxy answered {}", answer.status().as_u16()))
            }
            Ok(answer) => {
                let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
                let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
                Ok(date.map(|date| Timestamp(date.timestamp().as_millisecond())))
            }
            Err(error) => Err(endpoint.redaction.error(&failure(&error, &endpoint.connection))),
        }
    }

    /// Returns where a message is of which no answer came, if the channel has it. `channel`: its id. `now`: the clock.
    ///
    /// # Errors
    /// Why the channel has not said so, without anything secret.
    pub(super) async fn find(
        &self,
        endpoint: &Endpoint,
        (id, channel): (&str, &str),
        now: fn() -> Timestamp,
    ) -> Result<Option<Reference>, FindError> {
        let (target, Some(token)) = (endpoint.target, &endpoint.token) else { return Ok(None) };
        let Some(Question { url, form }) = target.history(&endpoint.url, channel) else { return Ok(None) };
        let no_answer = |error| FindError::NotNow(SendResult::Transient { after: None, error });
        let client = self.connections.client(&endpoint.connection).await.map_err(no_answer)?;
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = client
            .post(url)
            .timeout(endpoint.timeout)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .bearer_auth(token.expose())
            .body(form);
        let failed = |error| no_answer(endpoint.redaction.error(&failure(&error, &endpoint.connection)));
        let mut response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let (body, _) = first_bytes(&mut response, HISTORY_BYTES).await;
        let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let context = AnswerContext { target, success: None, redaction: &endpoint.redaction, now: now() };
        match classify(context, status, &header, &body) {
            SendResult::Accepted { .. } => {
                let json = serde_json::from_str(&body).unwrap_or_default();
                let answer = HttpAnswer { status, header: &header, body: &body, json: &json };
                Ok(target.find(&answer, id).map(|found| Reference { channel: channel.to_owned(), ..found }))
            }
            result @ (SendResult::RateLimited(..) | SendResult::Transient { .. }) => Err(FindError::NotNow(result)),
            SendResult::Unclear { error, .. }
            | SendResult::Rejected(error)
            | SendResult::EndpointGone(error)
            | SendResult::Detached { error, .. } => Err(FindError::Refused(error)),
        }
    }

    /// Posts a message in its way and classifies the answer. `id`: what the message is known by. `now`: the clock.
    pub(super) async fn post(
        &self,
        endpoint: &Endpoint,
        (body, id): (String, Option<&str>),
        way: &Way,
        now: fn() -> Timestamp,
    ) -> (SendResult, AttemptResult) {
        let client = match self.connections.client(&endpoint.connection).await {
            Ok(client) => client,
            Err(error) => return (SendResult::Transient { after: None, error }, AttemptResult::NoConnection),
        };
        let Request { patches, url, body } = endpoint.target.request(&endpoint.address(id), body, way);
        let content_type = match endpoint.target.access() {
            // Slack warns of a missing character set.
            Access::Channel(_) => "application/json; charset=utf-8",
            Access::Url | Access::UrlAndToken(_) | Access::Program => "application/json",
        };
        // A message in no queue has no id.
        let id = id.map_or_else(|| format!("test-{}", now().0), str::to_owned);
        let (headers, body) = endpoint.prepared(body, &id, now().0.div_euclid(1_000));
        let request = if patches { client.patch(url) } else { client.post(url) };
        let mut request = request.timeout(endpoint.timeout).header(CONTENT_TYPE, content_type).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(token) = &endpoint.token {
            request = request.bearer_auth(token.expose());
        }
        if let Some((user, password)) = endpoint.basic_auth.as_ref().map(BasicAuth::expose) {
            request = request.basic_auth(user, Some(password));
        }
        match self.send(request, endpoint).await {
            Ok(mut response) => {
                let status = response.status().as_u16();
                let headers = response.headers().clone();
                let (body, is_whole) = first_bytes(&mut response, endpoint.target.answer_bytes()).await;
                if response.status().is_success() && !is_whole {
                    let error = format!("{status}: the answer broke off");
                    return (SendResult::Transient { after: None, error }, AttemptResult::NoConnection);
                }
                let context = AnswerContext {
                    target: endpoint.target,
                    success: endpoint.program.success.as_ref(),
                    redaction: &endpoint.redaction,
                    now: now(),
                };
                let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
                let mut result = classify(context, status, &header, &body);
                if let (SendResult::Accepted { reference: Some(reference), .. }, Way::Beneath(above)) =
                    (&mut result, way)
                {
                    reference.thread = Some(above.parent().to_owned());
                }
                let counted = AttemptResult::of_answer(&result, status);
                (result, counted)
            }
            // The cause may repeat what a proxy answered.
            Err(error) => {
                let counted = if error.is_timeout() { AttemptResult::Timeout } else { AttemptResult::NoConnection };
                let error = endpoint.redaction.error(&failure(&error, &endpoint.connection));
                (SendResult::Transient { after: None, error }, counted)
            }
        }
    }
}

/// Reads the first bytes of a body. Returns also whether it did not break off before.
async fn first_bytes(response: &mut reqwest::Response, most: usize) -> (String, bool) {
    let mut bytes = Vec::new();
    let mut is_whole = true;
    while bytes.len() < most {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => {
                is_whole = false;
                break;
            }
        }
    }
    bytes.truncate(most);
    (String::from_utf8_lossy(&bytes).into_owned(), is_whole)
}
