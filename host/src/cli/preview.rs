//! `banhook preview`: shows a plugin's cases as they would look in the channel, without sending anything.

use std::fs;
use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;

use crate::message::{Policy, Target, clean, digest, fallback, one_line};
use crate::plugin::Runtime;
use anyhow::Context as _;
use blockkit::{Page, to_html, to_terminal};
use clap::Args;
use serde_json::Value;

use super::command_error::{CommandError, Outcome};
use super::plugin_case::{CaseDecision, CaseInput, PluginCase};
use super::plugin_file::{PluginCaseArgs, PluginFile, case_runtime};
use super::time_format::localize_dates;

/// Show the messages that a plugin makes of its cases, as Slack would display them
#[derive(Debug, Args)]
pub(super) struct PreviewArgs {
    #[command(flatten)]
    plugin: PluginCaseArgs,
    /// Write an HTML page instead of text
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// The message of one case, or why it has none.
struct CasePreview {
    heading: String,
    message: Result<Value, String>,
}

/// Shows the messages of the cases, whatever decision the cases expect.
pub(super) fn preview(arguments: &PreviewArgs) -> Outcome {
    let plugin = arguments.plugin.read_plugin().map_err(CommandError::Input)?;
    let files = arguments.plugin.case_files().map_err(CommandError::Input)?;
    let runtime = case_runtime()?;
    let mut previews = Vec::new();
    for file in files {
        let case = PluginCase::read(&file).map_err(CommandError::Input)?;
        let message = message_of(&case, &runtime, &plugin).map_err(CommandError::Input)?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let heading = if case.about().is_empty() { name } else { format!("{name}: {}", case.about()) };
        previews.push(CasePreview { heading: one_line(&heading), message });
    }
    match &arguments.html {
        None => print_text(&previews)?,
        Some(file) => {
            let bodies = previews.iter().filter_map(|case| Some((case.heading.as_str(), case.message.as_ref().ok()?)));
            let page = to_html(&Page { title: "Messages of a banhook plugin", sender: "banhook" }, bodies);
            fs::write(file, page)
                .with_context(|| format!("cannot write {}", file.display()))
                .map_err(CommandError::Input)?;
            for CasePreview { heading, message } in &previews {
                if let Err(why) = message {
                    writeln!(std::io::stdout(), "{heading}: {why}")?;
                }
            }
        }
    }
    Ok(true)
}

/// Returns the plugin's message, guarded as it would go out to Slack, or the one that banhook sends in its place; or why
/// there is none.
fn message_of(case: &PluginCase, runtime: &Runtime, plugin: &PluginFile) -> anyhow::Result<Result<Value, String>> {
    let (input, target) = (case.input()?, Target::default());
    let policy = Policy { target, ..case.policy()? };
    let built_in = |why: Option<&str>| {
        let guarded = match &input {
            CaseInput::Event(event) => fallback(event, why.unwrap_or_default(), target),
            CaseInput::Batch(batch, _) => digest(batch, None, why, target),
        };
        Ok(guarded.body().clone())
    };
    let fallback_message = |why: &str| built_in(Some(why));
    let Some(answer) = input.answer(&case.load(runtime, plugin)?) else { return Ok(built_in(None)) };
    Ok(match answer.decision {
        Ok(CaseDecision::Post(message)) => match input.guard(&message, &policy) {
            Ok(body) => Ok(body.body().clone()),
            Err(error) => fallback_message(&format!("the plugin made a message that cannot go out: {error}")),
        },
        Ok(CaseDecision::Skip(reason)) => Err(format!("skipped: {}", one_line(&reason))),
        Ok(CaseDecision::Hold(hold)) => Err(format!("held for a digest: {}", one_line(&hold.key))),
        Ok(CaseDecision::HoldDigest(until)) => Err(format!("the digest is held until {until}")),
        Err(error) => fallback_message(&format!("the plugin {error}")),
    })
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

fn print_text(previews: &[CasePreview]) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let colors = out.is_terminal();
    for CasePreview { heading, message } in previews {
        writeln!(out, "── {heading} ──")?;
        match message {
            Ok(body) => writeln!(out, "{}\n", to_terminal(body, colors).trim_end())?,
            Err(why) => writeln!(out, "{why}\n")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use blockkit::{Picture, Theme, to_svg};

    use super::*;
    use crate::plugin::{BUILT_IN, Compiler, Metering, Sandbox, Setup};

    /// The pictures in README are what the built-in plugin makes of its usual ban; `UPDATE_GOLDEN=1` writes them.
    #[test]
    fn message_of_a_usual_ban_is_the_picture_in_the_documents() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let setup =
            Setup { cache: None, compiler: Compiler::Here, metering: Metering::Fuel, sandbox: Sandbox::STANDARD };
        let runtime = Runtime::new(setup).unwrap();
        let case = PluginCase::read(&root.join("plugins/template/cases/ban-v4.json")).unwrap();
        let plugin = PluginFile { path: "template".into(), bytes: BUILT_IN.to_vec() };
        let body = message_of(&case, &runtime, &plugin).unwrap().unwrap();
        for (name, theme) in [("message-light.svg", Theme::Light), ("message-dark.svg", Theme::Dark)] {
            let alt = "A message: 203.0.113.7 banned in sshd on web-1, 5 failures";
            let svg = to_svg(&Picture { alt, sender: "banhook", theme, width: 560, height: 104 }, &body);
            let file = root.join("docs/src/images").join(name);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(&file, svg).unwrap();
            } else {
                assert_eq!(svg, fs::read_to_string(&file).unwrap(), "{name} is not up to date");
            }
        }
    }
}
