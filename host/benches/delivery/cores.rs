//! Processor affinity: the measured daemon has one core to itself, and the benchmark uses the others.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of this process.
pub struct Cores {
    all: CpuSet,
    first: CpuSet,
    others: CpuSet,
}

impl Cores {
    pub fn of_this_process() -> io::Result<Self> {
        let all = sched_getaffinity(None)?;
        let (mut first, mut others) = (CpuSet::new(), CpuSet::new());
        for core in (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)) {
            if first.count() == 0 { first.set(core) } else { others.set(core) }
        }
        if others.count() == 0 {
            others = first;
        }
        Ok(Self { all, first, others })
    }

    /// Keeps the threads and processes that `start` creates on the first core, and moves the calling thread to the others.
    pub fn start_on_the_first<T>(&self, start: impl FnOnce() -> T) -> io::Result<T> {
        sched_setaffinity(None, &self.first)?;
        let started = start();
        sched_setaffinity(None, &self.others)?;
        Ok(started)
    }

    /// Lets the calling thread use all cores again.
    pub fn use_all(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.all)?)
    }
}
