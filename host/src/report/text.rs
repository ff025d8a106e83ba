//! A report as a message.

use jiff::civil::Date;

use super::summary::{Span, Summary};
use crate::event::Timestamp;
use crate::message::{
    Block, ContextElement, Date as ShownDate, DateFormat, Field, Message, Section, Span as Piece, Text, cut, one_line,
};
use crate::phrase::counted;

/// Characters of the longest bar.
const BAR: u64 = 24;

/// Days that are shown one by one; a longer period is shown by weeks.
const DAYS_MAX: usize = 35;

/// Characters of a jail or a subject.
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
    if summary.bans > 0 {
        blocks.push(Block::Preformatted(chart(&summary.days)));
        let subjects = if redacted { (Vec::new(), 0) } else { summary.subjects.clone() };
        blocks.extend(names(&summary.jails).map(|rows| list("By jail", rows)));
        blocks.extend(names(&subjects).map(|rows| list("Most banned", rows)));
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
    if let Some(due) = late_since {
        small.push(Piece::text(" · late: it was due "));
        small.push(Piece::Date(ShownDate { at: due, format: DateFormat::DateTime }));
    }
    blocks.push(Block::Context(vec![ContextElement::Text(Text::Rich(small))]));
    Message { text: Text::Plain(format!("{title}: {headline}")), blocks, ..Message::default() }
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

/// A line for each day, or for each week of a long period.
fn chart(days: &[(Date, u64)]) -> String {
    let rows: Vec<(Date, u64)> = match days.len() {
        ..=DAYS_MAX => days.to_vec(),
        _ => days
            .chunks(7)
            .filter_map(|week| Some((week.first()?.0, week.iter().map(|(_, count)| count).sum())))
            .collect(),
    };
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let digits = most.to_string().len();
    let line = |(day, count): &(Date, u64)| {
        let bar = usize::try_from((count * BAR).div_ceil(most)).unwrap_or_default();
        format!("{} {count:>digits$} {}", day.strftime("%a %d %b"), "█".repeat(bar)).trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Names with counts, and how many others there are; `None` if there is no name.
fn names((rows, others): &(Vec<(String, u64)>, usize)) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    for (name, count) in rows {
        pieces.extend((!pieces.is_empty()).then(|| Piece::text(" · ")));
        pieces.push(Piece::code(shown(name)));
        pieces.push(Piece::text(format!(" {count}")));
    }
    if *others > 0 {
        pieces.push(Piece::text(format!(" and {others} more")));
    }
    (!rows.is_empty()).then_some(pieces)
}

fn list(title: &str, pieces: Vec<Piece>) -> Block {
    Block::Section(Section {
        fields: vec![Field { label: title.to_owned(), value: Text::Rich(pieces) }],
        ..Section::default()
    })
}

fn shown(name: &str) -> String {
    let name = one_line(&cut(name, NAME_MAX));
    if name.trim().is_empty() { "(blank)".to_owned() } else { name }
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
