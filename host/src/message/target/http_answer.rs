//! An HTTP answer of a webhook, as a service reads it, and what it says beyond the status.

use serde_json::Value;

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

/// The meaning of an answer in the service's own words, whatever the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Too many requests.
    RateLimited,
    /// The service never accepts this message.
    Rejected,
    /// The webhook accepts no message before somebody repairs it.
    EndpointGone,
}

impl<'a> HttpAnswer<'a> {
    /// Returns whether the status says that the message was accepted.
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
