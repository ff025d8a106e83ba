//! `banhook plugin`: what an author of plugins, and who is about to use one, needs.

mod build;
mod dev;
mod inspect;
mod installed_file;
mod new;
mod pin;
mod scaffold;
mod toolchain;
mod update;
mod wit;

use clap::{Args, Subcommand};

use super::command_error::Outcome;
use super::global_options::GlobalOptions;
use build::BuildArgs;
use dev::DevArgs;
use inspect::InspectArgs;
use new::NewArgs;
use pin::PinArgs;
use update::{RollbackArgs, UpdateArgs};
use wit::WitArgs;

/// Make, build, try, inspect, pin and update plugins
#[derive(Debug, Args)]
pub(super) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    New(NewArgs),
    Build(BuildArgs),
    Dev(DevArgs),
    Inspect(InspectArgs),
    Wit(WitArgs),
    Pin(PinArgs),
    Update(UpdateArgs),
    Rollback(RollbackArgs),
}

/// Runs the command.
pub(super) fn plugin(global: &GlobalOptions, arguments: &PluginArgs) -> Outcome {
    match &arguments.command {
        PluginCommand::New(arguments) => new::new(arguments),
        PluginCommand::Build(arguments) => build::build(arguments),
        PluginCommand::Dev(arguments) => dev::dev(arguments),
        PluginCommand::Inspect(arguments) => inspect::inspect(global, arguments),
        PluginCommand::Wit(arguments) => wit::wit(arguments),
        PluginCommand::Pin(arguments) => pin::pin(global, arguments),
        PluginCommand::Update(arguments) => update::update(global, arguments),
        PluginCommand::Rollback(arguments) => update::rollback(global, arguments),
    }
}
