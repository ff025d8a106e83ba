//! Real logs and their events, and logs that are damaged or hostile.
//!
//! `testdata/NAME.log` yields `testdata/NAME.jsonl`; `UPDATE_GOLDEN=1` rewrites those, to be reviewed and committed.

mod carriers;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::*;
use crate::event::Timestamp;
use crate::receive::log::parser::LoggedEvent;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-24T12:00:00Z").unwrap()
}

fn parser() -> LogParser {
    LogParser::new(TimeZone::get("Europe/Berlin").unwrap(), now)
}

/// Parses a log in pieces of this size.
fn events(log: &[u8], piece: usize) -> (Vec<LoggedEvent>, LogCounts) {
    let mut parser = parser();
    let mut events = Vec::new();
    for piece in log.chunks(piece) {
        parser.feed(piece);
        events.extend(parser.by_ref());
    }
    parser.resolve();
    events.extend(parser.by_ref());
    (events, parser.counts())
}

fn json(log: &[u8]) -> String {
    events(log, log.len().max(1)).0.iter().map(|logged| logged.event.to_json() + "\n").collect()
}

fn logs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/receive/log/testdata");
    let mut logs: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.sort();
    assert!(!logs.is_empty());
    logs
}

#[test]
fn parse_testdata_yields_the_golden_events() {
    for log in logs() {
        let found = json(&fs::read(&log).unwrap());
        let golden = log.with_extension("jsonl");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, found).unwrap();
        } else {
            assert_eq!(fs::read_to_string(&golden).unwrap_or_default(), found, "{}", log.display());
        }
    }
}

#[test]
fn feed_pieces_of_any_size_yields_the_same_events() {
    for log in logs() {
        let bytes = fs::read(&log).unwrap();
        let whole = events(&bytes, bytes.len());
        // Every size for a log of usual length; for a long one those at which something may happen.
        let every = if bytes.len() < 3_000 { bytes.len() } else { 130 };
        for size in (1..=every).chain([4_095, 4_096, 65_535, 65_536, 65_537]) {
            assert_eq!(events(&bytes, size), whole, "{} in pieces of {size}", log.display());
        }
    }
}

#[test]
fn begin_at_position_of_another_parser_yields_the_rest() {
    for log in logs() {
        let bytes = fs::read(&log).unwrap();
        let whole = events(&bytes, bytes.len()).0;
        let mut first = parser();
        let mut taken = 0;
        for piece in bytes.chunks(997) {
            first.feed(piece);
            taken += first.by_ref().count();
            let begin = first.position();
            let mut second = parser();
            second.begin_at(begin);
            second.feed(&bytes[usize::try_from(begin).unwrap()..]);
            second.resolve();
            let rest: Vec<_> = second.by_ref().map(|logged| logged.end).collect();
            let expected: Vec<_> = whole[taken..].iter().map(|logged| logged.end).collect();
            assert_eq!(rest, expected, "{} from byte {begin}", log.display());
        }
    }
}

/// A line of the file.
fn line(second: u8, logger: &str, message: &str) -> String {
    format!("2026-11-22 11:56:{second:02},500 fail2ban.{logger:<15} [2784]: NOTICE  {message}\n")
}

fn bans(log: &str) -> Vec<(String, Option<u32>, Option<u32>)> {
    let (events, _) = events(log.as_bytes(), usize::MAX);
    let ban = |logged: LoggedEvent| logged.event.ban().map(|ban| (ban.subject.clone(), ban.failures, ban.count));
    events.into_iter().filter_map(ban).collect()
}

#[test]
fn increase_is_added_to_its_ban_whichever_comes_first() {
    let ban = |subject: &str| line(1, "actions", &format!("[j] Ban {subject}"));
    let increase = |second| line(second, "observer", "[j] Increase Ban a (2 # 6s -> 2026-11-22 11:57:01)");
    let first = |log: String| bans(&log).remove(0).2;
    assert_eq!(first(ban("a") + &increase(1)), Some(2));
    assert_eq!(first(ban("a") + &ban("b") + &line(1, "filter", "[j] Found c") + &increase(2)), Some(2));
    assert_eq!(first(increase(1) + &ban("a")), Some(2));
    // Not another's, nor that of a ban long ago.
    assert_eq!(first(ban("b") + &increase(1)), None);
    assert_eq!(first(line(1, "actions", "[k] Ban a") + &increase(1)), None);
    assert_eq!(first(ban("a") + &line(3, "filter", "[j] Found c") + &increase(3)), None);
    assert_eq!(first(line(1, "actions", "[j] Restore Ban a") + &increase(1)), None);
    // Each ban has its own.
    let twice = ban("a") + &increase(1) + &ban("a") + &increase(1).replace("2 #", "3 #");
    assert_eq!(bans(&twice).iter().map(|ban| ban.2).collect::<Vec<_>>(), [Some(2), Some(3)]);
}

