//! Any bytes in a segment of the spool: all whole records are received as events, what is damaged counts as damaged, and the
//! ledger balances. What was received is not received again.
#![no_main]

use std::fs;

use banhook::event::Timestamp;
use banhook::store::{StateDir, Store};
use libfuzzer_sys::fuzz_target;
use spool::record::encode;

fuzz_target!(|input: &[u8]| {
    let folder = tempfile::tempdir_in(memory()).expect("a folder");
    let folder = StateDir::new(folder.path());
    folder.create_spool().expect("a spool");
    fs::write(folder.spool().join(format!("{:032x}.segment", 1)), segment(input)).expect("a segment");
    let mut store = Store::open(&folder).expect("a store");
    let now = Timestamp(1_795_345_075_601);
    let received = store.receive(now).expect("what can be received is");
    let ledger = store.ledger().expect("a ledger");
    assert!(ledger.balances(), "{ledger:?}");
    assert_eq!(store.receive(now).expect("nothing is left").records, 0, "{received:?}");
    assert!(store.ledger().expect("a ledger") == ledger);
});

/// Where files are not written to a disk, if there is such a folder.
fn memory() -> &'static str {
    if fs::metadata("/dev/shm").is_ok() { "/dev/shm" } else { "/tmp" }
}

/// The input with each line that begins with `+` as a whole record of the rest of the line: a checksum is not found by chance.
fn segment(input: &[u8]) -> Vec<u8> {
    let lines = input.split_inclusive(|byte| *byte == b'\n');
    lines
        .flat_map(|line| match line.strip_prefix(b"+").map(|payload| encode(1, payload.trim_ascii_end())) {
            Some(Ok(record)) => record,
            Some(Err(_)) | None => line.to_vec(),
        })
        .collect()
}
