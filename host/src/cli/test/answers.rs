//! What a case has the host answer: past bans and places out of its file, so that the answers are the same everywhere.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::event::{BanQuery, BanSummary, Event, EventDefaults, PastBan};
use crate::plugin::{Geo, GeoError, GeoInfo, History, HistoryError};

/// The past bans of a case. All of them may be seen.
pub struct PastBans(Vec<PastBan>);

/// The places of a case, by subject.
pub struct CaseGeo(pub BTreeMap<String, GeoInfo>);

impl PastBans {
    /// Those among past events that history counts. Where no host is given, it is this one.
    pub fn of(events: &[Event], host: &str) -> Self {
        let defaults = EventDefaults { host: host.to_owned(), labels: BTreeMap::new() };
        Self(events.iter().map(|event| defaults.apply(event.clone())).filter_map(|event| PastBan::of(&event)).collect())
    }
}

impl History for PastBans {
    fn bans(&self, query: &BanQuery, _deadline: Instant) -> Result<BanSummary, HistoryError> {
        Ok(BanSummary::of(&self.0, query))
    }
}

impl Geo for CaseGeo {
    fn lookup(&self, subject: &str) -> Result<Option<GeoInfo>, GeoError> {
        Ok(self.0.get(subject).cloned())
    }
}
