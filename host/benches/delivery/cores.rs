//! Who runs where: what is measured has one core to itself, and whatever measures it has the others.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this process may use.
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

    /// What `start` starts, threads and processes, stays on the first core; the calling thread goes to the others.
    pub fn start_on_the_first<T>(&self, start: impl FnOnce() -> T) -> io::Result<T> {
        sched_setaffinity(None, &self.first)?;
        let started = start();
        sched_setaffinity(None, &self.others)?;
        Ok(started)
    }

    /// The calling thread may run everywhere again.
    pub fn take_all_back(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.all)?)
    }
}
