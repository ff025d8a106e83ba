//! `banhook plugin`: what an author of plugins, and who is about to use one, needs.

mod inspect;
mod wit;

use clap::{Args, Subcommand};

use super::command_error::Outcome;
use inspect::InspectArgs;
use wit::WitArgs;

/// Inspect plugins, and write their interface
#[derive(Debug, Args)]
pub(super) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    Inspect(InspectArgs),
    Wit(WitArgs),
}

/// Runs the command.
pub(super) fn plugin(arguments: &PluginArgs) -> Outcome {
    match &arguments.command {
        PluginCommand::Inspect(arguments) => inspect::inspect(arguments),
        PluginCommand::Wit(arguments) => wit::wit(arguments),
    }
}
