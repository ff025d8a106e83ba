//! The results of a plugin's cases as JSON, for programs.

use serde_json::{Value, json};

use crate::cli::case_run::{CaseResult, CaseRun, TestedCase};
use crate::cli::plugin_case::LIMITS;
use crate::plugin::fuel_for;

/// Returns one object: each case with all that is known of it, and the sums.
pub(super) fn report(plugin: &str, CaseRun { tested: cases, invalid, uncovered }: &CaseRun) -> Value {
    let count = |word: &str| cases.iter().filter(|case| result(case) == word).count();
    let listed = cases.iter().map(tested).chain(
        invalid
            .iter()
            .map(|(file, error)| json!({ "file": file, "result": "invalid", "reason": format!("{error:#}") })),
    );
    json!({
        "plugin": plugin,
        "limits": {
            "fuel": fuel_for(&LIMITS),
            "memory": LIMITS.memory,
            "time_ms": LIMITS.time.as_secs_f64() * 1e3,
        },
        "cases": listed.collect::<Vec<_>>(),
        "passed": count("passed"),
        "failed": count("failed"),
        "updated": count("updated"),
        "invalid": invalid.len(),
        "uncovered": {
            "decisions": uncovered.decisions,
            "events": uncovered.events,
            "digests": uncovered.digests,
        },
    })
}

const fn result(case: &TestedCase) -> &'static str {
    match case.result {
        CaseResult::Passed { .. } => "passed",
        CaseResult::Updated(_) => "updated",
        CaseResult::Differs(_) | CaseResult::Rejected(_) => "failed",
    }
}

fn tested(case: &TestedCase) -> Value {
    let decided = &case.decided;
    let (expected, reason) = match &case.result {
        CaseResult::Differs(expected) => (expected.clone(), None),
        CaseResult::Rejected(why) => (None, Some(why.clone())),
        CaseResult::Updated(failure) => (None, failure.clone()),
        CaseResult::Passed { .. } => (None, None),
    };
    let log = decided
        .log
        .iter()
        .map(|line| json!({ "level": format!("{:?}", line.level).to_lowercase(), "message": line.message }));
    json!({
        "file": case.file,
        "about": case.about,
        "result": result(case),
        "reason": reason,
        "expected": expected,
        "decision": decided.decision,
        "problems": decided.problems,
        "warnings": decided.warnings,
        "log": log.collect::<Vec<_>>(),
        "printed": decided.printed,
        "backtrace": decided.backtrace,
        "fuel": decided.usage.fuel,
        "memory": decided.usage.memory,
        "time_ms": decided.usage.time.as_secs_f64() * 1e3,
    })
}
