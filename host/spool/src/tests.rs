//! The protocol under every schedule with a bounded number of switches, with a thread killed or the power failing at any
//! call: each acknowledged record is received once, and no record twice.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use crate::record::{Item, encode};
use crate::segment::SegmentId;
use crate::simulated::{Scheduler, Simulated, Unsynced, World};
use crate::{Directory, Receiver, append};

/// What the receiver has stored. It is durable at once, as a database's transaction is.
#[derive(Debug, Clone, Default)]
struct Stored {
    records: Vec<String>,
    damaged: usize,
    checkpoints: BTreeMap<SegmentId, u64>,
}

/// One receiver's round, over any file system: everything is read, the active segment retired, and old ones removed.
fn receive<F: crate::file_system::FileSystem>(
    receiver: &Receiver<F>,
    stored: &Mutex<Stored>,
    commit: &dyn Fn(),
    retire: bool,
) {
    let store = |id: SegmentId, chunk: crate::Chunk| {
        commit();
        let mut stored = stored.lock().unwrap();
        for item in &chunk.items {
            match item {
                Item::Record { payload, .. } => {
                    stored.records.push(String::from_utf8(chunk.bytes[payload.clone()].to_vec()).unwrap());
                }
                Item::Damaged(_) => stored.damaged += 1,
            }
        }
        stored.checkpoints.insert(id, chunk.end);
    };
    let checkpoint = |id| stored.lock().unwrap().checkpoints.get(&id).copied().unwrap_or(0);
    for id in receiver.segments().unwrap() {
        while let Some(chunk) = receiver.read(id, checkpoint(id)).unwrap() {
            store(id, chunk);
        }
        if retire {
            receiver.retire(id).unwrap();
            if let Some(removal) = receiver.begin_removal(id).unwrap() {
                while let Some(chunk) = removal.read(checkpoint(id)).unwrap() {
                    store(id, chunk);
                }
                removal.remove().unwrap();
                commit();
                stored.lock().unwrap().checkpoints.remove(&id);
            }
        }
    }
}

/// Checks what a receiver finds on a disk, once everybody else is gone, with two more records that are written meanwhile.
fn check(world: World, stored: &Stored, acknowledged: &[String], context: &dyn std::fmt::Debug) {
    let stored = Mutex::new(stored.clone());
    let files = Simulated::alone(world);
    let receiver = Receiver::new(files.clone());
    for (number, name) in ["later", "last"].into_iter().enumerate() {
        append(&files, &encode(1, name.as_bytes()).unwrap(), || SegmentId(99 + number as u128)).unwrap();
        receive(&receiver, &stored, &|| (), true);
    }
    receive(&receiver, &stored, &|| (), true);
    let stored = stored.into_inner().unwrap();
    for record in acknowledged.iter().chain(&["later".to_owned(), "last".to_owned()]) {
        assert!(stored.records.contains(record), "{record} is lost: {context:?}");
    }
    let mut once = stored.records.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), stored.records.len(), "a record was received twice: {:?} {context:?}", stored.records);
    assert_eq!(receiver.segments().unwrap(), [], "a segment stays: {context:?}");
}

/// A point at which the schedule could have gone on differently.
#[derive(Debug, Clone, Copy)]
struct Step {
    thread: usize,
    kill: bool,
}

struct Run {
    /// Each choice, with those that were possible and who ran before.
    choices: Vec<(Step, Vec<usize>, Option<usize>)>,
}

const RECEIVER: usize = 0;

/// Runs writers and a receiver along a schedule, and on without switching after its end. `power`: what the power failing
/// after each call leaves is checked as well.
fn run(writers: usize, schedule: &[Step], power: bool) -> Run {
    let scheduler = Scheduler::with(World::default(), writers + 1);
    let (stored, acknowledged) = (Arc::new(Mutex::new(Stored::default())), Arc::new(Mutex::new(Vec::new())));
    let mut choices = Vec::new();
    std::thread::scope(|scope| {
        for thread in 0..=writers {
            let files = Simulated { scheduler: Arc::clone(&scheduler), thread: Some(thread) };
            let (stored, acknowledged) = (Arc::clone(&stored), Arc::clone(&acknowledged));
            let scheduler = Arc::clone(&scheduler);
            scope.spawn(move || {
                let work = || {
                    if thread == RECEIVER {
                        let commit = || files.call(|_| ());
                        let receiver = Receiver::new(files.clone());
                        receive(&receiver, &stored, &commit, true);
                        return;
                    }
                    let mut id = (thread as u128) << 64;
                    let name = format!("record-{thread}");
                    let new_id = || {
                        id += 1;
                        SegmentId(id)
                    };
                    append(&files, &encode(1, name.as_bytes()).unwrap(), new_id).unwrap();
                    acknowledged.lock().unwrap().push(name);
                };
                let result = catch_unwind(AssertUnwindSafe(work));
                scheduler.ended(thread);
                if let Err(payload) = result
                    && !payload.is::<crate::simulated::Killed>()
                {
                    std::panic::resume_unwind(payload);
                }
            });
        }
        let mut before = None;
        let follow = AssertUnwindSafe(|| {
            loop {
                let waiting = scheduler.waiting();
                if waiting.is_empty() {
                    break;
                }
                let choice = schedule.get(choices.len()).copied().unwrap_or_else(|| Step {
                    thread: before.filter(|thread| waiting.contains(thread)).unwrap_or(waiting[0]),
                    kill: false,
                });
                scheduler.grant(choice.thread, choice.kill);
                choices.push((choice, waiting, before));
                before = Some(choice.thread);
                if power {
                    scheduler.waiting();
                    let world = scheduler.world.lock().unwrap().clone();
                    let (stored, acknowledged) = (stored.lock().unwrap().clone(), acknowledged.lock().unwrap().clone());
                    for data in [Unsynced::Kept, Unsynced::Lost, Unsynced::Half, Unsynced::Zeros] {
                        for names in 0..1_usize << world.unsynced_names().min(4) {
                            let context = (data, names, &choices);
                            check(world.after_power_failure(data, names), &stored, &acknowledged, &context);
                        }
                    }
                }
            }
        });
        if let Err(failure) = catch_unwind(follow) {
            // The threads would wait for their turn for ever.
            while let Some(thread) = scheduler.waiting().first() {
                scheduler.grant(*thread, true);
            }
            std::panic::resume_unwind(failure);
        }
    });
    let world = scheduler.world.lock().unwrap().clone();
    check(world, &stored.lock().unwrap(), &acknowledged.lock().unwrap(), &choices);
    Run { choices }
}

