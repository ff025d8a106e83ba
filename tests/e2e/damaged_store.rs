//! A store that something else has damaged, or taken away: a clear error that names the file, and nothing is overwritten.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::polling::until;
use crate::test_env::TestEnv;

/// SQLite's pages.
const PAGE: usize = 4096;

/// Events that were delivered.
const DELIVERED: usize = 40;

const INBOX: &str = "inbox.sqlite3";
const WORK: &str = "work.sqlite3";

/// What becomes of a file's bytes.
type Damage = fn(&mut Vec<u8>);

/// How long a daemon may take to see that its folder is gone; it looks each second.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// A place whose state folder can be made anew, as it was.
struct Copied {
    env: TestEnv,
    whole: PathBuf,
}

impl Copied {
    fn new() -> Self {
        let env = TestEnv::new();
        for number in 0..DELIVERED {
            env.notify(&format!("--no-spawn ban --jail=sshd --ip=198.51.100.{number} --time=1763809015"));
        }
        // With nothing left to do, nobody goes on working, and the files have all of it.
        env.banhook(["drain"]).ok();
        let whole = env.path("whole");
        fs::rename(env.state(), &whole).unwrap();
        let copied = Self { env, whole };
        assert!([INBOX, WORK].iter().all(|file| copied.size(file) >= 4 * PAGE));
        copied
    }

    fn size(&self, file: &str) -> usize {
        fs::read(self.whole.join(file)).unwrap().len()
    }

    /// The folder as it was, but for one file.
    fn damage(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        fs::remove_dir_all(self.env.state()).ok();
        self.env.copy_plugin_cache(&self.whole);
        for file in [INBOX, WORK] {
            fs::copy(self.whole.join(file), self.env.state().join(file)).unwrap();
        }
        let path = self.env.state().join(file);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        bytes
    }

    /// A file of the store as it is now.
    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.env.state().join(file)).unwrap()
    }
}

#[test]
fn store_damaged_file_is_named_and_not_written() {
    let copied = Copied::new();
    let env = &copied.env;
    let garbage: Damage = |bytes| bytes.iter_mut().zip(0_usize..).for_each(|(byte, at)| *byte = (at * 7 + 3) as u8);
    let half: Damage = |bytes| bytes.truncate(bytes.len() / 2);
    let stub: Damage = |bytes| bytes.truncate(50);
    let damages: [(&str, Damage); 3] = [("garbage", garbage), ("half", half), ("stub", stub)];
    for (file, other, advice) in [(INBOX, WORK, "move the whole folder away"), (WORK, INBOX, "move it, with")] {
        for (name, damage) in damages {
            let damaged = copied.damage(file, damage);
            let whole = copied.read(other);
            for command in [&["run"][..], &["drain", "--timeout", "5s"], &["status"], &["run", "--until-idle"]] {
                env.banhook(command).exits(1).complains(&[file, "damaged", advice]);
            }
            if file == INBOX {
                env.banhook(["notify", "ban", "--jail=sshd", "--ip=203.0.113.7"])
                    .exits(1)
                    .complains(&[file, "damaged"]);
            }
            assert!(copied.read(file) == damaged, "{file} ({name}) was written to");
            assert!(copied.read(other) == whole, "{other} was written to");
            if file == WORK {
                // Taking events in goes on.
                env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7");
                assert!(copied.read(file) == damaged, "{file} ({name}) was written to");
            }
        }
    }
    assert_eq!(env.webhook.arrived().len(), DELIVERED, "nothing is told again");
}

#[test]
fn store_damaged_page_is_reported_or_irrelevant() {
    let copied = Copied::new();
    let env = &copied.env;
    let mut seen = 0;
    for file in [INBOX, WORK] {
        for page in 0..copied.size(file) / PAGE {
            copied.damage(file, |bytes| bytes[page * PAGE..(page + 1) * PAGE].fill(0xa5));
            let taken = env.banhook(["notify", "--no-spawn", "ban", "--jail=sshd", "--ip=198.51.100.1"]);
            if taken.code != Some(0) {
                taken.exits(1).complains(&[INBOX, "damaged"]);
                assert_eq!(file, INBOX);
            }
            let told = env.banhook(["drain", "--timeout", "20s"]);
            assert!(!told.stderr.contains("panicked"), "page {page} of {file}: {told}");
            match told.code {
                Some(0) => {}
                Some(1) => {
                    seen += 1;
                    let (named, other) = (told.stderr.contains(file), if file == INBOX { WORK } else { INBOX });
                    assert!(named && told.stderr.contains("damaged"), "page {page} of {file}: {told}");
                    assert!(!told.stderr.contains(other), "page {page} of {file}: {told}");
                }
                _ => panic!("page {page} of {file}: {told}"),
            }
        }
    }
    assert!(seen >= 6, "only {seen} pages matter");
}

#[test]
fn store_missing_file_is_not_treated_as_new() {
    let copied = Copied::new();
    let env = &copied.env;
    for empty in [false, true] {
        let damage = |file: &str| {
            copied.damage(file, |bytes| bytes.clear());
            if !empty {
                fs::remove_file(env.state().join(file)).unwrap();
            }
        };
        damage(INBOX);
        let told = env.webhook.arrived().len();
        let is_refused = || {
            // The first finds no inbox, the others one that the first runs have made.
            let status = &["status", "--check"][..];
            for command in [status, &["run"], &["drain", "--timeout", "5s"], &["run", "--until-idle"], status] {
                env.banhook(command).exits(1).complains(&[INBOX, "older copy", "put it back", WORK]);
            }
        };
        is_refused();
        // However many are taken in by then, the rest is not taken for told.
        for number in 0..=DELIVERED {
            env.notify(&format!("--no-spawn ban --jail=sshd --ip=203.0.113.{number}"));
            if number + 2 >= DELIVERED {
                is_refused();
            }
        }
        assert_eq!(env.webhook.arrived().len(), told);
        // They are kept, and told once somebody has decided what is to become of the rest.
        for suffix in ["", "-wal", "-shm"] {
            fs::remove_file(env.state().join(format!("{WORK}{suffix}"))).ok();
        }
        env.banhook(["drain"]).ok();
        let arrived = env.webhook.arrived().split_off(told);
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
            until("the message to have failed", || match env.log() {
                said if said.contains("not delivered") => Ok(()),
                said => Err(said),
            });
        }
        delete(&env.state());
        let status = daemon.wait_within(SEEN_WITHIN);
        let said = env.log();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        assert!(said.contains(&format!("{} was removed", env.state().display())), "{said}");
    }
}

#[test]
fn daemon_with_replaced_state_dir_yields_to_the_next() {
    let env = TestEnv::new();
    let mut daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    env.webhook.wait_for(1);
    delete(&env.state());
    // Makes the folder again, and is told by a run of its own.
    env.notify("ban --jail=sshd --ip=203.0.113.2");
    assert!(env.webhook.wait_for(2)[1].contains(&["203.0.113.2"]));
    let status = daemon.wait_within(SEEN_WITHIN);
    let said = env.log();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("removed or replaced") && !said.contains("panicked"), "{said}");
    let ledger = env.wait_until_idle();
    assert_eq!((ledger.received, ledger.all().posted), (1, 1), "{ledger:?}");
}

/// A folder that something is put into meanwhile is not removed at the first try.
fn delete(folder: &Path) {
    until("the folder to be gone", || fs::remove_dir_all(folder).map_err(|error| error.to_string()));
}
