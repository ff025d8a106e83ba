//! `cargo xtask`: what building and testing banhook needs beyond cargo.

mod append_and_sync;
mod command;
mod crowd;
mod guests;
mod notify;
mod packages;
mod plugins;
mod product;
mod site;
mod statistics;
mod steps;
mod tail;
mod webhook;
mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, tests and measures banhook.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what the tests need (as root; else says what is missing), builds everything and runs every test.
    Test {
        /// Handed to `cargo test`, as in `cargo xtask test -- -- life_cycle`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Rebuilds the committed plugins in `plugins/dist` from their source.
    Plugins,
    /// Builds example plugins from `plugins/guests` into `target/guests`, and fetches their toolchains into `.tools`.
    Guests {
        /// Which; default: Python's, which is too large to be committed.
        #[arg(default_value = "python")]
        guests: Vec<guests::Guest>,
    },
    /// Writes the help of every command into `docs/src/command-line.md`.
    Reference,
    /// Finds words that this project no longer uses, as `.ci/words.txt` lists them; fails if there are any.
    Words {
        /// Prints only how many there are of each rule and in each file.
        #[arg(long)]
        count: bool,
        /// Where to search, from the top of the tree; default: everywhere.
        paths: Vec<PathBuf>,
    },
    /// Measures.
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// What an event costs in a plugin's sandbox, beside a reused instance, native code and a shell; and what a loaded
    /// plugin costs.
    Plugin,
    /// `banhook notify`, beside a bare append and sync and beside the curl action, in turn.
    Notify {
        /// How often each of the three runs.
        #[arg(long, default_value_t = notify::ROUNDS)]
        rounds: usize,
    },
    /// 200 `banhook notify` at the same moment, started by fail2ban's own function, beside a busy daemon; and as many curl
    /// actions.
    Crowd,
    /// The linter and the guard, for a typical message and the largest, beside parsing its JSON.
    Message,
    /// How soon a ban is told, how fast a backlog is routed, and what a long history costs; beside bare syncs and SQLite.
    Delivery {
        /// Only these of latency, throughput and history.
        parts: Vec<String>,
    },
    /// `banhook tail` on a large log, beside grep, and how soon a line is stored.
    Tail {
        /// How large the log is.
        #[arg(long, default_value_t = 1000)]
        megabytes: u64,
    },
}

fn main() -> ExitCode {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let done = match Arguments::parse().task {
        Task::Test { arguments } => steps::test(root, &arguments),
        Task::Plugins => steps::plugins(root),
        Task::Guests { guests } => guests::build(root, &guests).map(|_| ()),
        Task::Reference => steps::reference(root),
        Task::Words { count, paths } => words::words(root, count, &paths),
        Task::Bench { what: Bench::Notify { rounds } } => notify::notify(root, rounds),
        Task::Bench { what: Bench::Crowd } => crowd::crowd(root),
        Task::Bench { what: Bench::Plugin } => steps::bench_plugin(root),
        Task::Bench { what: Bench::Message } => steps::bench_message(root),
        Task::Bench { what: Bench::Delivery { parts } } => steps::bench_delivery(root, &parts),
        Task::Bench { what: Bench::Tail { megabytes } } => tail::tail(root, megabytes),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
