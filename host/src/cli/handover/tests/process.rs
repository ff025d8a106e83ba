//! A process: the code under test, and what it was answered.

use std::cell::RefCell;
use std::collections::HashMap;

use banhook_notify::{Handover, ensure_holder};

use crate::cli::handover::{Holder, drain, hold, hold_until_idle, leave_to_run, take_over};
use crate::daemon::ExitReason;

/// A question of a process to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// Of `notify`: puts an event on disk.
    Store,
    Wake,
    TryLock,
    StartRun,
    Work,
    Release,
    HasWork,
    RequestYield,
    Wait,
}

impl Question {
    /// Everything that may be answered.
    const fn answers(self) -> &'static [Answer] {
        match self {
            Self::Store | Self::StartRun | Self::Release | Self::RequestYield => &[Answer::Done],
            Self::Wake | Self::TryLock | Self::HasWork | Self::Wait => &[Answer::Yes, Answer::No],
            Self::Work => &[
                Answer::Ended(End::Idle),
                Answer::Ended(End::Yielded),
                Answer::Ended(End::Stopped),
                Answer::Ended(End::TimeUp),
            ],
        }
    }
}

/// An answer. Of what is only done, that it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Answer {
    Done,
    Yes,
    No,
    Ended(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum End {
    Idle,
    Yielded,
    Stopped,
    TimeUp,
}

/// The process asks this, and has no answer yet.
#[derive(Debug)]
struct Asks(Question);

/// The system, as far as a process has been answered.
struct Script<'a> {
    answers: std::slice::Iter<'a, Answer>,
}

impl Script<'_> {
    fn ask(&mut self, question: Question) -> Result<Answer, Asks> {
        self.answers.next().copied().ok_or(Asks(question))
    }

    fn is_yes(&mut self, question: Question) -> Result<bool, Asks> {
        Ok(self.ask(question)? == Answer::Yes)
    }
}

impl Handover for Script<'_> {
    type Lock = ();
    type Error = Asks;

    fn wake(&mut self) -> Result<bool, Asks> {
        self.is_yes(Question::Wake)
    }

    fn try_lock(&mut self) -> Result<Option<()>, Asks> {
        Ok(self.is_yes(Question::TryLock)?.then_some(()))
    }

    fn start_run(&mut self, (): ()) -> Result<(), Asks> {
        self.ask(Question::StartRun).map(drop)
    }
}

impl Holder for Script<'_> {
    fn work(&mut self, (): &()) -> Result<ExitReason, Asks> {
        Ok(match self.ask(Question::Work)? {
            Answer::Ended(End::Yielded) => ExitReason::Yielded,
            Answer::Ended(End::Stopped) => ExitReason::Stopped,
            Answer::Ended(End::TimeUp) => ExitReason::TimeUp,
            _ => ExitReason::Idle,
        })
    }

    fn release(&mut self, (): ()) -> Result<(), Asks> {
        self.ask(Question::Release).map(drop)
    }

    fn has_work(&mut self) -> Result<bool, Asks> {
        self.is_yes(Question::HasWork)
    }

    fn request_yield(&mut self) -> Result<(), Asks> {
        self.ask(Question::RequestYield).map(drop)
    }

    fn wait(&mut self) -> Result<bool, Asks> {
        self.is_yes(Question::Wait)
    }
}

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Program {
    Notify,
    /// Begins with the lock.
    ShortRun,
    Daemon,
    Drain,
    /// Borrows the lock, as `forget` and `tail --once` do.
    Borrower,
    /// Borrows it, and looks at nothing afterwards.
    CarelessBorrower,
}

impl Program {
    /// Runs it as far as it has answers.
    fn run(self, answers: &[Answer]) -> Result<(), Asks> {
        let mut script = Script { answers: answers.iter() };
        match self {
            Self::Notify => {
                script.ask(Question::Store)?;
                ensure_holder(&mut script)
            }
            Self::ShortRun => hold_until_idle(&mut script, Some(())),
            Self::Daemon => match take_over(&mut script)? {
                Some(lock) => hold(&mut script, lock).map(drop),
                None => Ok(()),
            },
            Self::Drain => drain(&mut script).map(drop),
            Self::Borrower | Self::CarelessBorrower => {
                if take_over(&mut script)?.is_some() {
                    script.release(())?;
                    if self == Self::Borrower {
                        leave_to_run(&mut script)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Whether it works until it is stopped.
    pub(super) const fn is_service(self) -> bool {
        matches!(self, Self::Daemon)
    }
}

/// How far the work of a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Phase {
    /// It does not listen to the pipe yet, or not any more.
    Outside,
    /// It looks for work.
    Looking,
    /// It has found nothing, and waits for the pipe.
    Idle,
    /// It has found nothing, or is to end, and closes the pipe next.
    Closing(End),
    /// It listens no more, and says so next.
    Ending(End),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Process {
    /// Whether it has the lock.
    pub is_holder: bool,
    pub program: Program,
    pub answers: Vec<Answer>,
    pub phase: Phase,
    /// How often it still waits before it gives up.
    pub patience: u8,
}

impl Process {
    pub(super) fn new(program: Program) -> Self {
        Self {
            is_holder: program == Program::ShortRun,
            program,
            answers: Vec::new(),
            phase: Phase::Outside,
            patience: 1,
        }
    }

    /// Whether it reads the pipe, or at least has it open.
    pub(super) const fn is_listening(&self) -> bool {
        matches!(self.phase, Phase::Looking | Phase::Idle | Phase::Closing(_))
    }

    /// Forgets what makes no difference any more: answers after which it goes on as it did before them, as after a turn of a
    /// loop.
    pub(super) fn forget(&mut self) {
        thread_local! {
            static SHORTEST: RefCell<HashMap<(Program, Vec<Answer>), usize>> = RefCell::default();
        }
        let (program, answers) = (self.program, &self.answers);
        let search =
            || (0..=answers.len()).find(|length| goes_on_alike(program, &answers[..*length], answers, LOOK_AHEAD));
        let length = SHORTEST.with_borrow_mut(|shortest| {
            *shortest.entry((program, answers.clone())).or_insert_with(|| search().unwrap_or(answers.len()))
        });
        self.answers.truncate(length);
    }

    pub(super) fn question(&self) -> Option<Question> {
        self.program.run(&self.answers).err().map(|Asks(question)| question)
    }
}

/// How many questions of a process are compared; more than there are in a turn of any loop.
const LOOK_AHEAD: usize = 8;

/// Whether a process asks the same after these and those answers, whatever it is answered then.
fn goes_on_alike(program: Program, these: &[Answer], those: &[Answer], look_ahead: usize) -> bool {
    let [this, that] = [these, those].map(|answers| program.run(answers).err().map(|Asks(question)| question));
    let Some(question) = this.filter(|_| this == that) else { return this == that };
    look_ahead == 0
        || question.answers().iter().all(|answer| {
            let [these, those] = [these, those].map(|answers| [answers, &[*answer]].concat());
            goes_on_alike(program, &these, &those, look_ahead - 1)
        })
}
