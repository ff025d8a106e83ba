//! `banhook preview`: shows a plugin's cases as they would look in the channel, without sending anything.

use std::fs;
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use blockkit::to_terminal;
use clap::Args;
use serde_json::Value;

use super::case_page::{CasePage, PluginFacts};
use super::case_preview::CasePreview;
use super::case_run::{CaseRun, Terms};
use super::command_error::{CommandError, Outcome};
use super::plugin_case::PluginCase;
use super::plugin_file::{PluginCaseArgs, PluginFile, case_runtime};
use super::time_format::localize_dates;
use crate::message::{Policy, Target, clean, one_line};
use crate::phrase::{did_you_mean, listed};
use crate::plugin::Runtime;

/// Show the messages that a plugin makes of its cases, as the channel would display them
#[derive(Debug, Args)]
pub(super) struct PreviewArgs {
    #[command(flatten)]
    plugin: PluginCaseArgs,
    /// Write an HTML page instead of text: every case on every target, with all that is known of it
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Show the messages as this target displays them [default: slack; on a page, all]
    #[arg(long, value_parser = target)]
    target: Option<Target>,
}

fn target(word: &str) -> Result<Target, String> {
    Target::parse(word).ok_or_else(|| {
        let known = || Target::ALL.iter().map(|target| target.as_str());
        did_you_mean(word, known()).unwrap_or_else(|| format!("expected {}", listed(known(), "or")))
    })
}

/// Shows the messages of the cases, whatever decision the cases expect.
pub(super) fn preview(arguments: &PreviewArgs) -> Outcome {
    let plugin = arguments.plugin.read_plugin().map_err(CommandError::Input)?;
    let files = arguments.plugin.case_files().map_err(CommandError::Input)?;
    let runtime = case_runtime()?;
    match &arguments.html {
        None => print(&runtime, &plugin, &files, arguments.target.unwrap_or_default())?,
        Some(page) => {
            let html = page_of((&runtime, &plugin), &files, arguments.target)?;
            fs::write(page, html)
                .with_context(|| format!("cannot write {}", page.display()))
                .map_err(CommandError::Input)?;
        }
    }
    Ok(true)
}

/// Returns the page with all cases; `only`: on this target alone.
fn page_of(
    (runtime, plugin): (&Runtime, &PluginFile),
    files: &[PathBuf],
    only: Option<Target>,
) -> Result<String, CommandError> {
    let previews = only.map_or(Target::ALL.to_vec(), |target| vec![target]);
    let terms = Terms { previews, ..Terms::default() };
    let mut run = CaseRun::run((runtime, plugin), files, &terms, |_, _| true, |_| Ok(()))?;
    if let Some((_, error)) = run.invalid.pop() {
        return Err(CommandError::Input(error));
    }
    let facts = PluginFacts::of(plugin);
    Ok(CasePage { plugin: Some(&facts), run: Some(&run), live: None }.document())
}

fn print(runtime: &Runtime, plugin: &PluginFile, files: &[PathBuf], target: Target) -> Result<(), CommandError> {
    let mut out = std::io::stdout();
    let colors = out.is_terminal();
    for file in files {
        let case = PluginCase::read(file).map_err(CommandError::Input)?;
        let message = message_of(&case, runtime, plugin, target).map_err(CommandError::Input)?;
        writeln!(out, "── {} ──", heading(file, &case))?;
        match message {
            Ok(body) => writeln!(out, "{}\n", to_terminal(&body, colors).trim_end())?,
            Err(why) => writeln!(out, "{why}\n")?,
        }
    }
    Ok(())
}

fn heading(file: &Path, case: &PluginCase) -> String {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    if case.about().is_empty() { one_line(&name) } else { one_line(&format!("{name}: {}", case.about())) }
}

/// Returns the plugin's message as the target shows it, or the one that banhook sends in its place; or why there is none.
fn message_of(
    case: &PluginCase,
    runtime: &Runtime,
    plugin: &PluginFile,
    target: Target,
) -> anyhow::Result<Result<Value, String>> {
    let input = case.input()?;
    let policy = Policy { target, ..case.policy()? };
    let answer = input.answer(&case.load(runtime, plugin)?);
    Ok(CasePreview::new(answer.as_ref().map(|answer| &answer.decision), &input, &policy).message)
}

