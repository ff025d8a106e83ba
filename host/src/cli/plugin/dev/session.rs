//! What a plugin's author works on: the plugin's directory, the latest build, and the latest cases that were run.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::super::scaffold::Language;
use super::super::toolchain::{PRODUCT, build, finish, language};
use crate::cli::case_page::{Build, CasePage, Live, PluginFacts, fragment};
use crate::cli::case_run::{CaseResult, CaseRoute, CaseRun, Terms, TestedCase};
use crate::cli::command_error::CommandError;
use crate::cli::plugin_case::PluginCase;
use crate::cli::plugin_file::{PluginFile, case_files_in, case_runtime};
use crate::message::Target;
use crate::plugin::Runtime;

/// The directory of cases.
pub(super) const CASES: &str = "cases";

/// What is to be done next.
pub(super) enum Task {
    /// A file of the plugin has changed.
    Build,
    /// A case has changed.
    Test,
    /// The page asks for something.
    Request(Request),
}

/// What the page asks for.
pub(super) struct Request {
    pub wish: Wish,
    /// Takes the answer: text for the page, or why there is none.
    pub answer: Sender<Result<String, String>>,
}

/// A change or a try.
pub(super) enum Wish {
    /// The plugin's decision becomes the one that the case of this name expects.
    Accept(String),
    /// Show what becomes of a case, which is not stored.
    Try(String),
    /// Store a case under this name, with the plugin's decision.
    Save(String, String),
}

/// The session of one plugin.
pub(super) struct Session {
    directory: PathBuf,
    language: Language,
    runtime: Runtime,
    build: State,
    /// Why the cases could not be run: the plugin does not load.
    fault: Option<String>,
    /// The last version that was built and loads.
    good: Option<Good>,
    /// What has happened since it was last asked for.
    news: Option<String>,
}

enum State {
    Running,
    Done(Duration),
    Failed(String),
}

struct Good {
    plugin: PluginFile,
    facts: PluginFacts,
    run: CaseRun,
}

impl Session {
    /// Opens the plugin in a directory.
    pub(super) fn open(directory: &Path) -> Result<Self, CommandError> {
        let language = language(directory).map_err(CommandError::Input)?;
        let runtime = case_runtime()?;
        let directory = directory.to_owned();
        Ok(Self { directory, language, runtime, build: State::Running, fault: None, good: None, news: None })
    }

    /// Notes that a build is about to run.
    pub(super) fn begin_build(&mut self) {
        self.build = State::Running;
    }

    /// Builds the plugin.
    pub(super) fn build(&mut self) {
        let began = Instant::now();
        self.build = match self.try_build() {
            Ok(()) => State::Done(began.elapsed()),
            Err(error) => State::Failed(format!("{error:#}")),
        };
    }

    fn try_build(&self) -> anyhow::Result<()> {
        let commands = build(&self.directory, self.language)?.map_err(|missing| missing.error())?;
        for mut command in commands {
            let program = command.get_program().display().to_string();
            let output =
                command.current_dir(&self.directory).output().with_context(|| format!("cannot start {program}"))?;
            if !output.status.success() {
                let said = [output.stdout, output.stderr].concat();
                return Err(anyhow!("{}", String::from_utf8_lossy(&said).trim_end()));
            }
        }
        finish(&self.directory, self.language)
    }

    /// Runs the cases; after a build that failed, on the last version that was built.
    pub(super) fn test(&mut self) {
        let built = match &self.build {
            State::Done(time) => format!("built in {:.1} s: ", time.as_secs_f64()),
            State::Failed(why) => format!("build failed: {}\n", why.lines().last().unwrap_or_default()),
            State::Running => String::new(),
        };
        // Before the first build there is no version at all, or one of an earlier session.
        if matches!(self.build, State::Failed(_)) && self.good.is_none() {
            self.news = Some(built.trim_end().to_owned());
            return;
        }
        match self.run_cases() {
            Ok(good) => {
                self.news = Some(format!("{built}{}", good.run.sum()));
                self.fault = None;
                self.good = Some(good);
            }
            Err(error) => {
                self.news = Some(format!("{built}{}", error.text()));
                self.fault = Some(error.text());
            }
        }
    }

