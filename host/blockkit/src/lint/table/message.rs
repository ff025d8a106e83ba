//! An incoming webhook's body.

use super::super::entry::{NO_MAX, field, formed, list, max, object, string};
use super::super::schema::Kind::{Any, Enum, Flag};
use super::super::schema::{Field, Form, Kind, List, Object};
use super::attachments::ATTACHMENT;
use super::blocks::ANY_BLOCK;
use super::{DOCS, HEARSAY, WEBHOOK};

const LEGACY: &str = "only webhooks of the old kind take it; an app's webhook has its own";
const REPLY: &str = "only answers to a response_url take it";

static MESSAGE_BLOCKS: List = list("blocks", Kind::Typed(&ANY_BLOCK), 0, max(50));
static MESSAGE_ATTACHMENTS: List = list("attachments", Kind::Object(&ATTACHMENT), 0, max(100));

/// What `text` and the other two come to is in `whole`.
pub static MESSAGE: Object = Object {
    noun: "body",
    ..object(
        "message",
        &[
            // Its length is in `whole`: too much is cut, not refused.
            field("text", string()).from(&[DOCS]),
            field("blocks", Kind::List(&MESSAGE_BLOCKS)).from(&[DOCS]),
            field("attachments", Kind::List(&MESSAGE_ATTACHMENTS)).from(&[DOCS]),
            field("thread_ts", formed(Form::Timestamp, NO_MAX)).unsure().from(&[HEARSAY]),
            field("mrkdwn", Flag).unsure().from(&[HEARSAY]),
            field("unfurl_links", Flag).from(&[WEBHOOK]),
            field("unfurl_media", Flag).from(&[WEBHOOK]),
            field("link_names", Flag).from(&[WEBHOOK]),
            field("parse", string()).unsure().from(&[HEARSAY]),
            field("metadata", Kind::Object(&METADATA)).from(&[WEBHOOK]),
            legacy("channel", string()),
            legacy("username", string()),
            legacy("icon_emoji", formed(Form::Emoji, NO_MAX)),
            legacy("icon_url", formed(Form::Fetched, NO_MAX)),
            reply("response_type", Enum(&["in_channel", "ephemeral"])),
            reply("replace_original", Flag),
            reply("delete_original", Flag),
        ],
    )
};

const fn legacy(key: &'static str, kind: Kind) -> Field {
    field(key, kind).unsure().useless(LEGACY).from(&[WEBHOOK])
}

const fn reply(key: &'static str, kind: Kind) -> Field {
    field(key, kind).unsure().useless(REPLY).from(&[HEARSAY])
}

static METADATA: Object = object(
    "metadata",
    &[
        field("event_type", string()).wanted_by_some().from(&[WEBHOOK]),
        field("event_payload", Any).wanted_by_some().from(&[WEBHOOK]),
    ],
);
