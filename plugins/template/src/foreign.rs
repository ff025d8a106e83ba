//! What other languages write in a template, and what a template has instead: fail2ban's tags, Markdown and HTML. A template
//! prints all of it as it is.

use crate::error::TemplateError;
use crate::names::tags;
use crate::setting::{DIGEST, Settings};

/// fail2ban's tags that are often tried in a template, and what a template has instead.
const TAGS: [(&str, &str); 14] = [
    ("ip", "{{ ip }}"),
    ("fid", "{{ ip }}"),
    ("F-ID", "{{ ip }}"),
    ("name", "{{ jail }}"),
    ("jail", "{{ jail }}"),
    ("host", "{{ host }}"),
    ("fq-hostname", "{{ host }}"),
    ("sh-hostname", "{{ host }}"),
    ("failures", "{{ failures }}"),
    ("bantime", "{{ duration | span }}"),
    ("bancount", "{{ count }}"),
    ("time", "{{ at | date }}"),
    ("matches", "{{ matches | last | code }}"),
    ("restored", "{{ restored }}"),
];

/// How text around a tag is written, in fail2ban and elsewhere.
const TAG_MARKS: [(&str, &str); 5] = [("<", ">"), ("%(", ")s"), ("${", "}"), ("{", "}"), ("$", "")];

/// The beginning of the tags with what a filter captured.
const CAPTURED: &str = "<F-";

/// Pairs of marks of Markdown and HTML, and those of Slack.
const MARKS: [(&str, &str, &str, &str); 6] = [
    ("**", "**", "*", "*"),
    ("~~", "~~", "~", "~"),
    ("<b>", "</b>", "*", "*"),
    ("<strong>", "</strong>", "*", "*"),
    ("<i>", "</i>", "_", "_"),
    ("<code>", "</code>", "`", "`"),
];

/// Variables that print what no reader wants when they are printed alone, and how they are printed.
const EVENT_PRINTS: [(&str, &str, &str); 5] = [
    ("at", TIME, "{{ at | date }}"),
    ("ticket_at", TIME, "{{ ticket_at | date }}"),
    ("until", TIME, "{{ until | date }}"),
    ("duration", SECONDS, "{{ duration | span }}"),
    ("matches", LIST, "{{ matches | last | code }}"),
];

/// The same for a digest.
const DIGEST_PRINTS: [(&str, &str, &str); 6] = [
    ("first", TIME, "{{ first | date }}"),
    ("last", TIME, "{{ last | date }}"),
    ("span", SECONDS, "{{ span | span }}"),
    ("jails", LIST, "{{ jails | tally }}"),
    ("subjects", LIST, "{{ subjects | tally }}"),
    ("hosts", LIST, "{{ hosts | tally }}"),
];

const TIME: &str = "seconds since 1970";
const SECONDS: &str = "seconds";
const LIST: &str = "a list in brackets";

/// fail2ban's tags, whose values would be missing.
pub fn tags_of_fail2ban(settings: &Settings, source: &str) -> Vec<TemplateError> {
    let mut errors = Vec::new();
    for (index, line) in without_tags(source).lines().enumerate() {
        let mut report = |message| errors.push(TemplateError::at(settings, index + 1, message));
        for (tag, variable) in TAGS {
            let written = TAG_MARKS.into_iter().map(|(open, close)| format!("{open}{tag}{close}"));
            for written in written.filter(|written| has_tag(line, written)).take(1) {
                report(format!("\"{written}\" is not a variable of a template; write {variable}"));
            }
        }
        for (at, _) in line.match_indices(CAPTURED) {
            let tag = line.get(at..).and_then(|rest| rest.get(..=rest.find('>')?)).unwrap_or_default();
            if is_captured(tag) {
                report(format!(
                    "\"{tag}\" is not a variable of a template, and events do not have it; \
                     {{{{ matches | last | code }}}} prints the log line"
                ));
            }
        }
    }
    errors
}

/// Markup of other languages, and values that print what no reader wants: likely mistakes, which a template may have.
pub fn warnings(settings: &Settings, source: &str) -> Vec<TemplateError> {
    let plain = without_tags(source);
    let mut offset = 0;
    let mut warnings = Vec::new();
    for (index, line) in plain.split_inclusive('\n').enumerate() {
        let written = source.get(offset..offset + line.len()).unwrap_or(line);
        offset += line.len();
        let mut report = |message| warnings.push(TemplateError::at(settings, index + 1, message));
        for (open, close, slack_open, slack_close) in MARKS {
            if let Some(text) = between(line, open, close).and_then(|range| written.get(range)) {
                report(format!("\"{open}{text}{close}\" is not Slack's markup; write {slack_open}{text}{slack_close}"));
            }
        }
        if let Some((label, url)) = markdown_link(line) {
            let (label, url) = (written.get(label).unwrap_or_default(), written.get(url).unwrap_or_default());
            report(format!("\"[{label}]({url})\" is not Slack's markup; write <{url}|{label}>"));
        }
    }
    warnings.extend(printed_raw(settings, source));
    warnings
}

/// The variables that a template prints without the filter that they need.
fn printed_raw(settings: &Settings, source: &str) -> Vec<TemplateError> {
    let known: &[_] = if settings.template == DIGEST.template { &DIGEST_PRINTS } else { &EVENT_PRINTS };
    let raw = |(line, tag): (usize, &str)| {
        let inner = tag.strip_prefix("{{")?.strip_suffix("}}")?;
        let name = inner.trim_matches(|character: char| character == '-' || character.is_whitespace());
        let (_, printed, write) = known.iter().find(|(variable, ..)| *variable == name)?;
        Some(TemplateError::at(settings, line, format!("\"{tag}\" prints {printed}; write {write}")))
    };
    tags(source).into_iter().filter_map(raw).collect()
}

