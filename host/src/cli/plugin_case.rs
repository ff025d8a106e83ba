//! One case of a plugin's tests: a JSON file with an event or a batch of them, the route's settings, the host's answers to
//! `history` and `geo`, and the decision that is expected of the plugin.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{BanQuery, BanSummary, Batch, DigestCause, Event, EventDefaults, PastBan, Timestamp};
use crate::message::{Decision, GuardError, Guarded, Message, Policy, check_hints, guard, guard_digest, one_line};
use crate::plugin::{
    Answer, Geo, GeoError, GeoInfo, Grants, History, HistoryError, Limits, PluginContext, PluginError, Runtime,
};
use anyhow::{Context as _, anyhow, ensure};
use blockkit::check;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plugin_file::PluginFile;

/// The standard limits, but for compiling: it may take longer beside other builds.
const LIMITS: Limits = Limits { compile: Duration::from_secs(600), ..Limits::STANDARD };

/// Why a batch has no decision.
const NO_DIGESTER: &str = "the case has a \"batch\", but the plugin exports no digester: banhook formats its digests, \
                           as `banhook preview` shows";

/// A case, in the form of its file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginCase {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    about: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Event>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<CaseBatch>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    settings: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    /// Earlier events, for `history`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<Event>,
    /// What `geo` answers, by subject.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    geo: BTreeMap<String, GeoInfo>,
    /// The expected decision: `{"post": …}`, `{"skip": "…"}`, `{"digest": …}` or `{"error": "…"}`; for a batch, a post or
    /// an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decision: Option<Value>,
}

/// Events that are grouped into a digest, in the form of a case's file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseBatch {
    cause: DigestCause,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    events: Vec<Event>,
    /// When the digest closed. Default: the time of the last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
}

/// What a case hands the plugin.
pub enum CaseInput<'c> {
    /// An event to decide on.
    Event(&'c Event),
    /// A batch to format, and the time.
    Batch(Box<Batch>, Timestamp),
}

