//! `banhook report`: what was banned in a period, in the terminal, as a page or as the body of a message.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use blockkit::{Page, to_html};
use clap::{Args, ValueEnum};

use super::command_error::{CommandError, Outcome, print_stderr};
use super::global_options::{GlobalOptions, host_name};
use super::preview::draw;
use super::time_format::localize_dates;
use crate::config::{DURATION_RULE, Route, duration_text, parse_duration};
use crate::event::{Kind, Timestamp};
use crate::message::{Target, banhooks_own, drawn};
use crate::phrase::listed;
use crate::report::{Span, message, summarize};

/// Print what was banned in a period, as `[[reports]]` sends it
///
/// It counts the new bans that a route matches, as far back as [retention] keeps them, and sends nothing.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The route; needed if there are several
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// How far back it goes, for example 24h or 30d
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "7d")]
    period: Duration,
    /// Output format
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
    /// Write an HTML page with charts instead, into this file or to standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", conflicts_with = "format")]
    html: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// As the channel shows it
    Text,
    /// The message for Slack, as JSON
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).filter(|period| !period.is_zero()).ok_or_else(|| format!("expected {DURATION_RULE}"))
}

/// Prints the report.
pub(super) fn report(global: &GlobalOptions, arguments: &ReportArgs) -> Outcome {
    let config = global.config()?;
    if config.is_fleet_host() {
        return Err(CommandError::Input(anyhow!(
            "this host belongs to a fleet, whose worker has the routes; run this there"
        )));
    }
    let route = chosen(&config.routes, arguments.route.as_deref())?;
    // Before this process becomes the user of the store.
    let page_file = match &arguments.html {
        Some(file) if file != Path::new("-") => Some(
            File::create(file)
                .with_context(|| format!("cannot write {}", file.display()))
                .map_err(CommandError::Input)?,
        ),
        _ => None,
    };
    let Some((_, store)) = global.existing_store()? else {
        return Err(CommandError::Input(anyhow!("there are no events in {} yet", global.state_dir.display())));
    };
    let now = Timestamp::now();
    let lengths = (arguments.period, config.retention.history);
    let span = Span::ending(&store, now.plus_ms(1), lengths, route.timezone.clone())?;
    let geo = config.reports.iter().filter(|report| report.route == route.name).map(|report| report.geo.as_slice());
    let geo = geo.max_by_key(|files| files.len()).unwrap_or_default();
    let summary = summarize(&store, &route.name, &|jail| route.mismatch(jail, Kind::Ban).is_none(), &span, geo)?
        .ok_or_else(|| anyhow!("the history is too large to be counted within seconds; ask for a shorter --period"))?;
    let host = config.event_defaults(&host_name()).host;
    let title = format!("{host}: {} on the route {}", duration_text(arguments.period), route.name);
    match &summary.geo_fault {
        Some(fault) => print_stderr(&format!("warning: not all countries and networks are known: {fault}")),
        None if geo.is_empty() => print_stderr(
            "Countries and networks are left out: they need geo = [\"FILE.mmdb\"] in a report of the route ([[reports]])",
        ),
        None => {}
    }
    let message = message(&title, &summary, &span, None, route.redacted_fallback);
    let mut out = io::stdout();
    match (&arguments.html, arguments.format) {
        (Some(file), _) => {
            let mut body = drawn(&message);
            localize_dates(&mut body);
            let page = to_html(&Page { title: &title, sender: "banhook" }, [("", &body)]);
            match page_file {
                Some(mut to) => {
                    to.write_all(page.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
                }
                None => write!(out, "{page}")?,
            }
        }
        (None, ReportFormat::Text) => writeln!(out, "{}", draw(&drawn(&message), out.is_terminal()).trim_end())?,
        (None, ReportFormat::Json) => writeln!(out, "{}", banhooks_own(&message, Target::SLACK).to_json_string())?,
    }
    Ok(true)
}

fn chosen<'a>(routes: &'a [Route], name: Option<&str>) -> Result<&'a Route, CommandError> {
    let names = || listed(routes.iter().map(|route| route.name.as_str()), "or");
    match (name, routes) {
        (None, [only]) => Ok(only),
        (None, _) => Err(CommandError::Input(anyhow!("name a route: --route {}", names()))),
        (Some(name), _) => routes
            .iter()
            .find(|route| route.name == name)
            .ok_or_else(|| CommandError::Input(anyhow!("no route has the name \"{name}\"; expected {}", names()))),
    }
}
