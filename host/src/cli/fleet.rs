//! `banhook fleet`: the broker's configuration, the hosts that it knows, and the state of a fleet.

mod add;
mod init;
mod known_hosts;
mod remove;
mod status;

use clap::{Args, Subcommand};

pub(super) use add::add_host;
pub(super) use init::write_files;

use super::command_error::Outcome;
use super::global_options::GlobalOptions;

/// Set up a fleet, whose hosts forward their events to workers, and see how it is
#[derive(Debug, Args)]
pub(super) struct FleetArgs {
    #[command(subcommand)]
    command: FleetCommand,
}

#[derive(Debug, Subcommand)]
enum FleetCommand {
    Init(init::InitArgs),
    Add(add::AddArgs),
    Remove(remove::RemoveArgs),
    Status(status::StatusArgs),
}

/// Runs one of the subcommands.
pub(super) fn fleet(global: &GlobalOptions, arguments: &FleetArgs) -> Outcome {
    match &arguments.command {
        FleetCommand::Init(arguments) => init::init(arguments),
        FleetCommand::Add(arguments) => add::add(arguments),
        FleetCommand::Remove(arguments) => remove::remove(arguments),
        FleetCommand::Status(arguments) => status::status(global, arguments),
    }
}
