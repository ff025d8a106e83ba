//! What each target is: the trait that its module implements, and the answers of its webhooks.

use serde_json::Value;
use url::Url;

use super::super::conversation::{Reference, Way};
use super::super::facts::Facts;
use super::super::guard_error::GuardError;
use super::super::model::Message;
use super::super::sanitizer::Sanitizer;
use super::super::slack_compatible::{Dialect, preview};

/// A chat that takes messages by webhook.
pub trait Service: Sync {
    /// The word for it in the configuration and in the store.
    fn key(&self) -> &'static str;

    /// The name as its makers write it.
    fn name(&self) -> &'static str;

    /// The hosts of its webhooks; empty where everybody runs a server of their own.
    fn hosts(&self) -> &'static [&'static str] {
        &[]
    }

    /// Checks the path of a URL on one of [`Service::hosts`].
    ///
    /// # Errors
    /// When it is not the path of a webhook. The error shows nothing secret.
    fn check_path(&self, _url: &Url) -> Result<(), UrlProblem> {
        Ok(())
    }

    /// The beginning of the URL's path that is not secret. The rest of the path and the query are.
    fn public_path<'u>(&self, _url: &'u Url) -> &'u str {
        ""
    }

    /// Parts of paths and queries that are the same in everybody's URL, so that an answer may repeat them.
    fn public_words(&self) -> &'static [&'static str];

    /// The message as a body for the service's webhooks, with every foreign text escaped.
    ///
    /// # Errors
    /// When the service would refuse the body, or show nothing.
    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError>;

    /// The message as a body with blocks that look as the service shows it, for a preview.
    ///
    /// # Errors
    /// As [`Service::lower`].
    fn preview(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        match self.dialect() {
            Some(dialect) => preview(message, sanitizer, dialect).ok_or(GuardError::Empty(self.name())),
            None => self.lower(message, sanitizer),
        }
    }

    /// Its Markdown. `None`: it has blocks.
    fn dialect(&self) -> Option<&dyn Dialect> {
        None
    }

    /// Adds what a message is about to a body that [`Service::lower`] made, where a program reads it.
    fn add_facts(&self, _body: &mut Value, _facts: Facts<'_>) {}

    /// Replaces the charts and tables of a body that [`Service::lower`] made by text; returns whether it has any. Not every
    /// workspace takes them.
    fn without_figures(&self, _body: &mut Value) -> bool {
        false
    }

    /// Adds a line of text in small print to a body that [`Service::lower`] made, if there is room for it.
    fn add_note(&self, body: &mut Value, note: &str);

    /// Whether an answer with a status of success says that the message was accepted. A server that is not the service
    /// answers otherwise, and has posted nothing.
    fn accepts(&self, answer: &HttpAnswer<'_>) -> bool;

    /// The meaning of any other answer in the service's own words. `None`: the status decides.
    fn verdict(&self, answer: &HttpAnswer<'_>) -> Option<Verdict>;

    /// What to do about an error that says it too briefly.
    fn advice(&self, _answer: &HttpAnswer<'_>) -> Option<&'static str> {
        None
    }

    /// Seconds to wait after a 429 without a `Retry-After`.
    fn retry_after(&self, _answer: &HttpAnswer<'_>) -> Option<f64> {
        None
    }

    /// Seconds to wait after a message that was accepted, if it used up the webhook's rate limit.
    fn pause(&self, _answer: &HttpAnswer<'_>) -> Option<f64> {
        None
    }

    /// Errors in its answers that are stored and shown word for word.
    fn known_errors(&self) -> Vec<&'static str>;

    /// Whether a message can change an earlier one, or be beneath it: see [`Self::request`] and [`Self::reference`].
    fn has_conversations(&self) -> bool {
        false
    }

    /// What a webhook's table has next to the URL, or instead of it.
    fn access(&self) -> Access {
        Access::Url
    }

    /// Checks a URL on any host, also where [`Service::check_path`] does not apply.
    ///
    /// # Errors
    /// When no request can be made of it. The error shows nothing secret.
    fn check_url(&self, _url: &Url) -> Result<(), UrlProblem> {
        Ok(())
    }

    /// Bytes of an answer that are read: a webhook's is a word, or a line of JSON.
    fn answer_bytes(&self) -> usize {
        4_096
    }

    /// Returns what is posted for a body that [`Self::lower`] made.
    fn request(&self, endpoint: &Address<'_>, body: String, _way: &Way) -> Request {
        Request { patches: false, url: endpoint.url.clone(), body }
    }

    /// Returns the request for the last messages of a channel, where they can be asked for.
    fn history(&self, _url: &Url, _channel: &str) -> Option<Question> {
        None
    }

    /// Returns the message with an id among those that [`Self::history`] asked for.
    fn find(&self, _answer: &HttpAnswer<'_>, _id: &str) -> Option<Reference> {
        None
    }

    /// Where a message is that was accepted.
    fn reference(&self, _answer: &HttpAnswer<'_>) -> Option<Reference> {
        None
    }
}

/// How a service knows who may post, and where.
#[derive(Clone, Copy)]
pub enum Access {
    /// The URL says both.
    Url,
    /// The URL says where; some servers ask for a token.
    UrlAndToken(TokenForm),
    /// The URL says both, to a program that may want a body, headers and a signature of its own.
    Program,
    /// A token, and one channel of many. The URL is where the methods of the service are, and no secret.
    Channel(ChannelForm),
}

/// What a token looks like.
#[derive(Clone, Copy)]
pub struct TokenForm {
    /// What it is: `the token of a bot, which begins with xoxb-`.
    pub what: &'static str,
    /// Where it is found: `copy …`.
    pub hint: &'static str,
    /// Whether a text without spaces is one.
    pub is_token: fn(&str) -> bool,
}

/// What a channel looks like.
#[derive(Clone, Copy)]
pub struct ChannelForm {
    /// Its token.
    pub token: TokenForm,
    /// Where the methods are, by default.
    pub api_url: &'static str,
    /// What stands before the token in the path of the methods, where that has it. `None`: it is in a header.
    pub token_path: Option<&'static str>,
    /// Whether the channel can be asked for a message: [`Service::history`].
    pub has_history: bool,
    /// Whether a channel can have topics, each with a number.
    pub has_topics: bool,
    /// What it is: `a channel's id, such as C012AB3CD, or its name behind a #`.
    pub what: &'static str,
    /// How one is set: `add channel = …`.
    pub hint: &'static str,
    /// Whether a text is one.
    pub is_channel: fn(&str) -> bool,
}

/// Where a service takes messages.
#[derive(Clone, Copy)]
pub struct Address<'a> {
    /// The URL of the webhook, or of the service's methods.
    pub url: &'a Url,
    /// The channel, where the URL does not say it.
    pub channel: &'a str,
    /// An id that the message carries, by which [`Service::find`] knows it.
    pub id: Option<&'a str>,
}

/// A question with the method POST.
pub struct Question {
    /// Where to.
    pub url: Url,
    /// Names and values.
    pub form: Vec<(&'static str, String)>,
}

/// A request.
pub struct Request {
    /// Whether its method is PATCH instead of POST.
    pub patches: bool,
    /// Where to.
    pub url: Url,
    /// JSON.
    pub body: String,
}

/// Why a URL is not that of the service's webhooks. Shows nothing of the URL's secret part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlProblem(pub &'static str);

/// The segments of a URL's path.
pub(super) fn segments(url: &Url) -> Vec<&str> {
    url.path_segments().into_iter().flatten().collect()
}

/// An answer of a webhook.
#[derive(Clone, Copy)]
pub struct HttpAnswer<'a> {
    /// The status.
    pub status: u16,
    /// The value of a header, by its name in lower case.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The beginning of the body, without white space around it.
    pub body: &'a str,
    /// The body, if it is JSON; else null.
    pub json: &'a Value,
}

/// The meaning of an answer in the service's own words, whatever the status. Only what the service documents has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Too many requests.
    RateLimited,
    /// The message is as it should be.
    Accepted,
    /// A failure of the service that may pass.
    Transient,
    /// An error of the service that is not known here; unless it comes with a status of success, that decides.
    Unclear,
    /// The service never accepts this message.
    Rejected,
    /// The webhook accepts no message before somebody repairs it.
    EndpointGone,
    /// The message cannot be changed; it is still there.
    Unchangeable,
    /// The message that was to be changed, or to be replied to, is not there.
    Unreachable,
}

impl<'a> HttpAnswer<'a> {
    /// Returns whether the status is one of success. Whether the message was accepted is up to the service.
    #[must_use]
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Returns a text of the body's JSON; empty if there is none.
    #[must_use]
    pub(crate) fn text(&self, key: &str) -> &'a str {
        self.json.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the seconds in a header.
    #[must_use]
    pub(crate) fn header_seconds(&self, name: &str) -> Option<f64> {
        (self.header)(name)?.trim().parse().ok()
    }
}
