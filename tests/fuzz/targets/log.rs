//! fail2ban's log as anybody may have written it: the parser never breaks, and what it finds does not depend on how the
//! bytes arrive.
//!
//! The first byte of the input says how long the pieces are that the rest arrives in.
#![no_main]

use banhook::event::Timestamp;
use banhook::receive::LogParser;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((piece, log)) = input.split_first() else { return };
    let whole = events(log, log.len().max(1));
    assert_eq!(whole, events(log, usize::from(*piece).max(1)));
});

/// What is found in a log that arrives in pieces.
fn events(log: &[u8], piece: usize) -> Vec<String> {
    let mut parser = LogParser::new(TimeZone::UTC, || Timestamp(1_763_809_015_000));
    let mut found = Vec::new();
    for piece in log.chunks(piece) {
        parser.feed(piece);
        found.extend(parser.by_ref().map(|logged| format!("{} {}", logged.end, logged.event.to_json())));
    }
    parser.resolve();
    found.extend(parser.by_ref().map(|logged| format!("{} {}", logged.end, logged.event.to_json())));
    found
}
