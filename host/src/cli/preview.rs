//! `banhook preview`: what a plugin's cases look like in the channel, without sending anything.

use std::fs;
use std::io::{IsTerminal, Write as _};

use crate::message::{Decision, Policy, digest, fallback, one_line, to_html, to_terminal};
use anyhow::Context as _;
use serde_json::Value;

use super::Outcome;
use super::arguments::PreviewOptions;
use super::command_error::CommandError;
use super::test::{Case, CaseInput, PluginFile, case_files, plugin_file, runtime};

/// One case as it looks, or why there is nothing to see.
struct Seen {
    heading: String,
    shown: Result<Value, String>,
}

/// Shows the messages of the cases; the decisions in them do not matter.
pub fn preview(options: &PreviewOptions) -> Outcome {
    let plugin = plugin_file(&options.plugin).map_err(CommandError::Input)?;
    let files = case_files(&options.plugin, &options.cases).map_err(CommandError::Input)?;
    let runtime = runtime()?;
    let mut seen = Vec::new();
    for file in files {
        let case = Case::read(&file).map_err(CommandError::Input)?;
        let shown = look(&case, &runtime, &plugin).map_err(CommandError::Input)?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let heading = if case.about().is_empty() { name } else { format!("{name}: {}", case.about()) };
        seen.push(Seen { heading: one_line(&heading), shown });
    }
    match &options.html {
        None => text(&seen)?,
        Some(file) => {
            let bodies = seen.iter().filter_map(|seen| Some((seen.heading.as_str(), seen.shown.as_ref().ok()?)));
            let page = to_html("Messages of a banhook plugin", bodies);
            fs::write(file, page)
                .with_context(|| format!("cannot write {}", file.display()))
                .map_err(CommandError::Input)?;
            for Seen { heading, shown } in &seen {
                if let Err(why) = shown {
                    println!("{heading}: {why}");
                }
            }
        }
    }
    Ok(true)
}

/// What the plugin says to a case, guarded as it would go out to Slack, or what banhook says in its place; or why nothing
/// is said.
fn look(case: &Case, runtime: &crate::plugin::Runtime, plugin: &PluginFile) -> anyhow::Result<Result<Value, String>> {
    let (told, target) = (case.told()?, Policy::default().target);
    let built_in = |why: Option<&str>| {
        let guarded = match &told {
            CaseInput::Event(event) => fallback(event, why.unwrap_or_default(), target),
            CaseInput::Batch(batch, _) => digest(batch, why, target),
        };
        Ok(guarded.body().clone())
    };
    let fallback_message = |why: &str| built_in(Some(why));
    let Some(answer) = case.answer(runtime, plugin)? else { return Ok(built_in(None)) };
    Ok(match answer.decision {
        Ok(Decision::Post(message)) => match told.guard(&message, &Policy::default()) {
            Ok(body) => Ok(body.body().clone()),
            Err(error) => fallback_message(&format!("the plugin made a message that cannot go out: {error}")),
        },
        Ok(Decision::Skip(reason)) => Err(format!("skipped: {}", one_line(&reason))),
        Ok(Decision::Digest(hold)) => Err(format!("held for a digest: {}", one_line(&hold.key))),
        Err(error) => fallback_message(&format!("the plugin {error}")),
    })
}

fn text(seen: &[Seen]) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let colors = out.is_terminal();
    for Seen { heading, shown } in seen {
        writeln!(out, "── {heading} ──")?;
        match shown {
            Ok(body) => writeln!(out, "{}\n", to_terminal(body, colors).trim_end())?,
            Err(why) => writeln!(out, "{why}\n")?,
        }
    }
    Ok(())
}
