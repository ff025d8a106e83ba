//! `banhook config check`: reports every error of the configuration at once.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::known_jails::KnownJails;
use crate::cli::access::{check_access, writable_by_others};
use crate::cli::command_error::{CommandError, Outcome, print_stderr};
use crate::cli::global_options::{GlobalOptions, host_name};
use crate::config::setting_location;
use crate::format::{LoadedRoute, RouteContext, load_all, profiles};
use crate::phrase::counted;
use crate::plugin::{Compiler, Metering, Runtime, Setup};
use crate::store::StateDir;

/// Checks the configuration, and that the user that banhook runs as may read all of it and its logs; loads each plugin,
/// runs its own check and formats a test event with it; lists which jails go where.
pub(super) fn check(global: &GlobalOptions) -> Outcome {
    let config = global.config()?;
    let access = check_access(&config, &global.state_dir);
    let jails = KnownJails::find(&global.state_dir);
    let warnings = config.warnings.iter().map(ToString::to_string).chain(access.warnings);
    let warnings = warnings.chain(writable_by_others(&config)).chain(jails.warnings(&config));
    for warning in warnings {
        print_stderr(&format!("warning: {warning}"));
    }
    let runtime = Runtime::new(Setup {
        cache: None,
        compiler: Compiler::this_program(),
        metering: Metering::Time,
        sandbox: config.sandbox,
    })?;
    let context = RouteContext {
        defaults: config.event_defaults(&host_name()),
        profiles: profiles(&config),
        runtime: Arc::new(runtime),
        state: None,
    };
    let routes = load_all(&config, &context);
    let of_plugins = routes.iter().flat_map(LoadedRoute::faults).map(|fault| {
        let place = fault.error.setting_line().and_then(|(setting, line)| {
            setting_location(config.files.iter().map(PathBuf::as_path), fault.route, setting, line)
        });
        let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
        format!("{place}route \"{}\": plugin {} {}", fault.route, fault.plugin, fault.error)
    });
    let unsafe_folder = StateDir::new(&global.state_dir).check_permissions().err().map(|error| error.to_string());
    let faults: Vec<String> = of_plugins.chain(access.faults).chain(unsafe_folder).collect();
    if !faults.is_empty() {
        return Err(CommandError::Input(anyhow::anyhow!("{}", faults.join("\n"))));
    }
    let webhooks = counted(config.webhooks.len() as u64, "webhook");
    let routes = counted(config.routes.len() as u64, "route");
    let mut out = std::io::stdout();
    writeln!(out, "{} is valid: {webhooks}, {routes}", global.config.display())?;
    write!(out, "{}", jails.by_routes(&config))?;
    Ok(true)
}
