//! Where in a body the linter is: a chain of borrowed steps, written out only when something is wrong there.

/// A place in a body.
#[derive(Clone, Copy)]
pub enum Path<'p> {
    /// The body itself.
    Root,
    /// A field of an object.
    Key(&'p Path<'p>, &'p str),
    /// An item of an array.
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// As a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(parent, key) => format!("{}/{}", parent.pointer(), key.replace('~', "~0").replace('/', "~1")),
            Self::Index(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers() {
        let blocks = Path::Key(&Path::Root, "blocks");
        let second = Path::Index(&blocks, 2);
        assert_eq!(Path::Root.pointer(), "");
        assert_eq!(Path::Key(&second, "a/b~c").pointer(), "/blocks/2/a~1b~0c");
    }
}
