//! `banhook run`: the daemon, and the short run that `notify` starts.

use clap::Args;

use super::command_error::Outcome;
use super::daemon::{configured_logs, run_until_idle, run_until_stopped};
use super::global_options::GlobalOptions;
use super::logging;
use super::work_lock::detach;

/// Route and deliver events until stopped
///
/// SIGTERM and SIGINT stop it, SIGHUP reloads the configuration. If anything is left when it is stopped, it starts a
/// short run that delivers it.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Exit once nothing is unrouted or pending
    #[arg(long, hide = true)]
    until_idle: bool,
    /// Standard input is the work lock, inherited from `notify`; log to banhook.log in the state directory
    #[arg(long, hide = true, requires = "until_idle")]
    lock_on_stdin: bool,
}

/// Runs.
pub(super) fn run(global: &GlobalOptions, arguments: &RunArgs) -> Outcome {
    let folder = global.folder()?;
    let mut lock_on_stdin = None;
    if arguments.lock_on_stdin {
        lock_on_stdin = Some(detach()?);
        logging::to_file(&folder);
    } else {
        logging::to_stderr();
    }
    let outcome = if arguments.until_idle {
        run_until_idle(global, &folder, lock_on_stdin)
    } else {
        run_until_stopped(global, &folder, configured_logs).map(|_| true)
    };
    // Nobody reads its stderr.
    if let (true, Err(failure)) = (arguments.lock_on_stdin, &outcome) {
        tracing::error!("{}", failure.text());
    }
    outcome
}
