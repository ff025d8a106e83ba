//! What happens to logs, while they are followed and while they are not: each line is read once.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use super::*;
use crate::config::LogSource;
use crate::event::{Event, Timestamp};
use crate::store::Checkpoint;

/// A store in memory.
#[derive(Default, Clone)]
struct Memory {
    subjects: Vec<String>,
    failures: Vec<Option<u32>>,
    checkpoint: Option<Checkpoint>,
}

impl EventSink for Memory {
    fn checkpoint(&mut self, _log: &str) -> Result<Option<Checkpoint>, TailError> {
        Ok(self.checkpoint.clone())
    }

    fn append(&mut self, _log: &str, events: Vec<Event>, checkpoint: Option<&Checkpoint>) -> Result<(), TailError> {
        for ban in events.iter().filter_map(Event::ban) {
            self.subjects.push(ban.subject.clone());
            self.failures.push(ban.failures);
        }
        self.checkpoint = checkpoint.cloned();
        Ok(())
    }
}

/// A folder with a log that is written and rotated.
struct LogFolder {
    folder: tempfile::TempDir,
    writer: Option<File>,
    /// The number of the next ban.
    next: usize,
}

impl LogFolder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), writer: None, next: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn source(&self) -> LogSource {
        LogSource { path: self.path("f.log"), timezone: TimeZone::UTC, from_start: true }
    }

    /// Opens the log as fail2ban does at `flushlogs`.
    fn reopen(&mut self) {
        self.writer = Some(OpenOptions::new().append(true).create(true).open(self.path("f.log")).unwrap());
    }

    fn write(&mut self, text: &str) {
        if self.writer.is_none() {
            self.reopen();
        }
        self.writer.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        self.next += 1;
        let n = self.next - 1;
        // Later than all before: a file is recognized by its first lines.
        format!("2026-11-22 11:{:02}:{:02},000 fail2ban.actions [7]: NOTICE  [j] Unban {n}\n", n / 60, n % 60)
    }

    fn bans(&mut self, many: usize) {
        for _ in 0..many {
            let line = self.line();
            self.write(&line);
        }
    }

    /// Increments the numbers of rotated files.
    fn increment_numbers(&self) {
        for n in (1..9).rev() {
            for extension in ["", ".gz"] {
                let _ = fs::rename(
                    self.path(&format!("f.log.{n}{extension}")),
                    self.path(&format!("f.log.{}{extension}", n + 1)),
                );
            }
        }
    }

    /// logrotate with `create`: the writer continues in the old file until it reopens the log.
    fn rename_and_create(&mut self) {
        self.increment_numbers();
        fs::rename(self.path("f.log"), self.path("f.log.1")).unwrap();
        File::create(self.path("f.log")).unwrap();
    }

    fn copy_and_truncate(&mut self) {
        self.increment_numbers();
        fs::copy(self.path("f.log"), self.path("f.log.1")).unwrap();
        OpenOptions::new().write(true).open(self.path("f.log")).unwrap().set_len(0).unwrap();
    }

    fn compress(&self, name: &str) {
        let path = self.path(name);
        let mut compressed = flate2::write::GzEncoder::new(
            File::create(self.path(&format!("{name}.gz"))).unwrap(),
            flate2::Compression::fast(),
        );
        compressed.write_all(&fs::read(&path).unwrap()).unwrap();
        compressed.finish().unwrap();
        fs::remove_file(path).unwrap();
    }
}

fn now() -> Timestamp {
    Timestamp(0)
}

fn catch_up(follower: &mut Follower, memory: &mut Memory) {
    while follower.step(memory).unwrap() == Step::Read {}
    follower.resolve(memory).unwrap();
}

/// Checks that each line is read once by a follower that runs through all steps, by one that is killed and restarted after
/// each, and by one that is down from the first step to the last.
fn each_line_once(case: &str, steps: &[&dyn Fn(&mut LogFolder)]) {
    for (reader, restarts) in [("following", 0), ("killed after each step", 1), ("down after the first step", 2)] {
        let mut logs = LogFolder::new();
        let mut memory = Memory::default();
        let mut follower = None;
        for (index, step) in steps.iter().enumerate() {
            step(&mut logs);
            if restarts == 2 && index > 0 && index + 1 < steps.len() {
                continue;
            }
            if restarts > 0 {
                follower = None;
            }
            let mut running =
                follower.take().unwrap_or_else(|| Follower::new(logs.source(), now, &mut memory).unwrap());
            catch_up(&mut running, &mut memory);
            follower = Some(running);
        }
        let expected: Vec<_> = (0..logs.next).map(|n| n.to_string()).collect();
        assert_eq!(memory.subjects, expected, "{case}, {reader}");
        assert!(logs.next > 0);
    }
}

