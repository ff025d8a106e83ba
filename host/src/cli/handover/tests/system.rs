//! The system: its processes, the lock, the pipe and the events, and all that may happen next.

use super::process::{Answer, End, Phase, Process, Program, Question};

/// The whole system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct System {
    processes: Vec<Process>,
    /// Events on disk that nobody has delivered.
    events: u8,
    /// What is in the pipe: a wake-up, a request to yield.
    wake: bool,
    yields: bool,
    /// How many daemons and drains may still be ended from outside.
    stops: u8,
}

impl System {
    pub(super) fn of(programs: &[Program], stops: u8) -> Self {
        let processes: Vec<_> = programs.iter().map(|program| Process::new(*program)).collect();
        Self { processes, events: 0, wake: false, yields: false, stops }
    }

    fn is_listening(&self) -> bool {
        self.processes.iter().any(|process| process.is_listening())
    }

    /// Everything that may happen next.
    pub(super) fn nexts(&self) -> Vec<Self> {
        (0..self.processes.len()).flat_map(|process| self.steps_of(process)).map(Self::normalized).collect()
    }

    /// Without processes that have ended, and in an order: which of two alike is first makes no difference.
    fn normalized(mut self) -> Self {
        self.processes.retain(|process| process.question().is_some());
        self.processes.sort();
        self
    }

    fn is_free(&self) -> bool {
        !self.processes.iter().any(|process| process.is_holder)
    }

    fn answered(&self, process: usize, answer: Answer) -> Self {
        let mut next = self.clone();
        let asked = &mut next.processes[process];
        asked.answers.push(answer);
        asked.forget();
        next
    }

    fn steps_of(&self, process: usize) -> Vec<Self> {
        let yes_if = |is| if is { Answer::Yes } else { Answer::No };
        let Some(question) = self.processes[process].question() else { return Vec::new() };
        match question {
            Question::Store => {
                let mut next = self.answered(process, Answer::Done);
                next.events += 1;
                vec![next]
            }
            Question::Wake => {
                let is_listening = self.is_listening();
                let mut next = self.answered(process, yes_if(is_listening));
                next.wake |= is_listening;
                vec![next]
            }
            Question::TryLock => {
                let mut next = self.answered(process, yes_if(self.is_free()));
                next.processes[process].is_holder |= self.is_free();
                vec![next]
            }
            Question::StartRun => {
                assert!(self.processes[process].is_holder, "only the holder starts a run");
                let mut next = self.answered(process, Answer::Done);
                next.processes[process].is_holder = false;
                next.processes.push(Process::new(Program::ShortRun));
                vec![next]
            }
            Question::Release => {
                assert!(self.processes[process].is_holder, "only the holder releases the lock");
                let mut next = self.answered(process, Answer::Done);
                next.processes[process].is_holder = false;
                vec![next]
            }
            Question::HasWork => vec![self.answered(process, yes_if(self.events > 0))],
            Question::RequestYield => {
                let mut next = self.answered(process, Answer::Done);
                next.yields |= self.is_listening();
                vec![next]
            }
            Question::Wait => self.wait(process),
            Question::Work => self.work(process),
        }
    }

    /// It goes on waiting, or its time is up.
    fn wait(&self, process: usize) -> Vec<Self> {
        let mut nexts = vec![self.answered(process, Answer::No)];
        if self.processes[process].patience > 0 {
            let mut next = self.answered(process, Answer::Yes);
            next.processes[process].patience -= 1;
            nexts.push(next);
        }
        nexts
    }

    /// What the event loop of a daemon or a run does.
    fn work(&self, process: usize) -> Vec<Self> {
        assert!(self.processes[process].is_holder, "only the holder works");
        let (mut nexts, is_service) = (Vec::new(), self.processes[process].program.is_service());
        let mut go = |change: &dyn Fn(&mut Self), phase: Phase| {
            let mut next = self.clone();
            change(&mut next);
            next.processes[process].phase = phase;
            nexts.push(next);
        };
        match self.processes[process].phase {
            Phase::Outside => go(&|_| {}, Phase::Looking),
            Phase::Looking if self.events > 0 => go(&|next| next.events -= 1, Phase::Looking),
            Phase::Looking if !is_service => go(&|_| {}, Phase::Closing(End::Idle)),
            Phase::Looking => go(&|_| {}, Phase::Idle),
            Phase::Idle if self.wake => go(&|next| next.wake = false, Phase::Looking),
            Phase::Idle => {}
            Phase::Closing(end) => go(&Self::close_pipe, Phase::Ending(end)),
            Phase::Ending(end) => {
                let mut next = self.answered(process, Answer::Ended(end));
                next.processes[process].phase = Phase::Outside;
                return vec![next];
            }
        }
        let is_listening = matches!(self.processes[process].phase, Phase::Looking | Phase::Idle);
        if is_listening && self.yields {
            // Who else is asked ignores it.
            let is_short_run = self.processes[process].program == Program::ShortRun;
            let phase = if is_short_run { Phase::Closing(End::Yielded) } else { self.processes[process].phase };
            go(&|next| next.yields = false, phase);
        }
        if is_listening && self.processes[process].program != Program::ShortRun && self.stops > 0 {
            go(&|next| next.stops -= 1, Phase::Closing(End::Stopped));
            if !is_service {
                go(&|next| next.stops -= 1, Phase::Closing(End::TimeUp));
            }
        }
        nexts
    }

    /// The last reader of the pipe has gone, and with it what is in there.
    fn close_pipe(&mut self) {
        (self.wake, self.yields) = (false, false);
    }

    /// Whether events are not delivered.
    pub(super) fn is_forgotten(&self) -> bool {
        self.events > 0
    }
}
