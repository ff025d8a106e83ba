//! What the running fail2ban says of itself, asked by its client, and what is wrong with that.
//!
//! One client at a time, and each has a deadline: fail2ban answers nobody while an action runs. Busy is not dead.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use super::action;
use super::finding::Finding;
use crate::cli::global_options::GlobalOptions;
use crate::config::{Config, is_pattern};
use crate::event::Kind;
use crate::message::one_line;
use crate::phrase::{counted, listed};
use crate::receive::fail2ban_client::{NoAnswer, ask, jails, listed_names};
use crate::receive::tail::matching;

const CHECK: &str = "fail2ban";
const JAILS: &str = "jails";

/// How long one answer of fail2ban may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How long all of them together may take: some 200 jails.
const TOTAL_LIMIT: Duration = Duration::from_secs(30);

/// The versions whose whole life with banhook's action was tested.
const TESTED_VERSIONS: [&str; 3] = ["1.0.2", "1.1.0", "1.1.1"];

/// Jails that are named in a finding.
const MAX_NAMED: usize = 5;

const RESTART: &str = "systemctl restart fail2ban (without systemd: fail2ban-client restart); a reload is not enough";
const ADD_ACTION: &str = "run `banhook setup`; or put into jail.local, under [DEFAULT] or the jail: action = %(action_)s and, on the next line, indented: banhook; then restart fail2ban";

/// One action of a jail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JailAction {
    pub jail: String,
    pub name: String,
    /// Its command for a ban; empty if it has none, as an action in Python.
    pub ban: String,
}

impl JailAction {
    pub(super) fn is_ours(&self) -> bool {
        action::is_ours(&self.name, &self.ban)
    }
}

/// What fail2ban says.
#[derive(Debug)]
pub(super) struct Fail2banState {
    /// Its jails.
    pub jails: Result<Vec<String>, NoAnswer>,
    pub version: Option<String>,
    /// Its database and its log.
    pub database: Option<String>,
    pub log: Option<String>,
    /// The actions of the first jails.
    pub actions: Vec<JailAction>,
    /// How many jails these are.
    pub checked: usize,
    /// Its configuration as it is now, as the client prints it, or why there is no answer.
    pub configured: Result<String, NoAnswer>,
}

