//! The MiniJinja environment of this plugin: its filters, the formatting of values, and the compiled built-in templates.

use minijinja::{AutoEscape, Environment, Error, Output, State, Template, UndefinedBehavior, Value};

use crate::error::TemplateError;
use crate::filters::{self, LocalClock};
use crate::layout;
use crate::mrkdwn;
use crate::names::tags;
use crate::setting::Settings;

/// Compiles and renders templates. Creating it takes longer than an event, so that is done when the plugin is built; see
/// `guest`.
pub struct Engine(Environment<'static>);

impl Engine {
    /// Creates an engine whose filter `time` uses this clock.
    pub fn new(clock: LocalClock) -> Self {
        let mut env = Environment::empty();
        // A mistyped name is an error, not an empty string in every alert.
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_auto_escape_callback(|_| AutoEscape::Custom("slack".into()));
        env.set_formatter(write_value);
        filters::register(&mut env, clock);
        for settings in Settings::ALL {
            // A template that does not compile would be missing in `render`; the tests render each of them.
            let _ = env.add_template_owned(settings.template, layout::mark(settings.builtin));
        }
        Self(env)
    }

    /// Renders the variables of an event or digest with the route's own template, or with the built-in one.
    pub fn render(&self, settings: &Settings, own: Option<&str>, variables: Value) -> Result<String, TemplateError> {
        let render = |template: Template, source| {
            template.render(&variables).map_err(|error| {
                let tag = self.failed_tag(settings, source, &error, &variables);
                TemplateError::new(settings, &error, &unknown_in(settings, &template), source, tag)
            })
        };
        let wrong = |error: Error| TemplateError::new(settings, &error, &[], "", None);
        match own {
            None => render(self.0.get_template(settings.template).map_err(wrong)?, settings.builtin),
            Some(source) => {
                let source = layout::mark(source);
                render(self.compile(settings, &source).map_err(wrong)?, &source)
            }
        }
    }

    /// The variables of a template that no event has, also in branches that are not taken.
    pub fn unknown_variables(&self, settings: &Settings, source: &str) -> Vec<String> {
        let Ok(template) = self.compile(settings, source) else { return Vec::new() };
        unknown_in(settings, &template)
    }

    /// The tag in the line of an error that caused it: the only one, or the first one that fails alone in the same way.
    fn failed_tag<'s>(
        &self,
        settings: &Settings,
        source: &'s str,
        error: &Error,
        variables: &Value,
    ) -> Option<&'s str> {
        let line = error.line()?;
        let in_line = |begins: usize, tag: &str| (begins..=begins + tag.matches('\n').count()).contains(&line);
        let tags: Vec<_> = tags(source).into_iter().filter(|(begins, tag)| in_line(*begins, tag)).collect();
        if let [(_, tag)] = tags.as_slice() {
            return Some(tag);
        }
        let fails = |tag: &str| {
            let alone = self.compile(settings, tag).and_then(|template| template.render(variables));
            alone.is_err_and(|alone| alone.kind() == error.kind())
        };
        tags.into_iter().map(|(_, tag)| tag).find(|tag| fails(tag))
    }

    fn compile<'s>(&'s self, settings: &Settings, source: &'s str) -> Result<Template<'s, 's>, Error> {
        self.0.template_from_named_str(settings.template, source)
    }
}

/// Writes a value: unchanged if it is markup, otherwise as text, in which nothing formats.
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

