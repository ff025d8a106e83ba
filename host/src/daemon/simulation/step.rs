//! One step of a history.

use proptest::prelude::*;

use super::chats::Mood;

/// What happens next. Numbers that name one of several are taken modulo how many there are, so that each step makes sense in
/// any history.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// So many events of a kind in a jail are reported by the action, or read from a log.
    Events { count: u8, jail: usize, kind: EventKind, from_log: bool },
    /// Receives and routes what there is.
    Route,
    /// Formats what one route has.
    Format(usize),
    /// Sends up to so many messages that are due.
    Deliver(u8),
    /// So many seconds go by, in which the daemon works.
    Pass(u32),
    /// The clock is set, by so many seconds.
    SetClock(i32),
    /// The process is killed, and another one starts.
    Crash,
    /// The process is killed while a request is under way; whether the chat has the message.
    CrashInRequest { accepted: bool },
    /// A webhook behaves differently from now on.
    Turn(usize, Mood),
    /// The configuration changes.
    Configure(Change),
    /// The plugin's file is damaged, or right again; routes load it when the configuration changes, or in a new process.
    BreakPlugin(bool),
    /// Finished events are removed.
    Prune,
    /// `banhook queue retry --all`.
    Retry,
}

impl Step {
    /// Names the fault that it is, if it is one.
    pub(super) const fn fault(&self) -> Option<&'static str> {
        Some(match self {
            Self::Crash => "the process is killed",
            Self::CrashInRequest { .. } => "the process is killed during a request",
            Self::Turn(_, Mood::Limited(_)) => "a webhook answers 429",
            Self::Turn(_, Mood::Failing) => "a webhook answers 500",
            Self::Turn(_, Mood::Lost) => "a webhook accepts, and its answers are lost",
            Self::Turn(_, Mood::Missing) => "a webhook answers 404",
            Self::Turn(_, Mood::Refusing | Mood::Picky) => "a webhook rejects messages",
            Self::Turn(_, Mood::Closed) => "an app may neither change messages nor reply",
            Self::Turn(_, Mood::Emptied) => "the messages of an app are deleted",
            Self::SetClock(_) => "the clock is set",
            Self::Configure(_) => "routes, webhooks, URLs or targets change",
            Self::BreakPlugin(true) => "the plugin is damaged",
            Self::Prune => "finished events are removed",
            Self::Retry => "`queue retry --all`",
            Self::Turn(_, Mood::Good)
            | Self::BreakPlugin(false)
            | Self::Events { .. }
            | Self::Route
            | Self::Format(_)
            | Self::Deliver(_)
            | Self::Pass(_) => return None,
        })
    }
}

/// What fail2ban does.
#[derive(Debug, Clone, Copy)]
pub(super) enum EventKind {
    Ban,
    Restored,
    Unban,
    Start,
    Stop,
    Flush,
}

/// A change of the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// A route is there, or not any more.
    ToggleRoute(usize),
    /// A route gets another webhook.
    Repoint(usize, usize),
    /// A route gets a fallback webhook, or none.
    Fallback(usize, Option<usize>),
    /// A webhook is there, or not any more; routes that name it get another one.
    ToggleWebhook(usize),
    /// A webhook has another URL.
    NewUrl(usize),
    /// A webhook is of another service.
    Retarget(usize),
}

/// Any step.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        8 => Just(EventKind::Ban),
        2 => Just(EventKind::Unban),
        1 => Just(EventKind::Restored),
        1 => Just(EventKind::Start),
        1 => Just(EventKind::Stop),
        1 => Just(EventKind::Flush),
    ];
    let count = prop_oneof![4 => 1..4_u8, 2 => 4..30_u8, 1 => 30..120_u8];
    let events = (count, 0..9_usize, kind, any::<bool>()).prop_map(|(count, jail, kind, from_log)| Step::Events {
        count,
        jail,
        kind,
        from_log,
    });
    let mood = prop_oneof![
        3 => Just(Mood::Good),
        1 => (1..90_u64).prop_map(Mood::Limited),
        1 => Just(Mood::Failing),
        1 => Just(Mood::Lost),
        1 => Just(Mood::Missing),
        1 => Just(Mood::Refusing),
        1 => Just(Mood::Picky),
        1 => Just(Mood::Closed),
        1 => Just(Mood::Emptied),
    ];
    let change = prop_oneof![
        (0..9_usize).prop_map(Change::ToggleRoute),
        (0..9_usize, 0..9_usize).prop_map(|(route, webhook)| Change::Repoint(route, webhook)),
        (0..9_usize, proptest::option::of(0..9_usize)).prop_map(|(route, webhook)| Change::Fallback(route, webhook)),
        (0..9_usize).prop_map(Change::ToggleWebhook),
        (0..9_usize).prop_map(Change::NewUrl),
        (0..9_usize).prop_map(Change::Retarget),
    ];
    prop_oneof![
        6 => events,
        3 => Just(Step::Route),
        3 => (0..9_usize).prop_map(Step::Format),
        3 => (1..20_u8).prop_map(Step::Deliver),
        4 => prop_oneof![3 => 1..60_u32, 1 => 60..4_000_u32].prop_map(Step::Pass),
        1 => prop_oneof![-90_000..90_000_i32, -60..60_i32].prop_map(Step::SetClock),
        1 => Just(Step::Crash),
        1 => any::<bool>().prop_map(|accepted| Step::CrashInRequest { accepted }),
        3 => (0..9_usize, mood).prop_map(|(webhook, mood)| Step::Turn(webhook, mood)),
        2 => change.prop_map(Step::Configure),
        1 => any::<bool>().prop_map(Step::BreakPlugin),
        1 => Just(Step::Prune),
        1 => Just(Step::Retry),
    ]
}
