//! The connection to the broker: JetStream's requests, as JSON over the client of NATS. The only async-nats.

use std::sync::Arc;
use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, HeaderMap, Message, Subscriber};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use super::broker_error::{BrokerError, OLDEST, code};
use super::subjects::{inbox_prefix, last_message_subject};
use crate::config::Fleet;
use crate::event::Timestamp;

/// How long connecting may take, and how long an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often a silent connection is tried.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// The header with a message's id.
const MESSAGE_ID: &str = "Nats-Msg-Id";
/// The header with a message's sequence, in answers to direct requests.
const SEQUENCE: &str = "Nats-Sequence";
/// The header with the time at which a message was stored, in answers to direct requests.
const STORED_AT: &str = "Nats-Time-Stamp";
/// The header that says which message must be the last one under a subject.
const EXPECTED_LAST: &str = "Nats-Expected-Last-Subject-Sequence";

/// An open connection. After an error it is dropped: what it would send later nobody expects any more.
pub(super) struct Broker {
    client: Client,
    /// Whether the connection was lost, and what the broker said of it or of a refused request.
    lost: watch::Receiver<Option<BrokerError>>,
}

/// A message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredMessage {
    pub sequence: u64,
    /// Empty if it has none.
    pub id: String,
    pub body: Bytes,
    /// When the broker stored it, by its clock.
    pub stored_at: Option<Timestamp>,
}

/// The broker's answer to a message that it has stored.
#[derive(Debug, Deserialize)]
pub(super) struct Acknowledgement {
    #[serde(rename = "seq")]
    pub sequence: u64,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

impl Broker {
    /// Connects, as the member of the fleet with this token. `client`: what the broker shows this connection as.
    pub(super) async fn connect(fleet: &Fleet, token: &str, name: &str) -> Result<Self, BrokerError> {
        let (state, lost) = watch::channel(None);
        let state = Arc::new(state);
        let mut options = ConnectOptions::with_nkey(fleet.nkey.expose().to_owned())
            .name(name)
            .custom_inbox_prefix(inbox_prefix(token))
            .ping_interval(PING_INTERVAL)
            .connection_timeout(TIMEOUT)
            .request_timeout(Some(TIMEOUT))
            // It would repeat what it has not sent yet, at a time that nobody expects.
            .max_reconnects(1)
            .event_callback(move |event| {
                let state = Arc::clone(&state);
                async move {
                    if let Some(error) = lost_by(&event) {
                        state.send_replace(Some(error));
                    }
                }
            });
        if let Some(file) = &fleet.ca_file {
            options = options.add_root_certificates(file.path.clone());
        }
        let client = options.connect(&fleet.servers[..]).await.map_err(|error| connect_error(&error))?;
        let (major, minor, patch) = OLDEST;
        if !client.is_server_compatible(major, minor, patch) {
            return Err(BrokerError::TooOld(client.server_info().version));
        }
        Ok(Self { client, lost })
    }

    /// The broker's release.
    pub(super) fn version(&self) -> String {
        self.client.server_info().version
    }

    /// Waits until the connection is lost.
    pub(super) async fn lost(&self) -> BrokerError {
        let mut lost = self.lost.clone();
        match lost.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or_else(|| BrokerError::Unreachable("the connection is closed".into())),
            Err(_) => BrokerError::Unreachable("the connection is closed".into()),
        }
    }

    /// Asks JetStream. `subject`: without `$JS.API.`.
    pub(super) async fn ask<T: DeserializeOwned>(&self, subject: &str, request: &Value) -> Result<T, BrokerError> {
        let answer = self.request(format!("$JS.API.{subject}"), HeaderMap::new(), request.to_string().into()).await?;
        parse(&answer.payload)
    }

