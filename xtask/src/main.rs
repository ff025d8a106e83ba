//! `cargo xtask`: the tasks of building, testing and measuring banhook that cargo alone cannot do.

mod append_and_sync;
mod bench_env;
mod command;
mod concurrent_notify;
mod debian_releases;
mod debian_root;
mod fleet;
mod fuzz;
mod guests;
mod kit;
mod mutants;
mod notify;
mod npm;
mod package;
mod packages;
mod plugins;
mod programs;
mod rebuild;
mod statistics;
mod tail;
mod tasks;
mod tools;
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
    /// Runs every test, including those that `cargo test` ignores. First installs the packages that they need (as root;
    /// otherwise names the missing ones) and builds the plugins.
    Test {
        /// Arguments of `cargo test`, as in `cargo xtask test -- life_cycle` or `cargo xtask test -- -- --nocapture`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Builds `banhook` and the static `banhook-notify` into `target/release`, as they are installed.
    Build,
    /// Builds the programs and makes the Debian package of them, in `target/package/dist`. Takes long: they are built to be
    /// small.
    Package {
        /// Also makes packages for 64-bit ARM, RPM packages, an archive with static programs, a list of the libraries (SBOM), the
        /// checksums of all, and the files of an image for containers.
        #[arg(long, conflicts_with = "for_tests")]
        all: bool,
        /// Makes what the tests install instead: packages of programs that are built without optimization, of this version and
        /// of a next one.
        #[arg(long)]
        for_tests: bool,
    },
    /// Rebuilds the committed plugins in `plugins/dist` from their source.
    Plugins,
    /// Builds example plugins of `plugins/guests` into `target/guests`, with toolchains in `.tools`.
    Guests {
        /// Which plugins. The default is Python's, which is too large to commit.
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
    /// Fuzzes what reads text from outside, each target for some seconds. Fails if one finds something.
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Then replaces the kept corpus in `tests/fuzz/corpus` by the smallest that covers as much.
        #[arg(long)]
        keep: bool,
        /// Which targets. Default: all but `lifting` and `loading`.
        targets: Vec<String>,
    },
    /// Changes the code in one place at a time, as `.cargo/mutants.toml` says, and fails if the unit tests notice nothing of a
    /// change. All of it takes half a day.
    Mutants {
        /// Only every n-th change, of which the k-th: `3/15`, from 0 on.
        #[arg(long, value_name = "K/N")]
        shard: Option<String>,
        /// Only what differs from this revision.
        #[arg(long, value_name = "REVISION")]
        since: Option<String>,
        /// Only these files, as patterns from the top of the tree.
        files: Vec<String>,
    },
    /// Runs a benchmark. Fails if it misses a target.
    Bench {
        #[command(subcommand)]
        bench: Bench,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// The cost of an event in the sandbox, compared with a reused instance, native code and a shell; and the cost of a
    /// loaded plugin.
    Plugin,
    /// The run time of `banhook-notify` and `banhook notify`, compared with a bare append and sync and with a curl action.
    Notify {
        /// How often each of them runs.
        #[arg(long, default_value_t = notify::ROUNDS)]
        rounds: usize,
    },
    /// 200 concurrent `banhook-notify`, started by fail2ban's own function, with a busy daemon; compared with as many curl
    /// actions.
    Concurrency,
    /// The linter and the guard, for a typical message and the largest, compared with parsing its JSON.
    Message,
    /// How soon a ban is sent, how fast a backlog is routed, and what a long history costs, compared with bare syncs and
    /// SQLite.
    Delivery {
        /// Any of `latency`, `spool`, `throughput` and `history`. Default: all.
        parts: Vec<String>,
    },
    /// The plugin author's kit, in each language: cases compared with `/bin/sh -c`, and how soon a change is seen.
    Kit {
        /// Any of `rust`, `js`, `python` and `c`. Default: all.
        languages: Vec<String>,
    },
    /// A fleet with a real broker, compared with a single host: how soon a ban is sent, and how fast a backlog is routed. Then
    /// 1,000 hosts (`BANHOOK_HOSTS`), compared with reading the bare stream. Needs sqlite3 and stdbuf.
    Fleet,
    /// `banhook tail` on a large log, compared with grep, and how soon a line is stored.
    Tail {
        /// The size of the log.
        #[arg(long, default_value_t = 1000)]
        megabytes: u64,
    },
}

fn main() -> ExitCode {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let result = match Arguments::parse().task {
        Task::Test { arguments } => tasks::test(root, &arguments),
        Task::Build => programs::build(root),
        Task::Package { for_tests: true, .. } => tasks::packages_for_tests(root).map(drop),
        Task::Package { all, .. } => package::package(root, all),
        Task::Plugins => tasks::plugins(root),
        Task::Guests { guests } => guests::build(root, &guests).map(|_| ()),
        Task::Bench { bench: Bench::Notify { rounds } } => notify::bench(root, rounds),
        Task::Bench { bench: Bench::Concurrency } => concurrent_notify::bench(root),
        Task::Bench { bench: Bench::Kit { languages } } => kit::bench(root, &languages),
        Task::Bench { bench: Bench::Plugin } => tasks::bench_plugin(root),
        Task::Bench { bench: Bench::Message } => tasks::bench_message(root),
        Task::Bench { bench: Bench::Delivery { parts } } => tasks::bench_delivery(root, &parts),
        Task::Bench { bench: Bench::Fleet } => fleet::bench(root),
        Task::Bench { bench: Bench::Tail { megabytes } } => tail::bench(root, megabytes),
        Task::Reference => tasks::reference(root),
        Task::Fuzz { seconds, keep, targets } => fuzz::fuzz(root, &targets, seconds, keep),
        Task::Mutants { shard, since, files } => mutants::mutants(root, shard.as_deref(), since.as_deref(), &files),
        Task::Words { count, paths } => words::words(root, count, &paths),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
