//! The command line as clap sees it.

use std::path::PathBuf;
use std::time::Duration;

use crate::plugin::Metering;
use clap::builder::RangedI64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use jiff::tz::TimeZone;

use super::global_options::GlobalOptions;

/// Turns what fail2ban does into Slack messages, formatted by sandboxed WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "banhook", version, max_term_width = 100)]
pub struct Arguments {
    /// Where it works.
    #[command(flatten)]
    pub global: GlobalOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Store one event and return: fail2ban's action calls this
    ///
    /// Only a missing word or --jail is refused. Tags that fail2ban left literal (<bancount>) count as absent, and a
    /// bad optional value is stored as absent, with a warning.
    Notify {
        /// start, stop, flush, ban or unban
        #[arg(value_name = "WHAT")]
        what: String,
        /// The jail: "<name>"
        #[arg(long)]
        jail: String,
        /// Who was banned: "<ip>"
        #[arg(long)]
        ip: Option<String>,
        /// "<failures>"
        #[arg(long, value_name = "N")]
        failures: Option<String>,
        /// Time of the ban, in seconds since 1970: "<time>"
        #[arg(long)]
        time: Option<String>,
        /// Seconds; -1 is permanent: "<bantime>"
        #[arg(long, value_name = "S")]
        bantime: Option<String>,
        /// "<bancount>"
        #[arg(long, value_name = "N")]
        bancount: Option<String>,
        /// 0 or 1: "<restored>"
        #[arg(long, value_name = "0|1")]
        restored: Option<String>,
        /// Name of this host [default: `host` of the configuration, else the system's]
        #[arg(long)]
        host: Option<String>,
        /// Start nothing, though nothing is at work to deliver the event
        #[arg(long)]
        no_spawn: bool,
    },
    /// Route and deliver until stopped (SIGTERM); SIGHUP reads the configuration again
    ///
    /// When it is stopped, a short run that goes on by itself delivers what is left.
    Run(RunOptions),
    /// As run, reading fail2ban's log
    ///
    /// Each line is told of once, through rotation and restarts: how far a log was read is stored together with its
    /// events. A log that was never read is followed from its end on. With --once it is read, and told, from its
    /// beginning, however old that is: look at it with --dry-run first.
    Tail(TailOptions),
    /// Deliver everything that is stored, then exit; 1 if something is still pending or died
    ///
    /// When its time is up, or it is stopped, a short run that goes on by itself delivers what is left.
    Drain {
        /// Give up after this long, for example 90s or 5m
        #[arg(long, default_value = "60s", value_parser = duration)]
        timeout: Duration,
    },
    /// Show the ledger (where every event is) and the queues
    ///
    /// Of events:
    ///   waiting    taken in, not given to the routes yet
    ///   unmatched   no route wants it
    ///   pending    still to be formatted, held, or to be sent
    ///   held       pending in a digest that is open: more events may join it
    ///   posted     accepted in a message of its own
    ///   digested   accepted in a digest
    ///   skipped    not worth a message, said the plugin
    ///   dead       refused for good, too old, or dropped
    /// Behind a webhook's name it is messages that are pending or dead.
    #[command(verbatim_doc_comment)]
    Status(StatusOptions),
    /// Look at messages that are pending or dead, send dead ones again, drop them; export events
    Queue {
        /// What to do with them.
        #[command(subcommand)]
        command: QueueCommand,
    },
    /// Look at the configuration
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Run a plugin's cases through the real sandbox, offline, and compare with their golden decisions
    Test(TestOptions),
    /// Check Slack messages (JSON, as a webhook takes them) offline; 1 if Slack would refuse any
    Lint(LintOptions),
    /// Show the messages that a plugin makes of its cases, as they would look in Slack
    Preview(PreviewOptions),
    /// A whole round on loopback, with no setup: recorded events, two routes, a stand-in webhook
    Demo,
    /// Compile the plugin on standard input; banhook calls this itself
    #[command(hide = true)]
    Compile {
        /// What its code counts: time or fuel
        #[arg(value_parser = |name: &str| Metering::named(name).ok_or("time or fuel"))]
        metering: Metering,
    },
}

/// How to run.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// Exit once nothing is waiting or pending
    #[arg(long)]
    pub until_idle: bool,
    /// Standard input is the work lock, handed over by `notify`; errors go to banhook.log in the state folder
    #[arg(long, hide = true, requires = "until_idle")]
    pub lock_on_stdin: bool,
}

/// What to read, and how.
#[derive(Debug, Args)]
pub struct TailOptions {
    /// Logs, or - for standard input [default: [[sources]] of the configuration, else /var/log/fail2ban.log]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Read to the end, deliver, exit; a log that was never read is read, and told, from its beginning
    #[arg(long)]
    pub once: bool,
    /// Begin a log that was never read at its beginning
    #[arg(long)]
    pub from_start: bool,
    /// Print events as lines of JSON; store and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What the times in the log are in, for example Europe/Berlin [default: the system's]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub timezone: Option<TimeZone>,
}

