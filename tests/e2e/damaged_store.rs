//! A store whose database was damaged or removed: the error names the file, nothing is overwritten, and the spool has what
//! was not delivered.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command_output::CommandOutput;
use crate::polling::until;
use crate::test_env::TestEnv;

/// SQLite's pages.
const PAGE: usize = 4096;

/// Events that were delivered before.
const DELIVERED: usize = 40;

const DATABASE: &str = "banhook.sqlite3";

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
        assert!(copy.size() >= 4 * PAGE);
        copy
    }

    fn size(&self) -> usize {
        fs::read(self.original.join(DATABASE)).unwrap().len()
    }

    /// Restores the folder and changes the database; returns its new bytes.
    fn damage(&self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        fs::remove_dir_all(self.env.state()).ok();
        // With its hard links.
        CommandOutput::of(self.env.command("cp").arg("-a").arg(&self.original).arg(self.env.state())).ok();
        let path = self.env.state().join(DATABASE);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        bytes
    }

    /// The current bytes of the database.
    fn read(&self) -> Vec<u8> {
        fs::read(self.env.state().join(DATABASE)).unwrap()
    }
}

#[test]
fn store_damaged_database_is_named_and_not_written() {
    let copy = StoreCopy::new();
    let env = &copy.env;
    let garbage: Damage = |bytes| bytes.iter_mut().zip(0_usize..).for_each(|(byte, at)| *byte = (at * 7 + 3) as u8);
    let half: Damage = |bytes| bytes.truncate(bytes.len() / 2);
    let stub: Damage = |bytes| bytes.truncate(50);
    let damages: [(&str, Damage); 3] = [("garbage", garbage), ("half", half), ("stub", stub)];
    for (number, (name, damage)) in damages.into_iter().enumerate() {
        let damaged = copy.damage(damage);
        for command in [&["run"][..], &["drain", "--timeout", "5s"], &["status"], &["run", "--until-idle"]] {
            env.banhook(command).exits(1).complains(&[DATABASE, "damaged", "move it, with"]);
        }
        // `notify` still stores events.
        env.notify(&format!("--no-spawn ban --jail=sshd --ip=203.0.113.{number}"));
        assert!(copy.read() == damaged, "{name} was written to");
        for suffix in ["", "-wal", "-shm"] {
            fs::remove_file(env.state().join(format!("{DATABASE}{suffix}"))).ok();
        }
        env.banhook(["drain"]).ok();
        let arrived = env.webhook.arrived().split_off(DELIVERED + number);
        assert_eq!(arrived.len(), 1, "only the new one is delivered, and nothing again");
        assert!(arrived[0].contains(&[&format!("203.0.113.{number}")]));
    }
}

#[test]
fn store_damaged_page_is_reported_or_irrelevant() {
    let copy = StoreCopy::new();
    let env = &copy.env;
    let mut reported = 0;
    for page in 0..copy.size() / PAGE {
        copy.damage(|bytes| bytes[page * PAGE..(page + 1) * PAGE].fill(0xa5));
        env.notify("--no-spawn ban --jail=sshd --ip=198.51.100.1");
        let drained = env.banhook(["drain", "--timeout", "20s"]);
        assert!(!drained.stderr.contains("panicked"), "page {page}: {drained}");
        match drained.code {
            Some(0) => {}
            Some(1) => {
                reported += 1;
                let is_named = [DATABASE, "damaged"].iter().all(|word| drained.stderr.contains(word));
                assert!(is_named, "page {page}: {drained}");
            }
            _ => panic!("page {page}: {drained}"),
        }
    }
    assert!(reported >= 6, "only {reported} damaged pages were reported");
}

#[test]
fn store_missing_database_sends_what_was_not_delivered_and_nothing_again() {
    for empty in [false, true] {
        let copy = StoreCopy::new();
        let env = &copy.env;
        copy.damage(|bytes| bytes.clear());
        if !empty {
            fs::remove_file(env.state().join(DATABASE)).unwrap();
        }
        env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7");
        let ledger = env.ledger();
        assert_eq!((ledger.received, ledger.unrouted), ((DELIVERED + 1) as u64, (DELIVERED + 1) as u64), "{ledger:?}");
        let drained = env.banhook(["drain"]).ok();
        assert!(drained.stderr.contains("they are not sent again"), "{drained}");
        let arrived = env.webhook.arrived().split_off(DELIVERED);
        assert!(arrived.len() == 1 && arrived[0].contains(&["203.0.113.7"]));
        assert_eq!(env.ledger().received, 1);
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
