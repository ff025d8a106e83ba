//! The jails of this host, as far as they are known: those that fail2ban names, and those of stored events.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::config::{Config, Route};
use crate::event::Kind;
use crate::message::one_line;
use crate::receive::fail2ban_client::{NoAnswer, jails};
use crate::store::{StateDir, Store};

/// How long fail2ban may take to answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// Jails of the same routes that are named; of those without a route, all are.
const MAX_NAMED: usize = 20;

/// Jails, and where they are known from.
#[derive(Debug, Default)]
pub(crate) struct KnownJails {
    names: Vec<String>,
    /// As a part of a sentence.
    from: &'static str,
    /// Whether fail2ban is installed, and did not answer.
    no_answer: bool,
}

impl KnownJails {
    /// Asks fail2ban, and reads the store of a state directory if there is one.
    pub(super) fn find(state: &Path) -> Self {
        Self::new(jails(DEADLINE), state)
    }

    /// Makes them of fail2ban's answer, and of the store of a state directory if there is one.
    pub(crate) fn new(answer: Result<Vec<String>, NoAnswer>, state: &Path) -> Self {
        let (running, no_answer) = match answer {
            Ok(jails) => (jails, false),
            Err(NoAnswer::NotInstalled) => (Vec::new(), false),
            Err(_) => (Vec::new(), true),
        };
        // Only this thread becomes the owner of the store: the system keeps the user by thread. Without a store that can be
        // read, there are no jails in it.
        let stored = thread::scope(|scope| {
            let reading = thread::Builder::new().spawn_scoped(scope, || stored(state));
            reading.ok().and_then(|reading| reading.join().ok()).flatten().unwrap_or_default()
        });
        let from = match (running.is_empty(), stored.is_empty()) {
            (false, true) => "those of fail2ban",
            (true, _) => "those seen so far",
            (false, false) => "those of fail2ban, and those seen so far",
        };
        let names: BTreeSet<String> = running.into_iter().chain(stored).collect();
        Self { names: names.into_iter().collect(), from, no_answer }
    }

    /// Returns warnings of patterns that match none of them, and yet are near to one.
    pub(crate) fn warnings(&self, config: &Config) -> Vec<String> {
        let mut warnings = Vec::new();
        for route in &config.routes {
            for (pattern, near) in route.jails.near_misses(&self.names) {
                let excludes = if pattern.starts_with('!') && !near.starts_with('!') { "!" } else { "" };
                let literal = pattern.trim_start_matches('!').trim_end_matches('*');
                let is_case = near.get(..literal.len()).is_some_and(|start| start.eq_ignore_ascii_case(literal))
                    && !near.starts_with(literal);
                warnings.push(format!(
                    "route \"{}\": jails: \"{pattern}\" matches no known jail; did you mean \"{excludes}{near}\"?{}",
                    route.name,
                    if is_case { " Upper and lower case differ" } else { "" }
                ));
            }
        }
        warnings
    }

    /// Lists them by the routes that match them; nothing if there is none.
    pub(super) fn by_routes(&self, config: &Config) -> String {
        let mut text = String::new();
        if self.names.is_empty() {
            return text;
        }
        let mut by_routes: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
        for jail in &self.names {
            by_routes.entry(matching(&config.routes, jail)).or_default().push(jail);
        }
        let unanswered = if self.no_answer { "; fail2ban did not answer" } else { "" };
        let _ = writeln!(text, "jails by the routes that match them ({}{unanswered}):", self.from);
        // Those without a route come first in the map, and are shown last.
        let unmatched = by_routes.remove(&Vec::new());
        for (routes, jails) in by_routes {
            let named = jails.iter().take(MAX_NAMED).copied().collect::<Vec<_>>().join(", ");
            let more = match jails.len().saturating_sub(MAX_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let _ = writeln!(text, "  {}: {}{more}", routes.join(", "), one_line(&named));
        }
        if let Some(jails) = unmatched {
            let _ = writeln!(text, "  no route: {}", one_line(&jails.join(", ")));
        }
        text
    }
}

/// Returns the routes that match a jail, with the kinds of events if these are not all.
fn matching(routes: &[Route], jail: &str) -> Vec<String> {
    let mut matching = Vec::new();
    for route in routes {
        let kinds: Vec<_> = Kind::ALL.into_iter().filter(|kind| route.mismatch(jail, *kind).is_none()).collect();
        if kinds.len() == Kind::ALL.len() {
            matching.push(route.name.clone());
        } else if !kinds.is_empty() {
            let kinds: Vec<_> = kinds.into_iter().map(Kind::as_str).collect();
            matching.push(format!("{} ({})", route.name, kinds.join(", ")));
        }
    }
    matching
}

/// Returns the jails of the store in this directory, read as its owner.
fn stored(state: &Path) -> Option<Vec<String>> {
    let folder = StateDir::new(std::path::absolute(state).ok()?);
    folder.become_owner().ok()?;
    folder.is_used().ok()?.then(|| Store::open(&folder).ok()?.known_jails().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(routes: &str) -> Config {
        let text = format!("webhooks.x.url = 'http://127.0.0.1:1/'\n{routes}");
        Config::parse(&text, Path::new("/etc/banhook/config.toml"), &|_| None).unwrap()
    }

    fn known(names: &[&str]) -> KnownJails {
        KnownJails { names: names.iter().map(|name| (*name).to_owned()).collect(), from: "those", no_answer: false }
    }

    #[test]
    fn by_routes_lists_jails_with_and_without_routes() {
        let config = config(
            "[[routes]]\nname = 'mail'\njails = ['postfix*']\nstop = true
             [[routes]]\nname = 'web'\njails = ['nginx-*']
             [[routes]]\nname = 'bans'\njails = ['*', '!recidive']\nevents = ['ban']",
        );
        let jails = known(&["nginx-auth", "nginx-bot", "postfix", "recidive", "sshd"]);
        assert_eq!(
            jails.by_routes(&config),
            "jails by the routes that match them (those):\n  \
               bans (ban): sshd\n  \
               mail: postfix\n  \
               web, bans (ban): nginx-auth, nginx-bot\n  \
               no route: recidive\n"
        );
        assert_eq!(known(&[]).by_routes(&config), "");
    }

    #[test]
    fn warnings_name_patterns_of_another_case_or_misspelt() {
        let config = config("[[routes]]\njails = ['SSHD', 'Nginx-*', '!recidiv', 'dovecot', 'sshd']");
        let warnings = known(&["nginx-auth", "recidive", "sshd"]).warnings(&config).join("\n");
        let expected = [("SSHD", "sshd"), ("Nginx-*", "nginx-auth"), ("!recidiv", "!recidive")];
        assert_eq!(warnings.lines().count(), expected.len(), "{warnings}");
        for (pattern, near) in expected {
            let warning = format!("\"{pattern}\" matches no known jail; did you mean \"{near}\"?");
            assert!(warnings.contains(&warning), "{warnings}");
        }
        assert_eq!(known(&[]).warnings(&config), [] as [&str; 0]);
    }
}
