//! A message as paragraphs of runs, each with one look: for services that take the look of a text next to the text, or show
//! plain text. No character of them is markup.

use blockkit::inline::{Inline, Style};
use blockkit::{emoji, web_url};
use serde_json::{Value, json};

use super::model::{Image, Message};
use super::rich::to_elements;
use super::sanitizer::Sanitizer;
use super::slack_compatible::{Part, encoded_url, parts};
use super::unlinked::Unlinked;

/// A paragraph, on lines of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paragraph {
    /// What it is.
    pub kind: ParagraphKind,
    /// Its text.
    pub runs: Vec<Run>,
}

/// What a paragraph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParagraphKind {
    /// Text.
    Text,
    /// A heading.
    Heading,
    /// An item of a list, with its marker.
    Item,
    /// A quotation.
    Quote,
    /// Monospaced.
    Code,
    /// A horizontal line.
    Divider,
}

/// Text with one look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Run {
    /// The text.
    pub text: String,
    /// Its look.
    pub style: Style,
    /// Its link: http or https.
    pub link: Option<String>,
}

/// The line of a divider, in plain text.
const DIVIDER: &str = "──────────";

/// Ends a message that was cut.
const CUT: char = '…';

/// Returns the paragraphs of a message, and its pictures. Mentions are text; times are in UTC.
pub(super) fn paragraphs(message: &Message, sanitizer: &Sanitizer) -> (Vec<Paragraph>, Vec<Image>) {
    let (parts, mut images) = parts(message, sanitizer);
    images.retain(|image| web_url(&image.url).is_some());
    (parts.iter().flat_map(of_part).collect(), images)
}

/// Returns a picture as a paragraph with a link to it.
pub(super) fn of_picture(image: &Image) -> Vec<Paragraph> {
    of_part(&Part::picture(image))
}

fn of_part(part: &Part) -> Vec<Paragraph> {
    let one = |kind, runs| vec![Paragraph { kind, runs }];
    let plain = |text: &str| Run { text: text.to_owned(), ..Run::default() };
    match part {
        Part::Text(inlines) => of_inlines(inlines, ParagraphKind::Text),
        Part::Heading(text) => one(ParagraphKind::Heading, vec![plain(text)]),
        Part::Divider => one(ParagraphKind::Divider, Vec::new()),
        Part::Code(text) => one(ParagraphKind::Code, vec![plain(text)]),
        Part::Item(marker, inlines) => {
            let mut runs = vec![plain(marker)];
            runs.extend(inlines.iter().filter_map(run));
            one(ParagraphKind::Item, runs)
        }
        Part::Quote(inlines) => of_inlines(inlines, ParagraphKind::Quote),
    }
}

/// Code within text is a paragraph of its own.
fn of_inlines(inlines: &[Inline], kind: ParagraphKind) -> Vec<Paragraph> {
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    let mut runs = Vec::new();
    for inline in inlines {
        match inline {
            Inline::Preformatted(text) => {
                paragraphs.push(Paragraph { kind, runs: std::mem::take(&mut runs) });
                let code = Run { text: text.trim_matches('\n').to_owned(), ..Run::default() };
                paragraphs.push(Paragraph { kind: ParagraphKind::Code, runs: vec![code] });
            }
            inline => runs.extend(run(inline)),
        }
    }
    paragraphs.push(Paragraph { kind, runs });
    // The line feeds around code are its own.
    if paragraphs.len() > 1 {
        for paragraph in paragraphs.iter_mut().filter(|paragraph| paragraph.kind == kind) {
            if let Some(first) = paragraph.runs.first_mut() {
                first.text = first.text.trim_start_matches('\n').to_owned();
            }
            if let Some(last) = paragraph.runs.last_mut() {
                last.text.truncate(last.text.trim_end_matches('\n').len());
            }
        }
    }
    paragraphs.retain(|paragraph| paragraph.runs.iter().any(|run| !run.text.trim().is_empty()));
    paragraphs
}

fn run(inline: &Inline) -> Option<Run> {
    let run = match inline {
        Inline::Text(text, style) => Run { text: text.clone(), style: *style, link: None },
        Inline::Emoji(name, _) => {
            let text = emoji::by_name(name).unwrap_or_else(|| format!(":{name}:"));
            Run { text, ..Run::default() }
        }
        Inline::Link { url, style, .. } => {
            Run { text: inline.shown(), style: *style, link: web_url(url).map(String::from) }
        }
        Inline::Quote => Run { text: "> ".to_owned(), ..Run::default() },
        inline => Run { text: inline.shown(), ..Run::default() },
    };
    Some(run).filter(|run| !run.text.is_empty())
}

