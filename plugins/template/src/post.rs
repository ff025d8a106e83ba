//! The decision on an event.

use minijinja::value::Value;

use crate::bindings::banhook::plugin::messages::Message;
use crate::bindings::banhook::plugin::types::{Action, Event};
use crate::bindings::exports::banhook::plugin::formatter::Decision;
use crate::engine::Engine;
use crate::layout;
use crate::setting::{self, Settings};
use crate::variables::{HostCalls, Variables, action_word, ban_of};

/// Decides on an event by the route's settings. The error names the wrong setting.
pub fn decide(engine: &Engine, event: Event, host: HostCalls) -> Result<Decision, String> {
    let Some(settings) = Settings::of(&event.action) else {
        return Ok(Decision::Skip(format!("there is no template for {}", action_word(&event.action))));
    };
    let get = host.setting;
    let conversation = Conversation::of(&event);
    let own = get(settings.template);
    let variables = Value::from_object(Variables::of(event, host));
    let rendered = engine.render(&settings, own.as_deref(), variables).map_err(|error| error.in_full())?;
    // `check` reports an invalid colour; the message is sent without one.
    let color = get(settings.color).and_then(|word| setting::parse_color(&word)).flatten();
    Ok(match layout::message(&rendered, color) {
        Some(message) => Decision::Post(conversation.apply(message)),
        None => Decision::Skip(format!("the template \"{}\" came out empty", settings.template)),
    })
}

/// Where the message of a ban belongs: all bans of a subject in one thread, and the end of a ban in place of its beginning.
#[derive(Debug, PartialEq, Eq, Default)]
struct Conversation {
    thread: Option<String>,
    name: Option<String>,
    replaces: Option<String>,
}

impl Conversation {
    fn of(event: &Event) -> Self {
        let Some(ban) = ban_of(&event.action) else { return Self::default() };
        let Some(subject) = &ban.subject else { return Self::default() };
        let thread = format!("{} {} {subject}", event.host, event.jail);
        let of_ban = ban.began.map(|began| format!("{thread} {began}"));
        let thread = Some(thread);
        match event.action {
            Action::Ban(_) => Self { thread, name: of_ban, replaces: None },
            _ => Self { thread, name: None, replaces: of_ban },
        }
    }

