//! A report as a message.

use jiff::civil::Date;

use super::summary::{Most, Rows, Span, Summary};
use crate::event::Timestamp;
use crate::message::{
    Block, ContextElement, Date as ShownDate, DateFormat, Field, Figure, Message, POINTS_MAX, Section, Span as Piece,
    Text, cut, one_line,
};
use crate::phrase::counted;

/// Names that are shown one by one, where all others are shown as one.
const SHARES_MAX: usize = 5;

/// Characters of a title, and of a name in the notification.
const NAME_MAX: usize = 60;

/// Returns the message. `late_since`: when it was due, if that is long ago. `redacted`: without whom it is about.
pub(crate) fn message(
    title: &str,
    summary: &Summary,
    span: &Span,
    late_since: Option<Timestamp>,
    redacted: bool,
) -> Message {
    let headline = headline(summary);
    let mut blocks = vec![Block::Header(format!("📊 {}", one_line(&cut(title, NAME_MAX)))), section(&headline)];
    let mut said = format!("{title}: {headline}");
    if summary.bans > 0 {
        for (title, rows, figure) in figures(summary, redacted) {
            let rows_said: Vec<_> = rows.iter().map(|(name, count)| format!("{} {count}", shown(name))).collect();
            said.push_str(&format!("\n{title}: {}", rows_said.join(", ")));
            blocks.push(Block::Figure(figure));
        }
    }
    blocks.push(Block::Section(Section { fields: fields(summary), ..Section::default() }));
    let mut small = vec![
        Piece::text("from "),
        Piece::Date(ShownDate { at: span.from, format: DateFormat::DateTime }),
        Piece::text(" to "),
        Piece::Date(ShownDate { at: span.to, format: DateFormat::DateTime }),
    ];
    if span.history_since > span.from {
        small.push(Piece::text(" · nothing is stored from before "));
        small.push(Piece::Date(ShownDate { at: span.history_since, format: DateFormat::DateTime }));
    }
    if summary.geo_fault.is_some() {
        small.push(Piece::text(" · not all countries and networks are known, as banhook's log says"));
    }
    if let Some(due) = late_since {
        small.push(Piece::text(" · late: it was due "));
        small.push(Piece::Date(ShownDate { at: due, format: DateFormat::DateTime }));
    }
    blocks.push(Block::Context(vec![ContextElement::Text(Text::Rich(small))]));
    Message { text: Text::Plain(said), blocks, ..Message::default() }
}

/// `123 bans of 45 subjects on 3 hosts, 20 % more than before`
fn headline(summary: &Summary) -> String {
    let Summary { bans, before, subjects, hosts, .. } = summary;
    let subjects = subjects.0.len() + subjects.1;
    let mut text = match bans {
        0 => "no bans".to_owned(),
        _ => format!("{} of {}", counted(*bans, "ban"), counted(subjects as u64, "subject")),
    };
    if *hosts > 1 {
        text.push_str(&format!(" on {hosts} hosts"));
    }
    match before {
        None => text.push_str("; no comparison, since the history does not reach back so far"),
        Some(0) if *bans == 0 => {}
        Some(before) if before == bans => text.push_str(", as many as before"),
        Some(0) => text.push_str(", after none in the period before"),
        Some(before) => {
            let (more, word) = if bans > before { (bans - before, "more") } else { (before - bans, "fewer") };
            // Rounded, but never to nothing or to all of it.
            let percent = more.saturating_mul(100).saturating_add(before / 2) / before;
            let most = if *bans > 0 && bans < before { 99 } else { u64::MAX };
            let percent = percent.clamp(1, most);
            text.push_str(&format!(", {percent} % {word} than before"));
        }
    }
    text
}

/// A title, numbers, and how they are shown: the two that are charts on Slack first.
fn figures(summary: &Summary, redacted: bool) -> Vec<(&'static str, Rows, Figure)> {
    let (title, days) = points(&summary.days);
    let line = Figure::line(title, &days);
    let mut figures = vec![(title, days, line)];
    let [countries, networks] = &summary.places;
    let shares = [("By country", countries), ("By jail", &summary.jails), ("By network", networks)];
    for (title, most) in shares.into_iter().filter(|(_, (rows, _))| !rows.is_empty()) {
        let rows = shares_of(most, summary.bans);
        // Next to the line, the first is a pie.
        let figure = if figures.len() == 1 { Figure::pie(title, &rows) } else { Figure::bars(title, &rows) };
        figures.push((title, rows, figure));
    }
    let (subjects, others) = &summary.subjects;
    if !redacted && !subjects.is_empty() {
        let mut rows = subjects.clone();
        if *others > 0 {
            let shown: u64 = rows.iter().map(|(_, count)| count).sum();
            rows.push((format!("{others} others"), summary.bans.saturating_sub(shown)));
        }
        figures.push(("Most banned", rows.clone(), Figure::table("Most banned", ["Subject", "Bans"], &rows)));
    }
    figures
}

/// The numbers of days; of a longer period, those of weeks or of four weeks.
fn points(days: &[(Date, u64)]) -> (&'static str, Rows) {
    let (title, length) = match days.len() {
        ..=POINTS_MAX => ("Bans per day", 1),
        length if length.div_ceil(7) <= POINTS_MAX => ("Bans per week", 7),
        _ => ("Bans per four weeks", 28),
    };
    let point = |days: &[(Date, u64)]| {
        let (first, _) = days.first()?;
        Some((first.strftime("%a %d %b").to_string(), days.iter().map(|(_, count)| count).sum()))
    };
    (title, days.chunks(length).filter_map(point).collect())
}

/// The largest shares of all bans, and the rest as one.
fn shares_of((rows, _): &Most, bans: u64) -> Rows {
    let mut shares: Vec<_> = rows.iter().take(SHARES_MAX).cloned().collect();
    let rest = bans.saturating_sub(shares.iter().map(|(_, count)| count).sum());
    shares.extend((rest > 0).then(|| ("other".to_owned(), rest)));
    shares
}

fn shown(name: &str) -> String {
    one_line(&cut(name, NAME_MAX))
}

fn section(text: &str) -> Block {
    Block::Section(Section { text: Some(Text::Plain(capitalized(text))), ..Section::default() })
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn fields(summary: &Summary) -> Vec<Field> {
    let field = |label: &str, value: String| Field { label: label.to_owned(), value: Text::Plain(value) };
    let subjects = summary.subjects.0.len() + summary.subjects.1;
    let new = subjects.saturating_sub(summary.repeated);
    let deliveries = &summary.deliveries;
    let mut fields = Vec::new();
    if subjects > 0 {
        fields.push(field("New and known subjects", format!("{new} new, {} banned before", summary.repeated)));
    }
    let dead = if deliveries.dead > 0 { format!(", {} dead", deliveries.dead) } else { String::new() };
    let delay = deliveries.median_ms.map_or_else(String::new, |ms| format!(", half of them within {}", time(ms)));
    fields.push(field("Messages", format!("{} delivered{delay}{dead}", deliveries.delivered)));
    fields
}

/// `0.4 s`, `3 min`
fn time(ms: u64) -> String {
    match ms {
        ..10_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        10_000..120_000 => format!("{} s", ms / 1_000),
        _ => format!("{} min", ms / 60_000),
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
