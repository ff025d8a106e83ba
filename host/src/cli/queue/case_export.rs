//! `banhook queue export --case`: one message's events as a case, with all that decided on the message: settings, time
//! zone, and the answers that its plugin gets from `history` and `geo`. They are known by asking the plugin once more.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use serde_json::{Map, Value, json};

use super::redaction::redact;
use super::selection::no_such_message;
use crate::cli::command_error::{CommandError, Outcome, print_stderr};
use crate::cli::global_options::{GlobalOptions, host_name};
use crate::cli::plugin_case::{PluginCase, pretty, to_json};
use crate::cli::plugin_file::{PluginFile, case_runtime};
use crate::config::{Config, PluginSource, Route};
use crate::event::{Event, Kind, PastBan};
use crate::format::{DryRun, RouteContext, profiles};
use crate::message::Target;
use crate::phrase::listed;
use crate::plugin::{Recorder, Runtime};
use crate::store::{HistoryScope, OpenDigest, StateDir, Store};

/// Past bans that a case has for each question at most; those that are left out are the oldest.
const PAST_BANS: usize = 1_000;

/// How long a question about past bans may take. No event waits.
const QUESTION_TIME: Duration = Duration::from_secs(60);

/// What becomes a case.
struct Exported<'c> {
    about: String,
    route: &'c Route,
    /// Where its message goes.
    webhook: String,
    /// With their numbers, in the order of receipt.
    events: Vec<(i64, Event)>,
    /// Of a digest.
    digest: Option<OpenDigest>,
}

/// Prints the events of a message, or one event, as a case. `hide`: addresses, hosts and names are replaced by those of
/// documentation.
pub(super) fn export_case(global: &GlobalOptions, id: &str, route: Option<&str>, hide: bool) -> Outcome {
    let config = global.config()?;
    let stored = global.existing_store()?;
    let (state, store) = stored.context("nothing is stored yet").map_err(CommandError::Other)?;
    let exported = match id.parse() {
        Ok(message) => of_message(&config, &store, message)?,
        Err(_) => of_event(&config, &store, id, route)?,
    };
    let runtime = Arc::new(case_runtime()?);
    let mut case = case_of(&config, (&state, &store), &exported, &runtime)?;
    if hide {
        redact(&mut case);
    }
    let decision = decision(&case, exported.route, &runtime).map_err(CommandError::Other)?;
    if let Some(case) = case.as_object_mut() {
        case.insert("decision".to_owned(), decision);
    }
    writeln!(io::stdout(), "{}", pretty(&case))?;
    Ok(true)
}

fn of_message<'c>(config: &'c Config, store: &Store, id: i64) -> Result<Exported<'c>, CommandError> {
    let unknown = || CommandError::Other(anyhow!(no_such_message(id)));
    let (message, _) = store.message(id)?.ok_or_else(unknown)?;
    let route = config.routes.iter().find(|route| route.name == message.route).with_context(|| {
        let route = &message.route;
        format!("message {id} is of the route {route}, which the configuration no longer has: its settings are unknown")
    });
    let defaults = config.event_defaults(&host_name());
    let mut events = Vec::new();
    for found in store.message_events(id, usize::MAX)? {
        match found.event {
            Ok(event) => events.push((found.seq, defaults.apply(event))),
            Err(error) => print_stderr(&format!("an event is left out, since it cannot be read: {error}")),
        }
    }
    if events.is_empty() {
        return Err(CommandError::Other(anyhow!("the events of message {id} are not kept any more")));
    }
    Ok(Exported {
        about: format!("Message {id} of the route {}.", message.route),
        route: route.map_err(CommandError::Input)?,
        webhook: message.webhook,
        events,
        digest: store.closed_digest(id)?,
    })
}

fn of_event<'c>(
    config: &'c Config,
    store: &Store,
    id: &str,
    wanted: Option<&str>,
) -> Result<Exported<'c>, CommandError> {
    let found = store.latest_events(1, |event| event.id == id)?.pop();
    let (seq, event) = found
        .with_context(|| format!("no message has this number, and no stored event this id: {id}"))
        .map_err(CommandError::Other)?;
    let matching = |route: &&Route| {
        route.mismatch(&event.jail, event.kind()).is_none() && wanted.is_none_or(|name| route.name == name)
    };
    let routes: Vec<_> = config.routes.iter().filter(matching).collect();
    let route = match routes.as_slice() {
        [route] => *route,
        [] => return Err(CommandError::Input(anyhow!("the event {id} matches no such route"))),
        several => {
            let names = listed(several.iter().map(|route| route.name.as_str()), "and");
            return Err(CommandError::Input(anyhow!(
                "the event {id} matches the routes {names}; choose one with --route"
            )));
        }
    };
    Ok(Exported {
        about: format!("Event {id} on the route {}.", route.name),
        route,
        webhook: route.webhook.clone(),
        events: vec![(seq, config.event_defaults(&host_name()).apply(event))],
        digest: None,
    })
}

