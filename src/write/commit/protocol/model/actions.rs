//! What can happen next in a world, and the world after it.

use stateright::{Model, Property};

use super::World;
use super::process::{Active, Process, Told, Writer};
use super::properties;
use super::scope::{Defect, Scope};
use super::server::Stage;
use crate::write::commit::protocol::{Happened, Step};

/// Something that can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A writer sends a try, COMMIT included: of a new batch up to `to`, or of the one in hand.
    Send { process: usize, partition: usize, to: Option<u8> },
    /// A writer's try fails before COMMIT: the connection broke, or with this error.
    FailEarly { process: usize, partition: usize, code: Option<&'static str> },
    /// A writer in doubt reads the checkpoint.
    Ask { process: usize, partition: usize },
    /// It cannot.
    AskInVain { process: usize, partition: usize },
    /// A writer's patience ends.
    GiveUp { process: usize, partition: usize },
    /// The server runs the fence of a transaction.
    Advance { backend: usize },
    /// The server commits it.
    Commit { backend: usize },
    /// The server aborts it; who still listens is told.
    Abort { backend: usize },
    /// It takes too long: the server ends it and its session; who still listens is told.
    TooLong { backend: usize },
    /// Its connection breaks; it may go on nevertheless.
    Lose { backend: usize },
    /// A process is killed.
    Crash { process: usize },
    /// A process starts, and finds the run unfinished.
    Start { process: usize },
    /// Its take-over locks the next checkpoint.
    Lock { process: usize },
    /// Its take-over commits.
    TakeOver { process: usize },
    /// A process completes the run.
    Complete { process: usize },
    /// It does, and the answer is lost.
    CompleteUnheard { process: usize },
    /// The standby catches up.
    Replicate,
    /// The standby is promoted.
    FailOver,
}

impl World {
    fn of_writer(
        &self,
        scope: &Scope,
        (process, partition): (usize, usize),
        writer: &Writer,
        acts: &mut Vec<Act>,
    ) {
        let left = &self.left;
        let Some(active) = &writer.active else {
            if !writer.halves.is_empty() {
                acts.push(Act::Send { process, partition, to: None });
            } else if writer.at < scope.end() {
                let longest = (writer.at + scope.batch_max).min(scope.end());
                acts.extend((writer.at + 1..=longest).map(|to| Act::Send {
                    process,
                    partition,
                    to: Some(to),
                }));
            }
            return;
        };
        let Active { span, protocol, step, in_flight } = active;
        if *in_flight {
            return;
        }
        let paused = matches!(step, Step::Pause(_));
        if protocol.in_doubt() {
            if !self.is_locked(partition) {
                acts.push(Act::Ask { process, partition });
            }
            // More than once in a row it is the same state.
            if left.losses > 0 && !paused {
                acts.push(Act::AskInVain { process, partition });
            }
        } else {
            acts.push(Act::Send { process, partition, to: None });
            if paused && scope.defect == Defect::OtherBoundaries {
                let others = (span.from + 1..=scope.end()).filter(|to| *to != span.to);
                acts.extend(others.map(|to| Act::Send { process, partition, to: Some(to) }));
            }
        }
        if paused && left.give_ups > 0 {
            acts.push(Act::GiveUp { process, partition });
        }
    }

    /// A batch that was just cut may fail before its COMMIT. (Sending is one step, so this is said of those
    /// in flight whose COMMIT the server has not seen.)
    fn early(&self, acts: &mut Vec<Act>) {
        for backend in self.backends.iter().filter(|b| b.stage == Stage::Sent) {
            let Some(process) = backend.client else { continue };
            let partition = backend.partition;
            if self.left.aborts > 0 {
                acts.push(Act::FailEarly { process, partition, code: Some("40P01") });
            }
            if self.left.losses > 0 {
                acts.push(Act::FailEarly { process, partition, code: None });
            }
            if self.left.cancels > 0 {
                acts.push(Act::FailEarly { process, partition, code: Some("57014") });
            }
            if self.left.changes > 0 {
                acts.push(Act::FailEarly { process, partition, code: Some("DL003") });
            }
        }
    }

    fn of_backends(&self, acts: &mut Vec<Act>) {
        for (n, backend) in self.backends.iter().enumerate() {
            match backend.stage {
                Stage::Sent if self.is_locked(backend.partition) => {}
                Stage::Sent => acts.push(Act::Advance { backend: n }),
                Stage::Advanced | Stage::Slipped => acts.push(Act::Commit { backend: n }),
            }
            match backend.client {
                Some(_) if self.left.losses > 0 => acts.push(Act::Lose { backend: n }),
                _ => {}
            }
            if backend.client.is_some() && self.left.limits > 0 {
                acts.push(Act::TooLong { backend: n });
            }
            if backend.client.is_none() || self.left.aborts > 0 {
                acts.push(Act::Abort { backend: n });
            }
        }
    }

