use jiff::civil::date;
use jiff::tz::TimeZone;

use super::*;
use crate::message::{Guarded, Target, banhooks_own, drawn};
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
        subjects: (rows(&[("203.0.113.7", 7), ("*x* `y`", 1)]), 4),
        places: [(rows(&[("Germany", 8), ("*N*", 4)]), 0), (rows(&[("AS64500 Example Networks Inc.", 12)]), 0)],
        geo_fault: None,
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
            "Sun 22 Nov",
            "203.0.113.7",
            "By country",
            "By network",
            "4 others",
        ] {
            assert!(text.contains(part), "{target:?} {part}: {text}");
        }
        for part in ["5 new, 1 banned before", "9 delivered, half of them within 0", "4 s, 1 dead"] {
            assert!(text.contains(part), "{target:?} {part}: {text}");
        }
        let is_slack = matches!(target.as_str(), "slack" | "slack-app");
        assert!(text.contains(if is_slack { "\"value\":8" } else { "Sun 22 Nov 8 ████" }), "{target:?}: {text}");
        // In charts and code it is text, and elsewhere it means nothing.
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(!is_slack || !body["text"].as_str().unwrap().contains("<!channel>"), "{target:?}: {text}");
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
    let rows: Vec<_> = (0..10).map(|_| (name.clone(), u64::MAX >> 8)).collect();
    let most = (rows, 9);
    let places = [most.clone(), most.clone()];
    let year = Summary { days, bans: u64::MAX, jails: most.clone(), subjects: most, places, ..summary() };
    for target in Target::ALL.iter().copied() {
        for summary in [&Summary::default(), &year] {
            let text = body(summary, target);
            assert!(text.contains("on the route all") && text.len() < 20_000, "{target:?}: {text}");
        }
        assert!(body(&Summary::default(), target).contains("0 delivered"), "{target:?}");
        assert!(body(&year, target).contains("9 delivered"), "{target:?}: {}", body(&year, target));
    }
}

#[test]
fn points_of_any_period_fit_a_chart() {
    let days = |count: usize| -> Vec<_> {
        date(2026, 1, 1).series(jiff::Span::new().days(1)).take(count).map(|day| (day, 3)).collect()
    };
    for (period, title, count, last) in [
        (7, "Bans per day", 7, 3),
        (20, "Bans per day", 20, 3),
        (31, "Bans per week", 5, 9),
        (140, "Bans per week", 20, 21),
        (367, "Bans per four weeks", 14, 9),
    ] {
        let (found, points) = points(&days(period));
        assert_eq!((found, points.len(), points.last().unwrap().1), (title, count, last), "{period}");
    }
}

/// Slack gets two charts and a table, and the rest as text; its notification says all of it.
#[test]
fn report_on_slack_has_two_charts_and_a_table() {
    let message = message("web-1", &summary(), &span(), None, false);
    let body = banhooks_own(&message, Target::SLACK);
    let kinds: Vec<_> = body.body()["blocks"].as_array().unwrap().iter().map(|block| block["type"].clone()).collect();
    let expected = [
        "header",
        "section",
        "data_visualization",
        "data_visualization",
        "rich_text",
        "rich_text",
        "data_table",
        "section",
        "context",
    ];
    assert_eq!(kinds, expected);
    let text = body.body()["text"].as_str().unwrap();
    for part in
        ["12 bans", "Bans per day: Sun 22 Nov 8, Mon 23 Nov 0", "By country: Germany 8", "Most banned: 203.0.113.7 7"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let plain = Guarded::without_figures(&body.to_json_string(), "Slack rejected it", Target::SLACK).unwrap();
    let shown = plain.to_json_string();
    assert!(
        !shown.contains("data_") && shown.contains("Sun 22 Nov 8 ████") && shown.contains("Slack rejected it"),
        "{shown}"
    );
    assert_eq!(blockkit::check(plain.body()), []);
    assert_eq!(Guarded::without_figures(&shown, "", Target::SLACK), None);
    let all = drawn(&message)["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|block| block["type"] == "data_visualization")
        .count();
    assert_eq!(all, 4);
}

#[test]
fn redacted_report_names_nobody() {
    let message = message("web-1", &summary(), &span(), Some(Timestamp(1)), true);
    let text = banhooks_own(&message, Target::SLACK).to_json_string();
    assert!(!text.contains("203.0.113.7") && text.contains("sshd") && text.contains("late: it was due"), "{text}");
}
