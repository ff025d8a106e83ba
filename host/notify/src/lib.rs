//! What `notify` is made of: the event, the arguments that fail2ban's action passes, and users and groups. The rest of
//! banhook is built upon it.

pub mod accounts;
mod arguments;
pub mod event;
pub mod hex;
pub mod phrase;

pub use arguments::{ActionArguments, ActionOption, OPTIONS};
