//! What a process holds at the moment: memory, threads, open files.

use std::fs;

/// A process, looked at from outside.
pub struct Process(pub u32);

impl Process {
    /// Bytes of memory that are resident.
    #[track_caller]
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that were resident since the last [`Process::forget_peak`].
    #[track_caller]
    pub fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Has `peak` count from now.
    pub fn forget_peak(&self) {
        // proc_pid_clear_refs(5): 5 resets the peak.
        fs::write(self.file("clear_refs"), "5").unwrap();
    }

    /// Threads that it has.
    pub fn threads(&self) -> usize {
        fs::read_dir(self.file("task")).unwrap().count()
    }

    /// Files that it has open.
    pub fn files(&self) -> usize {
        fs::read_dir(self.file("fd")).unwrap().count()
    }

    /// Whether it has ended, though nobody has waited for it.
    pub fn has_ended(&self) -> bool {
        !fs::read_to_string(self.file("status")).unwrap().contains("VmRSS:")
    }

    #[track_caller]
    fn status(&self, key: &str) -> u64 {
        let status = fs::read_to_string(self.file("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        // A process that has ended and was not waited for has no memory.
        let line = line.unwrap_or_else(|| panic!("the process ended: {status}"));
        let kilobytes: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kilobytes * 1024
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.0)
    }
}