impl PluginCase {
    /// Reads a case.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read the case {}", file.display()))?;
        let invalid = || format!("{} is not a valid case", file.display());
        let case: Self = serde_json::from_str(&text).with_context(invalid)?;
        case.input().with_context(invalid)?;
        case.timezone().with_context(invalid)?;
        Ok(case)
    }

    /// Writes it with this as the expected decision.
    pub fn write(&mut self, file: &Path, decision: Value) -> anyhow::Result<()> {
        self.decision = Some(decision);
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Returns what the case is about, in a sentence.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Returns the expected decision.
    pub const fn expected(&self) -> Option<&Value> {
        self.decision.as_ref()
    }

    /// Returns its event or batch.
    ///
    /// # Errors
    /// When it has both or neither, or an empty batch.
    pub fn input(&self) -> anyhow::Result<CaseInput<'_>> {
        match (&self.event, &self.batch) {
            (Some(event), None) => Ok(CaseInput::Event(event)),
            (None, Some(CaseBatch { cause, key, events, at })) => {
                ensure!(!events.is_empty(), "its \"batch\" has no \"events\"");
                let batch = Batch::of(events, *cause, key.clone());
                let at = at.unwrap_or(batch.last);
                Ok(CaseInput::Batch(Box::new(batch), at))
            }
            (Some(_), Some(_)) => Err(anyhow!("it has an \"event\" and a \"batch\"; a case has one of the two")),
            (None, None) => Err(anyhow!("it has neither an \"event\" nor a \"batch\"")),
        }
    }

    /// Returns its time zone. The default is not the system's: a case has the same result everywhere.
    fn timezone(&self) -> anyhow::Result<TimeZone> {
        match &self.timezone {
            Some(name) => TimeZone::get(name).with_context(|| format!("timezone \"{name}\"")),
            None => Ok(TimeZone::UTC),
        }
    }

    /// Runs the plugin; its answer to a batch is a post. `None`: it is a batch, and the plugin exports no digester.
    ///
    /// # Errors
    /// When the plugin does not load, which no case is to blame for.
    pub fn answer(&self, runtime: &Runtime, plugin: &PluginFile) -> anyhow::Result<Option<Answer>> {
        let timezone = self.timezone()?;
        let input = self.input()?;
        let first = match &input {
            CaseInput::Event(event) => Some(*event),
            CaseInput::Batch(batch, _) => batch.events.first(),
        };
        let host = first.map_or("", |event| &event.host);
        let grants = Grants {
            history: Some(Arc::new(PastBans::of(&self.history, host))),
            geo: Some(Arc::new(CaseGeo(self.geo.clone()))),
        };
        let context = PluginContext { settings: self.settings.clone(), timezone, grants };
        let loaded = runtime.load(&plugin.bytes, context, LIMITS);
        let plugin = loaded.map_err(|error| anyhow!("the plugin {} {error}", plugin.path.display()))?;
        Ok(match &input {
            CaseInput::Event(event) => Some(plugin.format(event)),
            CaseInput::Batch(batch, at) => plugin.digest(batch, *at).map(|answer| answer.map(Decision::Post)),
        })
    }

    /// Returns what the plugin decides; prints what it logs.
    ///
    /// # Errors
    /// As [`PluginCase::answer`].
    pub fn decide(&self, runtime: &Runtime, plugin: &PluginFile) -> anyhow::Result<Decided> {
        let Some(answer) = self.answer(runtime, plugin)? else {
            return Ok(Decided { rejected: Some(NO_DIGESTER.to_owned()), ..Decided::default() });
        };
        for line in &answer.log {
            println!("  log {:?}: {}", line.level, one_line(&line.message));
        }
        let mut decided = Decided::default();
        if let Ok(Decision::Post(message)) = &answer.decision {
            decided.warnings.extend(check_hints(message).iter().map(ToString::to_string));
            match self.input()?.guard(message, &Policy { mentions: true, ..Policy::default() }) {
                Ok(body) => decided.warnings.extend(check(body.body()).iter().map(ToString::to_string)),
                Err(error) => decided.rejected = Some(error.to_string()),
            }
        }
        decided.decision = match answer.decision {
            Ok(decision) => serde_json::to_value(decision)?,
            Err(PluginError::Returned(error)) => serde_json::json!({ "error": error }),
            Err(error) => serde_json::json!({ "failure": error.to_string() }),
        };
        Ok(decided)
    }
}

impl CaseInput<'_> {
    /// Guards a message about it, as if it went out.
    ///
    /// # Errors
    /// Why it cannot go out.
    pub fn guard(&self, message: &Message, policy: &Policy) -> Result<Guarded, GuardError> {
        match self {
            Self::Event(event) => guard(message, [*event], policy),
            Self::Batch(batch, _) => guard_digest(message, batch, policy),
        }
    }
}

/// What a plugin decided on a case.
#[derive(Debug, Default)]
pub struct Decided {
    /// In the form of a case's file.
    pub decision: Value,
    /// Why its message cannot go out, or why there is none.
    pub rejected: Option<String>,
    /// What the linter says of the message otherwise.
    pub warnings: Vec<String>,
}

/// Past bans from the case's file, so that answers are the same everywhere. The plugin may see all of them.
struct PastBans(Vec<PastBan>);

impl PastBans {
    /// Takes those of the past events that history counts. An event without a host is of this host.
    fn of(events: &[Event], host: &str) -> Self {
        let defaults = EventDefaults { host: host.to_owned(), labels: BTreeMap::new() };
        Self(events.iter().map(|event| defaults.apply(event.clone())).filter_map(|event| PastBan::of(&event)).collect())
    }
}

impl History for PastBans {
    fn bans(&self, query: &BanQuery, _deadline: Instant) -> Result<BanSummary, HistoryError> {
        Ok(BanSummary::of(&self.0, query))
    }
}

/// Places from the case's file, by subject.
struct CaseGeo(BTreeMap<String, GeoInfo>);

impl Geo for CaseGeo {
    fn lookup(&self, subject: &str) -> Result<Option<GeoInfo>, GeoError> {
        Ok(self.0.get(subject).cloned())
    }
}

/// Formats a decision over several lines, for a diff.
pub fn pretty(decision: &Value) -> String {
    serde_json::to_string_pretty(decision).unwrap_or_default()
}