#[test]
fn follow_growing_log_reads_each_line_once() {
    each_line_once("it grows", &[&|s| s.bans(2), &|s| s.bans(0), &|s| s.bans(3)]);
    each_line_once(
        "half a line at a time",
        &[
            &|s| {
                s.bans(1);
                let line = s.line();
                let (half, rest) = line.split_at(50);
                s.write(half);
                fs::write(s.path("rest"), rest).unwrap();
            },
            &|s| {
                let rest = fs::read_to_string(s.path("rest")).unwrap();
                s.write(&rest);
            },
        ],
    );
    each_line_once("later", &[&|_| {}, &|s| s.bans(2)]);
    each_line_once("empty at first", &[&|s| s.reopen(), &|s| s.bans(2)]);
}

#[test]
fn follow_renamed_log_reads_each_line_once() {
    each_line_once(
        "reopened later",
        &[
            &|s| s.bans(2),
            &|s| {
                s.rename_and_create();
                s.bans(1);
            },
            &|s| {
                s.bans(1);
                s.reopen();
            },
            &|s| s.bans(2),
        ],
    );
    each_line_once(
        "several times at once",
        &[
            &|s| s.bans(2),
            &|s| {
                for _ in 0..4 {
                    s.rename_and_create();
                    s.bans(1);
                    s.reopen();
                    s.bans(1);
                }
            },
            &|s| s.bans(1),
        ],
    );
    each_line_once(
        "and compressed",
        &[
            &|s| s.bans(20),
            &|s| {
                s.bans(1);
                s.rename_and_create();
                s.bans(1);
                s.reopen();
                s.bans(1);
                s.rename_and_create();
                s.reopen();
                s.compress("f.log.2");
                s.bans(1);
            },
            &|s| s.compress("f.log.1"),
            &|s| s.bans(1),
        ],
    );
    each_line_once(
        "with dates in the names",
        &[&|s| s.bans(2), &|s| {
            for day in 1..4 {
                fs::rename(s.path("f.log"), s.path(&format!("f.log-2026110{day}"))).unwrap();
                s.reopen();
                s.bans(2);
            }
        }],
    );
    each_line_once(
        "created later",
        &[
            &|s| s.bans(2),
            &|s| fs::rename(s.path("f.log"), s.path("f.log.1")).unwrap(),
            &|s| s.bans(1),
            &|s| s.reopen(),
            &|s| s.bans(1),
        ],
    );
}

#[test]
fn follow_copied_and_truncated_log_reads_each_line_once() {
    each_line_once("found to be shorter", &[&|s| s.bans(5), &|s| s.copy_and_truncate(), &|s| s.bans(1)]);
    each_line_once(
        "longer again at once",
        &[&|s| s.bans(2), &|s| {
            s.bans(1);
            s.copy_and_truncate();
            s.bans(9);
        }],
    );
    each_line_once(
        "twice, and compressed",
        &[&|s| s.bans(2), &|s| {
            s.bans(3);
            s.copy_and_truncate();
            s.bans(3);
            s.copy_and_truncate();
            s.compress("f.log.2");
            s.bans(3);
        }],
    );
    each_line_once(
        "within a line",
        &[
            &|s| {
                s.bans(2);
                let line = s.line();
                s.write(&line[..line.len() - 5]);
                fs::write(s.path("rest"), &line[line.len() - 5..]).unwrap();
            },
            &|s| {
                let rest = fs::read_to_string(s.path("rest")).unwrap();
                s.write(&rest);
                s.copy_and_truncate();
                s.bans(2);
            },
        ],
    );
}

#[test]
fn follow_deleted_or_relinked_log_reads_each_line_once() {
    let remove = |s: &mut LogFolder| {
        fs::remove_file(s.path("f.log")).unwrap();
        s.writer = None;
    };
    each_line_once("deleted", &[&|s| s.bans(2), &remove, &|s| s.bans(2)]);
    each_line_once(
        "linked elsewhere",
        &[
            &|s| {
                std::os::unix::fs::symlink(s.path("monday"), s.path("f.log")).unwrap();
                s.bans(2);
            },
            &|s| {
                s.bans(1);
                fs::remove_file(s.path("f.log")).unwrap();
                std::os::unix::fs::symlink(s.path("tuesday"), s.path("f.log")).unwrap();
                s.bans(1);
                s.reopen();
                s.bans(1);
            },
        ],
    );
}

