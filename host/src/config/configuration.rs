//! The configuration as a whole: all files together.
//!
//! The files add to each other; nothing in one overrides another. Only a route with `stop = true` makes their order matter:
//! the main file comes first, then the others by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::config_files::{folder, read_files};
use super::fail2ban::Fail2ban;
use super::fleet::{Fleet, FleetRole};
use super::grouping::SAME_SUBJECT_OF_FLEET;
use super::http_settings::Proxy;
use super::key_recorder::KeyRecorder;
use super::log_source::LogSource;
use super::metrics::Metrics;
use super::name::{NAME_RULE, is_name};
use super::plugin::{self, PluginSource};
use super::problem::{ConfigErrors, Location, Problem, Problems, quoted};
use super::proxy_url::unusable_variables;
use super::reader::{Located, Table};
use super::report::Report;
use super::retention::Retention;
use super::route::{self, KnownWebhooks, Route, configured};
use super::secret_source::Env;
use super::text_file::TextFile;
use super::timezone::system_timezone;
use super::webhook::Webhook;
use crate::event::EventDefaults;
use crate::message::Target;
use crate::plugin::Sandbox;

/// The configuration, checked. It holds secrets only in `WebhookUrl`s and `ProxyUrl`s, so its `Debug` may be shown.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The host of events that name none. Default (`None`): the system's host name.
    pub host: Option<String>,
    /// The labels of all events.
    pub labels: BTreeMap<String, String>,
    /// The webhooks by name; at least one, unless the worker of a fleet has them.
    pub webhooks: BTreeMap<String, Webhook>,
    /// The routes in the order of the files; at least one, unless the worker of a fleet has them.
    pub routes: Vec<Route>,
    /// What all plugins share.
    pub sandbox: Sandbox,
    /// How long settled events and dead messages are kept.
    pub retention: Retention,
    /// Logs that the daemon reads, in addition to the events of `notify`.
    pub sources: Vec<LogSource>,
    /// The fail2ban on this host.
    pub fail2ban: Fail2ban,
    /// The webhook in which suspended webhooks and dead messages are announced. Default (`None`): they are logged only.
    pub health: Option<String>,
    /// Where a daemon writes and serves its metrics.
    pub metrics: Metrics,
    /// What is reported at set times.
    pub reports: Vec<Report>,
    /// The fleet that this host belongs to.
    pub fleet: Option<Fleet>,
    /// Probable mistakes that are no errors: a webhook that no route uses, a proxy of the environment that cannot be used.
    pub warnings: Vec<Problem>,
    /// The files and folders that the configuration was read from, plugins and certificates included; empty if it was
    /// parsed from a text. If one of them changes, the configuration has to be read again.
    pub files: BTreeSet<PathBuf>,
}

impl Config {
    /// Reads a file, and `conf.d/*.toml` next to it.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn load(path: &Path, env: Env<'_>) -> Result<Self, ConfigErrors> {
        let problems = Problems::default();
        let files = read_files(path, &problems);
        let mut config = build(&files, problems, env)?;
        config.files = watched_files(path, &files, &config);
        Ok(config)
    }

    /// Reads a text. `path` names it in messages, and relative paths start from its folder; it need not exist.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn parse(text: &str, path: &Path, env: Env<'_>) -> Result<Self, ConfigErrors> {
        build(&[TextFile::private(path, text)], Problems::default(), env)
    }

    /// Returns whether this host forwards its events to the worker of a fleet, and delivers none.
    #[must_use]
    pub(crate) fn is_fleet_host(&self) -> bool {
        self.fleet.as_ref().is_some_and(|fleet| fleet.role == FleetRole::Host)
    }

    /// Returns the defaults of events on this host; `system_host` is the host's name where none is configured.
    #[must_use]
    pub(crate) fn event_defaults(&self, system_host: &str) -> EventDefaults {
        EventDefaults { host: self.host.clone().unwrap_or_else(|| system_host.to_owned()), labels: self.labels.clone() }
    }
}

