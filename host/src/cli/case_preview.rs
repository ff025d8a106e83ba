//! What the channel shows for a case: the plugin's message, the one that banhook sends in its place, or why there is none.

use serde_json::Value;

use super::plugin_case::{CaseDecision, CaseInput};
use crate::message::{
    GuardError, Message, Policy, Target, one_line, preview, preview_built_in, preview_digest, preview_fallback,
};
use crate::plugin::PluginError;

/// What the channel shows on a target.
#[derive(Debug)]
pub(super) struct CasePreview {
    pub target: Target,
    /// A body with blocks, which look as the target shows the message; or why there is no message.
    pub message: Result<Value, String>,
}

impl CasePreview {
    /// Returns what is shown for a decision. `None`: the plugin exports no digester, so banhook formats the batch.
    pub(super) fn new(
        decision: Option<&Result<CaseDecision, PluginError>>,
        input: &CaseInput<'_>,
        policy: &Policy,
    ) -> Self {
        let target = policy.target;
        let own = |why: Option<&str>| match input {
            CaseInput::Event(event) => preview_fallback(event, why.unwrap_or_default(), target),
            CaseInput::Batch(batch, _) => preview_built_in(batch, why, target),
        };
        let message = match decision {
            None => Ok(own(None)),
            Some(Ok(CaseDecision::Post(message))) => Ok(of_plugin(message, input, policy)
                .unwrap_or_else(|error| own(Some(&format!("the plugin made a message that cannot go out: {error}"))))),
            Some(Ok(CaseDecision::Skip(reason))) => Err(format!("skipped: {}", one_line(reason))),
            Some(Ok(CaseDecision::Hold(hold))) => Err(format!("held for a digest: {}", one_line(&hold.key))),
            Some(Ok(CaseDecision::HoldDigest(until))) => Err(format!("the digest is held until {until}")),
            Some(Err(error)) => Ok(own(Some(&format!("the plugin {error}")))),
        };
        Self { target, message }
    }
}

fn of_plugin(message: &Message, input: &CaseInput<'_>, policy: &Policy) -> Result<Value, GuardError> {
    match input {
        CaseInput::Event(event) => preview(message, event, policy),
        CaseInput::Batch(batch, _) => preview_digest(message, batch, policy),
    }
}
