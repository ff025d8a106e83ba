//! Lines of fail2ban inside what carried them, as they were reported from the field; and lines that only look like that.

use jiff::tz::TimeZone;

use super::super::unread::UnreadReason;
use super::super::{LogOrigin, LogParser};
use crate::event::{Event, Timestamp};

const STANDARD: &str = "2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  [sshd] Ban 203.0.113.7";

fn now() -> Timestamp {
    Timestamp::parse("2027-01-24T12:00:00Z").unwrap()
}

fn parser(origin: LogOrigin) -> LogParser {
    LogParser::new(TimeZone::get("Europe/Berlin").unwrap(), now).with_origin(origin)
}

fn parse(log: &str) -> (Vec<Event>, LogParser) {
    parse_from(LogOrigin::default(), log)
}

fn parse_from(origin: LogOrigin, log: &str) -> (Vec<Event>, LogParser) {
    let mut parser = parser(origin);
    parser.feed(log.as_bytes());
    parser.resolve();
    (parser.by_ref().map(|logged| logged.event).collect(), parser)
}

fn named(tag: &str) -> LogOrigin {
    LogOrigin { tag: Some(tag.to_owned()), ..LogOrigin::default() }
}

/// The subjects of all bans.
fn subjects(events: &[Event]) -> Vec<&str> {
    events.iter().filter_map(|event| event.ban().map(|ban| ban.subject.as_str())).collect()
}

/// A log that is one line, which is a ban of this time and host.
#[track_caller]
fn is_ban(line: &str, at: &str, host: &str) {
    for end in ["\n", "\r\n"] {
        let (events, parser) = parse(&format!("{line}{end}"));
        assert_eq!(subjects(&events).len(), 1, "{line}");
        let at = if at.is_empty() { now().to_string() } else { at.to_owned() };
        assert_eq!((events[0].at.to_string(), events[0].host.as_str()), (at, host), "{line}");
        assert_eq!(parser.unread(), None, "{line}");
    }
}

