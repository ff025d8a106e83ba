//! `banhook lint`: finds offline what Slack would reject in messages.
//!
//! The files are as hostile as any text from outside: their control characters never reach the terminal.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};

use crate::message::one_line;
use anyhow::{Context as _, anyhow, ensure};
use blockkit::{Finding, Page, Severity, check, to_html, to_terminal};
use clap::Args;
use serde_json::{Value, json};

use super::command_error::{CommandError, Outcome};
use super::global_options::OutputFormat;

/// The longest file that is read, in bytes. The longest body that Slack accepts is some megabytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Standard input, as an argument.
const STDIN: &str = "-";

/// Check Slack messages (JSON, as a webhook takes them) offline; exit code 1 if Slack would reject any
#[derive(Debug, Args)]
pub(super) struct LintArgs {
    /// Files with one message each; - is standard input
    #[arg(required = true, value_name = "FILE|-")]
    files: Vec<PathBuf>,
    /// Output format; json is an array of objects
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
    /// Also draw each message as Slack would display it
    #[arg(long, conflicts_with = "format")]
    draw: bool,
    /// Also write an HTML page that shows all messages
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Checks every file, also after one that cannot be read; `Ok(false)` if any has an error.
pub(super) fn lint(arguments: &LintArgs) -> Outcome {
    let mut found = Vec::new();
    let mut unreadable = Vec::new();
    let mut bodies = Vec::new();
    for path in &arguments.files {
        let name = if path.as_os_str() == STDIN { "(stdin)".to_owned() } else { one_line(&path.to_string_lossy()) };
        match read(path).with_context(|| name.clone()) {
            Ok(body) => {
                found.extend(check(&body).into_iter().map(|finding| (name.clone(), finding)));
                bodies.push((name, body));
            }
            Err(error) => unreadable.push(format!("{error:#}")),
        }
    }
    show(&found, arguments.format)?;
    if arguments.draw {
        draw(&bodies)?;
    }
    if let Some(file) = &arguments.html {
        let context = Page { title: "Messages for Slack", sender: "banhook" };
        let page = to_html(&context, bodies.iter().map(|(name, body)| (name.as_str(), body)));
        fs::write(file, page)
            .with_context(|| format!("cannot write {}", file.display()))
            .map_err(CommandError::Input)?;
    }
    if !unreadable.is_empty() {
        return Err(CommandError::Input(anyhow!("{}", unreadable.join("\n"))));
    }
    Ok(found.iter().all(|(_, finding)| finding.severity != Severity::Error))
}

/// Reads the JSON in a file; an error says where it stops to be JSON.
fn read(path: &Path) -> anyhow::Result<Value> {
    let mut text = Vec::new();
    let more_than_allowed = FILE_BYTES_MAX + 1;
    if path.as_os_str() == STDIN {
        io::stdin().lock().take(more_than_allowed).read_to_end(&mut text)?;
    } else {
        File::open(path)?.take(more_than_allowed).read_to_end(&mut text)?;
    }
    ensure!(text.len() as u64 <= FILE_BYTES_MAX, "longer than {FILE_BYTES_MAX} bytes, so not a message for Slack");
    serde_json::from_slice(&text).context("not JSON")
}

fn show(found: &[(String, Finding)], format: OutputFormat) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match format {
        OutputFormat::Text => {
            for (file, finding) in found {
                let line = format!("{}: {finding}", finding.severity.name());
                writeln!(out, "{file}: {}", one_line(&line))?;
            }
        }
        OutputFormat::Json => {
            let findings: Vec<Value> = found.iter().map(|(file, finding)| as_json(file, finding)).collect();
            serde_json::to_writer_pretty(&mut out, &findings)?;
            writeln!(out)?;
        }
    }
    out.flush()
}

fn draw(bodies: &[(String, Value)]) -> io::Result<()> {
    let mut out = io::stdout();
    let colors = out.is_terminal();
    for (name, body) in bodies {
        writeln!(out, "── {name} ──\n{}", to_terminal(body, colors).trim_end())?;
    }
    Ok(())
}

fn as_json(file: &str, finding: &Finding) -> Value {
    json!({
        "file": file,
        "severity": finding.severity.name(),
        "path": one_line(&finding.path),
        "rule": finding.rule.name(),
        "message": finding.message,
        "value": finding.value,
        "limit": finding.limit,
        "sources": finding.sources,
    })
}
