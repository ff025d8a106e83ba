//! Lists that are longer than a message can show: cut, as texts are, with a last entry that says how much is left out.

use std::borrow::Cow;

use blockkit::limits::TABLE_COLUMNS_MAX;

use super::limits::{BLOCKS_MAX, BUTTONS_MAX, CONTEXT_MAX, FIELDS_MAX, ITEMS_MAX, ROWS_MAX};
use super::model::{Block, ContextElement, Field, Message, Section, Text};

/// Returns the message with lists that every target can show.
pub(super) fn cut_lists(message: &Message) -> Cow<'_, Message> {
    if message.blocks.len() <= BLOCKS_MAX && !message.blocks.iter().any(is_too_long) {
        return Cow::Borrowed(message);
    }
    let mut message = message.clone();
    let blocks = std::mem::take(&mut message.blocks);
    message.blocks = blocks.into_iter().flat_map(cut).collect();
    cut_list(&mut message.blocks, BLOCKS_MAX, |more| small_print(more, "blocks"));
    Cow::Owned(message)
}

fn is_too_long(block: &Block) -> bool {
    match block {
        Block::Section(Section { fields, .. }) => fields.len() > FIELDS_MAX,
        Block::Context(elements) => elements.len() > CONTEXT_MAX,
        Block::Buttons(buttons) => buttons.len() > BUTTONS_MAX,
        Block::Table(rows) => rows.len() > ROWS_MAX || rows.iter().any(|row| row.len() > TABLE_COLUMNS_MAX),
        Block::Bullets(items) | Block::Numbers(items) => items.len() > ITEMS_MAX,
        Block::Header(_)
        | Block::Divider
        | Block::Image(_)
        | Block::Preformatted(_)
        | Block::Raw(_)
        | Block::Quote(_)
        | Block::Figure(_) => false,
    }
}

/// Returns a block with shorter lists, and what says so where it cannot itself.
fn cut(mut block: Block) -> Vec<Block> {
    let mut rest = None;
    match &mut block {
        Block::Section(Section { fields, .. }) => {
            cut_list(fields, FIELDS_MAX, |more| Field { label: String::new(), value: left_out(more, "") });
        }
        Block::Context(elements) => {
            cut_list(elements, CONTEXT_MAX, |more| ContextElement::Text(left_out(more, "")));
        }
        Block::Buttons(buttons) => {
            rest =
                buttons.len().checked_sub(BUTTONS_MAX).filter(|more| *more > 0).map(|more| small_print(more, "links"));
            buttons.truncate(BUTTONS_MAX);
        }
        Block::Table(rows) => {
            cut_list(rows, ROWS_MAX, |more| vec![left_out(more, "")]);
            rows.iter_mut().for_each(|row| cut_list(row, TABLE_COLUMNS_MAX, |more| left_out(more, "")));
        }
        Block::Bullets(items) | Block::Numbers(items) => cut_list(items, ITEMS_MAX, |more| left_out(more, "")),
        Block::Header(_)
        | Block::Divider
        | Block::Image(_)
        | Block::Preformatted(_)
        | Block::Raw(_)
        | Block::Quote(_)
        | Block::Figure(_) => {}
    }
    [Some(block), rest].into_iter().flatten().collect()
}

/// Cuts a list to at most `max` entries, of which the last one says how many more there were.
fn cut_list<T>(list: &mut Vec<T>, max: usize, last: impl FnOnce(usize) -> T) {
    if list.len() > max {
        let kept = max.saturating_sub(1);
        let more = list.len() - kept;
        list.truncate(kept);
        list.push(last(more));
    }
}

fn small_print(more: usize, what: &str) -> Block {
    Block::Context(vec![ContextElement::Text(left_out(more, what))])
}

/// `… 12 more`, `… 12 more blocks`
fn left_out(more: usize, what: &str) -> Text {
    Text::Plain(format!("… {more} more {what}").trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use blockkit::check;
    use serde_json::json;

    use super::*;
    use crate::message::{Policy, Target, guard};

    fn message(blocks: serde_json::Value) -> Message {
        serde_json::from_value(json!({ "text": { "plain": "x" }, "blocks": blocks })).unwrap()
    }

    #[test]
    fn lists_that_fit_are_not_copied() {
        let rows = vec![json!([{ "plain": "a" }]); ROWS_MAX];
        let fits = message(json!([{ "table": rows }, { "bullets": vec![json!({ "plain": "a" }); ITEMS_MAX] }]));
        assert!(matches!(cut_lists(&fits), Cow::Borrowed(_)));
    }

    /// A digest lists a hundred events: with the heading, that is one row too many.
    #[test]
    fn lists_that_are_too_long_say_how_much_is_left_out() {
        let many = |count: usize, one: serde_json::Value| vec![one; count];
        let text = || json!({ "plain": "a" });
        let button = json!({ "label": "a", "url": "https://example.org" });
        for (block, pointer, count, last) in [
            (json!({ "table": many(101, json!([text()])) }), "/0/rows", ROWS_MAX, "… 2 more"),
            (json!({ "table": [many(30, text())] }), "/0/rows/0", TABLE_COLUMNS_MAX, "… 11 more"),
            (json!({ "bullets": many(150, text()) }), "/0/elements/0/elements", ITEMS_MAX, "… 51 more"),
            (json!({ "numbers": many(150, text()) }), "/0/elements/0/elements", ITEMS_MAX, "… 51 more"),
            (json!({ "context": many(12, text()) }), "/0/elements", CONTEXT_MAX, "… 3 more"),
            (
                json!({ "section": { "fields": many(12, json!({ "label": "a", "value": text() })) } }),
                "/0/fields",
                FIELDS_MAX,
                "… 3 more",
            ),
            (json!({ "buttons": many(30, button) }), "/1/elements", 1, "… 5 more links"),
        ] {
            let message = message(json!([block]));
            for target in Target::ALL.iter().copied() {
                let body = guard(&message, [], &Policy { target, ..Policy::default() }).unwrap();
                if target != Target::SLACK {
                    assert!(body.to_json_string().contains(last), "{}", body.to_json_string());
                    continue;
                }
                assert_eq!(check(body.body()), []);
                let list = body.body()["blocks"].pointer(pointer).unwrap().as_array().unwrap();
                assert_eq!(list.len(), count, "{pointer}");
                assert!(list.last().unwrap().to_string().contains(last), "{list:?}");
            }
        }
        let blocks = message(json!(many(60, json!("divider"))));
        let body = guard(&blocks, [], &Policy::default()).unwrap();
        let shown = body.body()["blocks"].as_array().unwrap();
        assert!(shown.len() == BLOCKS_MAX && shown[49].to_string().contains("… 11 more blocks"), "{shown:?}");
    }
}