#[test]
fn line_in_any_envelope_is_an_event() {
    let utc = "2026-11-22T10:57:55.601Z";
    for (line, at, host) in [
        // fail2ban#1649, #2309: docker compose logs, with colours and --timestamps.
        (
            "fail2ban  | 2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7",
            utc,
            "",
        ),
        (
            "\x1b[36mfail2ban  | \x1b[0m2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7",
            utc,
            "",
        ),
        (
            "\x1b[33;1mfail2ban_1  |\x1b[0m 2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7",
            utc,
            "",
        ),
        (
            "my-fail2ban-1  | 2026-11-22T10:57:55.601123456Z 2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [npm] Ban 203.0.113.7",
            utc,
            "",
        ),
        (
            "[fail2ban] | 2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7",
            utc,
            "",
        ),
        // NginxProxyManager#39: docker logs --timestamps; the container's own clock is in UTC.
        (
            "2026-11-22T10:57:55.601123456Z 2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7",
            utc,
            "",
        ),
        (
            "2026-11-22T10:57:55.601123456Z 2026-11-22 10:57:55,601 fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7",
            utc,
            "",
        ),
        (
            "2026-11-22T10:57:55.601123456Z  2026-11-22 11:57:55,601 148402BC3B08 NOTIC [npm-docker] Ban 203.0.113.7",
            utc,
            "",
        ),
        ("2026-11-22T10:57:55.601123456Z fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7", utc, ""),
        // Kubernetes: CRI, and kubectl logs --prefix --timestamps.
        (
            "2026-11-22T10:57:55.601123456Z stdout F 2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7",
            utc,
            "",
        ),
        (
            "2026-11-22T11:57:55.601123456+01:00 stderr F 2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7",
            utc,
            "",
        ),
        (
            "[pod/f2b-7d9f/fail2ban] 2026-11-22T10:57:55.601123456Z 2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 203.0.113.7",
            utc,
            "",
        ),
        // Docker's json-file.
        (
            r#"{"log":"2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7\n","stream":"stdout","time":"2026-11-22T10:57:55.601123456Z"}"#,
            utc,
            "",
        ),
        (
            r#"{"log":"2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7\r\n","stream":"stdout","attrs":{"tag":"f2b"},"time":"2026-11-22T10:57:55.601123456Z"}"#,
            utc,
            "",
        ),
        // docker-fail2ban#22: Docker's syslog driver.
        (
            "Nov 22 11:57:55 dock-1 a1b2c3d4e5f6[812]: 2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7",
            utc,
            "dock-1",
        ),
        (
            "<30>Nov 22 11:57:55 dock-1 docker/fail2ban[812]: fail2ban.actions        [1]: NOTICE  [npm-docker] Ban 203.0.113.7",
            "2026-11-22T10:57:55.000Z",
            "dock-1",
        ),
        // fail2ban#2704, #1876: RFC 5424.
        (
            "<29>1 2026-11-22T11:56:55.601123+01:00 web-1 fail2ban.actions 2837 - - NOTICE [sshd] Ban 203.0.113.7",
            "2026-11-22T10:56:55.601Z",
            "web-1",
        ),
        (
            r#"<29>1 2026-11-22T11:56:55.601123+01:00 web-1 fail2ban 2837 - [timeQuality tzKnown="1"] [sshd] Ban 203.0.113.7"#,
            "2026-11-22T10:56:55.601Z",
            "web-1",
        ),
        (
            "1 2026-11-22T15:02:49.211024+03:00 web-2 fail2ban-log - - - 2026-11-22 15:02:48,436 fail2ban.actions        [47791]: NOTICE  [sshd] Ban 203.0.113.8",
            "2026-11-22T12:02:48.436Z",
            "web-2",
        ),
        // fail2ban#3601, #204: rsyslog's imfile, and the journal's forwarding.
        (
            "Jan 21 16:34:22 hostname1 fail2ban-action 2026-01-21 14:59:27,143 fail2ban.actions[23401]: WARNING [ssh-iptables] Ban 203.0.113.7",
            "2026-01-21T13:59:27.143Z",
            "hostname1",
        ),
        (
            "Jan 21 16:34:22 hostname1 f2b: 2026-01-21 14:59:27,143 fail2ban.actions[23401]: WARNING [ssh-iptables] Ban 203.0.113.7",
            "2026-01-21T13:59:27.143Z",
            "hostname1",
        ),
        (
            "Jan 21 16:34:22 hostname1 2026-01-21 14:59:27,143 fail2ban.actions: WARNING [ssh-iptables] Ban 203.0.113.7",
            "2026-01-21T13:59:27.143Z",
            "hostname1",
        ),
        (
            "Apr 29 12:00:00 hostname1 journal: fail2ban.actions        [2784]: NOTICE  [sshd] Ban 203.0.113.9",
            "2026-04-29T10:00:00.000Z",
            "hostname1",
        ),
        // A message alone, with a level, with a time.
        ("[sshd] Ban 203.0.113.7", "", ""),
        ("NOTICE  [sshd] Ban 203.0.113.7", "", ""),
        ("2026-11-22 11:56:55,601 NOTICE [sshd] Ban 203.0.113.7", "2026-11-22T10:56:55.601Z", ""),
        ("2026-11-22 11:56:55,601 [sshd] Ban 203.0.113.7", "2026-11-22T10:56:55.601Z", ""),
        (
            "\u{feff}2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  [sshd] Ban 203.0.113.7",
            "2026-11-22T10:56:55.601Z",
            "",
        ),
        // fail2ban_openwrt#1, BusyBox, syslog-ng, FreeBSD, macOS.
        (
            "Nov 22 11:56:55 gate-1 daemon.notice fail2ban.actions[2837]: NOTICE [sshd] Ban 203.0.113.7",
            "2026-11-22T10:56:55.000Z",
            "gate-1",
        ),
        (
            "Sun Nov 22 11:56:55 2026 daemon.notice fail2ban.actions[2837]: NOTICE [sshd] Ban 203.0.113.7",
            "2026-11-22T10:56:55.000Z",
            "",
        ),
        (
            "Nov 22 11:56:55 <daemon.notice> web-1 fail2ban.actions[2837]: NOTICE [sshd] Ban 203.0.113.7",
            "2026-11-22T10:56:55.000Z",
            "web-1",
        ),
        (
            "Nov 22 11:56:55 <3.5> web-1 fail2ban.actions[2837]: NOTICE [sshd] Ban 203.0.113.7",
            "2026-11-22T10:56:55.000Z",
            "web-1",
        ),
        (
            "Nov 22 11:56:55 web-1 fail2ban.actions[2837] <Notice>: NOTICE [sshd] Ban 203.0.113.7",
            "2026-11-22T10:56:55.000Z",
            "web-1",
        ),
        (
            "Nov 22 2025 11:56:55 web-1 fail2ban.actions[2837]: NOTICE [sshd] Ban 203.0.113.7",
            "2025-11-22T10:56:55.000Z",
            "web-1",
        ),
        ("2025 Nov 22 11:56:55 web-1 fail2ban[2837]: [sshd] Ban 203.0.113.7", "2025-11-22T10:56:55.000Z", "web-1"),
        ("<29>fail2ban.actions[2837]: NOTICE [sshd] Ban 203.0.113.7", "", ""),
        // journalctl, with every form of time.
        ("Nov 22 11:56:55 web-1 fail2ban[1]: [sshd] Ban 203.0.113.7", "2026-11-22T10:56:55.000Z", "web-1"),
        ("Nov 22 11:56:55 fail2ban[1]: [sshd] Ban 203.0.113.7", "2026-11-22T10:56:55.000Z", ""),
        ("2026-11-22T11:56:55+0100 web-1 fail2ban[1]: [sshd] Ban 203.0.113.7", "2026-11-22T10:56:55.000Z", "web-1"),
        (
            "2026-11-22T11:56:55.601123+01:00 web-1 fail2ban[1]: [sshd] Ban 203.0.113.7",
            "2026-11-22T10:56:55.601Z",
            "web-1",
        ),
        ("Sun 2026-11-22 11:56:55 CET web-1 fail2ban[1]: [sshd] Ban 203.0.113.7", "2026-11-22T10:56:55.000Z", "web-1"),
        (
            "Sun 2026-11-22 10:56:55 UTC web-1 fail2ban.service[1]: [sshd] Ban 203.0.113.7",
            "2026-11-22T10:56:55.000Z",
            "web-1",
        ),
        ("1795345015.601123 web-1 fail2ban[1]: [sshd] Ban 203.0.113.7", "2026-11-22T10:56:55.601Z", "web-1"),
        (
            r#"{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1795345015700000","_SOURCE_REALTIME_TIMESTAMP":"1795345015601123","_SYSTEMD_UNIT":"fail2ban.service","_COMM":"fail2ban-server","_HOSTNAME":"web-1","PRIORITY":"5","SYSLOG_IDENTIFIER":"fail2ban","LOGGER":"fail2ban.actions","MESSAGE":"[sshd] Ban 203.0.113.7"}"#,
            "2026-11-22T10:56:55.601Z",
            "web-1",
        ),
        (
            r#"{"__REALTIME_TIMESTAMP":"1795345015601123","_SYSTEMD_UNIT":"fail2ban.service","_COMM":"fail2ban-server","MESSAGE":[91,115,93,32,66,97,110,32,195,40]}"#,
            "2026-11-22T10:56:55.601Z",
            "",
        ),
        (
            r#"{"__REALTIME_TIMESTAMP":"1795345015601123","_COMM":"dockerd","CONTAINER_NAME":"f2b","MESSAGE":"2026-11-22 10:56:55,601 fail2ban.actions        [1]: NOTICE  [sshd] Ban 203.0.113.7"}"#,
            "2026-11-22T10:56:55.601Z",
            "",
        ),
        (
            r#"data: {"__REALTIME_TIMESTAMP":"1795345015601123","_SYSTEMD_UNIT":"fail2ban.service","MESSAGE":"[sshd] Ban 203.0.113.7"}"#,
            "2026-11-22T10:56:55.601Z",
            "",
        ),
    ] {
        is_ban(line, at, host);
    }
}

