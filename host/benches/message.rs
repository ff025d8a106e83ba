//! The linter alone, and the guard (lowering, sanitizing, linting), for a typical message and for the largest valid one. Each
//! is compared with the time that `serde_json` takes to parse the same body in the same run, since machines differ. Run by
//! `cargo xtask bench message`.

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use banhook::event::Event;
use banhook::message::{Message, Policy, guard};
use blockkit::{Severity, check};
use serde_json::{Value, json};

/// Measurements of each row.
const ROUNDS: usize = 301;
/// The least time of one measurement: long compared with the resolution of the clock, short enough that most are not
/// interrupted by other programs.
const ROUND_TAKES: Duration = Duration::from_micros(200);

/// The most that linter and guard may take for a typical message, as a multiple of parsing its body. Not a time: machines
/// differ by more than what a change of the code does.
const TYPICAL_AT_MOST: f64 = 3.0;

/// One row of the result.
struct Row {
    name: &'static str,
    bytes: usize,
    microseconds: f64,
    parse_microseconds: f64,
    ratio: f64,
    /// Of the ratio; `None`: shown only.
    at_most: Option<f64>,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let event = Event::from_json(
        r#"{"at": "2026-11-22T10:56:55.601Z", "host": "web-1", "jail": "sshd", "action": "ban", "subject": "203.0.113.7",
            "failures": 5, "duration": 600, "matches": ["Failed password for <root> from 203.0.113.7 port 4711 ssh2"]}"#,
    )?;
    let typical: Message = serde_json::from_value(typical())?;
    let largest: Message = serde_json::from_value(largest_message())?;
    let policy = Policy::default();
    let typical_body = guard(&typical, [&event], &policy)?.body().clone();
    let largest_body = largest_body();
    if let Some(error) = check(&largest_body).iter().find(|finding| finding.severity == Severity::Error) {
        return Err(format!("the largest valid message is invalid: {error}").into());
    }
    let guarded = |message: &Message| guard(message, [&event], &policy).map(|guarded| guarded.body().clone());
    let rows = [
        row("lint, typical", None, &typical_body, || check(&typical_body)),
        row("lint and guard, typical", Some(TYPICAL_AT_MOST), &guarded(&typical)?, || {
            guard(&typical, [&event], &policy)
        }),
        row("lint, largest valid", None, &largest_body, || check(&largest_body)),
        row("lint and guard, largest accepted", None, &guarded(&largest)?, || guard(&largest, [&event], &policy)),
    ];
    println!("{ROUNDS} rounds                             bytes   median µs   parsing µs   ratio   at most");
    for Row { name, bytes, microseconds, parse_microseconds, ratio, at_most } in &rows {
        let at_most = at_most.map(|at_most| format!("{at_most:.2}")).unwrap_or_default();
        println!("{name:<36} {bytes:>9} {microseconds:>11.1} {parse_microseconds:>12.1} {ratio:>7.2} {at_most:>9}");
    }
    let missed: Vec<_> =
        rows.iter().filter(|row| row.at_most.is_some_and(|at_most| row.ratio > at_most)).map(|row| row.name).collect();
    if !missed.is_empty() {
        eprintln!("too slow: {}", missed.join("; "));
    }
    Ok(missed.is_empty())
}

/// Measures in turn with parsing, so that whatever slows a round down affects both.
fn row<T>(name: &'static str, at_most: Option<f64>, body: &Value, measured: impl Fn() -> T) -> Row {
    let text = body.to_string();
    let parse = || serde_json::from_str::<Value>(&text);
    let (count, parse_count) = (repeats(&measured), repeats(&parse));
    let (mut times, mut parse_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let time = microseconds(&measured, count);
        let parse_time = microseconds(&parse, parse_count);
        times.push(time);
        parse_times.push(parse_time);
        ratios.push(time / parse_time);
    }
    Row {
        name,
        bytes: text.len(),
        microseconds: median(&mut times),
        parse_microseconds: median(&mut parse_times),
        ratio: median(&mut ratios),
        at_most,
    }
}

/// How often `measured` must run to take `ROUND_TAKES`.
fn repeats<T>(measured: &impl Fn() -> T) -> u32 {
    let mut count = 1;
    loop {
        let start = Instant::now();
        for _ in 0..count {
            black_box(measured());
        }
        if start.elapsed() >= ROUND_TAKES {
            return count;
        }
        count *= 2;
    }
}

fn microseconds<T>(measured: &impl Fn() -> T, count: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        black_box(measured());
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(count)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A typical message: the plugin's own markup around values from outside.
fn typical() -> Value {
    let field = |label: &str, value: &str| json!({ "label": label, "value": { "plain": value } });
    json!({
        "text": { "mrkdwn": ":no_entry: *203.0.113.7* banned in sshd" },
        "blocks": [
            { "header": "Banned in sshd" },
            { "section": {
                "text": { "mrkdwn": ":no_entry: *203.0.113.7* banned after 5 failures, <https://example.org/ip/203.0.113.7|look it up>" },
                "fields": [field("Host", "web-1"), field("Jail", "sshd"), field("For", "10 min"), field("Country", "–")] } },
            { "preformatted": "Failed password for <root> from 203.0.113.7 port 4711 ssh2" },
            { "context": [{ "plain": "web-1" }, { "mrkdwn": "<!date^1763809015^{date_short} {time}|then>" }] },
            { "buttons": [{ "label": "Look it up", "url": "https://example.org/ip/203.0.113.7" }] },
        ],
    })
}

/// 50 blocks with as much text as the guard accepts.
fn largest_message() -> Value {
    let section = |index: usize| {
        let text = format!("*{index}* <https://example.org/{index}|a & b> {}", "x ".repeat(80));
        json!({ "section": { "text": { "mrkdwn": text } } })
    };
    let mut blocks: Vec<Value> = (0..39).map(section).collect();
    blocks.extend((0..10).map(|index| {
        let buttons = vec![json!({ "label": "open", "url": format!("https://example.org/{index}") }); 25];
        json!({ "buttons": buttons })
    }));
    blocks.push(json!({ "table": vec![vec![json!({ "plain": "1" }); 20]; 20] }));
    json!({ "text": { "mrkdwn": "x ".repeat(1_500) }, "blocks": blocks })
}

/// Everything as many times and as long as Slack's documentation allows.
fn largest_body() -> Value {
    let text = |count: usize| json!({ "type": "mrkdwn", "text": "x".repeat(count) });
    let section = json!({ "type": "section", "text": text(3_000), "fields": vec![text(2_000); 10] });
    let option = json!({ "text": { "type": "plain_text", "text": "x".repeat(75) }, "value": "x".repeat(150) });
    let select = json!({ "type": "static_select", "options": vec![option; 100] });
    let cell = json!({ "type": "raw_text", "text": "xxxxx" });
    let mut blocks = vec![section; 38];
    blocks.extend(vec![json!({ "type": "actions", "elements": vec![select; 1] }); 10]);
    blocks.push(json!({ "type": "markdown", "text": "x".repeat(12_000) }));
    blocks.push(json!({ "type": "table", "rows": vec![vec![cell; 20]; 100] }));
    json!({ "text": "x".repeat(4_000), "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}
