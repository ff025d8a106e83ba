//! `banhook setup`: writes a configuration, fail2ban's action and the jails that run it, and tests it end to end.
//!
//! What a person wrote stays as it is, and no other action of a jail changes: fail2ban's client reads the configuration with
//! the new files before they are written. Where a line has to go into a person's file, it is printed.

pub(super) mod jails;
pub(super) mod owned_file;
pub(super) mod paths;
mod webhook_url;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use console::Term;

use super::command_error::{CommandError, Outcome};
use super::doctor::{DoctorArgs, doctor, start_enabled_unit};
use super::global_options::{GlobalOptions, OutputFormat};
use super::whole_file;
use crate::config::Config;
use crate::message::{Access, Target, one_line};
use crate::phrase::listed;
use crate::receive::fail2ban_client::{NoAnswer, ask};
use jails::{JailConfiguration, by_action_setting};
use owned_file::{Found, find, marked};
use paths::{ACTION, JAILS, PathArgs, SetupPaths, WEBHOOK};

/// The action file as packages have it.
const PACKAGED_ACTION: &str = include_str!("../../packaging/action.d/banhook.conf");

/// How long fail2ban may take to restart its jails: their actions run meanwhile.
const RESTART_LIMIT: Duration = Duration::from_secs(120);

/// Set banhook up: write its configuration, fail2ban's action and the jails that run it, and test it end to end
///
/// Asks for the URL of the webhook, without showing it, and for the jails. Without a terminal the URL is the first line of
/// standard input. A file that a person has written or changed stays as it is; what has to be added to it is printed, and the
/// exit code is 1. No other action of a jail changes. A second run changes nothing.
#[derive(Debug, Args)]
pub(super) struct SetupArgs {
    /// Read the webhook's URL from this file
    #[arg(long, value_name = "FILE")]
    url_file: Option<PathBuf>,
    /// The chat of the webhook [default: slack]
    #[arg(long, value_name = "TARGET", value_parser = target)]
    target: Option<Target>,
    /// Only report this jail; can be given several times [default: all jails]
    #[arg(long = "jail", value_name = "JAIL")]
    jails: Vec<String>,
    /// Print each file that would be written, with its text but without the URL, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Only write files: restart no jail, and do not run `doctor --send`
    #[arg(long)]
    no_doctor: bool,
    #[command(flatten)]
    paths: PathArgs,
}

fn target(text: &str) -> Result<Target, String> {
    let with_url = |target: &&Target| !matches!(target.access(), Access::Channel(_));
    let targets = || listed(Target::ALL.iter().filter(with_url).map(|target| target.as_str()), "or");
    let target = Target::parse(text).ok_or_else(|| format!("expected {}", targets()))?;
    if !with_url(&&target) {
        return Err(format!(
            "{text} has a token and a channel, which setup does not ask for; write the configuration first (`banhook config init` \
             has an example), and run setup without --target: it leaves the configuration as it is, and adds the action"
        ));
    }
    Ok(target)
}

/// Writes the files, restarts the jails and runs doctor; `Ok(false)` if something is left to do.
pub(super) fn setup(global: &GlobalOptions, arguments: &SetupArgs) -> Outcome {
    let mut setup = Setup { paths: arguments.paths.find(global)?, arguments, is_done: true };
    let mut files = setup.configuration()?;
    files.extend(setup.action()?);
    let jails = setup.jails()?;
    let has_new_jails = jails.is_some();
    files.extend(jails);
    let is_unchanged = files.is_empty();
    for file in files {
        setup.write(&file)?;
    }
    if is_unchanged && setup.is_done {
        say("everything is set up; nothing was changed")?;
    }
    if arguments.dry_run || arguments.no_doctor || setup.paths.is_elsewhere {
        if has_new_jails && !arguments.dry_run {
            let there = if setup.paths.is_elsewhere { " there" } else { "" };
            say(&format!("restart fail2ban{there}, then run `banhook doctor --send`"))?;
        }
        return Ok(setup.is_done);
    }
    if has_new_jails {
        restart_jails()?;
    }
    match start_enabled_unit() {
        Some(true) => say("started banhook.service")?,
        Some(false) => say("banhook.service was not started: journalctl -u banhook shows why")?,
        None => {}
    }
    if !setup.is_done {
        say("when that is done, restart fail2ban and run `banhook doctor --send`")?;
        return Ok(false);
    }
    doctor(global, &DoctorArgs { send: true, format: OutputFormat::Text })
}