#[test]
fn forged_line_is_no_event() {
    for line in [
        "Nov 22 11:57:55 web-1 sshd[811]: Invalid user 2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9 from 6.6.6.6 port 22",
        r#"6.6.6.6 - - [22/Nov/2026:11:57:55 +0000] "GET / HTTP/1.1" 200 5 "-" "2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9""#,
        r#"{"msg":"\"log\":\"2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9\\n\"","log":"GET /\n","stream":"stdout","time":"2026-11-22T10:57:55Z"}"#,
        "2026-11-22 11:56:55,601 fail2ban.filter [2]: INFO    [weird] Found x 2026-11-22 11:56:55,601 fail2ban.actions [2]: NOTICE  [sshd] Ban 9.9.9.9",
        "2026-11-22 11:56:55 evil fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
        "Nov 22 11:56:55 sshd[1]: fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
        "Nov 22 11:56:55 web-1 fail2ban-x: [sshd] Ban 9.9.9.9",
        // Another service's line with an envelope of fail2ban's in it.
        "web-1  | Nov 22 11:57:55 x fail2ban[1]: [sshd] Ban 9.9.9.9",
        "[pod/web-7d9f/web] Nov 22 11:57:55 x fail2ban.actions[1]: NOTICE [sshd] Ban 9.9.9.9",
        "Nov 22 11:57:55 dock-1 0badc0ffee12[9]: Nov 22 11:57:55 x fail2ban[1]: [sshd] Ban 9.9.9.9",
        "<29>1 2026-11-22T11:57:55Z dock-1 web 9 - - Nov 22 11:57:55 x fail2ban[1]: [sshd] Ban 9.9.9.9",
        // Others of each kind.
        "Nov 22 11:57:55 web-1 sshd[811]: Failed password for invalid user fail2ban[1]: [sshd] Ban 9.9.9.9 from 6.6.6.6",
        "Nov 22 11:57:55 web-1 sshd[811]: fail2ban[1]: [sshd] Ban 9.9.9.9",
        "Nov 22 11:57:55 web-1 sshd[811]: NOTICE  [sshd] Ban 9.9.9.9",
        "Nov 22 11:57:55 web-1 FAIL2BAN[811]: [sshd] Ban 9.9.9.9",
        "Nov 22 11:57:55 web-1 fail2ban-client[811]: [sshd] Ban 9.9.9.9",
        "Nov 22 11:57:55 web-1 fail2ban.[811]: [sshd] Ban 9.9.9.9",
        "Nov 22 11:57:55 web-1 fail2ban.actions.x y[811]: [sshd] Ban 9.9.9.9",
        "Nov 22 11:57:55 web-1 x fail2ban[811]: [sshd] Ban 9.9.9.9",
        "Nov 22 11:57:55 web-1 user text 2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
        "Nov 22 11:57:55 web-1 fail2ban[1]: x 2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
        "<29>1 2026-11-22T11:56:55.601123+01:00 web-1 nginx 2837 - - NOTICE [sshd] Ban 9.9.9.9",
        r#"<29>1 2026-11-22T11:56:55.601123+01:00 web-1 nginx 2837 - [a b="] fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9"] x"#,
        "<29>1 2026-11-22T11:56:55.601123+01:00 web-1 nginx 2837 - - x fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
        "web-1  | GET / 2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
        "web-1  | web-1  | web-1  | 2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
        "web-1  | [sshd] Ban 9.9.9.9",
        "2026-11-22T10:57:55.601123456Z stdout F [sshd] Ban 9.9.9.9",
        "2026-11-22T10:57:55.601123456Z stdout X 2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
        "2026-11-22T10:57:55.601123456Z stdout P 2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
        r#"{"log":"[sshd] Ban 9.9.9.9\n","stream":"stdout","time":"2026-11-22T10:57:55Z"}"#,
        r#"{"log":"x\n","log":"2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9\n","stream":"stdout","time":"2026-11-22T10:57:55Z"}"#,
        r#"{"log":"2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9\n","log":"x\n","stream":"stdout","time":"2026-11-22T10:57:55Z"}"#,
        r#"{"a":{"log":"2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9\n","stream":"stdout","time":"2026-11-22T10:57:55Z"}}"#,
        r#"{"log":"a\n2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9\n","stream":"stdout","time":"2026-11-22T10:57:55Z"}"#,
        r#"{"MESSAGE":"2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9","SYSLOG_IDENTIFIER":"fail2ban","_COMM":"logger","_SYSTEMD_UNIT":"session-1.scope"}"#,
        r#"{"MESSAGE":"[sshd] Ban 9.9.9.9","SYSLOG_IDENTIFIER":"fail2ban","_SYSTEMD_UNIT":"user@1000.service","_COMM":"fail2ban-server"}"#,
        r#"{"MESSAGE":"[sshd] Ban 9.9.9.9","SYSLOG_IDENTIFIER":"fail2ban","_SYSTEMD_UNIT":"fail2ban.service","_SYSTEMD_UNIT":"x.service"}"#,
        r#"{"MESSAGE":null,"_SYSTEMD_UNIT":"fail2ban.service","_COMM":"fail2ban-server"}"#,
        "    2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
        "[ 1234.567890] web-1 fail2ban[1]: [sshd] Ban 9.9.9.9",
        "[1234.567890] Ban 9.9.9.9 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
    ] {
        let (events, parser) = parse(&format!("{line}\n"));
        let subjects: Vec<_> = subjects(&events).into_iter().filter(|subject| subject.starts_with("9.9.9.9")).collect();
        assert_eq!(subjects, Vec::<&str>::new(), "{line}");
        assert!(events.is_empty(), "{line}: {events:?}");
        assert_eq!(parser.counts().lines, 1);
    }
}

