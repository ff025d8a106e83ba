use jiff::civil::date;
use jiff::tz::TimeZone;

use super::*;
use crate::message::{Target, banhooks_own};
use crate::store::Deliveries;

fn span() -> Span {
    let zone = TimeZone::UTC;
    Span { from: Timestamp(1_795_305_600_000), to: Timestamp(1_795_910_399_999), zone, history_since: Timestamp(0) }
}

fn summary() -> Summary {
    let rows = |rows: &[(&str, u64)]| rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    Summary {
        bans: 12,
        before: Some(10),
        days: vec![(date(2026, 11, 22), 8), (date(2026, 11, 23), 0), (date(2026, 11, 24), 4)],
        jails: (rows(&[("sshd", 11), ("<!channel>", 1)]), 0),
        subjects: (rows(&[("203.0.113.7", 9), ("*x* `y`", 3)]), 4),
        hosts: 2,
        repeated: 1,
        deliveries: Deliveries { delivered: 9, dead: 1, median_ms: Some(420) },
    }
}

fn body(summary: &Summary, target: Target) -> String {
    banhooks_own(&message("web-1: 7d on the route all", summary, &span(), None, false), target).to_json_string()
}

#[test]
fn report_says_what_happened_on_each_target() {
    for target in Target::ALL.iter().copied() {
        let text = body(&summary(), target);
        for part in [
            "12 bans of 6 subjects on 2 hosts, 20 % more than before",
            "Sun 22 Nov 8 ████",
            "203.0.113.7",
            "and 4 more",
        ] {
            assert!(text.contains(part), "{target:?} {part}: {text}");
        }
        for part in ["5 new, 1 banned before", "9 delivered, half of them within 0", "4 s, 1 dead"] {
            assert!(text.contains(part), "{target:?} {part}: {text}");
        }
        // Elsewhere it means nothing.
        let is_slack = matches!(target.as_str(), "slack" | "slack-app");
        assert!(!is_slack || !text.contains("<!channel>"), "{target:?}: {text}");
    }
}

#[test]
fn headline_compares_with_the_period_before() {
    let with = |bans, before| headline(&Summary { bans, before, hosts: 1, ..summary() });
    assert_eq!(with(5, Some(10)), "5 bans of 6 subjects, 50 % fewer than before");
    assert_eq!(with(1, Some(1)), "1 ban of 6 subjects, as many as before");
    assert_eq!(with(3, Some(0)), "3 bans of 6 subjects, after none in the period before");
    assert_eq!(with(0, Some(0)), "no bans");
    assert_eq!(with(0, Some(4)), "no bans, 100 % fewer than before");
    assert!(with(2, None).ends_with("no comparison, since the history does not reach back so far"));
}

#[test]
fn report_of_nothing_and_of_a_year_fits_every_target() {
    let days: Vec<_> = date(2026, 1, 1).series(jiff::Span::new().days(1)).take(366).map(|day| (day, 3)).collect();
    let name = "<".repeat(500);
    let rows: Vec<_> = (0..10).map(|_| (name.clone(), u64::MAX)).collect();
    let year = Summary { days, jails: (rows.clone(), 9), subjects: (rows, 9), ..summary() };
    for target in Target::ALL.iter().copied() {
        for summary in [&Summary::default(), &year] {
            let text = body(summary, target);
            assert!(text.contains("on the route all") && text.len() < 20_000, "{target:?}: {text}");
        }
        assert!(body(&Summary::default(), target).contains("0 delivered"), "{target:?}");
    }
    assert_eq!(chart(&year.days).lines().count(), 53);
}

#[test]
fn redacted_report_names_nobody() {
    let message = message("web-1", &summary(), &span(), Some(Timestamp(1)), true);
    let text = banhooks_own(&message, Target::SLACK).to_json_string();
    assert!(!text.contains("203.0.113.7") && text.contains("sshd") && text.contains("late: it was due"), "{text}");
}
