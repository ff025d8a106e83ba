//! One case of a plugin's tests: a JSON file with an event or a batch of them, the route's settings, the answers of host
//! interfaces (`history`, `geo`), and the decision that is expected of the plugin.

mod budget;
mod case_decision;
mod route_of_case;
mod setting_text;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::config::parse_timezone;
use crate::event::{Batch, DigestCause, Event, STORM_LABEL, STORM_OVER, Timestamp};
use crate::message::{GuardError, Guarded, Message, Policy, Target, guard, guard_digest};
use crate::phrase::{did_you_mean, listed};
use crate::plugin::{Answer, Grant, Host, Limits, Plugin, PluginContext, PluginError, Runtime, grantable};
use anyhow::{Context as _, anyhow, bail, ensure};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use budget::Budget;
pub(super) use case_decision::{CaseDecision, pretty, to_json};
pub(super) use route_of_case::RouteOfCase;

use super::json_text::parse_json;
use super::plugin_file::PluginFile;

/// The standard limits, except for compiling, which may take longer while other builds run, and for what is kept of the
/// plugin's output, which its author wants to read.
pub(super) const LIMITS: Limits = Limits { compile: Duration::from_secs(600), printed: 64 << 10, ..Limits::STANDARD };

/// The keys of a case, apart from the names of host interfaces.
const KEYS: [&str; 11] = [
    "$schema", "about", "event", "batch", "settings", "timezone", "mentions", "target", "budget", "problems",
    "decision",
];