/// What to test.
#[derive(Debug, Args)]
pub struct TestOptions {
    /// The plugin's .wasm file, or "template" for the built-in one
    pub plugin: PathBuf,
    /// Case files, or folders of them [default: the folder "cases" beside the plugin]
    #[arg(value_name = "CASE")]
    pub cases: Vec<PathBuf>,
    /// Write what the plugin decides into the cases, to be read and committed
    #[arg(long)]
    pub update: bool,
}

/// What to check.
#[derive(Debug, Args)]
pub struct LintOptions {
    /// Files with one message each; - is standard input
    #[arg(required = true, value_name = "FILE|-")]
    pub files: Vec<PathBuf>,
    /// For people, a line for each finding; or for programs
    #[arg(long, value_enum, default_value_t = LintFormat::Human)]
    pub format: LintFormat,
    /// Also draw each message as it would look
    #[arg(long, conflicts_with = "format")]
    pub draw: bool,
    /// Also write a page with all messages as they would look
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// How findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// A line each.
    Human,
    /// An array of objects.
    Json,
}

/// What of the state to show.
#[derive(Debug, Args)]
pub struct StatusOptions {
    /// Also count every stored event and compare with the ledger; 1 if any count is wrong. Takes a while where there is
    /// much history
    #[arg(long)]
    pub check: bool,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What to do with messages.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// List the messages that are pending (ready to be sent, or open: events still join them) or dead, oldest first
    List(ListOptions),
    /// Show one message: what is known of it, what it looks like, and its events
    Show {
        /// Its number, as `list` has it
        #[arg(value_name = "ID", value_parser = message())]
        message: i64,
        /// For people, or for programs: {"message": …, "body": …, "events": […]}, the first 20 events
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Send dead messages again, those that were refused in new words; 1 if any of those named is not dead
    Retry(RetryOptions),
    /// Give messages up: their events count as dead, and nothing lists them any more
    Drop(DropOptions),
    /// Print stored events as lines of JSON, in the order of sink: those of messages, or all
    ///
    /// They have the form that events have in the cases of `banhook test`. To make a case of the last one:
    ///
    ///   printf '{"event": %s}' "$(banhook queue export --last 1)" > cases/new.json
    ///
    /// and `banhook test --update PLUGIN cases/new.json` writes into it what the plugin decides.
    #[command(verbatim_doc_comment)]
    Export(ExportOptions),
}

/// Which messages to list.
#[derive(Debug, Args)]
pub struct ListOptions {
    /// Those that are pending
    #[arg(long)]
    pub pending: bool,
    /// Those that are dead
    #[arg(long)]
    pub dead: bool,
    /// So many at most
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// For people, or for programs: an array of objects
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Which messages to send again.
#[derive(Debug, Args)]
pub struct RetryOptions {
    /// Their numbers, as `list` has them
    #[arg(value_name = "ID", value_parser = message(), required_unless_present = "all", conflicts_with = "all")]
    pub messages: Vec<i64>,
    /// All that are dead
    #[arg(long)]
    pub all: bool,
    /// Of all: only those of this webhook
    #[arg(long, value_name = "NAME", requires = "all", conflicts_with = "messages")]
    pub webhook: Option<String>,
}

/// Which messages to give up.
#[derive(Debug, Args)]
pub struct DropOptions {
    /// Their numbers, as `list` has them
    #[arg(value_name = "ID", value_parser = message(), required_unless_present = "all", conflicts_with = "all")]
    pub messages: Vec<i64>,
    /// All that are dead
    #[arg(long)]
    pub all: bool,
    /// Of all: only those of this webhook
    #[arg(long, value_name = "NAME", requires = "all", conflicts_with = "messages")]
    pub webhook: Option<String>,
}

/// Which events to print.
#[derive(Debug, Args)]
pub struct ExportOptions {
    /// Numbers of messages, as `queue list` has them [default: all stored events]
    #[arg(value_name = "ID", value_parser = message())]
    pub messages: Vec<i64>,
    /// Only the last ones
    #[arg(long, value_name = "N", conflicts_with = "messages")]
    pub last: Option<usize>,
}

/// What to do with the configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Find everything that is wrong, plugins and their settings included; 2 if anything is
    Check,
}

/// For people, or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The number of a message.
fn message() -> RangedI64ValueParser<i64> {
    value_parser!(i64).range(1..)
}

/// `Europe/Berlin`, as in the configuration.
fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| "unknown time zone; write it like Europe/Berlin or UTC".to_owned())
}

/// `250ms`, `90s`, `5m`, `1h`, `1d`, as in the configuration.
fn duration(text: &str) -> Result<Duration, String> {
    crate::config::parse_duration(text).ok_or_else(|| "write it as 250ms, 90s, 5m, 1h or 1d".to_owned())
}

/// What to show.
#[derive(Debug, Args)]
pub struct PreviewOptions {
    /// The plugin's .wasm file, or "template" for the built-in one
    pub plugin: PathBuf,
    /// Case files, or folders of them [default: the folder "cases" beside the plugin]
    #[arg(value_name = "CASE")]
    pub cases: Vec<PathBuf>,
    /// Write a page for a browser fallback_message of text
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
