//! `banhook config check`: everything that is wrong, at once.

use std::sync::Arc;

use crate::format::{LoadedRoute, RouteContext, load_all, profiles};
use crate::plugin::{Compiler, GeoDatabases, Metering, Runtime, Setup};

use super::Outcome;
use super::access;
use super::command_error::CommandError;
use super::global_options::GlobalOptions;
use super::run::host_name;

/// Checks the configuration, and that the user who works may read all of it and its logs; runs each plugin's own check and
/// a smoke_test of it.
pub fn check(global: &GlobalOptions) -> Outcome {
    let config = global.config()?;
    let access = access::look(&config, &global.state_dir);
    let warnings = config.warnings.iter().map(ToString::to_string).chain(access.warnings);
    for warning in warnings {
        eprintln!("warning: {warning}");
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
        databases: GeoDatabases::default(),
        state: None,
    };
    let routes = load_all(&config, &context);
    let of_plugins = routes
        .iter()
        .flat_map(LoadedRoute::faults)
        .map(|fault| format!("route \"{}\": plugin {} {}", fault.route, fault.plugin, fault.error));
    let faults: Vec<String> = of_plugins.chain(access.faults).collect();
    if !faults.is_empty() {
        return Err(CommandError::Input(anyhow::anyhow!("{}", faults.join("\n"))));
    }
    println!(
        "{} is fine: {} webhook(s), {} route(s)",
        global.config.display(),
        config.webhooks.len(),
        config.routes.len()
    );
    Ok(true)
}
