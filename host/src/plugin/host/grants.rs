//! The grants of a route: the host interfaces that its plugin may import (`[routes.grants]`).
//!
//! An interface that is not mentioned and one that is `false` differ: a plugin that imports the former is refused when it
//! is loaded, so that nobody wonders why it knows nothing; the latter it may import, and every answer is empty.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

/// How a route writes that it grants an interface, which is `false` otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantSyntax {
    /// `true`.
    Switch,
    /// A list of files.
    Files {
        /// The kind of files, in the plural.
        kind: &'static str,
        /// An example of their names.
        example: &'static str,
    },
}

/// The grant of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grant {
    /// `false`: the plugin may ask, and every answer is empty.
    Refused,
    /// `true`.
    Given,
    /// These files: at least one; absolute paths to regular files that could be read when the configuration was.
    Files(Vec<PathBuf>),
    /// The answers of a test case, as its file has them.
    Answers(Value),
}

/// The grants of one route, by the names of the interfaces. A plugin that imports an interface without a grant is refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants(BTreeMap<&'static str, Grant>);

impl GrantSyntax {
    /// A line of the configuration that grants the interface with this name.
    pub(super) fn example(self, name: &str) -> String {
        match self {
            Self::Switch => format!("{name} = true"),
            Self::Files { example, .. } => format!("{name} = [\"{example}\"]"),
        }
    }
}

impl Grants {
    /// The grant of the interface with this name.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&Grant> {
        self.0.get(name)
    }

    /// Refuses those of these interfaces that are not mentioned, so that a plugin may import all and use those that answer.
    #[must_use]
    pub(crate) fn refusing_others(mut self, names: impl IntoIterator<Item = &'static str>) -> Self {
        for name in names {
            self.0.entry(name).or_insert(Grant::Refused);
        }
        self
    }

    /// The grants, by the names of the interfaces.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Grant)> {
        self.0.iter().map(|(name, grant)| (*name, grant))
    }

    /// The files of all interfaces. When one changes, [`super::Host::reload`] reads it again.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.values().flat_map(|grant| match grant {
            Grant::Files(files) => files.as_slice(),
            Grant::Refused | Grant::Given | Grant::Answers(_) => &[],
        })
    }
}

impl FromIterator<(&'static str, Grant)> for Grants {
    fn from_iter<I: IntoIterator<Item = (&'static str, Grant)>>(grants: I) -> Self {
        Self(grants.into_iter().collect())
    }
}
