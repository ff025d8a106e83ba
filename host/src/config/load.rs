//! Reads the configuration's files and puts them together.
//!
//! `config.toml` first, then `conf.d/*.toml` beside it in the order of their names. They add to each other; nothing in
//! one overrides what another says, so that the order never decides where an alert goes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::name::{NAME_RULE, is_name};
use super::problem::{Location, Problem, Problems, quoted};
use super::reader::{Located, Table};
use super::route::{KnownWebhooks, Route};
use super::source::Source;
use super::{Config, ConfigErrors, Env, Fail2ban, LogSource, PluginSource, Retention, Webhook, plugin, refused};
use crate::plugin::Sandbox;

/// The folder of further files, beside the main one.
const FOLDER: &str = "conf.d";

/// Reads a file and its `conf.d`.
pub(super) fn load(path: &Path, env: Env<'_>) -> Result<Config, ConfigErrors> {
    let problems = Problems::default();
    let mut sources = Vec::new();
    match Source::read(path) {
        Ok(source) => sources.push(source),
        Err(error) => report_main(path, &error, &problems),
    }
    for path in further(path, &problems) {
        match Source::read(&path) {
            Ok(source) => sources.push(source),
            Err(error) => problems.report(Location::whole(&path), format!("cannot read it: {error}")),
        }
    }
    let mut config = build(&sources, problems, env)?;
    config.files = files(path, &sources, &config);
    Ok(config)
}

/// What a change of means that the configuration is to be read again.
fn files(main: &Path, sources: &[Source], config: &Config) -> BTreeSet<PathBuf> {
    let mut files: BTreeSet<PathBuf> = sources.iter().map(|source| source.path.clone()).collect();
    files.insert(folder(main));
    files.extend(config.webhooks.values().filter_map(|webhook| webhook.file.clone()));
    files.extend(config.webhooks.values().filter_map(|webhook| Some(webhook.http.ca_file.as_ref()?.path.clone())));
    files.extend(config.routes.iter().filter_map(|route| match &route.plugin {
        PluginSource::File(path) => Some(path.clone()),
        PluginSource::BuiltIn => None,
    }));
    files.extend(config.routes.iter().flat_map(|route| route.grants.files().cloned()));
    files
}

/// Where further files are.
fn folder(main: &Path) -> PathBuf {
    main.parent().unwrap_or(Path::new("")).join(FOLDER)
}

fn report_main(path: &Path, error: &io::Error, problems: &Problems) {
    if error.kind() == io::ErrorKind::NotFound {
        problems.report_with(
            Location::whole(path),
            "there is no configuration here",
            "name another with --config or BANHOOK_CONFIG, or try \"banhook demo\", which needs none",
        );
    } else {
        problems.report(Location::whole(path), format!("cannot read it: {error}"));
    }
}

/// The files of `conf.d` by name. Hidden ones are an editor's, not ours.
fn further(main: &Path, problems: &Problems) -> Vec<PathBuf> {
    let folder = folder(main);
    let listed = std::fs::read_dir(&folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>());
    let mut paths = match listed {
        Ok(paths) => paths,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            problems.report(Location::whole(&folder), format!("cannot read it: {error}"));
            Vec::new()
        }
    };
    paths.retain(|path| {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        path.extension().is_some_and(|extension| extension == "toml") && !hidden
    });
    paths.sort();
    paths
}

/// Makes one configuration of files that could be read.
pub(super) fn build(sources: &[Source], problems: Problems, env: Env<'_>) -> Result<Config, ConfigErrors> {
    let documents: Vec<_> = sources.iter().map(|source| (source, source.parse(&problems))).collect();
    let tables: Vec<_> = documents
        .iter()
        .filter_map(|(source, document)| document.as_ref().map(|entries| Table::top(source, entries, &problems)))
        .collect();
    // With a file missing or broken, what is said across files would be wrong.
    let complete = problems.is_empty();

    let host = host(&tables, &problems);
    let labels = labels(&tables, &problems);
    let sandbox = once(&tables, "sandbox", plugin::sandbox, &problems).unwrap_or(Sandbox::STANDARD);
    let retention = once(&tables, "retention", Retention::read, &problems).unwrap_or(Retention::STANDARD);
    let fail2ban = once(&tables, "fail2ban", Fail2ban::read, &problems).unwrap_or_else(Fail2ban::standard);
    let webhooks = webhooks(&tables, &problems, env);
    let mut routes = routes(&tables, &webhooks, complete);
    let logs = log_sources(&tables, &problems);
    for table in &tables {
        table.finish(refused::TOP);
    }
    drop(tables);

    // What is missing is often mistyped, and has been reported as that.
    if let Some(main) = sources.first().filter(|_| problems.is_empty()) {
        if webhooks.is_empty() {
            problems.report_with(
                Location::whole(&main.path),
                "there is no webhook",
                "add [webhooks.NAME] with url_file = \"FILE\", a file that holds the URL of an incoming webhook",
            );
        } else if routes.is_empty() {
            routes = implied_routes(&main.path, &webhooks, &problems);
        }
    }

    let mut warnings = problems.take_warnings();
    warnings.extend(unused(&webhooks, &routes));
    if !problems.is_empty() {
        let files: Vec<_> = sources.iter().map(|source| source.path.as_path()).collect();
        return Err(ConfigErrors(problems.into_sorted(&files)));
    }
    let webhooks = webhooks.into_iter().filter_map(|(name, (_, webhook))| Some((name, webhook?))).collect();
    Ok(Config {
        host,
        labels,
        webhooks,
        routes,
        sandbox,
        retention,
        sources: logs,
        fail2ban,
        warnings,
        files: BTreeSet::new(),
    })
}