#[test]
fn follow_reused_inode_is_another_file() {
    let mut logs = LogFolder::new();
    let mut memory = Memory::default();
    logs.bans(2);
    catch_up(&mut Follower::new(logs.source(), now, &mut memory).unwrap(), &mut memory);
    // As if the new file had been given the inode of the old one.
    fs::remove_file(logs.path("f.log")).unwrap();
    logs.writer = None;
    logs.bans(4);
    use std::os::unix::fs::MetadataExt;
    memory.checkpoint.as_mut().unwrap().inode = fs::metadata(logs.path("f.log")).unwrap().ino();
    catch_up(&mut Follower::new(logs.source(), now, &mut memory).unwrap(), &mut memory);
    assert_eq!(memory.subjects, ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn follow_from_the_end_counts_earlier_failures() {
    let mut logs = LogFolder::new();
    let found = "2026-11-22 10:00:00,000 fail2ban.filter [7]: INFO    [j] Found 7\n";
    logs.write(found);
    logs.rename_and_create();
    logs.reopen();
    logs.write(found);
    logs.bans(1);
    logs.write(&found[..20]);
    let mut memory = Memory::default();
    let source = LogSource { from_start: false, ..logs.source() };
    let mut follower = Follower::new(source.clone(), now, &mut memory).unwrap();
    catch_up(&mut follower, &mut memory);
    assert_eq!(memory.subjects, Vec::<String>::new());
    logs.write(&found[20..]);
    let mut again = memory.clone();
    logs.write("2026-11-22 12:00:00,000 fail2ban.actions [7]: NOTICE  [j] Ban 7\n");
    catch_up(&mut follower, &mut memory);
    assert_eq!((memory.subjects, memory.failures), (vec!["7".to_owned()], vec![Some(3)]));
    // Restarted in between.
    catch_up(&mut Follower::new(source, now, &mut again).unwrap(), &mut again);
    assert_eq!((again.subjects, again.failures), (vec!["7".to_owned()], vec![Some(3)]));
}

#[test]
fn follow_resumed_in_a_compressed_file_counts_its_earlier_failures() {
    let line = |second: u32, logger: &str, message: &str| {
        format!("2026-11-22 11:00:{second:02},000 fail2ban.{logger} [7]: NOTICE  [j] {message}\n")
    };
    let renamed = |logs: &mut LogFolder| {
        logs.rename_and_create();
        logs.reopen();
        logs.compress("f.log.1");
    };
    let renamed_twice = |logs: &mut LogFolder| {
        logs.rename_and_create();
        logs.reopen();
        logs.compress("f.log.1");
        logs.write(&line(4, "filter", "Found 192.0.2.9"));
        logs.rename_and_create();
        logs.reopen();
    };
    let copied = |logs: &mut LogFolder| {
        logs.copy_and_truncate();
        logs.compress("f.log.1");
    };
    let rotations: [&dyn Fn(&mut LogFolder); 3] = [&renamed, &renamed_twice, &copied];
    for (case, rotate) in ["renamed", "renamed twice", "copied"].into_iter().zip(rotations) {
        let (mut logs, mut memory) = (LogFolder::new(), Memory::default());
        logs.write(&(line(1, "filter", "Found 192.0.2.1") + &line(2, "filter", "Found 192.0.2.1")));
        let mut follower = Follower::new(logs.source(), now, &mut memory).unwrap();
        catch_up(&mut follower, &mut memory);
        drop(follower);
        // Rotated and compressed while nobody reads, with a ban after the checkpoint, and another in the new file.
        logs.write(&(line(3, "actions", "Ban 192.0.2.1") + &line(4, "filter", "Found 192.0.2.2")));
        rotate(&mut logs);
        logs.write(&line(5, "actions", "Ban 192.0.2.2"));
        let mut follower = Follower::new(logs.source(), now, &mut memory).unwrap();
        catch_up(&mut follower, &mut memory);
        assert_eq!(memory.subjects, ["192.0.2.1", "192.0.2.2"], "{case}");
        assert_eq!(memory.failures, [Some(2), Some(1)], "{case}");
    }
}

#[test]
fn follow_is_woken_by_changes_in_the_folder() {
    /// Sends the subjects of bans on.
    struct ChannelSink(mpsc::Sender<String>);
    impl EventSink for ChannelSink {
        fn checkpoint(&mut self, _log: &str) -> Result<Option<Checkpoint>, TailError> {
            Ok(None)
        }
        fn append(&mut self, _log: &str, events: Vec<Event>, _: Option<&Checkpoint>) -> Result<(), TailError> {
            for ban in events.iter().filter_map(Event::ban) {
                self.0.send(ban.subject.clone()).unwrap();
            }
            Ok(())
        }
    }
    let mut logs = LogFolder::new();
    let folder = logs.path("logs");
    let source = LogSource { path: folder.join("f.log"), ..logs.source() };
    let (sender, came) = mpsc::channel();
    let (stop, stopped) = stop_switch();
    let thread = std::thread::spawn(move || {
        let mut sink = ChannelSink(sender);
        follow(Follower::new(source, now, &mut sink).unwrap(), &mut sink, &stopped).unwrap();
    });
    for _ in 0..2 {
        // Removed with its folder, and created again.
        fs::create_dir(&folder).unwrap();
        let mut file = File::create(folder.join("f.log")).unwrap();
        let mut took = Vec::new();
        for _ in 0..9 {
            let (line, begun) = (logs.line(), Instant::now());
            file.write_all(line.as_bytes()).unwrap();
            assert_eq!(came.recv_timeout(Duration::from_secs(20)).unwrap(), (logs.next - 1).to_string());
            took.push(begun.elapsed());
        }
        took.sort();
        // Polling alone would take half a second on average.
        assert!(took[took.len() / 2] < Duration::from_millis(250), "{took:?}");
        fs::remove_dir_all(&folder).unwrap();
    }
    stop.stop();
    thread.join().unwrap();
}
