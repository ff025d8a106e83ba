//! Decisions: what becomes of an event, or of a digest.

use std::fmt::Display;

pub use crate::bindings::formatter::exports::banhook::plugin::formatter::{Decision, Hold};
use crate::{Message, Result, Timestamp, digest};

/// A decision, of an event or of a digest.
pub trait Decide {
    /// Sends a message.
    fn post(message: Message) -> Self;

    /// Sends nothing, for a reason.
    fn skip(reason: String) -> Self;
}

impl Decide for Decision {
    fn post(message: Message) -> Self {
        Self::Post(message)
    }

    fn skip(reason: String) -> Self {
        Self::Skip(reason)
    }
}

impl Decide for digest::Decision {
    fn post(message: Message) -> Self {
        Self::Post(message)
    }

    fn skip(reason: String) -> Self {
        Self::Skip(reason)
    }
}

/// What [`hold`] takes: of an event a [`Hold`] or its key, of a digest a time.
pub trait HoldUntil<D> {
    /// Returns the decision to hold it.
    fn hold(self) -> D;
}

impl<T: Into<Hold>> HoldUntil<Decision> for T {
    fn hold(self) -> Decision {
        Decision::Hold(self.into())
    }
}

impl HoldUntil<digest::Decision> for Timestamp {
    fn hold(self) -> digest::Decision {
        digest::Decision::Hold(self)
    }
}

/// Sends a message, or a text as one.
///
/// # Errors
/// Never; it is the whole result of a plugin's function.
pub fn post<D: Decide>(message: impl Into<Message>) -> Result<D> {
    Ok(D::post(message.into()))
}

/// Sends nothing. The reason is kept and counted in `banhook status`.
///
/// # Errors
/// Never; it is the whole result of a plugin's function.
pub fn skip<D: Decide>(reason: impl Display) -> Result<D> {
    Ok(D::skip(reason.to_string()))
}

/// Holds an event to be grouped with others of the same key, or a digest until a time.
///
/// # Errors
/// Never; it is the whole result of a plugin's function.
pub fn hold<D>(what: impl HoldUntil<D>) -> Result<D> {
    Ok(what.hold())
}

impl Hold {
    /// Events with the same key are in one digest.
    pub fn new(key: impl Display) -> Self {
        Self { key: key.to_string(), until: None, tags: None, hints: None }
    }

    /// When to send it at the latest. Without it: after the route's `digest_window`.
    #[must_use]
    pub fn until(self, until: Timestamp) -> Self {
        Self { until: Some(until), ..self }
    }

    /// Adds what the event counts as in `totals.by_tag`.
    #[must_use]
    pub fn tag(mut self, tag: impl Display) -> Self {
        self.tags.get_or_insert_default().push(tag.to_string());
        self
    }
}

impl From<&str> for Hold {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

impl From<&String> for Hold {
    fn from(key: &String) -> Self {
        Self::new(key)
    }
}

impl From<String> for Hold {
    fn from(key: String) -> Self {
        Self { key, until: None, tags: None, hints: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_those_of_the_function_that_returns_them() {
        fn format(kind: &str) -> Result {
            match kind {
                "post" => post("text"),
                "hold" => hold("sshd"),
                "until" => hold(Hold::new(22).until(1.0).tag("DE")),
                "error" => Err(format!("no {kind}"))?,
                _ => skip(format_args!("{kind}")),
            }
        }
        fn digest(kind: &str) -> Result<digest::Decision> {
            match kind {
                "post" => post("text"),
                "hold" => hold(5.0),
                _ => skip("reason"),
            }
        }
        assert_eq!(format("post").unwrap(), Decision::Post(Message::new("text")));
        assert_eq!(format("hold").unwrap(), Decision::Hold(Hold::from("sshd")));
        let tags = Some(vec!["DE".to_owned()]);
        let until = Hold { key: "22".to_owned(), until: Some(1.0), tags, hints: None };
        assert_eq!(format("until").unwrap(), Decision::Hold(until));
        assert_eq!(format("flush").unwrap(), Decision::Skip("flush".to_owned()));
        assert_eq!(String::from(format("error").unwrap_err()), "no error");
        assert_eq!(digest("post").unwrap(), digest::Decision::Post(Message::new("text")));
        assert_eq!(digest("hold").unwrap(), digest::Decision::Hold(5.0));
        assert_eq!(digest("skip").unwrap(), digest::Decision::Skip("reason".to_owned()));
    }
}
