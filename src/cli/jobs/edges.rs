//! The order that foreign keys between the tables of a file give: a load stands behind those whose tables its
//! own refers to. They skip nobody, and what the file says by `after` stands before them.

use dbload::Engine;
use dbload::internals::load::table_references;
use dbload::internals::pg::{ConnInfo, TableName};
use dbload::internals::prepared::LoadError;
use dbload::internals::schedule::{Edges, behind, circle};

use super::turn::Turn;

/// Puts loads behind those that their tables refer to.
///
/// # Errors
/// When the database cannot be asked.
pub(super) async fn find(turns: &mut [Turn], engine: &Engine, dsn: &ConnInfo) -> Result<(), LoadError> {
    let tables: Vec<Option<TableName>> = turns.iter().map(|turn| turn.args.target.table.clone()).collect();
    let named: Vec<(usize, TableName)> =
        tables.into_iter().enumerate().filter_map(|(turn, table)| Some((turn, table?))).collect();
    if named.len() < 2 {
        return Ok(());
    }
    let tables: Vec<TableName> = named.iter().map(|(_, table)| table.clone()).collect();
    let mut references = Edges::new();
    let names: Vec<String> = turns.iter().map(|turn| turn.name.clone()).collect();
    for reference in table_references(engine, dsn, &tables).await? {
        let name = |at: usize| named.get(at).map(|(turn, _)| names[*turn].as_str());
        if let (Some(child), Some(parent)) = (name(reference.child), name(reference.parent)) {
            references.entry(child).or_default().push(parent);
        }
    }
    let afters: Vec<Vec<String>> = turns.iter().map(|turn| turn.after.clone()).collect();
    let found = behind(&written(&names, &afters), &references);
    for turn in turns {
        let of_turn = found.get(turn.name.as_str()).into_iter().flatten();
        turn.behind = of_turn
            .filter(|name| !turn.after.iter().any(|after| after == *name))
            .map(|name| (*name).to_owned())
            .collect();
    }
    Ok(())
}

fn written<'n>(names: &'n [String], afters: &'n [Vec<String>]) -> Edges<'n> {
    let edges = names.iter().zip(afters);
    edges.map(|(name, after)| (name.as_str(), after.iter().map(String::as_str).collect())).collect()
}

/// A circle of which foreign keys are a part, from one of its loads back to the same.
pub(super) fn circle_of(turns: &[Turn]) -> Option<Vec<String>> {
    let all = |turn: &Turn| turn.after.iter().chain(&turn.behind).cloned().collect::<Vec<_>>();
    let names: Vec<String> = turns.iter().map(|turn| turn.name.clone()).collect();
    let edges: Vec<Vec<String>> = turns.iter().map(all).collect();
    let way = circle(&written(&names, &edges))?;
    Some(way.into_iter().map(str::to_owned).collect())
}

/// Takes foreign keys out of the order that make circles: what is said of each.
pub(super) fn without_circles(turns: &mut [Turn]) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(way) = circle_of(turns) {
        let steps = || way.iter().zip(way.iter().skip(1));
        for turn in turns.iter_mut() {
            turn.behind.retain(|other| !steps().any(|(from, to)| *from == turn.name && to == other));
        }
        said.push(circle_words(&way));
    }
    said
}

/// A circle in words.
pub(super) fn circle_words(way: &[String]) -> String {
    format!("foreign keys give no order: {}", way.join(" refers to "))
}

/// What to do about one.
pub(super) const CIRCLE_HINT: &str = "after = [..] in one of these loads says which of them comes first";