    /// Runs the plugin's cases or, if it has none, the standard ones.
    fn run_cases(&self) -> Result<Good, CommandError> {
        let plugin = PluginFile::read(&self.directory.join(PRODUCT)).map_err(CommandError::Input)?;
        let cases = self.directory.join(CASES);
        let files = if cases.is_dir() { case_files_in(&cases).map_err(CommandError::Input)? } else { Vec::new() };
        let terms = terms(false);
        let run = match files.as_slice() {
            [] => CaseRun::standard((&self.runtime, &plugin), &terms, |_| Ok(()))?,
            files => CaseRun::run((&self.runtime, &plugin), files, &terms, |_, _| true, |_| Ok(()))?,
        };
        let facts = PluginFacts::of(&plugin);
        Ok(Good { plugin, facts, run })
    }

    /// Returns the page as it is now.
    pub(super) fn page(&self, revision: u64) -> CasePage<'_> {
        let build = match (&self.build, &self.fault) {
            (State::Running, _) => Build::Running,
            (State::Failed(why), _) | (State::Done(_), Some(why)) => Build::Failed(why),
            (State::Done(time), None) => Build::Done { seconds: time.as_secs_f64() },
        };
        let good = self.good.as_ref();
        CasePage {
            plugin: good.map(|good| &good.facts),
            run: good.map(|good| &good.run),
            live: Some(Live { revision, build }),
        }
    }

    /// Returns a line about what has happened, once.
    pub(super) fn news(&mut self) -> Option<String> {
        self.news.take()
    }

    /// Does what the page asks for.
    pub(super) fn answer(&mut self, Request { wish, answer }: Request) {
        let changes = !matches!(wish, Wish::Try(_));
        let done = match &self.good {
            Some(good) => self.done(good, wish).map_err(|error| format!("{error:#}")),
            None => Err("the plugin is not built yet".to_owned()),
        };
        if changes && done.is_ok() {
            self.test();
        }
        // A page that has gone away needs no answer.
        let _ = answer.send(done);
    }

    fn done(&self, good: &Good, wish: Wish) -> anyhow::Result<String> {
        match wish {
            Wish::Accept(name) => {
                let file = self.case_file(&name)?;
                self.store(good, PluginCase::read(&file)?, &file)
            }
            Wish::Save(name, source) => {
                let case = PluginCase::parse(&source)?.without_decision();
                self.store(good, case, &self.case_file(&name)?)
            }
            Wish::Try(source) => {
                let mut case = PluginCase::parse(&source)?.without_decision();
                let route = CaseRoute::of(&case, &self.runtime, &good.plugin, None)?;
                let tested = TestedCase::run(&route, &mut case, Path::new("edited"), &terms(false))
                    .map_err(|error| anyhow!(error.text()))?;
                Ok(fragment(&tested))
            }
        }
    }

    /// Stores a case with the plugin's decision.
    fn store(&self, good: &Good, mut case: PluginCase, file: &Path) -> anyhow::Result<String> {
        let route = CaseRoute::of(&case, &self.runtime, &good.plugin, None)?;
        let tested = TestedCase::run(&route, &mut case, file, &terms(true)).map_err(|error| anyhow!(error.text()))?;
        match tested.result {
            CaseResult::Rejected(why) => Err(anyhow!("not stored: {why}")),
            CaseResult::Passed { .. } | CaseResult::Updated(_) | CaseResult::Differs(_) => Ok("stored".to_owned()),
        }
    }

    /// Returns the file of a case. Its name comes from the page.
    fn case_file(&self, name: &str) -> anyhow::Result<PathBuf> {
        let is_name = !name.is_empty()
            && !name.starts_with('.')
            && name.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.' | ' '));
        is_name
            .then(|| self.directory.join(CASES).join(format!("{name}.json")))
            .with_context(|| format!("\"{name}\" is no name for a case; use letters, digits, - and _"))
    }
}

fn terms(update: bool) -> Terms {
    Terms { update, previews: Target::ALL.to_vec(), ..Terms::default() }
}
