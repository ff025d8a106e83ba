//! The texts of a Rust source: identifiers, string literals, and between the tokens comments.
//!
//! proc-macro2 splits the source as the compiler does, so that a quote in a comment or a comment in a string confuses
//! nothing.

use std::ops::Range;

use anyhow::anyhow;
use proc_macro2::{TokenStream, TokenTree};
use regex::Regex;

use super::text::{COMMENT_MARKS, Scope, Text};

/// Splits Rust sources into texts.
pub struct Lexer {
    /// Keywords that only SQL has.
    sql: Regex,
    /// Names of columns, as constants of the store have them.
    columns: Regex,
    /// A name in the braces of a format string.
    placeholder: Regex,
    /// An escape sequence of a string literal, and the letter in it that belongs to no word.
    escape: Regex,
}

impl Lexer {
    /// Compiles its patterns.
    ///
    /// # Errors
    /// None in practice: the patterns are constants.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            sql: Regex::new(
                r"\b(?:SELECT|INSERT (?:OR [A-Z]+ )?INTO|UPDATE|DELETE FROM|CREATE [A-Z]+|FROM|WHERE|SET|VALUES|JOIN|ORDER BY|ON CONFLICT|PRAGMA|RETURNING)\b",
            )?,
            columns: Regex::new(r#"^"[a-z_]+(?:,\s*[a-z_]+)+"$"#)?,
            placeholder: Regex::new(r"(?:^|[^{])\{(?<name>[a-z_][a-z0-9_]*)(?::[^{}]*)?\}")?,
            escape: Regex::new(r#"\\[nrt0\\'"]"#)?,
        })
    }

    /// Returns all texts of a source. In the store, a list of names is a list of columns.
    ///
    /// # Errors
    /// A source that is not Rust.
    pub(super) fn texts(&self, source: &str, is_store: bool) -> anyhow::Result<Vec<Text>> {
        let tokens: TokenStream = source.parse().map_err(|error| anyhow!("not Rust: {error}"))?;
        let mut texts = Texts { lexer: self, source, is_store, found: Vec::new(), end: 0 };
        texts.add_tokens(tokens);
        texts.add_comments(source.len());
        proc_macro2::extra::invalidate_current_thread_spans();
        Ok(texts.found)
    }
}

struct Texts<'a> {
    lexer: &'a Lexer,
    source: &'a str,
    is_store: bool,
    found: Vec<Text>,
    /// The end of the last token.
    end: usize,
}

impl Texts<'_> {
    fn add_tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            let range = token.span().byte_range();
            // A doc comment is a group of tokens, all of them where the comment is.
            if ["//", "/*"].iter().any(|open| self.at(range.clone()).starts_with(open)) {
                continue;
            }
            match token {
                TokenTree::Group(group) => {
                    self.add_token(group.span_open().byte_range());
                    self.add_tokens(group.stream());
                    self.add_token(group.span_close().byte_range());
                }
                TokenTree::Ident(_) => {
                    let name = Text::identifier(self.at(range.clone()), range.start);
                    self.found.push(name);
                    self.add_token(range);
                }
                TokenTree::Literal(_) => {
                    self.add_literal(range.clone());
                    self.add_token(range);
                }
                TokenTree::Punct(_) => self.add_token(range),
            }
        }
    }

    fn at(&self, range: Range<usize>) -> &str {
        self.source.get(range).unwrap_or_default()
    }

    /// Notes the end of a token, after the comments before it.
    fn add_token(&mut self, range: Range<usize>) {
        self.add_comments(range.start);
        self.end = self.end.max(range.end);
    }

    fn add_comments(&mut self, until: usize) {
        let between = self.at(self.end..until);
        if !between.trim().is_empty() {
            self.found.push(Text::paragraphs(between, self.end, COMMENT_MARKS));
        }
    }

    fn add_literal(&mut self, range: Range<usize>) {
        let literal = self.at(range.clone());
        let Some((prefix, _)) = literal.split_once('"').filter(|(prefix, _)| !prefix.contains('\'')) else { return };
        let Lexer { sql, columns, placeholder, escape } = self.lexer;
        if sql.is_match(literal) || self.is_store && columns.is_match(literal) {
            let texts = sql_and_comments(literal, range.start);
            self.found.extend(texts);
            return;
        }
        let names: Vec<_> =
            placeholder.captures_iter(literal).filter_map(|captures| Some(captures.name("name")?.range())).collect();
        let escapes = escape.find_iter(literal).filter(|_| !prefix.contains('r')).map(|found| found.range());
        let mut prose = literal.to_owned();
        for blank in names.iter().cloned().chain(escapes) {
            prose.replace_range(blank.clone(), &" ".repeat(blank.len()));
        }
        let names = names
            .into_iter()
            .filter_map(|name| Some(Text::identifier(literal.get(name.clone())?, range.start + name.start)));
        let texts: Vec<_> = names.chain([Text::paragraphs(&prose, range.start, "")]).collect();
        self.found.extend(texts);
    }
}

/// SQL without its comments, and the comments.
fn sql_and_comments(literal: &str, offset: usize) -> Vec<Text> {
    let (mut statements, mut comments) = (Text::new(Scope::Sql), Text::new(Scope::Prose));
    let mut start = offset;
    for line in literal.split_inclusive('\n') {
        let comment = line.find("--").unwrap_or(line.len());
        let (statement, comment_text) = line.split_at_checked(comment).unwrap_or_default();
        statements.add_line(statement, start, "");
        comments.add_line(comment_text, start + comment, "-");
        start += line.len();
    }
    vec![statements, comments]
}
