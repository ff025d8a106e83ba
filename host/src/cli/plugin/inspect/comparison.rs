//! What changed from one version of a plugin to another.

use std::collections::BTreeSet;

use super::costs::CallCost;
use super::inspected::{Inspected, kind};
use super::powers::{interface, powers};
use crate::plugin::SettingDescription;

/// Returns the differences, a line each; or that there are none.
pub(crate) fn differences(old: &Inspected, new: &Inspected) -> Vec<String> {
    let mut lines = vec![format!("{} -> {}", old.file, new.file)];
    if old.sha256 == new.sha256 {
        lines.push("the files are the same".to_owned());
        return lines;
    }
    for (inspected, error) in [old, new].iter().filter_map(|one| Some((one, one.loaded.as_ref().err()?))) {
        lines.push(format!("{} does not load: it {error}", inspected.file));
    }
    let mut changed = Vec::new();
    if old.name() != new.name() {
        changed.push(format!("name: {} -> {}", or_none(old.name()), or_none(new.name())));
    }
    if interface(&old.anatomy) != interface(&new.anatomy) {
        changed.push(format!("interface: {} -> {}", interface(&old.anatomy), interface(&new.anatomy)));
    }
    changed.extend(changes("may", &powers(&old.anatomy), &powers(&new.anatomy)));
    changed.extend(changes("import", &old.anatomy.imports, &new.anatomy.imports));
    changed.extend(changes("export", &old.anatomy.exports, &new.anatomy.exports));
    changed.extend(changes("setting", &settings(old), &settings(new)));
    changed.extend(changes("made", &metadata(old), &metadata(new)));
    if changed.is_empty() {
        lines.push("powers, settings and interface are the same".to_owned());
    }
    lines.extend(changed);
    lines.push(format!("size: {} -> {} bytes", old.size, new.size));
    if let (Ok(old), Ok(new)) = (&old.loaded, &new.loaded) {
        lines.extend(old.calls.iter().zip(&new.calls).filter_map(|(old, new)| call_change(old, new)));
    }
    lines
}

/// Says whether a standard event has another decision or cost.
fn call_change(old: &CallCost, new: &CallCost) -> Option<String> {
    let event = old.event.as_str();
    let decision = if old.decision == new.decision { "" } else { "another decision, " };
    let changed = !decision.is_empty() || old.fuel != new.fuel;
    changed.then(|| format!("event {event}: {decision}{} -> {} units of fuel", old.fuel, new.fuel))
}

/// Returns what was removed (`-`) and what is new (`+`).
fn changes(what: &str, old: &[String], new: &[String]) -> Vec<String> {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
    let removed = old.difference(&new).map(|text| format!("- {what}: {text}"));
    let added = new.difference(&old).map(|text| format!("+ {what}: {text}"));
    removed.chain(added).collect()
}

fn settings(inspected: &Inspected) -> Vec<String> {
    let Some(description) = inspected.description() else { return Vec::new() };
    let setting = |setting: &SettingDescription| format!("{} ({})", setting.name, kind(setting.kind));
    description.settings.iter().map(setting).collect()
}

fn metadata(inspected: &Inspected) -> Vec<String> {
    inspected.anatomy.metadata.iter().map(|(name, text)| format!("{name}: {text}")).collect()
}

fn or_none(name: Option<String>) -> String {
    name.unwrap_or_else(|| "not said".to_owned())
}