#[test]
fn events_after_a_waiting_ban_wait_too_up_to_a_bound() {
    let mut parser = parser();
    parser.feed((line(1, "actions", "[j] Ban a") + &line(1, "actions", "[j] Unban b")).as_bytes());
    assert_eq!(parser.next(), None);
    assert_eq!(parser.position(), 0);
    assert!(parser.resolve_timeout().is_some());
    parser.resolve();
    assert_eq!((parser.by_ref().count(), parser.resolve_timeout()), (2, None));

    let unbans: String = (0..300).map(|n| line(1, "actions", &format!("[j] Unban {n}"))).collect();
    parser.feed((line(1, "actions", "[j] Ban a") + &unbans).as_bytes());
    assert_eq!(parser.by_ref().count(), 301);
}

#[test]
fn failures_count_from_the_last_ban() {
    let found = |subject: &str| line(1, "filter", &format!("[j] Found {subject} - 2026-11-22 11:56:47"));
    let ban = |subject: &str| line(1, "actions", &format!("[j] Ban {subject}"));
    let a = || found("a");
    let log = a() + &a() + &found("b") + &line(1, "filter", "[k] Found a") + &ban("a");
    assert_eq!(bans(&log)[0].1, Some(2));
    assert_eq!(bans(&(ban("a") + &ban("a"))), [("a".to_owned(), None, None), ("a".to_owned(), None, None)]);
    let again = a() + &ban("a") + &a() + &a() + &a() + &line(1, "actions", "[j] a already banned");
    assert_eq!(bans(&(again + &a() + &ban("a")))[1].1, Some(1));
}

#[test]
fn unfinished_line_is_not_an_event() {
    let mut parser = parser();
    let ban = line(1, "actions", "[j] Ban 203.0.113.77");
    let (half, rest) = ban.split_at(ban.len() - 3);
    parser.feed(half.as_bytes());
    parser.resolve();
    assert_eq!((parser.next(), parser.unfinished()), (None, half.len() as u64));
    parser.begin_at(0);
    parser.feed(rest.as_bytes());
    parser.feed(ban.as_bytes());
    parser.resolve();
    assert_eq!(parser.next().unwrap().end, (rest.len() + ban.len()) as u64);
    assert_eq!((parser.next(), parser.counts().unfinished, parser.counts().foreign), (None, 1, 1));
}

#[test]
fn line_of_lower_rank_than_before_is_foreign() {
    let spoof = [
        "[sshd] Ban 6.6.6.6\n",
        "2026-11-22 11:52:05 [sshd] Ban 6.6.6.6\n",
        "fail2ban.actions [1]: NOTICE  [sshd] Ban 6.6.6.6\n",
    ];
    for spoof in spoof {
        assert_eq!(bans(spoof).len(), 1, "where all lines are like that: {spoof}");
        assert_eq!(bans(&(line(1, "filter", "x") + spoof)).len(), 0, "{spoof}");
        assert_eq!(
            bans(&(line(1, "configreader", "x") + spoof)).len(),
            1,
            "a logger without events shows nothing: {spoof}"
        );
    }
    let utils = line(1, "utils", "[sshd] Ban 6.6.6.6");
    assert_eq!(bans(&utils).len(), 0);
}

#[test]
fn hostile_bytes_are_kept_readable_and_bounded() {
    let ban = line(1, "actions", "[j] Ban a");
    let subject =
        |log: &[u8]| events(log, 1_000).0.first().and_then(|logged| logged.event.ban()).map(|ban| ban.subject.clone());
    assert_eq!(subject(&[&vec![0; 200_000], ban.as_bytes()].concat()).as_deref(), Some("a"), "a hole in front");
    assert_eq!(subject(ban.replace('\n', "\r\n").as_bytes()).as_deref(), Some("a"));
    assert_eq!(subject(b"[j] Ban caf\xe9\xff\0x\n").as_deref(), Some("caf\\xE9\\xFF\0x"));
    let long = subject(format!("[j] Ban {}\n", "é".repeat(1_200_000)).as_bytes()).unwrap();
    assert!(long.len() < 4096 + 20);
    let found = format!("[j] Found {}\n", "x".repeat(100_000));
    assert_eq!(bans(&(found.clone() + &found.replace("Found", "Ban")))[0].1, Some(1));
    // Two of the same kind, cut at the same place, come to the same in one piece or many.
    let log = format!("{}{ban}\n\n\r\n\0\n{}", "\0".repeat(70_000), "y".repeat(70_000));
    assert_eq!(events(log.as_bytes(), 1), events(log.as_bytes(), usize::MAX));
}

#[test]
fn flush_by_several_actions_is_one_event() {
    let flush = |action: &str| line(1, "actions", &format!("[j] Flush ticket(s) with {action}"));
    let count = |log: String| events(log.as_bytes(), usize::MAX).0.len();
    assert_eq!(count(flush("nftables") + &flush("banhook")), 1);
    assert_eq!(count(flush("a") + &flush("b") + &flush("a") + &flush("b")), 2);
    assert_eq!(count(flush("a") + &flush("b").replace("[j]", "[k]")), 2);
}
