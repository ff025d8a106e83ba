//! The URL of the webhook, a secret: read without echo from a terminal, from standard input, or from a file. Never an
//! argument, which every user of the host can read.

use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::path::Path;

use anyhow::anyhow;
use console::Term;

use crate::cli::command_error::CommandError;
use crate::config::Config;

/// The longest text that is read for a URL, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// Returns whether a person can be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Reads the URL, and checks that it is one of this webhook's chat. `table`: the webhook's table, without the URL.
pub(super) fn read(file: Option<&Path>, table: &str) -> Result<String, CommandError> {
    let text = match file {
        Some(file) => {
            let mut text = String::new();
            let opened = File::open(file).and_then(|opened| opened.take(MAX_BYTES).read_to_string(&mut text));
            opened.map_err(|error| CommandError::input(anyhow!("cannot read {}: {error}", file.display())))?;
            text
        }
        None if can_ask() => {
            let terminal = Term::stderr();
            terminal.write_str("URL of the chat's incoming webhook (it is not shown): ")?;
            terminal.read_secure_line()?
        }
        None => {
            let mut line = String::new();
            io::stdin().lock().take(MAX_BYTES).read_line(&mut line)?;
            line
        }
    };
    let url = text.trim().to_owned();
    if url.is_empty() {
        return Err(CommandError::input(anyhow!("no URL was given: write it to a file and add --url-file FILE")));
    }
    check(&url, table)?;
    Ok(url)
}

/// Checks a URL as the configuration will.
fn check(url: &str, table: &str) -> Result<(), CommandError> {
    let text = format!("{table}url = {}\n", toml::Value::from(url));
    let checked = Config::parse(&text, Path::new("the URL"), &|name| std::env::var(name).ok());
    checked.map(drop).map_err(|errors| {
        // They never contain it. Lines and columns are those of no file.
        let errors: Vec<_> = errors.0.into_iter().map(|error| error.message).collect();
        CommandError::input(anyhow!("the URL cannot be used: {}", errors.join("; ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_checks_the_url_and_shows_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        for (text, expected) in [
            ("https://hooks.slack.com/services/T0/B0/SECRET\n", None),
            ("http://hooks.slack.com/services/T0/B0/SECRET\n", Some("the URL cannot be used")),
            ("SECRET \"\n", Some("the URL cannot be used")),
            ("\n", Some("no URL was given")),
        ] {
            std::fs::write(&file, text).unwrap();
            let read = read(Some(&file), "[webhooks.main]\n").map_err(|error| error.text());
            match expected {
                None => assert_eq!(read.unwrap(), text.trim()),
                Some(words) => {
                    let error = read.unwrap_err();
                    assert!(error.contains(words) && !error.contains("SECRET"), "{error}");
                }
            }
        }
    }
}
