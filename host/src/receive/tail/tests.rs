//! What is done to logs, to one that is being followed and to one that nobody looked at meanwhile: each line once.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;
use jiff::tz::TimeZone;

use crate::event::{Event, Timestamp};
use crate::store::Checkpoint;

/// What a store would hold.
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

/// A folder with a log that somebody writes, and rotates.
struct Scene {
    folder: tempfile::TempDir,
    writer: Option<File>,
    /// The number of the next ban.
    next: usize,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), writer: None, next: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> Log {
        Log { path: self.path("f.log"), timezone: TimeZone::UTC, from_start: true }
    }

    /// As fail2ban opens it: at `flushlogs`, or by then.
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
        // Later than all before: a file is known by its first lines.
        format!("2026-11-22 11:{:02}:{:02},000 fail2ban.actions [7]: NOTICE  [j] Unban {n}\n", n / 60, n % 60)
    }

    fn bans(&mut self, many: usize) {
        for _ in 0..many {
            let line = self.line();
            self.write(&line);
        }
    }

    /// Numbered files move up.
    fn move_up(&self) {
        for n in (1..9).rev() {
            for packed in ["", ".gz"] {
                let _ = fs::rename(
                    self.path(&format!("f.log.{n}{packed}")),
                    self.path(&format!("f.log.{}{packed}", n + 1)),
                );
            }
        }
    }

    /// logrotate with `create`: the writer goes on in the old file until it reopens.
    fn rename_and_create(&mut self) {
        self.move_up();
        fs::rename(self.path("f.log"), self.path("f.log.1")).unwrap();
        File::create(self.path("f.log")).unwrap();
    }

    fn copy_and_truncate(&mut self) {
        self.move_up();
        fs::copy(self.path("f.log"), self.path("f.log.1")).unwrap();
        OpenOptions::new().write(true).open(self.path("f.log")).unwrap().set_len(0).unwrap();
    }

    fn pack(&self, name: &str) {
        let path = self.path(name);
        let mut packed = flate2::write::GzEncoder::new(
            File::create(self.path(&format!("{name}.gz"))).unwrap(),
            flate2::Compression::fast(),
        );
        packed.write_all(&fs::read(&path).unwrap()).unwrap();
        packed.finish().unwrap();
        fs::remove_file(path).unwrap();
    }
}

fn now() -> Timestamp {
    Timestamp(0)
}

fn catch_up(follower: &mut Follower, memory: &mut Memory) {
    while follower.step(memory).unwrap() == Step::Read {}
    follower.settle(memory).unwrap();
}

/// Does one thing after another, with a follower that sees each of them, with one that is killed and begun anew after
/// each, and with one that only comes at the very end.
fn each_line_once(what: &str, steps: &[&dyn Fn(&mut Scene)]) {
    for (who, looks) in [("following", 0), ("killed after each step", 1), ("away after the first step", 2)] {
        let mut scene = Scene::new();
        let mut memory = Memory::default();
        let mut follower = None;
        for (index, step) in steps.iter().enumerate() {
            step(&mut scene);
            if looks == 2 && index > 0 && index + 1 < steps.len() {
                continue;
            }
            if looks > 0 {
                follower = None;
            }
            let mut now_at = follower.take().unwrap_or_else(|| Follower::new(scene.log(), now, &mut memory).unwrap());
            catch_up(&mut now_at, &mut memory);
            follower = Some(now_at);
        }
        let expected: Vec<_> = (0..scene.next).map(|n| n.to_string()).collect();
        assert_eq!(memory.subjects, expected, "{what}, {who}");
        assert!(scene.next > 0);
    }
}

