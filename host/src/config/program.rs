//! What a program that takes messages as JSON wants next to its URL: a body, headers, a signature, and what its answer says.

use std::path::PathBuf;

use super::headers::Headers;
use super::reader::Table;
use super::secret_source::{BASIC_AUTH, Env};
use super::signing_key::SigningKey;
use super::success_rule::SuccessRule;
use crate::message::BodyTemplate;

/// The settings of a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Program {
    /// The body. Default: the JSON form of a message as it is.
    pub body: Option<BodyTemplate>,
    /// Headers of its own, and the file that contains them, if one does.
    pub headers: Option<(Headers, Option<PathBuf>)>,
    /// The key of its signatures, and the file that contains it, if one does.
    pub signing_key: Option<(SigningKey, Option<PathBuf>)>,
    /// What its answer must have. Default: any status of success says that it has the message.
    pub success: Option<SuccessRule>,
}

impl Program {
    /// Reads the keys of a webhook.
    pub(super) fn read(table: &Table<'_>, env: Env<'_>) -> Self {
        let body = table.string("body").and_then(|text| {
            let parsed = BodyTemplate::parse(&text.value);
            parsed.inspect_err(|error| table.problems.report(text.location, format!("body: {error}"))).ok()
        });
        let headers = Headers::read(table, env);
        let names_login = headers.iter().any(|(headers, _)| headers.expose().any(|(name, _)| name == "authorization"));
        if names_login && BASIC_AUTH.are_in(table) {
            let message = format!("{} has basic_auth and a header authorization, which are the same", table.title);
            table.problems.report_with(table.location.clone(), message, "keep one of them");
        }
        let success = table.parsed("success", SuccessRule::FORM, SuccessRule::parse).map(|rule| rule.value);
        Self { body, headers, signing_key: SigningKey::read(table, env), success }
    }

    /// Returns the files that contain its secrets.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let headers = self.headers.as_ref().and_then(|(_, file)| file.as_ref());
        headers.into_iter().chain(self.signing_key.as_ref().and_then(|(_, file)| file.as_ref()))
    }
}
