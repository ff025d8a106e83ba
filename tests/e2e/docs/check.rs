//! How a block is checked, by its tag and its language.

use std::cell::OnceCell;
use std::io::Write;
use std::process::{Command, Stdio};

use super::block::{Block, Tag};
use super::configuration::Configuration;
use super::console;
use super::sandbox::Sandbox;
use crate::test_env::TestEnv;

/// The directory of blocks that are only parsed.
const SCRATCH: &str = "/run/docs";

/// The command that bans an address in fail2ban.
const BAN: &str = " banip ";

/// A script that reads a file as fail2ban does.
const INI: &str = "import sys
from fail2ban.client.configparserinc import SafeConfigParserWithIncludes
parser = SafeConfigParserWithIncludes()
parser.read([sys.argv[1]])
sys.exit(not (parser.sections() or parser.defaults()))";

/// A script that parses a file as Python.
const PYTHON: &str = "import ast, sys
ast.parse(open(sys.argv[1]).read())";

/// The way in which a block was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    Ran,
    Parsed,
    /// Written for blocks that follow, and parsed where its language is known.
    Written,
    Skipped(String),
}

/// Checks the blocks of one document, in their order and in one sandbox, which is opened for the first that needs it.
pub struct Checker<'a> {
    env: &'a TestEnv,
    sandbox: OnceCell<Sandbox>,
}

impl<'a> Checker<'a> {
    pub fn new(env: &'a TestEnv) -> Self {
        Self { env, sandbox: OnceCell::new() }
    }

    /// Returns the number of messages that the document's webhook accepted. If the document has the reader ban an address,
    /// waits for the alert.
    pub fn messages(&self, blocks: &[Block]) -> usize {
        let Some(sandbox) = self.sandbox.get() else { return 0 };
        let bans = |block: &Block| {
            let is_run = block.language == "sh" && !matches!(block.tag, Some(Tag::Skip(_)));
            is_run && block.content.contains(BAN)
        };
        if blocks.iter().any(bans) {
            sandbox.wait_for_alert();
        }
        sandbox.messages()
    }

    /// Runs, parses or skips a block.
    pub fn check(&self, block: &Block) -> Result<Check, String> {
        let Block { language, tag, content, .. } = block;
        match (tag, language.as_str()) {
            (Some(Tag::Skip(reason)), _) => Ok(Check::Skipped(reason.clone())),
            (Some(Tag::File(path)), _) => {
                self.parse(language, content)?;
                self.sandbox().write(path, content)?;
                Ok(Check::Written)
            }
            (Some(Tag::Fragment(path)), "toml") => {
                let configuration = Configuration::of_fragment(content)?;
                if let Some(path) = path {
                    self.write_configuration(path, &configuration)?;
                }
                self.configuration(&configuration)
            }
            (Some(Tag::Fragment(_)), _) => Err("only toml can be a fragment".to_owned()),
            (Some(Tag::Network), "sh") => self.sandbox().sh_with_network(content).success().map(|()| Check::Ran),
            (Some(Tag::Stopped(text)), "sh") => self.sandbox().sh_until(content, text).map(|()| Check::Ran),
            (Some(Tag::Network | Tag::Stopped(_)), _) => Err("only sh can be run".to_owned()),
            (None, "toml") => self.configuration(&Configuration::complete(content)?),
            (None, "sh") => self.sandbox().sh(content).success().map(|()| Check::Ran),
            (None, "console") => self.console(content),
            (None, _) => match self.parse(language, content)? {
                Some(check) => Ok(check),
                None if language.is_empty() => Err("the fence names no language".to_owned()),
                None => Err(format!("nothing checks {language:?}: tag it as a file, or skip it with a reason")),
            },
        }
    }

    fn sandbox(&self) -> &Sandbox {
        self.sandbox.get_or_init(|| Sandbox::open(self.env))
    }

    /// Checks a complete configuration with the program.
    fn configuration(&self, configuration: &Configuration) -> Result<Check, String> {
        let sandbox = self.sandbox();
        let folder = format!("{SCRATCH}/config");
        // Paths are relative to the configuration's directory, which is /etc/banhook in the documents.
        sandbox.sh(&format!("rm -rf {folder} && mkdir {folder} && ln -s /etc/banhook/plugins {folder}")).success()?;
        let file = format!("{folder}/config.toml");
        self.write_configuration(&file, configuration)?;
        sandbox.run(&["banhook", "config", "check", "--config", &file], "").success()?;
        Ok(Check::Parsed)
    }

    /// Writes a configuration, and next to it the files with the URLs that it needs.
    fn write_configuration(&self, file: &str, configuration: &Configuration) -> Result<(), String> {
        let sandbox = self.sandbox();
        let (folder, _) = file.rsplit_once('/').unwrap_or_default();
        for url_file in &configuration.url_files {
            let path = if url_file.starts_with('/') { url_file.clone() } else { format!("{folder}/{url_file}") };
            sandbox.write_secret_if_missing(&path, &sandbox.url())?;
        }
        sandbox.write(file, &configuration.text)
    }

    fn console(&self, session: &str) -> Result<Check, String> {
        for step in console::steps(session)? {
            let finished = self.sandbox().sh(&step.command);
            step.check(finished.code, &finished.output)?;
        }
        Ok(Check::Ran)
    }

    /// Parses a language whose meaning is not checked; `None` if it is not known.
    fn parse(&self, language: &str, content: &str) -> Result<Option<Check>, String> {
        let parsed = match language {
            "json" => serde_json::from_str::<serde_json::Value>(content).map(|_| ()).map_err(|error| error.to_string()),
            "toml" => Configuration::complete(content).map(|_| ()),
            "ini" => self.parse_with(&["/usr/bin/python3", "-c", INI], "block.ini", content),
            "python" => self.parse_with(&["python3", "-c", PYTHON], "block.py", content),
            "js" => match self.sandbox().run(&["sh", "-c", "command -v node"], "").code {
                Some(0) => self.parse_with(&["node", "--check"], "block.mjs", content),
                _ => return Ok(Some(Check::Skipped("node is not installed".to_owned()))),
            },
            "rust" => match parse_rust(content) {
                Some(parsed) => parsed,
                None => return Ok(Some(Check::Skipped("rustfmt is not installed".to_owned()))),
            },
            _ => return Ok(None),
        };
        parsed.map(|()| Some(Check::Parsed))
    }

    /// Parses a file of that name with a program of the sandbox.
    fn parse_with(&self, program: &[&str], name: &str, content: &str) -> Result<(), String> {
        let file = format!("{SCRATCH}/{name}");
        self.sandbox().write(&file, content)?;
        self.sandbox().run(&[program, &[&file]].concat(), "").success()
    }
}

/// Parses a Rust file; `None` without rustfmt.
fn parse_rust(content: &str) -> Option<Result<(), String>> {
    let mut rustfmt = Command::new("rustfmt");
    rustfmt
        .args(["--edition=2024", "--emit=stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = rustfmt.spawn().ok()?;
    child.stdin.take()?.write_all(content.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    Some(match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    })
}
