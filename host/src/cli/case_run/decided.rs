//! What a plugin decided on a case, and everything else that is known of it.

use serde_json::Value;

use super::case_route::CaseRoute;
use crate::cli::case_preview::CasePreview;
use crate::cli::plugin_case::{CaseDecision, CaseInput, LIMITS, PluginCase, to_json};
use crate::event::Kind;
use crate::message::{Policy, Target, check_hints, hold_losses, message_losses, unknown_hints};
use crate::phrase::counted;
use crate::plugin::{Answer, LogLine, PluginError, Usage};
use blockkit::check;

/// Why a batch has no decision.
const NO_DIGESTER: &str = "the case has a \"batch\", but the plugin exports no digester: banhook formats its digests, \
                           as `banhook preview` shows";

/// What a plugin decided on a case.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    /// In the form of a case's file; null if there is none.
    pub decision: Value,
    /// What kind of decision it is, and on what; `None` if the plugin failed in another way than by an error of its own.
    pub reached: Option<Reached>,
    /// Why its message cannot go out, or why there is none.
    pub rejected: Option<String>,
    /// What production would do with the decision in silence, and what the linter says of the message otherwise.
    pub warnings: Vec<String>,
    /// What the plugin finds wrong with its settings, as `banhook config check` says it.
    pub problems: Vec<String>,
    /// The lines that it logged.
    pub log: Vec<LogLine>,
    /// What it printed.
    pub printed: String,
    /// Where it trapped, innermost first.
    pub backtrace: Vec<String>,
    /// What the call used.
    pub usage: Usage,
    /// What the channel shows, on the targets that were asked for.
    pub previews: Vec<CasePreview>,
}

/// A kind of decision, and what it was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reached {
    pub decision: DecisionKind,
    /// `None`: a digest.
    pub event: Option<Kind>,
}

/// A kind of decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecisionKind {
    Post,
    Skip,
    Hold,
    Error,
}

impl DecisionKind {
    pub(crate) const ALL: [Self; 4] = [Self::Post, Self::Skip, Self::Hold, Self::Error];

    /// Returns the word for it in a case.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Skip => "skip",
            Self::Hold => "hold",
            Self::Error => "error",
        }
    }

    const fn of(decision: &Result<CaseDecision, PluginError>) -> Option<Self> {
        match decision {
            Ok(CaseDecision::Post(_)) => Some(Self::Post),
            Ok(CaseDecision::Skip(_)) => Some(Self::Skip),
            Ok(CaseDecision::Hold(_) | CaseDecision::HoldDigest(_)) => Some(Self::Hold),
            Err(PluginError::Returned(_)) => Some(Self::Error),
            Err(_) => None,
        }
    }
}

impl Decided {
    /// Asks a plugin that is loaded for the case.
    pub(crate) fn new(
        case: &PluginCase,
        CaseRoute { plugin, problems, .. }: &CaseRoute,
        previews: &[Target],
    ) -> anyhow::Result<Self> {
        let (input, policy) = (case.input()?, case.policy()?);
        let mut decided = Self::default();
        if case.expected_problems().is_none() && problems.iter().any(|problem| !problem.is_warning()) {
            let why = "`banhook config check` rejects these settings, so no route would have them; \
                       a case about that lists what is wrong under \"problems\"";
            decided.warnings.push(why.to_owned());
        }
        decided.problems = problems.iter().map(ToString::to_string).collect();
        let answer = input.answer(plugin);
        let decision = answer.as_ref().map(|answer| &answer.decision);
        decided.previews = previews
            .iter()
            .map(|target| CasePreview::new(decision, &input, &Policy { target: *target, ..policy }))
            .collect();
        let Some(answer) = answer else {
            return Ok(Self { rejected: Some(NO_DIGESTER.to_owned()), ..decided });
        };
        decided.decision = to_json(&answer.decision)?;
        let event = match &input {
            CaseInput::Event(event) => Some(event.kind()),
            CaseInput::Batch(..) => None,
        };
        decided.reached = DecisionKind::of(&answer.decision).map(|decision| Reached { decision, event });
        decided.judge(&answer.decision, &input, &policy);
        decided.add_call(answer);
        Ok(decided)
    }

    /// Adds what production would do with a decision.
    fn judge(&mut self, decision: &Result<CaseDecision, PluginError>, input: &CaseInput<'_>, policy: &Policy) {
        match decision {
            Ok(CaseDecision::Post(message)) => {
                self.warnings.extend(check_hints(message).iter().map(ToString::to_string));
                let losses = message_losses(message, input.events(), policy.mentions);
                self.warnings.extend(losses.iter().map(ToString::to_string));
                match input.guard(message, policy) {
                    Ok(body) => self.warnings.extend(check(body.body()).iter().map(ToString::to_string)),
                    Err(error) => self.rejected = Some(error.to_string()),
                }
            }
            Ok(CaseDecision::Hold(hold)) => {
                self.warnings.extend(unknown_hints(&hold.hints));
                if let CaseInput::Event(event) = input {
                    self.warnings.extend(hold_losses(hold, event.at).iter().map(ToString::to_string));
                }
            }
            Ok(CaseDecision::HoldDigest(until)) => {
                if let CaseInput::Batch(_, now) = input
                    && until <= now
                {
                    let why =
                        "it holds its digest until a time that is not in the future, and the built-in digest goes out";
                    self.rejected = Some(why.to_owned());
                }
            }
            Ok(CaseDecision::Skip(_)) | Err(_) => {}
        }
    }

    /// Adds what the call left behind.
    fn add_call<T>(&mut self, answer: Answer<T>) {
        let Answer { decision, log, log_dropped, log_cut, printed, usage } = answer;
        if let Err(error) = decision {
            self.backtrace = error.backtrace().map(str::to_owned).collect();
        }
        if log_dropped > 0 {
            let dropped = counted(log_dropped, "log line");
            self.warnings.push(format!("{dropped} dropped: {} are kept (limits.log_lines)", LIMITS.log_lines));
        }
        if log_cut > 0 {
            let cut = counted(log_cut, "log line");
            self.warnings.push(format!("{cut} cut: {} bytes of each are kept (limits.log_bytes)", LIMITS.log_bytes));
        }
        (self.log, self.printed, self.usage) = (log, printed, usage);
    }
}
