//! `banhook plugin dev`: builds and tests a plugin whenever a file of it changes, and shows the result on a live page.

mod page_server;
mod session;
mod source_watch;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::cli::command_error::{CommandError, Outcome};
use page_server::PageServer;
use session::{Session, Task};
use source_watch::SourceWatch;

/// How long after a change further changes are awaited: an editor writes several files, or one in steps.
const SETTLE_TIME: Duration = Duration::from_millis(50);

/// Build and test a plugin whenever it changes, and show its messages on a live page, on loopback only
#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// The plugin's directory
    #[arg(default_value = ".", value_name = "DIR")]
    directory: PathBuf,
    /// Port of the page on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
}

/// Runs until it is stopped.
pub(super) fn dev(DevArgs { directory, port }: &DevArgs) -> Outcome {
    let directory = directory
        .canonicalize()
        .with_context(|| format!("cannot find {}", directory.display()))
        .and_then(|directory| {
            ensure!(directory.is_dir(), "{} is not a directory", directory.display());
            Ok(directory)
        })
        .map_err(CommandError::Input)?;
    let mut session = Session::open(&directory)?;
    let (tasks, received) = mpsc::channel();
    let mut watch = SourceWatch::start(&directory, tasks.clone())?;
    let server = PageServer::start(*port, tasks).map_err(CommandError::Input)?;
    let mut out = io::stdout();
    writeln!(out, "{}", server.url())?;
    let mut task = Task::Build;
    loop {
        match task {
            Task::Build => {
                server.publish(|revision| session.page(revision));
                session.build();
                session.test();
            }
            Task::Test => session.test(),
            Task::Request(request) => session.answer(request),
        }
        server.publish(|revision| session.page(revision));
        if let Some(line) = session.news() {
            writeln!(out, "{line}")?;
        }
        // Directories that are new have to be watched, too.
        watch.refresh();
        let Ok(next) = received.recv() else { return Ok(true) };
        task = settled(next, &received, &mut session);
    }
}

/// Waits until no further change comes. A build includes a test.
fn settled(first: Task, received: &mpsc::Receiver<Task>, session: &mut Session) -> Task {
    let mut task = first;
    while let Task::Build | Task::Test = task {
        match received.recv_timeout(SETTLE_TIME) {
            Ok(Task::Build) => task = Task::Build,
            Ok(Task::Test) => {}
            // Somebody waits for the answer.
            Ok(Task::Request(request)) => session.answer(request),
            Err(_) => break,
        }
    }
    if matches!(task, Task::Build) {
        session.begin_build();
    }
    task
}
