//! The check of the settings at load: unknown names, fail2ban's tags, templates that do not compile, and templates that do
//! not render for typical events; and likely mistakes, as warnings.

use minijinja::value::Value;

use crate::bindings::banhook::plugin::types::{Action, Ban, Duration, Event, OtherAction};
use crate::bindings::exports::banhook::plugin::checker::{Level, Problem};
use crate::bindings::exports::banhook::plugin::digester::{Batch, Cause};
use crate::engine::Engine;
use crate::error::{TemplateError, unknown_name};
use crate::names::{Use, names};
use crate::setting::{self, Settings};
use crate::variables::Variables;
use crate::{digest_variables, filters, foreign, links, sample};

/// The most errors of one template, and the most warnings.
const ERRORS: usize = 20;

/// All problems of a route's settings, in their order.
pub fn problems(engine: &Engine, settings: &[(String, String)]) -> Vec<Problem> {
    settings
        .iter()
        .flat_map(|(key, value)| {
            let errors = match Settings::ALL.into_iter().find(|known| [known.template, known.color].contains(&&**key)) {
                None if key == links::SETTING => without_lines(links::problems(value)),
                // The host finds it: the plugin has described its settings.
                None => Vec::new(),
                Some(known) if known.color == key => without_lines(wrong_color(value)),
                Some(known) => wrong_template(engine, &known, value),
            };
            errors.into_iter().map(|(level, line, message)| Problem {
                setting: Some(key.clone()),
                line: line.and_then(|line| line.try_into().ok()),
                level,
                message,
                hints: None,
            })
        })
        .collect()
}

/// What is wrong with a setting: how much it matters, the line, and the text.
type Finding = (Level, Option<usize>, String);

fn without_lines(messages: impl IntoIterator<Item = String>) -> Vec<Finding> {
    messages.into_iter().map(|message| (Level::Error, None, message)).collect()
}

fn wrong_color(word: &str) -> Option<String> {
    match setting::parse_color(word) {
        Some(_) => None,
        None => Some(format!("\"{word}\" is not a color; use good, warning, danger, none or one like #ff8000")),
    }
}

/// The errors of a template, by line: fail2ban's tags, unknown names in all branches, and errors of rendering.
fn wrong_template(engine: &Engine, settings: &Settings, source: &str) -> Vec<Finding> {
    let mut errors = foreign::tags_of_fail2ban(settings, source);
    errors.extend(unknown_names(engine, settings, source));
    for error in errors_of_rendering(engine, settings, source) {
        // The engine finds an unknown name where it is used first, without the words of an event.
        if !errors.iter().any(|known| error.message.starts_with(&known.message)) {
            errors.push(error);
        }
    }
    errors.sort_by_key(|error| error.line);
    let errors = errors.into_iter().take(ERRORS).map(|error| (Level::Error, error.line, error.message));
    let warnings = foreign::warnings(settings, source).into_iter().take(ERRORS);
    errors.chain(warnings.map(|warning| (Level::Warn, warning.line, warning.message))).collect()
}

/// The names that no event, or no template, has.
fn unknown_names(engine: &Engine, settings: &Settings, source: &str) -> Vec<TemplateError> {
    let names = names(source);
    let line_of = |variable: &str| {
        names.iter().find(|name| name.used == Use::Variable && name.name == variable).map(|name| name.line)
    };
    let variables = engine.unknown_variables(settings, source);
    let mut errors: Vec<_> =
        variables.iter().map(|name| TemplateError::unknown_variable(settings, name, line_of(name))).collect();
    for name in &names {
        let message = match name.used {
            Use::Filter if filters::names().all(|known| known != name.name) => {
                unknown_name("filter", name.name, filters::names())
            }
            Use::Test if !filters::TESTS.contains(&name.name) => unknown_name("test", name.name, filters::TESTS),
            _ => continue,
        };
        errors.push(TemplateError { setting: settings.template, line: Some(name.line), message });
    }
    errors
}

