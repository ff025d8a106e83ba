//! One case, run and judged.

use std::path::Path;

use serde_json::{Value, json};

use super::case_route::CaseRoute;
use super::decided::Decided;
use crate::cli::command_error::CommandError;
use crate::cli::plugin_case::{PluginCase, pretty};
use crate::message::Target;

/// What the cases are held to.
#[derive(Default)]
pub(crate) struct Terms {
    /// Whether the plugin's decisions become the expected ones.
    pub update: bool,
    /// Units of fuel that a case may use.
    pub max_fuel: Option<u64>,
    /// The targets on which to show what goes out.
    pub previews: Vec<Target>,
}

/// One case, with what the plugin made of it.
pub(crate) struct TestedCase {
    /// As it was given.
    pub file: String,
    /// One sentence.
    pub about: String,
    /// The text of its file without the decision; empty where no previews were asked for.
    pub source: String,
    pub result: CaseResult,
    pub decided: Decided,
}

/// The result of one case.
pub(crate) enum CaseResult {
    /// The decision is the expected one. `fails`: that is a failure or an error.
    Passed { fails: bool },
    /// The case file now has the plugin's decision; the failure, if that is the decision.
    Updated(Option<String>),
    /// The expected decision (`None` if the case has none yet) is another one.
    Differs(Option<Value>),
    /// The decision is right or not; this is wrong in any case.
    Rejected(String),
}

impl TestedCase {
    /// Runs a case on its route.
    ///
    /// # Errors
    /// When the case's file cannot be written.
    pub(crate) fn run(
        route: &CaseRoute,
        case: &mut PluginCase,
        file: &Path,
        terms: &Terms,
    ) -> Result<Self, CommandError> {
        let source = if terms.previews.is_empty() { String::new() } else { case.source() };
        let decided = Decided::new(case, route, &terms.previews).map_err(CommandError::Input)?;
        let excess = case.budget().and_then(|budget| budget.excess(&decided.usage));
        let result = match rejection(&decided, terms).or(excess) {
            Some(why) => CaseResult::Rejected(why),
            None if is_as_expected(case, &decided) => {
                let decision = &decided.decision;
                CaseResult::Passed { fails: decision.get("failure").or_else(|| decision.get("error")).is_some() }
            }
            None if terms.update => {
                let failure = decided.decision.get("failure").map(|why| why.as_str().unwrap_or_default().to_owned());
                case.write(file, decided.decision.clone(), decided.problems.clone())?;
                CaseResult::Updated(failure)
            }
            None => CaseResult::Differs(case.expected().map(|decision| expectation(case, decision))),
        };
        Ok(Self { file: file.display().to_string(), about: case.about().to_owned(), source, result, decided })
    }

    /// Runs a case of which only that is expected: the plugin does not fail, and its message can go out.
    pub(crate) fn survives(
        route: &CaseRoute,
        case: &PluginCase,
        name: &str,
        terms: &Terms,
    ) -> Result<Self, CommandError> {
        let decided = Decided::new(case, route, &terms.previews).map_err(CommandError::Input)?;
        let failure = decided.decision.get("failure").and_then(Value::as_str).map(|why| format!("the plugin {why}"));
        let result = match rejection(&decided, terms).or(failure) {
            Some(why) => CaseResult::Rejected(why),
            None => CaseResult::Passed { fails: false },
        };
        Ok(Self { file: name.to_owned(), about: String::new(), source: String::new(), result, decided })
    }

    /// Returns what was expected and what was found, over several lines, if the two differ.
    pub(crate) fn difference(&self) -> Option<(Option<String>, String)> {
        let CaseResult::Differs(expected) = &self.result else { return None };
        let has_problems = expected.as_ref().is_some_and(|expected| expected.get("problems").is_some());
        let found = match has_problems {
            true => json!({ "decision": self.decided.decision, "problems": self.decided.problems }),
            false => self.decided.decision.clone(),
        };
        Some((expected.as_ref().map(pretty), pretty(&found)))
    }
}

fn is_as_expected(case: &PluginCase, decided: &Decided) -> bool {
    case.expected() == Some(&decided.decision)
        && case.expected_problems().is_none_or(|problems| problems == decided.problems)
}

/// Returns all that a case expects: the decision, and with it the problems if it names any.
fn expectation(case: &PluginCase, decision: &Value) -> Value {
    match case.expected_problems() {
        Some(problems) => json!({ "decision": decision, "problems": problems }),
        None => decision.clone(),
    }
}

fn rejection(decided: &Decided, terms: &Terms) -> Option<String> {
    let too_much = || {
        let (used, most) = (decided.usage.fuel?, terms.max_fuel?);
        (used > most).then(|| format!("consumed {used} units of fuel; --max-fuel allows {most}"))
    };
    decided.rejected.clone().or_else(too_much)
}