    fn of_process(&self, scope: &Scope, process: usize, acts: &mut Vec<Act>) {
        match &self.processes[process] {
            Process::Down => {
                let alive = self.processes.iter().any(|p| p.running().is_some());
                if !self.run_is_locked() && !self.db.complete && (!alive || self.left.take_overs > 0) {
                    acts.push(Act::Start { process });
                }
            }
            Process::TakingOver { locked } if *locked == scope.partitions => {
                acts.push(Act::TakeOver { process });
            }
            Process::TakingOver { locked } => {
                if !self.is_locked(*locked) {
                    acts.push(Act::Lock { process });
                }
            }
            Process::Running(running) => {
                for (partition, writer) in running.writers.iter().enumerate() {
                    self.of_writer(scope, (process, partition), writer, acts);
                }
                let at_end = |w: &Writer| w.at == scope.end() && w.active.is_none() && w.halves.is_empty();
                if running.writers.iter().all(at_end) && !self.run_is_locked() {
                    acts.push(Act::Complete { process });
                    if self.left.losses > 0 {
                        acts.push(Act::CompleteUnheard { process });
                    }
                }
            }
            Process::Succeeded => {}
        }
        let may_crash = matches!(self.processes[process], Process::TakingOver { .. } | Process::Running(_));
        if may_crash && self.left.crashes > 0 {
            acts.push(Act::Crash { process });
        }
    }

    fn after(&mut self, scope: &Scope, act: Act) {
        match act {
            Act::Send { process, partition, to } => self.send(scope, (process, partition), to),
            Act::FailEarly { process, partition, code } => {
                match code {
                    None => self.left.losses -= 1,
                    Some("57014") => self.left.cancels -= 1,
                    Some("DL003") => self.left.changes -= 1,
                    Some(_) => self.left.aborts -= 1,
                }
                self.backends.retain(|b| (b.client, b.partition) != (Some(process), partition));
                self.fail_early(scope, (process, partition), code);
            }
            Act::Ask { process, partition } => self.ask(scope, (process, partition)),
            Act::AskInVain { process, partition } => {
                self.left.losses -= 1;
                self.happened(scope, (process, partition), Happened::NoAnswer);
            }
            Act::GiveUp { process, partition } => {
                self.left.give_ups -= 1;
                self.happened(scope, (process, partition), Happened::PatienceEnded);
            }
            Act::Advance { backend } => self.advance(scope, backend),
            Act::Commit { backend } => self.commit(scope, backend),
            Act::Abort { backend } => {
                let backend = self.backends.remove(backend);
                self.left.aborts -= u8::from(backend.client.is_some());
                self.tell(scope, &backend, Told::Aborted);
            }
            Act::TooLong { backend } => {
                self.left.limits -= 1;
                let backend = self.backends.remove(backend);
                self.tell(scope, &backend, Told::TooLong);
            }
            Act::Lose { backend } => {
                self.left.losses -= 1;
                let heard = self.backends[backend];
                self.backends[backend].client = None;
                self.tell(scope, &heard, Told::Lost);
            }
            Act::Crash { process } => {
                self.left.crashes -= 1;
                self.end(process);
            }
            Act::Start { process } => {
                let alive = self.processes.iter().any(|p| p.running().is_some());
                self.left.take_overs -= u8::from(alive);
                self.processes[process] = Process::TakingOver { locked: 0 };
            }
            Act::Lock { process } => {
                if let Process::TakingOver { locked } = &mut self.processes[process] {
                    *locked += 1;
                }
            }
            Act::TakeOver { process } => {
                self.take_over(scope);
                self.processes[process] = Process::started(self.lives, self.db.epoch, &self.db);
            }
            Act::Complete { process } => {
                let epoch = self.processes[process].running().map_or(0, |running| running.epoch);
                if self.complete(scope, epoch) {
                    self.seen.success = true;
                    self.processes[process] = Process::Succeeded;
                } else {
                    self.end(process);
                }
            }
            Act::CompleteUnheard { process } => {
                self.left.losses -= 1;
                let epoch = self.processes[process].running().map_or(0, |running| running.epoch);
                self.complete(scope, epoch);
            }
            Act::Replicate => self.standby = self.db.clone(),
            Act::FailOver => {
                self.left.failovers -= 1;
                self.fail_over(scope);
            }
        }
    }
}

impl Model for Scope {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, acts: &mut Vec<Act>) {
        for process in 0..world.processes.len() {
            world.of_process(self, process, acts);
        }
        world.of_backends(acts);
        world.early(acts);
        // Once somebody was told of success nothing is promised about a server that loses it.
        if world.left.failovers > 0 && !world.seen.success {
            if world.standby != world.db {
                acts.push(Act::Replicate);
            }
            acts.push(Act::FailOver);
        }
    }

    fn next_state(&self, world: &World, act: Act) -> Option<World> {
        let mut next = world.clone();
        next.after(self, act);
        Some(next.in_order())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}
