//! `banhook config`: checks the configuration, and explains what it does with an event.

pub(super) mod check;
mod explain;
pub(super) mod known_jails;

use clap::{Args, Subcommand};

use super::command_error::Outcome;
use super::global_options::GlobalOptions;

/// Check the configuration, and explain what it does with an event
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Report every error, those of plugins and their settings included; exit code 2 if there is one
    ///
    /// If there is none, also lists the jails that fail2ban has or that were seen so far, by the routes that match them.
    Check,
    Explain(explain::ExplainArgs),
}

/// Runs the subcommand.
pub(super) fn config(global: &GlobalOptions, arguments: &ConfigArgs) -> Outcome {
    match &arguments.command {
        ConfigCommand::Check => check::check(global),
        ConfigCommand::Explain(arguments) => explain::explain(global, arguments),
    }
}
