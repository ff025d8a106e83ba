//! A line of fail2ban with any text, carried by anything: from its carrier comes the event that the line has in fail2ban's own
//! file, or none, and never another.
//!
//! The first byte of the input chooses the carrier, the rest is what follows the line's header.
#![no_main]

use banhook::event::Timestamp;
use banhook::receive::LogParser;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

/// Fail2ban's header, in its file.
const HEADER: &str = "2026-11-22 10:57:55,601 fail2ban.actions        [2784]: ";

/// What carriers put before a text. Those that end with the name of a service have fail2ban's, whose header then has no time.
const CARRIERS: [(&str, &str); 12] = [
    ("<29>Nov 22 10:57:55 web-1 fail2ban.actions[2784]: ", ""),
    ("Nov 22 10:57:55 web-1 fail2ban.actions[2784]: ", ""),
    ("2026-11-22T10:57:55.601123+00:00 web-1 fail2ban.actions[2784]: ", ""),
    ("Nov 22 10:57:55 web-1 daemon.notice fail2ban.actions[2784]: ", ""),
    ("<29>1 2026-11-22T10:57:55.601Z web-1 fail2ban.actions 2837 - - ", ""),
    ("<29>1 2026-11-22T10:57:55.601Z web-1 fail2ban.actions 2837 - [meta x=\"]\"] ", ""),
    ("Nov 22 10:57:55 web-1 fail2ban-server[2784]: ", HEADER),
    ("fail2ban  | ", HEADER),
    ("[fail2ban] | ", HEADER),
    ("2026-11-22T10:57:55.601123456Z ", HEADER),
    ("2026-11-22T10:57:55.601123456Z stdout F ", HEADER),
    ("[pod/fail2ban-x/fail2ban] ", HEADER),
];

fuzz_target!(|input: &[u8]| {
    let Some((choice, text)) = input.split_first() else { return };
    let (carrier, header) = CARRIERS[usize::from(*choice) % CARRIERS.len()];
    // A line is one line.
    let text: Vec<u8> = text.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
    let line = |before: &str| [before.as_bytes(), &text, b"\n"].concat();
    let mut own = events(&line(HEADER));
    // Within a carrier the header may be shorter than in the file, or that of a verbose server.
    let mut rest = text.as_slice();
    loop {
        own.extend(events(&[HEADER.as_bytes(), b"NOTICE  ", rest, b"\n"].concat()));
        match after_header_word(rest) {
            Some(shorter) => rest = shorter,
            None => break,
        }
    }
    for carried in events(&line(&format!("{carrier}{header}"))) {
        assert!(own.contains(&carried), "{carried} from {carrier}{header}, and not one of {own:?}");
    }
});

/// What the events of a log are about, without what its carrier says.
fn events(log: &[u8]) -> Vec<String> {
    let mut parser = LogParser::new(TimeZone::UTC, || Timestamp(1_795_345_075_601));
    parser.feed(log);
    parser.resolve();
    parser.by_ref().map(|logged| format!("{} {:?}", logged.event.jail, logged.event.details)).collect()
}

/// Removes a word that can be part of a header: a time, a number, a thread, a logger or a level.
fn after_header_word(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace)?;
    let (word, rest) = text.split_at(end);
    let is_stamp = word.iter().all(|byte| byte.is_ascii_hexdigit() || b"+-:.,TZ".contains(byte));
    let is_level = word.iter().all(u8::is_ascii_uppercase);
    (is_stamp || is_level || word.starts_with(b"fail2ban.")).then_some(rest)
}