    fn apply(self, message: Message) -> Message {
        let Self { thread, name, replaces } = self;
        Message { thread, name, replaces, ..message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::banhook::plugin::messages::{Block, Color, ContextElement, Text};
    use crate::bindings::banhook::plugin::types::{Ban, Duration, OtherAction};
    use crate::sample;

    fn engine() -> Engine {
        Engine::new(sample::berlin)
    }

    /// The main text and the small print of a built-in template.
    fn builtin(event: Event) -> (String, String) {
        let Ok(Decision::Post(message)) = decide(&engine(), event, sample::SILENT_HOST) else { panic!("no post") };
        assert_eq!(message.color, None);
        let blocks = message.blocks.unwrap();
        let [Block::Section(section), Block::Context(context)] = blocks.as_slice() else { panic!("{blocks:?}") };
        let (Some(Text::Mrkdwn(main)), [ContextElement::Text(Text::Mrkdwn(small_print))]) =
            (&section.text, context.as_slice())
        else {
            panic!("{blocks:?}")
        };
        assert_eq!(message.text, Text::Mrkdwn(format!("{main}\n{small_print}")));
        (main.clone(), small_print.clone())
    }

    const DATE: &str = "<!date^1795345015^{date_short_pretty} {time}|2026-11-22 10:56:55 UTC>";

    #[test]
    fn builtin_ban_with_all_fields_renders_fully() {
        let (main, small_print) = builtin(sample::event(Action::Ban(sample::ban())));
        assert_eq!(main, "⛔ `203.0.113.7` banned in `sshd` on `web-1`");
        assert_eq!(small_print, format!("5 failures · for 10 minutes · 2nd ban · {DATE}\n`Failed password for root`"));
    }

    #[test]
    fn builtin_ban_variants_render() {
        let with = |change: fn(&mut Ban)| {
            let mut ban = sample::ban();
            change(&mut ban);
            builtin(sample::event(Action::Ban(ban)))
        };
        assert_eq!(
            with(|ban| ban.duration = Some(Duration::Permanent)).1,
            format!("5 failures · permanent · 2nd ban · {DATE}\n`Failed password for root`")
        );
        assert_eq!(
            with(|ban| (ban.failures, ban.by_hand) = (None, Some(true))).1,
            format!("manual ban · for 10 minutes · 2nd ban · {DATE}\n`Failed password for root`")
        );
        assert_eq!(
            with(|ban| ban.failures = Some(1)).1,
            format!("1 failure · for 10 minutes · 2nd ban · {DATE}\n`Failed password for root`")
        );
        assert_eq!(
            with(|ban| ban.count = Some(1)).1,
            format!("5 failures · for 10 minutes · {DATE}\n`Failed password for root`")
        );
        assert_eq!(with(|ban| ban.subject = None).0, "⛔ Someone unknown banned in `sshd` on `web-1`");
        let (main, small_print) = with(|ban| ban.restored = true);
        assert_eq!(main, "🔁 `203.0.113.7` is still banned in `sshd` on `web-1`");
        assert_eq!(
            small_print,
            format!(
                "restored after a restart · 5 failures · for 10 minutes · 2nd ban · {DATE}\n`Failed password for root`"
            )
        );
    }

    #[test]
    fn builtin_ban_shows_place_and_links_where_they_are_known() {
        let setting: fn(&str) -> Option<String> = |key| (key == "links").then(|| "shodan".to_owned());
        let ban = sample::event(Action::Ban(Ban { matches: Vec::new(), ..sample::ban() }));
        let decision = decide(&engine(), ban, HostCalls { setting, ..sample::HOST }).unwrap();
        let Decision::Post(message) = decision else { panic!("no post") };
        assert_eq!(
            message.text,
            Text::Mrkdwn(format!(
                "⛔ `203.0.113.7` banned in `sshd` on `web-1`\n\
                 5 failures · for 10 minutes · 2nd ban · 🇩🇪 Example Net · {DATE}\n\
                 <https://www.shodan.io/host/203.0.113.7|shodan>"
            ))
        );
    }

    #[test]
    fn builtin_bare_ban_has_no_gaps() {
        assert_eq!(
            builtin(sample::bare(Action::Ban(sample::bare_ban()))),
            ("⛔ Someone unknown banned in `sshd`".to_owned(), DATE.to_owned())
        );
    }

    #[test]
    fn builtin_hostile_names_are_text() {
        let mut event = sample::ban_of("abc 1.2.3.4] Ban 9.9.9.9 $(id) `x` \"q\" 'é' <!channel> *b*");
        event.jail = "<@U1>\u{202e}`".to_owned();
        event.host = "---\n---".to_owned();
        assert_eq!(
            builtin(event).0,
            "⛔ `abc 1.2.3.4] Ban 9.9.9.9 $(id) 'x' \"q\" 'é' &lt;!channel&gt; *b*` banned in `&lt;@U1&gt;�'` on `--- ---`"
        );
    }

    #[test]
    fn builtin_other_events_render() {
        let of_unknown_begin = Ban { began: None, ..sample::ban() };
        let (main, small_print) = builtin(sample::bare(Action::Unban(of_unknown_begin)));
        assert_eq!(main, "🔓 `203.0.113.7` unbanned in `sshd`");
        assert_eq!(small_print, format!("5 failures · ban of 10 minutes · 2nd ban · {DATE}"));
        for (action, expected) in [
            (Action::Start, "🟢 Jail `sshd` started"),
            (Action::Stop, "🟠 Jail `sshd` stopped"),
            (Action::Flush, "🧹 All bans lifted in `sshd`"),
        ] {
            assert_eq!(builtin(sample::bare(action)), (expected.to_owned(), DATE.to_owned()));
        }
    }

    #[test]
    fn builtin_unban_says_how_long_the_ban_lasted() {
        let after = |seconds: f64, duration| {
            let mut event = sample::event(Action::Unban(Ban { duration, ..sample::ban() }));
            event.at += seconds * 1_000.0;
            builtin(event).1.split(" · ").nth(1).unwrap().to_owned()
        };
        let planned = Some(Duration::Seconds(600));
        assert_eq!(after(600.5, planned), "was banned for 10 minutes");
        assert_eq!(after(180.0, planned), "lifted early, after 3 minutes");
        assert_eq!(after(0.0, planned), "lifted early, after 0 seconds");
        assert_eq!(after(180.0, Some(Duration::Permanent)), "lifted early, after 3 minutes");
        assert_eq!(after(180.0, None), "was banned for 3 minutes");
    }

    #[test]
    fn decide_other_action_is_a_longer_ban_or_skipped() {
        let other = |name: &str| {
            let other = OtherAction { name: name.to_owned(), ban: Some(sample::ban()) };
            sample::event(Action::Other(other))
        };
        assert_eq!(builtin(other("prolong")).0, "⏳ `203.0.113.7` banned for longer in `sshd` on `web-1`");
        let decision = decide(&engine(), other("parole"), sample::SILENT_HOST).unwrap();
        assert_eq!(decision, Decision::Skip("there is no template for parole".to_owned()));
    }

    #[test]
    fn unban_replaces_its_ban_in_the_thread_of_the_subject() {
        let of = |action| Conversation::of(&sample::event(action));
        let ban = of(Action::Ban(sample::ban()));
        let unban = of(Action::Unban(sample::ban()));
        let again = of(Action::Ban(Ban { began: Some(0.0), ..sample::ban() }));
        assert!(ban.thread.is_some() && ban.thread == unban.thread && ban.thread == again.thread);
        assert!(ban.name.is_some() && ban.name == unban.replaces && ban.name != again.name);
        assert_eq!((ban.replaces, unban.name), (None, None));
        assert_eq!(of(Action::Stop), Conversation::default());
        assert_eq!(of(Action::Ban(sample::bare_ban())), Conversation::default());
    }

    #[test]
    fn decide_own_template_and_color_are_used() {
        let get: fn(&str) -> Option<String> = |key: &str| match key {
            "ban" => Some("{{ ip }} {{ labels.site }}".to_owned()),
            "ban_color" => Some("danger".to_owned()),
            _ => None,
        };
        let Ok(Decision::Post(message)) =
            decide(&engine(), sample::event(Action::Ban(sample::ban())), HostCalls { setting: get, ..sample::HOST })
        else {
            panic!("no post")
        };
        assert_eq!(message.text, Text::Mrkdwn("203.0.113.7 fra1".to_owned()));
        assert_eq!((message.blocks, message.color), (None, Some(Color::Danger)));
    }

    #[test]
    fn decide_empty_template_skips() {
        let get: fn(&str) -> Option<String> =
            |key: &str| (key == "ban").then(|| "{% if failures and failures > 9 %}x{% endif %}".to_owned());
        let decision =
            decide(&engine(), sample::event(Action::Ban(sample::ban())), HostCalls { setting: get, ..sample::HOST });
        assert_eq!(decision, Ok(Decision::Skip("the template \"ban\" came out empty".to_owned())));
    }

    #[test]
    fn decide_broken_template_is_an_error() {
        let get: fn(&str) -> Option<String> = |key: &str| (key == "ban").then(|| "{{ ip | spn }}".to_owned());
        let error =
            decide(&engine(), sample::event(Action::Ban(sample::ban())), HostCalls { setting: get, ..sample::HOST })
                .unwrap_err();
        assert_eq!(error, r#"setting "ban", line 1: unknown filter "spn"; did you mean "span"?"#);
    }
}