/// Prints a line of the report.
pub(super) fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", one_line(line))
}

/// Prints lines that belong into a file.
fn show(text: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(io::stdout(), "    {}", one_line(line)))
}

/// Has the running fail2ban read its configuration and start each jail again: a plain reload adds no action. The server goes
/// on, and so do the bans.
pub(super) fn restart_jails() -> io::Result<()> {
    let by_hand = "restart fail2ban (systemctl restart fail2ban)";
    match ask(&["reload", "--restart"], RESTART_LIMIT) {
        Ok(_) => say("restarted the jails of fail2ban; all bans stay"),
        Err(NoAnswer::NotRunning | NoAnswer::NotInstalled) => say("fail2ban is not running: start it"),
        Err(error) => say(&format!("the jails were not restarted: {}; {by_hand}", reason(&error))),
    }
}

/// Says why fail2ban's client gave no answer.
pub(super) fn reason(error: &NoAnswer) -> String {
    match error {
        NoAnswer::NotInstalled => "fail2ban-client is not found".to_owned(),
        NoAnswer::NotRunning => "fail2ban is not running".to_owned(),
        NoAnswer::Denied => "this user may not ask fail2ban".to_owned(),
        NoAnswer::Late => "fail2ban-client did not answer in time".to_owned(),
        NoAnswer::Refused(why) => one_line(why),
    }
}

/// A file to be written.
struct NewFile {
    path: PathBuf,
    text: String,
    mode: u32,
    owner: Option<(u32, u32)>,
    is_secret: bool,
}

impl NewFile {
    /// A file with the mark of `setup` that everybody may read.
    fn public(path: &Path, body: &str) -> Self {
        Self { path: path.to_owned(), text: marked(body), mode: 0o644, owner: None, is_secret: false }
    }
}

/// What `setup` was asked for, and how far it came.
struct Setup<'a> {
    arguments: &'a SetupArgs,
    paths: SetupPaths,
    /// Whether nothing is left to a person.
    is_done: bool,
}

