//! What a plugin asks its host interfaces, for a case that answers the same questions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::event::BanQuery;

/// Takes down questions. Its copies take down the same.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Recorded>>);

/// What was asked.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Questions about past bans.
    pub bans: Vec<BanQuery>,
    /// By subject, the places that were found, as a case has them.
    pub places: BTreeMap<String, Value>,
}

impl Recorder {
    /// Notes a question about past bans.
    pub(super) fn asked_bans(&self, query: &BanQuery) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bans.push(query.clone());
    }

    /// Notes where a subject is registered.
    pub(super) fn found_place(&self, subject: &str, place: Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).places.insert(subject.to_owned(), place);
    }

    /// Returns what was asked until now.
    #[must_use]
    pub fn take(&self) -> Recorded {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
