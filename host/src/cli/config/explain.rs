//! `banhook config explain`: which routes match one event, why the others do not, and the message of each.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use clap::{Arg, ArgMatches, Args, value_parser};
use serde_json::Value;

use crate::cli::command_error::{CommandError, Outcome};
use crate::cli::global_options::{GlobalOptions, host_name};
use crate::cli::json_text::parse_json;
use crate::cli::logging;
use crate::cli::mute::describe;
use crate::cli::notify::event_option;
use crate::cli::preview::draw;
use crate::config::{Mismatch, Route};
use crate::event::{Event, Kind, Timestamp};
use crate::format::{Explanation, LoadedRoute, RouteContext, profiles};
use crate::message::{one_line, summary};
use crate::phrase::{counted, listed, quoted};
use crate::plugin::Runtime;
use crate::receive::{ActionArguments, ActionOption, OPTIONS};

/// The argument that is no option.
const EVENT: &str = "event";

/// Standard input, as that argument.
const STDIN: &str = "-";

/// The largest file that is read, in bytes; the longest event that is stored is far shorter.
const MAX_BYTES: u64 = 1 << 20;

/// The event to explain, from options as `notify` takes them, or from JSON.
#[derive(Debug)]
pub(super) struct ExplainArgs(Source);

#[derive(Debug)]
enum Source {
    Options(Vec<OsString>),
    /// A file, or [`STDIN`].
    Json(PathBuf),
}