/// A case, in the form of its file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PluginCase {
    /// For editors; banhook ignores it.
    #[serde(default, rename = "$schema", skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    about: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Event>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<CaseBatch>,
    /// As a route has them: texts, numbers, booleans and lists of these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    settings: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    /// Whether the route permits mentions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mentions: Option<bool>,
    /// The service behind the route's webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// What the plugin may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<Budget>,
    /// What the plugin finds wrong with the settings, in the words of `banhook config check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<String>>,
    /// The answers of host interfaces, by their names. An interface that is missing answers nothing.
    #[serde(flatten)]
    answers: BTreeMap<String, Value>,
    /// The expected decision: `{"post": …}`, `{"skip": "…"}`, `{"hold": …}`, `{"error": "…"}` or `{"failure": "…"}`.
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
        Self::parse(&text).with_context(|| format!("{} is not a valid case", file.display()))
    }

    /// Parses a case.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut case: Self = parse_json(text.as_bytes())?;
        let is_batch = matches!(case.input()?, CaseInput::Batch(..));
        check_families(&parse_json(text.as_bytes())?)?;
        if let Some(decision) = &case.decision {
            case.decision = Some(case_decision::normalized(decision, is_batch)?);
        }
        case.policy()?;
        let (_, faults) = Host::new().open(&case.context()?);
        match faults.into_iter().next() {
            Some(PluginError::Grant { import, reason }) => Err(anyhow!("\"{import}\": {reason}")),
            Some(error) => Err(error.into()),
            None => Ok(case),
        }
    }

    /// Writes it with this as the expected decision, and these as the problems with its settings if it names any.
    pub(super) fn write(&mut self, file: &Path, decision: Value, problems: Vec<String>) -> anyhow::Result<()> {
        self.decision = Some(decision);
        self.problems = self.problems.is_some().then_some(problems);
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Returns it with no decision that it expects.
    pub(super) fn without_decision(self) -> Self {
        Self { decision: None, ..self }
    }

    /// Returns the text of its file, without the decision that it expects.
    pub(super) fn source(&self) -> String {
        let mut case = serde_json::to_value(self).unwrap_or_default();
        if let Some(case) = case.as_object_mut() {
            case.remove("decision");
        }
        pretty(&case)
    }

    /// Returns what the case is about, in a sentence.
    pub(super) fn about(&self) -> &str {
        &self.about
    }

    /// Returns what the plugin may use at most.
    pub(super) const fn budget(&self) -> Option<Budget> {
        self.budget
    }

    /// Returns the expected decision.
    pub(super) const fn expected(&self) -> Option<&Value> {
        self.decision.as_ref()
    }

    /// Returns the problems with its settings that it expects; `None` if it says nothing of them.
    pub(super) fn expected_problems(&self) -> Option<&[String]> {
        self.problems.as_deref()
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
                let over = *cause == DigestCause::Storm && labels.get(STORM_LABEL).is_some_and(|of| of == STORM_OVER);
                let batch = Batch { over, labels: labels.clone(), ..batch };
                let at = at.unwrap_or(batch.last);
                Ok(CaseInput::Batch(Box::new(batch), at))
            }
            (Some(_), Some(_)) => Err(anyhow!("it has an \"event\" and a \"batch\"; a case has one of the two")),
            (None, None) => match self.misspelt_key() {
                Some(error) => Err(error),
                None => Err(anyhow!("it has neither an \"event\" nor a \"batch\"")),
            },
        }
    }

    /// Returns what its route permits, and where its messages go.
    ///
    /// # Errors
    /// When there is no such target.
    pub(super) fn policy(&self) -> anyhow::Result<Policy> {
        let target = self.target.as_deref().map_or(Ok(Target::default()), |word| {
            let known = || Target::ALL.iter().map(|target| target.as_str());
            Target::parse(word).ok_or_else(|| {
                let hint = did_you_mean(word, known()).unwrap_or_else(|| format!("expected {}", listed(known(), "or")));
                anyhow!("target \"{word}\": no such target; {hint}")
            })
        })?;
        Ok(Policy { mentions: self.mentions.unwrap_or(false), target })
    }

    /// Returns the settings as the plugin gets them.
    ///
    /// # Errors
    /// When no route can have one of them.
    pub(super) fn settings(&self) -> anyhow::Result<BTreeMap<String, String>> {
        setting_text::texts(&self.settings)
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

    /// Returns the error about a key that neither a case nor a host interface has.
    fn misspelt_key(&self) -> Option<anyhow::Error> {
        let interfaces: Vec<_> = grantable().into_iter().map(|(name, _)| name).collect();
        let unknown = self.answers.keys().find(|key| !interfaces.contains(&key.as_str()))?;
        let known = || KEYS.into_iter().chain(interfaces.iter().copied());
        let hint = did_you_mean(unknown, known()).unwrap_or_else(|| format!("its keys are {}", listed(known(), "and")));
        Some(anyhow!("unknown field `{unknown}`; {hint}"))
    }

    fn first_event(&self) -> Option<&Event> {
        self.event.as_ref().or_else(|| self.batch.as_ref()?.events.first())
    }

    /// Returns the route that the plugin works for: it grants every interface, with the answers of the case.
    fn context(&self) -> anyhow::Result<PluginContext> {
        if let Some(error) = self.misspelt_key() {
            bail!(error);
        }
        let answers = |name| self.answers.get(name).cloned().map_or(Grant::Refused, Grant::Answers);
        Ok(PluginContext {
            host: self.first_event().map(|event| event.host.clone()).unwrap_or_default(),
            settings: self.settings()?,
            timezone: self.timezone()?,
            grants: grantable().into_iter().map(|(name, _)| (name, answers(name))).collect(),
            ..PluginContext::default()
        })
    }

    /// Loads the plugin for the route of the case.
    ///
    /// # Errors
    /// When the plugin does not load, which no case is to blame for.
    pub(super) fn load(&self, runtime: &Runtime, plugin: &PluginFile) -> anyhow::Result<Plugin> {
        let (providers, _) = runtime.host().open(&self.context()?);
        let path = Some(plugin.path.as_path());
        let loaded = runtime.load_hashed(&plugin.bytes, plugin.sha256, path, &providers, LIMITS);
        loaded.map_err(|error| anyhow!("the plugin {} {error}", plugin.path.display()))
    }
}

impl CaseInput<'_> {
    /// Asks a plugin. `None`: it is a batch, and the plugin exports no digester.
    pub(super) fn answer(&self, plugin: &Plugin) -> Option<Answer<CaseDecision>> {
        match self {
            CaseInput::Event(event) => Some(plugin.format(event).map(CaseDecision::from)),
            CaseInput::Batch(batch, at) => plugin.digest(batch, *at).map(|answer| answer.map(CaseDecision::from)),
        }
    }

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

    /// Returns its events.
    pub(super) fn events(&self) -> Vec<&Event> {
        match self {
            Self::Event(event) => vec![event],
            Self::Batch(batch, _) => batch.events.iter().collect(),
        }
    }
}

