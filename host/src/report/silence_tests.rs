use super::*;

const HOUR: i64 = 3_600_000;
const QUIET: Duration = Duration::from_secs(24 * 3_600);

fn hours(hours: i64) -> Timestamp {
    Timestamp(hours * HOUR)
}

/// Looks at each of these hours; returns what was said when.
fn said(bans: &[i64], looks: std::ops::RangeInclusive<i64>) -> Vec<(i64, News)> {
    let (mut stored, mut said) = (None, Vec::new());
    for now in looks {
        let last = bans.iter().copied().filter(|ban| *ban <= now).max().map(hours);
        let (next, news) = Watch::next(stored, last, hours(now), QUIET);
        // As it is after a restart.
        stored = next.map(|next| Watch::parse(&next.to_text()).unwrap()).or(stored);
        said.extend(news.map(|news| (now, news)));
    }
    said
}

#[test]
fn silence_is_said_once_and_its_end_once() {
    let silent = |since| News::Silent { since: hours(since) };
    let heard = |at, after| News::Heard { at: hours(at), after: hours(after) };
    assert_eq!(said(&[1, 2, 20], 0..=40), []);
    assert_eq!(said(&[1, 20], 0..=100), [(44, silent(20))]);
    assert_eq!(said(&[1, 50, 51], 0..=80), [(25, silent(1)), (50, heard(50, 1)), (75, silent(51))]);
    // Without a ban it counts from the first look; with an old one, from that.
    assert_eq!(said(&[], 100..=300), [(124, silent(100))]);
    assert_eq!(said(&[10], 100..=300), [(101, silent(10))]);
}

#[test]
fn silence_does_not_begin_when_the_last_ban_is_pruned() {
    let mut stored = Some(Watch::Since(hours(0)));
    let mut step = |last: Option<i64>, now| {
        let (next, news) = Watch::next(stored, last.map(hours), hours(now), QUIET);
        stored = next.or(stored);
        news
    };
    assert_eq!(step(Some(20), 21), None);
    assert_eq!(step(None, 43), None);
    assert_eq!(step(None, 44), Some(News::Silent { since: hours(20) }));
}

#[test]
fn clock_that_was_ahead_does_not_end_the_watch() {
    let now = Some(Watch::Since(hours(3)));
    for stored in [Watch::Announced(hours(100)), Watch::Since(hours(100))] {
        assert_eq!(Watch::next(Some(stored), Some(hours(100)), hours(3), QUIET), (now, None));
    }
    assert_eq!(Watch::next(now, Some(hours(100)), hours(27), QUIET).1, Some(News::Silent { since: hours(3) }));
}

#[test]
fn text_says_what_is_known_of_fail2ban() {
    let news = News::Silent { since: hours(0) };
    let heartbeat = |jails, problem: Option<&str>, log| Heartbeat {
        at: 26 * HOUR - 60_000,
        jails,
        banned: jails.map(|_| 37),
        problem: problem.map(str::to_owned),
        log_grew_at: log,
    };
    let shown = |heartbeat, log_grew_at| {
        text(news, ("web-1", "sec"), &Signs { heartbeat, log_grew_at, is_elsewhere: false }, hours(26))
    };
    for (heartbeat, log, expected) in [
        (heartbeat(Some(5), None, Some(25 * HOUR)), None, "; fail2ban answers: 5 jails, 37 banned"),
        (
            heartbeat(Some(1), None, Some(-4 * HOUR)),
            None,
            "; fail2ban answers: 1 jail, 37 banned; its log has not grown for 30 h",
        ),
        (heartbeat(None, Some("it does not run"), None), None, ", and fail2ban does not answer: it does not run"),
        (
            heartbeat(None, Some("it does not run"), None),
            Some(hours(-1)),
            ", and fail2ban does not answer: it does not run; its log has not grown for 27 h",
        ),
    ] {
        let expected = format!("🔕 web-1: no ban for 26 h on the route sec{expected}");
        assert_eq!(shown(Some(heartbeat), log), (expected, String::new()));
    }
    let never = "Whether fail2ban runs is not known: it was last asked never. See banhook-heartbeat.timer";
    assert_eq!(shown(None, None), ("🔕 web-1: no ban for 26 h on the route sec".to_owned(), never.to_owned()));
    let mut old = heartbeat(Some(5), None, None);
    old.at = 23 * HOUR;
    assert_eq!(shown(Some(old), None).1, never.replace("last asked never", "last asked 3 h ago"));
    let of_fleet = text(news, ("web-1", "sec"), &Signs { is_elsewhere: true, ..Signs::default() }, hours(26));
    assert_eq!(of_fleet, ("🔕 web-1: no ban for 26 h on the route sec".to_owned(), String::new()));
    let heard = text(News::Heard { at: hours(30), after: hours(0) }, ("web-1", "sec"), &Signs::default(), hours(31));
    assert_eq!(heard.0, "🔔 web-1: bans again on the route sec, after 30 h without one");
}
