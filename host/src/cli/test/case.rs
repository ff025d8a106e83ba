//! One case of a plugin's tests, and its file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{Batch, DigestCause, Event, Timestamp};
use crate::message::{Decision, GuardError, Guarded, Message, Policy, check, check_hints, guard, guard_digest};
use crate::plugin::{Answer, GeoInfo, Grants, Limits, PluginContext, PluginError, Runtime};
use anyhow::{Context as _, anyhow, ensure};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PluginFile;
use super::answers::{CaseGeo, PastBans};

/// The standard ones, but that compiling may take longer: whoever tests waits for it, and builds other things meanwhile.
const LIMITS: Limits = Limits { compile: Duration::from_secs(600), ..Limits::STANDARD };

/// Why a batch comes to nothing.
const NO_DIGESTER: &str = "the case has a \"batch\", but the plugin exports no digester: banhook words its digests, \
                           as `banhook preview` shows";

/// A case, as its file has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
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
    /// What happened before, as events: what `history` tells. None: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<Event>,
    /// What `geo` knows, by subject.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    geo: BTreeMap<String, GeoInfo>,
    /// The golden decision: `{"post": …}`, `{"skip": "…"}`, `{"digest": …}` or `{"error": "…"}`; on a batch, a post or an
    /// error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decision: Option<Value>,
}

/// Events that are told together, as a case's file has them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseBatch {
    cause: DigestCause,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    events: Vec<Event>,
    /// When the hold closed. None: at the last of the events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
}

/// What a case puts before the plugin.
pub enum CaseInput<'c> {
    /// To decide on.
    Event(&'c Event),
    /// To word, at that time.
    Batch(Box<Batch>, Timestamp),
}

impl Case {
    /// Reads a case.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read the case {}", file.display()))?;
        let no_case = || format!("{} is no case", file.display());
        let case: Self = serde_json::from_str(&text).with_context(no_case)?;
        case.told().with_context(no_case)?;
        case.timezone().with_context(no_case)?;
        Ok(case)
    }

    /// Writes it with this decision as the golden one.
    pub fn write(&mut self, file: &Path, decision: Value) -> anyhow::Result<()> {
        self.decision = Some(decision);
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// What it is about, in a sentence.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The golden decision.
    pub const fn expected(&self) -> Option<&Value> {
        self.decision.as_ref()
    }

    /// Its event or batch.
    ///
    /// # Errors
    /// When it has both or neither, or a batch of nothing.
    pub fn told(&self) -> anyhow::Result<CaseInput<'_>> {
        match (&self.event, &self.batch) {
            (Some(event), None) => Ok(CaseInput::Event(event)),
            (None, Some(CaseBatch { cause, key, events, at })) => {
                ensure!(!events.is_empty(), "its \"batch\" has no \"events\"");
                let batch = Batch::of(events, *cause, key.clone());
                let at = at.unwrap_or(batch.last);
                Ok(CaseInput::Batch(Box::new(batch), at))
            }
            (Some(_), Some(_)) => Err(anyhow!("it has an \"event\" and a \"batch\"; a case is about one of the two")),
            (None, None) => Err(anyhow!("it has neither an \"event\" nor a \"batch\"")),
        }
    }

    /// Not the system's time zone where it names none: a case gives the same answer everywhere.
    fn timezone(&self) -> anyhow::Result<TimeZone> {
        match &self.timezone {
            Some(name) => TimeZone::get(name).with_context(|| format!("timezone \"{name}\"")),
            None => Ok(TimeZone::UTC),
        }
    }

    /// What the plugin answers; to a batch, with a post. `None`: it is a batch, and the plugin words none.
    ///
    /// # Errors
    /// When the plugin does not load; that is no fault of the case.
    pub fn answer(&self, runtime: &Runtime, plugin: &PluginFile) -> anyhow::Result<Option<Answer>> {
        let timezone = self.timezone()?;
        let told = self.told()?;
        let first = match &told {
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
        Ok(match &told {
            CaseInput::Event(event) => Some(plugin.format(event)),
            CaseInput::Batch(batch, at) => plugin.digest(batch, *at).map(|answer| answer.map(Decision::Post)),
        })
    }

    /// What the plugin decides; prints what it logs.
    ///
    /// # Errors
    /// As [`Case::answer`].
    pub fn decide(&self, runtime: &Runtime, plugin: &PluginFile) -> anyhow::Result<Decided> {
        let Some(answer) = self.answer(runtime, plugin)? else {
            return Ok(Decided { refused: Some(NO_DIGESTER.to_owned()), ..Decided::default() });
        };
        for line in &answer.log {
            println!("  log {:?}: {}", line.level, crate::message::one_line(&line.message));
        }
        let mut decided = Decided::default();
        if let Ok(Decision::Post(message)) = &answer.decision {
            decided.warnings.extend(check_hints(message).iter().map(ToString::to_string));
            match self.told()?.guard(message, &Policy { mentions: true, ..Policy::default() }) {
                Ok(body) => decided.warnings.extend(check(body.body()).iter().map(ToString::to_string)),
                Err(error) => decided.refused = Some(error.to_string()),
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
    /// A message about it, as it would go out.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn guard(&self, message: &Message, policy: &Policy) -> Result<Guarded, GuardError> {
        match self {
            Self::Event(event) => guard(message, [*event], policy),
            Self::Batch(batch, _) => guard_digest(message, batch, policy),
        }
    }
}

/// What a plugin came to in a case.
#[derive(Debug, Default)]
pub struct Decided {
    /// As a case has it.
    pub decision: Value,
    /// Why its message could not go out, if it cannot, or why there is none.
    pub refused: Option<String>,
    /// What the linter says of it otherwise.
    pub warnings: Vec<String>,
}

/// A decision over several lines, for a diff.
pub fn pretty(decision: &Value) -> String {
    serde_json::to_string_pretty(decision).unwrap_or_default()
}
