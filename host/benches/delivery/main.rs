//! Events on their way through a daemon: how soon one is told, how fast many are routed, and what history costs. Beside
//! each what the disk or SQLite alone would take, in the same run, since machines differ.
//!
//! `cargo xtask bench delivery` runs it. It fails when a target is missed; each is a constant beside what it measures.

mod cores;
mod events;
mod floor;
mod history;
mod latency;
#[path = "../plugin/report.rs"]
#[allow(dead_code, reason = "what only the other benchmark reports")]
mod report;
mod site;
#[path = "../../../xtask/src/statistics.rs"]
#[allow(unused_imports, dead_code, reason = "its tests, and what other benchmarks compare, belong to xtask")]
mod statistics;
mod throughput;
mod webhook;

use anyhow::bail;
use cores::Cores;
use report::Report;

fn main() -> anyhow::Result<()> {
    let mut report = Report::default();
    let cores = Cores::of_this_process()?;
    // Ours; cargo adds `--bench`.
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_chosen = |part: &str| chosen.is_empty() || chosen.iter().any(|name| name == part);
    if let Some(unknown) = chosen.iter().find(|name| !["latency", "throughput", "history"].contains(&name.as_str())) {
        bail!("{unknown}: there are latency, throughput and history");
    }
    if is_chosen("latency") {
        latency::measure(&mut report)?;
    }
    if is_chosen("throughput") {
        throughput::measure(&mut report, &cores)?;
    }
    if is_chosen("history") {
        history::measure(&mut report)?;
    }
    report.finish()
}