#[test]
fn line_in_more_than_two_envelopes_is_no_event() {
    let (compose, docker, cri) =
        ("fail2ban  | ", "2026-11-22T10:57:55.601123456Z ", "2026-11-22T10:57:55.601123456Z stdout F ");
    let (syslog, rfc5424) =
        ("Nov 22 11:57:55 web-1 fail2ban[1]: ", "<29>1 2026-11-22T11:57:55.601123+01:00 web-1 fail2ban 1 - - ");
    let (rest, whole) = ("[sshd] Ban 203.0.113.7", STANDARD);
    let json =
        |text: &str| format!(r#"{{"log":"{text}\n","stream":"stdout","time":"2026-11-22T10:57:55.601123456Z"}}"#);
    for (line, bans) in [
        (format!("{compose}{docker}{whole}"), 1),
        (format!("{compose}{cri}{whole}"), 1),
        (format!("{cri}{syslog}{rest}"), 1),
        (json(&format!("{syslog}{rest}")), 1),
        (format!("{compose}{docker}{syslog}{rest}"), 0),
        (format!("{compose}{cri}{syslog}{rest}"), 0),
        (format!("{compose}{cri}{docker}{whole}"), 0),
        (format!("{compose}{cri}{compose}{whole}"), 0),
        (format!("{compose}{syslog}{rfc5424}{rest}"), 0),
        (format!("{syslog}{compose}{cri}{whole}"), 0),
        (format!("{syslog}{syslog}{syslog}{rest}"), 0),
        (format!("{compose}{cri}{cri}{whole}"), 0),
        (json(&format!("{compose}{docker}{whole}")), 0),
        (json(&format!("{compose}{cri}{syslog}{rest}")), 0),
        (json(&format!("{cri}{syslog}{rest}")), 0),
    ] {
        let (events, parser) = parse(&format!("{line}\n"));
        assert_eq!((events.len(), parser.unread().is_none()), (bans, bans > 0), "{line}");
    }
    // The pieces of a line have the envelopes of the whole.
    let piece = |flag: &str, text: &str| format!("{compose}2026-11-22T10:57:55.601123456Z stdout {flag} {text}\n");
    let (begin, end) = whole.split_at(40);
    assert_eq!(parse(&(piece("P", begin) + &piece("F", end))).0.len(), 1);
    assert_eq!(parse(&(piece("P", syslog) + &piece("F", rest))).0.len(), 0);
}

#[test]
fn second_line_of_a_command_is_no_event() {
    let found = STANDARD.replace("actions", "filter").replace("Ban 203.0.113.7", "Found 203.0.113.7");
    for forged in [
        "NOTICE  [sshd] Ban 9.9.9.9",
        "[sshd] Ban 9.9.9.9",
        "fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
        "2026-11-22 11:56:55,601 [sshd] Ban 9.9.9.9",
        "2026-11-22 11:56:55,601 NOTICE  [sshd] Ban 9.9.9.9",
        "web-1  | 2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [sshd] Ban 9.9.9.9",
        "Nov 22 11:57:55 dock-1 0badc0ffee12[9]: 2026-11-22 11:57:55,601 fail2ban.actions [1]: NOTICE  [sshd] Ban 9.9.9.9",
    ] {
        for before in [&found, STANDARD] {
            let (events, parser) = parse(&format!("{before}\n{forged}\n{before}\n{forged}\n"));
            assert!(!subjects(&events).contains(&"9.9.9.9"), "{forged}");
            assert_eq!(parser.counts().foreign, 2, "{forged}");
        }
    }
}

/// fail2ban#3971, YunoHost/issues#2317, docker-fail2ban#25.
#[test]
fn line_of_a_logger_without_events_shows_nothing_of_the_log() {
    let (events, _) = parse(
        "Nov 22 11:56:46 web-1 fail2ban-server[11524]: 2026-11-22 11:56:46,351 fail2ban.configreader   [11524]: WARNING 'allowipv6' not defined in 'Definition'. Using default one: 'auto'\n\
         Nov 22 11:56:47 web-1 fail2ban[11524]: Jail 'sshd' started\n\
         Nov 22 11:56:48 web-1 fail2ban[11524]: [sshd] Ban 203.0.113.7\n",
    );
    assert_eq!((events.len(), subjects(&events)), (2, vec!["203.0.113.7"]));
    let (events, _) = parse(
        "2026-11-22 11:00:36,908 fail2ban.configreader   [288]: WARNING 'allowipv6' not defined in 'Definition'. Using default one: 'auto'\n \
         2026-11-22 11:00:37,097 148402BC3B08 INFO  Jail 'authelia-auth' started\n \
         2026-11-22 11:04:57,083 148402BC3B08 NOTIC [authelia-auth] Ban 203.0.113.8\n",
    );
    assert_eq!((events.len(), subjects(&events)), (2, vec!["203.0.113.8"]));
    let reader = "2026-11-22 11:00:36,908 fail2ban.configreader   [288]: WARNING 'x'\n";
    for message in [
        "[sshd] Ban 203.0.113.7",
        "NOTICE  [sshd] Ban 203.0.113.7",
        "fail2ban.actions [1]: NOTICE [sshd] Ban 203.0.113.7",
    ] {
        assert_eq!(subjects(&parse(&format!("{reader}{message}\n{reader}{message}\n")).0).len(), 2, "{message}");
    }
}

#[test]
fn log_that_changes_its_form_at_equal_rank_goes_on() {
    let forms = [
        STANDARD,
        " 2026-11-22 11:56:55,601 148402BC3B08 NOTIC [sshd] Ban 203.0.113.7",
        "Nov 22 11:56:55 web-1 fail2ban[1]: [sshd] Ban 203.0.113.7",
        "Nov 22 11:56:55 web-1 fail2ban-server[1]: fail2ban.actions        [1]: NOTICE  [sshd] Ban 203.0.113.7",
        "<29>Nov 22 11:56:55 web-1 fail2ban.actions[1]: NOTICE [sshd] Ban 203.0.113.7",
    ];
    for first in forms {
        for second in forms {
            let (events, _) = parse(&format!("{first}\n{second}\n{first}\n"));
            assert_eq!(subjects(&events).len(), 3, "{first}\n{second}");
        }
    }
}

#[test]
fn line_of_one_of_several_services_needs_a_named_tag() {
    let header = "2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [sshd] Ban";
    let compose = format!("web-1  | {header} 9.9.9.9\nf2b-1  | {header} 203.0.113.7\nweb-1  | GET /\n");
    let reversed: String = compose.lines().rev().map(|line| format!("{line}\n")).collect();
    let syslog = format!(
        "Nov 22 11:57:55 dock-1 0badc0ffee12[9]: {header} 9.9.9.9\n\
         Nov 22 11:57:55 dock-1 a1b2c3d4e5f6[8]: {header} 203.0.113.7\nNov 22 11:57:56 dock-1 cron[1]: x\n"
    );
    for (log, tag, other) in
        [(&compose, "f2b-1", "web-1"), (&reversed, "f2b-1", "web-1"), (&syslog, "a1b2c3d4e5f6", "0badc0ffee12")]
    {
        let (events, parser) = parse(log);
        assert_eq!(subjects(&events), Vec::<&str>::new(), "{log}");
        let unread = parser.unread().unwrap();
        let tags = [tag, other].map(|tag| UnreadReason::AmbiguousTag(tag.to_owned()));
        assert!(tags.contains(&unread.reason) && unread.is_persistent(), "{unread:?}");
        assert_eq!(subjects(&parse_from(named(tag), log).0), ["203.0.113.7"], "{log}");
        assert_eq!(subjects(&parse_from(named(other), log).0), ["9.9.9.9"], "{log}");
        assert_eq!(subjects(&parse_from(named("db"), log).0), Vec::<&str>::new(), "{log}");
    }
    // Under fail2ban's own tag no name is needed, and another's line is not believed.
    let own = format!("web-1  | {header} 9.9.9.9\nfail2ban  | {header} 203.0.113.7\nweb-1  | {header} 9.9.9.9\n");
    assert_eq!(subjects(&parse(&own).0), ["203.0.113.7"]);
    // A log whose lines have no tag has another service too.
    let plain = format!("web-1  | {header} 9.9.9.9\n{STANDARD}\nweb-1  | {header} 9.9.9.9\n");
    assert_eq!(subjects(&parse(&plain).0), ["203.0.113.7"]);
    let (first_two, _) = plain.rsplit_once("web-1").unwrap();
    assert_eq!(subjects(&parse(first_two).0), ["203.0.113.7"]);
    // A named tag does not make a message alone fail2ban's.
    assert_eq!(subjects(&parse_from(named("web-1"), "web-1  | [sshd] Ban 9.9.9.9\n").0), Vec::<&str>::new());
}

#[test]
fn line_of_the_only_service_waits_until_there_are_enough() {
    let line = "f2b-1  | 2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [sshd] Unban 203.0.113.7\n";
    let mut parser = parser(LogOrigin::default());
    parser.feed(line.as_bytes());
    assert_eq!((parser.next(), parser.position()), (None, 0));
    assert!(parser.resolve_timeout().is_some());
    parser.resolve();
    assert_eq!(parser.next().unwrap().end, line.len() as u64);
    parser.feed(line.as_bytes());
    assert!(parser.next().is_some());
    assert_eq!((parser.resolve_timeout(), parser.position()), (None, 2 * line.len() as u64));
    let (events, _) = parse(&line.repeat(250));
    assert_eq!(events.len(), 250);
}

#[test]
fn line_that_was_cut_is_joined_or_its_rest_dropped() {
    let header = "2026-11-22 11:57:55,601 fail2ban.actions        [1]: NOTICE  [sshd] Ban";
    let filler = "x".repeat((16 << 10) - header.len() - 1);
    let json = |text: &str, end: &str| {
        format!("{{\"log\":\"{text}{end}\",\"stream\":\"stdout\",\"time\":\"2026-11-22T10:57:55Z\"}}\n")
    };
    let cri = |text: &str, flag: &str| format!("2026-11-22T10:57:55.601123456Z stdout {flag} {text}\n");
    let syslog = |text: &str| format!("Nov 22 11:57:55 dock-1 a1b2c3d4e5f6[1]: {text}\n");
    let journal = |text: &str, fields: &str| {
        format!(
            "{{\"MESSAGE\":\"{text}\",\"_SYSTEMD_UNIT\":\"fail2ban.service\",\"_COMM\":\"fail2ban-server\",\"_STREAM_ID\":\"s\"{fields}}}\n"
        )
    };
    let (first, forged) = (format!("{header} {filler}"), format!("{header} 9.9.9.9"));
    for log in [
        json(&first, "") + &json(&forged, "\\n"),
        json(&first, "") + &json(&first, "") + &json(&forged, "\\n"),
        cri(&first, "P") + &cri(&forged, "F"),
        cri(&first, "P") + &cri(&first, "P") + &cri(&forged, "F"),
        syslog(&first) + &syslog(&forged),
        journal(&first, ",\"_LINE_BREAK\":\"line-max\"") + &journal(&forged, ""),
        journal(&first, ",\"_LINE_BREAK\":\"line-max\"")
            + &journal(&forged, ",\"_LINE_BREAK\":\"line-max\"")
            + &journal(&forged, ""),
    ] {
        let (events, _) = parse(&log);
        let subjects = subjects(&events);
        assert_eq!(subjects.len(), 1, "{}", &log[log.len() - 200..]);
        assert!(subjects[0].starts_with("xxx"));
        // The next line is whole again.
        let next = log.lines().next_back().unwrap().replace("9.9.9.9", "203.0.113.7");
        let (events, _) = parse(&format!("{log}{next}\n"));
        assert!(self::subjects(&events).last() == Some(&"203.0.113.7"), "{}", log.get(..60).unwrap());
    }
    // A chunk of escapes is far longer than its text.
    let escapes = format!("{header} {}", "\\u001b".repeat(filler.len()));
    let (events, _) = parse(&(json(&escapes, "") + &json(&forged, "\\n")));
    assert_eq!(events.len(), 1);
    assert!(subjects(&events)[0].starts_with('\u{1b}'));
}

/// slack-action#6, fail2ban#594, #881: one file of many hosts.
#[test]
fn host_of_a_line_is_the_events_and_counts_its_own_failures() {
    let line = |host: &str, message: &str| format!("Nov 22 11:56:55 {host} fail2ban[1]: {message}\n");
    let found = "[sshd] Found 203.0.113.7 - 2026-11-22 11:56:55";
    let log = line("web-1", found)
        + &line("web-1", found)
        + &line("web-2", found)
        + &line("WEB-1.example.org", found)
        + &line("web-2", "[sshd] Ban 203.0.113.7")
        + &line("web-1", "[sshd] Ban 203.0.113.7")
        + &line("web-2", "[sshd] Flush ticket(s) with x")
        + &line("web-1", "[sshd] Flush ticket(s) with y")
        + &line("web-3", "Jail 'sshd' started")
        + &line("web-1", "[sshd] Increase Ban 203.0.113.7 (2 # 6s -> 2026-11-22 11:57:01)");
    let bans = |events: &[Event]| -> Vec<(String, Option<u32>, Option<u32>)> {
        let ban = |event: &Event| event.ban().map(|ban| (event.host.clone(), ban.failures, ban.count));
        events.iter().filter_map(ban).collect()
    };
    let own = LogOrigin { own_hosts: vec!["web-1".to_owned()], ..LogOrigin::default() };
    let (events, _) = parse_from(own, &log);
    assert_eq!(bans(&events), [("web-2".to_owned(), Some(1), None), (String::new(), Some(3), Some(2))]);
    let hosts: Vec<_> = events.iter().map(|event| event.host.as_str()).collect();
    assert_eq!(hosts, ["web-2", "", "web-2", "", "web-3"]);

    let (events, _) = parse_from(LogOrigin { host: Some("fleet".to_owned()), ..LogOrigin::default() }, &log);
    assert!(events.iter().all(|event| event.host == "fleet"), "{events:?}");
}

/// rsyslog's `$RepeatedMsgReduction`, syslog-ng's `suppress()`, and syslogd.
#[test]
fn repeated_lines_count_failures_and_are_no_events() {
    let line = |tag: &str, message: &str| format!("Nov 22 11:56:55 web-1 {tag}{message}\n");
    let own = |message: &str| line("fail2ban[1]: ", message);
    let found = own("[sshd] Found 203.0.113.7 - 2026-11-22 11:56:55");
    let ban = own("[sshd] Ban 203.0.113.7");
    let rsyslog = |message: &str| own(&format!("message repeated 3 times: [ {message}]"));
    let (syslogd, tagged) =
        (line("", "last message repeated 3 times"), line("syslogd: ", "last message repeated 3 times"));
    let syslog_ng = own("Last message '[sshd] Found 203.0.1' repeated 3 times, suppressed by syslog-ng on web-1");
    let failures = |log: &str| -> Vec<Option<u32>> {
        let (events, parser) = parse(log);
        assert!(parser.unread().is_none(), "{log}{:?}", parser.unread());
        events.iter().filter_map(Event::ban).map(|ban| ban.failures).collect()
    };
    for repeated in [&rsyslog("[sshd] Found 203.0.113.7 - 2026-11-22 11:56:55"), &syslogd, &tagged, &syslog_ng] {
        assert_eq!(failures(&format!("{found}{repeated}{ban}")), [Some(4)], "{repeated}");
        assert_eq!(failures(&format!("{found}{repeated}{repeated}{ban}")).len(), 1, "{repeated}");
    }
    let tag = |message: &str| line("fail2ban.filter[1]: ", message);
    let (one, more) =
        (tag("INFO [sshd] Found 203.0.113.7"), tag("message repeated 2 times: [ INFO [sshd] Found 203.0.113.7]"));
    assert_eq!(failures(&format!("{one}{more}{ban}")), [Some(3)]);
    // A ban, an unban or a start is the first of them, and no second.
    for message in ["[sshd] Ban 203.0.113.7", "[sshd] Unban 203.0.113.7", "Jail 'sshd' started", "Creating new jail"] {
        for repeated in [&rsyslog(message), &syslogd] {
            let log = own(message) + repeated;
            assert_eq!(parse(&log).0.len(), parse(&own(message)).0.len(), "{log}");
        }
    }
    // What another program's line, or another's text, stands for.
    let other = line("sshd[1]: ", "x");
    for log in [
        format!("{found}{other}{syslogd}{ban}"),
        format!("{found}{}{ban}", line("sshd[1]: ", "message repeated 3 times: [ [sshd] Found 203.0.113.7]")),
        format!("{found}{}{ban}", line("sshd[1]: ", "x last message repeated 3 times")),
    ] {
        assert_eq!(failures(&log), [Some(1)], "{log}");
    }
    assert_eq!(failures(&format!("{found}{}{ban}", syslogd.replace('3', "4294967295"))), [Some(u32::MAX)]);
}

#[test]
fn unread_names_an_example_and_a_reason() {
    for (line, reason) in [
        ("Okt 22 11:56:55 web-1 fail2ban[1]: [sshd] Ban 1.2.3.4", UnreadReason::ForeignMonth),
        ("déc. 22 11:56:55 web-1 fail2ban[1]: [sshd] Ban 1.2.3.4", UnreadReason::ForeignMonth),
        ("11月 22 11:56:55 web-1 fail2ban[1]: [sshd] Ban 1.2.3.4", UnreadReason::ForeignMonth),
        ("[ 1234.567890] web-1 fail2ban[1]: [sshd] Ban 1.2.3.4", UnreadReason::Monotonic),
        ("[2026-11-22 11:56:55] NOTICE [sshd] Ban 1.2.3.4", UnreadReason::Bracket),
        ("\x1f\u{8b}", UnreadReason::NotFail2ban),
        ("    MESSAGE=[sshd] Ban 1.2.3.4", UnreadReason::JournalEntry),
        ("{\"msg\":\"x\"}", UnreadReason::Json),
        ("{\"MESSAGE\":\"[sshd] Ban 1.2.3.4\",\"SYSLOG_IDENTIFIER\":\"fail2ban\"}", UnreadReason::UntrustedEntry),
        ("Nov 22 11:56:55 web-1 cron[1]: x", UnreadReason::NotFail2ban),
        ("nonsense", UnreadReason::NotFail2ban),
    ] {
        let (_, parser) = parse(&format!("{line}\n{line}\n"));
        let unread = parser.unread().unwrap_or_else(|| panic!("{line}"));
        assert_eq!((unread.lines, &unread.reason, unread.none_understood), (2, &reason, true), "{line}");
        assert!(unread.to_string().contains(&reason.hint()), "{unread}");
    }
    let mut parser = parser(LogOrigin::default());
    parser.feed(b"\x1f\x8b\x08\0abc\n\xff\xfe\n");
    assert_eq!(parser.unread().unwrap().reason, UnreadReason::Compressed("gzip"));
}

#[test]
fn unread_under_another_tag_than_the_source_names_says_so() {
    let origin = || LogOrigin { tag: Some("f2b".to_owned()), ..LogOrigin::default() };
    let other = "Nov 22 11:56:55 web-1 cron[1]: x\n";
    let line = |tag: &str| format!("Nov 22 11:56:55 web-1 {tag}[1]: {STANDARD}\n");
    let (_, parser) = parse_from(origin(), &format!("{other}{}{other}", line("ban-log")));
    let unread = parser.unread().unwrap();
    assert!(unread.is_persistent());
    let expected =
        "the source has tag = \"f2b\", and this line of fail2ban has the tag \"ban-log\"; correct or remove tag";
    assert!(unread.to_string().contains(expected), "{unread}");
    // Other services may imitate fail2ban where its own lines are understood.
    assert_eq!(parse_from(origin(), &format!("{}{}", line("f2b"), line("ban-log"))).1.unread(), None);
}

#[test]
fn unread_counts_lines_since_the_last_that_was_understood() {
    let nonsense = "nonsense\n".repeat(99);
    let (_, parser) = parse(&format!("{STANDARD}\n{nonsense}"));
    assert_eq!(
        parser.unread().map(|unread| (unread.lines, unread.is_persistent(), unread.none_understood)),
        Some((99, false, false))
    );
    let (_, parser) = parse(&format!("{STANDARD}\n{nonsense}nonsense\n"));
    assert!(parser.unread().unwrap().is_persistent());
    assert_eq!(parse(&format!("{nonsense}{STANDARD}\n")).1.unread(), None);
    // Empty lines are nothing to understand, and other programs' are normal once fail2ban's have come.
    let others = "Nov 22 11:56:55 web-1 cron[1]: x\n\n".repeat(200);
    assert_eq!(parse(&format!("Nov 22 11:56:55 web-1 fail2ban[1]: [sshd] Found 1.2.3.4\n{others}")).1.unread(), None);
    // So are fail2ban's own messages that are no events.
    for message in ["fail2ban[1]: Creating new jail 'sshd'", "fail2ban.filter[1]: INFO [sshd] Ignore 1.2.3.4 by ip"] {
        assert_eq!(parse(&format!("Nov 22 11:56:55 web-1 {message}\n").repeat(200)).1.unread(), None, "{message}");
    }
    assert_eq!(parse(&others).1.unread().map(|unread| unread.lines), Some(200));
}

#[test]
fn begin_within_a_line_skips_its_rest() {
    let mut parser = parser(LogOrigin::default());
    parser.begin_within(1_000);
    parser.feed(b"[sshd] Ban 9.9.9.9\n");
    parser.feed(format!("{STANDARD}\n").as_bytes());
    parser.resolve();
    assert_eq!(parser.by_ref().count(), 1);
    let position = parser.position();
    assert_eq!(position, 1_000 + 19 + STANDARD.len() as u64 + 1);
    // What the file has shown stays.
    parser.continue_at(position);
    parser.feed(b"NOTICE  [sshd] Ban 9.9.9.9\n");
    parser.resolve();
    assert_eq!(parser.next(), None);
}
