//! What the sandbox costs, beside what it replaces, in one run: machines differ, and moods of one machine do too.
//!
//! `cargo xtask bench plugin` runs it. It fails when a target is missed; each is a constant beside what it measures.

mod calls;
mod daemon;
mod guests;
mod loading;
mod report;
#[path = "../../../xtask/src/statistics.rs"]
#[allow(unused_imports, reason = "its tests belong to xtask")]
mod statistics;
#[path = "../../testdata/small/src/words.rs"]
mod words;

use anyhow::Context as _;
use report::Report;

fn main() -> anyhow::Result<()> {
    let mut report = Report::default();
    let all = on_one_core().context("keeping to one core")?;
    calls::measure(&mut report)?;
    loading::measure(&mut report)?;
    // A daemon has what there is.
    rustix::thread::sched_setaffinity(None, &all).context("taking all cores back")?;
    if let Err(error) = daemon::measure(&mut report) {
        report.failed("the daemon was not measured", &error);
    }
    report.finish()
}

/// The engine's clock and a shell share the core with what is measured. Says which cores there were.
fn on_one_core() -> std::io::Result<rustix::thread::CpuSet> {
    let all = rustix::thread::sched_getaffinity(None)?;
    let mut one = rustix::thread::CpuSet::new();
    one.set(rustix::thread::sched_getcpu());
    rustix::thread::sched_setaffinity(None, &one)?;
    Ok(all)
}