/// The template with a letter for each byte of its tags: what it prints as it is.
fn without_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    for (_, tag) in tags(source) {
        // Tags are slices of the template.
        let Some((before, after)) = rest.split_once(tag) else { break };
        out.push_str(before);
        out.extend(tag.bytes().map(|byte| if byte == b'\n' { '\n' } else { 'x' }));
        rest = after;
    }
    out + rest
}

/// Whether a line has this tag; `$ip` is not one in `$ipset`.
fn has_tag(line: &str, tag: &str) -> bool {
    let is_open = !tag.ends_with(['>', 's', '}']) || tag.starts_with('$') && !tag.ends_with('}');
    line.match_indices(tag).any(|(at, _)| {
        let after = line.get(at + tag.len()..).unwrap_or_default();
        !is_open || !after.starts_with(|next: char| next.is_alphanumeric() || next == '_' || next == '-')
    })
}

fn is_captured(tag: &str) -> bool {
    let name = tag.trim_start_matches(CAPTURED).trim_end_matches('>');
    TAGS.iter().all(|(known, _)| *known != format!("F-{name}"))
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// The place of the first text between two marks that have no space at their inner sides.
fn between(line: &str, open: &str, close: &str) -> Option<std::ops::Range<usize>> {
    let start = line.find(open)? + open.len();
    let length = line.get(start..)?.find(close)?;
    let text = line.get(start..start + length)?;
    (!text.is_empty() && text.trim() == text).then_some(start..start + length)
}

/// The places of label and URL of the first link of Markdown.
fn markdown_link(line: &str) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let middle = line.find("](")?;
    let label = line.get(..middle)?.rfind('[')? + 1;
    let url = middle + "](".len();
    let length = line.get(url..)?.find(')')?;
    let target = line.get(url..url + length)?;
    // A template may print the whole URL.
    let is_url = target.contains("://") || target.starts_with("mailto:") || target.bytes().all(|byte| byte == b'x');
    (is_url && !target.is_empty()).then_some((label..middle, url..url + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::BAN;

    fn found(errors: Vec<TemplateError>) -> Vec<String> {
        let shown = |error: TemplateError| match error.line {
            Some(line) => format!("line {line}: {}", error.message),
            None => error.message,
        };
        errors.into_iter().map(shown).collect()
    }

    #[test]
    fn tags_of_fail2ban_are_pointed_at_variables() {
        for (source, tag, variable) in [
            ("<ip> banned", "<ip>", "{{ ip }}"),
            ("in <name>", "<name>", "{{ jail }}"),
            ("%(bantime)s", "%(bantime)s", "{{ duration | span }}"),
            ("${ip}", "${ip}", "{{ ip }}"),
            ("{ip}", "{ip}", "{{ ip }}"),
            ("<F-ID> {{ ip }}", "<F-ID>", "{{ ip }}"),
            ("$ip: banned", "$ip", "{{ ip }}"),
            ("in $failures", "$failures", "{{ failures }}"),
        ] {
            let expected = format!("line 1: \"{tag}\" is not a variable of a template; write {variable}");
            assert_eq!(found(tags_of_fail2ban(&BAN, source)), [expected], "{source}");
        }
        for good in
            ["{{ip}} {{jail}} <https://a.example/{{ip}}|ip> 1 < ip > 0", "$ipset $5 {{ '$ip' }} <F-X", "é{{ip}}$"]
        {
            assert_eq!(found(tags_of_fail2ban(&BAN, good)), [""; 0], "{good}");
        }
    }

    #[test]
    fn tags_of_fail2ban_without_a_variable_are_named() {
        assert_eq!(
            found(tags_of_fail2ban(&BAN, "x\nby <F-USER>")),
            ["line 2: \"<F-USER>\" is not a variable of a template, and events do not have it; \
                 {{ matches | last | code }} prints the log line"]
        );
    }

    #[test]
    fn warnings_markup_of_other_languages_is_written_as_slack_does() {
        for (source, expected) in [
            ("**{{ ip }}** banned", "\"**{{ ip }}**\" is not Slack's markup; write *{{ ip }}*"),
            ("é ~~old~~", "\"~~old~~\" is not Slack's markup; write ~old~"),
            ("<b>{{ jail }}</b>", "\"<b>{{ jail }}</b>\" is not Slack's markup; write *{{ jail }}*"),
            (
                "see [{{ ip }}](https://a.example/{{ ip }})",
                "\"[{{ ip }}](https://a.example/{{ ip }})\" is not Slack's markup; write <https://a.example/{{ ip }}|{{ ip }}>",
            ),
            ("{{ at }}", "\"{{ at }}\" prints seconds since 1970; write {{ at | date }}"),
            ("{{- duration -}}", "\"{{- duration -}}\" prints seconds; write {{ duration | span }}"),
            ("{{ matches }}", "\"{{ matches }}\" prints a list in brackets; write {{ matches | last | code }}"),
        ] {
            assert_eq!(found(warnings(&BAN, source)), [format!("line 1: {expected}")], "{source}");
        }
        assert_eq!(found(warnings(&DIGEST, "\n{{ first }}")).len(), 1);
        for good in [
            "*{{ ip }}* _x_ ~y~ `z` <https://a.example|a> {{ at | date }} {{ 2 ** 3 }} 2 ** 3 ** 4",
            "[{{ jail }}] ({{ ip }}) {{ '**b**' }} [x](y)",
            "{% if duration %}{{ duration | span }}{% endif %} {{ matches | join(' ') }} <!here>",
        ] {
            assert_eq!(found(warnings(&BAN, good)), [""; 0], "{good}");
        }
    }
}
