//! The first buttons of a message, for services that show a few next to the text.

use blockkit::limits::BUTTON_MAX;
use blockkit::text::{cut, one_line};
use blockkit::web_url;

use super::model::{Block, Button, Message};
use super::unlinked::Unlinked;

/// A label, and an http or https URL.
pub(super) type Action = (String, String);

/// Returns a message without its first buttons, and these. Others stay.
pub(super) fn taken_out(message: &Message, max: usize, unlinked: Unlinked) -> (Message, Vec<Action>) {
    let mut message = message.clone();
    let mut actions = Vec::new();
    for block in &mut message.blocks {
        let Block::Buttons(buttons) = block else { continue };
        buttons.retain(|button| {
            let action = action(button, unlinked).filter(|_| actions.len() < max);
            let is_taken = action.is_some();
            actions.extend(action);
            !is_taken
        });
    }
    message.blocks.retain(|block| !matches!(block, Block::Buttons(buttons) if buttons.is_empty()));
    (message, actions)
}

fn action(button: &Button, unlinked: Unlinked) -> Option<Action> {
    let label = cut(&one_line(&button.label), BUTTON_MAX).into_owned();
    let url = web_url(&button.url).filter(|_| !label.trim().is_empty())?;
    Some((unlinked.of(&label, None, None), url.into()))
}
