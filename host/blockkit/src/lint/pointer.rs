//! A place in a body: a chain of borrowed steps, written as a JSON pointer only for a finding.

use std::fmt;

/// A place in a body.
#[derive(Clone, Copy)]
pub enum Pointer<'p> {
    /// The body itself.
    Root,
    /// A field of an object.
    Key(&'p Pointer<'p>, &'p str),
    /// An item of an array.
    Index(&'p Pointer<'p>, usize),
}

/// As in RFC 6901.
impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(parent, key) => write!(f, "{parent}/{}", key.replace('~', "~0").replace('/', "~1")),
            Self::Index(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointer_of_key_and_index_is_escaped() {
        let blocks = Pointer::Key(&Pointer::Root, "blocks");
        let second = Pointer::Index(&blocks, 2);
        assert_eq!(Pointer::Root.to_string(), "");
        assert_eq!(Pointer::Key(&second, "a/b~c").to_string(), "/blocks/2/a~1b~0c");
    }
}
