//! The linter on the corpus and on samples of its definitions: every rule, every limit.

mod corpus;
mod definitions;
mod limits;
mod rules;
