//! The command line: one file for each command, which owns its arguments. `anyhow` ends here, as a line on stderr and
//! an exit code.

mod access;
mod addresses;
mod case_page;
mod case_preview;
mod case_run;
mod command_error;
mod compile;
mod config;
mod daemon;
mod demo;
mod doctor;
mod drain;
mod fleet;
mod forget;
mod generate;
mod global_options;
mod handover;
mod heartbeat;
mod json_text;
mod ledger_table;
mod lint;
mod logging;
mod mute;
mod notify;
mod plugin;
mod plugin_case;
mod plugin_file;
mod preview;
mod queue;
mod report;
mod run;
mod send_test;
mod setup;
mod slack;
mod status;
mod support;
mod tail;
mod test;
mod time_format;
mod uninstall;
mod whole_file;
mod work_lock;

use std::ffi::OsStr;
use std::process::ExitCode;

use banhook_notify::{LOCK_ON_STDIN, Notify};
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, Parser, Subcommand};

use command_error::{CommandError, Outcome};
use compile::CompileArgs;
use config::ConfigArgs;
use demo::DemoArgs;
use doctor::DoctorArgs;
use drain::DrainArgs;
use fleet::FleetArgs;
use forget::ForgetArgs;
use generate::GenerateArgs;
use global_options::GlobalOptions;
use lint::LintArgs;
use mute::{MuteArgs, UnmuteArgs};
use notify::NotifyHelp;
use plugin::PluginArgs;
use preview::PreviewArgs;
use queue::QueueArgs;
use report::ReportArgs;
use run::RunArgs;
use send_test::SendTestArgs;
use setup::SetupArgs;
use slack::SlackArgs;
use status::StatusArgs;
use tail::TailArgs;
use test::TestArgs;
use uninstall::UninstallArgs;

/// The command that compiles a plugin, in a process of its own.
const COMPILE: &str = "compile";

/// The command that writes what a package contains besides the programs.
const GENERATE: &str = "generate";

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
    Report(ReportArgs),
    Doctor(DoctorArgs),
    Queue(QueueArgs),
    Mute(MuteArgs),
    Unmute(UnmuteArgs),
    Forget(ForgetArgs),
    Config(ConfigArgs),
    Setup(SetupArgs),
    Uninstall(UninstallArgs),
    SendTest(SendTestArgs),
    Test(TestArgs),
    Lint(LintArgs),
    Preview(PreviewArgs),
    Plugin(PluginArgs),
    Fleet(FleetArgs),
    Slack(SlackArgs),
    /// Print what a bug report needs: versions, configuration, status, log. Without secrets and addresses; read it before
    /// you send it
    Support,
    /// Ask fail2ban whether it runs, and leave its answer for routes with `quiet`
    ///
    /// The package's timer banhook-heartbeat.timer runs it as root every five minutes, as soon as a route has `quiet`.
    Heartbeat,
    Demo(DemoArgs),
    #[command(hide = true)]
    Compile(CompileArgs),
    #[command(hide = true)]
    Generate(GenerateArgs),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    // `notify` runs for each ban, with values that an attacker chose: its parser rejects none of them, and the rest of
    // the command line is not even built for it.
    if let Some(notify) = Notify::recognize(&arguments, is_command) {
        return notify.run();
    }
    match dispatch(CommandLine::try_parse().unwrap_or_else(|error| without_internal(error).exit())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.code()
        }
    }
}

/// Removes from an error the commands and options that only banhook itself uses.
fn without_internal(mut error: clap::Error) -> clap::Error {
    let is_internal = |name: &str| [COMPILE, GENERATE].contains(&name) || name.starts_with(LOCK_ON_STDIN);
    for kind in [ContextKind::SuggestedSubcommand, ContextKind::ValidSubcommand, ContextKind::SuggestedArg] {
        let suggested = match error.remove(kind) {
            Some(ContextValue::Strings(mut names)) => {
                names.retain(|name| !is_internal(name));
                (!names.is_empty()).then_some(ContextValue::Strings(names))
            }
            Some(ContextValue::String(name)) if is_internal(&name) => None,
            other => other,
        };
        if let Some(suggested) = suggested {
            error.insert(kind, suggested);
        }
    }
    error
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
        Command::Report(arguments) => report::report(&global, &arguments),
        Command::Doctor(arguments) => doctor::doctor(&global, &arguments),
        Command::Queue(arguments) => queue::queue(&global, &arguments),
        Command::Mute(arguments) => mute::mute(&global, &arguments),
        Command::Unmute(arguments) => mute::unmute(&global, &arguments),
        Command::Forget(arguments) => forget::forget(&global, &arguments),
        Command::Config(arguments) => config::config(&global, &arguments),
        Command::Setup(arguments) => setup::setup(&global, &arguments),
        Command::Uninstall(arguments) => uninstall::uninstall(&global, &arguments),
        Command::SendTest(arguments) => send_test::send_test(&global, &arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::Lint(arguments) => lint::lint(&arguments),
        Command::Preview(arguments) => preview::preview(&arguments),
        Command::Plugin(arguments) => plugin::plugin(&global, &arguments),
        Command::Fleet(arguments) => fleet::fleet(&global, &arguments),
        Command::Slack(arguments) => slack::slack(&arguments),
        Command::Support => support::support(&global),
        Command::Heartbeat => heartbeat::heartbeat(&global),
        Command::Demo(arguments) => demo::demo(&arguments),
        Command::Compile(arguments) => compile::compile(&arguments),
        Command::Generate(arguments) => generate::generate(&arguments, &CommandLine::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_leave_out_what_only_banhook_uses() {
        for (line, near) in [
            (&["completions"][..], "compile"),
            (&["compil"], "compile"),
            (&["generat"], "generate"),
            (&["run", "--lock"], "--lock-on-stdin"),
            (&["run", "--lock-on-stdi"], "--lock-on-stdin"),
        ] {
            let error = CommandLine::try_parse_from(["banhook"].iter().chain(line)).unwrap_err();
            let shown = without_internal(error).to_string();
            assert!(!shown.contains(near) || line.contains(&near), "{shown}");
        }
        let error = CommandLine::try_parse_from(["banhook", "--config=c"]).unwrap_err();
        let shown = without_internal(error).to_string();
        assert!(shown.contains("drain, ") && !shown.contains("compile") && !shown.contains("generate"), "{shown}");
        let error = CommandLine::try_parse_from(["banhook", "drian"]).unwrap_err();
        assert!(without_internal(error).to_string().contains("'drain'"));
        let error = CommandLine::try_parse_from(["banhook", "run", "--untill-idle"]).unwrap_err();
        assert!(without_internal(error).to_string().contains("'--until-idle'"));
    }
}
