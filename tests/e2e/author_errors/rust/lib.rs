//! A plugin that makes the mistake that the setting `mistake` names.

use banhook_plugin::history::{self, Query};
use banhook_plugin::settings::{self, Description, Setting};
use banhook_plugin::{Block, Button, Event, Mention, Message, Plugin, Result, Settings, post, rich, skip};

struct Mistakes;

impl Plugin for Mistakes {
    fn format(event: Event) -> Result {
        match settings::get("mistake").unwrap_or_default().as_str() {
            "exception" => exception(),
            "recursion" => skip(recursion(&event, 0)),
            "memory" => skip(memory()),
            "loop" => skip(endless_loop()),
            "no-grant" => skip(history::bans(&Query::default())?.bans),
            "header-long" => post(Message::new("ban").block(Block::header("a".repeat(151)))),
            "bad-url" => post(rich().link("the runbook", "runbook.example.org").text(", or ask")),
            "bad-button" => {
                let button = Button::new("Runbook", "javascript:alert(1)");
                post(Message::new("ban").block(Block::buttons([button])))
            }
            "raw-no-json" => post(Message::new("ban").block(Block::Raw("{'type': 'divider'}".to_owned()))),
            "mention" => post(rich().mention(Mention::User("U012AB3CD".to_owned())).text(" a ban")),
            other => skip(format!("no mistake is called \"{other}\"")),
        }
    }
}

impl Settings for Mistakes {
    fn describe() -> Description {
        Description::new("mistakes")
            .setting(Setting::text("mistake", "Which mistake to make"))
            .setting(Setting::number("most", "How many bans are worth a message"))
    }
}

fn exception() -> Result {
    let limits: Vec<u32> = Vec::new();
    skip(limits[0])
}

fn recursion(event: &Event, depth: u64) -> u64 {
    let jail = event.jail.repeat(2);
    recursion(event, depth + 1) + jail.len() as u64
}

fn memory() -> usize {
    let mut lines = Vec::new();
    loop {
        lines.push(vec![1_u8; 1 << 20]);
        if lines.len() > 1 << 20 {
            return lines.len();
        }
    }
}

fn endless_loop() -> u64 {
    let mut failures = 1_u64;
    while failures != 0 {
        failures = std::hint::black_box(failures + 2);
    }
    failures
}

banhook_plugin::export!(Mistakes: settings);