/// Checks that events say the family of their subject as banhook does: it follows from the subject, so another one would be
/// ignored.
fn check_families(case: &Value) -> anyhow::Result<()> {
    let batch = case.pointer("/batch/events").and_then(Value::as_array);
    for event in case.get("event").into_iter().chain(batch.into_iter().flatten()) {
        let Some(said) = event.get("family").and_then(Value::as_str) else { continue };
        let parsed: Event = serde_json::from_value(event.clone())?;
        let subject = parsed.ban().map(|ban| ban.subject.clone()).unwrap_or_default();
        // An event is written with its family.
        let family = serde_json::to_value(&parsed)?.get("family").and_then(Value::as_str).map(str::to_owned);
        match family {
            Some(family) if family == said => {}
            Some(family) => bail!("the family of \"{subject}\" is {family}, and the case says {said}; leave it out"),
            None => bail!("the case says a family, and the event has no subject"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({ "action": "ban", "at": "2026-11-22T10:56:55.601Z", "jail": "sshd", "subject": "203.0.113.7" })
    }

    fn error(case: &Value) -> String {
        format!("{:#}", PluginCase::parse(&case.to_string()).unwrap_err())
    }

    #[test]
    fn keys_are_those_of_the_file() {
        let case = json!({
            "$schema": "x", "about": "a", "event": event(), "settings": { "a": ["x", 1] }, "timezone": "UTC",
            "mentions": true, "target": "discord", "budget": { "fuel": 5 }, "problems": [], "history": [], "geo": {}, "decision": { "skip": "x" },
        });
        let read = PluginCase::parse(&case.to_string()).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        let keys: Vec<_> = written.as_object().unwrap().keys().cloned().collect();
        let interfaces = grantable().into_iter().map(|(name, _)| name);
        let known = KEYS.into_iter().filter(|key| *key != "batch").chain(interfaces);
        let mut known: Vec<_> = known.map(str::to_owned).collect();
        known.sort();
        assert_eq!(
            {
                let mut keys = keys;
                keys.sort();
                keys
            },
            known
        );
        // `--update` keeps the form of the settings.
        assert_eq!(written["settings"], case["settings"]);
        assert_eq!(read.settings().unwrap()["a"], "x\n1");
    }

    #[test]
    fn case_that_is_wrong_says_what_was_meant() {
        for (case, expected) in [
            (json!({ "event": event(), "setings": {} }), "unknown field `setings`; did you mean \"settings\"?"),
            (json!({ "evnt": event() }), "unknown field `evnt`; did you mean \"event\"?"),
            (json!({ "event": event(), "zzzzzzzz": 1 }), "its keys are $schema, about, "),
            (json!({ "event": event(), "target": "slak" }), "target \"slak\": no such target; did you mean \"slack\"?"),
            (json!({ "event": event(), "settings": { "a": null } }), "setting \"a\": expected a string, a number"),
            (json!({ "event": event(), "decision": { "pst": {} } }), "did you mean \"post\"?"),
        ] {
            let error = error(&case);
            assert!(error.contains(expected), "{case}: {error}");
        }
        let misspelt = event().to_string().replace("jail", "jial");
        assert!(
            error(&serde_json::from_str(&format!(r#"{{"event": {misspelt}}}"#)).unwrap())
                .contains("did you mean \"jail\"?")
        );
    }

    #[test]
    fn family_that_contradicts_the_subject_is_an_error() {
        let with_family = |family: &str| {
            let mut event = event();
            event["family"] = json!(family);
            event
        };
        assert!(PluginCase::parse(&json!({ "event": with_family("ipv4") }).to_string()).is_ok());
        let expected = "the family of \"203.0.113.7\" is ipv4, and the case says ipv6";
        assert!(error(&json!({ "event": with_family("ipv6") })).contains(expected));
        let batch = json!({ "batch": { "cause": "storm", "events": [event(), with_family("name")] } });
        assert!(error(&batch).contains("is ipv4, and the case says name"));
    }
}
