//! The ids of messages on the command line.

use clap::builder::RangedI64ValueParser;
use clap::value_parser;

/// Parses an id.
pub fn message_id() -> RangedI64ValueParser<i64> {
    value_parser!(i64).range(1..)
}

/// Says that there is no message of this id: after it was merged into a digest, formatted again or pruned, there is none.
pub fn no_such_message(id: i64) -> String {
    format!(
        "there is no message {id}, or it is gone: a message that waits long may be merged into a digest, and a rejected \
         one that is retried is formatted again under a new id; see `banhook queue list`"
    )
}
