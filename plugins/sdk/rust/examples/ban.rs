//! Posts bans, once more in red if they are permanent, and holds all else for a digest.

use banhook_plugin::{
    Action, Block, Color, Duration, Event, Field, Message, Plugin, Result, hold, info, mrkdwn, post, rich, skip,
};

struct Bans;

impl Plugin for Bans {
    fn format(event: Event) -> Result {
        let ban = match event.action {
            Action::Ban(ban) if !ban.restored => ban,
            Action::Ban(_) | Action::Unban(_) => return skip("no news"),
            _ => return hold(event.jail),
        };
        info!("a ban in {}", event.jail);
        let subject = ban.subject.as_deref().unwrap_or("somebody");
        let text = rich().emoji("no_entry").text(" ").code(subject).text(" banned in ").bold(&event.jail);
        let mut message = Message::new(text)
            .block(Block::section(mrkdwn!(":no_entry: *{}* banned on {}", subject, event.host)))
            .tag(&event.host);
        if let Some(failures) = ban.failures {
            message = message.block(Block::fields([Field::new("Failures", failures.to_string())]));
        }
        if ban.duration == Some(Duration::Permanent) {
            message = message.color(Color::Danger);
        }
        post(message)
    }
}

banhook_plugin::export!(Bans);