impl Setup<'_> {
    fn write(&self, file: &NewFile) -> io::Result<()> {
        let NewFile { path, text, mode, owner, is_secret } = file;
        let shown = path.display();
        if !self.arguments.dry_run {
            whole_file::write(path, text.as_bytes(), *mode, *owner)?;
            return say(&format!("wrote {shown} (mode {mode:04o})"));
        }
        say(&format!("would write {shown} (mode {mode:04o}):"))?;
        show(if *is_secret { "(the URL of the webhook)" } else { text })
    }

    /// Plans the configuration and the URL file.
    fn configuration(&mut self) -> Result<Vec<NewFile>, CommandError> {
        let found = find(&self.paths.config)?;
        let table = self.arguments.target.map_or_else(
            || format!("[webhooks.{WEBHOOK}]\n"),
            |target| format!("[webhooks.{WEBHOOK}]\ntarget = \"{}\"\n", target.as_str()),
        );
        let body = format!(
            "# `banhook config init FILE` writes an example with the usual settings, and `banhook config check` checks a change.\n\n\
             {table}url_file = \"{WEBHOOK}.url\"\n"
        );
        if let Found::Foreign(_) = found {
            self.foreign_configuration(&format!("{table}url_file = \"{WEBHOOK}.url\"\n"))?;
            return Ok(Vec::new());
        }
        let mut files = Vec::new();
        let has_url = self.paths.url.metadata().is_ok_and(|meta| meta.len() > 0);
        let read = |path: &Path| fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
        let given = self.arguments.url_file.as_deref().and_then(read);
        if has_url && given.is_some() && given != read(&self.paths.url) {
            let shown = self.paths.url.display();
            say(&format!("left {shown} alone: it has another URL; to replace that, edit the file"))?;
        }
        if !has_url {
            let (owner, mode) = self.paths.of_secret();
            let is_asked = !self.arguments.dry_run || self.arguments.url_file.is_some();
            let url =
                if is_asked { webhook_url::read(self.arguments.url_file.as_deref(), &table)? } else { String::new() };
            files.push(NewFile { path: self.paths.url.clone(), text: url + "\n", mode, owner, is_secret: true });
        }
        let is_as_wanted = match &found {
            Found::Ours(old) => *old == body || self.arguments.target.is_none(),
            Found::Absent | Found::Foreign(_) => false,
        };
        if !is_as_wanted {
            files.push(NewFile::public(&self.paths.config, &body));
        }
        Ok(files)
    }

    /// Reports a configuration that a person wrote.
    fn foreign_configuration(&mut self, wanted: &str) -> Result<(), CommandError> {
        let shown = self.paths.config.display();
        let env = |name: &str| std::env::var(name).ok();
        // The files that it names may be below another root.
        let is_valid = self.paths.is_elsewhere || Config::load(&self.paths.config, &env).is_ok();
        if is_valid {
            say(&format!("left {shown} alone: it is yours"))?;
            return Ok(());
        }
        self.is_done = false;
        say(&format!(
            "left {shown} alone: it is yours, and has errors, as `banhook config check` shows. A webhook is:"
        ))?;
        show(wanted)?;
        Ok(())
    }

    /// Plans the action file.
    fn action(&self) -> io::Result<Option<NewFile>> {
        let path = &self.paths.action;
        if !self.paths.fail2ban.is_dir() {
            return Ok(None);
        }
        match find(path)? {
            Found::Ours(text) | Found::Foreign(text) if text == PACKAGED_ACTION => Ok(None),
            Found::Foreign(_) => {
                let shown = path.display();
                say(&format!("left {shown} alone: it is yours, or of another version; `banhook doctor` checks it"))?;
                Ok(None)
            }
            Found::Absent | Found::Ours(_) => Ok(Some(NewFile::public(path, PACKAGED_ACTION))),
        }
    }

    /// Plans the file that adds the action to jails, and says what a person has to add elsewhere.
    fn jails(&mut self) -> Result<Option<NewFile>, CommandError> {
        if !self.paths.fail2ban.is_dir() {
            let why = format!("there is no {}: install fail2ban, or add --fail2ban DIR", self.paths.fail2ban.display());
            return self.unknown_jails(&NoAnswer::Refused(why)).map(|()| None);
        }
        let found = find(&self.paths.jails)?;
        let action = match find(&self.paths.action)? {
            Found::Foreign(text) => text,
            Found::Absent | Found::Ours(_) => PACKAGED_ACTION.to_owned(),
        };
        let kept = match &found {
            Found::Foreign(text) => Some(text.as_str()),
            Found::Absent | Found::Ours(_) => None,
        };
        let read = |snippet: Option<&str>| {
            JailConfiguration::read(&self.paths.fail2ban, &[(ACTION, Some(&action)), (JAILS, snippet)])
        };
        let before = match read(kept) {
            Ok(before) => before,
            Err(error) => return self.unknown_jails(&error).map(|()| None),
        };
        let chosen = self.chosen_jails(&before, &found)?;
        let body = snippet(chosen.as_deref(), &self.paths.action_line);
        let after = if kept.is_some() { Ok(before.clone()) } else { read(Some(&body)) };
        let after = after.ok().filter(|after| after.is_same_but_for_ours(&before)).unwrap_or_else(|| before.clone());
        let ours = after.with_ours();
        let is_wanted = |jail: &str| chosen.as_ref().is_none_or(|chosen| chosen.iter().any(|name| name == jail));
        let missing: Vec<_> =
            before.jails().into_iter().filter(|jail| is_wanted(jail) && !ours.contains(jail)).collect();
        if !missing.is_empty() {
            self.missing(&missing)?;
        }
        let is_useful = ours.len() > before.with_ours().len();
        if !is_useful || found == Found::Ours(body.clone()) {
            return Ok(None);
        }
        say(&format!("banhook's action will be in {}; no other action changes", listed_jails(&ours)))?;
        Ok(Some(NewFile::public(&self.paths.jails, &body)))
    }

    /// Returns the jails that a person chose, now or before; `None`: all.
    fn chosen_jails(&self, known: &JailConfiguration, found: &Found) -> Result<Option<Vec<String>>, CommandError> {
        let names = known.jails();
        if names.is_empty() {
            return Err(CommandError::input(anyhow::anyhow!(
                "fail2ban has no enabled jail: enable one in jail.local, then run setup again"
            )));
        }
        let mut chosen = self.arguments.jails.clone();
        let is_asked = chosen.is_empty() && *found == Found::Absent && !self.arguments.dry_run;
        if is_asked && self.arguments.url_file.is_none() && webhook_url::can_ask() {
            let terminal = Term::stderr();
            terminal
                .write_str(&format!("Jails, with spaces between ({}) [all]: ", listed(names.iter().copied(), "and")))?;
            chosen = terminal.read_line()?.split_whitespace().map(str::to_owned).collect();
        }
        if let Found::Ours(old) = found
            && chosen.is_empty()
        {
            return Ok(jails_of(old));
        }
        match chosen.iter().find(|jail| !names.contains(jail.as_str())) {
            Some(unknown) => Err(CommandError::input(anyhow::anyhow!(
                "fail2ban has no enabled jail {}; it has {}",
                one_line(unknown),
                listed(names.iter().copied(), "and")
            ))),
            None => Ok((!chosen.is_empty()).then_some(chosen)),
        }
    }

    /// Says how a person adds the action where nobody knows what the jails do.
    fn unknown_jails(&mut self, error: &NoAnswer) -> Result<(), CommandError> {
        self.is_done = false;
        let shown = self.paths.jails.display();
        say(&format!("did not write {shown}: what the jails do is not known: {}", reason(error)))?;
        say("To add banhook's action yourself, put this into jail.local:")?;
        show(&snippet(
            Some(&self.arguments.jails).filter(|jails| !jails.is_empty()).map(Vec::as_slice),
            &self.paths.action_line,
        ))?;
        Ok(())
    }

    /// Says what a person has to add to get the action into these jails.
    fn missing(&mut self, jails: &[&str]) -> io::Result<()> {
        self.is_done = false;
        for (line, jails) in by_action_setting(&self.paths.fail2ban, jails.iter().copied()) {
            let jails = listed_jails(&jails);
            match line {
                Some(line) => say(&format!(
                    "TO DO: {jails}: `action` is set at {line}. Add this line to it, indented, and keep the others:"
                ))?,
                None => {
                    say(&format!("TO DO: {jails}: add this line to their `action`, indented, and keep the others:"))?
                }
            }
            show(&format!("         {}", self.paths.action_line))?;
        }
        Ok(())
    }
}

