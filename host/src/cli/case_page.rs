//! A plugin's cases as a web page: each as every target shows it, with its decision, its difference from the expected one,
//! and all else that is known of it. `preview --html` writes it as a file; `plugin dev` keeps it up to date in a browser.
//!
//! Nothing on the page comes from elsewhere, and its policy forbids it. Every text is escaped: by maud, or, in a message, by
//! blockkit.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use blockkit::{stylesheet, to_article};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};
use similar::{ChangeTag, TextDiff};

use super::case_preview::CasePreview;
use super::case_run::{CaseResult, CaseRun, InvalidCase, TestedCase, shares};
use super::plugin_case::pretty;
use super::plugin_file::PluginFile;
use crate::hex::hex;
use crate::message::{clean, one_line};

/// Who sends the messages on the page.
const SENDER: &str = "banhook";

const STYLE: &str = include_str!("case_page/style.css");
const SCRIPT: &str = include_str!("case_page/script.js");

/// Shares of a limit from which on it is marked.
const HIGH: f64 = 0.5;

/// The page.
pub(super) struct CasePage<'p> {
    /// The plugin that made the messages.
    pub plugin: Option<&'p PluginFacts>,
    /// Its cases.
    pub run: Option<&'p CaseRun>,
    /// What a page that is kept up to date shows besides.
    pub live: Option<Live<'p>>,
}

/// The state of a page that is kept up to date.
#[derive(Debug, Clone, Copy)]
pub(super) struct Live<'p> {
    /// Grows with each change.
    pub revision: u64,
    pub build: Build<'p>,
}

/// How the latest build went.
#[derive(Debug, Clone, Copy)]
pub(super) enum Build<'p> {
    /// It runs.
    Running,
    /// The plugin on the page is its product.
    Done { seconds: f64 },
    /// What the compiler said, or why the plugin does not load.
    Failed(&'p str),
}

/// What there is to know of a plugin's file.
#[derive(Debug)]
pub(super) struct PluginFacts {
    pub name: String,
    pub bytes: usize,
    pub sha256: String,
    /// When the file was written, in milliseconds since 1970; `None` for the built-in plugin.
    pub written: Option<u128>,
}

impl PluginFacts {
    /// Returns the facts of a plugin.
    pub(super) fn of(plugin: &PluginFile) -> Self {
        let written = plugin.path.metadata().and_then(|meta| meta.modified()).ok();
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self {
            name: plugin.path.display().to_string(),
            bytes: plugin.bytes.len(),
            sha256: hex(&plugin.sha256),
            written: written.map(since),
        }
    }
}

impl CasePage<'_> {
    /// Returns the whole page.
    pub(super) fn document(&self) -> String {
        let style = format!("{}{STYLE}", stylesheet());
        let policy = policy();
        let revision = self.live.map(|live| live.revision);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="referrer" content="no-referrer";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { "Messages of a banhook plugin" }
                    style { (PreEscaped(style)) }
                }
                body data-revision=[revision] {
                    div #content { (self.content_markup()) }
                    @if self.live.is_some() { (editor()) }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string()
    }

    /// Returns what changes on the page.
    pub(super) fn content(&self) -> String {
        self.content_markup().into_string()
    }

    fn content_markup(&self) -> Markup {
        let is_live = self.live.is_some();
        let cases = self.run.map_or(&[][..], |run| &run.tested);
        let invalid = self.run.map_or(&[][..], |run| &run.invalid);
        html! {
            header.facts {
                h1 { "banhook" }
                @if let Some(plugin) = self.plugin { (facts(plugin)) }
                @if let Some(live) = self.live { (state(live.build)) }
                @if let Some(run) = self.run {
                    p #sum { (run.sum()) }
                    @if let Some(line) = run.uncovered.line() { p.quiet { (line) } }
                }
                @if is_live { p.quiet.keys { kbd { "j" } " " kbd { "k" } " next, previous  " kbd { "a" } " accept  " kbd { "e" } " edit" } }
            }
            @if let Some(Live { build: Build::Failed(why), .. }) = self.live {
                section #failure role="alert" {
                    h2 { "The latest version cannot be used" }
                    pre { (lines(why)) }
                    @if self.run.is_some() { p.quiet { "Below is the last version that did." } }
                }
            }
            nav aria-label="Cases" {
                ol {
                    @for case in cases {
                        li { a href={ "#case-" (name(&case.file)) } class=(result_class(case)) { (name(&case.file)) } }
                    }
                    @for (file, _) in invalid { li { a.invalid href={ "#case-" (name(file)) } { (name(file)) } } }
                }
            }
            main #cases {
                @for case in cases { (self::case(case, is_live)) }
                @for case in invalid { (self::invalid(case)) }
            }
        }
    }
}

/// What the page may load and do. The script is allowed by its hash, so that no other one runs.
fn policy() -> String {
    let hash = BASE64_STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'"
    )
}

fn facts(plugin: &PluginFacts) -> Markup {
    html! {
        p #plugin {
            b { (one_line(&plugin.name)) }
            " " (plugin.bytes) " bytes"
            " SHA-256 " code title=(plugin.sha256) { (plugin.sha256.get(..12).unwrap_or_default()) "…" }
            @if let Some(written) = plugin.written { " " time data-written=(written) {} }
        }
    }
}

fn state(build: Build<'_>) -> Markup {
    html! {
        p #build {
            @match build {
                Build::Running => span.running { "building …" },
                Build::Done { seconds } => span.done { (format!("built in {seconds:.1} s")) },
                Build::Failed(_) => span.failed { "build failed" },
            }
        }
    }
}

