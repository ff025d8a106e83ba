//! The check of the settings at load: unknown names, templates that do not compile, and templates that do not render for
//! typical events.

use crate::bindings::banhook::plugin::types::{Action, Ban, Duration, Event};
use crate::bindings::exports::banhook::plugin::checker::Problem;
use crate::engine::Engine;
use crate::error::TemplateError;
use crate::nearest;
use crate::sample;
use crate::setting::{self, Settings};

/// All problems of a route's settings, in their order.
pub fn problems(engine: &Engine, settings: &[(String, String)]) -> Vec<Problem> {
    settings
        .iter()
        .flat_map(|(key, value)| {
            let messages = match Settings::ALL.into_iter().find(|known| [known.template, known.color].contains(&&**key))
            {
                None => vec![unknown_setting(key)],
                Some(known) if known.color == key => wrong_color(value).into_iter().collect(),
                Some(known) => wrong_template(engine, &known, value),
            };
            messages.into_iter().map(|message| Problem { setting: key.clone(), message })
        })
        .collect()
}

fn unknown_setting(key: &str) -> String {
    let known = || Settings::ALL.into_iter().flat_map(|known| [known.template, known.color]);
    match nearest::suggestion(key, known()) {
        none if none.is_empty() => format!("unknown setting; known are {}", known().collect::<Vec<_>>().join(", ")),
        suggestion => format!("unknown setting{suggestion}"),
    }
}

fn wrong_color(word: &str) -> Option<String> {
    match setting::parse_color(word) {
        Some(_) => None,
        None => Some(format!("\"{word}\" is not a colour; use {}", setting::COLORS.join(", "))),
    }
}

/// Every unknown variable, or the first error of rendering.
fn wrong_template(engine: &Engine, settings: &Settings, source: &str) -> Vec<String> {
    let mut errors: Vec<_> = engine
        .unknown_variables(settings, source)
        .iter()
        .map(|name| TemplateError::unknown_variable(settings.template, name))
        .collect();
    if errors.is_empty() {
        let failed = sample_events(settings).into_iter().find_map(|(condition, event)| {
            let mut error = engine.render(settings, Some(source), event).err()?;
            error.message.push_str(condition);
            Some(error)
        });
        errors.extend(failed);
    }
    errors.iter().map(TemplateError::without_setting).collect()
}

/// Events that together take most paths through a template, each with the words that an error adds.
fn sample_events(settings: &Settings) -> Vec<(&'static str, Event)> {
    let of_ban = match settings.template {
        "start" => return vec![("", sample::event(Action::Start)), (BARE, sample::bare(Action::Start))],
        "stop" => return vec![("", sample::event(Action::Stop)), (BARE, sample::bare(Action::Stop))],
        "flush" => return vec![("", sample::event(Action::Flush)), (BARE, sample::bare(Action::Flush))],
        "unban" => Action::Unban,
        _ => Action::Ban,
    };
    let full = sample::ban;
    let restored = Ban { restored: true, ..full() };
    let permanent = Ban { duration: Some(Duration::Permanent), ..full() };
    let by_hand = Ban { failures: Some(0), ..full() };
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
            .map(|problem| format!("{}: {}", problem.setting, problem.message))
            .collect()
    }

    #[test]
    fn builtin_templates_have_no_problems() {
        let settings: Vec<_> = Settings::ALL.iter().map(|known| (known.template, known.builtin)).collect();
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
                ("bann", "x"),
                ("ban_color", "red"),
                ("channel", "#sec"),
                ("flush", "{{ jail"),
                ("start", "\n{% if jail %}{{ jail | cod }}{% endif %}"),
                ("unban", "{{ failures + 1 }}"),
            ]),
            [
                r#"ban: unknown variable "contry""#,
                r#"ban: unknown variable "jial"; did you mean "jail"?"#,
                r#"bann: unknown setting; did you mean "ban"?"#,
                r#"ban_color: "red" is not a colour; use good, warning, danger, none"#,
                "channel: unknown setting; known are start, start_color, stop, stop_color, flush, flush_color, ban, ban_color, unban, unban_color",
                "flush: line 1: syntax error: unexpected end of input, expected end of variable block",
                r#"start: line 2: unknown filter "cod"; did you mean "code"?"#,
                "unban: line 1: invalid operation: tried to use + operator on unsupported types none and number (when nothing but the jail is known)",
            ]
        );
    }

    #[test]
    fn template_rare_branch_mistake_is_reported() {
        assert_eq!(
            check(&[("ban", "{% if restored %}{{ ip | cod }}{% endif %}")]),
            [r#"ban: line 1: unknown filter "cod"; did you mean "code"? (when the ban was restored)"#]
        );
    }
}
