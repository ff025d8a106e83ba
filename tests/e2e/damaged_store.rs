//! A store whose files were damaged or removed: the error names the file, and nothing is overwritten.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::polling::until;
use crate::test_env::TestEnv;

/// SQLite's pages.
const PAGE: usize = 4096;

/// Events that were delivered before.
const DELIVERED: usize = 40;

const INBOX: &str = "inbox.sqlite3";
const WORK: &str = "work.sqlite3";

/// A change of a file's bytes.
type Damage = fn(&mut Vec<u8>);

/// How long a daemon may take to notice that its folder was removed; it polls once a second.
const NOTICED_WITHIN: Duration = Duration::from_secs(5);

/// A test environment with a copy of its state directory, from which the folder can be restored.
struct StoreCopy {
    env: TestEnv,
    original: PathBuf,
}

impl StoreCopy {
    fn new() -> Self {
        let env = TestEnv::new();
        for number in 0..DELIVERED {
            env.notify(&format!("--no-spawn ban --jail=sshd --ip=198.51.100.{number} --time=1763809015"));
        }
        // With nothing left to deliver no process remains, and the files are complete.
        env.banhook(["drain"]).ok();
        let original = env.path("original");
        fs::rename(env.state(), &original).unwrap();
        let copy = Self { env, original };
        assert!([INBOX, WORK].iter().all(|file| copy.size(file) >= 4 * PAGE));
        copy
    }

    fn size(&self, file: &str) -> usize {
        fs::read(self.original.join(file)).unwrap().len()
    }

    /// Restores the folder and changes one file; returns the file's new bytes.
    fn damage(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        fs::remove_dir_all(self.env.state()).ok();
        self.env.copy_plugin_cache(&self.original);
        for file in [INBOX, WORK] {
            fs::copy(self.original.join(file), self.env.state().join(file)).unwrap();
        }
        let path = self.env.state().join(file);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        bytes
    }

    /// The current bytes of a file of the store.
    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.env.state().join(file)).unwrap()
    }
}

#[test]
fn store_damaged_file_is_named_and_not_written() {
    let copy = StoreCopy::new();
    let env = &copy.env;
    let garbage: Damage = |bytes| bytes.iter_mut().zip(0_usize..).for_each(|(byte, at)| *byte = (at * 7 + 3) as u8);
    let half: Damage = |bytes| bytes.truncate(bytes.len() / 2);
    let stub: Damage = |bytes| bytes.truncate(50);
    let damages: [(&str, Damage); 3] = [("garbage", garbage), ("half", half), ("stub", stub)];
    for (file, other, advice) in [(INBOX, WORK, "move the whole folder away"), (WORK, INBOX, "move it, with")] {
        for (name, damage) in damages {
            let damaged = copy.damage(file, damage);
            let other_before = copy.read(other);
            for command in [&["run"][..], &["drain", "--timeout", "5s"], &["status"], &["run", "--until-idle"]] {
                env.banhook(command).exits(1).complains(&[file, "damaged", advice]);
            }
            if file == INBOX {
                env.banhook(["notify", "ban", "--jail=sshd", "--ip=203.0.113.7"])
                    .exits(1)
                    .complains(&[file, "damaged"]);
            }
            assert!(copy.read(file) == damaged, "{file} ({name}) was written to");
            assert!(copy.read(other) == other_before, "{other} was written to");
            if file == WORK {
                // `notify` still stores events.
                env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7");
                assert!(copy.read(file) == damaged, "{file} ({name}) was written to");
            }
        }
    }
    assert_eq!(env.webhook.arrived().len(), DELIVERED, "nothing is delivered again");
}

