//! A component, loaded for one route: asks it to decide on events and to format digests.

use std::collections::BTreeMap;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::answer::{Answer, Usage};
use super::bindings::exports::banhook::plugin::{checker, descriptor, digester, formatter};
use super::call::{Call, Caller};
use super::components::{FileHash, Shared};
use super::description::Description;
use super::error::SettingProblem;
use super::state::State;
use super::{PluginError, lift, lower, standard};
use crate::event::{Batch, DigestCause, Event, Timestamp};
use crate::hex::hex;
use crate::message::{Decision, DigestDecision, Message};

/// Problems with settings that are reported: more would help nobody.
const PROBLEMS: usize = 20;

/// A message of the smoke test, with what it is about.
pub(crate) enum SmokeTestMessage<'a> {
    /// About a standard event.
    OfEvent(&'a Event, &'a Message),
    /// About a digest of all of them.
    OfDigest(&'a Batch, &'a Message),
}

/// A component, loaded for one route.
pub struct Plugin {
    pub(super) caller: Caller,
    pub(super) component: InstancePre<State>,
    /// Kept, so that the next route with the same file finds it.
    pub(super) _shared: Shared,
    pub(super) formatter: formatter::GuestIndices,
    pub(super) digester: Option<digester::GuestIndices>,
    pub(super) checker: Option<checker::GuestIndices>,
    pub(super) descriptor: Option<descriptor::GuestIndices>,
    pub(super) sha256: FileHash,
    pub(super) version: Option<String>,
}

impl Plugin {
    /// Asks the plugin to decide on an event, in a fresh instance.
    #[must_use]
    pub fn format(&self, event: &Event) -> Answer {
        let mut call = self.caller.begin(event.at, &event.id);
        let decision = self.call_format(&mut call, event);
        self.caller.end(call, decision)
    }

    /// Asks the plugin to decide on a digest, in a fresh instance; `now` is when the digest closed. `None` if the plugin
    /// exports no digester.
    #[must_use]
    pub(crate) fn digest(&self, batch: &Batch, now: Timestamp) -> Option<Answer<DigestDecision>> {
        let digester = self.digester.as_ref()?;
        // So the same batch gets the same answer; an empty one does not occur.
        let seed = batch.events.first().map_or("digest", |event| &event.id);
        let mut call = self.caller.begin(now, seed);
        let decision = self.call_digest(digester, &mut call, batch);
        Some(self.caller.end(call, decision))
    }

    /// Makes an instance, asks it nothing, and returns what that took.
    ///
    /// # Errors
    /// When the plugin fails to start.
    pub(crate) fn instantiate(&self) -> Result<Usage, PluginError> {
        let mut call = self.caller.begin(Timestamp(0), "instantiate");
        let made = self.call(&mut call, |_, _| Ok(()));
        let made = made.map_err(|error| self.caller.failure(&call, &error));
        let answer = self.caller.end(call, made);
        answer.decision.map(|()| answer.usage)
    }

    /// Asks the plugin what it is, and whether these are settings that it has. Returns the errors and warnings as well. `None`
    /// if it does not say.
    #[must_use]
    pub(crate) fn describe(&self, settings: &BTreeMap<String, String>) -> (Option<Description>, Vec<PluginError>) {
        let Some(indices) = &self.descriptor else { return (None, Vec::new()) };
        let mut call = self.caller.begin(Timestamp(0), "describe");
        let called = self.call(&mut call, |store, instance| indices.load(&mut *store, instance)?.call_describe(store));
        match called {
            Ok(description) => {
                let (description, unknown) = lift::description(description);
                let unknown = unknown.map(|name| PluginError::Setting(SettingProblem::unknown_hint(&name)));
                let problems = description.check(settings).into_iter().take(PROBLEMS).chain(unknown).collect();
                (Some(description), problems)
            }
            Err(error) => (None, vec![self.caller.failure(&call, &error)]),
        }
    }

    /// Runs the plugin's own check of its settings, then one standard event of each kind, then a digest of these.
    /// Returns the errors, and the plugin's warnings about its settings.
    #[must_use]
    pub fn smoke_test(&self) -> Vec<PluginError> {
        self.smoke_test_with(|_| Ok(()))
    }

