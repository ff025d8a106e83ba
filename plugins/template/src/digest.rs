//! The decision on a digest: its message by the setting `digest`. Without that setting banhook's own digest goes out, in the
//! color of the route's single messages.

use crate::bindings::banhook::plugin::messages::{Color, Message, Text};
use crate::bindings::exports::banhook::plugin::digester::{Batch, Cause, Decision};
use crate::digest_variables::variables;
use crate::engine::Engine;
use crate::layout;
use crate::setting::{self, BAN, DIGEST, FLUSH, START, STOP, Settings, UNBAN};
use crate::variables::HostCalls;

/// The hint that has banhook's own digest go out.
const BUILT_IN: (&str, &str) = ("digest", "built-in");

/// Decides on a digest by the route's settings. The error names the wrong setting.
pub fn decide(engine: &Engine, batch: Batch, host: HostCalls) -> Result<Decision, String> {
    let color = color(&batch, host.setting);
    let Some(own) = (host.setting)(DIGEST.template) else {
        let (name, value) = BUILT_IN;
        let text = Text::Plain(format!("{} events", batch.totals.events));
        let hints = Some(vec![(name.to_owned(), value.to_owned())]);
        return Ok(Decision::Post(Message { hints, ..layout::of_text(text, color) }));
    };
    let rendered = engine.render(&DIGEST, Some(&own), variables(batch, host)).map_err(|error| error.in_full())?;
    Ok(match layout::message(&rendered, color) {
        Some(message) => Decision::Post(message),
        None => Decision::Skip(format!("the template \"{}\" came out empty", DIGEST.template)),
    })
}

/// `digest_color`, or the colour of a single message about the most serious of the events.
fn color(batch: &Batch, get: fn(&str) -> Option<String>) -> Option<Color> {
    let totals = &batch.totals;
    let kind: Settings = match batch.cause {
        Cause::Restart if totals.starts > 0 => START,
        Cause::Stop => STOP,
        _ if totals.bans > 0 => BAN,
        _ if totals.stops > 0 => STOP,
        _ if totals.unbans > 0 => UNBAN,
        _ if totals.flushes > 0 => FLUSH,
        _ => START,
    };
    let word = get(DIGEST.color).or_else(|| get(kind.color))?;
    setting::parse_color(&word).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    const OWN: &str = "{{ cause }} {{ key }}: {{ totals.bans | plural('ban') }} of {{ totals.subjects }} in {{ span | span }}\
        {{ ' on ' if hosts }}{{ hosts | join(', ') }}\n\
        {{ jails | tally(totals.jails) }}\n\
        {% for row in subjects %}{{ row.name }} {{ row.bans }};{% endfor %}\n\
        {% for event in events %}{{ event.ip | code }} {% endfor %}{{ labels.no }}\n\
        ---\n{{ first | date }}\n{{ last | time }}";

    fn decided(batch: Batch, setting: fn(&str) -> Option<String>) -> Decision {
        decide(&Engine::new(sample::berlin), batch, HostCalls { setting, ..sample::HOST }).unwrap()
    }

    fn posted(batch: Batch, setting: fn(&str) -> Option<String>) -> Message {
        match decided(batch, setting) {
            Decision::Post(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn digest_template_has_totals_lists_and_times() {
        let message = posted(sample::batch(), |key| (key == "digest").then(|| OWN.to_owned()));
        let Text::Mrkdwn(text) = message.text else { panic!("not mrkdwn") };
        assert_eq!(
            text,
            "storm : 46 bans of 44 in 42 seconds on web-1, ∗web∗\n\
             `sshd` 40 bans · `nginx` 7 events and 3 more\n\
             203.0.113.7 3;203.0.113.8 1;\n\
             `203.0.113.7`\n\
             <!date^1795345015^{date_short_pretty} {time}|2026-11-22 10:56:55 UTC> · 11:56"
        );
        assert_eq!((message.color, message.hints), (None, None));
    }

    #[test]
    fn digest_without_a_template_is_the_hosts() {
        let message = posted(sample::batch(), |key| (key == "ban_color").then(|| "danger".to_owned()));
        assert_eq!(message.hints, Some(vec![("digest".to_owned(), "built-in".to_owned())]));
        assert_eq!((message.text, message.color), (Text::Plain("47 events".to_owned()), Some(Color::Danger)));
    }

    #[test]
    fn digest_color_is_its_own_or_that_of_the_most_serious_event() {
        let setting = |key: &str| {
            let color = match key {
                "ban_color" => "danger",
                "stop_color" => "warning",
                "start_color" => "good",
                _ => return None,
            };
            Some(color.to_owned())
        };
        let with = |cause, bans, starts| {
            let mut batch = Batch { cause, ..sample::batch() };
            (batch.totals.bans, batch.totals.starts) = (bans, starts);
            posted(batch, setting).color
        };
        assert_eq!(with(Cause::Storm, 1, 1), Some(Color::Danger));
        assert_eq!(with(Cause::Restart, 1, 1), Some(Color::Good));
        assert_eq!(with(Cause::Stop, 1, 0), Some(Color::Warning));
        assert_eq!(with(Cause::Storm, 0, 0), None);
        let own = |key: &str| {
            (key == "digest_color" || key == "ban_color")
                .then(|| if key == "ban_color" { "danger" } else { "none" }.to_owned())
        };
        assert_eq!(posted(sample::batch(), own).color, None);
    }

    #[test]
    fn digest_empty_template_skips_its_events() {
        let decision = decided(sample::batch(), |key| (key == "digest").then(String::new));
        assert_eq!(decision, Decision::Skip("the template \"digest\" came out empty".to_owned()));
    }
}
