//! The smallest plugin that says something: one line for a ban, nothing for the rest.

#[path = "../../../../plugins/sdk/rust/src/arena.rs"]
mod arena;
mod words;

wit_bindgen::generate!({ path: "../../../wit", world: "banhook:plugin/plugin", generate_all });

use banhook::plugin::messages::{Message, Text};
use banhook::plugin::types::{Action, Event};
use exports::banhook::plugin::formatter::{Decision, Guest};

#[global_allocator]
static ALLOCATOR: arena::Arena<{ 64 << 10 }> = arena::Arena::new();

struct Small;

impl Guest for Small {
    fn format(event: Event) -> Result<Decision, String> {
        let (Action::Ban(ban) | Action::Unban(ban)) = &event.action else {
            return Ok(Decision::Skip("no ban".to_owned()));
        };
        let text = words::banned(&event.jail, ban.subject.as_deref().unwrap_or_default(), ban.failures);
        Ok(Decision::Post(Message {
            text: Text::Plain(text),
            blocks: None,
            color: None,
            hints: None,
            tags: None,
            thread: None,
            name: None,
            replaces: None,
        }))
    }
}

export!(Small);
