//! Events on their way through a daemon: how soon one is sent, how fast the spool is received and a backlog routed, what a storm costs that is one message, and what history costs. Each is
//! compared with the disk or SQLite alone in the same run, since machines differ.
//!
//! Run by `cargo xtask bench delivery`. Fails if a target is missed; each target is a constant next to its measurement.

mod bench_env;
mod cores;
mod events;
mod history;
mod latency;
#[path = "../plugin/report.rs"]
#[allow(dead_code, reason = "parts are used by the other benchmark only")]
mod report;
mod spool;
mod sqlite_baseline;
#[path = "../../../xtask/src/statistics.rs"]
#[allow(unused_imports, dead_code, reason = "its tests, and parts that other benchmarks use, belong to xtask")]
mod statistics;
mod storm;
mod throughput;
mod webhook;

use anyhow::bail;
use cores::Cores;
use report::Report;

fn main() -> anyhow::Result<()> {
    let mut report = Report::default();
    let cores = Cores::of_this_process()?;
    // Without `--bench`, which cargo adds.
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_chosen = |part: &str| chosen.is_empty() || chosen.iter().any(|name| name == part);
    if let Some(unknown) =
        chosen.iter().find(|name| !["latency", "spool", "throughput", "storm", "history"].contains(&name.as_str()))
    {
        bail!("unknown part {unknown:?}; use latency, spool, throughput, storm or history");
    }
    if is_chosen("latency") {
        latency::measure(&mut report)?;
    }
    if is_chosen("spool") {
        spool::measure(&mut report)?;
    }
    if is_chosen("throughput") {
        throughput::measure(&mut report, &cores)?;
    }
    if is_chosen("storm") {
        storm::measure(&mut report, &cores)?;
    }
    if is_chosen("history") {
        history::measure(&mut report)?;
    }
    report.finish()
}
