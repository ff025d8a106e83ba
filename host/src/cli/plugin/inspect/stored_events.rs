//! On which stored events of a route two versions of its plugin decide differently.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, anyhow};
use serde_json::Value;

use crate::cli::command_error::CommandError;
use crate::cli::global_options::{GlobalOptions, host_name};
use crate::cli::plugin_case::{CaseDecision, to_json};
use crate::cli::plugin_file::is_template;
use crate::config::{Config, PluginSource, Route};
use crate::event::{Event, EventDefaults};
use crate::format::{DryRun, RouteContext, profiles};
use crate::message::summary;
use crate::plugin::Runtime;
use crate::store::StateDir;

/// Stored events that both versions decide on.
const EVENTS: usize = 100;

/// Bytes of stack of a thread that calls plugins, as the main thread has them.
const STACK: usize = 8 << 20;

/// Changed decisions that are shown.
const SHOWN: usize = 5;

/// Says on how many of the latest events of the route the two versions decide differently, and shows some of them.
pub(crate) fn stored_event_changes(
    global: &GlobalOptions,
    config: &Config,
    route: &Route,
    [old, new]: [&Path; 2],
    runtime: &Arc<Runtime>,
) -> Result<Vec<String>, CommandError> {
    let context = RouteContext {
        defaults: config.event_defaults(&host_name()),
        profiles: profiles(config),
        runtime: Arc::clone(runtime),
        state: Some(StateDir::new(std::path::absolute(&global.state_dir)?)),
    };
    let load = |file| -> Result<_, CommandError> { Ok(DryRun::load(&with_plugin(route, file)?, &context, None)) };
    let new = load(new)?
        .map_err(|error| CommandError::Other(anyhow!("in the route {}, the new version {error}", route.name)))?;
    // What is installed may be what does not load.
    let Ok(old) = load(old)? else {
        return Ok(vec!["events: no decisions were compared, since the old version does not load".to_owned()]);
    };
    // Only this thread becomes the owner of the state directory, who may not be allowed to read or replace plugins.
    thread::scope(|scope| {
        let comparing = thread::Builder::new().stack_size(STACK);
        let comparing = comparing.spawn_scoped(scope, || compare(global, route, &context.defaults, [&old, &new]))?;
        comparing.join().unwrap_or_else(|_| Err(CommandError::Other(anyhow!("the comparison broke off"))))
    })
}

/// Compares the decisions of both on the latest events.
fn compare(
    global: &GlobalOptions,
    route: &Route,
    defaults: &EventDefaults,
    [old, new]: [&DryRun; 2],
) -> Result<Vec<String>, CommandError> {
    let Some((_, store)) = global.existing_store()? else {
        return Ok(vec!["events: none are stored, so no decisions were compared".to_owned()]);
    };
    let events = store.latest_events(EVENTS, |event| route.mismatch(&event.jail, event.kind()).is_none())?;
    let mut changed = Vec::new();
    for (seq, event) in &events {
        let event = defaults.apply(event.clone());
        let [before, after] = [old, new].map(|dry_run| decision(dry_run, *seq, &event));
        if before != after {
            changed.push((event, before, after));
        }
    }
    let mut lines = vec![format!("events: {} of {} decisions change", changed.len(), events.len())];
    for (event, before, after) in changed.iter().take(SHOWN) {
        lines.extend([format!("  {}", summary(event)), format!("  - {before}"), format!("  + {after}")]);
    }
    if let Some(more) = changed.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!("  … and {more} more"));
    }
    Ok(lines)
}

/// Returns the route with another plugin.
fn with_plugin(route: &Route, file: &Path) -> Result<Route, CommandError> {
    let plugin = if is_template(file) {
        PluginSource::BuiltIn
    } else {
        PluginSource::File(std::path::absolute(file).with_context(|| format!("cannot find {}", file.display()))?)
    };
    Ok(Route { plugin, sha256: None, ..route.clone() })
}

fn decision(dry_run: &DryRun, seq: i64, event: &Event) -> Value {
    let answer = dry_run.before(seq).format(event).map(CaseDecision::from);
    to_json(&answer.decision).unwrap_or_default()
}
