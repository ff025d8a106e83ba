#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

#[cfg(all(feature = "arena", any(test, target_family = "wasm")))]
mod arena;
mod bindings;
mod block;
pub mod clock;
mod decision;
pub mod digest;
mod error;
#[doc(hidden)]
pub mod export;
pub mod geo;
pub mod history;
pub mod log;
mod message;
mod mrkdwn;
mod plugin;
mod rich;
pub mod settings;

pub use bindings::imports::banhook::plugin::messages::{
    Block, Button, ButtonStyle, Color, ContextElement, Date, DateFormat, Field, Image, Link, Mention, Message, Section,
    Span, Style, Styled, Text, Thumbnail,
};
pub use bindings::imports::banhook::plugin::types::{
    Action, Ban, Duration, Event, Family, OtherAction, Seconds, Timestamp,
};
pub use decision::{Decide, Decision, Hold, HoldUntil, hold, post, skip};
pub use error::{Error, Result};
pub use mrkdwn::{Mrkdwn, ToMrkdwn};
pub use plugin::{Digester, Plugin, Settings};
pub use rich::{Rich, rich};

/// Memory of each instance; several times what an event needs.
#[cfg(all(feature = "arena", target_family = "wasm"))]
const ARENA_BYTES: usize = 64 << 10;

#[cfg(all(feature = "arena", target_family = "wasm"))]
#[global_allocator]
static ALLOCATOR: arena::Arena<ARENA_BYTES> = arena::Arena::new();
