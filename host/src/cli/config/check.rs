//! `banhook config check`: reports every error of the configuration at once.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::known_jails::KnownJails;
use crate::cli::access::{check_access, writable_by_others};
use crate::cli::command_error::{CommandError, Outcome, print_stderr};
use crate::cli::global_options::{GlobalOptions, host_name};
use crate::config::{Config, setting_location};
use crate::format::{LoadedRoute, RouteContext, load_all, profiles};
use crate::geo::GeoDatabases;
use crate::phrase::counted;
use crate::plugin::Runtime;
use crate::store::StateDir;

/// What is wrong with a configuration that could be read.
#[derive(Debug, Default)]
pub(crate) struct ConfigFindings {
    /// What keeps banhook from working.
    pub faults: Vec<String>,
    /// What may be a mistake.
    pub warnings: Vec<String>,
    /// Why fail2ban's database is not read, where it is the default one.
    pub unread_database: Option<String>,
}

/// Checks that the user that banhook runs as may read all of a configuration and its logs; loads each plugin, runs its own
/// check and formats a test event with it.
pub(crate) fn examine(global: &GlobalOptions, config: &Config) -> Result<ConfigFindings, CommandError> {
    let access = check_access(config, &global.state_dir);
    let warnings = config.warnings.iter().map(ToString::to_string).chain(access.warnings);
    let mut findings =
        ConfigFindings { faults: Vec::new(), warnings: warnings.collect(), unread_database: access.unread_database };
    findings.warnings.extend(writable_by_others(config));
    let runtime = Runtime::for_events(config.sandbox, None)?;
    let context = RouteContext {
        defaults: config.event_defaults(&host_name()),
        profiles: profiles(config),
        runtime: Arc::new(runtime),
        state: None,
    };
    let routes = load_all(config, &context);
    for finding in routes.iter().flat_map(LoadedRoute::findings) {
        let place = finding.error.setting_line().and_then(|(setting, line)| {
            setting_location(config.files.iter().map(PathBuf::as_path), finding.route, setting, line)
        });
        let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
        let text = format!("{place}route \"{}\": plugin {} {}", finding.route, finding.plugin, finding.error);
        if finding.error.is_warning() { &mut findings.warnings } else { &mut findings.faults }.push(text);
    }
    for report in &config.reports {
        let (_, errors) = GeoDatabases::default().open(&report.geo);
        findings
            .faults
            .extend(errors.iter().map(|error| format!("the report of the route \"{}\": {error}", report.route)));
    }
    let unsafe_folder = StateDir::new(&global.state_dir).check_permissions().err().map(|error| error.to_string());
    findings.faults.extend(access.faults.into_iter().chain(unsafe_folder));
    match remote_file_system(&global.state_dir) {
        // Many a local file system runs as FUSE.
        Some("FUSE") => findings.warnings.push(remote_state_dir("FUSE", &global.state_dir)),
        Some(kind) => findings.faults.push(remote_state_dir(kind, &global.state_dir)),
        None => {}
    }
    Ok(findings)
}

/// The kind of the state directory's file system, or of the directory in which it is to be created, if it is remote.
fn remote_file_system(state: &Path) -> Option<&'static str> {
    let state = std::path::absolute(state).ok()?;
    state.ancestors().find_map(|folder| spool::remote_file_system(folder).ok()).flatten()
}

fn remote_state_dir(kind: &str, state: &Path) -> String {
    format!(
        "the state directory {} is on a file system of the kind {kind}: if it is on another machine, processes may overwrite each \
         other's events there; give banhook a directory on a local disk (--state-dir, BANHOOK_STATE_DIR)",
        state.display()
    )
}

/// Returns what a configuration has, in a line.
pub(crate) fn summary(config: &Config) -> String {
    if config.is_fleet_host() {
        return "a host of a fleet, whose worker has the webhooks and routes".to_owned();
    }
    let fleet = if config.fleet.is_some() { "the worker of a fleet, " } else { "" };
    let webhooks = counted(config.webhooks.len() as u64, "webhook");
    let routes = counted(config.routes.len() as u64, "route");
    format!("{fleet}{webhooks}, {routes}")
}

/// Examines the configuration, and lists which jails go where.
pub(super) fn check(global: &GlobalOptions) -> Outcome {
    let config = global.config()?;
    let ConfigFindings { faults, mut warnings, .. } = examine(global, &config)?;
    let jails = KnownJails::find(&global.state_dir);
    warnings.extend(jails.warnings(&config));
    for warning in warnings {
        print_stderr(&format!("warning: {warning}"));
    }
    if !faults.is_empty() {
        return Err(CommandError::Input(anyhow::anyhow!("{}", faults.join("\n"))));
    }
    let mut out = std::io::stdout();
    writeln!(out, "{} is valid: {}", global.config.display(), summary(&config))?;
    if !config.is_fleet_host() {
        write!(out, "{}", jails.by_routes(&config))?;
    }
    Ok(true)
}