/// Returns the paragraphs with breaks in what a reader's program would make a link or a mention of, but for the links of the
/// message itself.
pub(super) fn unlink(paragraphs: &[Paragraph], unlinked: Unlinked) -> Vec<Paragraph> {
    let mut paragraphs = paragraphs.to_vec();
    for paragraph in &mut paragraphs {
        let mut before = None;
        for index in 0..paragraph.runs.len() {
            let after = paragraph.runs.get(index + 1).and_then(|next| next.text.chars().next());
            if let Some(run) = paragraph.runs.get_mut(index) {
                let is_url = run.link.as_ref() == Some(&run.text);
                let is_code = run.style.code && run.link.is_none() || paragraph.kind == ParagraphKind::Code;
                if !is_url && (unlinked.code || !is_code) {
                    run.text = unlinked.of(&run.text, before, after);
                }
                before = run.text.chars().next_back().or(before);
            }
        }
    }
    paragraphs
}

/// Returns as much of the paragraphs from the beginning as fits, with an ellipsis if that is not all.
pub(super) fn fitting(paragraphs: Vec<Paragraph>, fits: impl Fn(&[Paragraph]) -> bool) -> Vec<Paragraph> {
    if fits(&paragraphs) {
        return paragraphs;
    }
    let runs = paragraphs.iter().flat_map(|paragraph| &paragraph.runs);
    let (mut fitting, mut too_many) = (0, runs.map(|run| run.text.chars().count()).sum::<usize>());
    while too_many > fitting + 1 {
        let middle = usize::midpoint(fitting, too_many);
        if fits(&beginning(&paragraphs, middle)) {
            fitting = middle;
        } else {
            too_many = middle;
        }
    }
    beginning(&paragraphs, fitting)
}

/// Returns the first characters of the paragraphs, and an ellipsis.
fn beginning(paragraphs: &[Paragraph], chars: usize) -> Vec<Paragraph> {
    let mut left = chars;
    let mut kept = Vec::new();
    for paragraph in paragraphs {
        let mut runs = Vec::new();
        for run in &paragraph.runs {
            let length = run.text.chars().count();
            if length <= left {
                left -= length;
                runs.push(run.clone());
                continue;
            }
            let mut text: String = run.text.chars().take(left).collect();
            text.push(CUT);
            runs.push(Run { text, ..run.clone() });
            kept.push(Paragraph { kind: paragraph.kind, runs });
            return kept;
        }
        kept.push(Paragraph { kind: paragraph.kind, runs });
    }
    kept
}

/// What stands between a paragraph and the next.
pub(super) fn separator(paragraph: ParagraphKind, next: ParagraphKind) -> &'static str {
    match (paragraph, next) {
        (ParagraphKind::Item, ParagraphKind::Item) | (ParagraphKind::Divider, _) | (_, ParagraphKind::Divider) => "\n",
        _ => "\n\n",
    }
}

/// Returns the paragraphs as plain text; a link's target stands in parentheses after its text.
pub(super) fn plain_text(paragraphs: &[Paragraph]) -> String {
    let mut text = String::new();
    let mut before = None;
    for paragraph in paragraphs {
        if let Some(before) = before {
            text.push_str(separator(before, paragraph.kind));
        }
        before = Some(paragraph.kind);
        match paragraph.kind {
            ParagraphKind::Divider => text.push_str(DIVIDER),
            ParagraphKind::Quote => text.push_str(&format!("> {}", lines(&paragraph.runs).replace('\n', "\n> "))),
            _ => text.push_str(&lines(&paragraph.runs)),
        }
    }
    text
}

fn lines(runs: &[Run]) -> String {
    let mut text = String::new();
    for run in runs {
        match &run.link {
            Some(url) if *url == run.text => text.push_str(&encoded_url(url)),
            Some(url) => text.push_str(&format!("{} ({})", run.text, encoded_url(url))),
            None => text.push_str(&run.text),
        }
    }
    text
}

/// Returns the paragraphs as blocks that a preview draws.
pub(super) fn blocks(paragraphs: &[Paragraph]) -> Vec<Value> {
    paragraphs.iter().map(block).collect()
}

fn block(paragraph: &Paragraph) -> Value {
    let inlines = || {
        paragraph.runs.iter().map(|run| match &run.link {
            Some(url) => Inline::Link { url: url.clone(), label: Some(run.text.clone()), style: run.style },
            None => Inline::Text(run.text.clone(), run.style),
        })
    };
    let rich = |kind: &str| {
        let elements = to_elements(inlines().collect(), usize::MAX);
        json!({ "type": "rich_text", "elements": [{ "type": kind, "elements": elements }] })
    };
    match paragraph.kind {
        ParagraphKind::Text | ParagraphKind::Item => rich("rich_text_section"),
        ParagraphKind::Heading => {
            let text: String = paragraph.runs.iter().map(|run| run.text.as_str()).collect();
            json!({ "type": "header", "text": { "type": "plain_text", "text": text, "emoji": false } })
        }
        ParagraphKind::Quote => rich("rich_text_quote"),
        ParagraphKind::Code => rich("rich_text_preformatted"),
        ParagraphKind::Divider => json!({ "type": "divider" }),
    }
}
