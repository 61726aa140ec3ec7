//! The scopes that are checked, and the defects that are found.

use stateright::{Checker as _, HasDiscoveries, Model as _};

use super::properties;
use super::reach::reach;
use super::scope::{Budget, Defect, Scope};

const NO_FAULTS: Budget = Budget {
    losses: 0,
    aborts: 0,
    cancels: 0,
    limits: 0,
    changes: 0,
    crashes: 0,
    take_overs: 0,
    give_ups: 0,
    failovers: 0,
};

/// Two partitions, and the run is taken over from a process that lives.
const SMALL: Scope = Scope {
    partitions: 2,
    records: 1,
    batch_max: 2,
    processes: 2,
    budget: Budget { take_overs: 1, ..NO_FAULTS },
    defect: Defect::None,
};

/// One partition, longer batches, more faults: what a partition can meet does not hang on the others.
const DEEP: Scope = Scope {
    partitions: 1,
    records: 2,
    batch_max: 2,
    processes: 2,
    budget: Budget { losses: 1, cancels: 1, crashes: 1, ..NO_FAULTS },
    defect: Defect::None,
};

/// A server that forgets what it has confirmed.
const FORGETFUL: Scope = Scope {
    partitions: 1,
    records: 1,
    batch_max: 2,
    processes: 2,
    budget: Budget { losses: 1, take_overs: 1, failovers: 1, ..NO_FAULTS },
    defect: Defect::None,
};

/// Every state, every property.
fn check(name: &str, scope: Scope) {
    let began = std::time::Instant::now();
    let checker = scope.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    let steps = checker.state_count();
    drop(checker);
    let checked = began.elapsed();
    let reach = reach(scope);
    assert_eq!(reach.states, states, "both searches visit the same states");
    assert_eq!(reach.stuck, 0, "no way leads on from {:#?}", reach.example);
    tell(&format!(
        "{name}: {states} states, {steps} transitions, depth {depth}: checked in {checked:.1?}, an end reachable from all in {:.1?}",
        began.elapsed() - checked
    ));
}

/// With a defect the checker finds the property that it breaks.
fn finds(scope: Scope, property: &'static str) {
    let only = HasDiscoveries::AnyOf(std::collections::BTreeSet::from([property]));
    // One thread, breadth first: the shortest story.
    let checker = scope.checker().finish_when(only).spawn_bfs().join();
    let found = checker.discovery(property);
    let path = found.unwrap_or_else(|| panic!("{:?} goes unnoticed by \"{property}\"", scope.defect));
    let story = path.into_actions();
    tell(&format!("{:?} breaks \"{property}\" in {} steps: {story:?}", scope.defect, story.len()));
    assert!(!story.is_empty());
}

fn tell(line: &str) {
    eprintln!("{line}");
}

#[test]
fn two_partitions_in_every_interleaving() {
    check("two partitions", SMALL);
}

#[test]
fn one_partition_with_more_faults_in_every_interleaving() {
    check("one partition", DEEP);
}

#[test]
fn a_server_that_loses_commits_in_every_interleaving() {
    check("lost commits", FORGETFUL);
}

#[test]
fn a_process_that_is_killed_with_two_partitions_in_every_interleaving() {
    let budget = Budget { losses: 1, crashes: 1, ..NO_FAULTS };
    check("two partitions, killed", Scope { budget, ..SMALL });
}

#[test]
fn a_transaction_that_takes_too_long_and_a_table_that_changes_in_every_interleaving() {
    let budget = Budget { losses: 1, limits: 1, changes: 1, ..NO_FAULTS };
    check("one partition, too long and changed", Scope { budget, ..DEEP });
}

#[test]
#[ignore = "minutes: make model"]
fn larger_scopes_in_every_interleaving() {
    let budget = Budget { losses: 1, take_overs: 1, ..NO_FAULTS };
    check("two partitions, taken over, an answer lost", Scope { budget, ..SMALL });
    let budget = Budget { losses: 1, cancels: 1, crashes: 1, take_overs: 1, ..NO_FAULTS };
    check("one partition, killed and taken over", Scope { budget, ..DEEP });
    let budget = Budget { losses: 2, aborts: 1, cancels: 1, crashes: 1, give_ups: 1, ..NO_FAULTS };
    check("one partition, killed, two answers lost", Scope { budget, records: 3, ..DEEP });
    let budget = Budget { losses: 1, crashes: 1, take_overs: 1, failovers: 1, ..NO_FAULTS };
    check("lost commits, killed and taken over", Scope { budget, ..FORGETFUL });
}

#[test]
fn a_fence_that_does_not_raise_is_found() {
    finds(DEEP.with(Defect::SilentFence), properties::NEVER_TWICE);
}

#[test]
fn an_epoch_that_is_ignored_is_found() {
    finds(SMALL.with(Defect::EpochIgnored), properties::FENCED);
}

#[test]
fn an_unknown_outcome_taken_for_a_commit_is_found() {
    finds(DEEP.with(Defect::UnknownIsCommitted), properties::ACKNOWLEDGED);
    finds(DEEP.with(Defect::UnknownIsCommitted), properties::HONEST_LOSS);
}

#[test]
fn a_replay_with_other_boundaries_is_found() {
    finds(DEEP.with(Defect::OtherBoundaries), properties::HONEST_LOSS);
}

#[test]
fn a_batch_that_is_halved_in_doubt_is_found() {
    finds(DEEP.with(Defect::HalvedInDoubt), properties::HONEST_LOSS);
}

#[test]
fn a_skipped_checkpoint_is_found() {
    finds(DEEP.with(Defect::CheckpointSkipped), properties::TOGETHER);
    finds(DEEP.with(Defect::CheckpointSkipped), properties::NEVER_TWICE);
}

#[test]
fn a_batch_that_is_counted_twice_is_found() {
    finds(DEEP.with(Defect::CountedTwice), properties::BOOKS);
}

#[test]
fn a_completion_that_asks_nobody_is_found() {
    // It takes a former owner that believes itself at its end: one that took an unknown outcome for a commit
    // would do.
    finds(FORGETFUL.with(Defect::CompletionUnchecked), properties::NO_FALSE_SUCCESS);
}

#[test]
fn an_epoch_that_comes_back_is_found() {
    let budget = Budget { crashes: 1, ..FORGETFUL.budget };
    let forgetful = Scope { budget, ..FORGETFUL };
    finds(forgetful.with(Defect::EpochsReused), properties::FENCED);
}