/// Returns the files and folders whose change means that the configuration has to be read again.
fn watched_files(main: &Path, read: &[TextFile], config: &Config) -> BTreeSet<PathBuf> {
    let mut files: BTreeSet<PathBuf> = read.iter().map(|file| file.path.clone()).collect();
    files.insert(folder(main));
    files.extend(config.webhooks.values().flat_map(Webhook::files).cloned());
    files.extend(config.fleet.iter().flat_map(Fleet::files).cloned());
    files.extend(config.webhooks.values().filter_map(|webhook| Some(webhook.http.ca_file.as_ref()?.path.clone())));
    files.extend(config.routes.iter().filter_map(|route| match &route.plugin {
        PluginSource::File(path) => Some(path.clone()),
        PluginSource::BuiltIn => None,
    }));
    files.extend(config.routes.iter().flat_map(|route| route.grants.files().cloned()));
    files.extend(config.reports.iter().flat_map(|report| report.geo.iter().cloned()));
    files
}

/// Has all keys recorded that are known in the tables of a file.
pub(super) fn read_keys(file: &TextFile, keys: &Rc<KeyRecorder>) {
    let problems = Problems::recording(Rc::clone(keys));
    // Nothing in it is valid.
    let _ = build(std::slice::from_ref(file), problems, &|_| None);
}

/// Makes a configuration of the files that could be read.
fn build(files: &[TextFile], problems: Problems, env: Env<'_>) -> Result<Config, ConfigErrors> {
    let documents: Vec<_> = files.iter().map(|file| (file, file.parse(&problems))).collect();
    let tables: Vec<_> = documents
        .iter()
        .filter_map(|(file, document)| document.as_ref().map(|entries| Table::top(file, entries, &problems)))
        .collect();
    // Errors that span files would be wrong if a file is missing or invalid.
    let complete = problems.is_empty();

    let host = host(&tables, &problems);
    let labels = labels(&tables, &problems);
    let sandbox = single_table(&tables, "sandbox", plugin::sandbox, &problems).unwrap_or(Sandbox::STANDARD);
    let retention = single_table(&tables, "retention", Retention::read, &problems).unwrap_or(Retention::STANDARD);
    let fail2ban = single_table(&tables, "fail2ban", Fail2ban::read, &problems).unwrap_or_else(Fail2ban::standard);
    let metrics = single_table(&tables, "metrics", Metrics::read, &problems).unwrap_or_default();
    let fleet = single_table(&tables, "fleet", |table| Fleet::read(table, env), &problems);
    let is_fleet_host = fleet.as_ref().is_some_and(|fleet| fleet.role == FleetRole::Host);
    if is_fleet_host {
        reject_worker_tables(&tables, &problems);
    }
    let webhooks = webhooks(&tables, &problems, env);
    let is_worker = fleet.as_ref().is_some_and(|fleet| fleet.role == FleetRole::Worker);
    let same_subject = is_worker.then_some(SAME_SUBJECT_OF_FLEET);
    let known = KnownWebhooks { webhooks: named_webhooks(&webhooks), complete, same_subject };
    let mut routes = routes(&tables, &known, &problems);
    let health = single_table(&tables, "health", |table| health(table, &known), &problems);
    drop(known);
    let reports = reports(&tables, &webhooks, &routes);
    let mut logs = log_sources(&tables, &problems);
    for source in &mut logs {
        source.own_hosts.extend(host.clone());
    }
    for table in &tables {
        table.finish(&[]);
    }
    drop(tables);

    // A missing table is often a misspelt one, which has been reported already.
    if let Some(main) = files.first().filter(|_| problems.is_empty() && !is_fleet_host) {
        if webhooks.is_empty() {
            problems.report_with(
                Location::whole(&main.path),
                "no webhook is configured",
                "add [webhooks.NAME] with url_file = \"FILE\", a file that holds the URL of an incoming webhook",
            );
        } else if routes.is_empty() {
            routes = implied_routes(&main.path, &webhooks, same_subject, &problems);
        }
    }

    warn_of_unusable_proxies(&webhooks, env, &problems);
    let mut warnings = problems.take_warnings();
    if let (Some(main), (_, Some(warning))) = (files.first(), system_timezone()) {
        warnings.push(Problem::new(Location::whole(&main.path), warning, None));
    }
    warnings.extend(unused(&webhooks, &routes, health.as_deref()));
    if !problems.is_empty() {
        let paths: Vec<_> = files.iter().map(|file| file.path.as_path()).collect();
        return Err(ConfigErrors(problems.into_sorted(&paths)));
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
        health,
        metrics,
        reports,
        fleet,
        warnings,
        files: BTreeSet::new(),
    })
}

