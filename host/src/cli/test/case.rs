//! One case of a plugin's tests, and its file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use banhook::config::PluginLimits;
use banhook::event::Event;
use banhook::message::{Decision, Policy, check, check_hints, guard};
use banhook::pipeline::limits;
use banhook::plugin::{Answer, Context, Grants, Place, PluginError, Runtime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answers::{PastBans, Places};

/// The standard ones, but that compiling may take longer: whoever tests waits for it, and builds other things meanwhile.
const LIMITS: PluginLimits = PluginLimits { compile: Duration::from_secs(600), ..PluginLimits::STANDARD };

/// A case, as its file has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    about: String,
    event: Event,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    settings: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    /// What happened before, as events: what `history` tells. None: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<Event>,
    /// What `geo` knows, by subject.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    geo: BTreeMap<String, Place>,
    /// The golden decision: `{"post": …}`, `{"skip": "…"}`, `{"digest": …}` or `{"error": "…"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decision: Option<Value>,
}

impl Case {
    /// Reads a case.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read the case {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no case", file.display()))
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

    /// The event.
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// What the plugin answers.
    ///
    /// # Errors
    /// When the plugin does not load, or the case names a time zone that is none.
    pub fn answer(&self, runtime: &Runtime, plugin: &[u8]) -> anyhow::Result<Answer> {
        // Not the system's time zone: a case gives the same answer everywhere.
        let timezone = match &self.timezone {
            Some(name) => TimeZone::get(name).with_context(|| format!("timezone \"{name}\""))?,
            None => TimeZone::UTC,
        };
        let grants = Grants {
            history: Some(Arc::new(PastBans::of(&self.history, &self.event.host))),
            geo: Some(Arc::new(Places(self.geo.clone()))),
        };
        let context = Context { settings: self.settings.clone(), timezone, grants };
        let plugin = runtime.load(plugin, context, limits(&LIMITS)).map_err(|error| anyhow!("the plugin {error}"))?;
        Ok(plugin.format(&self.event))
    }

    /// What the plugin decides; prints what it logs.
    ///
    /// # Errors
    /// As [`Case::answer`].
    pub fn decide(&self, runtime: &Runtime, plugin: &[u8]) -> anyhow::Result<Decided> {
        let answer = self.answer(runtime, plugin)?;
        for line in &answer.log {
            println!("  log {:?}: {}", line.level, banhook::message::one_line(&line.message));
        }
        let mut decided = Decided::default();
        if let Ok(Decision::Post(message)) = &answer.decision {
            decided.warnings.extend(check_hints(message).iter().map(ToString::to_string));
            match guard(message, [&self.event], &Policy { mentions: true, ..Policy::default() }) {
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

/// What a plugin came to in a case.
#[derive(Debug, Default)]
pub struct Decided {
    /// As a case has it.
    pub decision: Value,
    /// Why its message could not go out, if it cannot.
    pub refused: Option<String>,
    /// What the linter says of it otherwise.
    pub warnings: Vec<String>,
}

/// A decision over several lines, for a diff.
pub fn pretty(decision: &Value) -> String {
    serde_json::to_string_pretty(decision).unwrap_or_default()
}