impl Fail2banState {
    /// Asks fail2ban.
    pub(super) fn ask() -> Self {
        let deadline = Instant::now() + TOTAL_LIMIT;
        let ask = |arguments: &[&str]| match deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(NoAnswer::Late),
            left => ask(arguments, left.min(ANSWER_LIMIT)),
        };
        let jails = jails(ANSWER_LIMIT);
        let configured = match &jails {
            Err(NoAnswer::NotInstalled) => Err(NoAnswer::NotInstalled),
            _ => ask(&["-d"]),
        };
        let mut state =
            Self { jails, version: None, database: None, log: None, actions: Vec::new(), checked: 0, configured };
        let Ok(names) = &state.jails else { return state };
        let value = |arguments: &[&str]| {
            let answer = ask(arguments).ok()?;
            Some(answer.lines().next_back()?.trim_start_matches("`-").trim().to_owned())
        };
        state.version = value(&["version"]);
        state.database = value(&["get", "dbfile"]);
        state.log = value(&["get", "logtarget"]);
        // Only the commands of banhook's own actions differ by jail in a way that matters here.
        let mut others: HashMap<String, String> = HashMap::new();
        for jail in names {
            let Ok(answer) = ask(&["get", jail, "actions"]) else { break };
            for name in listed_names(answer.lines().nth(1).unwrap_or_default()) {
                let ban = match others.get(&name) {
                    Some(ban) => ban.clone(),
                    None => match ask(&["get", jail, "action", &name, "actionban"]) {
                        Ok(ban) => ban.trim().to_owned(),
                        Err(NoAnswer::Late) => return state,
                        Err(_) => String::new(),
                    },
                };
                if !action::is_ours(&name, &ban) {
                    others.insert(name.clone(), ban.clone());
                }
                state.actions.push(JailAction { jail: jail.clone(), name, ban });
            }
            state.checked += 1;
        }
        state
    }

    /// Returns what is wrong with fail2ban and its actions. `config`: banhook's, if it can be read.
    pub(super) fn findings(
        &self,
        global: &GlobalOptions,
        config: Option<&Config>,
        is_program: &dyn Fn(&Path) -> bool,
    ) -> Vec<Finding> {
        let mut found = vec![self.answer(config)];
        found.extend(self.version_untested());
        found.extend(self.misconfigured());
        found.extend(self.not_running());
        let Ok(jails) = &self.jails else { return found };
        if self.checked < jails.len() {
            let text = format!(
                "checked {} of {}: fail2ban took too long to answer",
                self.checked,
                counted(jails.len() as u64, "jail")
            );
            found.push(Finding::warn(JAILS, text, "run doctor again when fail2ban runs no slow action"));
        }
        let ours: BTreeSet<_> =
            self.actions.iter().filter(|action| action.is_ours()).map(|action| action.jail.as_str()).collect();
        found.extend(self.coverage(&ours, config));
        found.extend(self.not_blocking(&ours));
        found.extend(self.posting_too(&ours));
        found.extend(self.commands(global, is_program));
        if let Some(config) = config {
            found.extend(self.unrouted(&ours, config));
            found.extend(self.log_read_too(&ours, config));
            found.extend(self.other_database(config));
        }
        found
    }

    fn answer(&self, config: Option<&Config>) -> Finding {
        let reads_logs = config.is_some_and(|config| !config.sources.is_empty());
        match &self.jails {
            Ok(jails) => {
                let version = self.version.as_deref().unwrap_or("(unknown version)");
                Finding::ok(CHECK, format!("fail2ban {version} answers; {}", counted(jails.len() as u64, "jail")))
            }
            Err(NoAnswer::NotInstalled) if reads_logs => {
                Finding::ok(CHECK, "fail2ban is not installed here; banhook reads logs")
            }
            Err(NoAnswer::NotInstalled) => Finding::fail(
                CHECK,
                "fail2ban-client is not found, and no [[sources]] names a log",
                "install fail2ban, or name its log in [[sources]]",
            ),
            Err(NoAnswer::NotRunning) => Finding::fail(
                CHECK,
                "fail2ban is not running: nothing is banned",
                "systemctl start fail2ban (without systemd: fail2ban-client start); fail2ban-client -t shows errors of its configuration",
            ),
            Err(NoAnswer::Denied) => Finding::warn(
                CHECK,
                "this user may not ask fail2ban, so its actions are not checked",
                "run doctor as root",
            ),
            Err(NoAnswer::Late) => Finding::warn(
                CHECK,
                format!("fail2ban did not answer within {} s: it runs an action, or hangs", ANSWER_LIMIT.as_secs()),
                "run doctor again; if nothing changes, look for a slow action in fail2ban's log, and restart fail2ban",
            ),
            Err(NoAnswer::Refused(why)) => {
                Finding::fail(CHECK, format!("fail2ban-client failed: {why}"), "run `fail2ban-client status`")
            }
        }
    }

    fn version_untested(&self) -> Option<Finding> {
        let version = self.version.as_deref()?;
        let tested = || listed(TESTED_VERSIONS, "and");
        (!TESTED_VERSIONS.contains(&version)).then(|| {
            let text = format!("banhook was not tested with fail2ban {version}, but with {}", tested());
            Finding::warn(CHECK, text, "test it end to end: banhook doctor --send")
        })
    }

    /// What is wrong with the configuration that the next restart reads.
    fn misconfigured(&self) -> Option<Finding> {
        let error = match &self.configured {
            Ok(dump) => configuration_error(dump)?,
            Err(NoAnswer::Refused(why)) => why,
            Err(_) => return None,
        };
        let text = format!("fail2ban's configuration has an error: {error}");
        let remedy = "fail2ban-client -t shows what is wrong; until it is corrected, do not restart fail2ban";
        Some(Finding::fail(CHECK, text, remedy))
    }

    /// The actions that are configured and not running: a reload drops new ones.
    fn not_running(&self) -> Option<Finding> {
        let configured = self.configured.as_ref().ok()?.lines().filter_map(configured_action);
        let names = self.jails.as_ref().ok()?.get(..self.checked)?;
        let running: BTreeSet<_> =
            self.actions.iter().map(|action| (action.jail.as_str(), action.name.as_str())).collect();
        let is_missing = |&(jail, name): &(&str, &str)| {
            action::is_ours(name, "") && names.iter().any(|checked| checked == jail) && !running.contains(&(jail, name))
        };
        let missing: BTreeSet<_> = configured.filter(is_missing).map(|(jail, _)| jail).collect();
        let text = || format!("banhook's action is configured for {}, and fail2ban does not run it", named(&missing));
        (!missing.is_empty()).then(|| Finding::fail(JAILS, text(), RESTART))
    }

    fn coverage(&self, ours: &BTreeSet<&str>, config: Option<&Config>) -> Option<Finding> {
        let names = self.jails.as_ref().ok()?.get(..self.checked).filter(|names| !names.is_empty())?;
        let without: BTreeSet<_> = names.iter().map(String::as_str).filter(|jail| !ours.contains(jail)).collect();
        if without.is_empty() {
            return Some(Finding::ok(JAILS, "banhook's action is in every jail"));
        }
        if config.is_some_and(|config| !config.sources.is_empty()) {
            return ours.is_empty().then(|| Finding::ok(JAILS, "no jail has banhook's action; banhook reads logs"));
        }
        Some(match ours.is_empty() {
            true => Finding::fail(JAILS, "no jail has banhook's action, so no ban is reported", ADD_ACTION),
            false => Finding::warn(
                JAILS,
                format!("{} without banhook's action: its bans are not reported", named(&without)),
                ADD_ACTION,
            ),
        })
    }

    fn not_blocking(&self, ours: &BTreeSet<&str>) -> Option<Finding> {
        let blocking =
            self.actions.iter().filter(|action| !action.is_ours() && action::blocks(&action.name, &action.ban));
        let blocking: BTreeSet<_> = blocking.map(|action| action.jail.as_str()).collect();
        let alone: BTreeSet<_> = ours.difference(&blocking).copied().collect();
        let text = || format!("no action of {} blocks: attackers are reported and not banned", named(&alone));
        (!alone.is_empty()).then(|| Finding::fail(JAILS, text(), ADD_ACTION))
    }

    fn posting_too(&self, ours: &BTreeSet<&str>) -> Vec<Finding> {
        let mut by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for action in &self.actions {
            if !action.is_ours() && ours.contains(action.jail.as_str()) && action::posts(&action.name, &action.ban) {
                by_name.entry(&action.name).or_default().insert(&action.jail);
            }
        }
        let finding = |(name, jails): (&str, BTreeSet<&str>)| {
            let text = format!("the action {name} of {} posts to a chat too, and fail2ban waits for it", named(&jails));
            Finding::warn(JAILS, text, format!("remove {name} from `action` in jail.local, then restart fail2ban"))
        };
        by_name.into_iter().map(finding).collect()
    }

    /// What is wrong with the commands, once for all jails that have it.
    fn commands(&self, global: &GlobalOptions, is_program: &dyn Fn(&Path) -> bool) -> Vec<Finding> {
        let mut found: Vec<(Finding, BTreeSet<&str>)> = Vec::new();
        for action in self.actions.iter().filter(|action| action.is_ours()) {
            for finding in action::problems(&action.ban, global, is_program) {
                match found.iter_mut().find(|(other, _)| *other == finding) {
                    Some((_, jails)) => drop(jails.insert(&action.jail)),
                    None => found.push((finding, BTreeSet::from([action.jail.as_str()]))),
                }
            }
        }
        let with_jails = |(finding, jails): (Finding, BTreeSet<&str>)| Finding {
            text: format!("{}: {}", named(&jails), finding.text),
            ..finding
        };
        found.into_iter().map(with_jails).collect()
    }

    fn unrouted(&self, ours: &BTreeSet<&str>, config: &Config) -> Option<Finding> {
        let matches = |jail: &str| config.routes.iter().any(|route| route.mismatch(jail, Kind::Ban).is_none());
        let unrouted: BTreeSet<_> = ours.iter().copied().filter(|jail| !matches(jail)).collect();
        let text = || format!("no route matches bans of {}: they are counted as unmatched", named(&unrouted));
        let remedy = "add them to `jails` of a route, or remove the action from them; banhook config explain ban --jail JAIL shows why";
        (!unrouted.is_empty()).then(|| Finding::warn(JAILS, text(), remedy))
    }

    fn log_read_too(&self, ours: &BTreeSet<&str>, config: &Config) -> Option<Finding> {
        let log = Path::new(self.log.as_deref()?);
        let reads = |path: &Path| path == log || is_pattern(path) && matching(path).iter().any(|path| path == log);
        let is_read = config.sources.iter().flat_map(|source| &source.logs).any(|path| reads(path));
        let text = || format!("bans of {} are reported by the action and read in {} too", named(ours), log.display());
        let remedy = "one is enough: remove [[sources]] or the action. A ban is one event only if both report it within ten seconds";
        (is_read && !ours.is_empty()).then(|| Finding::warn(JAILS, text(), remedy))
    }

    fn other_database(&self, config: &Config) -> Option<Finding> {
        let theirs = Path::new(self.database.as_deref()?);
        let ours = config.fail2ban.database.as_deref()?;
        let is_other = theirs.is_absolute() && ours.canonicalize().ok() != theirs.canonicalize().ok();
        let text = || {
            format!(
                "fail2ban's database is {}, and banhook reads {}: bans come without log lines",
                theirs.display(),
                ours.display()
            )
        };
        let remedy = || format!("set database = \"{}\" under [fail2ban], or database = false", theirs.display());
        is_other.then(|| Finding::warn(CHECK, text(), remedy()))
    }
}

/// Returns what is wrong with a configuration that the client printed.
pub(crate) fn configuration_error(dump: &str) -> Option<&str> {
    Some(dump.lines().find_map(|line| line.strip_prefix("['config-error', "))?.trim_end_matches(']'))
}

/// Returns the jail and the action of a line of the configuration as the client prints it.
pub(crate) fn configured_action(line: &str) -> Option<(&str, &str)> {
    let (jail, action) = line.strip_prefix("['set', '")?.split_once("', 'addaction', '")?;
    Some((jail, action.split_once('\'')?.0))
}

/// Names jails: `the jail sshd`, `the jails a, b and 3 more`.
fn named(jails: &BTreeSet<&str>) -> String {
    let mut names: Vec<_> = jails.iter().take(MAX_NAMED).map(|jail| one_line(jail)).collect();
    if jails.len() > MAX_NAMED {
        names.push(format!("{} more", jails.len() - MAX_NAMED));
    }
    format!("the jail{} {}", if jails.len() == 1 { "" } else { "s" }, listed(names.iter().map(String::as_str), "and"))
}