#[test]
fn store_damaged_page_is_reported_or_irrelevant() {
    let copy = StoreCopy::new();
    let env = &copy.env;
    let mut reported = 0;
    for file in [INBOX, WORK] {
        for page in 0..copy.size(file) / PAGE {
            copy.damage(file, |bytes| bytes[page * PAGE..(page + 1) * PAGE].fill(0xa5));
            let notified = env.banhook(["notify", "--no-spawn", "ban", "--jail=sshd", "--ip=198.51.100.1"]);
            if notified.code != Some(0) {
                notified.exits(1).complains(&[INBOX, "damaged"]);
                assert_eq!(file, INBOX);
            }
            let drained = env.banhook(["drain", "--timeout", "20s"]);
            assert!(!drained.stderr.contains("panicked"), "page {page} of {file}: {drained}");
            match drained.code {
                Some(0) => {}
                Some(1) => {
                    reported += 1;
                    let (named, other) = (drained.stderr.contains(file), if file == INBOX { WORK } else { INBOX });
                    assert!(named && drained.stderr.contains("damaged"), "page {page} of {file}: {drained}");
                    assert!(!drained.stderr.contains(other), "page {page} of {file}: {drained}");
                }
                _ => panic!("page {page} of {file}: {drained}"),
            }
        }
    }
    assert!(reported >= 6, "only {reported} damaged pages were reported");
}

#[test]
fn store_missing_file_is_not_treated_as_new() {
    let copy = StoreCopy::new();
    let env = &copy.env;
    for empty in [false, true] {
        let damage = |file: &str| {
            copy.damage(file, |bytes| bytes.clear());
            if !empty {
                fs::remove_file(env.state().join(file)).unwrap();
            }
        };
        damage(INBOX);
        let before = env.webhook.arrived().len();
        let is_rejected = || {
            // The first finds no inbox; the others find the one that it created.
            let status = &["status", "--check"][..];
            for command in [status, &["run"], &["drain", "--timeout", "5s"], &["run", "--until-idle"], status] {
                env.banhook(command).exits(1).complains(&[INBOX, "older copy", "put it back", WORK]);
            }
        };
        is_rejected();
        // However many events are received by then, the others do not count as delivered.
        for number in 0..=DELIVERED {
            env.notify(&format!("--no-spawn ban --jail=sshd --ip=203.0.113.{number}"));
            if number + 2 >= DELIVERED {
                is_rejected();
            }
        }
        assert_eq!(env.webhook.arrived().len(), before);
        // They are kept, and delivered once the administrator has removed the other file.
        for suffix in ["", "-wal", "-shm"] {
            fs::remove_file(env.state().join(format!("{WORK}{suffix}"))).ok();
        }
        env.banhook(["drain"]).ok();
        let arrived = env.webhook.arrived().split_off(before);
        assert_eq!(arrived.len(), DELIVERED + 1);
        for number in 0..=DELIVERED {
            let subject = format!("`203.0.113.{number}`");
            assert_eq!(arrived.iter().filter(|message| message.shown().contains(&subject)).count(), 1, "{subject}");
        }
    }
}

#[test]
fn daemon_with_deleted_state_dir_reports_it_and_exits() {
    for pending in [false, true] {
        let env = TestEnv::new();
        let mut daemon = env.daemon();
        env.notify("ban --jail=sshd --ip=203.0.113.1");
        env.webhook.wait_for(1);
        if pending {
            env.webhook.stop();
            env.notify("ban --jail=sshd --ip=203.0.113.2");
            until("the message to fail", || match env.log() {
                log if log.contains("not delivered") => Ok(()),
                log => Err(log),
            });
        }
        delete(&env.state());
        let status = daemon.wait_within(NOTICED_WITHIN);
        let log = env.log();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        assert!(log.contains(&format!("{} was removed", env.state().display())), "{log}");
    }
}

#[test]
fn daemon_with_replaced_state_dir_yields_to_the_next() {
    let env = TestEnv::new();
    let mut daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    env.webhook.wait_for(1);
    delete(&env.state());
    // Creates the folder again and starts a run that delivers the event.
    env.notify("ban --jail=sshd --ip=203.0.113.2");
    assert!(env.webhook.wait_for(2)[1].contains(&["203.0.113.2"]));
    let status = daemon.wait_within(NOTICED_WITHIN);
    let log = env.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("removed or replaced") && !log.contains("panicked"), "{log}");
    let ledger = env.wait_until_idle();
    assert_eq!((ledger.received, ledger.all().posted), (1, 1), "{ledger:?}");
}

/// Removes a folder; needs several attempts if files are created in it meanwhile.
fn delete(folder: &Path) {
    until("the folder to be removed", || fs::remove_dir_all(folder).map_err(|error| error.to_string()));
}
