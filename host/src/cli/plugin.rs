//! `banhook plugin`: what an author of plugins, and who is about to use one, needs.

mod build;
mod inspect;
mod new;
mod pin;
mod scaffold;
mod toolchain;
mod wit;

use clap::{Args, Subcommand};

use super::command_error::Outcome;
use super::global_options::GlobalOptions;
use build::BuildArgs;
use inspect::InspectArgs;
use new::NewArgs;
use pin::PinArgs;
use wit::WitArgs;

/// Make, build, inspect and pin plugins
#[derive(Debug, Args)]
pub(super) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    New(NewArgs),
    Build(BuildArgs),
    Inspect(InspectArgs),
    Wit(WitArgs),
    Pin(PinArgs),
}

/// Runs the command.
pub(super) fn plugin(global: &GlobalOptions, arguments: &PluginArgs) -> Outcome {
    match &arguments.command {
        PluginCommand::New(arguments) => new::new(arguments),
        PluginCommand::Build(arguments) => build::build(arguments),
        PluginCommand::Inspect(arguments) => inspect::inspect(arguments),
        PluginCommand::Wit(arguments) => wit::wit(arguments),
        PluginCommand::Pin(arguments) => pin::pin(global, arguments),
    }
}
