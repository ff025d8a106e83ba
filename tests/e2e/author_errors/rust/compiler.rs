//! A plugin with all mistakes that the compiler finds, apart from a wrong syntax.

use banhook_plugin::{Block, Button, Color, Event, Message, Plugin, Result, post, rich, settings};

static OFFICE: Option<String> = settings::get("office"); // import-at-module-level

struct Mistakes;

impl Plugin for Mistakes {
    fn format(event: Event) -> Result {
        post(rich().text(event.jail)); // nothing-returned
    }
}

fn wrong_type(ban: banhook_plugin::Ban) -> Result {
    let failures: u32 = ban.failures; // wrong-type
    post(format!("{failures} failures"))
}

fn missing_field() -> Button {
    Button { label: "Runbook".to_owned(), style: None } // missing-field
}

fn unknown_tag() -> Block {
    Block::Sections(Default::default()) // unknown-tag
}

fn misspelt_field() -> Message {
    Message { colour: Some(Color::Danger), ..Message::new("ban") } // misspelt-field
}

banhook_plugin::export!(Mistakes: digests); // misnamed-export
