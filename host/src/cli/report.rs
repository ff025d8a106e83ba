//! `banhook report`: what was banned in a period, in the terminal or as the body of a message.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::anyhow;
use blockkit::to_terminal;
use clap::{Args, ValueEnum};

use super::command_error::{CommandError, Outcome};
use super::global_options::{GlobalOptions, host_name};
use crate::config::{DURATION_RULE, Route, duration_text, parse_duration};
use crate::event::{Kind, Timestamp};
use crate::message::{Target, banhooks_own};
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
    let Some((_, store)) = global.existing_store()? else {
        return Err(CommandError::Input(anyhow!("there are no events in {} yet", global.state_dir.display())));
    };
    let now = Timestamp::now();
    let lengths = (arguments.period, config.retention.history);
    let span = Span::ending(&store, now.plus_ms(1), lengths, route.timezone.clone())?;
    let summary = summarize(&store, &route.name, &|jail| route.mismatch(jail, Kind::Ban).is_none(), &span)?
        .ok_or_else(|| anyhow!("the history is too large to be counted within seconds; ask for a shorter --period"))?;
    let host = config.event_defaults(&host_name()).host;
    let title = format!("{host}: {} on the route {}", duration_text(arguments.period), route.name);
    let body = banhooks_own(&message(&title, &summary, &span, None, route.redacted_fallback), Target::SLACK);
    let mut out = io::stdout();
    match arguments.format {
        ReportFormat::Text => writeln!(out, "{}", to_terminal(body.body(), out.is_terminal()).trim_end())?,
        ReportFormat::Json => writeln!(out, "{}", body.to_json_string())?,
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
