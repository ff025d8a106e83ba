//! The error of a plugin.

use std::fmt::{self, Debug, Display};

use crate::Decision;

/// The result of a plugin's function.
pub type Result<T = Decision, E = Error> = std::result::Result<T, E>;

/// What went wrong, as text: the event then goes out as a plain message that carries it. Anything that can be displayed
/// becomes one, so `?` works on every error, and `Err("no such jail")?` is one of your own.
pub struct Error(String);

// Not `Display`, as this is one for all types.
impl<E: Display> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl From<Error> for String {
    fn from(Error(text): Error) -> Self {
        text
    }
}

impl Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