/// The errors of rendering typical events. Since each ends the rendering, its line is left out for the next, where that
/// leaves a whole template.
fn errors_of_rendering(engine: &Engine, settings: &Settings, source: &str) -> Vec<TemplateError> {
    let mut errors = Vec::new();
    let mut lines: Vec<&str> = source.split('\n').collect();
    while errors.len() < ERRORS {
        let source = lines.join("\n");
        let failed = samples(settings).into_iter().find_map(|(condition, variables)| {
            let mut error = engine.render(settings, Some(&source), variables).err()?;
            error.message.push_str(condition);
            Some(error)
        });
        let Some(error) = failed else { break };
        let line = error.line.and_then(|line| lines.get_mut(line.checked_sub(1)?));
        errors.push(error);
        match line {
            Some(line) if line.contains("}}") && !line.contains("{%") => *line = "",
            _ => break,
        }
    }
    errors
}

/// The variables of events or batches that together take most paths through a template, each with the words that an error
/// adds.
fn samples(settings: &Settings) -> Vec<(&'static str, Value)> {
    if settings.template == setting::DIGEST.template {
        let of = |batch| digest_variables::variables(batch, sample::SILENT_HOST);
        let held = Batch { key: Some("a key".to_owned()), cause: Cause::Held, ..sample::batch() };
        return vec![
            ("", of(sample::batch())),
            (" (when a plugin held the events)", of(held)),
            (" (when nothing but the number of events is known)", of(sample::bare_batch())),
        ];
    }
    let of = |(condition, event)| (condition, Value::from_object(Variables::of(event, host(condition))));
    sample_events(settings).into_iter().map(of).collect()
}

/// The host that is asked about an event: it knows nothing of the bare one.
fn host(condition: &str) -> crate::variables::HostCalls {
    if condition == BARE { sample::SILENT_HOST } else { sample::HOST }
}

/// Events that together take most paths through a template, each with the words that an error adds.
fn sample_events(settings: &Settings) -> Vec<(&'static str, Event)> {
    let of_ban = match settings.template {
        "start" => return vec![("", sample::event(Action::Start)), (BARE, sample::bare(Action::Start))],
        "stop" => return vec![("", sample::event(Action::Stop)), (BARE, sample::bare(Action::Stop))],
        "flush" => return vec![("", sample::event(Action::Flush)), (BARE, sample::bare(Action::Flush))],
        "unban" => Action::Unban,
        "prolong" => |ban| Action::Other(OtherAction { name: "prolong".to_owned(), ban: Some(ban) }),
        _ => Action::Ban,
    };
    let full = sample::ban;
    let restored = Ban { restored: true, ..full() };
    let permanent = Ban { duration: Some(Duration::Permanent), ..full() };
    let by_hand = Ban { failures: None, by_hand: Some(true), ..full() };
    vec![
        ("", sample::event(of_ban(full()))),
        (" (when the ban was restored)", sample::event(of_ban(restored))),
        (" (when the ban is permanent)", sample::event(of_ban(permanent))),
        (" (when the ban was made by hand)", sample::event(of_ban(by_hand))),
        (BARE, sample::bare(of_ban(sample::bare_ban()))),
    ]
}