fn listed_jails<'a>(jails: impl IntoIterator<Item = &'a &'a str>) -> String {
    let names: Vec<_> = jails.into_iter().copied().collect();
    format!("the jail{} {}", if names.len() == 1 { "" } else { "s" }, listed(names, "and"))
}

/// Returns the text that adds the action to jails; `None`: to all that have no `action` of their own.
fn snippet(jails: Option<&[String]>, action: &str) -> String {
    let sections: Vec<&str> = jails.map_or_else(|| vec!["DEFAULT"], |jails| jails.iter().map(String::as_str).collect());
    let section = |name: &str| format!("\n[{name}]\naction = %(action_)s\n         {action}\n");
    let sections: String = sections.into_iter().map(section).collect();
    format!(
        "# Keep %(action_)s: it blocks the address. Without it, attackers are reported and not blocked.\n{sections}"
    )
}

/// Returns the jails that such a text is for.
fn jails_of(snippet: &str) -> Option<Vec<String>> {
    let sections = snippet.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
    let sections: Vec<_> = sections.map(str::to_owned).collect();
    (sections != ["DEFAULT"]).then_some(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_with_a_token_needs_a_configuration_first() {
        assert_eq!(target("discord"), Ok(Target::DISCORD));
        for word in ["slack-app", "telegram"] {
            let error = target(word).unwrap_err();
            assert!(error.contains("write the configuration first"), "{error}");
        }
        let error = target("irc").unwrap_err();
        assert!(error.contains("slack, mattermost") && !error.contains("slack-app"), "{error}");
    }

    #[test]
    fn snippet_keeps_the_action_that_blocks() {
        let all = snippet(None, "banhook");
        assert!(all.ends_with("\n[DEFAULT]\naction = %(action_)s\n         banhook\n"), "{all}");
        let two = snippet(Some(&["a".to_owned(), "b".to_owned()]), "banhook[options=\"--x\"]");
        assert_eq!((jails_of(&all), jails_of(&two)), (None, Some(vec!["a".to_owned(), "b".to_owned()])));
        assert_eq!(two.matches("%(action_)s\n         banhook[options=\"--x\"]\n").count(), 2, "{two}");
    }
}