    /// Stores a message under a subject whose last message must have this sequence (0: there must be none), and waits until it
    /// is stored. Returns its sequence; `None`: another one was stored since.
    pub(super) async fn replace(&self, subject: &str, last: u64, body: String) -> Result<Option<u64>, BrokerError> {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED_LAST, last.to_string().as_str());
        let answer = self.request(subject.to_owned(), headers, body.into()).await?;
        match parse::<Acknowledgement>(&answer.payload) {
            Ok(answer) => Ok(Some(answer.sequence)),
            Err(BrokerError::Refused { code: code::WRONG_LAST_SEQUENCE, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a message under a subject, and waits until it is stored. Returns its sequence.
    pub(super) async fn put(&self, subject: &str, body: String) -> Result<u64, BrokerError> {
        let answer = self.request(subject.to_owned(), HeaderMap::new(), body.into()).await?;
        parse::<Acknowledgement>(&answer.payload).map(|answer| answer.sequence)
    }

    /// Returns the last message under a subject; `None`: there is none.
    pub(super) async fn last(&self, stream: &str, subject: &str) -> Result<Option<StoredMessage>, BrokerError> {
        self.direct(last_message_subject(stream, subject), Bytes::new()).await
    }

    /// Returns the message with this sequence; `None`: there is none.
    pub(super) async fn at(&self, stream: &str, sequence: u64) -> Result<Option<StoredMessage>, BrokerError> {
        let request = serde_json::json!({ "seq": sequence }).to_string();
        self.direct(format!("$JS.API.DIRECT.GET.{stream}"), request.into()).await
    }

    async fn direct(&self, subject: String, request: Bytes) -> Result<Option<StoredMessage>, BrokerError> {
        let answer = self.request(subject, HeaderMap::new(), request).await?;
        match answer.status.map(|status| status.as_u16()) {
            None => {}
            Some(404) => return Ok(None),
            Some(status) => return Err(BrokerError::Answer(format!("{status} to a direct request"))),
        }
        let header = |name: &str| answer.headers.as_ref()?.get(name).map(|value| value.as_str().to_owned());
        let sequence = header(SEQUENCE).and_then(|sequence| sequence.parse().ok());
        let sequence = sequence.ok_or_else(|| BrokerError::Answer("a message without a sequence".to_owned()))?;
        let stored_at = header(STORED_AT).and_then(|time| Timestamp::parse(&time));
        let id = header(MESSAGE_ID).unwrap_or_default();
        Ok(Some(StoredMessage { sequence, id, body: answer.payload, stored_at }))
    }

    async fn request(&self, subject: String, headers: HeaderMap, body: Bytes) -> Result<Message, BrokerError> {
        tokio::select! {
            answer = self.client.request_with_headers(subject, headers, body) => answer.map_err(|error| match error.kind() {
                RequestErrorKind::NoResponders => BrokerError::NoStream,
                // A request that is not permitted gets no answer.
                RequestErrorKind::TimedOut => self.said().unwrap_or_else(no_answer),
                _ => BrokerError::Unreachable(error.to_string()),
            }),
            lost = self.lost() => Err(lost),
        }
    }

    /// Why the connection is lost, or what the broker refused on it; `None`: it is as it should be.
    pub(super) fn said(&self) -> Option<BrokerError> {
        self.lost.borrow().clone()
    }

    /// Subscribes to answers of several requests, under a subject that only this connection gets.
    pub(super) async fn answers(&self) -> Result<Answers, BrokerError> {
        let inbox = self.client.new_inbox();
        let subscriber = self.client.subscribe(format!("{inbox}.*")).await.map_err(unreachable)?;
        Ok(Answers { inbox, subscriber, asked: 0 })
    }

    /// Publishes messages under a subject, in their order, and waits until all are stored or one is not. Returns the sequences
    /// of those that are, up to the first that is not, and why that is not.
    pub(super) async fn publish(
        &self,
        answers: &mut Answers,
        subject: &str,
        messages: Vec<(String, String)>,
    ) -> (Vec<u64>, Result<(), BrokerError>) {
        let first = answers.asked;
        let mut stored: Vec<Option<Result<u64, BrokerError>>> = messages.iter().map(|_| None).collect();
        for (id, body) in messages {
            let mut headers = HeaderMap::new();
            headers.insert(MESSAGE_ID, id.as_str());
            let reply = answers.next();
            let sent =
                self.client.publish_with_reply_and_headers(subject.to_owned(), reply, headers, body.into()).await;
            if let Err(error) = sent {
                return (Vec::new(), Err(BrokerError::Unreachable(error.to_string())));
            }
        }
        let result = loop {
            if stored.iter().all(Option::is_some) {
                break Ok(());
            }
            let (number, message) = match self.answer(answers).await {
                Ok(Some(answer)) => answer,
                Ok(None) => continue,
                Err(error) => break Err(error),
            };
            let slot = number.checked_sub(first).and_then(|index| usize::try_from(index).ok());
            // An answer to an earlier message, which came too late.
            let Some(slot) = slot.and_then(|index| stored.get_mut(index)) else { continue };
            *slot = Some(match message.status.map(|status| status.as_u16()) {
                Some(503) => Err(BrokerError::NoStream),
                _ => parse::<Acknowledgement>(&message.payload).map(|answer| answer.sequence),
            });
        };
        let mut sequences = Vec::new();
        for slot in stored {
            match slot {
                Some(Ok(sequence)) => sequences.push(sequence),
                Some(Err(error)) => return (sequences, Err(error)),
                None => return (sequences, result.and(Err(no_answer()))),
            }
        }
        (sequences, Ok(()))
    }

    /// Waits for the next answer; `None`: one that belongs to nothing.
    async fn answer(&self, answers: &mut Answers) -> Result<Option<(u64, Message)>, BrokerError> {
        tokio::select! {
            message = timeout(TIMEOUT, answers.subscriber_next()) => match message {
                Ok(Some(message)) => Ok(answers.number(&message).map(|number| (number, message))),
                Ok(None) => Err(BrokerError::Unreachable("the connection is closed".to_owned())),
                Err(_) => Err(self.said().unwrap_or_else(no_answer)),
            },
            lost = self.lost() => Err(lost),
        }
    }

    /// Asks a consumer for messages, which come as [`Self::message`] returns them.
    pub(super) async fn fetch(
        &self,
        answers: &mut Answers,
        consumer: (&str, &str),
        request: &Value,
    ) -> Result<(), BrokerError> {
        let (stream, name) = consumer;
        let reply = answers.next();
        self.client
            .publish_with_reply(format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"), reply, request.to_string().into())
            .await
            .map_err(|error| BrokerError::Unreachable(error.to_string()))
    }

    /// Waits for the next message of a consumer, or a note on it.
    pub(super) async fn message(&self, answers: &mut Answers) -> Result<Message, BrokerError> {
        tokio::select! {
            message = answers.subscriber_next() => {
                message.ok_or_else(|| BrokerError::Unreachable("the connection is closed".to_owned()))
            }
            lost = self.lost() => Err(lost),
        }
    }
}

/// The id of a message.
pub(super) fn message_id(message: &Message) -> String {
    let id = message.headers.as_ref().and_then(|headers| headers.get(MESSAGE_ID));
    id.map(|id| id.as_str().to_owned()).unwrap_or_default()
}

/// Answers to requests that were numbered from 0.
pub(super) struct Answers {
    inbox: String,
    subscriber: Subscriber,
    asked: u64,
}

impl Answers {
    /// Returns the subject for the answer to the next request.
    fn next(&mut self) -> String {
        let subject = format!("{}.{}", self.inbox, self.asked);
        self.asked += 1;
        subject
    }

    fn number(&self, message: &Message) -> Option<u64> {
        message.subject.as_str().strip_prefix(&self.inbox)?.strip_prefix('.')?.parse().ok()
    }

    async fn subscriber_next(&mut self) -> Option<Message> {
        use futures_util::StreamExt as _;
        self.subscriber.next().await
    }
}

fn parse<T: DeserializeOwned>(payload: &[u8]) -> Result<T, BrokerError> {
    #[derive(Deserialize)]
    struct Failed {
        error: ApiError,
    }
    if let Ok(Failed { error: ApiError { err_code, description } }) = serde_json::from_slice(payload) {
        return Err(match err_code {
            code::NO_STREAM => BrokerError::NoStream,
            code::NO_ROOM => BrokerError::NoRoom(description),
            _ => BrokerError::Refused { code: err_code, description },
        });
    }
    serde_json::from_slice(payload).map_err(|error| BrokerError::Answer(error.to_string()))
}

fn no_answer() -> BrokerError {
    BrokerError::Unreachable("it does not answer".to_owned())
}

fn unreachable(error: impl std::fmt::Display) -> BrokerError {
    BrokerError::Unreachable(error.to_string())
}

/// Returns why a connection cannot go on after an event.
fn lost_by(event: &Event) -> Option<BrokerError> {
    match event {
        Event::Connected | Event::Draining | Event::SlowConsumer(_) => None,
        Event::Disconnected | Event::Closed => Some(BrokerError::Unreachable("the connection was lost".to_owned())),
        Event::LameDuckMode => Some(BrokerError::Unreachable("the broker is about to stop".to_owned())),
        Event::ServerError(error) => {
            let text = error.to_string();
            let is_permission = text.to_ascii_lowercase().contains("permissions violation");
            Some(if is_permission { BrokerError::NotPermitted(text) } else { BrokerError::Unreachable(text) })
        }
        Event::ClientError(error) => Some(BrokerError::Unreachable(error.to_string())),
    }
}

fn connect_error(error: &async_nats::ConnectError) -> BrokerError {
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => BrokerError::Unknown,
        ConnectErrorKind::Tls => BrokerError::Tls(error.to_string()),
        _ => BrokerError::Unreachable(error.to_string()),
    }
}
