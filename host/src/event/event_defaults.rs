//! The host and labels of events that have none of their own.

use std::collections::BTreeMap;

use super::event::Event;

/// The host and the labels of events that have none of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventDefaults {
    /// The configuration's `host`, or else the system's host name.
    pub host: String,
    /// The configuration's `[labels]`.
    pub labels: BTreeMap<String, String>,
}

impl EventDefaults {
    /// Fills in the host where the event has none, and each label that it does not have.
    #[must_use]
    pub(crate) fn apply(&self, mut event: Event) -> Event {
        if event.host.is_empty() {
            self.host.clone_into(&mut event.host);
        }
        for (name, value) in &self.labels {
            event.labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        event
    }
}
