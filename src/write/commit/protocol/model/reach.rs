//! Whether the end can be reached from every state: nothing that happens leads to where no way leads on.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;

use stateright::Model as _;

use super::World;
use super::scope::Scope;

/// Every state of a scope, and which of them lead to a complete run.
pub(super) struct Reach {
    pub(super) states: usize,
    /// States from which a complete run cannot be reached.
    pub(super) stuck: usize,
    /// The first of them.
    pub(super) example: Option<World>,
}

/// Visits all states. They are told apart by 64 bits, as stateright does.
pub(super) fn reach(scope: Scope) -> Reach {
    let hasher = xxhash_rust::xxh3::Xxh3Builder::new();
    let mut numbers: HashMap<u64, u32> = HashMap::new();
    let mut before: Vec<Vec<u32>> = Vec::new();
    let mut ends: Vec<u32> = Vec::new();
    let mut queue = VecDeque::new();
    let mut visit = |world: World, from: Option<u32>, queue: &mut VecDeque<(u32, World)>| {
        let next = u32::try_from(before.len()).expect("a scope that fits into memory");
        let number = match numbers.entry(hasher.hash_one(&world)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                before.push(Vec::new());
                if world.db.complete {
                    ends.push(next);
                }
                queue.push_back((next, world));
                *new.insert(next)
            }
        };
        before[number as usize].extend(from);
    };
    visit(World::new(&scope), None, &mut queue);
    let mut acts = Vec::new();
    while let Some((number, world)) = queue.pop_front() {
        scope.actions(&world, &mut acts);
        for next in acts.drain(..).filter_map(|act| scope.next_state(&world, act)) {
            visit(next, Some(number), &mut queue);
        }
    }
    let mut leads = vec![false; before.len()];
    while let Some(number) = ends.pop() {
        if !std::mem::replace(&mut leads[number as usize], true) {
            ends.extend(&before[number as usize]);
        }
    }
    let first = leads.iter().position(|leads| !leads);
    Reach {
        states: leads.len(),
        stuck: leads.iter().filter(|leads| !**leads).count(),
        example: first.and_then(|first| nth(scope, first)),
    }
}

/// The state with a number: the same search again, up to there.
fn nth(scope: Scope, number: usize) -> Option<World> {
    let hasher = xxhash_rust::xxh3::Xxh3Builder::new();
    let mut known = std::collections::HashSet::new();
    let mut queue = VecDeque::from([World::new(&scope)]);
    known.insert(hasher.hash_one(&queue[0]));
    let mut acts = Vec::new();
    if number == 0 {
        return queue.pop_front();
    }
    while let Some(world) = queue.pop_front() {
        scope.actions(&world, &mut acts);
        for next in acts.drain(..).filter_map(|act| scope.next_state(&world, act)) {
            if known.insert(hasher.hash_one(&next)) {
                if known.len() == number + 1 {
                    return Some(next);
                }
                queue.push_back(next);
            }
        }
    }
    None
}
