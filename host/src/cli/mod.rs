//! The command line: one file for each command, thin. `anyhow` ends here, in a line on stderr and an exit code.

mod access;
mod arguments;
mod command_error;
mod config;
mod demo;
mod drain;
mod global_options;
mod lint;
mod logging;
mod notify;
mod preview;
mod queue;
mod run;
mod service;
mod status;
mod tail;
mod test;
mod time_format;

use std::process::ExitCode;

use crate::plugin::{Metering, compile_for_parent};
use clap::Parser;

use arguments::{Arguments, Command, ConfigCommand};
use command_error::CommandError;

/// What a command came to: `Ok(true)` is exit code 0, `Ok(false)` is 1 with everything said already.
type Outcome = Result<bool, CommandError>;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    // `notify` runs for each ban, with values that an attacker chose: it has a parser that refuses nothing, and
    // the rest of the command line is not even built for it.
    let outcome = match notify::Notify::recognize(&arguments) {
        Some(notify) => notify.run(),
        None => dispatch(Arguments::parse()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            failure.report();
            failure.code()
        }
    }
}

fn dispatch(Arguments { global, command }: Arguments) -> Outcome {
    match command {
        // clap answers `notify --help`, and every other `notify` was recognized before.
        Command::Notify { .. } => {
            Err(CommandError::input(anyhow::anyhow!("put `notify` right behind --config and --state-dir")))
        }
        Command::Run(options) => run::run(&global, &options),
        Command::Tail(options) => tail::tail(&global, &options),
        Command::Drain { timeout } => drain::drain(&global, timeout),
        Command::Status(options) => status::status(&global, &options),
        Command::Queue { command } => queue::queue(&global, &command),
        Command::Config { command: ConfigCommand::Check } => config::check(&global),
        Command::Test(options) => test::test(&options),
        Command::Lint(options) => lint::lint(&options),
        Command::Preview(options) => preview::preview(&options),
        Command::Demo => demo::demo(),
        Command::Compile { metering } => compile(metering),
    }
}

/// Compiles one component for the banhook that started this process.
fn compile(metering: Metering) -> Outcome {
    compile_for_parent(metering)?;
    Ok(true)
}
