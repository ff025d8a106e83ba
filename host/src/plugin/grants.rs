//! What a route lets its plugin ask the host, and how a plugin that wants more is refused.

use std::sync::Arc;
use std::time::Instant;

use super::PluginError;
use super::geo::{Geo, GeoError, GeoInfo};
use super::history::{History, HistoryError};
use super::imports::interface;
use crate::event::{BanQuery, BanSummary};

/// What a plugin may ask, and who answers. `None`: a plugin that imports it is refused; for one that may import it and
/// learn nothing, there is [`EmptyProvider`].
#[derive(Clone, Default)]
pub struct Grants {
    /// About past bans.
    pub history: Option<Arc<dyn History>>,
    /// Where an address is registered.
    pub geo: Option<Arc<dyn Geo>>,
}

/// Answers every question with nothing.
#[derive(Debug, Clone, Copy)]
pub struct EmptyProvider;

impl History for EmptyProvider {
    fn bans(&self, _query: &BanQuery, _deadline: Instant) -> Result<BanSummary, HistoryError> {
        Ok(BanSummary::default())
    }
}

impl Geo for EmptyProvider {
    fn lookup(&self, _subject: &str) -> Result<Option<GeoInfo>, GeoError> {
        Ok(None)
    }
}

impl Grants {
    /// Refuses an import that is offered, yet not to this plugin.
    pub(super) fn check(&self, import: &str) -> Result<(), PluginError> {
        match interface(import) {
            Some("history") if self.history.is_none() => {
                Err(PluginError::NotGranted { import: "history", line: "history = true" })
            }
            Some("geo") if self.geo.is_none() => {
                Err(PluginError::NotGranted { import: "geo", line: "geo = [\"….mmdb\"]" })
            }
            _ => Ok(()),
        }
    }
}
