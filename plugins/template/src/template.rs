//! One template: compiled, and rendered for one event.

use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value};

use crate::bindings::banhook::plugin::types::Event;
use crate::error::TemplateError;
use crate::filters::{self, LocalClock};
use crate::layout;
use crate::mrkdwn;
use crate::variables::{self, Variables};

/// A setting's template, as its author wrote it.
pub struct Template<'s> {
    setting: &'static str,
    source: std::borrow::Cow<'s, str>,
}

impl<'s> Template<'s> {
    /// Of a setting and its text.
    pub fn new(setting: &'static str, source: &'s str) -> Self {
        Self { setting, source: layout::mark(source) }
    }

    /// The text that it makes of an event, with every value escaped.
    pub fn render(&self, event: Event, clock: LocalClock) -> Result<String, TemplateError> {
        let env = self.environment(clock);
        let wrong = |error: Error, undeclared: &[String]| TemplateError::new(self.setting, &error, undeclared);
        let template = env.template_from_named_str(self.setting, &self.source).map_err(|error| wrong(error, &[]))?;
        template
            .render(Value::from_object(Variables(event)))
            .map_err(|error| wrong(error, &sorted(template.undeclared_variables(false))))
    }

    /// The names that it uses and that no event has. Finds them on paths that are not taken, too.
    pub fn unknown_variables(&self, clock: LocalClock) -> Vec<String> {
        let env = self.environment(clock);
        let Ok(template) = env.template_from_named_str(self.setting, &self.source) else { return Vec::new() };
        let mut names = sorted(template.undeclared_variables(false));
        names.retain(|name| !variables::is_known(name));
        names
    }

    fn environment(&self, clock: LocalClock) -> Environment<'_> {
        let mut env = Environment::empty();
        // A mistyped name is an error, not an empty place in every alert.
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_auto_escape_callback(|_| AutoEscape::Custom("slack".into()));
        env.set_formatter(write_value);
        filters::register(&mut env, &self.source, clock);
        env
    }
}

/// Prints a value: as it is if it is marked safe, else as text.
fn write_value(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    if value.is_none() || value.is_undefined() {
        return Ok(());
    }
    match value.as_str() {
        Some(text) if value.is_safe() => out.write_str(text)?,
        Some(text) => mrkdwn::write_text(out, text)?,
        None => mrkdwn::write_text(out, &value.to_string())?,
    }
    Ok(())
}

fn sorted(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::banhook::plugin::types::Action;
    use crate::sample;

    fn ban() -> Event {
        sample::event(Action::Ban(sample::ban()))
    }

    fn render(source: &str, event: Event) -> Result<String, String> {
        Template::new("ban", source).render(event, sample::berlin).map_err(|error| error.in_full())
    }

    #[test]
    fn values_are_escaped_and_markup_is_not() {
        let hostile = || sample::ban_of("<!here> & *b*\n---\n`x`");
        assert_eq!(
            render("<https://a.example|{{ ip }}>", hostile()).unwrap(),
            "<https://a.example|&lt;!here&gt; &amp; *b* --- `x`>"
        );
        assert_eq!(render("{{ ip | code }}", hostile()).unwrap(), "`&lt;!here&gt; &amp; *b* --- 'x'`");
        assert_eq!(render("{{ ip | upper }}", hostile()).unwrap(), "&lt;!HERE&gt; &amp; *B* --- `X`");
        assert_eq!(
            render("{% filter upper %}<b>{{ ip }}{% endfilter %}", sample::ban_of("<a>")).unwrap(),
            "<B>&LT;A&GT;"
        );
        assert_eq!(render("{{ '<!here>' | safe }}", hostile()).unwrap(), "<!here>");
        assert_eq!(
            render("{{ [ip, ip] | join('; ') | lower }}", sample::ban_of("<A>")).unwrap(),
            "&lt;a&gt;; &lt;a&gt;"
        );
        assert_eq!(render("{{ [ip] }}", sample::ban_of("<A>")).unwrap(), "['&lt;A&gt;']");
    }

    #[test]
    fn unknown_values_print_nothing() {
        let bare = || sample::bare(Action::Ban(sample::bare_ban()));
        assert_eq!(render("[{{ failures }}{{ host }}{{ labels.no }}]", bare()).unwrap(), "[]");
        assert_eq!(render("{% if failures and failures > 3 %}many{% endif %}", bare()).unwrap(), "");
        assert_eq!(render("{% if failures > 3 %}many{% else %}few{% endif %}", bare()).unwrap(), "few");
        assert_eq!(render("{{ failures | default('?') }} {{ matches | last | code }}", bare()).unwrap(), "? ");
    }

    #[test]
    fn lists_labels_and_tests() {
        let source = "{% for line in matches %}{{ loop.index }} {{ line }};{% endfor %}{{ labels.site }}\
            {% for name in labels %},{{ name }}{% endfor %}{% if jail is startingwith 's' %}!{% endif %}";
        assert_eq!(render(source, ban()).unwrap(), "1 Failed password for root;fra1,site,ticket-at!");
    }

    #[test]
    fn mistakes_name_setting_line_and_cure() {
        for (source, expected) in [
            ("a\n{{ ip | spn }}", r#"setting "ban", line 2: unknown filter "spn"; did you mean "span"?"#),
            ("{{ jial }}", r#"setting "ban", line 1: unknown variable "jial"; did you mean "jail"?"#),
            ("{% if jial %}{% endif %}", r#"setting "ban", line 1: unknown variable "jial"; did you mean "jail"?"#),
            (
                "{% if ip is defind %}{% endif %}",
                r#"setting "ban", line 1: unknown test "defind"; did you mean "defined"?"#,
            ),
            ("{{ now() }}", r#"setting "ban", line 1: unknown function "now""#),
            (
                "{{ ip | ordinal }}",
                r#"setting "ban", line 1: invalid operation: ordinal expects a whole number, not string"#,
            ),
            ("\n{% if %}", r#"setting "ban", line 2: syntax error: unexpected end of block"#),
            (
                "{{ ip",
                r#"setting "ban", line 1: syntax error: unexpected end of input, expected end of variable block"#,
            ),
        ] {
            assert_eq!(render(source, ban()).unwrap_err(), expected, "{source}");
        }
    }

    #[test]
    fn unknown_variables_on_paths_not_taken() {
        let source = "{% set mine = 1 %}{{ mine }}{% if false %}{{ contry }}{% endif %}{% for x in matches %}{{ loop.index }}{% endfor %}";
        assert_eq!(Template::new("ban", source).unknown_variables(sample::berlin), ["contry"]);
    }
}