    /// The same, with the messages judged: whether they can be sent, or why not.
    #[must_use]
    pub(crate) fn smoke_test_with(
        &self,
        judge: impl Fn(&SmokeTestMessage<'_>) -> Result<(), String>,
    ) -> Vec<PluginError> {
        let problems = self.check();
        if problems.iter().any(|problem| !problem.is_warning()) {
            return problems;
        }
        let events = standard::events();
        let judged = |message: &SmokeTestMessage<'_>| judge(message).map_err(PluginError::Unsendable);
        // Mostly the same error for each kind; reporting it once is enough.
        let of_events = || {
            events.iter().find_map(|event| match self.format(event).decision {
                Ok(Decision::Post(message)) => judged(&SmokeTestMessage::OfEvent(event, &message)).err(),
                Ok(Decision::Skip(_) | Decision::Hold(_)) => None,
                Err(error) => Some(error),
            })
        };
        let of_digest = || {
            let batch = Batch::of(&events, DigestCause::Held, Some(standard::KEY.to_owned()));
            match self.digest(&batch, batch.last)?.decision {
                Ok(DigestDecision::Post(message)) => judged(&SmokeTestMessage::OfDigest(&batch, &message)).err(),
                Ok(DigestDecision::Skip(_) | DigestDecision::Hold(_)) => None,
                Err(error) => Some(error),
            }
        };
        problems.into_iter().chain(of_events().or_else(of_digest)).collect()
    }

    /// The SHA-256 of its file.
    #[must_use]
    pub(crate) fn sha256(&self) -> String {
        hex(&self.sha256)
    }

    /// The version that its author gave it, if any.
    #[must_use]
    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Returns whether it decides on digests.
    #[must_use]
    pub(crate) const fn has_digester(&self) -> bool {
        self.digester.is_some()
    }

    /// Asks the plugin what is wrong with its settings: errors, and warnings.
    #[must_use]
    pub(crate) fn check(&self) -> Vec<PluginError> {
        let Some(indices) = &self.checker else { return Vec::new() };
        let mut call = self.caller.begin(Timestamp(0), "check");
        let called = self.call(&mut call, |store, instance| indices.load(&mut *store, instance)?.call_check(store));
        match called {
            Ok(problems) => {
                let hinted = problems.iter().flat_map(|problem| problem.hints.iter().flatten());
                let unknown = hinted.take(1).map(|(name, _)| PluginError::Setting(SettingProblem::unknown_hint(name)));
                let unknown: Vec<_> = unknown.collect();
                let problems = problems.into_iter().take(PROBLEMS).map(lift::problem).map(PluginError::Setting);
                problems.chain(unknown).collect()
            }
            Err(error) => vec![self.caller.failure(&call, &error)],
        }
    }

    fn call_format(&self, call: &mut Call, event: &Event) -> Result<Decision, PluginError> {
        let called = self.call(call, |store, instance| {
            let guest = self.formatter.load(&mut *store, instance)?;
            guest.call_format(store, &lower::event(event))
        });
        lift::decision(self.returned(call, called)?, &self.caller.limits)
    }

    fn call_digest(
        &self,
        digester: &digester::GuestIndices,
        call: &mut Call,
        batch: &Batch,
    ) -> Result<DigestDecision, PluginError> {
        let called = self.call(call, |store, instance| {
            let guest = digester.load(&mut *store, instance)?;
            guest.call_digest(store, &lower::batch(batch))
        });
        lift::digest_decision(self.returned(call, called)?, &self.caller.limits)
    }

    fn call<T>(
        &self,
        call: &mut Call,
        export: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        self.caller.call(call, &self.component, export)
    }

    /// The value that a call returned; the plugin may also return an error of its own.
    fn returned<T>(&self, call: &Call, called: wasmtime::Result<Result<T, String>>) -> Result<T, PluginError> {
        match called {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(PluginError::Returned(lift::shortened(error, self.caller.limits.text))),
            Err(error) => Err(self.caller.failure(call, &error)),
        }
    }
}