/// Reports a name that was used before.
fn is_first(what: &str, name: &Located<String>, before: Option<&Location>, problems: &Problems) -> bool {
    if let Some(before) = before {
        problems
            .report(name.place.clone(), format!("the {what} {} is defined already, at {before}", quoted(&name.value)));
    }
    before.is_none()
}

fn host(tables: &[Table<'_>], problems: &Problems) -> Option<String> {
    let mut first: Option<Located<String>> = None;
    for host in tables.iter().filter_map(|table| table.string("host")) {
        match &first {
            Some(first) => problems.report(host.place, format!("host is defined already, at {}", first.place)),
            None => first = Some(host),
        }
    }
    first.map(|host| host.value)
}

/// A table that stands in one of the files at most.
fn once<T>(tables: &[Table<'_>], key: &str, read: impl Fn(&Table<'_>) -> Option<T>, problems: &Problems) -> Option<T> {
    let mut first: Option<(Location, T)> = None;
    for table in tables {
        let (Some(place), Some(found)) = (table.key_place(key), read(table)) else { continue };
        match &first {
            Some((first, _)) => problems.report(place, format!("[{key}] is there already, at {first}")),
            None => first = Some((place, found)),
        }
    }
    first.map(|(_, found)| found)
}

fn labels(tables: &[Table<'_>], problems: &Problems) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, (Location, String)> = BTreeMap::new();
    for (name, value) in tables.iter().flat_map(|table| table.free_strings("labels", "[labels]")) {
        if is_first("label", &name, labels.get(&name.value).map(|(place, _)| place), problems) {
            labels.insert(name.value, (name.place, value));
        }
    }
    labels.into_iter().map(|(name, (_, value))| (name, value)).collect()
}

/// All webhooks by their names, also those that are broken: routes may name them without a second report.
type Webhooks = BTreeMap<String, (Location, Option<Webhook>)>;

fn webhooks(tables: &[Table<'_>], problems: &Problems, env: Env<'_>) -> Webhooks {
    let mut webhooks = Webhooks::new();
    for (name, table) in tables.iter().flat_map(|table| table.named_tables("webhooks")) {
        let webhook = Webhook::read(&name, &table, env);
        if is_first("webhook", &name, webhooks.get(&name.value).map(|(place, _)| place), problems) {
            webhooks.insert(name.value, (name.place, webhook));
        }
    }
    webhooks
}

fn routes(tables: &[Table<'_>], webhooks: &Webhooks, complete: bool) -> Vec<Route> {
    let tables: Vec<_> = tables.iter().map(|table| (table, table.tables("routes"))).collect();
    let written: usize = tables.iter().map(|(_, routes)| routes.len()).sum();
    let named = webhooks.iter().filter(|(name, _)| is_name(name));
    let targets = named.map(|(name, (_, webhook))| (name.as_str(), webhook.as_ref().map(|webhook| webhook.target)));
    let webhooks_known = KnownWebhooks { webhooks: targets.collect(), complete };
    let mut names = BTreeMap::new();
    let mut routes = Vec::new();
    for table in tables.iter().flat_map(|(_, routes)| routes) {
        let name = route_name(table, written, &mut names);
        routes.extend(Route::read(table, name, &webhooks_known));
    }
    routes
}

fn log_sources(tables: &[Table<'_>], problems: &Problems) -> Vec<LogSource> {
    let mut sources: Vec<LogSource> = Vec::new();
    for table in tables.iter().flat_map(|table| table.tables("sources")) {
        let Some(source) = LogSource::read(&table) else { continue };
        if sources.iter().any(|other| other.log == source.log) {
            problems.report(table.place.clone(), format!("{} is a source already", source.log.display()));
        }
        sources.push(source);
    }
    sources
}

/// The routes of a configuration that writes none.
fn implied_routes(main: &Path, webhooks: &Webhooks, problems: &Problems) -> Vec<Route> {
    let mut names = webhooks.keys();
    match (names.next(), names.next()) {
        (Some(only), None) => return vec![Route::everything(only)],
        (Some(_), Some(_)) => problems.report_with(
            Location::whole(main),
            format!("there are {} webhooks and no route", webhooks.len()),
            "add [[routes]] with webhook = \"NAME\"",
        ),
        (None, _) => {}
    }
    Vec::new()
}

/// The name of one of so many routes: required and unique where there are several.
fn route_name(table: &Table<'_>, routes: usize, names: &mut BTreeMap<String, Location>) -> Option<String> {
    let Some(name) = table.parsed("name", NAME_RULE, |text| is_name(text).then(|| text.to_owned())) else {
        if table.key_place("name").is_none() && routes > 1 {
            let message = format!("the route has no name, and there are {routes}");
            table.problems.report_with(table.place.clone(), message, "add name = \"…\"");
        }
        return None;
    };
    if is_first("route", &name, names.get(&name.value), table.problems) {
        names.insert(name.value.clone(), name.place);
    }
    Some(name.value)
}

fn unused(webhooks: &Webhooks, routes: &[Route]) -> Vec<Problem> {
    webhooks
        .iter()
        .filter(|(name, _)| !routes.iter().any(|route| route.uses(name)))
        .map(|(name, (place, _))| {
            let hint = format!("add webhook = \"{name}\" to a route, or remove it");
            Problem::new(place.clone(), format!("no route uses the webhook \"{name}\""), Some(hint))
        })
        .collect()
}
