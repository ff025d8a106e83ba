//! Arbitrary logs of fail2ban: the parser never fails, and the events that it finds do not depend on how the bytes arrive.
//!
//! The first byte of the input is the length of the chunks in which the rest arrives.
#![no_main]

use banhook::event::Timestamp;
use banhook::receive::LogParser;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((chunk, log)) = input.split_first() else { return };
    let whole = events(log, log.len().max(1));
    assert_eq!(whole, events(log, usize::from(*chunk).max(1)));
});

/// The events of a log that arrives in chunks.
fn events(log: &[u8], chunk: usize) -> Vec<String> {
    let mut parser = LogParser::new(TimeZone::UTC, || Timestamp(1_763_809_015_000));
    let mut found = Vec::new();
    for chunk in log.chunks(chunk) {
        parser.feed(chunk);
        found.extend(parser.by_ref().map(|logged| format!("{} {}", logged.end, logged.event.to_json())));
    }
    parser.resolve();
    found.extend(parser.by_ref().map(|logged| format!("{} {}", logged.end, logged.event.to_json())));
    found
}
