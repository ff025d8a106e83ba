//! `history`: past bans that the route has received, without the event that the plugin decides on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Deserialize as _;

use super::context::{PluginContext, RouteEvents};
use super::grants::{Grant, GrantSyntax};
use super::interface::{Cx, EmptyProvider, HostInterface, Import, Linked, Opened, Provider};
use crate::event::{BanQuery, BanSummary, Event, EventDefaults, Kind, PastBan};
use crate::plugin::bindings::banhook::plugin::history::{Query, Summary};
use crate::plugin::error::HostError;
use crate::plugin::lower::milliseconds;
use crate::store::{HistoryScope, Store};

/// The interface.
pub(super) struct History;

/// Answers questions about past bans.
pub(super) trait BanHistory: Send + Sync {
    /// Sums up the bans that match a query.
    ///
    /// # Errors
    /// When there is no answer, or none by the deadline. The plugin then fails, and the event goes out as a plain message:
    /// it is never given a wrong answer.
    fn bans(&self, query: &BanQuery, deadline: Instant) -> Result<BanSummary, HistoryError>;
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum HistoryError {
    /// There are too many bans to count in time.
    #[error(
        "asked about more past bans than can be counted within its time limit (limits.time); \
         let it ask with \"within\", or about one subject"
    )]
    TookTooLong,
    /// They cannot be read.
    #[error("asked about past bans, which cannot be read: {0}")]
    Failed(String),
}

/// The functions, answered by a history.
pub(super) struct HistoryFunctions(pub(super) Arc<dyn BanHistory>);

/// The past bans of one route, read over a connection of its own.
struct StoredBans {
    events: RouteEvents,
    store: Mutex<Store>,
}

/// The past bans of a test case.
struct CaseBans(Vec<PastBan>);

impl HostInterface for History {
    fn name(&self) -> &'static str {
        "history"
    }

    fn grant(&self) -> Option<GrantSyntax> {
        Some(GrantSyntax::Switch)
    }

    /// A route that receives no bans has none in its past.
    fn open(&self, grant: &Grant, route: &PluginContext) -> Opened {
        let mut faults = Vec::new();
        let history: Arc<dyn BanHistory> = match (grant, &route.events) {
            (Grant::Given, Some(events)) if events.kinds.contains(&Kind::Ban) => match Store::open(&events.state) {
                Ok(store) => Arc::new(StoredBans { events: events.clone(), store: Mutex::new(store) }),
                Err(error) => Arc::new(HistoryError::Failed(error.to_string())),
            },
            (Grant::Answers(answers), _) => match Vec::deserialize(answers) {
                Ok(events) => Arc::new(CaseBans::of(events, &route.host)),
                Err(error) => {
                    faults.push(error.to_string());
                    Arc::new(EmptyProvider)
                }
            },
            (Grant::Given | Grant::Refused | Grant::Files(_), _) => Arc::new(EmptyProvider),
        };
        Opened { provider: Box::new(HistoryFunctions(history)), faults }
    }
}

impl Provider for HistoryFunctions {
    fn link(&self, to: &mut Linked<'_>, _import: &Import<'_>) -> wasmtime::Result<()> {
        let history = Arc::clone(&self.0);
        to.func_wrap("bans", move |cx: Cx<'_>, (of,): (Query,)| {
            let (until, deadline) = (cx.data().now, cx.data().deadline);
            let query = BanQuery {
                subject: of.subject,
                jail: of.jail,
                host: of.host,
                since: of.within.map(|seconds| until.plus_ms(i64::from(seconds).saturating_mul(-1_000))),
                until,
            };
            let summary = history.bans(&query, deadline).map_err(|error| HostError(error.to_string()))?;
            Ok((lowered(summary),))
        })
    }
}

fn lowered(summary: BanSummary) -> Summary {
    Summary {
        bans: summary.bans,
        subjects: summary.subjects,
        hosts: summary.hosts,
        first: summary.first.map(milliseconds),
        last: summary.last.map(milliseconds),
        by_jail: summary.by_jail,
    }
}

impl CaseBans {
    /// The new bans among past events. An event that names no host is of this one.
    fn of(events: Vec<Event>, host: &str) -> Self {
        let defaults = EventDefaults { host: host.to_owned(), labels: BTreeMap::new() };
        Self(events.into_iter().filter_map(|event| PastBan::of(&defaults.apply(event))).collect())
    }
}

impl BanHistory for StoredBans {
    fn bans(&self, query: &BanQuery, deadline: Instant) -> Result<BanSummary, HistoryError> {
        // A panic while it was held leaves a connection that is still whole.
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let RouteEvents { jails, current, .. } = &self.events;
        match store.bans(query, &HistoryScope { may_see: &**jails, before: current.get(), deadline }) {
            Ok(Some(summary)) => Ok(summary),
            Ok(None) => Err(HistoryError::TookTooLong),
            Err(error) => Err(HistoryError::Failed(error.to_string())),
        }
    }
}

impl BanHistory for CaseBans {
    fn bans(&self, query: &BanQuery, _deadline: Instant) -> Result<BanSummary, HistoryError> {
        Ok(BanSummary::of(&self.0, query))
    }
}

impl BanHistory for EmptyProvider {
    fn bans(&self, _query: &BanQuery, _deadline: Instant) -> Result<BanSummary, HistoryError> {
        Ok(BanSummary::default())
    }
}

/// Past bans exist, and cannot be read.
impl BanHistory for HistoryError {
    fn bans(&self, _query: &BanQuery, _deadline: Instant) -> Result<BanSummary, HistoryError> {
        Err(self.clone())
    }
}