fn case(case: &TestedCase, is_live: bool) -> Markup {
    let decided = &case.decided;
    let name = name(&case.file);
    html! {
        section.case id={ "case-" (name) } data-case=(name) tabindex="-1" {
            h2 { (name) " " span.result.(result_class(case)) { (result(case)) } }
            @if !case.about.is_empty() { p.about { (one_line(&case.about)) } }
            @if let CaseResult::Rejected(why) = &case.result { p.problem { (one_line(why)) } }
            div.targets { @for preview in &decided.previews { (target(preview)) } }
            @if let Some((expected, found)) = case.difference() { (difference(expected.as_deref(), &found)) }
            @for problem in &decided.problems { p.problem { "the plugin " (one_line(problem)) } }
            @for warning in &decided.warnings { p.warning { (one_line(warning)) } }
            @if !decided.backtrace.is_empty() { (details("backtrace", &decided.backtrace.join("\n"), true)) }
            @if !decided.log.is_empty() {
                (details(&format!("log: {} lines", decided.log.len()), &log(case), case.difference().is_some()))
            }
            @if !decided.printed.is_empty() { (details("printed", &decided.printed, true)) }
            @if !decided.decision.is_null() { (details("decision", &pretty(&decided.decision), false)) }
            (usage(case))
            @if is_live {
                p.actions {
                    @if matches!(case.result, CaseResult::Differs(_)) { button.accept type="button" { "Accept" } }
                    button.edit type="button" data-source=(case.source) { "Edit" }
                }
            }
        }
    }
}

fn invalid((file, error): &InvalidCase) -> Markup {
    let name = name(file);
    html! {
        section.case id={ "case-" (name) } tabindex="-1" {
            h2 { (name) " " span.result.invalid { "invalid" } }
            p.problem { (one_line(&format!("{error:#}"))) }
        }
    }
}

fn target(preview: &CasePreview) -> Markup {
    html! {
        figure.target data-target=(preview.target.key()) {
            figcaption { (preview.target.name()) }
            @match &preview.message {
                Ok(body) => (PreEscaped(to_article(SENDER, body))),
                Err(why) => p.none { (why) },
            }
        }
    }
}

fn difference(expected: Option<&str>, found: &str) -> Markup {
    let Some(expected) = expected else {
        return html! { p.problem { "This case expects no decision yet." } };
    };
    let difference = TextDiff::from_lines(expected, found);
    html! {
        pre.difference aria-label="Difference between the expected decision and the plugin's" {
            @for group in difference.grouped_ops(3) {
                @for change in group.iter().flat_map(|op| difference.iter_changes(op)) {
                    @match change.tag() {
                        ChangeTag::Delete => del { "- " (clean(change.value())) },
                        ChangeTag::Insert => ins { "+ " (clean(change.value())) },
                        ChangeTag::Equal => span { "  " (clean(change.value())) },
                    }
                }
            }
        }
    }
}

fn details(title: &str, text: &str, open: bool) -> Markup {
    html! {
        details open[open] { summary { (title) } pre { (lines(text)) } }
    }
}

fn usage(case: &TestedCase) -> Markup {
    html! {
        ul.usage {
            @for share in shares(&case.decided.usage) {
                @let percent = 100.0 * share.fraction;
                li.high[share.fraction >= HIGH] {
                    (share.name) " " b { (share.used) } " of " (share.allowed) (format!(" ({percent:.1} %)"))
                }
            }
        }
    }
}

/// The editor of a case's settings and event.
fn editor() -> Markup {
    html! {
        dialog #editor {
            form method="dialog" {
                label for="source" { "A case: its event, settings, history, geo and the rest" }
                textarea #source spellcheck="false" rows="18" {}
                p #tried aria-live="polite" {}
                div #result {}
                p.actions {
                    button #run type="button" { "Run " kbd { "Ctrl+Enter" } }
                    button #save type="button" { "Save with this decision" }
                    button { "Close" }
                }
            }
        }
    }
}

fn log(case: &TestedCase) -> String {
    let lines = case.decided.log.iter().map(|line| format!("{:?}: {}", line.level, line.message));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns text over several lines, with hidden characters made visible.
fn lines(text: &str) -> String {
    text.lines().map(|line| clean(line).into_owned()).collect::<Vec<_>>().join("\n")
}

/// Returns one case, for a page that has it.
pub(super) fn fragment(tested: &TestedCase) -> String {
    case(tested, false).into_string()
}

/// Returns the name of a case: that of its file, without extension.
fn name(file: &str) -> String {
    let stem = std::path::Path::new(file).file_stem().unwrap_or_default();
    one_line(&stem.to_string_lossy())
}

const fn result_class(case: &TestedCase) -> &'static str {
    match case.result {
        CaseResult::Passed { .. } | CaseResult::Updated(_) => "passed",
        CaseResult::Differs(_) | CaseResult::Rejected(_) => "failed",
    }
}

const fn result(case: &TestedCase) -> &'static str {
    match case.result {
        CaseResult::Passed { fails: true } => "ok: fails, as the case says",
        CaseResult::Passed { fails: false } => "ok",
        CaseResult::Updated(_) => "accepted",
        CaseResult::Differs(None) => "new",
        CaseResult::Differs(Some(_)) => "differs",
        CaseResult::Rejected(_) => "failed",
    }
}