#[test]
fn a_log_that_grows() {
    each_line_once("it grows", &[&|s| s.bans(2), &|s| s.bans(0), &|s| s.bans(3)]);
    each_line_once(
        "in halves",
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
fn a_log_that_is_renamed_and_made_anew() {
    each_line_once(
        "then it is reopened",
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
        "all at once, again and again",
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
        "and packed",
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
                s.pack("f.log.2");
                s.bans(1);
            },
            &|s| s.pack("f.log.1"),
            &|s| s.bans(1),
        ],
    );
    each_line_once(
        "with dates",
        &[&|s| s.bans(2), &|s| {
            for day in 1..4 {
                fs::rename(s.path("f.log"), s.path(&format!("f.log-2026110{day}"))).unwrap();
                s.reopen();
                s.bans(2);
            }
        }],
    );
    each_line_once(
        "but not made anew at once",
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
fn a_log_that_is_copied_and_cut() {
    each_line_once("and seen to be shorter", &[&|s| s.bans(5), &|s| s.copy_and_truncate(), &|s| s.bans(1)]);
    each_line_once(
        "and longer again at once",
        &[&|s| s.bans(2), &|s| {
            s.bans(1);
            s.copy_and_truncate();
            s.bans(9);
        }],
    );
    each_line_once(
        "twice, and packed",
        &[&|s| s.bans(2), &|s| {
            s.bans(3);
            s.copy_and_truncate();
            s.bans(3);
            s.copy_and_truncate();
            s.pack("f.log.2");
            s.bans(3);
        }],
    );
    each_line_once(
        "in the midst of a line",
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
fn a_log_that_goes_and_comes() {
    let remove = |s: &mut Scene| {
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
fn an_inode_that_is_used_again_is_another_file() {
    let mut scene = Scene::new();
    let mut memory = Memory::default();
    scene.bans(2);
    catch_up(&mut Follower::new(scene.log(), now, &mut memory).unwrap(), &mut memory);
    // As if the new file had been given the old one's number.
    fs::remove_file(scene.path("f.log")).unwrap();
    scene.writer = None;
    scene.bans(4);
    use std::os::unix::fs::MetadataExt;
    memory.checkpoint.as_mut().unwrap().inode = fs::metadata(scene.path("f.log")).unwrap().ino();
    catch_up(&mut Follower::new(scene.log(), now, &mut memory).unwrap(), &mut memory);
    assert_eq!(memory.subjects, ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn from_its_end_and_with_the_failures_before_it() {
    let mut scene = Scene::new();
    let found = "2026-11-22 10:00:00,000 fail2ban.filter [7]: INFO    [j] Found 7\n";
    scene.write(found);
    scene.rename_and_create();
    scene.reopen();
    scene.write(found);
    scene.bans(1);
    scene.write(&found[..20]);
    let mut memory = Memory::default();
    let log = Log { from_start: false, ..scene.log() };
    let mut follower = Follower::new(log.clone(), now, &mut memory).unwrap();
    catch_up(&mut follower, &mut memory);
    assert_eq!(memory.subjects, Vec::<String>::new());
    scene.write(&found[20..]);
    let mut again = memory.clone();
    scene.write("2026-11-22 12:00:00,000 fail2ban.actions [7]: NOTICE  [j] Ban 7\n");
    catch_up(&mut follower, &mut memory);
    assert_eq!((memory.subjects, memory.failures), (vec!["7".to_owned()], vec![Some(3)]));
    // Begun anew in between.
    catch_up(&mut Follower::new(log, now, &mut again).unwrap(), &mut again);
    assert_eq!((again.subjects, again.failures), (vec!["7".to_owned()], vec![Some(3)]));
}

#[test]
fn what_happens_in_a_folder_wakes_the_reader() {
    /// Hands on what comes, at once.
    struct Through(mpsc::Sender<String>);
    impl EventSink for Through {
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
    let mut scene = Scene::new();
    let folder = scene.path("logs");
    let log = Log { path: folder.join("f.log"), ..scene.log() };
    let (sender, came) = mpsc::channel();
    let (stop, stopped) = stop_switch();
    let thread = std::thread::spawn(move || {
        let mut into = Through(sender);
        follow(Follower::new(log, now, &mut into).unwrap(), &mut into, &stopped).unwrap();
    });
    for _ in 0..2 {
        // Gone with its folder, and there again.
        fs::create_dir(&folder).unwrap();
        let mut file = File::create(folder.join("f.log")).unwrap();
        let mut took = Vec::new();
        for _ in 0..9 {
            let (line, begun) = (scene.line(), Instant::now());
            file.write_all(line.as_bytes()).unwrap();
            assert_eq!(came.recv_timeout(Duration::from_secs(20)).unwrap(), (scene.next - 1).to_string());
            took.push(begun.elapsed());
        }
        took.sort();
        // By the clock alone it would be half a second.
        assert!(took[took.len() / 2] < Duration::from_millis(250), "{took:?}");
        fs::remove_dir_all(&folder).unwrap();
    }
    stop.stop();
    thread.join().unwrap();
}