/// The names that a template uses, does not set itself, and that no event has.
fn unknown_in(settings: &Settings, template: &Template) -> Vec<String> {
    let is_unknown = |name: &String| !settings.variables.contains(&name.as_str());
    let mut names: Vec<_> = template.undeclared_variables(false).into_iter().filter(is_unknown).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::banhook::plugin::types::Action;
    use crate::bindings::banhook::plugin::types::Event;
    use crate::sample;
    use crate::setting::BAN;
    use crate::variables::Variables;

    fn ban() -> Event {
        sample::event(Action::Ban(sample::ban()))
    }

    fn render(source: &str, event: Event) -> Result<String, String> {
        let variables = Value::from_object(Variables::of(event, sample::HOST));
        Engine::new(sample::berlin).render(&BAN, Some(source), variables).map_err(|error| error.in_full())
    }

    #[test]
    fn template_values_are_escaped_and_markup_is_kept() {
        let hostile = || sample::ban_of("<!here> & *b*\n---\n`x`");
        assert_eq!(
            render("<https://a.example|{{ ip }}>", hostile()).unwrap(),
            "<https://a.example|&lt;!here&gt; &amp; ∗b∗ --- 'x'>"
        );
        assert_eq!(render("{{ ip | code }}", hostile()).unwrap(), "`&lt;!here&gt; &amp; *b* --- 'x'`");
        assert_eq!(render("{{ ip | upper }}", hostile()).unwrap(), "&lt;!HERE&gt; &amp; ∗B∗ --- 'X'");
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

    /// fail2ban's values stay text, whatever a template does with them before it prints them.
    #[test]
    fn template_changed_values_stay_text() {
        let long = format!("*b* :rotating_light:\n_i_ {}", "x".repeat(400));
        for source in [
            "{{ ip }}",
            "{{ ip | lower }}",
            "{{ ip | upper }}",
            "{{ ip | replace('x', '*') }}",
            "{{ ip | replace('x', 'y' | safe) }}",
            "{{ ip | default('?') }}",
            "{{ ip[:30] }}",
            "{{ ip[::-1] }}",
            "{{ ip ~ ip }}",
            "{{ ip + '!' }}",
            "{{ '*' ~ ip ~ '*' }}",
            "{{ '<b> ' | safe ~ ip }}",
            "{{ [ip, ip] | join(' ') }}",
            "{{ [ip, ip] | join('-' | safe) }}",
            "{{ [ip, ip] | first }}",
            "{{ [ip, '-' | safe] | join }}",
            "{% set x = ip | lower %}{{ x }}",
            "{% set x %}{{ ip }}{% endset %}{{ x }}",
            "{% filter lower %}{{ ip }}{% endfilter %}",
            "{% autoescape false %}{{ ip ~ '!' }}{% endautoescape %}",
            "{{ ip.split() }}",
            "{{ ip.upper() }}",
        ] {
            let Ok(rendered) = render(source, sample::ban_of(&long)) else { continue };
            for acts in ["*b", "*B", "b*", "B*", ":rot", ":ROT", "_i", "_I", "i_", "I_", "\n", "\t"] {
                assert!(!rendered.contains(acts), "{source}: {rendered}");
            }
        }
        // Markup is what the template has outside of `{{ }}` or marks as safe.
        assert_eq!(
            render("*{{ ip }}* {{ '*!*' | safe }} {{ '*' | safe ~ ip ~ '*' | safe }}", sample::ban_of("*b*")).unwrap(),
            "*∗b∗* *!* *∗b∗*"
        );
        assert_eq!(render("{{ ip | code ~ ' *' }}", sample::ban_of("*b*")).unwrap(), "`*b*` ∗");
    }

    #[test]
    fn template_unknown_value_prints_nothing() {
        let bare = || sample::bare(Action::Ban(sample::bare_ban()));
        assert_eq!(render("[{{ failures }}{{ host }}{{ labels.no }}]", bare()).unwrap(), "[]");
        assert_eq!(render("{% if failures and failures > 3 %}many{% endif %}", bare()).unwrap(), "");
        assert_eq!(render("{% if failures > 3 %}many{% else %}few{% endif %}", bare()).unwrap(), "few");
        assert_eq!(render("{{ failures | default('?') }} {{ matches | last | code }}", bare()).unwrap(), "? ");
    }

    #[test]
    fn template_lists_labels_and_tests_render() {
        let source = "{% for line in matches %}{{ loop.index }} {{ line }};{% endfor %}{{ labels.site }}\
            {% for name in labels %},{{ name }}{% endfor %}{% if jail is startingwith 's' %}!{% endif %}";
        assert_eq!(render(source, ban()).unwrap(), "1 Failed password for root;fra1,site!");
    }

    #[test]
    fn template_mistake_names_setting_line_and_suggestion() {
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
                r#"setting "ban", line 1: {{ ip | ordinal }}: invalid operation: ordinal expects a whole number, not string"#,
            ),
            (
                "a {{ jail }} {{ labels.x[0] }}\n{{ jail }}",
                r#"setting "ban", line 1: {{ labels.x[0] }}: a value that does not exist is used"#,
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
    fn template_unknown_variable_in_untaken_branch_is_found() {
        let source = "{% set mine = 1 %}{{ mine }}{% if false %}{{ contry }}{% endif %}{% for x in matches %}{{ loop.index }}{% endfor %}";
        assert_eq!(Engine::new(sample::berlin).unknown_variables(&BAN, source), ["contry"]);
    }
}
