//! What happens to logs, while they are followed and while they are not: each line is read once.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
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
    checkpoints: Vec<Checkpoint>,
    /// The checkpoint of each log.
    logs: BTreeMap<String, i64>,
}

impl EventSink for Memory {
    fn checkpoint(&mut self, log: &str) -> Result<Option<Checkpoint>, TailError> {
        let find = |id: &i64| self.checkpoints.iter().find(|checkpoint| checkpoint.id == *id).cloned();
        Ok(self.logs.get(log).map(|id| find(id).unwrap_or_default()))
    }

    fn file_checkpoints(&mut self) -> Result<Vec<Checkpoint>, TailError> {
        Ok(self.checkpoints.clone())
    }

    fn report(&mut self, _log: &str, _problem: Option<&str>) -> Result<(), TailError> {
        Ok(())
    }

    fn append(&mut self, log: &str, events: Vec<Event>, checkpoint: Option<&Checkpoint>) -> Result<(), TailError> {
        for ban in events.iter().filter_map(Event::ban) {
            self.subjects.push(ban.subject.clone());
            self.failures.push(ban.failures);
        }
        if let Some(checkpoint) = checkpoint {
            self.logs.insert(log.to_owned(), checkpoint.id);
            self.checkpoints.retain(|known| known.id != checkpoint.id);
            self.checkpoints.extend(Some(checkpoint.clone()).filter(|checkpoint| checkpoint.id != 0));
        }
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
        LogSource {
            logs: vec![self.path("f.log")],
            timezone: TimeZone::UTC,
            from_start: true,
            host: None,
            tag: None,
            own_hosts: Vec::new(),
        }
    }

