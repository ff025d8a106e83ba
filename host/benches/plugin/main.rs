//! What the sandbox costs, compared with what it replaces. Both in one run: machines differ, and one machine varies over
//! time.
//!
//! `cargo xtask bench plugin` runs it. It fails when a target is missed; each target is a constant next to its measurement.

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
    // A daemon uses all cores.
    rustix::thread::sched_setaffinity(None, &all).context("taking all cores back")?;
    if let Err(error) = daemon::measure(&mut report) {
        report.failed("the daemon was not measured", &error);
    }
    report.finish()
}

/// Pins this process to one core, which the engine's clock and the shell share with the measured code. Returns the cores that
/// it had.
fn on_one_core() -> std::io::Result<rustix::thread::CpuSet> {
    let all = rustix::thread::sched_getaffinity(None)?;
    let mut one = rustix::thread::CpuSet::new();
    one.set(rustix::thread::sched_getcpu());
    rustix::thread::sched_setaffinity(None, &one)?;
    Ok(all)
}
