//! What must hold in every state, and what must be seen in some: a world in which nothing happens proves
//! nothing.

use stateright::Property;

use super::World;
use super::process::Process;
use super::scope::Scope;

pub(super) const NEVER_TWICE: &str = "no record is stored twice";
pub(super) const TOGETHER: &str = "rows and checkpoint move together";
pub(super) const BOOKS: &str = "the books say what was stored";
pub(super) const FENCED: &str = "a former owner commits nothing";
pub(super) const NO_FALSE_SUCCESS: &str = "success means that everything is stored";
pub(super) const ACKNOWLEDGED: &str = "what an owner takes for committed is committed";
pub(super) const HONEST_LOSS: &str = "lost commits are told of only where commits were lost";

/// All of them; those of the second kind only where the scope has room for it.
pub(super) fn all(scope: &Scope) -> Vec<Property<Scope>> {
    let mut all = vec![
        Property::always(NEVER_TWICE, |_, world: &World| {
            world.db.rows.iter().all(|row| row.stored.iter().all(|times| *times <= 1))
        }),
        Property::always(TOGETHER, |_, world: &World| {
            world.db.rows.iter().all(|row| {
                let dealt_with = |n: usize| n < usize::from(row.at);
                row.stored.iter().enumerate().all(|(n, times)| (*times > 0) == dealt_with(n))
            })
        }),
        Property::always(BOOKS, |_, world: &World| {
            world.db.rows.iter().all(|row| row.read == row.stored.iter().sum::<u8>())
        }),
        Property::always(FENCED, |_, world: &World| !world.seen.stale_commit),
        Property::always(NO_FALSE_SUCCESS, |_, world: &World| {
            let whole =
                world.db.rows.iter().all(|row| row.done && row.stored.iter().all(|times| *times == 1));
            !world.seen.success || (world.db.complete && whole)
        }),
        Property::always(ACKNOWLEDGED, acknowledged),
        Property::always(HONEST_LOSS, |_, world: &World| {
            world.seen.lost_commits || !world.seen.told_of_lost_commits
        }),
        Property::sometimes("a load completes", |_, world: &World| world.is_over()),
    ];
    if scope.budget.crashes + scope.budget.take_overs > 0 {
        all.push(Property::sometimes("a run completes under its second owner", |_, world: &World| {
            world.is_over() && world.db.epoch > 1
        }));
    }
    if scope.budget.losses > 0 {
        all.push(Property::sometimes("a batch is in doubt", |_, world: &World| in_doubt(world)));
        all.push(Property::sometimes("a batch is in doubt that is committed", |_, world: &World| {
            in_doubt(world) && world.db.rows.iter().any(|row| row.at > 0)
        }));
        all.push(Property::sometimes("a batch and its replay are both at the server", |_, world: &World| {
            world.backends.windows(2).any(|two| two[0].span == two[1].span && two[0].life == two[1].life)
        }));
    }
    if scope.budget.take_overs > 0 {
        all.push(Property::sometimes("two processes take themselves for the owner", |_, world: &World| {
            world.processes.iter().filter(|p| p.running().is_some()).count() > 1
        }));
        all.push(Property::sometimes("a take-over waits for a commit", |_, world: &World| {
            world.processes.iter().any(|p| {
                matches!(p, Process::TakingOver { locked } if *locked < world.db.rows.len() && world.is_locked(*locked))
            })
        }));
    }
    if scope.budget.failovers > 0 {
        all.push(Property::sometimes("lost commits are noticed", |_, world: &World| {
            world.seen.told_of_lost_commits
        }));
        all.push(Property::sometimes("what was lost is loaded again", |_, world: &World| {
            world.seen.lost_commits && world.is_over()
        }));
    }
    all
}

fn in_doubt(world: &World) -> bool {
    let running = world.processes.iter().filter_map(Process::running);
    running.flat_map(|r| &r.writers).any(|w| w.active.as_ref().is_some_and(|a| a.protocol.in_doubt()))
}

/// Of the owner, that is: a former one may know less, and where the server lost commits nobody knows.
fn acknowledged(_: &Scope, world: &World) -> bool {
    let running = world.processes.iter().filter_map(Process::running);
    world.seen.lost_commits
        || running.filter(|r| r.epoch == world.db.epoch).all(|r| {
            r.writers.iter().zip(&world.db.rows).all(|(writer, row)| {
                let settled = writer.active.is_some() || (writer.at == row.at && writer.books == row.read);
                writer.at <= row.at && writer.books <= row.read && settled
            })
        })
}