/// Reports what a host of a fleet leaves to the worker.
fn reject_worker_tables(tables: &[Table<'_>], problems: &Problems) {
    for table in tables {
        for (key, shown) in [
            ("webhooks", "[webhooks.NAME]"),
            ("routes", "[[routes]]"),
            ("health", "[health]"),
            ("reports", "[[reports]]"),
        ] {
            if let Some(location) = table.key_location(key) {
                let message =
                    format!("a host of a fleet has no {shown}: its worker decides what becomes a message, and where");
                problems.report_with(location, message, "move it to the worker, or remove [fleet]");
            }
        }
    }
}

/// Reports a name that is already used; returns whether it is not.
fn is_first(what: &str, name: &Located<String>, before: Option<&Location>, problems: &Problems) -> bool {
    if let Some(before) = before {
        problems.report(
            name.location.clone(),
            format!("the {what} {} is already defined at {before}", quoted(&name.value)),
        );
    }
    before.is_none()
}

fn host(tables: &[Table<'_>], problems: &Problems) -> Option<String> {
    let mut first: Option<Located<String>> = None;
    for host in tables.iter().filter_map(|table| table.string("host")) {
        match &first {
            Some(first) => problems.report(host.location, format!("host is already defined at {}", first.location)),
            None => first = Some(host),
        }
    }
    first.map(|host| host.value)
}

/// Reads a table that may be in one of the files only.
fn single_table<T>(
    tables: &[Table<'_>],
    key: &str,
    read: impl Fn(&Table<'_>) -> Option<T>,
    problems: &Problems,
) -> Option<T> {
    let mut first: Option<(Location, T)> = None;
    for table in tables {
        let (Some(location), Some(found)) = (table.key_location(key), read(table)) else { continue };
        match &first {
            Some((first, _)) => problems.report(location, format!("[{key}] is already defined at {first}")),
            None => first = Some((location, found)),
        }
    }
    first.map(|(_, found)| found)
}

fn labels(tables: &[Table<'_>], problems: &Problems) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, (Location, String)> = BTreeMap::new();
    for (name, value) in tables.iter().flat_map(|table| table.free_strings("labels", "[labels]")) {
        if is_first("label", &name, labels.get(&name.value).map(|(location, _)| location), problems) {
            labels.insert(name.value, (name.location, value));
        }
    }
    labels.into_iter().map(|(name, (_, value))| (name, value)).collect()
}

/// All webhooks by name, also invalid ones: a route that names one is not reported too.
type Webhooks = BTreeMap<String, (Location, Option<Webhook>)>;

fn webhooks(tables: &[Table<'_>], problems: &Problems, env: Env<'_>) -> Webhooks {
    let mut webhooks = Webhooks::new();
    for (name, table) in tables.iter().flat_map(|table| table.named_tables("webhooks")) {
        let webhook = Webhook::read(&name, &table, env);
        if is_first("webhook", &name, webhooks.get(&name.value).map(|(location, _)| location), problems) {
            webhooks.insert(name.value, (name.location, webhook));
        }
    }
    webhooks
}

fn named_webhooks(webhooks: &Webhooks) -> BTreeMap<&str, Option<Target>> {
    let named = webhooks.iter().filter(|(name, _)| is_name(name));
    named.map(|(name, (_, webhook))| (name.as_str(), webhook.as_ref().map(|webhook| webhook.target))).collect()
}

/// Reads the webhook of `[health]` in one file.
fn health(table: &Table<'_>, known: &KnownWebhooks<'_>) -> Option<String> {
    let health = table.table("health", "[health]")?;
    let name = health.reference("webhook", "the name of a webhook");
    health.finish(&[]);
    if name.is_none() && health.key_location("webhook").is_none() {
        health.problems.report_with(health.location.clone(), "[health] names no webhook", "add webhook = \"NAME\"");
    }
    configured(&health, name?, known).map(|name| name.value)
}

fn routes(tables: &[Table<'_>], known: &KnownWebhooks<'_>, problems: &Problems) -> Vec<Route> {
    let tables: Vec<_> = tables.iter().map(|table| (table, table.tables("routes"))).collect();
    let written: usize = tables.iter().map(|(_, routes)| routes.len()).sum();
    let mut names = BTreeMap::new();
    let mut routes = Vec::new();
    for table in tables.iter().flat_map(|(_, routes)| routes) {
        let name = route_name(table, written, &mut names);
        routes.extend(Route::read(table, name, known).map(|route| (table.location.clone(), route)));
    }
    route::apply_stops(&mut routes, problems);
    routes.into_iter().map(|(_, route)| route).collect()
}

/// Reads the reports. Without a route, all events go to the only webhook, by a route of its name.
fn reports(tables: &[Table<'_>], webhooks: &Webhooks, routes: &[Route]) -> Vec<Report> {
    let names: Vec<&str> = match (routes, webhooks.len()) {
        ([], 1) => webhooks.keys().map(String::as_str).collect(),
        _ => routes.iter().map(|route| route.name.as_str()).collect(),
    };
    let mut reports: Vec<Report> = Vec::new();
    for table in tables.iter().flat_map(|table| table.tables("reports")) {
        let Some(report) = Report::read(&table, &names) else { continue };
        if reports.iter().any(|other| other.key() == report.key()) {
            table.problems.report(table.location.clone(), "there is already a report of this route at this time");
        }
        reports.push(report);
    }
    reports
}

fn log_sources(tables: &[Table<'_>], problems: &Problems) -> Vec<LogSource> {
    let mut sources: Vec<LogSource> = Vec::new();
    for table in tables.iter().flat_map(|table| table.tables("sources")) {
        let Some(source) = LogSource::read(&table) else { continue };
        if let Some(log) = sources.iter().flat_map(|other| &other.logs).find(|log| source.logs.contains(log)) {
            problems.report(table.location.clone(), format!("{} is already a source", log.display()));
        }
        sources.push(source);
    }
    sources
}

/// Returns the routes of a configuration that defines none.
fn implied_routes(main: &Path, webhooks: &Webhooks, same_subject: Option<Duration>, problems: &Problems) -> Vec<Route> {
    let mut names = webhooks.keys();
    match (names.next(), names.next()) {
        (Some(only), None) => return vec![Route::everything(only, same_subject)],
        (Some(_), Some(_)) => problems.report_with(
            Location::whole(main),
            format!("{} webhooks and no route are configured", webhooks.len()),
            "add [[routes]] with webhook = \"NAME\"",
        ),
        (None, _) => {}
    }
    Vec::new()
}

/// Reads the name of one of so many routes: it is required and unique if there are several.
fn route_name(table: &Table<'_>, routes: usize, names: &mut BTreeMap<String, Location>) -> Option<String> {
    let Some(name) = table.parsed("name", NAME_RULE, |text| is_name(text).then(|| text.to_owned())) else {
        if table.key_location("name").is_none() && routes > 1 {
            let message = format!("the route has no name, and there are {routes} routes");
            table.problems.report_with(table.location.clone(), message, "add name = \"…\"");
        }
        return None;
    };
    if is_first("route", &name, names.get(&name.value), table.problems) {
        names.insert(name.value.clone(), name.location);
    }
    Some(name.value)
}

/// Warns of webhooks that neither a route nor `[health]` uses.
fn unused(webhooks: &Webhooks, routes: &[Route], health: Option<&str>) -> Vec<Problem> {
    let of_routes = routes
        .iter()
        .flat_map(|route| [&route.webhook].into_iter().chain(&route.fallback_webhook).chain(&route.plugin_webhooks));
    let used: BTreeSet<&str> = of_routes.map(String::as_str).chain(health).collect();
    webhooks
        .iter()
        .filter(|(name, _)| !used.contains(name.as_str()))
        .map(|(name, (location, _))| {
            let hint = format!("add webhook = \"{name}\" to a route, or remove it");
            Problem::new(location.clone(), format!("no route uses the webhook \"{name}\""), Some(hint))
        })
        .collect()
}

/// Warns of proxies of the environment that the webhooks which should use them do not.
fn warn_of_unusable_proxies(webhooks: &Webhooks, env: Env<'_>, problems: &Problems) {
    let webhooks = webhooks.values().filter_map(|(location, webhook)| Some((location, webhook.as_ref()?)));
    let mut of_environment = webhooks
        .filter(|(_, webhook)| webhook.http.proxy == Proxy::Environment && !webhook.url.is_plain())
        .filter(|(_, webhook)| !webhook.url.is_loopback());
    let Some((location, _)) = of_environment.next() else { return };
    for (variable, error) in unusable_variables(env) {
        let message = format!("the proxy of the environment variable {variable} is not used: {error}");
        problems.warn(location.clone(), message, "correct the variable, or set proxy for the webhook");
    }
}
