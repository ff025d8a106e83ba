//! One case of a plugin's tests: a JSON file with an event or a batch of them, the route's settings, the answers of host
//! interfaces (`history`, `geo`), and the decision that is expected of the plugin.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::config::parse_timezone;
use crate::event::{Batch, DigestCause, Event, Timestamp};
use crate::message::{
    Decision, DigestDecision, GuardError, Guarded, Hold, Message, Policy, check_hints, guard, guard_digest, one_line,
    unknown_hints,
};
use crate::phrase::listed;
use crate::plugin::{Answer, Grant, Host, Limits, PluginContext, PluginError, Runtime, grantable};
use anyhow::{Context as _, anyhow, bail, ensure};
use blockkit::check;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json_text::parse_json;
use super::plugin_file::PluginFile;

/// The standard limits, except for compiling, which may take longer while other builds run.
const LIMITS: Limits = Limits { compile: Duration::from_secs(600), ..Limits::STANDARD };

/// Why a batch has no decision.
const NO_DIGESTER: &str = "the case has a \"batch\", but the plugin exports no digester: banhook formats its digests, \
                           as `banhook preview` shows";

/// A case, in the form of its file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PluginCase {
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
    /// The answers of host interfaces, by their names. An interface that is missing answers nothing.
    #[serde(flatten)]
    answers: BTreeMap<String, Value>,
    /// The expected decision: `{"post": …}`, `{"skip": "…"}`, `{"hold": …}` or `{"error": "…"}`.
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
    /// The tags of each event, those of the first event first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Vec<String>>,
    /// The configuration's `[labels]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    /// When the digest closed. Default: the time of the last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
}

/// What a case hands the plugin.
pub(super) enum CaseInput<'c> {
    /// An event to decide on.
    Event(&'c Event),
    /// A batch to format, and the time.
    Batch(Box<Batch>, Timestamp),
}