impl clap::FromArgMatches for ExplainArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let event = matches.get_one::<OsString>(EVENT).cloned().unwrap_or_default();
        let mut options = Vec::new();
        for option in OPTIONS.iter().filter(|option| option.value_name.is_some()) {
            if let Some(value) = matches.get_one::<OsString>(option.name) {
                let mut argument = OsString::from(format!("--{}=", option.name));
                argument.push(value);
                options.push(argument);
            }
        }
        let is_kind = event.to_str().and_then(Kind::parse).is_some();
        if !is_kind && !options.is_empty() {
            let kinds = listed(Kind::ALL.map(Kind::as_str), "or");
            let message = format!("options describe an event of one of the kinds {kinds}; JSON has all of its event\n");
            return Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, message));
        }
        if is_kind && !matches.contains_id(ActionOption::JAIL) {
            let message = "an event needs a jail: --jail <JAIL>\n";
            return Err(clap::Error::raw(clap::error::ErrorKind::MissingRequiredArgument, message));
        }
        options.push(event.clone());
        Ok(Self(if is_kind { Source::Options(options) } else { Source::Json(event.into()) }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for ExplainArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let kinds = Kind::ALL.map(Kind::as_str).join(", ");
        let command = command
            .about("Show which routes match one event and why others do not, with the message of each")
            .long_about(
                "Show which routes match one event and why others do not, with the message of each\n\n\
                 The event is given by options, as `notify` takes them, or as JSON, as `queue export` prints it and the \
                 cases of `banhook test` have it. Plugins decide on it as they would, with the history that is stored; \
                 nothing is stored or sent.",
            )
            .arg(
                Arg::new(EVENT)
                    .value_name("KIND|FILE|-")
                    .required(true)
                    .value_parser(value_parser!(OsString))
                    .help(format!("What happened ({kinds}), or a file with the event as JSON; - is standard input")),
            );
        let with_value = OPTIONS.iter().filter(|option| option.value_name.is_some());
        with_value.fold(command, |command, option| {
            command.arg(
                event_option(option).required(false).value_parser(value_parser!(OsString)).allow_hyphen_values(true),
            )
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// Explains; no route that matches is no error.
pub(super) fn explain(global: &GlobalOptions, ExplainArgs(source): &ExplainArgs) -> Outcome {
    let event = match source {
        Source::Options(options) => {
            let arguments = ActionArguments::parse(&[], options, &mut []).map_err(CommandError::input)?;
            arguments.into_event(String::new(), Timestamp::now())
        }
        Source::Json(file) => read_event(file).map_err(CommandError::Input)?,
    };
    let config = global.config()?;
    if config.is_fleet_host() {
        return Err(CommandError::Input(anyhow!(
            "this host belongs to a fleet, whose worker has the routes; run this there"
        )));
    }
    // A plugin's own lines are worth seeing here.
    logging::to_stderr();
    let folder = global.folder()?;
    let state = if folder.is_used()? { Some(folder) } else { None };
    let runtime = Runtime::for_events(config.sandbox, None)?;
    let context = RouteContext {
        defaults: config.event_defaults(&host_name()),
        profiles: profiles(&config),
        runtime: Arc::new(runtime),
        state,
    };
    let event = context.defaults.apply(event);
    let mut out = io::stdout();
    writeln!(out, "{}", one_line(&summary(&event)))?;
    let mutes = match global.existing_store()? {
        Some((_, store)) => store.mutes(Timestamp::now())?,
        None => Vec::new(),
    };
    let mute = mutes.iter().find(|mute| mute.applies_to(&event, Timestamp::now()));
    if let Some(mute) = mute {
        writeln!(out, "{}", describe(mute, Timestamp::now()))?;
    }
    let mut matching = 0_u64;
    for route in &config.routes {
        match route.mismatch(&event.jail, event.kind()) {
            Some(mismatch) => {
                writeln!(out, "\n── route {} does not match ──", route.name)?;
                writeln!(out, "{}", one_line(&why_not(mismatch, route, &event)))?;
            }
            None => {
                matching += 1;
                writeln!(out, "\n── route {} matches ──", route.name)?;
                explain_message(route, &context, &event, &mut out)?;
            }
        }
    }
    let ends = match mute {
        _ if matching == 0 => "; it counts as unmatched",
        Some(_) => " and is skipped there: it is muted",
        None => "",
    };
    writeln!(out, "\nThe event goes to {}{ends}.", counted(matching, "route"))?;
    Ok(true)
}

/// Reads one event; without a time, it happens now.
fn read_event(file: &Path) -> anyhow::Result<Event> {
    let mut text = String::new();
    let is_stdin = file.as_os_str() == STDIN;
    let name = if is_stdin { "(stdin)".to_owned() } else { file.display().to_string() };
    let read = |mut from: &mut dyn Read, text: &mut String| (&mut from).take(MAX_BYTES + 1).read_to_string(text);
    let read = match is_stdin {
        true => read(&mut io::stdin().lock(), &mut text),
        false => File::open(file).and_then(|mut file| read(&mut file, &mut text)),
    };
    read.with_context(|| {
        let kinds = listed(Kind::ALL.map(Kind::as_str), "or");
        format!("cannot read {name}; give the kind of the event ({kinds}) with its options, or a file with JSON")
    })?;
    ensure!(text.len() as u64 <= MAX_BYTES, "{name} has more than {MAX_BYTES} bytes, so it is no event");
    let invalid = || format!("{name} is not an event as JSON");
    let mut value: Value = parse_json(text.as_bytes()).with_context(invalid)?;
    // A case of `banhook test`.
    if let Some(event) = value.get_mut("event") {
        value = event.take();
    }
    let object = value.as_object_mut().ok_or_else(|| anyhow!("{name} is not an event as JSON: it is no object"))?;
    object.entry("at").or_insert(serde_json::to_value(Timestamp::now())?);
    serde_json::from_value(value).with_context(invalid)
}

fn why_not(mismatch: Mismatch<'_>, route: &Route, event: &Event) -> String {
    match mismatch {
        Mismatch::Kind => {
            let kinds = listed(route.events.iter().map(|kind| kind.as_str()), "and");
            format!("its events are {kinds}, and this is {} {}", article(event.kind()), event.kind().as_str())
        }
        Mismatch::Jail => {
            let patterns: Vec<_> =
                route.jails.patterns().unwrap_or_default().iter().map(|pattern| quoted(pattern)).collect();
            let patterns = listed(patterns.iter().map(String::as_str), "and");
            format!("its jails, {patterns}, do not match {}", quoted(&event.jail))
        }
        Mismatch::Stopped(stop) => format!("the route {stop} before it matches, and has stop = true"),
    }
}

const fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Unban => "an",
        Kind::Start | Kind::Stop | Kind::Flush | Kind::Ban | Kind::Prolong => "a",
    }
}

/// Shows what the route's plugin decides, and the message that goes out.
fn explain_message(route: &Route, context: &RouteContext, event: &Event, out: &mut impl io::Write) -> io::Result<()> {
    let mut loaded = LoadedRoute::load(route, context, Timestamp::now());
    let colors = io::stdout().is_terminal();
    let fallback = route.fallback_webhook.as_ref().map(|name| format!(", or {name} while that is suspended"));
    let to = format!("{}{}", route.webhook, fallback.unwrap_or_default());
    match loaded.explain(event, Timestamp::now()) {
        Explanation::Skip(reason) => writeln!(out, "no message: the plugin skips it: {}", one_line(&reason)),
        Explanation::Hold(key) => writeln!(out, "to webhook {to}, in a digest of the plugin: {}", one_line(&key)),
        Explanation::Message { body, failure, may_be_grouped } => {
            writeln!(out, "to webhook {to}:")?;
            if let Some(why) = failure {
                writeln!(out, "the plugin {}; a plain message goes out", one_line(&why))?;
            }
            if may_be_grouped {
                writeln!(out, "(alone, or in a digest with other events of a restart of fail2ban)")?;
            }
            writeln!(out, "{}", draw(body.body(), colors).trim_end())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Event> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("event.json");
        std::fs::write(&file, text).unwrap();
        read_event(&file)
    }

    #[test]
    fn read_event_takes_events_and_cases_with_or_without_a_time() {
        for text in [
            r#"{"action":"ban","at":"2026-11-22T10:56:55.601Z","jail":"sshd","subject":"203.0.113.7"}"#,
            "\u{feff}{\"action\":\"ban\",\"jail\":\"sshd\",\"subject\":\"203.0.113.7\"}\n",
            r#"{"about": "a case", "event": {"action":"ban","jail":"sshd","subject":"203.0.113.7"}, "decision": null}"#,
        ] {
            let event = read(text).unwrap();
            assert_eq!((event.kind(), event.jail.as_str()), (Kind::Ban, "sshd"), "{text}");
        }
        for (text, why) in [
            ("", "not an event"),
            ("[]", "no object"),
            (r#"{"action":"ban"}"#, "jail"),
            (r#"{"action":"bann","jail":"j"}"#, "bann"),
            (r#"{"action":"ban","jial":"j"}"#, "jial"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
