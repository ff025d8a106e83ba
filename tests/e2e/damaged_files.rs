//! Any file of the state directory is damaged: bits are flipped, blocks zeroed, the end is cut off. Each time it is noticed,
//! or nothing that was acknowledged is lost by it. The table of what came of it is printed at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::binary::banhook_notify;
use crate::command_output::CommandOutput;
use crate::delivered::{jail, jails_of};
use crate::polling::until;
use crate::reliability::{FaultRow, report};
use crate::seeded_random::{SeededRandom, seed};
use crate::test_env::TestEnv;

/// Damages; `BANHOOK_SOAK=10000` takes two hours.
const DAMAGES: u32 = 300;
const THREADS: u32 = 2;

/// Events that are delivered before, that are messages which wait, and that are in the spool only.
const DELIVERED: std::ops::Range<u32> = 0..8;
const PENDING: std::ops::Range<u32> = 8..12;
const SPOOLED: std::ops::Range<u32> = 12..16;
/// The event after the damage.
const AFTERWARDS: u32 = 16;

const BLOCK: usize = 512;

#[test]
fn any_damaged_file_is_noticed_or_nothing_is_lost() {
    let damages = std::env::var("BANHOOK_SOAK").map_or(DAMAGES, |text| text.parse().unwrap());
    let (seed, folder) = (seed(), tempfile::Builder::new().prefix("banhook-").tempdir().unwrap());
    let original = folder.path().join("state");
    make_original(&original);
    let (next, table) = (AtomicU32::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= damages {
                        break;
                    }
                    let (row, outcome) = damage(&original, number, SeededRandom::new("damage", seed, number));
                    *table.lock().unwrap().entry((row, outcome)).or_insert(0) += 1;
                }
            });
        }
    });
    eprintln!("{damages} damages, seed {seed}\n| file, damage | outcome | times |\n| --- | --- | ---: |");
    let table = table.lock().unwrap();
    for (((kind, how), outcome), times) in table.iter() {
        eprintln!("| {kind}, {how} | {outcome} | {times} |");
    }
    report("damaged_files", &rows(&table));
}

/// A kind of file and what was done to it.
type Damage = (String, &'static str);

/// The rows of the table of faults, one for each kind of file.
fn rows(table: &BTreeMap<(Damage, &'static str), u64>) -> Vec<FaultRow> {
    let mut kinds: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for (((kind, _), outcome), times) in table {
        *kinds.entry(kind).or_default().entry(outcome).or_default() += times;
    }
    let row = |(kind, counts): (&str, BTreeMap<&str, u64>)| FaultRow {
        fault: format!("`{kind}`: a bit flipped, a block zeroed, or the end cut off"),
        count: counts.values().sum(),
        result: counts.iter().map(|(outcome, times)| format!("{times} {outcome}")).collect::<Vec<_>>().join("; "),
    };
    kinds.into_iter().map(row).collect()
}

/// A state directory after a crash: a write-ahead log, messages that wait, and a spool that is not received.
fn make_original(state: &Path) {
    let env = TestEnv::new();
    env.copy_plugin_cache();
    let notify = |events: std::ops::Range<u32>| {
        for number in events {
            env.notify(&format!("--no-spawn ban --jail={} --ip=203.0.113.7", jail(number)));
        }
    };
    notify(DELIVERED);
    env.banhook(["drain", "--timeout", "30s"]).ok();
    env.webhook.stop();
    notify(PENDING);
    let daemon = env.daemon();
    until("messages to wait", || match env.ledger().all().pending {
        4 => Ok(()),
        pending => Err(pending.to_string()),
    });
    daemon.kill();
    notify(SPOOLED);
    // With its hard links.
    CommandOutput::of(env.command("cp").arg("-a").arg(env.state()).arg(state)).ok();
    assert!(state.join("banhook.sqlite3-wal").exists(), "a crash leaves a write-ahead log");
}

/// Damages a file of a copy, each in its turn. Returns which and how, and what came of it.
fn damage(original: &Path, number: u32, mut random: SeededRandom) -> (Damage, &'static str) {
    let env = TestEnv::new();
    CommandOutput::of(env.command("cp").arg("-a").arg(original).arg(env.state())).ok();
    let files = files_of(&env.state());
    let path = &files[number as usize % files.len()];
    let mut bytes = fs::read(path).unwrap();
    let at = random.below(u32::try_from(bytes.len()).unwrap()) as usize;
    let how = match random.below(3) {
        0 => {
            bytes[at] ^= 1 << random.below(8);
            "a bit flipped"
        }
        1 => {
            let end = bytes.len().min(at + BLOCK);
            bytes[at..end].fill(0);
            "a block zeroed"
        }
        _ => {
            bytes.truncate(at);
            "cut off"
        }
    };
    // In place: the spool's files have two names.
    fs::write(path, bytes).unwrap();
    let name = path.strip_prefix(env.state()).unwrap();
    let kind = match name.parent().and_then(Path::to_str) {
        Some("spool") if name.extension().is_some() => "spool/*.segment".to_owned(),
        Some("cache") => "cache/*".to_owned(),
        _ => name.display().to_string(),
    };
    let notified = CommandOutput::of(
        env.command(banhook_notify())
            .args(["--no-spawn", "ban", "--ip=203.0.113.7"])
            .arg(format!("--jail={}", jail(AFTERWARDS))),
    );
    let drained = env.banhook(["drain", "--timeout", "50s"]);
    let status = env.banhook(["status", "--check"]);
    let log = fs::read_to_string(env.state().join("banhook.log")).unwrap_or_default();
    let failure = format!("{} at {at}: {how}\n{drained}\n{status}\n{log}", name.display());
    for text in [&drained.stderr, &status.stderr, &log] {
        assert!(!text.contains("panicked"), "{failure}");
    }
    for output in [&drained, &status] {
        assert!(matches!(output.code, Some(0..=2)), "{failure}");
    }
    let arrived: BTreeSet<_> = env.webhook.arrived().iter().flat_map(jails_of).collect();
    let expected: BTreeSet<_> = (PENDING.start..SPOOLED.end).map(jail).collect();
    let is_noticed = drained.code != Some(0)
        || status.code != Some(0)
        || ["WARN", "ERROR"].iter().any(|level| drained.stderr.contains(level));
    let is_whole = expected.is_subset(&arrived);
    assert!(arrived.contains(&jail(AFTERWARDS)) || is_noticed || notified.code != Some(0), "{notified}{failure}");
    // Whole records at the end of a segment leave no trace.
    let is_listed = kind == "spool/*.segment" && how == "cut off";
    let is_repeated = DELIVERED.map(jail).any(|jail| arrived.contains(&jail));
    let outcome = match (is_whole, is_noticed, is_repeated) {
        (true, false, false) => "harmless",
        (true, true, false) => "noticed, everything arrives",
        (true, _, true) => "everything arrives, some again",
        (false, true, _) => "noticed",
        (false, false, _) if is_listed => "lost without a trace, as is documented",
        (false, false, _) => panic!("{expected:?} was to arrive, and {arrived:?} has: {failure}"),
    };
    ((kind, how), outcome)
}

/// The files with content.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let meta = fs::symlink_metadata(entry.path()).unwrap();
        if meta.is_dir() {
            files.extend(files_of(&entry.path()));
        } else if meta.is_file() && meta.len() > 0 && entry.file_name() != "active" {
            files.push(entry.path());
        }
    }
    files.sort();
    files
}