const BARE: &str = " (when nothing but the jail is known)";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settings: &[(&str, &str)]) -> Vec<String> {
        let settings: Vec<_> = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        problems(&Engine::new(sample::berlin), &settings)
            .into_iter()
            .map(|Problem { setting, line, level, message, .. }| {
                let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
                let warning = if level == Level::Warn { "warning: " } else { "" };
                format!("{}: {warning}{line}{message}", setting.unwrap())
            })
            .collect()
    }

    #[test]
    fn builtin_templates_have_no_problems() {
        let settings: Vec<_> = Settings::ALL
            .iter()
            .filter(|known| !known.builtin.is_empty())
            .map(|known| (known.template, known.builtin))
            .collect();
        assert_eq!(check(&settings), [""; 0]);
    }

    #[test]
    fn settings_valid_have_no_problems() {
        let own = "{{ ip | code }} {% if failures and failures > 3 %}{{ failures }}{% endif %} {{ at | time }}";
        assert_eq!(check(&[("ban", own), ("ban_color", "danger"), ("start", "")]), [""; 0]);
    }

    #[test]
    fn settings_each_mistake_is_reported() {
        assert_eq!(
            check(&[
                ("ban", "{{ jial }}\n{% if false %}{{ contry }}{% endif %}"),
                ("ban_color", "red"),
                ("flush", "{{ jail"),
                ("start", "\n{% if jail %}{{ jail | cod }}{% endif %}"),
                ("unban", "{{ failures + 1 }}"),
            ]),
            [
                r#"ban: line 1: unknown variable "jial"; did you mean "jail"?"#,
                r#"ban: line 2: unknown variable "contry"; did you mean "country"?"#,
                r#"ban_color: "red" is not a color; use good, warning, danger, none or one like #ff8000"#,
                "flush: line 1: syntax error: unexpected end of input, expected end of variable block",
                r#"start: line 2: unknown filter "cod"; did you mean "code"?"#,
                "unban: line 1: {{ failures + 1 }}: invalid operation: tried to use + operator on unsupported types none and number (when the ban was made by hand)",
            ]
        );
    }

    #[test]
    fn template_rare_branch_mistake_is_reported() {
        assert_eq!(
            check(&[("ban", "{% if restored %}{{ ip | cod }}{% endif %}")]),
            [r#"ban: line 1: unknown filter "cod"; did you mean "code"?"#]
        );
        assert_eq!(
            check(&[("ban", "{% if restored %}{{ ip + 1 }}{% endif %}")]).len(),
            1,
            "an error that only rendering finds"
        );
    }

    #[test]
    fn template_every_mistake_is_reported_with_its_line() {
        let source = "{{ jial }}\n{{ ip | cod }} {{ jail is defind }}\n\n{{ ip | ordinal }}\n{{ host | plural('x') }} <ip>\n\
            {% if false %}{{ ip | spn }}{{ contry }}{% endif %}\n{{ jial }}";
        assert_eq!(
            check(&[("ban", source)]),
            [
                r#"ban: line 1: unknown variable "jial"; did you mean "jail"?"#,
                r#"ban: line 2: unknown filter "cod"; did you mean "code"?"#,
                r#"ban: line 2: unknown test "defind"; did you mean "defined"?"#,
                "ban: line 4: {{ ip | ordinal }}: invalid operation: ordinal expects a whole number, not string",
                r#"ban: line 5: "<ip>" is not a variable of a template; write {{ ip }}"#,
                "ban: line 5: {{ host | plural('x') }}: invalid operation: plural expects a whole number, not string",
                r#"ban: line 6: unknown variable "contry"; did you mean "country"?"#,
                r#"ban: line 6: unknown filter "spn"; did you mean "span"?"#,
            ]
        );
    }

    #[test]
    fn template_likely_mistakes_are_warnings() {
        assert_eq!(
            check(&[("ban", "<ip>\n**{{ ip }}** {{ at }}")]),
            [
                r#"ban: line 1: "<ip>" is not a variable of a template; write {{ ip }}"#,
                r#"ban: warning: line 2: "**{{ ip }}**" is not Slack's markup; write *{{ ip }}*"#,
                r#"ban: warning: line 2: "{{ at }}" prints seconds since 1970; write {{ at | date }}"#,
            ]
        );
    }

    #[test]
    fn digest_template_has_its_own_variables() {
        assert_eq!(check(&[("digest", "{{ totals.bans }} {{ subjects | tally(totals.subjects) }}")]), [""; 0]);
        assert_eq!(
            check(&[("digest", "{{ totals.bnas }}\n{{ ip }}{{ subject }}"), ("ban", "{{ totals }}")]),
            [
                "digest: line 1: {{ totals.bnas }}: a value that does not exist is used",
                r#"digest: line 2: unknown variable "ip""#,
                r#"digest: line 2: unknown variable "subject"; did you mean "subjects"?"#,
                r#"ban: line 1: unknown variable "totals""#,
            ]
        );
    }

    #[test]
    fn links_are_checked() {
        assert_eq!(check(&[("links", "shodan")]), [""; 0]);
        assert!(check(&[("links", "shodam")])[0].contains("did you mean \"shodan\"?"));
    }
}