/// Draws a Slack message as Slack would, its dates in local time; a message in another format is shown as JSON.
pub(super) fn draw(body: &Value, colors: bool) -> String {
    let attachments = || body.get("attachments").and_then(Value::as_array).into_iter().flatten();
    if body.get("blocks").is_some() || attachments().any(|attachment| attachment.get("blocks").is_some()) {
        let mut body = body.clone();
        localize_dates(&mut body);
        return to_terminal(&body, colors);
    }
    let json = serde_json::to_string_pretty(body).unwrap_or_default();
    json.lines().map(|line| format!("{}\n", clean(line))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use blockkit::{Picture, Posted, Theme, to_svg};
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;
    use crate::cli::plugin_case::CaseDecision;
    use crate::event::Timestamp;
    use crate::message::drawn;
    use crate::plugin::{Compiler, Metering, Sandbox, Setup};
    use crate::report::{self, Span, Summary};
    use crate::store::Deliveries;

    /// The pictures in README are what the built-in plugin makes of its usual ban; `UPDATE_GOLDEN=1` writes them.
    #[test]
    fn message_of_a_usual_ban_is_the_picture_in_the_documents() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let runtime = runtime();
        let case = PluginCase::read(&root.join("plugins/template/cases/ban-v4.json")).unwrap();
        let plugin = PluginFile::built_in();
        let body = message_of(&case, &runtime, &plugin, Target::SLACK).unwrap().unwrap();
        for (name, theme) in [("message-light.svg", Theme::Light), ("message-dark.svg", Theme::Dark)] {
            let alt = "A message: 203.0.113.7 banned in sshd on web-1, 5 failures";
            let picture = Picture { alt, sender: "banhook", theme, width: 560, height: 104 };
            expect_picture(&root.join("docs/src/images").join(name), &picture, [("", &body)]);
        }
    }

    fn runtime() -> Runtime {
        let setup =
            Setup { cache: None, compiler: Compiler::Here, metering: Metering::Fuel, sandbox: Sandbox::STANDARD };
        Runtime::new(setup).unwrap()
    }

    /// So is the one of a conversation: a ban that ended, its subject's next one, a storm, and the report of the week.
    #[test]
    fn conversation_of_a_week_is_the_picture_in_the_documents() {
        let (runtime, plugin) = (runtime(), PluginFile::built_in());
        let message = |case: Value| {
            let case = PluginCase::parse(&case.to_string()).unwrap();
            message_of(&case, &runtime, &plugin, Target::SLACK_APP).unwrap().unwrap()
        };
        let event = |action: &str, at: &str, count: u32| {
            json!({ "event": {
                "action": action, "id": "1", "at": at, "host": "web-1", "jail": "sshd", "subject": "203.0.113.7", "failures": 5,
                "count": count, "duration": 3_600, "ticket_at": "2026-11-24T10:56:55.000Z",
            } })
        };
        let banned = |number: u32| {
            json!({ "action": "ban", "at": format!("2026-11-28T03:12:{:02}.000Z", number / 10), "host": "web-2",
                "jail": if number.is_multiple_of(3) { "nginx-botsearch" } else { "sshd" },
                "subject": format!("198.51.100.{number}") })
        };
        let storm = json!({ "batch": { "cause": "storm", "events": (0..120).map(banned).collect::<Vec<_>>() } });
        let days = (24..=30).map(|day| date(2026, 11, day)).zip([9, 14, 6, 11, 139, 8, 12]).collect();
        let rows = |rows: &[(&str, u64)]| (rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(), 0);
        let summary = Summary {
            bans: 199,
            before: Some(160),
            days,
            jails: rows(&[("sshd", 131), ("nginx-botsearch", 52), ("postfix", 16)]),
            subjects: (Vec::new(), 190),
            hosts: 2,
            repeated: 21,
            deliveries: Deliveries { delivered: 84, dead: 0, median_ms: Some(600) },
            ..Summary::default()
        };
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let (from, to) = (at("2026-11-24T00:00:00Z"), at("2026-11-30T23:59:59Z"));
        let span = Span { from, to, zone: TimeZone::UTC, history_since: from };
        let report = drawn(&report::message("web: 7d on the route security", &summary, &span, None, true));
        let (unban, again, storm) = (
            message(event("unban", "2026-11-24T11:56:56.000Z", 1)),
            message(event("ban", "2026-11-26T08:20:31.000Z", 2)),
            message(storm),
        );
        let posted = |heading, body, is_reply| Posted { heading, body, is_reply };
        let messages = [
            posted("changed when the ban ended", &unban, false),
            posted("", &again, true),
            posted("changed while the storm went on", &storm, false),
            posted("", &report, false),
        ];
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/images");
        for (name, theme) in [("conversation-light.svg", Theme::Light), ("conversation-dark.svg", Theme::Dark)] {
            let alt = "A channel: a ban that ended, the next ban of its address as a reply, a storm as one message, \
                and a report of the week with charts";
            let picture = Picture { alt, sender: "banhook", theme, width: 620, height: 1_130 };
            expect_picture(&images.join(name), &picture, messages);
        }
        let readme = fs::read_to_string(images.join("../../../README.md")).unwrap();
        assert!(readme.contains("docs/src/images/conversation-light.svg"), "README does not show its picture");
    }

    /// The pictures of the example plugins are what their cases expect.
    #[test]
    fn messages_of_example_plugins_are_the_pictures_in_their_documents() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/examples");
        for (example, case, height) in [
            ("country-rules", "watched", 104),
            ("credential-stuffing", "stuffing", 370),
            ("networks", "digest", 180),
            ("office-hours", "morning", 206),
            ("redaction", "ipv4", 130),
            ("repeat-offender", "escalated", 180),
            ("severity", "critical", 168),
        ] {
            let case =
                PluginCase::read(&examples.join(example).join("cases").join(case).with_extension("json")).unwrap();
            let (input, policy) = (case.input().unwrap(), case.policy().unwrap());
            let message = serde_json::from_value(case.expected().unwrap()["post"].clone()).unwrap();
            let decision = Ok(CaseDecision::Post(message));
            let body = CasePreview::new(Some(&decision), &input, &policy).message.unwrap();
            let alt = format!("A message of the plugin {example}: {}", case.about());
            let picture = Picture { alt: &alt, sender: "banhook", theme: Theme::Light, width: 560, height };
            expect_picture(&examples.join(example).join("message.svg"), &picture, [("", &body)]);
            let document = fs::read_to_string(examples.join(example).join("README.md")).unwrap();
            assert!(document.contains("](message.svg)"), "{example} does not show its picture");
        }
    }

    #[track_caller]
    fn expect_picture<'b>(
        file: &Path,
        picture: &Picture<'_>,
        messages: impl IntoIterator<Item = impl Into<Posted<'b>>>,
    ) {
        let svg = to_svg(picture, messages);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, svg).unwrap();
        } else {
            assert_eq!(svg, fs::read_to_string(file).unwrap(), "{} is not up to date", file.display());
        }
    }
}