    fn follower(&self, memory: &mut Memory) -> Follower {
        follower_of(&self.source(), memory)
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

/// The follower of a source's only log.
fn follower_of(source: &LogSource, memory: &mut Memory) -> Follower {
    let log = named_logs(&[Arc::new(source.clone())]).0.remove(0);
    Follower::new(log, &OpenFiles::default(), source.from_start, now, memory).unwrap()
}

/// Follows a single source until it is stopped.
fn follow_source(source: LogSource, sink: &mut dyn EventSink, stopped: &StopSignal) {
    let followed = FollowedSources::new([source]);
    follow(&followed, &followed.all()[0], now, sink, stopped).unwrap();
}

/// Reads logs to their end, as `tail --once` does.
fn once(logs: &LogFolder, names: &[&str], memory: &mut Memory) {
    let source = LogSource { logs: names.iter().map(|name| logs.path(name)).collect(), ..logs.source() };
    let (mut named, _) = named_logs(&[Arc::new(source)]);
    sort_by_time(&mut named, now);
    for log in named {
        catch_up(&mut Follower::new(log, &OpenFiles::default(), true, now, memory).unwrap(), memory);
    }
}

fn catch_up(follower: &mut Follower, memory: &mut Memory) {
    while follower.step(memory).unwrap() == Step::Read {}
    follower.resolve(memory).unwrap();
}

#[test]
fn file_that_another_log_reads_is_left_to_it_until_it_is_done() {
    let (mut logs, mut memory, open_files) = (LogFolder::new(), Memory::default(), OpenFiles::default());
    logs.bans(1);
    // The names lead to one file only later.
    let follower = |name: &str, logs: &LogFolder, memory: &mut Memory| {
        let source = LogSource { logs: vec![logs.path(name)], ..logs.source() };
        let log = named_logs(&[Arc::new(source)]).0.remove(0);
        Follower::new(log, &open_files, true, now, memory).unwrap()
    };
    let mut other = follower("later", &logs, &mut memory);
    let mut first = follower("f.log", &logs, &mut memory);
    fs::hard_link(logs.path("f.log"), logs.path("later")).unwrap();
    for _ in 0..2 {
        catch_up(&mut other, &mut memory);
        catch_up(&mut first, &mut memory);
        logs.bans(1);
    }
    assert_eq!(memory.subjects, ["0", "1"]);
    drop(first);
    catch_up(&mut other, &mut memory);
    assert_eq!(memory.subjects, ["0", "1", "2"]);
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
            let mut running = follower.take().unwrap_or_else(|| logs.follower(&mut memory));
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
    catch_up(&mut logs.follower(&mut memory), &mut memory);
    // As if the new file had been given the inode of the old one.
    fs::remove_file(logs.path("f.log")).unwrap();
    logs.writer = None;
    logs.bans(4);
    use std::os::unix::fs::MetadataExt;
    memory.checkpoints.last_mut().unwrap().inode = fs::metadata(logs.path("f.log")).unwrap().ino();
    catch_up(&mut logs.follower(&mut memory), &mut memory);
    assert_eq!(memory.subjects, ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn follow_under_other_names_reads_each_line_once() {
    let rename = |logs: &mut LogFolder| {
        logs.rename_and_create();
        logs.reopen();
    };
    let compress = |logs: &mut LogFolder| {
        logs.rename_and_create();
        logs.reopen();
        for n in 1..9 {
            if logs.path(&format!("f.log.{n}")).exists() {
                logs.compress(&format!("f.log.{n}"));
            }
        }
    };
    let delay_compress = |logs: &mut LogFolder| {
        logs.rename_and_create();
        logs.reopen();
        if logs.path("f.log.2").exists() {
            logs.compress("f.log.2");
        }
    };
    let copy = |logs: &mut LogFolder| logs.copy_and_truncate();
    let cases = ["renamed", "compressed", "compressed later", "copied"];
    let rotations: [&dyn Fn(&mut LogFolder); 4] = [&rename, &compress, &delay_compress, &copy];
    for (case, rotate) in cases.into_iter().zip(rotations) {
        // As a shell expands `fail2ban.log*`; a pattern; and each time another of the names.
        for names in [&["f.log", "f.log.*"][..], &["f.log*"], &["f.log?*", "f.log"]] {
            let (mut logs, mut memory) = (LogFolder::new(), Memory::default());
            for round in 0..4 {
                logs.bans(20);
                once(&logs, names, &mut memory);
                logs.bans(round);
                rotate(&mut logs);
                once(&logs, if round == 1 { &["f.log.*"] } else { names }, &mut memory);
            }
            let expected: Vec<_> = (0..logs.next).map(|n| n.to_string()).collect();
            assert_eq!(memory.subjects, expected, "{case}, {names:?}");
        }
    }
}

#[test]
fn follow_renamed_or_linked_file_reads_each_line_once() {
    let (mut logs, mut memory) = (LogFolder::new(), Memory::default());
    logs.bans(2);
    once(&logs, &["f.log"], &mut memory);
    std::os::unix::fs::symlink("f.log", logs.path("current")).unwrap();
    fs::create_dir(logs.path("folder")).unwrap();
    once(&logs, &["current", "folder/../f.log"], &mut memory);
    fs::copy(logs.path("f.log"), logs.path("copy")).unwrap();
    logs.bans(1);
    once(&logs, &["copy", "f.log"], &mut memory);
    fs::rename(logs.path("f.log"), logs.path("old.log")).unwrap();
    logs.bans(1);
    once(&logs, &["old.log"], &mut memory);
    assert_eq!(memory.subjects, ["0", "1", "2", "3"]);
    // Another file that begins with half a line of it.
    let line = logs.line();
    fs::write(logs.path("half"), &line[..9]).unwrap();
    once(&logs, &["half"], &mut memory);
    fs::write(logs.path("other"), &line).unwrap();
    once(&logs, &["other"], &mut memory);
    assert_eq!(memory.subjects.len(), 5);
}

#[test]
fn follow_rotated_files_counts_failures_across_them() {
    let line =
        |logger: &str, message: &str| format!("2026-11-22 11:00:01,000 fail2ban.{logger} [7]: NOTICE  [j] {message}\n");
    let (mut logs, mut memory) = (LogFolder::new(), Memory::default());
    logs.write(&line("filter", "Found 192.0.2.1"));
    logs.rename_and_create();
    logs.compress("f.log.1");
    logs.reopen();
    logs.write(&line("filter", "Found 192.0.2.1 - 2026-11-22 11:00:01"));
    logs.rename_and_create();
    logs.reopen();
    logs.write(&line("actions", "Ban 192.0.2.1"));
    once(&logs, &["f.log*"], &mut memory);
    assert_eq!(memory.failures, [Some(2)]);
}

#[test]
fn follow_resumed_at_the_beginning_of_a_file_counts_failures_before_it() {
    let (mut logs, mut memory) = (LogFolder::new(), Memory::default());
    logs.write("2026-11-22 10:00:00,000 fail2ban.filter [7]: INFO    [j] Found 7\n");
    let mut follower = logs.follower(&mut memory);
    catch_up(&mut follower, &mut memory);
    logs.rename_and_create();
    logs.reopen();
    logs.write("2026-11-22 10:00:01,000 fail2ban.actions [7]: NOTICE  [j] Ban 7\n");
    // Killed as soon as it has moved to the new file.
    let name = logs.path("f.log").to_string_lossy().into_owned();
    while memory.checkpoint(&name).unwrap().unwrap().offset > 0 {
        follower.step(&mut memory).unwrap();
    }
    assert_eq!(memory.failures, []);
    catch_up(&mut logs.follower(&mut memory), &mut memory);
    assert_eq!(memory.failures, [Some(1)]);
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
    let mut follower = follower_of(&source, &mut memory);
    catch_up(&mut follower, &mut memory);
    assert_eq!(memory.subjects, Vec::<String>::new());
    logs.write(&found[20..]);
    let mut again = memory.clone();
    logs.write("2026-11-22 12:00:00,000 fail2ban.actions [7]: NOTICE  [j] Ban 7\n");
    catch_up(&mut follower, &mut memory);
    assert_eq!((memory.subjects, memory.failures), (vec!["7".to_owned()], vec![Some(3)]));
    // Restarted in between.
    catch_up(&mut follower_of(&source, &mut again), &mut again);
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
        let mut follower = logs.follower(&mut memory);
        catch_up(&mut follower, &mut memory);
        drop(follower);
        // Rotated and compressed while nobody reads, with a ban after the checkpoint, and another in the new file.
        logs.write(&(line(3, "actions", "Ban 192.0.2.1") + &line(4, "filter", "Found 192.0.2.2")));
        rotate(&mut logs);
        logs.write(&line(5, "actions", "Ban 192.0.2.2"));
        let mut follower = logs.follower(&mut memory);
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
        fn file_checkpoints(&mut self) -> Result<Vec<Checkpoint>, TailError> {
            Ok(Vec::new())
        }
        fn report(&mut self, _log: &str, _problem: Option<&str>) -> Result<(), TailError> {
            Ok(())
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
    let source = LogSource { logs: vec![folder.join("f.log")], ..logs.source() };
    let (sender, came) = mpsc::channel();
    let (stop, stopped) = stop_switch();
    let thread = std::thread::spawn(move || {
        let mut sink = ChannelSink(sender);
        follow_source(source, &mut sink, &stopped);
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

/// Follows a pattern, and returns the subjects as they arrive.
fn follow_pattern(logs: &LogFolder, memory: &Arc<Mutex<Memory>>) -> (StopHandle, std::thread::JoinHandle<()>) {
    let source = LogSource { logs: vec![logs.path("*.log*")], from_start: false, ..logs.source() };
    let (stop, stopped) = stop_switch();
    let memory = Arc::clone(memory);
    let thread = std::thread::spawn(move || follow_source(source, &mut SharedSink(memory), &stopped));
    (stop, thread)
}

struct SharedSink(Arc<Mutex<Memory>>);

impl EventSink for SharedSink {
    fn checkpoint(&mut self, log: &str) -> Result<Option<Checkpoint>, TailError> {
        self.0.lock().unwrap().checkpoint(log)
    }
    fn file_checkpoints(&mut self) -> Result<Vec<Checkpoint>, TailError> {
        self.0.lock().unwrap().file_checkpoints()
    }
    fn report(&mut self, log: &str, problem: Option<&str>) -> Result<(), TailError> {
        self.0.lock().unwrap().report(log, problem)
    }
    fn append(&mut self, log: &str, events: Vec<Event>, checkpoint: Option<&Checkpoint>) -> Result<(), TailError> {
        self.0.lock().unwrap().append(log, events, checkpoint)
    }
}

#[test]
fn follow_pattern_reads_new_files_from_their_beginning_and_rotations_once() {
    let (mut logs, memory) = (LogFolder::new(), Arc::<Mutex<Memory>>::default());
    logs.bans(2);
    fs::write(logs.path("old.log"), logs.line()).unwrap();
    logs.line();
    let (stop, thread) = follow_pattern(&logs, &memory);
    let until = |subjects: &[&str]| {
        let begun = Instant::now();
        while memory.lock().unwrap().subjects != subjects {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", memory.lock().unwrap().subjects);
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let begun = Instant::now();
    while memory.lock().unwrap().logs.len() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
    // What was there at first is not read; what appears is.
    logs.bans(1);
    until(&["4"]);
    let line = logs.line();
    fs::write(logs.path("new.log"), line).unwrap();
    until(&["4", "5"]);
    logs.rename_and_create();
    logs.bans(1);
    until(&["4", "5", "6"]);
    logs.reopen();
    logs.bans(1);
    until(&["4", "5", "6", "7"]);
    stop.stop();
    thread.join().unwrap();
    // A file that appears while nothing runs is new, too.
    let line = logs.line();
    fs::write(logs.path("newer.log"), line).unwrap();
    let (stop, thread) = follow_pattern(&logs, &memory);
    until(&["4", "5", "6", "7", "8"]);
    stop.stop();
    thread.join().unwrap();
}