/// Runs every schedule with at most `switches` switches away from a thread that could go on, and at most `kills` kills.
fn explore(writers: usize, switches: usize, kills: usize, power: bool) -> usize {
    let mut runs = 0;
    let mut pending: Vec<Vec<Step>> = vec![Vec::new()];
    while let Some(schedule) = pending.pop() {
        let run = run(writers, &schedule, power);
        runs += 1;
        let switched = |choices: &[(Step, Vec<usize>, Option<usize>)]| {
            choices
                .iter()
                .filter(|(choice, waiting, before)| {
                    before.is_some_and(|before| before != choice.thread && waiting.contains(&before))
                })
                .count()
        };
        let killed = schedule.iter().filter(|choice| choice.kill).count();
        for at in schedule.len()..run.choices.len() {
            let (chosen, waiting, before) = &run.choices[at];
            let so_far = switched(&run.choices[..at]);
            for thread in waiting {
                let costs = usize::from(before.is_some_and(|before| before != *thread && waiting.contains(&before)));
                let kill_too = killed < kills;
                for kill in [false, true] {
                    if (kill && !kill_too) || (!kill && *thread == chosen.thread) || so_far + costs > switches {
                        continue;
                    }
                    let mut next: Vec<Step> = run.choices[..at].iter().map(|(choice, ..)| *choice).collect();
                    next.push(Step { thread: *thread, kill });
                    pending.push(next);
                }
            }
        }
    }
    runs
}

#[test]
fn protocol_with_any_three_switches_loses_and_repeats_nothing() {
    assert!(explore(1, 3, 0, false) > 1_000);
}

#[test]
fn protocol_of_two_writers_with_any_two_switches_loses_and_repeats_nothing() {
    assert!(explore(2, 2, 0, false) > 1_000);
}

#[test]
fn protocol_with_a_thread_killed_at_any_call_loses_and_repeats_nothing() {
    assert!(explore(2, 1, 1, false) > 500);
}

#[test]
fn protocol_with_a_power_failure_after_any_call_loses_and_repeats_nothing() {
    assert!(explore(2, 1, 0, true) > 50);
}

#[test]
fn append_to_a_real_directory_arrives_once_and_segments_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let ids = std::sync::atomic::AtomicU64::new(1);
    let new_id = || SegmentId(u128::from(ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));
    let stored = Mutex::new(Stored::default());
    let receiver = Receiver::new(Directory::open(folder.path()).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let new_id = &new_id;
            let path = folder.path();
            scope.spawn(move || {
                for number in 0..25 {
                    let record = encode(1, format!("{thread}-{number}").as_bytes()).unwrap();
                    append(&Directory::open(path).unwrap(), &record, new_id).unwrap();
                }
            });
        }
        while stored.lock().unwrap().records.len() < 100 {
            receive(&receiver, &stored, &|| (), true);
        }
    });
    receive(&receiver, &stored, &|| (), true);
    let mut records = stored.into_inner().unwrap().records;
    records.sort();
    records.dedup();
    assert_eq!(records.len(), 100);
    assert_eq!(receiver.segments().unwrap(), []);
}

#[test]
fn append_where_active_is_no_file_to_write_to_makes_a_segment_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    std::os::unix::fs::symlink("/dev/null", folder.path().join("active")).unwrap();
    let mut id = 0;
    append(&directory, &encode(1, b"one").unwrap(), || {
        id += 1;
        SegmentId(id)
    })
    .unwrap();
    let stored = Mutex::new(Stored::default());
    std::fs::remove_file(folder.path().join("active")).unwrap();
    receive(&Receiver::new(directory), &stored, &|| (), false);
    assert_eq!(stored.into_inner().unwrap().records, ["one"]);
}

#[test]
fn active_without_a_name_of_its_own_is_not_written_and_loses_nothing() {
    let segment = encode(1, b"one").unwrap();
    let segment = [SegmentId(7).header(), segment].concat();
    // A copy without hard links, one of the link alone, and somebody else's file.
    for (named, active, lines) in [(true, &segment[..], 2), (false, &segment, 1), (false, b"no segment", 0)] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("active"), active).unwrap();
        if named {
            std::fs::write(folder.path().join(SegmentId(7).file_name()), &segment).unwrap();
        }
        append(&Directory::open(folder.path()).unwrap(), &encode(1, b"two").unwrap(), || SegmentId(99)).unwrap();
        assert_eq!(std::fs::read(folder.path().join("active")).unwrap(), active, "nobody reads what is appended to it");
        let stored = Mutex::new(Stored::default());
        let receiver = Receiver::new(Directory::open(folder.path()).unwrap());
        for _ in 0..2 {
            receiver.repair_active().unwrap();
            receive(&receiver, &stored, &|| (), false);
            let mut records = stored.lock().unwrap().records.clone();
            records.sort();
            assert_eq!(records, [&["one"; 2][..lines], &["two"]].concat());
        }
    }
}
