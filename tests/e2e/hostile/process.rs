//! The memory, threads and open files of a process.

use std::fs;

/// A process, observed through `/proc`.
pub struct Process(pub u32);

impl Process {
    /// Resident memory, in bytes.
    #[track_caller]
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The peak of the resident memory since the last [`Process::reset_peak`], in bytes.
    #[track_caller]
    pub fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Restarts the measurement of `peak`.
    pub fn reset_peak(&self) {
        // proc_pid_clear_refs(5): 5 resets the peak.
        fs::write(self.file("clear_refs"), "5").unwrap();
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        fs::read_dir(self.file("task")).unwrap().count()
    }

    /// The number of open files.
    pub fn files(&self) -> usize {
        fs::read_dir(self.file("fd")).unwrap().count()
    }

    /// Whether it has exited, also before its parent has waited for it.
    pub fn has_ended(&self) -> bool {
        !fs::read_to_string(self.file("status")).unwrap().contains("VmRSS:")
    }

    #[track_caller]
    fn status(&self, key: &str) -> u64 {
        let status = fs::read_to_string(self.file("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        // A zombie has no memory.
        let line = line.unwrap_or_else(|| panic!("the process has exited: {status}"));
        let kilobytes: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kilobytes * 1024
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.0)
    }
}
