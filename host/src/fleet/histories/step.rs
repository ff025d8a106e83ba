//! The steps of a history.

use proptest::prelude::*;

/// The last stage of a worker's turn, in which it does all of its work.
pub(super) const STAGES: usize = 13;

/// One step of a history.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Hosts publish messages that these routes match: a, b, both, none.
    Publish([bool; 2]),
    /// Time passes, in ms, while a worker that takes no turn is frozen.
    Pass(u64),
    /// A webhook takes nothing, or takes messages again.
    Suspend(usize, bool),
    /// The owner gives the shard away, if there is one, and follows.
    GiveAway(Answer),
    /// A worker goes through these stages of its work, and has this fate then. If it `waits`, all others are frozen for the time
    /// of the lease first, and it becomes the owner.
    Turn { worker: usize, waits: bool, stages: (usize, usize), answer: Answer, fate: Fate },
}

/// What happens to the first answer of the broker to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Comes,
    /// The broker has stored it.
    IsLost,
    /// The broker never got the request.
    IsLostWithTheRequest,
}

/// What happens to a worker after its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Lives,
    Dies,
    DiesWithItsDisk,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let answer = prop_oneof![
        6 => Just(Answer::Comes), 1 => Just(Answer::IsLost), 1 => Just(Answer::IsLostWithTheRequest)
    ];
    let fate = prop_oneof![6 => Just(Fate::Lives), 2 => Just(Fate::Dies), 1 => Just(Fate::DiesWithItsDisk)];
    prop_oneof![
        4 => any::<[bool; 2]>().prop_map(Step::Publish),
        2 => (1_u64..800).prop_map(Step::Pass),
        1 => (0_usize..2, any::<bool>()).prop_map(|(webhook, suspended)| Step::Suspend(webhook, suspended)),
        2 => answer.clone().prop_map(Step::GiveAway),
        8 => (0_usize..3, any::<bool>(), (prop_oneof![Just(0), 0..STAGES], 0..2 * STAGES), answer, fate)
            .prop_map(|(worker, waits, stages, answer, fate)| Step::Turn { worker, waits, stages, answer, fate }),
    ]
}
