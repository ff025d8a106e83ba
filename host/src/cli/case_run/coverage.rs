//! Which decisions and kinds of events the cases reach: what they do not, no test would notice.

use super::decided::{DecisionKind, Reached};
use crate::event::Kind;
use crate::phrase::listed;

/// What the cases have reached so far.
#[derive(Default)]
pub(crate) struct Coverage {
    reached: Vec<Reached>,
    /// Whether the plugin decides on digests.
    has_digester: bool,
}

/// What no case reaches, each by its word.
pub(crate) struct Uncovered {
    pub decisions: Vec<&'static str>,
    pub events: Vec<&'static str>,
    /// The plugin decides on digests, and there is no case with a batch.
    pub digests: bool,
}

impl Coverage {
    /// Adds what a case reached.
    pub(crate) fn add(&mut self, reached: Option<Reached>) {
        self.reached.extend(reached);
    }

    /// Says whether the plugin decides on digests.
    pub(crate) const fn set_digester(&mut self, has_digester: bool) {
        self.has_digester = has_digester;
    }

    /// Returns what no case has reached.
    pub(crate) fn uncovered(&self) -> Uncovered {
        let no_case = |is: &dyn Fn(&Reached) -> bool| !self.reached.iter().any(is);
        let decisions = DecisionKind::ALL.into_iter().filter(|kind| no_case(&|reached| reached.decision == *kind));
        let events = Kind::ALL.into_iter().filter(|kind| no_case(&|reached| reached.event == Some(*kind)));
        Uncovered {
            decisions: decisions.map(DecisionKind::as_str).collect(),
            events: events.map(Kind::as_str).collect(),
            digests: self.has_digester && no_case(&|reached| reached.event.is_none()),
        }
    }
}

impl Uncovered {
    /// Returns `no case reaches: decisions hold and error; events flush and stop; digests`; `None` if they reach all.
    pub(crate) fn line(&self) -> Option<String> {
        let named = |what: &str, words: &[&'static str]| {
            let plural = if words.len() == 1 { "" } else { "s" };
            (!words.is_empty()).then(|| format!("{what}{plural} {}", listed(words.iter().copied(), "and")))
        };
        let digests = self.digests.then(|| "digests".to_owned());
        let parts: Vec<_> =
            [named("decision", &self.decisions), named("event", &self.events), digests].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("no case reaches: {}", parts.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uncovered_is_what_no_case_reaches() {
        let mut coverage = Coverage::default();
        coverage.set_digester(true);
        for (decision, event) in [
            (DecisionKind::Post, Some(Kind::Ban)),
            (DecisionKind::Skip, Some(Kind::Unban)),
            (DecisionKind::Error, Some(Kind::Ban)),
        ] {
            coverage.add(Some(Reached { decision, event }));
        }
        coverage.add(None);
        let line = coverage.uncovered().line().unwrap();
        assert_eq!(line, "no case reaches: decision hold; events start, stop, flush and prolong; digests");
        for kind in Kind::ALL {
            coverage.add(Some(Reached { decision: DecisionKind::Hold, event: Some(kind) }));
        }
        coverage.add(Some(Reached { decision: DecisionKind::Post, event: None }));
        assert_eq!(coverage.uncovered().line(), None);
    }
}
