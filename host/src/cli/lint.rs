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
use url::form_urlencoded;

use super::command_error::{CommandError, Outcome};
use super::global_options::OutputFormat;
use super::json_text::parse_json;

/// The longest file that is read, in bytes. The longest body that Slack accepts is some megabytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a body begins with that is a form and not JSON.
const PAYLOAD: &[u8] = b"payload=";

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
    parse(&text)
}

/// Parses a body: JSON, also as the form field `payload`, which older scripts send.
fn parse(text: &[u8]) -> anyhow::Result<Value> {
    ensure!(!text.starts_with(b"\xef\xbb\xbf"), "begins with a byte order mark, which is not JSON; save it without");
    ensure!(!text.starts_with(b"\xff\xfe") && !text.starts_with(b"\xfe\xff"), "is UTF-16, not JSON; save it as UTF-8");
    let Some(form) = text.trim_ascii_start().strip_prefix(PAYLOAD) else {
        return parse_json(text).context("not JSON");
    };
    // As it is written in scripts, where curl encodes it, or as it is sent.
    let json = match form.trim_ascii_start().first() {
        Some(b'{' | b'[') => form.into(),
        _ => match form_urlencoded::parse(text.trim_ascii_start()).next() {
            Some((_, json)) => json.into_owned().into_bytes(),
            None => Vec::new(),
        },
    };
    parse_json(&json).context("not JSON after payload=")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_takes_the_form_field_payload() {
        let expected = json!({ "text": "a & b = 100%" });
        for body in [
            r#"{"text": "a & b = 100%"}"#,
            r#"payload={"text": "a & b = 100%"}"#,
            "\npayload= {\"text\": \"a & b = 100%\"}\n",
            "payload=%7B%22text%22%3A+%22a+%26+b+%3D+100%25%22%7D",
            "payload=%7B%22text%22%3A+%22a+%26+b+%3D+100%25%22%7D&token=x",
        ] {
            assert_eq!(parse(body.as_bytes()).unwrap(), expected, "{body}");
        }
    }

    #[test]
    fn parse_names_what_is_not_json() {
        for (body, named) in [
            (&b"\xef\xbb\xbf{}"[..], "byte order mark"),
            (b"\xff\xfe{\0}\0", "UTF-16"),
            (b"payload=", "not JSON after payload="),
            (b"payload=x", "not JSON after payload="),
            (b"text=a", "not JSON"),
            (b"", "not JSON"),
        ] {
            let error = format!("{:#}", parse(body).unwrap_err());
            assert!(error.contains(named), "{error}");
        }
    }
}
