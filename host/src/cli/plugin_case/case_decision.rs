//! Decisions in the form of a case's file: the plugin's, and the one that a case expects.

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::json_text::with_suggestion;
use crate::event::Timestamp;
use crate::message::{Decision, DigestDecision, Hold, Message};
use crate::plugin::PluginError;

/// What a plugin decides on an event or a batch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CaseDecision {
    /// Send a message now.
    Post(Message),
    /// Send nothing, for this reason.
    Skip(String),
    /// Hold the event for a digest.
    Hold(Hold),
    /// Hold the digest until then.
    #[serde(rename = "hold")]
    HoldDigest(Timestamp),
}

/// What a case expects instead of a decision.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Failure {
    /// The plugin returns this error.
    Error(String),
    /// The plugin fails in this way: it traps, or exceeds a limit.
    Failure(String),
}

impl From<Decision> for CaseDecision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Post(message) => Self::Post(message),
            Decision::Skip(reason) => Self::Skip(reason),
            Decision::Hold(hold) => Self::Hold(hold),
        }
    }
}

impl From<DigestDecision> for CaseDecision {
    fn from(decision: DigestDecision) -> Self {
        match decision {
            DigestDecision::Post(message) => Self::Post(message),
            DigestDecision::Skip(reason) => Self::Skip(reason),
            DigestDecision::Hold(until) => Self::HoldDigest(until),
        }
    }
}

/// Returns what a plugin decided, or how it failed, as a case's `decision`.
pub(crate) fn to_json(decision: &Result<CaseDecision, PluginError>) -> serde_json::Result<Value> {
    Ok(match decision {
        Ok(decision) => serde_json::to_value(decision)?,
        Err(PluginError::Returned(error)) => json!({ "error": error }),
        Err(error) => json!({ "failure": error.to_string() }),
    })
}

/// Returns the expected decision as [`to_json`] would write it: without what is there by default.
///
/// # Errors
/// When no plugin could decide this.
pub(super) fn normalized(decision: &Value, of_batch: bool) -> anyhow::Result<Value> {
    let is_failure = decision.get("error").or_else(|| decision.get("failure")).is_some();
    let parsed = if is_failure {
        Failure::deserialize(decision).and_then(serde_json::to_value)
    } else if of_batch {
        DigestDecision::deserialize(decision).and_then(|decision| serde_json::to_value(CaseDecision::from(decision)))
    } else {
        Decision::deserialize(decision).and_then(|decision| serde_json::to_value(CaseDecision::from(decision)))
    };
    parsed
        .map_err(|error| anyhow!(with_suggestion(&error.to_string(), &["error", "failure"])))
        .context("no plugin can make its \"decision\"")
}

/// Formats a decision over several lines, for a diff.
pub(crate) fn pretty(decision: &Value) -> String {
    serde_json::to_string_pretty(decision).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalized_leaves_out_defaults_and_rejects_what_no_plugin_decides() {
        let post = |text: Value| json!({ "post": { "text": text, "blocks": [] } });
        let plain = json!({ "rich": [{ "text": { "text": "x", "bold": false } }] });
        let expected = json!({ "post": { "text": { "rich": [{ "text": "x" }] } } });
        assert_eq!(normalized(&post(plain), false).unwrap(), expected);
        for decision in [json!({ "error": "x" }), json!({ "failure": "trapped: y" }), json!({ "skip": "z" })] {
            assert_eq!(normalized(&decision, false).unwrap(), decision);
            assert_eq!(normalized(&decision, true).unwrap(), decision);
        }
        let until = json!({ "hold": "2026-11-22T10:00:10.000Z" });
        assert_eq!(normalized(&until, true).unwrap(), until);
        for (decision, of_batch, expected) in [
            (until, false, "expected struct Hold"),
            (json!({ "hold": { "key": "k" } }), true, "expected a string"),
            (json!({ "pots": {} }), false, "did you mean \"post\"?"),
            (json!({ "eror": "x" }), false, "did you mean \"error\"?"),
            (json!({ "post": { "text": { "plain": "x" }, "colour": "good" } }), false, "did you mean \"color\"?"),
            (json!("skip"), false, "no plugin can make"),
            (json!({ "skip": "x", "error": "y" }), false, "its \"decision\""),
        ] {
            let error = format!("{:#}", normalized(&decision, of_batch).unwrap_err());
            assert!(error.contains(expected), "{decision}: {error}");
        }
    }
}
