//! `history`: past bans that the route has received, without the event that the plugin decides on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Deserialize as _;

use super::context::{PluginContext, RouteEvents};
use super::grants::{Grant, GrantSyntax};
use super::interface::{Cx, EmptyProvider, HostInterface, Import, Linked, Opened, Provider};
use super::recorder::Recorder;
use crate::event::readable::cut;
use crate::event::{BanQuery, BanSummary, Event, EventDefaults, Kind, PastBan, SubjectQuery};
use crate::plugin::bindings::banhook::plugin::history::{self as wit, Query, Summary};
use crate::plugin::bindings::banhook::plugin::types;
use crate::plugin::error::NAME_BYTES;
use crate::plugin::lower::milliseconds;
use crate::plugin::state::State;
use crate::store::{HistoryScope, Store};

/// The interface.
pub(super) struct History;

/// Answers questions about past bans.
pub(super) trait BanHistory: Send + Sync {
    /// Sums up the bans that match a query.
    ///
    /// # Errors
    /// When there is no answer, or none by the deadline. The plugin gets the error, and never a wrong answer.
    fn bans(&self, query: &BanQuery, deadline: Instant) -> Result<BanSummary, HistoryError>;
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum HistoryError {
    /// The question is wrong.
    #[error("{0}")]
    Invalid(String),
    /// There are too many bans to count in time.
    #[error(
        "more past bans than can be counted in half of the time that is left (limits.time); \
         ask with \"within\", or about one subject"
    )]
    TookTooLong,
    /// They cannot be read.
    #[error("past bans cannot be read: {0}")]
    Failed(String),
}

impl HistoryError {
    /// Returns the code in the interface.
    const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::TookTooLong => "timeout",
            Self::Failed(_) => "unavailable",
        }
    }
}

/// The functions, answered by a history.
pub(super) struct HistoryFunctions(pub(super) Arc<dyn BanHistory>);

/// The past bans of one route, read over a connection of its own.
struct StoredBans {
    events: RouteEvents,
    store: Mutex<Store>,
}

/// A history whose questions are taken down.
struct Recording {
    history: Arc<dyn BanHistory>,
    recorder: Recorder,
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
        let history = match &route.recorder {
            Some(recorder) => Arc::new(Recording { history, recorder: recorder.clone() }),
            None => history,
        };
        Opened { provider: Box::new(HistoryFunctions(history)), faults }
    }
}

impl Provider for HistoryFunctions {
    fn link(&self, to: &mut Linked<'_>, _import: &Import<'_>) -> wasmtime::Result<()> {
        let history = Arc::clone(&self.0);
        to.func_wrap("bans", move |mut cx: Cx<'_>, (of,): (Query,)| {
            let state = cx.data_mut();
            let summary = query(of, state).and_then(|query| {
                // The rest is for a plugin that goes on without an answer.
                let now = Instant::now();
                history.bans(&query, now + state.deadline.saturating_duration_since(now) / 2)
            });
            Ok((summary.map(lowered).map_err(|error| {
                state.no_answer("history.bans", &error);
                types::Error { code: error.code().to_owned(), message: error.to_string() }
            }),))
        })
    }
}

/// Lifts a query.
fn query(of: Query, state: &mut State) -> Result<BanQuery, HistoryError> {
    state.unknown_hints("history.bans", of.hints.as_deref().unwrap_or_default());
    let subject = of.subject.map(|subject| match subject {
        wit::SubjectQuery::Exact(subject) => Ok(SubjectQuery::Exact(subject)),
        wit::SubjectQuery::Network(network) => match network.parse() {
            Ok(network) => Ok(SubjectQuery::Network(network)),
            Err(_) => {
                let shown = cut(&network, NAME_BYTES).to_owned();
                Err(HistoryError::Invalid(format!("expected a network like 203.0.113.0/24, found \"{shown}\"")))
            }
        },
    });
    let until = state.now;
    Ok(BanQuery {
        subject: subject.transpose()?,
        jail: of.jail,
        host: of.host,
        since: of.within.map(|seconds| until.plus_ms(i64::from(seconds).saturating_mul(-1_000))),
        until,
    })
}

fn lowered(summary: BanSummary) -> Summary {
    Summary {
        bans: summary.bans,
        subjects: summary.subjects,
        hosts: summary.hosts,
        first: summary.first.map(milliseconds),
        last: summary.last.map(milliseconds),
        by_jail: summary.by_jail,
        by_host: summary.by_host,
        labels: vec![("jails".to_owned(), summary.jails.to_string())],
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

impl BanHistory for Recording {
    fn bans(&self, query: &BanQuery, deadline: Instant) -> Result<BanSummary, HistoryError> {
        self.recorder.asked_bans(query);
        self.history.bans(query, deadline)
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
