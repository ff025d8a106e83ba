//! `banhook config`: checks, shows and explains the configuration, and helps to write one.

pub(super) mod check;
mod explain;
mod init;
pub(super) mod known_jails;
mod show;

use std::io::Write as _;

use clap::{Args, Subcommand};

use super::command_error::Outcome;
use super::global_options::GlobalOptions;
use crate::config::schema;
pub(super) use show::as_toml;

/// Check, show and explain the configuration, and begin one
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
    Show(show::ShowArgs),
    Init(init::InitArgs),
    /// Print a JSON Schema of the configuration, by which an editor completes and checks it
    Schema,
}

/// Runs the subcommand.
pub(super) fn config(global: &GlobalOptions, arguments: &ConfigArgs) -> Outcome {
    match &arguments.command {
        ConfigCommand::Check => check::check(global),
        ConfigCommand::Explain(arguments) => explain::explain(global, arguments),
        ConfigCommand::Show(arguments) => show::show(global, arguments),
        ConfigCommand::Init(arguments) => init::init(global, arguments),
        ConfigCommand::Schema => {
            writeln!(std::io::stdout(), "{:#}", schema())?;
            Ok(true)
        }
    }
}
