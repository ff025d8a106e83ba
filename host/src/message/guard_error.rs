//! Why a message may not go out.

use blockkit::Finding;

use super::raw::RawError;

/// A message that may not go out.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// A raw block cannot be read.
    #[error("block {number} (raw): {source}")]
    Raw {
        /// Which of the message's blocks, from 1.
        number: usize,
        /// What is wrong with it.
        source: RawError,
    },
    /// Slack would reject it. Not empty; errors only.
    #[error("Slack would reject the message: {}", list(.0))]
    Refused(Vec<Finding>),
    /// It has neither text nor a block that the service shows.
    #[error("the message shows nothing on {0}")]
    Empty(&'static str),
}

/// Lists the first few: a plugin that makes a mistake in one block makes it in all.
fn list(findings: &[Finding]) -> String {
    const SHOWN: usize = 3;
    let mut list = findings.iter().take(SHOWN).map(Finding::to_string).collect::<Vec<_>>().join("; ");
    if let Some(more) = findings.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        list.push_str(&format!("; and {more} more"));
    }
    list
}
