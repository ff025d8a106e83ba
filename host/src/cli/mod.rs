//! The command line: one file for each command, which owns its arguments. `anyhow` ends here, as a line on stderr and
//! an exit code.

mod access;
mod command_error;
mod compile;
mod config;
mod daemon;
mod demo;
mod drain;
mod global_options;
mod ledger_table;
mod lint;
mod logging;
mod notify;
mod plugin_case;
mod plugin_file;
mod preview;
mod queue;
mod run;
mod send_test;
mod status;
mod tail;
mod test;
mod time_format;
mod work_lock;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use command_error::{CommandError, Outcome};
use compile::CompileArgs;
use config::ConfigArgs;
use drain::DrainArgs;
use global_options::GlobalOptions;
use lint::LintArgs;
use notify::{Notify, NotifyHelp};
use preview::PreviewArgs;
use queue::QueueArgs;
use run::RunArgs;
use send_test::SendTestArgs;
use status::StatusArgs;
use tail::TailArgs;
use test::TestArgs;

/// Turns fail2ban events into chat messages, formatted by sandboxed WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "banhook", version, max_term_width = 100)]
struct CommandLine {
    #[command(flatten)]
    global: GlobalOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Notify(NotifyHelp),
    Run(RunArgs),
    Tail(TailArgs),
    Drain(DrainArgs),
    Status(StatusArgs),
    Queue(QueueArgs),
    Config(ConfigArgs),
    SendTest(SendTestArgs),
    Test(TestArgs),
    Lint(LintArgs),
    Preview(PreviewArgs),
    /// Run a demonstration on loopback, with no setup: recorded events, two routes, a local webhook
    Demo,
    #[command(hide = true)]
    Compile(CompileArgs),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    // `notify` runs for each ban, with values that an attacker chose: its parser rejects none of them, and the rest of
    // the command line is not even built for it.
    let outcome = match Notify::recognize(&arguments, is_command) {
        Some(notify) => notify.run(),
        None => dispatch(CommandLine::parse()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.code()
        }
    }
}

/// Returns whether a word is the name of a command. It is only asked where the first word is not `notify`.
fn is_command(word: &OsStr) -> bool {
    word == "help" || word.to_str().is_some_and(|word| CommandLine::command().find_subcommand(word).is_some())
}

fn dispatch(CommandLine { global, command }: CommandLine) -> Outcome {
    match command {
        // clap answers `notify --help`, and every other `notify` was recognized before.
        Command::Notify(_) => {
            Err(CommandError::input(anyhow::anyhow!("`notify` cannot be combined with --help or --version")))
        }
        Command::Run(arguments) => run::run(&global, &arguments),
        Command::Tail(arguments) => tail::tail(&global, &arguments),
        Command::Drain(arguments) => drain::drain(&global, arguments.timeout),
        Command::Status(arguments) => status::status(&global, &arguments),
        Command::Queue(arguments) => queue::queue(&global, &arguments),
        Command::Config(arguments) => config::config(&global, &arguments),
        Command::SendTest(arguments) => send_test::send_test(&global, &arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::Lint(arguments) => lint::lint(&arguments),
        Command::Preview(arguments) => preview::preview(&arguments),
        Command::Demo => demo::demo(),
        Command::Compile(arguments) => compile::compile(&arguments),
    }
}