fn case_of(
    config: &Config,
    (state, store): (&StateDir, &Store),
    Exported { about, route, webhook, events, digest }: &Exported<'_>,
    runtime: &Arc<Runtime>,
) -> Result<Value, CommandError> {
    let defaults = config.event_defaults(&host_name());
    let profiles = profiles(config);
    let target = profiles.get(webhook).map_or_else(Target::default, |profile| profile.target);
    let context =
        RouteContext { defaults: defaults.clone(), profiles, runtime: Arc::clone(runtime), state: Some(state.clone()) };
    let recorder = Recorder::default();
    let dry_run = DryRun::load(route, &context, Some(&recorder))
        .map_err(|error| CommandError::Other(anyhow!("the plugin of the route {} {error}", route.name)))?;
    let first = events.first().map(|(seq, _)| *seq).unwrap_or_default();
    // When a digest closes, all events that were received are past.
    let before = if digest.is_some() { i64::MAX } else { first };
    let plugin = dry_run.before(before);
    let mut case = Map::from_iter([("about".to_owned(), json!(about))]);
    if let Some(open) = digest {
        let mut batch = store.digest_batch(open, None, &defaults.host, |event| defaults.apply(event))?;
        batch.labels.clone_from(&defaults.labels);
        // Only what it asks is of interest: the decision is that on the case.
        let _ = plugin.digest(&batch, batch.last);
        let listed: Vec<&Event> = events.iter().map(|(_, event)| event).collect();
        let mut written =
            Map::from_iter([("cause".to_owned(), json!(batch.cause)), ("events".to_owned(), json!(listed))]);
        let tags = store.message_tags(open.id)?;
        let optional = [
            ("key", batch.key.map(Value::from)),
            ("tags", tags.iter().any(|tags| !tags.is_empty()).then(|| json!(tags))),
            ("labels", (!defaults.labels.is_empty()).then(|| json!(defaults.labels))),
        ];
        for (name, value) in optional {
            written.extend(value.map(|value| (name.to_owned(), value)));
        }
        case.insert("batch".to_owned(), Value::Object(written));
    } else if let Some((_, event)) = events.first() {
        let _ = plugin.format(event);
        case.insert("event".to_owned(), json!(event));
    }
    add_route(&mut case, route, target);
    add_answers(&mut case, (store, route, before), &recorder)?;
    Ok(Value::Object(case))
}

/// Adds what the plugin gets from its route.
fn add_route(case: &mut Map<String, Value>, route: &Route, target: Target) {
    if !route.settings.is_empty() {
        case.insert("settings".to_owned(), json!(route.settings));
    }
    if let Some(zone) = route.timezone.iana_name().filter(|zone| *zone != "UTC") {
        case.insert("timezone".to_owned(), json!(zone));
    }
    if route.mentions {
        case.insert("mentions".to_owned(), json!(true));
    }
    if target != Target::default() {
        case.insert("target".to_owned(), json!(target.key()));
    }
}

/// Adds the past bans and places that answer what the plugin asked.
fn add_answers(
    case: &mut Map<String, Value>,
    (store, route, before): (&Store, &Route, i64),
    recorder: &Recorder,
) -> Result<(), CommandError> {
    let asked = recorder.take();
    let may_see = |jail: &str| route.mismatch(jail, Kind::Ban).is_none();
    let scope = HistoryScope { may_see: &may_see, before, deadline: Instant::now() + QUESTION_TIME };
    let mut bans: Vec<PastBan> = Vec::new();
    for query in &asked.bans {
        let found = store.past_bans(query, &scope, PAST_BANS + 1)?;
        if found.len() > PAST_BANS {
            print_stderr(&format!("the case has the latest {PAST_BANS} past bans of a question, and not all of them"));
        }
        // Questions overlap, and a ban counts once.
        let new = found.into_iter().rev().take(PAST_BANS).filter(|ban| !bans.contains(ban)).collect::<Vec<_>>();
        bans.extend(new);
    }
    bans.sort_by_key(|ban| ban.at);
    if !bans.is_empty() {
        case.insert("history".to_owned(), bans.iter().map(event_of).collect());
    }
    if !asked.places.is_empty() {
        case.insert("geo".to_owned(), json!(asked.places));
    }
    Ok(())
}

fn event_of(PastBan { at, host, jail, subject }: &PastBan) -> Value {
    json!({ "action": "ban", "at": at.to_string(), "host": host, "jail": jail, "subject": subject })
}

/// Returns what the route's plugin decides on the case.
fn decision(case: &Value, route: &Route, runtime: &Runtime) -> anyhow::Result<Value> {
    let file = match &route.plugin {
        PluginSource::BuiltIn => PluginFile::built_in(),
        PluginSource::File(path) => PluginFile::read(path)?,
    };
    let case = PluginCase::parse(&case.to_string())?;
    let input = case.input()?;
    let answer = input.answer(&case.load(runtime, &file)?);
    let answer = answer
        .context("the plugin exports no digester, so banhook formats its digests, and there is nothing to test")?;
    Ok(to_json(&answer.decision)?)
}
