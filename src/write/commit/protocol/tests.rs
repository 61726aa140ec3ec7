//! What the protocol answers, step by step.

use super::*;
use crate::pg::ServerError;

const fn place(offset: u64, record: u64) -> Position {
    Position { source: 0, offset, record, line: 0 }
}

const BEFORE: Position = place(100, 5);
const AFTER: Position = place(200, 9);
const TERMS: Terms =
    Terms { before: BEFORE, after: AFTER, done: false, records: 4, proof: Proof::Checkpoint { epoch: 3 } };
const FAST: Step = Step::Attempt { path: WritePath::SetBased, conflicts: Conflicts::NotExpected };
const CAREFUL: Step = Step::Attempt { path: WritePath::RowByRow, conflicts: Conflicts::NotExpected };

fn said(code: &str) -> ServerError {
    ServerError { sqlstate: code.to_owned(), constraint: Some("t_pkey".to_owned()), ..ServerError::default() }
}

fn code(code: &str) -> DbError {
    said(code).into()
}

fn failed(at: FailedAt, error: &DbError) -> Happened<'_> {
    Happened::Failed { at, error, key: Some("t_pkey") }
}

fn check(terms: Terms, story: &[(Happened<'_>, Step)]) -> Protocol {
    let (mut protocol, first) = Protocol::new(terms);
    assert_eq!(first, FAST);
    for (n, (happened, expected)) in story.iter().enumerate() {
        assert_eq!(protocol.next(*happened), *expected, "step {n}: {happened:?} of {story:?}");
    }
    protocol
}

fn after_lost_commit(found: Option<StoredCheckpoint>, expected: Step) {
    let lost = DbError::lost();
    let story = [
        (failed(FailedAt::Commit, &lost), Step::ReadCheckpoint),
        (Happened::Found(found.as_ref()), expected),
    ];
    check(TERMS, &story);
}

#[test]
fn a_confirmed_commit_is_the_end() {
    check(TERMS, &[(Happened::Committed, Step::Done)]);
}

#[test]
fn a_connection_lost_before_commit_is_replayed_after_a_pause() {
    let lost = DbError::lost();
    for at in [FailedAt::Connect, FailedAt::Begin, FailedAt::Staging, FailedAt::Merge, FailedAt::Ledger] {
        check(TERMS, &[(failed(at, &lost), Step::Pause(Mitigation::None)), (Happened::BackoffElapsed, FAST)]);
    }
}

#[test]
fn the_checkpoint_says_what_became_of_a_batch() {
    let at = |epoch, at, done| Some(StoredCheckpoint { epoch, at, done, books: Books::default() });
    after_lost_commit(at(3, AFTER, false), Step::Done);
    after_lost_commit(at(3, BEFORE, false), Step::Pause(Mitigation::None));
    after_lost_commit(at(4, AFTER, false), Step::Stop(Stop::Fenced));
    after_lost_commit(at(4, BEFORE, false), Step::Stop(Stop::Fenced));
    after_lost_commit(at(2, BEFORE, false), Step::Stop(Stop::LostCommits));
    after_lost_commit(at(3, place(50, 2), false), Step::Stop(Stop::LostCommits));
    after_lost_commit(at(3, place(300, 12), false), Step::Stop(Stop::LostCommits));
    after_lost_commit(at(3, AFTER, true), Step::Stop(Stop::LostCommits));
    after_lost_commit(at(3, BEFORE, true), Step::Stop(Stop::LostCommits));
    after_lost_commit(None, Step::Stop(Stop::Forgotten));
}

#[test]
fn doubt_lasts_until_the_checkpoint_is_read_and_ends_as_unknown_with_patience() {
    let lost = DbError::lost();
    let story = [
        (failed(FailedAt::Commit, &lost), Step::ReadCheckpoint),
        (Happened::NoAnswer, Step::Pause(Mitigation::None)),
        (Happened::BackoffElapsed, Step::ReadCheckpoint),
        (Happened::NoAnswer, Step::Pause(Mitigation::None)),
        (Happened::PatienceEnded, Step::Stop(Stop::Unknown)),
    ];
    assert!(check(TERMS, &story).in_doubt());
    let before = StoredCheckpoint { epoch: 3, at: BEFORE, done: false, books: Books::default() };
    let story = [
        (failed(FailedAt::Commit, &lost), Step::ReadCheckpoint),
        (Happened::Found(Some(&before)), Step::Pause(Mitigation::None)),
        (Happened::PatienceEnded, Step::Stop(Stop::Failed)),
    ];
    assert!(!check(TERMS, &story).in_doubt());
}

#[test]
fn a_fence_that_raises_asks_the_checkpoint_wherever_it_shows() {
    for (at, error) in [
        (FailedAt::Commit, code("DL001")),
        (FailedAt::Ledger, code("23505")),
        (FailedAt::Ledger, code("23503")),
        (FailedAt::Ledger, code("42P01")),
    ] {
        check(TERMS, &[(failed(at, &error), Step::ReadCheckpoint)]);
    }
}

#[test]
fn without_a_ledger_only_an_append_can_be_in_doubt() {
    let lost = DbError::lost();
    let told = code("23514");
    let append = Terms { proof: Proof::None, ..TERMS };
    check(append, &[(failed(FailedAt::Commit, &lost), Step::Stop(Stop::Unknown))]);
    check(append, &[(failed(FailedAt::Commit, &told), Step::Pause(Mitigation::None))]);
    let keyed = Terms { proof: Proof::NotNeeded, ..TERMS };
    check(
        keyed,
        &[(failed(FailedAt::Commit, &lost), Step::Pause(Mitigation::None)), (Happened::BackoffElapsed, FAST)],
    );
}

#[test]
fn a_refused_merge_takes_the_careful_path_and_stays_there() {
    let (refused, lost) = (code("23514"), DbError::lost());
    let story = [
        (failed(FailedAt::Merge, &refused), CAREFUL),
        (failed(FailedAt::Merge, &lost), Step::Pause(Mitigation::None)),
        (Happened::BackoffElapsed, CAREFUL),
        (failed(FailedAt::Merge, &refused), Step::Stop(Stop::Failed)),
    ];
    check(TERMS, &story);
}

#[test]
fn a_value_that_copy_refuses_is_converted_one_by_one() {
    let refused = code("22P02");
    let converting = |path| Step::Attempt { path, conflicts: Conflicts::NotExpected };
    check(
        TERMS,
        &[
            (failed(FailedAt::Staging, &refused), converting(WritePath::Converting)),
            (failed(FailedAt::Merge, &refused), converting(WritePath::ConvertingRowByRow)),
            (failed(FailedAt::Staging, &refused), Step::Stop(Stop::Failed)),
        ],
    );
    check(
        TERMS,
        &[
            (failed(FailedAt::Merge, &refused), CAREFUL),
            (failed(FailedAt::Staging, &refused), converting(WritePath::ConvertingRowByRow)),
        ],
    );
    let damaged = code("XX001");
    check(TERMS, &[(failed(FailedAt::Staging, &damaged), Step::Stop(Stop::Failed))]);
}

#[test]
fn what_is_too_much_is_halved_until_one_record_is_left() {
    let (time, size) = (code("57014"), code("54000"));
    check(TERMS, &[(failed(FailedAt::Merge, &time), Step::Halve)]);
    let one = Terms { records: 1, ..TERMS };
    check(one, &[(failed(FailedAt::Merge, &time), Step::Stop(Stop::Failed))]);
    check(
        one,
        &[
            (failed(FailedAt::Merge, &size), CAREFUL),
            (failed(FailedAt::Merge, &size), Step::Stop(Stop::Failed)),
        ],
    );
}

#[test]
fn what_may_still_commit_is_never_halved() {
    let (lost, time, told) = (DbError::lost(), code("57014"), code("40001"));
    let before = StoredCheckpoint { epoch: 3, at: BEFORE, done: false, books: Books::default() };
    let pause = Step::Pause(Mitigation::None);
    check(
        TERMS,
        &[
            (failed(FailedAt::Commit, &lost), Step::ReadCheckpoint),
            (Happened::Found(Some(&before)), pause),
            (Happened::BackoffElapsed, FAST),
            (failed(FailedAt::Merge, &time), pause),
            (Happened::BackoffElapsed, FAST),
            (failed(FailedAt::Merge, &time), pause),
        ],
    );
    check(
        TERMS,
        &[
            (failed(FailedAt::Commit, &told), Step::ReadCheckpoint),
            (Happened::Found(Some(&before)), pause),
            (Happened::BackoffElapsed, FAST),
            (failed(FailedAt::Merge, &time), Step::Halve),
        ],
    );
}

#[test]
fn a_key_that_another_program_has_just_stored_is_expected_from_then_on() {
    let taken = code("23505");
    let aware = |path| Step::Attempt { path, conflicts: Conflicts::LeftAlone };
    check(
        TERMS,
        &[
            (failed(FailedAt::Merge, &taken), aware(WritePath::SetBased)),
            (failed(FailedAt::Merge, &taken), aware(WritePath::RowByRow)),
            (failed(FailedAt::Merge, &taken), Step::Stop(Stop::Failed)),
        ],
    );
}

#[test]
fn the_pool_gives_way_before_the_next_try() {
    let (stale, full) = (code("26000"), code("53300"));
    check(
        TERMS,
        &[
            (failed(FailedAt::Connect, &full), Step::Pause(Mitigation::FewerConnections)),
            (Happened::BackoffElapsed, FAST),
            (failed(FailedAt::Merge, &stale), Step::Pause(Mitigation::FreshConnections)),
            (Happened::BackoffElapsed, FAST),
            (failed(FailedAt::Merge, &stale), CAREFUL),
            (failed(FailedAt::Begin, &stale), Step::Stop(Stop::Failed)),
        ],
    );
}

#[test]
fn a_transaction_that_took_too_long_is_halved_also_where_its_commit_was_sent() {
    let too_long = ServerError { ended_session: true, ..said("25P04") }.into();
    check(TERMS, &[(failed(FailedAt::Merge, &too_long), Step::Halve)]);
    let before = StoredCheckpoint { epoch: 3, at: BEFORE, done: false, books: Books::default() };
    let story = [
        (failed(FailedAt::Commit, &too_long), Step::ReadCheckpoint),
        (Happened::Found(Some(&before)), Step::Halve),
    ];
    check(TERMS, &story);
    // It may have committed all the same.
    let after = StoredCheckpoint { at: AFTER, ..before };
    let story = [
        (failed(FailedAt::Commit, &too_long), Step::ReadCheckpoint),
        (Happened::Found(Some(&after)), Step::Done),
    ];
    check(TERMS, &story);
    // An earlier try may still be committing the whole.
    let lost = DbError::lost();
    let story = [
        (failed(FailedAt::Commit, &lost), Step::ReadCheckpoint),
        (Happened::Found(Some(&before)), Step::Pause(Mitigation::None)),
        (Happened::BackoffElapsed, FAST),
        (failed(FailedAt::Commit, &too_long), Step::ReadCheckpoint),
        (Happened::Found(Some(&before)), Step::Pause(Mitigation::None)),
    ];
    check(TERMS, &story);
    let alone = Terms { records: 1, ..TERMS };
    check(alone, &[(failed(FailedAt::Merge, &too_long), Step::Stop(Stop::Failed))]);
    let append = Terms { proof: Proof::None, ..TERMS };
    check(append, &[(failed(FailedAt::Commit, &too_long), Step::Stop(Stop::Unknown))]);
}

#[test]
fn a_table_that_was_changed_stops_the_writer_for_a_new_plan() {
    check(TERMS, &[(failed(FailedAt::Table, &code("DL003")), Step::Stop(Stop::Changed))]);
}