impl PluginCase {
    /// Reads a case.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read the case {}", file.display()))?;
        let invalid = || format!("{} is not a valid case", file.display());
        let case: Self = parse_json(text.as_bytes()).with_context(invalid)?;
        case.input().with_context(invalid)?;
        let (_, faults) = Host::new().open(&case.context().with_context(invalid)?);
        match faults.into_iter().next() {
            Some(PluginError::Grant { import, reason }) => Err(anyhow!("\"{import}\": {reason}")).with_context(invalid),
            Some(error) => Err(error).with_context(invalid),
            None => Ok(case),
        }
    }

    /// Writes it with this as the expected decision.
    pub(super) fn write(&mut self, file: &Path, decision: Value) -> anyhow::Result<()> {
        self.decision = Some(decision);
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Returns what the case is about, in a sentence.
    pub(super) fn about(&self) -> &str {
        &self.about
    }

    /// Returns the expected decision.
    pub(super) const fn expected(&self) -> Option<&Value> {
        self.decision.as_ref()
    }

    /// Returns its event or batch.
    ///
    /// # Errors
    /// When it has both or neither, or an empty batch.
    pub(super) fn input(&self) -> anyhow::Result<CaseInput<'_>> {
        match (&self.event, &self.batch) {
            (Some(event), None) => Ok(CaseInput::Event(event)),
            (None, Some(CaseBatch { cause, key, events, tags, labels, at })) => {
                ensure!(!events.is_empty(), "its \"batch\" has no \"events\"");
                let batch = Batch::tagged(events, tags, *cause, key.clone());
                let batch = Batch { labels: labels.clone(), ..batch };
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
            Some(name) => {
                parse_timezone(name).map_err(|hint| anyhow!("timezone \"{name}\": unknown time zone; {hint}"))
            }
            None => Ok(TimeZone::UTC),
        }
    }

    /// Returns the route that the plugin works for: it grants every interface, with the answers of the case.
    fn context(&self) -> anyhow::Result<PluginContext> {
        let names: Vec<_> = grantable().into_iter().map(|(name, _)| name).collect();
        if let Some(unknown) = self.answers.keys().find(|key| !names.contains(&key.as_str())) {
            bail!("unknown field `{unknown}`; the host answers {}", listed(names, "and"));
        }
        let answers = |name| self.answers.get(name).cloned().map_or(Grant::Refused, Grant::Answers);
        let first = match (&self.event, &self.batch) {
            (Some(event), _) => Some(event),
            (None, batch) => batch.as_ref().and_then(|batch| batch.events.first()),
        };
        Ok(PluginContext {
            host: first.map(|event| event.host.clone()).unwrap_or_default(),
            settings: self.settings.clone(),
            timezone: self.timezone()?,
            grants: names.iter().map(|name| (*name, answers(*name))).collect(),
            ..PluginContext::default()
        })
    }

    /// Runs the plugin. `None`: it is a batch, and the plugin exports no digester.
    ///
    /// # Errors
    /// When the plugin does not load, which no case is to blame for.
    pub(super) fn answer(
        &self,
        runtime: &Runtime,
        plugin: &PluginFile,
    ) -> anyhow::Result<Option<Answer<CaseDecision>>> {
        let input = self.input()?;
        let (providers, _) = runtime.host().open(&self.context()?);
        let loaded = runtime.load(&plugin.bytes, &providers, LIMITS);
        let plugin = loaded.map_err(|error| anyhow!("the plugin {} {error}", plugin.path.display()))?;
        Ok(match &input {
            CaseInput::Event(event) => Some(plugin.format(event).map(CaseDecision::from)),
            CaseInput::Batch(batch, at) => plugin.digest(batch, *at).map(|answer| answer.map(CaseDecision::from)),
        })
    }

    /// Returns what the plugin decides.
    ///
    /// # Errors
    /// As [`PluginCase::answer`].
    pub(super) fn decide(&self, runtime: &Runtime, plugin: &PluginFile) -> anyhow::Result<Decided> {
        let Some(answer) = self.answer(runtime, plugin)? else {
            return Ok(Decided { rejected: Some(NO_DIGESTER.to_owned()), ..Decided::default() });
        };
        let log = answer.log.iter().map(|line| format!("{:?}: {}", line.level, one_line(&line.message))).collect();
        let mut decided = Decided { log, ..Decided::default() };
        if let Ok(CaseDecision::Hold(hold)) = &answer.decision {
            decided.warnings.extend(unknown_hints(&hold.hints));
        }
        if let Ok(CaseDecision::Post(message)) = &answer.decision {
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
    pub(super) fn guard(&self, message: &Message, policy: &Policy) -> Result<Guarded, GuardError> {
        match self {
            Self::Event(event) => guard(message, [*event], policy),
            Self::Batch(batch, _) => guard_digest(message, batch, None, policy),
        }
    }
}

/// What a plugin decides on an event or a batch, in the form of a case's file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CaseDecision {
    /// Send a message now.
    Post(Message),
    /// Send nothing, for this reason.
    Skip(String),
    /// Hold the event for a digest.
    Hold(Hold),
    /// Hold the digest until then.
    #[serde(rename = "hold")]
    HoldDigest(Timestamp),
}

impl From<Decision> for CaseDecision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Post(message) => Self::Post(message),
            Decision::Skip(reason) => Self::Skip(reason),
            Decision::Hold(hold) => Self::Hold(hold),
        }
    }
}

impl From<DigestDecision> for CaseDecision {
    fn from(decision: DigestDecision) -> Self {
        match decision {
            DigestDecision::Post(message) => Self::Post(message),
            DigestDecision::Skip(reason) => Self::Skip(reason),
            DigestDecision::Hold(until) => Self::HoldDigest(until),
        }
    }
}

/// What a plugin decided on a case.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// In the form of a case's file.
    pub decision: Value,
    /// Why its message cannot go out, or why there is none.
    pub rejected: Option<String>,
    /// What the linter says of the message otherwise.
    pub warnings: Vec<String>,
    /// The lines that the plugin logged.
    pub log: Vec<String>,
}

/// Formats a decision over several lines, for a diff.
pub(super) fn pretty(decision: &Value) -> String {
    serde_json::to_string_pretty(decision).unwrap_or_default()
}
